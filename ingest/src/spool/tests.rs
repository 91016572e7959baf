//! The spool before a Kafka that takes, fails, hangs or refuses as a test tells it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::event::{Body, ShopRedacted};
use common::log::NoMetrics;
use common::log::file::{Disk, SystemDisk};
use common::shop::ShopDomain;
use common::time::Timestamp;
use tempfile::TempDir;

use super::*;

/// What Kafka does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Takes,
    Fails,
    Hangs,
    /// Refuses the one whose delivery id is "poison" and takes the others.
    Picks,
}

struct FakeKafka {
    mood: Mutex<Mood>,
    asked: AtomicUsize,
    taken: Mutex<Vec<String>>,
}

impl FakeKafka {
    fn set(&self, mood: Mood) {
        *self.mood.lock().expect("no panic") = mood;
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().expect("no panic")
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().expect("no panic").clone()
    }
}

impl EventLog for FakeKafka {
    fn append_event(
        &self,
        partition: u16,
        event: &Event,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<(), AppendError>> {
        assert_eq!(partition, partition_of(&event.shop, 32));
        assert_eq!(Event::decode(&payload).expect("an event"), *event);
        self.asked.fetch_add(1, Ordering::Relaxed);
        let id = event.delivery_id.as_deref().unwrap_or_default().to_owned();
        let unavailable = || Err(AppendError::Unavailable { why: "no broker".into() });
        async move {
            let begun = Instant::now();
            while self.mood() == Mood::Hangs {
                if begun.elapsed() > Duration::from_secs(2) {
                    return unavailable();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            match self.mood() {
                Mood::Fails | Mood::Hangs => unavailable(),
                Mood::Picks if id == "poison" => {
                    Err(AppendError::Refused { why: "too large".into() })
                }
                Mood::Takes | Mood::Picks => {
                    self.taken.lock().expect("no panic").push(id);
                    Ok(())
                }
            }
        }
        .boxed()
    }
}

struct Rig {
    kafka: Arc<FakeKafka>,
    log: SpooledLog,
}

impl Rig {
    fn start(directory: &Path, mood: Mood) -> Self {
        Self::with(directory, mood, options(1 << 30))
    }

    fn with(directory: &Path, mood: Mood, options: SpoolOptions) -> Self {
        Self::begin(directory, mood, options, Begin::Open)
    }

    fn begin(directory: &Path, mood: Mood, options: SpoolOptions, begin: Begin) -> Self {
        let (asked, taken) = (AtomicUsize::new(0), Mutex::default());
        let kafka = Arc::new(FakeKafka { mood: Mutex::new(mood), asked, taken });
        // It blocks, and this thread drives the test's futures.
        let opened = std::thread::scope(|scope| {
            scope.spawn(|| Spool::open(directory, options)).join().expect("no panic")
        });
        let spool = Arc::new(opened.expect("a spool"));
        let log = SpooledLog::start(Arc::clone(&kafka) as _, 32, spool, begin).expect("a thread");
        Self { kafka, log }
    }

    async fn append(&self, id: &str) -> Result<(), AppendError> {
        let shop = ShopDomain::parse("a.example").expect("a domain");
        let at = Timestamp::from_ms(1_700_000_000_000);
        let body = Body::ShopRedacted(ShopRedacted { at });
        let mut event = Event::new(shop, "test", at, None, at, body);
        event.delivery_id = Some(id.into());
        let payload = event.encode().expect("json");
        let partition = partition_of(&event.shop, 32);
        self.log.append_event(partition, &event, payload.into()).await
    }

    fn waiting(&self) -> u64 {
        self.log.spool().waiting().records
    }

    async fn drained(&self) {
        until("nothing waits", || self.waiting() == 0).await;
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.log.close();
    }
}

fn options(max_bytes: u64) -> SpoolOptions {
    SpoolOptions::new(max_bytes, 64 << 20, Arc::new(NoMetrics))
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("d{number}")).collect()
}

#[tokio::test]
async fn nothing_is_spooled_while_kafka_takes_it() {
    let directory = TempDir::new().expect("a directory");
    let rig = Rig::start(directory.path(), Mood::Takes);
    for name in names(10) {
        rig.append(&name).await.expect("durable");
    }
    rig.drained().await;
    assert_eq!(rig.kafka.taken(), names(10));
    assert_eq!(rig.log.spool().waiting(), Waiting::default(), "the proof is drained too");
}

#[tokio::test]
async fn what_kafka_fails_to_take_is_drained_once_it_is_back() {
    let directory = TempDir::new().expect("a directory");
    let rig = Rig::start(directory.path(), Mood::Fails);
    for name in names(300) {
        rig.append(&name).await.expect("durable in the spool");
    }
    assert!(!rig.log.asks_kafka());
    assert!(rig.kafka.asked.load(Ordering::Relaxed) < 50, "Kafka is known to be down");
    let waiting = rig.log.spool().waiting();
    assert_eq!(waiting.records, 300);
    assert!(waiting.size_bytes > 300 * 36, "{waiting:?}");
    assert_eq!(waiting.oldest, Some(Timestamp::from_ms(1_700_000_000_000)));
    rig.kafka.set(Mood::Takes);
    rig.drained().await;
    assert!(rig.log.asks_kafka());
    let taken: BTreeSet<String> = rig.kafka.taken().into_iter().collect();
    assert_eq!(taken, names(300).into_iter().collect());
    assert_eq!(rig.log.spool().waiting(), Waiting::default());
}

#[tokio::test]
async fn a_kafka_that_hangs_costs_a_quarter_of_a_second_and_then_nothing() {
    let directory = TempDir::new().expect("a directory");
    let rig = Rig::start(directory.path(), Mood::Hangs);
    let begun = Instant::now();
    for name in names(3) {
        rig.append(&name).await.expect("durable in the spool");
    }
    assert!(begun.elapsed() >= 3 * PATIENCE, "Kafka had its time");
    assert!(begun.elapsed() < Duration::from_millis(1_900), "but no more: {:?}", begun.elapsed());
    assert!(!rig.log.asks_kafka());
    let begun = Instant::now();
    for name in names(3) {
        rig.append(&name).await.expect("durable in the spool");
    }
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    rig.kafka.set(Mood::Takes);
    rig.drained().await;
}

#[tokio::test]
async fn the_first_durable_one_answers() {
    let directory = TempDir::new().expect("a directory");
    let rig = Rig::with(
        directory.path(),
        Mood::Hangs,
        SpoolOptions { disk: Arc::new(FullDisk::after(0)), ..options(1 << 30) },
    );
    let kafka = Arc::clone(&rig.kafka);
    let soon = tokio::spawn(async move {
        tokio::time::sleep(2 * PATIENCE).await;
        kafka.set(Mood::Takes);
    });
    rig.append("late").await.expect("Kafka took it after the spool had failed");
    soon.await.expect("no panic");
    assert_eq!(rig.kafka.taken(), ["late"]);
}

#[tokio::test]
async fn what_is_spooled_survives_the_process_and_is_not_sent_twice() {
    let directory = TempDir::new().expect("a directory");
    let rig = Rig::start(directory.path(), Mood::Fails);
    for name in names(50) {
        rig.append(&name).await.expect("durable in the spool");
    }
    // What a `kill -9` leaves.
    let killed = TempDir::new().expect("a directory");
    for entry in fs::read_dir(directory.path()).expect("list") {
        let path = entry.expect("entry").path();
        fs::copy(&path, killed.path().join(path.file_name().expect("name"))).expect("copied");
    }
    drop(rig);
    for directory in [&directory, &killed] {
        let rig = Rig::start(directory.path(), Mood::Takes);
        rig.drained().await;
        assert_eq!(rig.kafka.taken(), names(50));
        drop(rig);
        let rig = Rig::start(directory.path(), Mood::Takes);
        rig.drained().await;
        assert_eq!(rig.kafka.taken(), [""; 0], "the position is durable");
    }
}

#[tokio::test]
async fn a_full_spool_refuses_and_has_room_again_once_it_is_drained() {
    let directory = TempDir::new().expect("a directory");
    let rig = Rig::with(directory.path(), Mood::Fails, options(1 << 20));
    let mut taken = 0;
    let refused = loop {
        match rig.append(&format!("d{taken}")).await {
            Ok(()) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, AppendError::Full(_)), "{refused:?}");
    assert!(taken > 1_000, "{taken}");
    assert!(matches!(rig.log.spool().trouble(), Some(AppendError::Full(_))));
    let used = || used_bytes(directory.path());
    assert!(used() < (1 << 20) + (256 << 10), "{}", used());
    rig.kafka.set(Mood::Takes);
    rig.drained().await;
    until("what is drained is deleted", || used() < 300 << 10).await;
    assert!(rig.log.spool().trouble().is_none());
    rig.kafka.set(Mood::Fails);
    for number in 0..taken / 2 {
        rig.append(&format!("e{number}")).await.expect("there is room again");
    }
    rig.kafka.set(Mood::Takes);
    rig.drained().await;
    let distinct: BTreeSet<String> = rig.kafka.taken().into_iter().collect();
    assert_eq!(distinct.len(), taken + taken / 2);
}

#[tokio::test]
async fn one_that_kafka_refuses_is_in_nobodys_way_and_stays() {
    let directory = TempDir::new().expect("a directory");
    let rig = Rig::start(directory.path(), Mood::Fails);
    for name in ["poison", "a", "b"] {
        rig.append(name).await.expect("durable in the spool");
    }
    rig.kafka.set(Mood::Picks);
    until("the others are drained", || rig.kafka.taken().len() == 2).await;
    until("the breaker is closed", || rig.log.asks_kafka()).await;
    until("it waits behind them", || rig.waiting() == 1).await;
    let refused = rig.append("poison").await;
    assert!(matches!(refused, Err(AppendError::Refused { .. })), "at the door it is told");
    rig.kafka.set(Mood::Takes);
    rig.drained().await;
    assert!(rig.kafka.taken().contains(&"poison".to_owned()));
}

#[tokio::test]
async fn nothing_goes_to_a_kafka_that_is_not_accepted_yet() {
    let directory = TempDir::new().expect("a directory");
    let rig = Rig::begin(directory.path(), Mood::Takes, options(1 << 30), Begin::Held);
    for name in names(5) {
        rig.append(&name).await.expect("durable in the spool");
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!((rig.waiting(), rig.kafka.asked.load(Ordering::Relaxed)), (5, 0));
    rig.log.release();
    rig.drained().await;
    assert_eq!(rig.kafka.taken(), names(5));
}

#[tokio::test]
async fn a_full_disk_is_told_and_kafka_is_tried_all_the_same() {
    let directory = TempDir::new().expect("a directory");
    let disk = Arc::new(FullDisk::after(2));
    let options = SpoolOptions { disk: Arc::clone(&disk) as _, ..options(1 << 30) };
    let rig = Rig::with(directory.path(), Mood::Fails, options);
    let mut results = Vec::new();
    for name in names(20) {
        results.push(rig.append(&name).await.is_ok());
    }
    assert!(results.contains(&false), "{results:?}");
    assert!(matches!(rig.log.spool().trouble(), Some(AppendError::Full(_))));
    rig.kafka.set(Mood::Takes);
    until("Kafka is found to be back", || rig.log.asks_kafka()).await;
    rig.append("after").await.expect("Kafka takes it");
}

#[test]
fn a_spool_that_cannot_prove_itself_says_so() {
    let directory = TempDir::new().expect("a directory");
    let disk: Arc<dyn Disk> = Arc::new(FullDisk::after(0));
    let spool = Spool::open(directory.path(), SpoolOptions { disk, ..options(1 << 30) });
    let trouble = spool.expect("the directory is there").trouble();
    assert!(matches!(trouble, Some(AppendError::Full(_))), "{trouble:?}");

    let file = directory.path().join("file");
    fs::write(&file, "").expect("written");
    assert!(Spool::open(&file, options(1 << 30)).is_err(), "no directory");
}

fn used_bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).expect("list").map(|entry| entry.expect("entry"));
    // One that is deleted meanwhile takes nothing.
    entries.map(|entry| entry.metadata().map_or(0, |metadata| metadata.len())).sum()
}

/// A disk that fills up after some writes of records.
struct FullDisk {
    left: AtomicUsize,
}

impl FullDisk {
    fn after(writes: usize) -> Self {
        Self { left: AtomicUsize::new(writes) }
    }
}

impl Disk for FullDisk {
    fn write_at(&self, file: &fs::File, bytes: &[u8], position: u64) -> io::Result<()> {
        // Meta file, headers and zeros written ahead still find room; records begin with a magic.
        if bytes.starts_with(&[0xD7, b'T', b'h', 0x1E]) {
            let left =
                self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            left.map_err(|_| io::Error::from(io::ErrorKind::StorageFull))?;
        }
        SystemDisk.write_at(file, bytes, position)
    }
}
