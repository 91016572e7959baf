//! Reading a shop's documents from a view of the store.

use std::ops::ControlFlow;

use common::currency::Currency;
use common::customer::CustomerKey;
use common::id::Id;
use common::shop::ShopDomain;
use common::store::{Snapshot, StoreError, prefix_end};
use common::time::Timestamp;
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::fold::customer::{Class, CustomerDoc};
use crate::fold::docs::{Source, decode, load};
use crate::fold::field::{Counter, Field, Sums};
use crate::fold::keys::{Keys, Kind, split};
use crate::fold::list::{Chunks, Entry};
use crate::fold::order::OrderDoc;
use crate::fold::shop::ShopDoc;

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum ReadError {
    /// No document names the shop.
    #[error("no event of this shop was seen")]
    UnknownShop,
    /// The question took too long.
    #[error("the answer took longer than {seconds} s; ask for fewer windows, or without as_of")]
    TooSlow {
        /// The limit.
        seconds: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One shop in a view of the store.
pub struct ShopReader<'a> {
    /// The shop's keys.
    pub keys: Keys,
    source: Source<'a>,
}

impl<'a> ShopReader<'a> {
    /// A reader of `shop`, which lives in `partition`.
    #[must_use]
    pub fn new(snapshot: &'a dyn Snapshot, partition: u16, shop: &ShopDomain) -> Self {
        Self { keys: Keys::new(shop), source: Source { snapshot, partition, blank: false } }
    }

    /// The shop's own document.
    pub fn shop(&self) -> Result<Option<ShopDoc>, StoreError> {
        load(&self.keys.shop(), self.source)
    }

    /// The currencies that the shop's documents name.
    #[must_use]
    pub fn currencies(doc: &ShopDoc) -> Vec<Currency> {
        let named = |entry: &(Field, i128)| entry.0.counter() == Counter::Currencies as u32;
        doc.totals.iter().filter(named).map(|(field, _)| field.currency()).collect()
    }

    /// An order.
    pub fn order(&self, id: &Id) -> Result<Option<OrderDoc>, StoreError> {
        load(&self.keys.document(Kind::Order, id), self.source)
    }

    /// A checkout.
    pub fn checkout(
        &self,
        id: &Id,
    ) -> Result<Option<crate::fold::checkout::CheckoutDoc>, StoreError> {
        load(&self.keys.document(Kind::Checkout, id), self.source)
    }

    /// A customer's class by any of its keys, with its root.
    pub fn class(&self, customer: CustomerKey) -> Result<Option<(CustomerKey, Class)>, StoreError> {
        let found = load::<CustomerDoc>(&self.keys.customer(customer), self.source)?;
        let root = match found {
            None => return Ok(None),
            Some(CustomerDoc::Class(class)) => return Ok(Some((customer, class))),
            Some(CustomerDoc::Alias(root)) => root,
        };
        Ok(match load(&self.keys.customer(root), self.source)? {
            Some(CustomerDoc::Class(class)) => Some((root, class)),
            Some(CustomerDoc::Alias(_)) | None => None,
        })
    }

    /// Visits every document of a kind with its key; `false` ends the visit.
    pub fn each<T: DeserializeOwned>(
        &self,
        kind: Kind,
        mut visit: impl FnMut(&[u8], T) -> bool,
    ) -> Result<(), StoreError> {
        let range = self.keys.all(kind);
        self.raw(range, |key, value| Ok(visit(key, decode(key, value)?)))
    }

    /// Visits every bucket of a kind from `from` to `to`, both included.
    pub fn buckets(
        &self,
        kind: Kind,
        from: i64,
        to: i64,
        mut visit: impl FnMut(i64, &Sums),
    ) -> Result<(), StoreError> {
        let range = (self.keys.bucket(kind, from), self.keys.bucket(kind, to.saturating_add(1)));
        self.raw(range, |key, value| {
            if let Some(number) = self.keys.read_bucket(key) {
                visit(number, &decode::<Sums>(key, value)?);
            }
            Ok(true)
        })
    }

    /// The documents whose latest instant is after `at`.
    pub fn later_than(&self, at: Timestamp) -> Result<Vec<(u8, Id)>, StoreError> {
        let range = self.keys.instants(Kind::Latest, at.plus_ms(1), Timestamp::MAX);
        let mut found = Vec::new();
        self.raw(range, |key, _| {
            found.extend(self.keys.read_instant(key).map(|(_, kind, id)| (kind, id)));
            Ok(true)
        })?;
        Ok(found)
    }

    /// Visits the checkouts started from `from` (included) to `to` (excluded): start and completion.
    pub fn started(
        &self,
        from: Timestamp,
        to: Timestamp,
        mut visit: impl FnMut(Timestamp, Option<Timestamp>),
    ) -> Result<(), StoreError> {
        let range = self.keys.instants(Kind::Started, from, to);
        self.raw(range, |key, value| {
            let completed = value.try_into().ok().map(i64::from_be_bytes).map(Timestamp::from_ms);
            if let Some((started, _, _)) = self.keys.read_instant(key) {
                visit(started, completed);
            }
            Ok(true)
        })
    }

    /// Up to when the customers of the shop asked to be forgotten, by every key of theirs.
    pub fn redactions(&self) -> Result<FxHashMap<CustomerKey, Timestamp>, StoreError> {
        let mut redacted = FxHashMap::default();
        self.each(Kind::Customer, |key, doc: CustomerDoc| {
            if let CustomerDoc::Class(class) = doc
                && let Some(until) = class.redacted()
                && let Ok(root) = self.keys.tail(key).try_into()
            {
                redacted.insert(CustomerKey::from_bytes(root), until);
                redacted.extend(class.members.iter().map(|member| (*member, until)));
            }
            true
        })?;
        Ok(redacted)
    }

    /// The chunks of long lists.
    #[must_use]
    pub const fn chunks(&self) -> ChunkReader<'_, 'a> {
        ChunkReader(self)
    }

    fn raw(
        &self,
        (from, to): (Vec<u8>, Vec<u8>),
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut failed = Ok(());
        let Source { snapshot, partition, .. } = self.source;
        snapshot.scan(partition, &from, &to, &mut |key, value| match visit(key, value) {
            Ok(true) => ControlFlow::Continue(()),
            Ok(false) => ControlFlow::Break(()),
            Err(error) => {
                failed = Err(error);
                ControlFlow::Break(())
            }
        })?;
        failed
    }
}

/// Reads chunks; never writes any.
pub struct ChunkReader<'a, 'b>(&'a ShopReader<'b>);

impl Chunks for ChunkReader<'_, '_> {
    fn load(&mut self, owner: CustomerKey, number: u32) -> Result<Vec<Entry>, StoreError> {
        Ok(load(&self.0.keys.chunk(owner, number), self.0.source)?.unwrap_or_default())
    }

    fn store(&mut self, _: CustomerKey, _: u32, _: Vec<Entry>) {}
}

/// Every shop of a view.
pub fn shops(snapshot: &dyn Snapshot, partitions: u16) -> Result<Vec<ShopDomain>, StoreError> {
    let mut found = Vec::new();
    for partition in 0..partitions {
        let mut from = Vec::new();
        loop {
            let mut next = None;
            snapshot.scan(partition, &from, &[0xff], &mut |key, _| {
                next = split(key).map(|(shop, _, _)| shop.to_owned());
                ControlFlow::Break(())
            })?;
            let Some(shop) = next else { break };
            from = prefix_end(&[shop.as_bytes(), &[0]].concat());
            found.extend(ShopDomain::parse(&shop).ok());
        }
    }
    found.sort();
    Ok(found)
}
