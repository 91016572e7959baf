//! The store in memory: for tests, dry runs and digests of a log on the side.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Commit, Committed, Snapshot, Store, StoreError, Visit};

type Keys = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Clone, Default)]
struct Partition {
    position: u64,
    keys: Arc<Keys>,
}

/// A store that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<BTreeMap<u16, Partition>>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, Partition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn position(&self, partition: u16) -> Result<u64, StoreError> {
        Ok(self.lock().get(&partition).map_or(0, |found| found.position))
    }

    fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        let mut partitions = self.lock();
        let partition = partitions.entry(commit.partition).or_default();
        if partition.position != commit.base {
            return Ok(if partition.position == commit.end {
                Committed::Already
            } else {
                Committed::Conflict { stored: partition.position }
            });
        }
        // Copies the map only while a snapshot still holds it.
        let keys = Arc::make_mut(&mut partition.keys);
        for (key, value) in commit.writes {
            match value {
                Some(value) => keys.insert(key, value),
                None => keys.remove(&key),
            };
        }
        partition.position = commit.end;
        Ok(Committed::Done)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(MemorySnapshot(self.lock().clone())))
    }

    fn persist(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

struct MemorySnapshot(BTreeMap<u16, Partition>);

impl Snapshot for MemorySnapshot {
    fn get(&self, partition: u16, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(&partition).and_then(|found| found.keys.get(key)).cloned())
    }

    fn scan(
        &self,
        partition: u16,
        from: &[u8],
        to: &[u8],
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        let Some(found) = self.0.get(&partition) else { return Ok(()) };
        if from >= to {
            return Ok(());
        }
        let range = (Bound::Included(from), Bound::Excluded(to));
        for (key, value) in found.keys.range::<[u8], _>(range) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn position(&self, partition: u16) -> Result<u64, StoreError> {
        Ok(self.0.get(&partition).map_or(0, |found| found.position))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms() {
        super::super::conformance::run(super::MemoryStore::new);
    }
}
