//! Strings of the partitions that this process commits to, kept in memory up to a limit.
//!
//! They are worth something only while the last commit to their partition is the one they were kept
//! for. What is used moves to the young half; when that is full, the old half goes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::at::At;

/// A string's content; `None` where the key does not exist.
pub type Content = Option<Arc<[u8]>>;

/// What an entry takes beside its bytes.
const ENTRY_BYTES: usize = 96;

/// The cache of all partitions.
pub struct Cache(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    half_bytes: usize,
    epochs: u64,
    valid: FxHashMap<u16, Valid>,
    young: FxHashMap<Vec<u8>, Slot>,
    young_bytes: usize,
    old: FxHashMap<Vec<u8>, Slot>,
}

struct Valid {
    at: At,
    epoch: u64,
}

struct Slot {
    epoch: u64,
    content: Content,
}

impl Cache {
    /// An empty one of at most `limit_bytes`.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Self(Mutex::new(Inner { half_bytes: limit_bytes / 2, ..Inner::default() }))
    }

    /// What the partition's strings are valid for.
    pub fn at(&self, partition: u16) -> Option<At> {
        self.lock().valid.get(&partition).map(|valid| valid.at.clone())
    }

    /// The contents known at `at`, one for each name.
    pub fn get(&self, partition: u16, at: &At, names: &[Vec<u8>]) -> Vec<Option<Content>> {
        let mut inner = self.lock();
        let Some(epoch) = inner.epoch(partition, at) else { return vec![None; names.len()] };
        names.iter().map(|name| inner.find(epoch, name)).collect()
    }

    /// Keeps what was read at `at`, if that still is the last commit of this process.
    pub fn keep<'a>(
        &self,
        partition: u16,
        at: &At,
        contents: impl Iterator<Item = (&'a Vec<u8>, &'a Content)>,
    ) {
        let mut inner = self.lock();
        let Some(epoch) = inner.epoch(partition, at) else { return };
        for (name, content) in contents {
            inner.put(epoch, name.clone(), content.clone());
        }
    }

    /// Moves the partition from `base` to `next` with what the commit wrote.
    pub fn advance(
        &self,
        partition: u16,
        base: &At,
        next: At,
        contents: impl Iterator<Item = (Vec<u8>, Content)>,
    ) {
        let mut inner = self.lock();
        let epoch = inner.epoch(partition, base).unwrap_or_else(|| {
            inner.epochs += 1;
            inner.epochs
        });
        inner.valid.insert(partition, Valid { at: next, epoch });
        for (name, content) in contents {
            inner.put(epoch, name, content);
        }
    }

    /// Drops a partition.
    pub fn forget(&self, partition: u16) {
        self.lock().valid.remove(&partition);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn epoch(&self, partition: u16, at: &At) -> Option<u64> {
        self.valid.get(&partition).filter(|valid| valid.at == *at).map(|valid| valid.epoch)
    }

    fn find(&mut self, epoch: u64, name: &[u8]) -> Option<Content> {
        if let Some(slot) = self.young.get(name) {
            return (slot.epoch == epoch).then(|| slot.content.clone());
        }
        let (name, slot) = self.old.remove_entry(name)?;
        if slot.epoch != epoch {
            return None;
        }
        self.put(epoch, name, slot.content.clone());
        Some(slot.content)
    }

    fn put(&mut self, epoch: u64, name: Vec<u8>, content: Content) {
        let length = name.len();
        self.young_bytes += size(length, &content);
        if let Some(before) = self.young.insert(name, Slot { epoch, content }) {
            self.young_bytes -= size(length, &before.content);
        }
        if self.young_bytes > self.half_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

fn size(name: usize, content: &Content) -> usize {
    name + content.as_ref().map_or(0, |content| content.len()) + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_only_its_own_last_commit() {
        let cache = Cache::new(1 << 20);
        let (one, two) = (At::new(1, "a.1"), At::new(2, "a.2"));
        let names = vec![b"k".to_vec()];
        let content = |byte: u8| Some(Arc::from([byte].as_slice()));
        cache.advance(3, &At::default(), one.clone(), [(names[0].clone(), content(1))].into_iter());
        assert_eq!(cache.get(3, &one, &names), [Some(content(1))]);
        assert_eq!(cache.get(3, &two, &names), [None]);
        cache.advance(3, &one, two.clone(), std::iter::empty());
        assert_eq!(cache.get(3, &two, &names), [Some(content(1))]);
        cache.keep(3, &one, [(&names[0], &content(9))].into_iter());
        assert_eq!(cache.get(3, &two, &names), [Some(content(1))]);
        cache.forget(3);
        assert_eq!(cache.get(3, &two, &names), [None]);
        cache.advance(3, &one, two.clone(), std::iter::empty());
        assert_eq!(cache.get(3, &two, &names), [None]);
    }

    #[test]
    fn stays_within_its_limit() {
        let cache = Cache::new(20_000);
        let at = At::new(1, "a.1");
        let contents = (0..500_u32).map(|n| (n.to_be_bytes().to_vec(), Some(Arc::from([0; 100]))));
        cache.advance(3, &At::default(), at.clone(), contents);
        let inner = cache.lock();
        assert!(inner.young.len() + inner.old.len() <= 100);
    }
}
