//! Tests of the file log: what they share, and those that need no damage.

mod damage;
mod faults;
mod random;
mod trim;

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tempfile::TempDir;

use super::{
    super::{
        Append, AppendError, Appended, BatchLimit, Item, LogMetrics, LogOp, Quarantined, ReadBatch,
        ReadError, Subscribe, conformance,
    },
    FileLog, FileLogOptions, OpenError, verify,
};

const NO_LIMIT: BatchLimit = BatchLimit { max_records: 1 << 20, max_bytes: 1 << 30 };

#[tokio::test]
async fn conforms() {
    let directory = TempDir::new().expect("directory");
    let logs = AtomicU64::new(0);
    let make = |partitions| {
        let name = logs.fetch_add(1, Ordering::Relaxed).to_string();
        let options = FileLogOptions::new(partitions);
        FileLog::open(&directory.path().join(name), options).expect("open")
    };
    conformance::run(make).await;
}

#[tokio::test]
async fn conforms_with_segments_of_a_few_records() {
    let directory = TempDir::new().expect("directory");
    let logs = AtomicU64::new(0);
    let make = |partitions| {
        let name = logs.fetch_add(1, Ordering::Relaxed).to_string();
        FileLog::open(&directory.path().join(name), small(partitions)).expect("open")
    };
    conformance::run(make).await;
}

#[test]
fn another_number_of_partitions_is_refused_and_named() {
    let directory = TempDir::new().expect("directory");
    drop(FileLog::open(directory.path(), small(4)).expect("open"));
    let error = FileLog::open(directory.path(), small(5)).expect_err("refused");
    assert!(matches!(error, OpenError::Partitions { recorded: 4, configured: 5, .. }));
    let message = error.to_string();
    for part in ["4 partitions", "log.partitions = 5", "tallyhook rebuild"] {
        assert!(message.contains(part), "{message}");
    }
    let none = FileLog::open(&directory.path().join("new"), small(0));
    assert!(matches!(none, Err(OpenError::PartitionCount { partitions: 0 })));
}

#[test]
fn only_one_log_may_write_and_none_may_read_meanwhile() {
    let directory = TempDir::new().expect("directory");
    let log = FileLog::open(directory.path(), small(1)).expect("open");
    let second = FileLog::open(directory.path(), small(1));
    assert!(matches!(second, Err(OpenError::Locked { .. })));
    let reading = FileLog::open_read_only(directory.path());
    assert!(matches!(reading, Err(OpenError::Locked { .. })));
    log.close();
    let first = FileLog::open_read_only(directory.path()).expect("nobody writes");
    let second = FileLog::open_read_only(directory.path()).expect("readers share");
    assert!(matches!(append(&first, 0, b"x"), Err(AppendError::Closed)));
    drop((first, second));
    FileLog::open(directory.path(), small(1)).expect("nobody reads any more");
}

#[test]
fn a_directory_without_a_log_is_named() {
    let directory = TempDir::new().expect("directory");
    let error = FileLog::open_read_only(directory.path()).expect_err("no log");
    assert!(matches!(error, OpenError::NoLog { .. }), "{error}");
}

#[test]
fn closing_answers_everybody_and_ends_the_readers() {
    let directory = TempDir::new().expect("directory");
    let log = FileLog::open(directory.path(), small(1)).expect("open");
    let mut reader = log.open_from(&[0]).expect("reader");
    append(&log, 0, b"a").expect("append");
    log.close();
    assert!(matches!(append(&log, 0, b"b"), Err(AppendError::Closed)));
    assert_eq!(reader.next_batch(NO_LIMIT, Duration::ZERO).expect("read").len(), 1);
    assert!(matches!(reader.next_batch(NO_LIMIT, Duration::ZERO), Err(ReadError::Closed)));
}

#[test]
fn opening_and_closing_adds_no_bytes() {
    let directory = TempDir::new().expect("directory");
    let log = FileLog::open(directory.path(), small(3)).expect("open");
    append(&log, 0, b"a").expect("append");
    log.close();
    let before = log.stats();
    for _ in 0..3 {
        let log = FileLog::open(directory.path(), small(3)).expect("open");
        log.close();
        assert_eq!(log.stats(), before);
    }
}

#[test]
fn a_record_may_be_larger_than_a_segment_and_not_larger_than_the_limit() {
    let directory = TempDir::new().expect("directory");
    let options = FileLogOptions { max_payload_bytes: 5000, ..small(1) };
    let log = FileLog::open(directory.path(), options).expect("open");
    append(&log, 0, &[1; 5000]).expect("taken");
    let refused = append(&log, 0, &[1; 5001]);
    assert!(matches!(refused, Err(AppendError::TooLarge { size_bytes: 5001, limit_bytes: 5000 })));
    append(&log, 0, &[2; 5000]).expect("taken");
    drop(log);
    assert_eq!(payloads(directory.path(), 1)[0], [vec![1; 5000], vec![2; 5000]]);
}

#[test]
fn trimmed_segments_are_gone_and_named_when_wanted() {
    let directory = TempDir::new().expect("directory");
    let log = FileLog::open(directory.path(), small(2)).expect("open");
    for round in 0..40 {
        append(&log, 0, &[round; 50]).expect("append");
    }
    assert_eq!(log.trim(&[0, 0]).expect("trim"), 0);
    let removed = log.trim(&[35, 0]).expect("trim");
    assert!(removed > 1);
    let start = log.start_positions().expect("start")[0];
    assert!((12..=35).contains(&start));
    assert_eq!(log.stats().records, 40 - start);
    drop(log);
    let log = FileLog::open(directory.path(), small(2)).expect("open again");
    assert_eq!(log.start_positions().expect("start"), [start, 0]);
    let early = log.open_from(&[start - 1, 0]).err();
    assert!(matches!(early, Some(ReadError::BeforeStart { partition: 0, .. })), "{early:?}");
    let mut reader = log.open_from(&[start, 0]).expect("reader");
    let count = usize::try_from(40 - start).expect("few");
    assert_eq!(reader.next_batch(NO_LIMIT, Duration::ZERO).expect("read").len(), count);
}

#[test]
fn appends_are_measured() {
    #[derive(Default)]
    struct Counts([AtomicU64; 2]);
    impl LogMetrics for Counts {
        fn appended(&self, _: Duration) {
            self.0[0].fetch_add(1, Ordering::Relaxed);
        }
        fn failed(&self, _: LogOp) {
            self.0[1].fetch_add(1, Ordering::Relaxed);
        }
    }
    let directory = TempDir::new().expect("directory");
    let counts = Arc::new(Counts::default());
    let metrics: Arc<dyn LogMetrics> = Arc::clone(&counts) as _;
    let log = FileLog::open(directory.path(), FileLogOptions { metrics, ..small(1) });
    let log = log.expect("open");
    for _ in 0..3 {
        append(&log, 0, b"x").expect("append");
    }
    assert_eq!(counts.0.each_ref().map(|count| count.load(Ordering::Relaxed)), [3, 0]);
    assert_eq!((log.stats().records, log.stats().corrupt_records), (3, 0));
}

/// Segments of a few records.
fn small(partitions: u16) -> FileLogOptions {
    FileLogOptions { segment_bytes: 1024, ..FileLogOptions::new(partitions) }
}

fn append(log: &FileLog, partition: u16, payload: &[u8]) -> Result<Appended, AppendError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    runtime.block_on(log.append(partition, Bytes::copy_from_slice(payload)))
}

/// Everything that a closed log holds.
fn read_all(directory: &Path) -> Vec<Item> {
    let log = FileLog::open_read_only(directory).expect("open");
    let mut reader = log.open_from(&log.start_positions().expect("start")).expect("reader");
    let mut items = Vec::new();
    loop {
        match reader.next_batch(NO_LIMIT, Duration::ZERO) {
            Ok(batch) => items.extend(batch),
            Err(ReadError::Closed) => return items,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The payloads of a closed log that is sound, by partition.
fn payloads(directory: &Path, partitions: u16) -> Vec<Vec<Vec<u8>>> {
    assert!(verify(directory).expect("verify").is_sound());
    let mut payloads = vec![Vec::new(); usize::from(partitions)];
    for item in read_all(directory) {
        let Item::Record(record) = item else { panic!("{item:?}") };
        let partition = &mut payloads[usize::from(record.partition)];
        assert_eq!(record.offset, partition.len() as u64);
        partition.push(record.payload.to_vec());
    }
    payloads
}

/// What the disk holds at this moment, as a crash would leave it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("directory");
    for entry in fs::read_dir(from).expect("list") {
        let path = entry.expect("entry").path();
        fs::copy(&path, to.join(path.file_name().expect("name"))).expect("copy");
    }
}
