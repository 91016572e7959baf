//! One number for a state: xxh3 over its domain keys and canonical values, partition by partition.
//!
//! It covers what the set of events determines and nothing else: never `received_at`, delivery ids,
//! the instant of an import, positions, caches, indices or the layout of the store. A long list of
//! purchases counts by its entries, whatever chunks they stand in.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use common::store::{Snapshot, Store, StoreError, UNFINISHED};
use serde::Serialize;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::checkout::CheckoutDoc;
use super::customer::CustomerDoc;
use super::docs::decode;
use super::keys::{Kind, split};
use super::list::Entry;
use super::order::OrderDoc;
use super::return_index::ReturnIndexDoc;
use super::shop::ShopDoc;

/// The digest of a whole state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// Over all partitions, as 16 hexadecimal digits.
    pub digest: String,
    /// Partition by partition, without the empty ones.
    pub partitions: Vec<PartitionDigest>,
}

/// The digest of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionDigest {
    /// The partition.
    pub partition: u16,
    /// The position that its state stands for; not part of the digest.
    pub position: u64,
    /// 16 hexadecimal digits.
    pub digest: String,
}

/// Digests a view.
pub fn of(snapshot: &dyn Snapshot, partitions: u16) -> Result<Digest, StoreError> {
    of_each(partitions, |partition| of_partition(snapshot, partition))
}

/// Digests a store whose views may not stand still: each partition as it stands when its turn comes,
/// again and again until it stood still for long enough, or for `patience`.
pub fn of_moving<S: Store>(
    store: &S,
    partitions: u16,
    patience: Duration,
) -> Result<Digest, StoreError> {
    of_each(partitions, |partition| {
        let begun = Instant::now();
        loop {
            match of_partition(&*store.snapshot()?, partition) {
                Err(StoreError::Moved { .. }) if begun.elapsed() < patience => {}
                other => return other,
            }
        }
    })
}

/// One partition's part of a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The position.
    pub position: u64,
    /// The digest.
    pub digest: u64,
    /// Whether there is no document.
    pub empty: bool,
}

/// Digests the parts that `part` gives.
pub fn of_each<E>(
    partitions: u16,
    mut part: impl FnMut(u16) -> Result<Part, E>,
) -> Result<Digest, E> {
    let mut whole = Xxh3::new();
    let mut found = Vec::new();
    for partition in 0..partitions {
        let Part { position, digest, empty } = part(partition)?;
        if !empty {
            whole.update(&partition.to_be_bytes());
            whole.update(&digest.to_be_bytes());
        }
        if position > 0 {
            found.push(PartitionDigest { partition, position, digest: format!("{digest:016x}") });
        }
    }
    Ok(Digest { digest: format!("{:016x}", whole.digest()), partitions: found })
}

fn of_partition(snapshot: &dyn Snapshot, partition: u16) -> Result<Part, StoreError> {
    let position = snapshot.position(partition)?;
    if position >= UNFINISHED {
        return Err(StoreError::Moved { partition });
    }
    let mut hash = Hash::default();
    let mut failed = Ok(());
    snapshot.scan(partition, &[], &[0xff], &mut |key, value| match hash.add(key, value) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Err(error);
            ControlFlow::Break(())
        }
    })?;
    failed?;
    Ok(hash.part(position))
}

/// The digest of a partition whose documents are added in the order of their keys.
#[derive(Default)]
pub struct Hash {
    documents: Xxh3,
    // The entries of chunks are summed up, so that neither order nor splits of chunks matter.
    purchases: u64,
    counted: bool,
}

impl Hash {
    /// Adds a document.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.counted |= update(&mut self.documents, &mut self.purchases, key, value)?;
        Ok(())
    }

    /// What all documents come to.
    #[must_use]
    pub fn part(mut self, position: u64) -> Part {
        self.documents.update(&self.purchases.to_be_bytes());
        Part { position, digest: self.documents.digest(), empty: !self.counted }
    }
}

/// Adds one document; returns whether it takes part.
fn update(
    hash: &mut Xxh3,
    purchases: &mut u64,
    key: &[u8],
    value: &[u8],
) -> Result<bool, StoreError> {
    let Some((shop, kind, _)) = split(key) else { return Ok(false) };
    if [Kind::Ahead, Kind::Young, Kind::Back].iter().any(|index| kind == *index as u8) {
        return Ok(false);
    }
    let mut put = |key: &[u8], value: &[u8]| {
        for part in [key, value] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    };
    if kind == Kind::Customer as u8 {
        match decode::<CustomerDoc>(key, value)? {
            CustomerDoc::Alias(_) => put(key, value),
            CustomerDoc::Class(class) => {
                for entry in class.purchases.inline() {
                    *purchases = purchases.wrapping_add(entry_digest(shop, entry));
                }
                put(key, &bytes(&class.canonical()));
            }
        }
    } else if kind == Kind::Chunk as u8 {
        for entry in decode::<Vec<Entry>>(key, value)? {
            *purchases = purchases.wrapping_add(entry_digest(shop, &entry));
        }
    } else if kind == Kind::Order as u8 {
        put(key, &bytes(&decode::<OrderDoc>(key, value)?.canonical()));
    } else if kind == Kind::Checkout as u8 {
        put(key, &bytes(&decode::<CheckoutDoc>(key, value)?.canonical()));
    } else if kind == Kind::Return as u8 {
        put(key, &bytes(&decode::<ReturnIndexDoc>(key, value)?.canonical()));
    } else if kind == Kind::Shop as u8 {
        let doc: ShopDoc = decode(key, value)?;
        put(key, &bytes(&(doc.redacted, doc.totals)));
    } else {
        put(key, value);
    }
    Ok(true)
}

fn bytes(canonical: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(canonical).unwrap_or_default()
}

fn entry_digest(shop: &str, entry: &Entry) -> u64 {
    let mut bytes = shop.as_bytes().to_vec();
    bytes.extend_from_slice(&entry.placed_at.ms().to_be_bytes());
    entry.order.encode_key(&mut bytes);
    xxh3_64(&bytes)
}
