//! The suite that every log adapter must pass; its tests are the contract of [`super`] in code.
//!
//! An adapter's test calls [`run`] with a function that makes an empty log of so many partitions.

use std::{thread, time::Duration};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{
    Append, AppendError, Appended, BatchLimit, Item, ReadBatch, ReadError, SKIP_PARTITION,
    Subscribe,
};

const NO_LIMIT: BatchLimit = BatchLimit { max_records: 1000, max_bytes: 1 << 30 };
/// Long enough for any machine; only a broken adapter waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the whole suite, each part on a log of its own.
///
/// # Panics
///
/// Panics where the adapter breaks the contract.
pub async fn run<L, F>(make: F)
where
    L: Append + Subscribe + Clone,
    F: Fn(u16) -> L,
{
    an_empty_log_has_nothing_to_read(&make(3));
    offsets_count_per_partition(&make(3)).await;
    records_come_back_as_they_were(&make(2)).await;
    a_reader_starts_where_it_is_told(&make(3)).await;
    batches_keep_their_limits(&make(1)).await;
    wrong_positions_are_refused(&make(2)).await;
    an_unknown_partition_is_refused(&make(2)).await;
    a_waiting_reader_wakes(&make(1)).await;
    concurrent_appends_leave_no_gap(&make(4)).await;
}

fn an_empty_log_has_nothing_to_read<L: Subscribe>(log: &L) {
    assert_eq!(log.partitions(), 3);
    assert_eq!(log.start_positions().expect("start"), [0, 0, 0]);
    assert_eq!(log.end_positions().expect("end"), [0, 0, 0]);
    let mut reader = log.open_from(&[0, 0, 0]).expect("open");
    assert_eq!(reader.next_batch(NO_LIMIT, Duration::from_millis(1)).expect("read"), []);
}

async fn offsets_count_per_partition<L: Append + Subscribe>(log: &L) {
    let mut next = [0; 3];
    for partition in [0, 2, 2, 0, 2, 0, 0] {
        let appended = append(log, partition, b"x").await;
        let offset = next[usize::from(partition)];
        assert_eq!(appended, Appended { partition, offset });
        next[usize::from(partition)] += 1;
        assert_eq!(log.end_positions().expect("end"), next, "an acknowledged record is visible");
    }
}

async fn records_come_back_as_they_were<L: Append + Subscribe>(log: &L) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let payloads = [vec![], vec![b'a'], vec![0; 5000], every_byte, vec![0xFF; 70_000]];
    for payload in &payloads {
        append(log, 1, payload).await;
    }
    let items = read(log, &[0, 0], payloads.len());
    for ((offset, payload), item) in (0..).zip(&payloads).zip(items) {
        let Item::Record(record) = item else { panic!("offset {offset} is quarantined") };
        assert_eq!((record.partition, record.offset), (1, offset));
        assert_eq!(record.payload, payload, "offset {offset}");
    }
}

async fn a_reader_starts_where_it_is_told<L: Append + Subscribe>(log: &L) {
    for _ in 0..4 {
        for partition in 0..3 {
            append(log, partition, b"x").await;
        }
    }
    let check = |positions: [u64; 3], expected: [&[u64]; 3]| {
        let count = expected.iter().map(|offsets| offsets.len()).sum();
        let mut found = [vec![], vec![], vec![]];
        for item in read(log, &positions, count) {
            found[usize::from(item.partition())].push(item.offset());
        }
        assert_eq!(found, expected, "from {positions:?}");
    };
    check([0, 2, 4], [&[0, 1, 2, 3], &[2, 3], &[]]);
    check([4, 4, 3], [&[], &[], &[3]]);
    check([SKIP_PARTITION, 1, SKIP_PARTITION], [&[], &[1, 2, 3], &[]]);
    check([4, 4, 4], [&[], &[], &[]]);
}

async fn batches_keep_their_limits<L: Append + Subscribe>(log: &L) {
    for _ in 0..10 {
        append(log, 0, &[7; 100]).await;
    }
    let check = |max_records, max_bytes, expected: &[usize]| {
        let mut reader = log.open_from(&[0]).expect("open");
        let limit = BatchLimit { max_records, max_bytes };
        let mut sizes = Vec::new();
        while sizes.iter().sum::<usize>() < 10 {
            let batch = reader.next_batch(limit, PATIENCE).expect("read");
            assert!(!batch.is_empty(), "the reader went to sleep");
            sizes.push(batch.len());
        }
        assert!(sizes.iter().zip(expected).all(|(size, most)| size <= most), "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), 10);
    };
    check(4, 1 << 20, &[4; 10]);
    check(100, 350, &[3; 10]);
    check(100, 1, &[1; 10]);
}

async fn wrong_positions_are_refused<L: Append + Subscribe>(log: &L) {
    append(log, 1, b"x").await;
    let beyond = log.open_from(&[0, 2]).err();
    assert!(
        matches!(beyond, Some(ReadError::BeyondEnd { partition: 1, wanted: 2, end: 1 })),
        "{beyond:?}"
    );
    let count = log.open_from(&[0]).err();
    assert!(matches!(count, Some(ReadError::PositionCount { given: 1, partitions: 2 })));
}

async fn an_unknown_partition_is_refused<L: Append + Subscribe>(log: &L) {
    let refused = log.append(2, Bytes::from_static(b"x")).await;
    assert!(matches!(refused, Err(AppendError::UnknownPartition { partition: 2, partitions: 2 })));
    assert_eq!(log.end_positions().expect("end"), [0, 0]);
}

async fn a_waiting_reader_wakes<L: Append + Subscribe>(log: &L) {
    let mut reader = log.open_from(&[0]).expect("open");
    let waiting = thread::spawn(move || reader.next_batch(NO_LIMIT, PATIENCE));
    // The reader should be asleep by now; if it is not, the test only proves less.
    thread::sleep(Duration::from_millis(20));
    append(log, 0, b"wake").await;
    let batch = waiting.join().expect("no panic").expect("read");
    assert_eq!(batch.len(), 1);
}

async fn concurrent_appends_leave_no_gap<L: Append + Subscribe + Clone>(log: &L) {
    let mut tasks = JoinSet::new();
    for task in 0..16_u16 {
        let log = log.clone();
        tasks.spawn(async move {
            let mut appended = Vec::new();
            for round in 0..20 {
                let payload = format!("{task}/{round}");
                let place = append(&log, task % 4, payload.as_bytes()).await;
                appended.push((place.partition, place.offset, Bytes::from(payload)));
            }
            appended
        });
    }
    let mut appended: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let items = read(log, &[0; 4], appended.len());
    let mut found: Vec<_> = items
        .into_iter()
        .map(|item| match item {
            Item::Record(record) => (record.partition, record.offset, record.payload),
            Item::Quarantined(lost) => panic!("{lost:?}"),
        })
        .collect();
    for partition in 0..4 {
        let offsets = found.iter().filter(|record| record.0 == partition).map(|record| record.1);
        assert!(offsets.eq(0..80), "partition {partition} is out of order");
    }
    found.sort_unstable();
    appended.sort_unstable();
    assert_eq!(found, appended);
}

async fn append<L: Append>(log: &L, partition: u16, payload: &[u8]) -> Appended {
    log.append(partition, Bytes::copy_from_slice(payload)).await.expect("append")
}

/// Reads `count` items from `positions` on, and checks that no more follow.
fn read<L: Subscribe>(log: &L, positions: &[u64], count: usize) -> Vec<Item> {
    let mut reader = log.open_from(positions).expect("open");
    let mut items = Vec::new();
    while items.len() < count {
        let batch = reader.next_batch(NO_LIMIT, PATIENCE).expect("read");
        assert!(!batch.is_empty(), "{} of {count} items came", items.len());
        items.extend(batch);
    }
    assert_eq!(reader.next_batch(NO_LIMIT, Duration::from_millis(1)).expect("read"), []);
    items
}
