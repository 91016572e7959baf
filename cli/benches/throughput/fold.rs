//! The fold: a history of several shops from the log into an empty state, every KPI with it.

use std::path::Path;
use std::time::Instant;

use aggregator::run::fold_all;
use aggregator::window::Window;
use anyhow::Context as _;
use common::event::Event;
use common::log::file::FileLog;
use common::log::{Append as _, AppendError, Log, Subscribe as _};
use common::partition::partition_of;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::history::History;
use super::process::{Cores, ask, can_pin, peak_mb, processor_seconds, resident_mb};
use super::state::{PARTITIONS, log, query, settings, store};
use super::table::{Table, count};

/// How many shops there are.
const SHOPS: u64 = 8;
/// How many records are on their way to the disk together.
const TOGETHER: usize = 8_192;

/// What a process of its own measured.
#[derive(Serialize, Deserialize)]
pub struct Figures {
    events: u64,
    seconds: f64,
    processor_seconds: f64,
    log_bytes: u64,
    state_bytes: u64,
    resident_mb: f64,
    peak_mb: f64,
}

/// Measures in processes of their own, on one core and on all.
pub fn report(directory: &Path, orders: u64, table: &mut Table) -> anyhow::Result<()> {
    let home = directory.join("fold");
    let events = write(&home, orders)?;
    let one: Figures = ask("fold", &home, Cores::One)?;
    std::fs::remove_dir_all(home.join("state")).context("cannot remove the state")?;
    let all: Figures = ask("fold", &home, Cores::All)?;
    std::fs::remove_dir_all(home).context("cannot remove the log")?;

    table.part(&format!("fold: {orders} orders of {SHOPS} shops, {events} events, from the log"));
    let core = if can_pin() { "one core, everything on it" } else { "taskset missing: all cores" };
    table.number(&format!("events a second ({core})"), per_second(&one), 0, "events/s");
    table.number("events a second (all cores)", per_second(&all), 0, "events/s");
    let processor = one.processor_seconds * 1e6 / count(one.events.max(1));
    table.number("processor time, store's own threads included", processor, 2, "s/million");
    let orders = orders.max(1);
    table.number("events an order", count(events) / count(orders), 2, "");
    table.row("log, an event", one.log_bytes / events.max(1), "bytes");
    table.row("log, an order", one.log_bytes / orders, "bytes");
    table.row("state, an order, compacted", one.state_bytes / orders, "bytes");
    table.number("memory after fold and live answers", one.resident_mb, 0, "MB");
    table.number("memory at most", one.peak_mb, 0, "MB");
    Ok(())
}

fn per_second(figures: &Figures) -> f64 {
    count(figures.events) / figures.seconds.max(1e-9)
}

/// Folds the log of `directory` into a new state there.
pub fn measure(directory: &Path) -> anyhow::Result<Figures> {
    let log = Log::File(log(directory)?);
    let store = store(directory)?;
    let (begun, processor) = (Instant::now(), processor_seconds()?);
    let mut events = 0;
    fold_all(&log, store.clone(), settings()?, |folded| events += folded)?;
    let (seconds, processor) = (begun.elapsed().as_secs_f64(), processor_seconds()? - processor);

    let query = query(log.clone(), store.clone())?;
    for shop in query.shop_names()? {
        query.kpis(&shop, &Window::EVERY, None)?;
    }
    let (resident_mb, peak_mb) = (resident_mb()?, peak_mb()?);
    store.compact()?;
    Ok(Figures {
        events,
        seconds,
        processor_seconds: processor,
        log_bytes: log.stats().size_bytes,
        state_bytes: store.disk_bytes(),
        resident_mb,
        peak_mb,
    })
}

/// Writes a history into a new log in `directory`; returns the number of events.
pub fn write(directory: &Path, orders: u64) -> anyhow::Result<u64> {
    let log = log(directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut history = History::new(SHOPS, orders)?;
    runtime.block_on(async {
        loop {
            let mut appends = JoinSet::new();
            for event in history.by_ref().take(TOGETHER) {
                appends.spawn(append(log.clone(), event));
            }
            if appends.is_empty() {
                break;
            }
            while let Some(appended) = appends.join_next().await {
                appended.context("an append's task failed")?.context("cannot write the log")?;
            }
        }
        anyhow::Ok(())
    })?;
    let events = log.end_positions()?.iter().sum();
    log.close();
    Ok(events)
}

async fn append(log: FileLog, event: Event) -> Result<(), AppendError> {
    let partition = partition_of(&event.shop, PARTITIONS);
    // An event of ours can always be encoded; an empty record would show in the count of what is folded.
    let payload = event.encode().unwrap_or_default();
    log.append(partition, payload.into()).await.map(|_| ())
}
