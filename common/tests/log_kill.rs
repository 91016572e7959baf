//! A process that appends is killed again and again; what it had acknowledged must be there.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use bytes::Bytes;
use common::log::{
    Append, BatchLimit, Item, ReadBatch, ReadError, Subscribe,
    file::{FileLog, FileLogOptions, verify},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

const ROUNDS: u64 = 20;
const PARTITIONS: u16 = 8;
const TASKS: u64 = 16;
/// Tells the child process from the ordinary run of these tests: a file where it starts.
const WANTED: &str = "appender-wanted";
const ACKED: &str = "acked ";

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let directory = TempDir::new().expect("directory");
    fs::write(directory.path().join(WANTED), "").expect("write");
    let mut acked = HashMap::new();
    for round in 0..ROUNDS {
        let mut child = spawn(directory.path());
        // Some rounds are killed at work, some while they still open the log.
        let enough = if round % 4 == 3 { 0 } else { 50 + round * 397 % 3000 };
        if enough == 0 {
            thread::sleep(Duration::from_millis(round));
        }
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let mut seen = 0;
        let mut killed = false;
        for line in stdout.lines() {
            let line = line.expect("line");
            if let Some((_, line)) = line.split_once(ACKED) {
                // The last line may be cut short by the kill; then its end mark is missing.
                let fields: Vec<u64> =
                    line.split(' ').map_while(|text| text.parse().ok()).collect();
                if let ([partition, offset, id], true) = (&fields[..], line.ends_with(" .")) {
                    assert_eq!(acked.insert((*partition, *offset), *id), None, "given out twice");
                    seen += 1;
                }
            }
            if seen >= enough && !killed {
                child.kill().expect("kill");
                killed = true;
            }
        }
        child.wait().expect("wait");
        assert!(killed || enough == 0, "the appender ended by itself");
        check(&directory.path().join("log"), &acked, round);
    }
    assert!(acked.len() > 1000);
}

/// Not a test by itself: the process that is killed.
#[test]
fn appender() {
    if !Path::new(WANTED).exists() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    runtime.expect("runtime").block_on(async {
        let options = FileLogOptions { segment_bytes: 1 << 18, ..FileLogOptions::new(PARTITIONS) };
        let log = FileLog::open(Path::new("log"), options).expect("open");
        let done = log.stats().records;
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let log = log.clone();
            tasks.spawn(async move {
                for index in 0.. {
                    let id = (done + index) * TASKS + task;
                    let partition = u16::try_from(id / 3 % u64::from(PARTITIONS)).expect("small");
                    let appended = log.append(partition, payload(id)).await.expect("append");
                    let line = format!("{ACKED}{partition} {} {id} .\n", appended.offset);
                    std::io::stdout().write_all(line.as_bytes()).expect("the parent reads");
                }
            });
        }
        tasks.join_all().await;
    });
}

fn spawn(directory: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "appender", "--nocapture"])
        .current_dir(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("spawn")
}

/// Payloads of many lengths, each of which only one record has.
fn payload(id: u64) -> Bytes {
    let copies = usize::try_from(id % 97).expect("small") + 1;
    Bytes::from(id.to_le_bytes().repeat(copies))
}

fn check(log: &Path, acked: &HashMap<(u64, u64), u64>, round: u64) {
    // A process killed early enough has not even created the log.
    let options = FileLogOptions { segment_bytes: 1 << 18, ..FileLogOptions::new(PARTITIONS) };
    drop(FileLog::open(log, options).expect("open"));
    let report = verify(log).expect("verify");
    assert!(report.is_sound(), "round {round}: {report:?}");
    let log = FileLog::open_read_only(log).expect("open");
    let mut reader = log.open_from(&[0; PARTITIONS as usize]).expect("reader");
    let limit = BatchLimit { max_records: 1000, max_bytes: 1 << 20 };
    let mut found = 0;
    loop {
        let batch = match reader.next_batch(limit, Duration::ZERO) {
            Ok(batch) => batch,
            Err(ReadError::Closed) => break,
            Err(error) => panic!("round {round}: {error}"),
        };
        for item in batch {
            let Item::Record(record) = item else { panic!("round {round}: {item:?}") };
            if let Some(&id) = acked.get(&(u64::from(record.partition), record.offset)) {
                assert_eq!(record.payload, payload(id), "round {round}");
                found += 1;
            }
        }
    }
    assert_eq!(found, acked.len(), "round {round}: acknowledged records are missing");
}
