//! One number for a state: xxh3 over its domain keys and canonical values, partition by partition.
//!
//! It covers what the set of events determines and nothing else: never `received_at`, delivery ids,
//! the instant of an import, positions, caches, indices or the layout of the store. A long list of
//! purchases counts by its entries, whatever chunks they stand in.

use std::ops::ControlFlow;

use common::store::{Snapshot, StoreError};
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
    let mut whole = Xxh3::new();
    let mut found = Vec::new();
    for partition in 0..partitions {
        let position = snapshot.position(partition)?;
        let (digest, empty) = of_partition(snapshot, partition)?;
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

fn of_partition(snapshot: &dyn Snapshot, partition: u16) -> Result<(u64, bool), StoreError> {
    let mut hash = Xxh3::new();
    // The entries of chunks are summed up, so that neither order nor splits of chunks matter.
    let (mut purchases, mut empty) = (0u64, true);
    let mut failed = Ok(());
    snapshot.scan(partition, &[], &[0xff], &mut |key, value| match update(
        &mut hash,
        &mut purchases,
        key,
        value,
    ) {
        Ok(counted) => {
            empty &= !counted;
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Err(error);
            ControlFlow::Break(())
        }
    })?;
    failed?;
    hash.update(&purchases.to_be_bytes());
    Ok((hash.digest(), empty))
}

/// Adds one document; returns whether it takes part.
fn update(
    hash: &mut Xxh3,
    purchases: &mut u64,
    key: &[u8],
    value: &[u8],
) -> Result<bool, StoreError> {
    let Some((shop, kind, _)) = split(key) else { return Ok(false) };
    if kind == Kind::Ahead as u8 || kind == Kind::Young as u8 {
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
