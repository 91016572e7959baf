//! What a disk that fails may do to a log.

use std::{
    fs::File,
    io,
    sync::{Condvar, Mutex},
    thread,
};

use super::*;
use crate::log::file::Disk;

/// Which calls fail.
#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    create: Option<io::ErrorKind>,
    /// Half of the bytes are written before the failure.
    write: Option<io::ErrorKind>,
    sync: Option<io::ErrorKind>,
    rename: Option<io::ErrorKind>,
    truncate: Option<io::ErrorKind>,
    remove: Option<io::ErrorKind>,
}

#[derive(Default)]
struct FaultyDisk {
    faults: Mutex<Faults>,
}

impl FaultyDisk {
    fn set(&self, faults: Faults) {
        *self.faults.lock().expect("lock") = faults;
    }

    fn check(&self, fault: impl Fn(&Faults) -> Option<io::ErrorKind>) -> io::Result<()> {
        fault(&self.faults.lock().expect("lock")).map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.check(|faults| faults.create)?;
        super::super::SystemDisk.create(path)
    }

    fn write_at(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
        let fault = self.check(|faults| faults.write);
        let count = if fault.is_err() { bytes.len() / 2 } else { bytes.len() };
        super::super::SystemDisk.write_at(file, &bytes[..count], position)?;
        fault
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.check(|faults| faults.sync)?;
        super::super::SystemDisk.sync_data(file)
    }

    fn truncate(&self, file: &File, size_bytes: u64) -> io::Result<()> {
        self.check(|faults| faults.truncate)?;
        super::super::SystemDisk.truncate(file, size_bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check(|faults| faults.remove)?;
        super::super::SystemDisk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let fault = self.check(|faults| faults.rename);
        super::super::SystemDisk.rename(from, to)?;
        fault
    }
}

const FULL: Option<io::ErrorKind> = Some(io::ErrorKind::StorageFull);
const BROKEN: Option<io::ErrorKind> = Some(io::ErrorKind::Other);

#[test]
fn a_full_disk_is_an_error_until_there_is_room() {
    let is_full = |error: &AppendError| matches!(error, AppendError::Full(_));
    check(Faults { write: FULL, ..Faults::default() }, is_full);
    check(Faults { write: FULL, create: FULL, ..Faults::default() }, is_full);
    check(Faults { write: FULL, truncate: BROKEN, ..Faults::default() }, is_full);
}

#[test]
fn a_failed_sync_is_an_error_and_is_never_trusted_again() {
    let is_sync = |error: &AppendError| matches!(error, AppendError::Io { op: LogOp::Fsync, .. });
    check_first(Faults { sync: BROKEN, ..Faults::default() }, is_sync);
    check_first(Faults { sync: BROKEN, truncate: BROKEN, ..Faults::default() }, is_sync);
    check_first(Faults { sync: BROKEN, create: FULL, ..Faults::default() }, is_sync);
    check_first(Faults { sync: BROKEN, rename: BROKEN, ..Faults::default() }, is_sync);
}

#[test]
fn a_failed_write_is_an_error() {
    let is_write = |error: &AppendError| matches!(error, AppendError::Io { op: LogOp::Append, .. });
    check(Faults { write: BROKEN, ..Faults::default() }, is_write);
    check(
        Faults { write: BROKEN, create: BROKEN, truncate: BROKEN, ..Faults::default() },
        is_write,
    );
}

#[test]
fn a_segment_that_cannot_be_created_is_an_error_until_it_can() {
    for faults in
        [Faults { create: FULL, ..Faults::default() }, Faults { rename: FULL, ..Faults::default() }]
    {
        let directory = TempDir::new().expect("directory");
        let (log, disk) = open(directory.path());
        let mut taken = Vec::new();
        disk.set(faults);
        let error = loop {
            let payload = vec![u8::try_from(taken.len()).expect("few") + 1; 80];
            match append(&log, 0, &payload) {
                Ok(_) => taken.push(payload),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AppendError::Full(_)), "{error}");
        append(&log, 0, b"s").expect_err("still full");
        let crashed = directory.path().join("crashed");
        copy(&directory.path().join("log"), &crashed);
        drop(FileLog::open(&crashed, small(1)).expect("open"));
        assert_eq!(payloads(&crashed, 1)[0], taken);
        disk.set(Faults::default());
        // This would still fit into the old segment, which may be sealed already.
        append(&log, 0, b"after").expect("append");
        drop(log);
        taken.push(b"after".to_vec());
        assert_eq!(payloads(&directory.path().join("log"), 1)[0], taken);
    }
}

#[test]
fn a_full_queue_is_busy() {
    let directory = TempDir::new().expect("directory");
    let disk = Arc::new(StuckDisk::default());
    let options = FileLogOptions {
        max_queued_records: 2,
        disk: Arc::clone(&disk) as Arc<dyn Disk>,
        ..small(1)
    };
    let log = FileLog::open(directory.path(), options).expect("open");
    disk.set(true);
    let append_later = |payload: &'static [u8]| {
        let log = log.clone();
        thread::spawn(move || append(&log, 0, payload))
    };
    // At most two records are with the disk, which is stuck, and two fill the queue.
    let appends: Vec<_> =
        [b"a", b"b", b"c", b"d", b"e"].map(|payload| append_later(payload)).into();
    while !appends.iter().any(thread::JoinHandle::is_finished) {
        thread::yield_now();
    }
    disk.set(false);
    let results: Vec<_> = appends.into_iter().map(|append| append.join().expect("join")).collect();
    assert!(results.iter().any(|result| matches!(result, Err(AppendError::Busy))));
    assert!(results.iter().any(Result::is_ok));
    append(&log, 0, b"f").expect("there is room again");
}

/// A disk whose syncs hang.
#[derive(Default)]
struct StuckDisk {
    stuck: Mutex<bool>,
    changed: Condvar,
}

impl StuckDisk {
    fn set(&self, stuck: bool) {
        *self.stuck.lock().expect("lock") = stuck;
        self.changed.notify_all();
    }
}

impl Disk for StuckDisk {
    fn sync_data(&self, file: &File) -> io::Result<()> {
        let stuck = self.stuck.lock().expect("lock");
        drop(self.changed.wait_while(stuck, |stuck| *stuck).expect("lock"));
        file.sync_data()
    }
}

#[test]
fn the_last_room_on_the_disk_is_used_for_records() {
    let directory = TempDir::new().expect("directory");
    let disk = Arc::new(SmallDisk::default());
    disk.capacity.store(2000, Ordering::Relaxed);
    let options = FileLogOptions {
        segment_bytes: 1 << 20,
        disk: Arc::clone(&disk) as Arc<dyn Disk>,
        ..small(1)
    };
    let log = FileLog::open(directory.path(), options).expect("open");
    let mut taken = Vec::new();
    let error = loop {
        let payload = vec![u8::try_from(taken.len()).expect("few") + 1; 100];
        match append(&log, 0, &payload) {
            Ok(_) => taken.push(payload),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::Full(_)), "{error:?}");
    assert_eq!(taken.len(), (2000 - 52) / 136);
    disk.capacity.store(u64::MAX, Ordering::Relaxed);
    append(&log, 0, b"after").expect("there is room again");
    taken.push(b"after".to_vec());
    drop(log);
    assert_eq!(payloads(directory.path(), 1)[0], taken);
    assert_eq!(verify(directory.path()).expect("verify").segments, 1);
}

/// A disk on which files cannot grow beyond a size.
#[derive(Default)]
struct SmallDisk {
    capacity: AtomicU64,
}

impl Disk for SmallDisk {
    fn write_at(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
        let room = self.capacity.load(Ordering::Relaxed).saturating_sub(position);
        let count = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        super::super::SystemDisk.write_at(file, &bytes[..count], position)?;
        if count == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
}

fn open(root: &Path) -> (FileLog, Arc<FaultyDisk>) {
    let disk = Arc::new(FaultyDisk::default());
    let options = FileLogOptions { disk: Arc::clone(&disk) as Arc<dyn Disk>, ..small(1) };
    (FileLog::open(&root.join("log"), options).expect("open"), disk)
}

/// Every append must fail as expected while the faults last.
fn check(faults: Faults, expected: impl Fn(&AppendError) -> bool) {
    check_all(faults, |_, error| expected(error));
}

/// The first append must fail as expected; the next ones fail in starting a segment.
fn check_first(faults: Faults, expected: impl Fn(&AppendError) -> bool) {
    let segments = check_all(faults, |round, error| round > 0 || expected(error));
    assert!(segments > 1, "{faults:?}: a segment was used again after a failed sync");
}

fn check_all(faults: Faults, expected: impl Fn(usize, &AppendError) -> bool) -> usize {
    let directory = TempDir::new().expect("directory");
    let (log, disk) = open(directory.path());
    let mut reader = log.open_from(&[0]).expect("reader");
    append(&log, 0, b"a").expect("append");
    append(&log, 0, b"b").expect("append");
    disk.set(faults);
    for round in 0..3 {
        let error = append(&log, 0, b"refused").expect_err("the disk fails");
        assert!(expected(round, &error), "{faults:?}, round {round}: {error:?}");
    }
    assert_eq!(log.end_positions().expect("end"), [2], "{faults:?}");
    check_crash(directory.path(), faults);
    // Remains that cannot be cut off must not be read either.
    disk.set(Faults { truncate: faults.truncate, ..Faults::default() });
    assert_eq!(append(&log, 0, b"c").expect("append").offset, 2, "{faults:?}");
    let items = reader.next_batch(NO_LIMIT, Duration::ZERO).expect("read");
    assert_eq!(items.len(), 3, "{faults:?}");
    drop(log);
    let found = payloads(&directory.path().join("log"), 1).swap_remove(0);
    assert_eq!(found, [b"a", b"b", b"c"], "{faults:?}");
    verify(&directory.path().join("log")).expect("verify").segments
}

/// A crash while the disk fails: what was acknowledged is there, and what was refused is there as
/// a whole or not at all.
fn check_crash(root: &Path, faults: Faults) {
    let crashed = root.join("crashed");
    copy(&root.join("log"), &crashed);
    drop(FileLog::open(&crashed, small(1)).expect("open"));
    let found = payloads(&crashed, 1).swap_remove(0);
    assert_eq!(found[..2], [b"a", b"b"], "{faults:?}");
    assert!(found[2..].iter().all(|payload| payload == b"refused"), "{faults:?}: {found:?}");
}
