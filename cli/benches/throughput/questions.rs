//! Questions about one large shop: after a start, live, and of a past instant.

use std::path::Path;
use std::time::Instant;

use aggregator::fold::{Folded, Folder};
use aggregator::query::Query;
use aggregator::window::Window;
use anyhow::{Context as _, bail};
use common::log::Log;
use common::log::memory::MemoryLog;
use common::partition::partition_of;
use common::shop::ShopDomain;
use common::store::{FileStore, Store as _};
use common::time::{DAY_MS, Timestamp};
use serde::{Deserialize, Serialize};

use super::Scale;
use super::history::{END, History};
use super::process::{Cores, ask, peak_mb, resident_mb};
use super::state::{PARTITIONS, query, settings, store};
use super::table::{Table, median, ms};

/// Events of one commit, as the fold takes them from the log.
const BATCH: usize = 4_096;
/// How often a live question is asked warm.
const WARM: usize = 20;

/// What a process of its own measured; times in milliseconds.
#[derive(Serialize, Deserialize)]
pub struct Figures {
    open: f64,
    first: f64,
    cold_all: f64,
    warm: f64,
    warm_all: f64,
    resident_mb: f64,
    as_of_now: f64,
    as_of_past: f64,
    as_of_all: f64,
    peak_mb: f64,
}

/// Builds the state here and measures in a process of its own.
pub fn report(directory: &Path, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let home = directory.join("questions");
    let begun = Instant::now();
    let (events, bytes) = build(&home, scale.orders)?;
    let seconds = begun.elapsed().as_secs_f64();
    let figures: Figures = ask("questions", &home, Cores::All)?;
    std::fs::remove_dir_all(home).context("cannot remove the state")?;

    table.part(&format!("questions: one shop with {} orders, {events} events", scale.orders));
    table.number("building the state, events made on the way", seconds, 1, "s");
    table.row("state, an order, compacted", bytes / scale.orders.max(1), "bytes");
    let rows = [
        ("start: open the state", figures.open),
        ("start: open the state and answer 30d live", figures.open + figures.first),
        ("live, all windows, lifespan not yet known", figures.cold_all),
        ("live 30d, warm", figures.warm),
        ("live, all windows, warm", figures.warm_all),
        ("as_of the present, 30d", figures.as_of_now),
        ("as_of half a year ago, 30d", figures.as_of_past),
        ("as_of half a year ago, all windows", figures.as_of_all),
    ];
    for (name, ms) in rows {
        table.number(name, ms, 2, "ms");
    }
    table.number("memory after the live answers", figures.resident_mb, 0, "MB");
    table.number("memory at most, as_of included", figures.peak_mb, 0, "MB");
    Ok(())
}

/// Folds a history of one shop, without a log; returns the number of events and the bytes of state.
fn build(directory: &Path, orders: u64) -> anyhow::Result<(u64, u64)> {
    let store = store(directory)?;
    let mut folder = Folder::new(store.clone(), settings()?);
    let mut history = History::new(1, orders)?;
    let partition = partition_of(shop(&history)?, PARTITIONS);
    let mut base = 0;
    loop {
        let batch: Vec<_> = history.by_ref().take(BATCH).map(Some).collect();
        if batch.is_empty() {
            break;
        }
        let end = base + batch.len() as u64;
        if let Folded::Conflict { stored } = folder.fold(partition, base, batch)? {
            bail!("somebody else moved the state to {stored}");
        }
        base = end;
    }
    store.persist()?;
    store.compact()?;
    Ok((base, store.disk_bytes()))
}

/// Opens the state in `directory` and asks.
pub fn measure(directory: &Path) -> anyhow::Result<Figures> {
    let history = History::new(1, 0)?;
    let shop = shop(&history)?;
    let begun = Instant::now();
    let store = store(directory)?;
    let query = query(Log::Memory(MemoryLog::new(PARTITIONS)), store)?;
    let open = begun.elapsed();
    let ask = |windows: &[Window], as_of| answer_ms(&query, shop, windows, as_of);
    let first = ask(&[Window::D30], None)?;
    let cold_all = ask(&Window::EVERY, None)?;
    let warm: Vec<_> = (0..WARM).map(|_| ask(&[Window::D30], None)).collect::<Result<_, _>>()?;
    let warm_all: Vec<_> =
        (0..WARM).map(|_| ask(&Window::EVERY, None)).collect::<Result<_, _>>()?;
    let resident_mb = resident_mb()?;
    let past = END.plus_ms(-183 * DAY_MS - 12_345);
    Ok(Figures {
        open: ms(open),
        first,
        cold_all,
        warm: median(warm),
        warm_all: median(warm_all),
        resident_mb,
        as_of_now: ask(&[Window::D30], Some(END))?,
        as_of_past: ask(&[Window::D30], Some(past))?,
        as_of_all: ask(&Window::EVERY, Some(past))?,
        peak_mb: peak_mb()?,
    })
}

fn answer_ms(
    query: &Query<FileStore>,
    shop: &ShopDomain,
    windows: &[Window],
    as_of: Option<Timestamp>,
) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let reply = query.kpis(shop, windows, as_of)?;
    let took = begun.elapsed();
    if reply.kpis.is_empty() {
        bail!("the shop has no figures");
    }
    Ok(ms(took))
}

fn shop(history: &History) -> anyhow::Result<&ShopDomain> {
    history.largest().context("the history has no shop")
}
