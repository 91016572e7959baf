//! The fold of the distributed shape: a history from a real Kafka into a real Redis, by one fold, as a
//! member of its group and as a rebuild; a bare consumer of the same topic beside it.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use aggregator::feed::{Feed, Whole};
use aggregator::kafka::{ConsumerSettings, KafkaFeed, KafkaTail};
use aggregator::redis::{RedisOptions, RedisStore};
use aggregator::run::fold_to_end;
use anyhow::Context as _;
use common::event::Event;
use common::partition::partition_of;
use serde::{Deserialize, Serialize};

use super::Scale;
use super::history::History;
use super::peers::{consume, produce, producer};
use super::process::{self, Cores, ask, peak_mb, processor_seconds};
use super::services::{Broker, Redis, clients};
use super::state::{PARTITIONS, manifest, settings};
use super::table::{Table, count, median};

/// How many shops there are.
const SHOPS: u64 = 8;
/// Where the measuring process finds out what to do.
const TASK: &str = "task.json";
/// The records of the history that are held in memory at once.
const TOGETHER: usize = 100_000;

/// How the topic is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// As a member of the group, as `aggregate` does.
    Group,
    /// From start to end, as `rebuild` does.
    Whole,
}

/// What a measuring process is to do.
#[derive(Serialize, Deserialize)]
struct Task {
    broker: String,
    redis: String,
    redis_process: u32,
    prefix: String,
    by: By,
}

/// What it measured.
#[derive(Serialize, Deserialize)]
pub struct Figures {
    events: u64,
    seconds: f64,
    processor_seconds: f64,
    redis_processor_seconds: f64,
    peak_mb: f64,
}

/// Measures all of it.
pub fn report(directory: &Path, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let home = directory.join("shared-fold");
    std::fs::create_dir_all(&home)?;
    let broker = Broker::start(&home)?;
    let redis = Redis::start(&home)?;
    let events = write(&broker, scale.shared_orders)?;
    let orders = scale.shared_orders.max(1);
    table.part(&format!(
        "Kafka into Redis: {orders} orders of {SHOPS} shops, {events} events, {} rounds in turns",
        scale.shared_rounds
    ));
    let (mut bare, mut folds, mut rebuilds) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..scale.shared_rounds {
        bare.push(consume(&broker.address, events)?);
        for (by, all) in [(By::Group, &mut folds), (By::Whole, &mut rebuilds)] {
            redis.command(&["FLUSHALL"])?;
            let task = Task {
                broker: broker.address.clone(),
                redis: redis.url.clone(),
                redis_process: redis.process(),
                prefix: prefix(round),
                by,
            };
            std::fs::write(home.join(TASK), serde_json::to_vec(&task)?)?;
            all.push(ask::<Figures>("shared-fold", &home, Cores::All)?);
        }
    }
    table.number("bare consumer of the topic", median(bare), 0, "events/s");
    rows("one fold", &folds, table);
    rows("rebuild", &rebuilds, table);
    let last = prefix(scale.shared_rounds.saturating_sub(1));
    super::memory::report(&redis, &last, (orders, events), table)
}

/// Where a round's state stands.
fn prefix(round: usize) -> String {
    format!("bench-{round}")
}

fn rows(name: &str, all: &[Figures], table: &mut Table) {
    let of = |get: fn(&Figures) -> f64| median(all.iter().map(get).collect());
    let million = |seconds: f64, events: u64| seconds * 1e6 / count(events.max(1));
    let row = |what: &str| format!("{name}: {what}");
    let rate = of(|one| count(one.events) / one.seconds.max(1e-9));
    table.number(&row("events a second"), rate, 0, "events/s");
    let processor =
        median(all.iter().map(|one| million(one.processor_seconds, one.events)).collect());
    table.number(&row("processor of the fold"), processor, 2, "s/million");
    let redis =
        median(all.iter().map(|one| million(one.redis_processor_seconds, one.events)).collect());
    table.number(&row("processor of Redis"), redis, 2, "s/million");
    table.number(&row("memory at most"), of(|one| one.peak_mb), 0, "MB");
}

/// Folds the topic into an empty state, as the task in `directory` says.
pub fn measure(directory: &Path) -> anyhow::Result<Figures> {
    let task = std::fs::read(directory.join(TASK)).context("there is no task")?;
    let task: Task = serde_json::from_slice(&task)?;
    let mut topic = ConsumerSettings::new(&clients(&task.broker)?, PARTITIONS);
    topic.group.clone_from(&task.prefix);
    match task.by {
        By::Group => fold(KafkaFeed::connect(topic)?, &task),
        By::Whole => fold(Whole::new(KafkaTail::connect(topic)?), &task),
    }
}

fn fold<F: Feed>(feed: F, task: &Task) -> anyhow::Result<Figures> {
    let store = RedisStore::open(&RedisOptions::new(&task.redis), &task.prefix, &manifest())?;
    let redis = |process: u32| process::processor_seconds_of(process);
    let (begun, own, others) = (Instant::now(), processor_seconds()?, redis(task.redis_process)?);
    let mut events = 0;
    fold_to_end(feed, Arc::new(store), settings()?, |folded| events += folded)?;
    Ok(Figures {
        events,
        seconds: begun.elapsed().as_secs_f64(),
        processor_seconds: processor_seconds()? - own,
        redis_processor_seconds: redis(task.redis_process)? - others,
        peak_mb: peak_mb()?,
    })
}

/// Writes a history into the topic; returns the number of events.
fn write(broker: &Broker, orders: u64) -> anyhow::Result<u64> {
    let producer = producer(&broker.address, 5.0)?;
    let mut history = History::new(SHOPS, orders)?;
    let mut events = 0;
    loop {
        let some: Vec<(i32, Vec<u8>)> =
            history.by_ref().take(TOGETHER).map(|event| record(&event)).collect();
        if some.is_empty() {
            return Ok(events);
        }
        events += some.len() as u64;
        produce(&producer, some.iter().map(|(partition, payload)| (*partition, &**payload)))?;
    }
}

fn record(event: &Event) -> (i32, Vec<u8>) {
    // An event of ours can always be encoded.
    let payload = event.encode().unwrap_or_default();
    (i32::from(partition_of(&event.shop, PARTITIONS)), payload)
}
