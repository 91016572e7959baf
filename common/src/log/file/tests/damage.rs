//! What torn writes and damaged bytes may do to a log, at every byte.

use super::*;
use crate::log::file::{format::SegmentHeader, segments};

/// Records of this length on disk, in the tests that count bytes.
const RECORD: usize = 36 + PAYLOAD;
const PAYLOAD: usize = 20;

#[test]
fn a_tail_torn_at_any_byte_is_cut_off_and_nothing_before_it_is_lost() {
    let directory = TempDir::new().expect("directory");
    let crashed = crashed_log(directory.path(), &[0, 0, 0], false);
    let path = segments::path(&crashed, 0);
    let whole = fs::read(&path).expect("segment");
    let start = SegmentHeader::size_bytes(2);
    let end = start + 3 * RECORD;
    for byte in 0..end {
        let mut zeroed = whole.clone();
        zeroed[byte..].fill(0);
        let mut garbage = whole.clone();
        garbage[byte..].iter_mut().enumerate().for_each(|(index, at)| {
            *at = u8::try_from((index * 131 + byte * 7 + 1) % 251).expect("small") ^ 0xA5;
        });
        for (torn, how) in [(&whole[..byte], "cut"), (&zeroed, "zeros"), (&garbage, "garbage")] {
            fs::write(&path, torn).expect("write");
            let survivors = byte.saturating_sub(start) / RECORD;
            let log = FileLog::open(&crashed, small(2)).expect("open");
            assert_eq!(log.stats().corrupt_records, 0, "{how} from byte {byte}");
            let appended = append(&log, 0, b"after").expect("append");
            assert_eq!(appended.offset, survivors as u64, "{how} from byte {byte}");
            drop(log);
            let found = payloads(&crashed, 2).swap_remove(0);
            let mut expected: Vec<_> = (0..survivors).map(payload).collect();
            expected.push(b"after".to_vec());
            assert_eq!(found, expected, "{how} from byte {byte}");
        }
    }
}

#[test]
fn a_flipped_byte_costs_one_record_at_most_and_is_reported() {
    let directory = TempDir::new().expect("directory");
    let partitions = [0, 1, 0, 1, 1, 0];
    let closed = crashed_log(directory.path(), &partitions, true);
    let path = segments::path(&closed, 0);
    let whole = fs::read(&path).expect("segment");
    let start = SegmentHeader::size_bytes(2);
    for byte in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[byte] ^= 0x40;
        fs::write(&path, &damaged).expect("write");
        let hit = byte.checked_sub(start).map(|at| at / RECORD).filter(|hit| *hit < 6);
        check_items(&read_all(&closed), &partitions, hit, &format!("byte {byte}"));
        let log = FileLog::open(&closed, small(2)).expect("open");
        assert_eq!(log.stats().corrupt_records, u64::from(hit.is_some()), "byte {byte}");
        assert_eq!(append(&log, 0, b"after").expect("append").offset, 3, "byte {byte}");
        assert_eq!(append(&log, 1, b"after").expect("append").offset, 3, "byte {byte}");
        let report = log.verify().expect("verify");
        assert_eq!(report.corrupt.len(), usize::from(hit.is_some()), "byte {byte}");
        drop(log);
    }
}

#[test]
fn a_flipped_byte_after_a_crash_costs_one_record_at_most() {
    let directory = TempDir::new().expect("directory");
    let partitions = [0, 1, 0, 1, 1, 0];
    let crashed = crashed_log(directory.path(), &partitions, false);
    let path = segments::path(&crashed, 0);
    let whole = fs::read(&path).expect("segment");
    let start = SegmentHeader::size_bytes(2);
    // The last record is left out: damage there is what a torn write looks like.
    for byte in 0..start + 5 * RECORD {
        let mut damaged = whole.clone();
        damaged[byte] ^= 0x04;
        fs::write(&path, &damaged).expect("write");
        let hit = byte.checked_sub(start).map(|at| at / RECORD);
        let log = FileLog::open(&crashed, small(2)).expect("open");
        assert_eq!(log.end_positions().expect("end"), [3, 3], "byte {byte}");
        log.close();
        check_items(&read_all(&crashed), &partitions, hit, &format!("byte {byte}"));
    }
}

#[test]
fn a_damaged_mark_of_a_close_costs_nothing() {
    let root = TempDir::new().expect("directory");
    let closed = crashed_log(root.path(), &[0, 1], true);
    let mark = SegmentHeader::size_bytes(2) + 2 * RECORD;
    let log = FileLog::open(&closed, small(2)).expect("open");
    append(&log, 1, b"x").expect("append");
    let crashed = root.path().join("again");
    copy(&closed, &crashed);
    let path = segments::path(&crashed, 0);
    let mut bytes = fs::read(&path).expect("segment");
    bytes[mark + 5] ^= 1;
    fs::write(&path, &bytes).expect("write");
    let log = FileLog::open(&crashed, small(2)).expect("open");
    assert_eq!(log.end_positions().expect("end"), [1, 2]);
    assert_eq!(log.stats().corrupt_records, 0);
}

#[test]
fn offsets_that_may_be_lost_are_never_given_out_again() {
    let directory = TempDir::new().expect("directory");
    let crashed = crashed_log(directory.path(), &[0, 1, 2, 0, 0], false);
    let path = segments::path(&crashed, 0);
    let mut damaged = fs::read(&path).expect("segment");
    let start = SegmentHeader::size_bytes(4);
    // Nothing tells any more that partition 1 had a record: its only one is gone with the next.
    damaged[start + RECORD..start + 3 * RECORD].fill(0);
    fs::write(&path, &damaged).expect("write");
    let log = FileLog::open(&crashed, small(4)).expect("open");
    let ends = log.end_positions().expect("end");
    assert!(ends[1] >= 1 && ends[2] >= 1, "{ends:?}");
    let mut reader = log.open_from(&[0; 4]).expect("reader");
    let items = reader.next_batch(NO_LIMIT, Duration::ZERO).expect("read");
    for partition in 0..4 {
        let offsets = items.iter().filter(|item| item.partition() == partition);
        let end = ends[usize::from(partition)];
        assert!(offsets.map(Item::offset).eq(0..end), "partition {partition}: {items:?}");
    }
    assert!(append(&log, 1, b"x").expect("append").offset >= 1);
}

#[test]
fn damage_in_sealed_segments_is_reported_at_its_place_in_the_order() {
    let directory = TempDir::new().expect("directory");
    let log = FileLog::open(directory.path(), small(2)).expect("open");
    let partitions: Vec<u16> = (0..60).map(|index| index % 2).collect();
    for (index, partition) in partitions.iter().enumerate() {
        append(&log, *partition, &payload(index)).expect("append");
    }
    let path = segments::path(directory.path(), 1);
    let whole = fs::read(&path).expect("segment");
    let start = SegmentHeader::size_bytes(2);
    let check = |damage: &dyn Fn(&mut Vec<u8>), most: usize| {
        let mut damaged = whole.clone();
        damage(&mut damaged);
        fs::write(&path, &damaged).expect("write");
        let mut reader = log.open_from(&[0, 0]).expect("reader");
        let items = reader.next_batch(NO_LIMIT, Duration::ZERO).expect("read");
        let lost = items.iter().filter(|item| matches!(item, Item::Quarantined(_))).count();
        assert_eq!(lost, most);
        for partition in 0..2 {
            let offsets = items.iter().filter(|item| item.partition() == partition);
            assert!(offsets.map(Item::offset).eq(0..30), "partition {partition}");
        }
    };
    let records = (whole.len() - start) / RECORD;
    check(&|bytes| bytes[start..start + 300].fill(0), 6);
    check(&|bytes| bytes[start + 60..start + 200].fill(0xD7), 3);
    // A copied header leads over a good record unless the payload behind it is looked at.
    let copied_header = |bytes: &mut Vec<u8>| {
        bytes[start..start + 10].fill(0);
        bytes.copy_within(start + RECORD..start + RECORD + 36, start + 10);
    };
    check(&copied_header, 1);
    check(&|bytes| bytes.truncate(start + 2 * RECORD + 1), records - 2);
    check(&|bytes| bytes.truncate(0), records);
    check(&|bytes| bytes[..start].fill(0xFF), 0);
    assert_eq!(log.stats().corrupt_records, records as u64);
}

#[test]
fn a_damaged_segment_header_costs_no_record() {
    let root = TempDir::new().expect("directory");
    let origin = root.path().join("origin");
    let log = FileLog::open(&origin, small(1)).expect("open");
    for index in 0..40 {
        append(&log, 0, &payload(index)).expect("append");
    }
    let segments = log.verify().expect("verify").segments as u64;
    assert!(segments >= 3);
    log.close();
    for number in 0..segments {
        let directory = root.path().join(number.to_string());
        copy(&origin, &directory);
        let path = segments::path(&directory, number);
        let mut bytes = fs::read(&path).expect("segment");
        bytes[20] ^= 1;
        fs::write(&path, &bytes).expect("write");
        let log = FileLog::open(&directory, small(1)).expect("open");
        let mut reader = log.open_from(&[0]).expect("reader");
        let items = reader.next_batch(NO_LIMIT, Duration::ZERO).expect("read");
        assert!(items.iter().map(Item::offset).eq(0..40), "segment {number}");
        assert!(items.iter().all(|item| matches!(item, Item::Record(_))), "segment {number}");
        assert_eq!(append(&log, 0, b"x").expect("append").offset, 40, "segment {number}");
    }
}

/// A log of one segment with a record for each of `partitions`, as a crash or a close leaves it.
fn crashed_log(root: &Path, partitions: &[u16], closed: bool) -> std::path::PathBuf {
    let (origin, crashed) = (root.join("origin"), root.join("crashed"));
    let count = partitions.iter().max().map_or(2, |most| (most + 2) / 2 * 2);
    let options = FileLogOptions { segment_bytes: 1 << 16, ..FileLogOptions::new(count) };
    let log = FileLog::open(&origin, options).expect("open");
    for (index, partition) in partitions.iter().enumerate() {
        append(&log, *partition, &payload(index)).expect("append");
    }
    if closed {
        log.close();
    }
    copy(&origin, &crashed);
    crashed
}

fn payload(index: usize) -> Vec<u8> {
    vec![u8::try_from(index).expect("small") + 1; PAYLOAD]
}

/// All records must be there in order, but for the one that was hit.
fn check_items(items: &[Item], partitions: &[u16], hit: Option<usize>, what: &str) {
    let mut next = [0_u64; 2];
    let mut expected = Vec::new();
    for (index, &partition) in partitions.iter().enumerate() {
        let offset = &mut next[usize::from(partition)];
        expected.push((partition, *offset, (hit != Some(index)).then(|| payload(index))));
        *offset += 1;
    }
    let mut found: Vec<_> = items
        .iter()
        .map(|item| match item {
            Item::Record(record) => {
                (record.partition, record.offset, Some(record.payload.to_vec()))
            }
            Item::Quarantined(Quarantined { partition, offset, .. }) => (*partition, *offset, None),
        })
        .collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{what}");
}
