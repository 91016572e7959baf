//! Dropping what is needed no more, and opening what a crash left of that.

use super::*;
use crate::log::{
    Place,
    file::{Disk, SystemDisk},
};

/// A log of 40 records in ten segments.
fn filled(directory: &Path, options: FileLogOptions) -> FileLog {
    let log = FileLog::open(directory, options).expect("open");
    for round in 0..40 {
        append(&log, 0, &[round; 200]).expect("append");
    }
    log
}

fn segments(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).expect("list").map(|entry| entry.expect("entry").path());
    let is_segment = |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == "seg");
    let mut paths: Vec<_> = entries.filter(is_segment).collect();
    paths.sort_unstable();
    paths
}

/// The offsets that a log still has; panics at any damage.
fn offsets(log: &FileLog) -> Vec<u64> {
    let start = log.start_positions().expect("start");
    let mut reader = log.open_from(&start).expect("reader");
    let items = reader.next_batch(NO_LIMIT, Duration::ZERO).expect("read");
    assert!(items.iter().all(|item| matches!(item, Item::Record(_))), "{items:?}");
    items.iter().map(Item::offset).collect()
}

/// Removes some files and then no more, as if the power went.
struct Dying {
    left: AtomicU64,
}

impl Disk for Dying {
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        let left =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        left.map_err(|_| std::io::Error::other("no power"))?;
        SystemDisk.remove(path)
    }
}

#[test]
fn a_crash_while_trimming_leaves_a_log_without_a_hole() {
    for removed in 0..8 {
        let directory = TempDir::new().expect("directory");
        let disk = Arc::new(Dying { left: AtomicU64::new(removed) });
        let options = FileLogOptions { disk: Arc::clone(&disk) as _, ..small(1) };
        let log = filled(directory.path(), options);
        let before = segments(directory.path()).len();
        log.trim(&[39]).expect_err("the power goes");
        let after = TempDir::new().expect("directory");
        copy(directory.path(), after.path());
        assert_eq!(segments(after.path()).len() as u64, before as u64 - removed);

        let log = FileLog::open(after.path(), small(1)).expect("open");
        let start = log.start_positions().expect("start")[0];
        assert_eq!(offsets(&log), (start..40).collect::<Vec<_>>(), "after {removed}");
        assert_eq!(append(&log, 0, b"more").expect("append").offset, 40);
        log.trim(&[40]).expect("trim");
        assert_eq!(segments(after.path()).len(), 1);
    }
}

#[test]
fn what_could_not_be_removed_goes_with_the_next_ones() {
    let directory = TempDir::new().expect("directory");
    let disk = Arc::new(Dying { left: AtomicU64::new(0) });
    let log = filled(directory.path(), FileLogOptions { disk: Arc::clone(&disk) as _, ..small(1) });
    log.trim(&[20]).expect_err("nothing can be removed");
    disk.left.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(log.trim(&[20]).expect("nothing to do"), 0);
    let before = segments(directory.path()).len();
    let removed = log.trim(&[40]).expect("trim");
    assert_eq!((removed, segments(directory.path()).len()), (before - 1, 1));
}

#[test]
fn a_log_that_was_trimmed_to_its_end_goes_on_behind_it() {
    let directory = TempDir::new().expect("directory");
    drop({
        let log = filled(directory.path(), small(1));
        log.trim(&[40]).expect("trim");
        log
    });
    let [last] = &segments(directory.path())[..] else { panic!("one segment is left") };
    // A crash tears the write that follows.
    let mut bytes = fs::read(last).expect("read");
    bytes.extend([0xD7; 20]);
    fs::write(last, bytes).expect("write");
    let log = FileLog::open(directory.path(), small(1)).expect("open");
    assert_eq!(append(&log, 0, b"more").expect("append").offset, 40);
    let mut reader = log.open_from(&[40]).expect("reader");
    assert_eq!(reader.next_batch(NO_LIMIT, Duration::ZERO).expect("read").len(), 1);
}

#[test]
fn tells_how_much_a_reader_has_before_it() {
    let directory = TempDir::new().expect("directory");
    let log = filled(directory.path(), small(1));
    let mut reader = log.open_from(&[0]).expect("reader");
    let record = 200 + 36;
    assert_eq!(log.bytes_after(reader.place()), 40 * record);
    assert_eq!(log.bytes_after(Place::default()), log.stats().size_bytes - header(&log));
    let limit = BatchLimit { max_records: 10, max_bytes: 1 << 20 };
    reader.next_batch(limit, Duration::ZERO).expect("read");
    assert_eq!(log.bytes_after(reader.place()), 30 * record);
    reader.next_batch(NO_LIMIT, Duration::ZERO).expect("read");
    assert_eq!(log.bytes_after(reader.place()), 0);
    log.trim(&[40]).expect("trim");
    assert_eq!(log.bytes_after(reader.place()), 0);
}

/// The bytes of all segments' headers but the first one's, which stands before the first place.
fn header(log: &FileLog) -> u64 {
    let one = super::super::format::SegmentHeader::size_bytes(1) as u64;
    one * (segments(&log.inner.shared.ground.directory).len() as u64 - 1)
}
