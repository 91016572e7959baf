//! A customer's purchases in order of time, in chunks, so that one more costs the same for a walk-in
//! customer with a million of them.

use common::customer::CustomerKey;
use common::id::Id;
use common::store::StoreError;
use common::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The most purchases that stand together.
const CHUNK: usize = 512;

/// One purchase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The order.
    pub order: Id,
}

/// Where a chunk stands and what it spans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRef {
    owner: CustomerKey,
    number: u32,
    first: Entry,
    last: Entry,
    count: u32,
}

/// Purchases in order of time: in place while they are few, else in chunks of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderList {
    inline: Vec<Entry>,
    chunks: Vec<ChunkRef>,
}

/// Loads and stores chunks.
pub trait Chunks {
    /// The purchases of a chunk.
    fn load(&mut self, owner: CustomerKey, number: u32) -> Result<Vec<Entry>, StoreError>;

    /// Replaces a chunk; an empty one is removed.
    fn store(&mut self, owner: CustomerKey, number: u32, entries: Vec<Entry>);
}

impl OrderList {
    /// Whether there is no purchase.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.inline.is_empty() && self.chunks.is_empty()
    }

    /// The number of purchases.
    #[must_use]
    pub fn count(&self) -> u64 {
        let chunked: u64 = self.chunks.iter().map(|chunk| u64::from(chunk.count)).sum();
        self.inline.len() as u64 + chunked
    }

    /// The purchases that stand in the customer's own document.
    #[must_use]
    pub fn inline(&self) -> &[Entry] {
        &self.inline
    }

    /// The earliest purchase.
    #[must_use]
    pub fn first(&self) -> Option<&Entry> {
        self.inline.first().into_iter().chain(self.chunks.iter().map(|chunk| &chunk.first)).min()
    }

    /// The latest purchase.
    #[must_use]
    pub fn last(&self) -> Option<&Entry> {
        self.inline.last().into_iter().chain(self.chunks.iter().map(|chunk| &chunk.last)).max()
    }

    /// The instants of the latest two purchases.
    pub fn latest_two(
        &self,
        chunks: &mut dyn Chunks,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), StoreError> {
        if self.chunks.is_empty() {
            let mut latest = self.inline.iter().rev().map(|entry| entry.placed_at);
            return Ok((latest.next(), latest.next()));
        }
        // Of each chunk the last two can matter, and only of chunks that end late.
        let mut refs: Vec<_> = self.chunks.iter().collect();
        refs.sort_by(|a, b| b.last.cmp(&a.last));
        let mut latest: Vec<Entry> = Vec::new();
        for chunk in refs.into_iter().take(2) {
            let entries = chunks.load(chunk.owner, chunk.number)?;
            latest.extend(entries.into_iter().rev().take(2));
        }
        latest.sort_by(|a, b| b.cmp(a));
        let mut instants = latest.iter().map(|entry| entry.placed_at);
        Ok((instants.next(), instants.next()))
    }

    /// The latest hour, not after `hour`, with a purchase.
    pub fn hour_to(&self, hour: i64, chunks: &mut dyn Chunks) -> Result<Option<i64>, StoreError> {
        let mut found = hour_to(&self.inline, hour);
        for chunk in &self.chunks {
            let (first, last) = (chunk.first.placed_at.hour(), chunk.last.placed_at.hour());
            let candidate = match found {
                _ if first > hour => None,
                _ if last <= hour => Some(last),
                Some(found) if found >= hour => None,
                Some(_) | None => hour_to(&chunks.load(chunk.owner, chunk.number)?, hour),
            };
            found = found.max(candidate);
        }
        Ok(found)
    }

    /// The earliest hour after `hour` with a purchase.
    pub fn hour_after(
        &self,
        hour: i64,
        chunks: &mut dyn Chunks,
    ) -> Result<Option<i64>, StoreError> {
        let mut found = hour_after(&self.inline, hour);
        for chunk in &self.chunks {
            let (first, last) = (chunk.first.placed_at.hour(), chunk.last.placed_at.hour());
            let candidate = if last <= hour {
                None
            } else if first > hour {
                Some(first)
            } else {
                hour_after(&chunks.load(chunk.owner, chunk.number)?, hour)
            };
            found = found.into_iter().chain(candidate).min();
        }
        Ok(found)
    }

    /// Adds a purchase.
    pub fn insert(
        &mut self,
        owner: CustomerKey,
        entry: Entry,
        chunks: &mut dyn Chunks,
    ) -> Result<(), StoreError> {
        if self.chunks.is_empty() {
            insert_sorted(&mut self.inline, entry);
            if self.inline.len() > CHUNK {
                let entries = std::mem::take(&mut self.inline);
                self.split(owner, entries, chunks);
            }
            return Ok(());
        }
        let fitting = self.chunks.iter().position(|chunk| entry <= chunk.last);
        let at = fitting.unwrap_or(self.chunks.len() - 1);
        let chunk = self.chunks.remove(at);
        let mut entries = chunks.load(chunk.owner, chunk.number)?;
        insert_sorted(&mut entries, entry);
        if entries.len() > CHUNK {
            chunks.store(chunk.owner, chunk.number, Vec::new());
            self.split(owner, entries, chunks);
        } else {
            self.put(chunk.owner, chunk.number, entries, chunks);
        }
        Ok(())
    }

    /// Removes a purchase; `false` where it was not there.
    pub fn remove(&mut self, entry: &Entry, chunks: &mut dyn Chunks) -> Result<bool, StoreError> {
        if let Ok(at) = self.inline.binary_search(entry) {
            self.inline.remove(at);
            return Ok(true);
        }
        for at in 0..self.chunks.len() {
            let chunk = &self.chunks[at];
            if *entry < chunk.first || *entry > chunk.last {
                continue;
            }
            let mut entries = chunks.load(chunk.owner, chunk.number)?;
            if let Ok(found) = entries.binary_search(entry) {
                let chunk = self.chunks.remove(at);
                entries.remove(found);
                self.put(chunk.owner, chunk.number, entries, chunks);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every purchase, in no particular order of chunks.
    pub fn entries(&self, chunks: &mut dyn Chunks) -> Result<Vec<Entry>, StoreError> {
        let mut entries = self.inline.clone();
        for chunk in &self.chunks {
            entries.extend(chunks.load(chunk.owner, chunk.number)?);
        }
        entries.sort();
        Ok(entries)
    }

    fn split(&mut self, owner: CustomerKey, mut entries: Vec<Entry>, chunks: &mut dyn Chunks) {
        let late = entries.split_off(entries.len() / 2);
        for half in [entries, late] {
            let own = self.chunks.iter().filter(|chunk| chunk.owner == owner);
            let number = own.map(|chunk| chunk.number + 1).max().unwrap_or(0);
            self.put(owner, number, half, chunks);
        }
    }

    fn put(
        &mut self,
        owner: CustomerKey,
        number: u32,
        entries: Vec<Entry>,
        chunks: &mut dyn Chunks,
    ) {
        if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
            let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
            let chunk = ChunkRef { owner, number, first: first.clone(), last: last.clone(), count };
            let at = self.chunks.partition_point(|known| known.last <= chunk.last);
            self.chunks.insert(at, chunk);
        }
        chunks.store(owner, number, entries);
    }
}

fn insert_sorted(entries: &mut Vec<Entry>, entry: Entry) {
    if let Err(at) = entries.binary_search(&entry) {
        entries.insert(at, entry);
    }
}

fn hour_to(entries: &[Entry], hour: i64) -> Option<i64> {
    let end = entries.partition_point(|entry| entry.placed_at.hour() <= hour);
    end.checked_sub(1).map(|at| entries[at].placed_at.hour())
}

fn hour_after(entries: &[Entry], hour: i64) -> Option<i64> {
    let start = entries.partition_point(|entry| entry.placed_at.hour() <= hour);
    entries.get(start).map(|entry| entry.placed_at.hour())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use common::time::HOUR_MS;
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Memory(BTreeMap<(CustomerKey, u32), Vec<Entry>>);

    impl Chunks for Memory {
        fn load(&mut self, owner: CustomerKey, number: u32) -> Result<Vec<Entry>, StoreError> {
            Ok(self.0.get(&(owner, number)).cloned().unwrap_or_default())
        }

        fn store(&mut self, owner: CustomerKey, number: u32, entries: Vec<Entry>) {
            self.0.insert((owner, number), entries);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// A long list answers as a plain sorted vector does.
        #[test]
        fn equals_a_sorted_vector(steps in prop::collection::vec((0i64..400, 0u64..2000, any::<bool>()), 1..2500)) {
            let owner = CustomerKey::from_bytes([1; 16]);
            let (mut list, mut plain, mut chunks) = (OrderList::default(), Vec::new(), Memory::default());
            for (hour, order, insert) in steps {
                let entry = Entry { placed_at: Timestamp::from_ms(hour * HOUR_MS + 7), order: order.into() };
                if insert || order % 3 > 0 {
                    insert_sorted(&mut plain, entry.clone());
                    list.insert(owner, entry, &mut chunks).expect("inserts");
                } else {
                    let there = plain.binary_search(&entry).map(|at| plain.remove(at)).is_ok();
                    prop_assert_eq!(list.remove(&entry, &mut chunks).expect("removes"), there);
                }
            }
            prop_assert_eq!(&list.entries(&mut chunks).expect("lists"), &plain);
            prop_assert_eq!(list.count(), plain.len() as u64);
            prop_assert_eq!(list.first(), plain.first());
            prop_assert_eq!(list.last(), plain.last());
            let mut latest = plain.iter().rev().map(|entry| entry.placed_at);
            prop_assert_eq!(list.latest_two(&mut chunks).expect("loads"), (latest.next(), latest.next()));
            for hour in [0, 3, 57, 200, 399, 500] {
                prop_assert_eq!(list.hour_to(hour, &mut chunks).expect("loads"), hour_to(&plain, hour));
                prop_assert_eq!(list.hour_after(hour, &mut chunks).expect("loads"), hour_after(&plain, hour));
            }
        }
    }
}
