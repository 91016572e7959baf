//! Documents of a partition between the store and the fold: loaded once, changed in memory, written
//! together. What a commit wrote stays as a cache for the next batch.

use common::store::{Snapshot, StoreError};
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Documents of one kind by state key.
#[derive(Debug)]
pub struct Docs<T> {
    slots: FxHashMap<Vec<u8>, Slot<T>>,
    // The keys of dirty slots: a small batch must not walk all that is kept.
    dirty: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Slot<T> {
    doc: Option<T>,
    dirty: bool,
}

impl<T> Default for Docs<T> {
    fn default() -> Self {
        Self { slots: FxHashMap::default(), dirty: Vec::new() }
    }
}

/// Where documents are loaded from.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The view that the batch reads.
    pub snapshot: &'a dyn Snapshot,
    /// The partition.
    pub partition: u16,
    /// Nothing stored counts: the shop is being built anew.
    pub blank: bool,
}

impl<T: Serialize + DeserializeOwned> Docs<T> {
    /// Takes a document out; it must be put back.
    pub fn take(&mut self, key: &[u8], source: Source<'_>) -> Result<Option<T>, StoreError> {
        if let Some(slot) = self.slots.get_mut(key) {
            return Ok(slot.doc.take());
        }
        load(key, source)
    }

    /// Whether a document, or that there is none, is in hand.
    #[must_use]
    pub fn holds(&self, key: &[u8]) -> bool {
        self.slots.contains_key(key)
    }

    /// Whether a document is in hand.
    #[must_use]
    pub fn has(&self, key: &[u8]) -> bool {
        self.slots.get(key).is_some_and(|slot| slot.doc.is_some())
    }

    /// Takes in what the store has under a key.
    pub fn loaded(&mut self, key: Vec<u8>, bytes: Option<&[u8]>) -> Result<(), StoreError> {
        let doc = bytes.map(|bytes| decode(&key, bytes)).transpose()?;
        self.slots.insert(key, Slot { doc, dirty: false });
        Ok(())
    }

    /// Looks at a document.
    pub fn peek(&mut self, key: &[u8], source: Source<'_>) -> Result<Option<&T>, StoreError> {
        if !self.slots.contains_key(key) {
            self.slots.insert(key.to_vec(), Slot { doc: load(key, source)?, dirty: false });
        }
        Ok(self.slots.get(key).and_then(|slot| slot.doc.as_ref()))
    }

    /// Changes a document where it stands; `change` says whether it did, or `None` that it will not.
    pub fn change(
        &mut self,
        key: &[u8],
        source: Source<'_>,
        change: impl FnOnce(&mut T) -> Option<bool>,
    ) -> Result<Option<bool>, StoreError> {
        self.peek(key, source)?;
        let Some(slot) = self.slots.get_mut(key) else { return Ok(None) };
        let changed = slot.doc.as_mut().and_then(change);
        if changed == Some(true) && !slot.dirty {
            slot.dirty = true;
            self.dirty.push(key.to_vec());
        }
        Ok(changed)
    }

    /// Puts a document in, changed.
    pub fn put(&mut self, key: Vec<u8>, doc: Option<T>) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.doc = doc;
            if !slot.dirty {
                slot.dirty = true;
                self.dirty.push(key);
            }
        } else {
            self.dirty.push(key.clone());
            self.slots.insert(key, Slot { doc, dirty: true });
        }
    }

    /// Puts a document back that was not changed.
    pub fn put_back(&mut self, key: Vec<u8>, doc: Option<T>) {
        match self.slots.get_mut(&key) {
            Some(slot) => slot.doc = doc,
            None => {
                self.slots.insert(key, Slot { doc, dirty: false });
            }
        }
    }

    /// Adds what changed to `writes`, as the store's bytes.
    pub fn flush(
        &mut self,
        writes: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        for key in self.dirty.drain(..) {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            slot.dirty = false;
            let value = slot.doc.as_ref().map(|doc| encode(&key, doc)).transpose()?;
            writes.push((key, value));
        }
        Ok(())
    }

    /// Documents in hand.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

/// Loads a document.
pub fn load<T: DeserializeOwned>(key: &[u8], source: Source<'_>) -> Result<Option<T>, StoreError> {
    if source.blank {
        return Ok(None);
    }
    let bytes = source.snapshot.get(source.partition, key)?;
    bytes.map(|bytes| decode(key, &bytes)).transpose()
}

/// Writes a document as bytes.
pub fn encode<T: Serialize>(key: &[u8], doc: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_stdvec(doc).map_err(|error| corrupt(key, &error))
}

/// Reads a document's bytes.
pub fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| corrupt(key, &error))
}

fn corrupt(key: &[u8], error: &postcard::Error) -> StoreError {
    let kind = super::keys::split(key).map_or('?', |(_, kind, _)| char::from(kind));
    StoreError::Engine {
        place: format!("a document of kind {kind}"),
        message: format!("{error}; build the state anew with `tallyhook rebuild`"),
    }
}
