//! What a state in Redis takes, by the kind of its keys.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use aggregator::fold::keys;
use aggregator::redis::{RedisOptions, RedisStore};
use anyhow::Context as _;
use common::store::Store as _;

use super::services::Redis;
use super::state::{PARTITIONS, manifest};
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

/// Adds the memory in use, by kind, the largest key, and what the documents of each kind take.
pub fn report(
    redis: &Redis,
    prefix: &str,
    (orders, events): (u64, u64),
    table: &mut Table,
) -> anyhow::Result<()> {
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
    for (kind, bytes) in documents(redis, prefix)? {
        let row = format!("documents of kind {kind}, uncompressed: an order");
        table.number(&row, count(bytes) / count(orders), 1, "bytes");
    }
    Ok(())
}

/// What the documents of each kind take before they are compressed: values, and keys behind the kind.
fn documents(redis: &Redis, prefix: &str) -> anyhow::Result<BTreeMap<char, u64>> {
    let store = RedisStore::open(&RedisOptions::new(&redis.url), prefix, &manifest())?;
    let snapshot = store.snapshot()?;
    let mut kinds: BTreeMap<char, u64> = BTreeMap::new();
    for partition in 0..PARTITIONS {
        let visit = &mut |key: &[u8], value: &[u8]| {
            if let Some((_, kind, rest)) = keys::split(key) {
                *kinds.entry(char::from(kind)).or_default() += (rest.len() + value.len()) as u64;
            }
            ControlFlow::Continue(())
        };
        snapshot.scan(partition, b"", &[u8::MAX], visit)?;
    }
    Ok(kinds)
}

/// The keys by what they hold.
fn kinds(redis: &Redis) -> anyhow::Result<BTreeMap<&'static str, Kind>> {
    let mut kinds: BTreeMap<&'static str, Kind> = BTreeMap::new();
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

/// What stands after the partition in a name says what the key is.
fn kind_of(name: &[u8]) -> &'static str {
    let after = name.iter().position(|byte| *byte == b'}');
    match after.and_then(|after| name.get(after + 1..after + 3)) {
        Some(b":n") => "nodes",
        Some(b":b") => "large documents",
        Some(_) | None => "positions and manifest",
    }
}
