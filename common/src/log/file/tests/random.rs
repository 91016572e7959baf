//! A log against its model: whatever is appended, over whatever segments and restarts, comes back.

use proptest::{collection::vec, prelude::*};

use super::*;

const PARTITIONS: u16 = 3;

#[derive(Clone, Debug)]
enum Step {
    Append {
        partition: u16,
        payload: Vec<u8>,
    },
    /// Close the log and open it again.
    Reopen,
    /// Open what a crash would leave at this moment.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let append = (0..PARTITIONS, vec(any::<u8>(), 0..400))
        .prop_map(|(partition, payload)| Step::Append { partition, payload });
    prop_oneof![12 => append, 1 => Just(Step::Reopen), 1 => Just(Step::Crash)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn everything_comes_back(
        steps in vec(step(), 1..60),
        segment_bytes in 200_u64..2000,
        percent in 0..=100_u64,
    ) {
        let root = TempDir::new().expect("directory");
        let options =
            FileLogOptions { segment_bytes, ..FileLogOptions::new(PARTITIONS) };
        let mut directory = root.path().join("0");
        let mut log = FileLog::open(&directory, options.clone()).expect("open");
        let mut model = vec![Vec::new(); usize::from(PARTITIONS)];
        for (index, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append { partition, payload } => {
                    let appended = append(&log, partition, &payload).expect("append");
                    let records = &mut model[usize::from(partition)];
                    prop_assert_eq!(appended.offset, records.len() as u64);
                    records.push(payload);
                }
                Step::Reopen => {
                    log.close();
                    log = FileLog::open(&directory, options.clone()).expect("open");
                }
                Step::Crash => {
                    let crashed = root.path().join((index + 1).to_string());
                    copy(&directory, &crashed);
                    directory = crashed;
                    log = FileLog::open(&directory, options.clone()).expect("open");
                }
            }
        }
        let ends: Vec<u64> = model.iter().map(|records| records.len() as u64).collect();
        prop_assert_eq!(&log.end_positions().expect("end"), &ends);
        let part = |end: &u64| end * percent / 100;
        check_reader(&log, &model, &ends.iter().map(part).collect::<Vec<_>>());
        drop(log);
        prop_assert_eq!(payloads(&directory, PARTITIONS), model);
    }
}

fn check_reader(log: &FileLog, model: &[Vec<Vec<u8>>], positions: &[u64]) {
    let mut reader = log.open_from(positions).expect("reader");
    let mut next = positions.to_vec();
    loop {
        let limit = BatchLimit { max_records: 3, max_bytes: 500 };
        let batch = reader.next_batch(limit, Duration::ZERO).expect("read");
        if batch.is_empty() {
            break;
        }
        for item in batch {
            let Item::Record(record) = item else { panic!("{item:?}") };
            let partition = usize::from(record.partition);
            assert_eq!(record.offset, next[partition]);
            let index = usize::try_from(record.offset).expect("few");
            assert_eq!(record.payload, model[partition][index]);
            next[partition] += 1;
        }
    }
    let ends: Vec<u64> = model.iter().map(|records| records.len() as u64).collect();
    assert_eq!(next, ends);
}
