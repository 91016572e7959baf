//! What a state in Redis takes, by the kind of its keys.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::services::Redis;
use super::table::{Table, count};

/// Keys asked for at once.
const KEYS: usize = 1_000;

/// The keys of one kind.
#[derive(Default)]
struct Kind {
    keys: u64,
    bytes: u64,
    largest: u64,
}

/// Adds the memory in use, by kind, and the largest key.
pub fn report(redis: &Redis, orders: u64, events: u64, table: &mut Table) -> anyhow::Result<()> {
    let info = redis.command(&["INFO", "memory"])?;
    let used = info.lines().find_map(|line| line.trim().strip_prefix("used_memory:"));
    let used: u64 = used.context("Redis does not say what it uses")?.parse()?;
    table.number("Redis used_memory, an order", count(used) / count(orders), 0, "bytes");
    let kinds = kinds(redis)?;
    let keys: u64 = kinds.values().map(|kind| kind.keys).sum();
    table.number("keys of Redis, an event", count(keys) / count(events.max(1)), 3, "");
    for (name, kind) in &kinds {
        let row = |what: &str| format!("{name}: {what}");
        table.number(&row("an order"), count(kind.bytes) / count(orders), 1, "bytes");
        table.row(&row("largest key"), kind.largest, "bytes");
    }
    let largest = kinds.values().map(|kind| kind.largest).max().unwrap_or_default();
    table.number("largest key", count(largest) / 1024.0, 1, "KiB");
    Ok(())
}

/// The keys by what they hold: kinds of documents, and what is no page.
fn kinds(redis: &Redis) -> anyhow::Result<BTreeMap<String, Kind>> {
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    let mut connection = redis.connect()?;
    let mut cursor = 0_u64;
    loop {
        let (next, names): (u64, Vec<Vec<u8>>) =
            redis::cmd("SCAN").arg(cursor).arg("COUNT").arg(KEYS).query(&mut connection)?;
        let mut sizes = redis::pipe();
        for name in &names {
            sizes.cmd("MEMORY").arg("USAGE").arg(name).arg("SAMPLES").arg(0);
        }
        let sizes: Vec<Option<u64>> =
            if names.is_empty() { Vec::new() } else { sizes.query(&mut connection)? };
        for (name, size) in names.iter().zip(sizes) {
            let kind = kinds.entry(kind_of(name)).or_default();
            let size = size.unwrap_or_default();
            kind.keys += 1;
            kind.bytes += size;
            kind.largest = kind.largest.max(size);
        }
        if next == 0 {
            return Ok(kinds);
        }
        cursor = next;
    }
}

/// A page's kind stands after its shop's zero byte; what is no page has a letter of its own.
fn kind_of(name: &[u8]) -> String {
    let zero = name.iter().position(|byte| *byte == 0);
    let kind = zero.and_then(|zero| name.get(zero + 1)).copied();
    let kind = kind.map(char::from);
    match kind {
        Some('O') => "orders".to_owned(),
        Some('C') => "customers".to_owned(),
        Some('K') => "checkouts".to_owned(),
        Some('R') => "returns".to_owned(),
        Some('H') => "hours".to_owned(),
        Some('D') => "days".to_owned(),
        Some('S') => "shops".to_owned(),
        Some('L') => "chunks".to_owned(),
        Some('T' | 'X') => "indices".to_owned(),
        Some(other) => format!("kind {other}"),
        None => "positions and directories".to_owned(),
    }
}
