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

use crate::fold::back::Back;
use crate::fold::customer::{Class, CustomerDoc};
use crate::fold::docs::{Source, decode, load};
use crate::fold::field::{Counter, Field, Sums};
use crate::fold::hours::{HoursDoc, day_of};
use crate::fold::keys::{Keys, Kind, split};
use crate::fold::list::{Chunks, Entry};
use crate::fold::order::OrderDoc;
use crate::fold::shop::ShopDoc;
use crate::fold::sold::{BLOCK_DAYS, SoldDoc};
use crate::fold::young::Started;

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

    /// Visits the counters of shop-local days from `from` to `to`, both included.
    pub fn days(
        &self,
        from: i64,
        to: i64,
        mut visit: impl FnMut(i64, &Sums),
    ) -> Result<(), StoreError> {
        self.raw(self.keys.buckets(Kind::Day, from, to), |key, value| {
            if let Some(number) = self.keys.read_bucket(key) {
                visit(number, &decode::<Sums>(key, value)?);
            }
            Ok(true)
        })
    }

    /// Visits the counters of UTC hours from `from` to `to`, both included.
    pub fn hours(
        &self,
        from: i64,
        to: i64,
        visit: impl FnMut(i64, &Sums),
    ) -> Result<(), StoreError> {
        self.in_hours(Kind::Hours, from, to, visit)
    }

    /// Visits what is watched in UTC hours from `from` to `to`, both included.
    pub fn watched(
        &self,
        from: i64,
        to: i64,
        visit: impl FnMut(i64, &Sums),
    ) -> Result<(), StoreError> {
        self.in_hours(Kind::Watched, from, to, visit)
    }

    fn in_hours(
        &self,
        kind: Kind,
        from: i64,
        to: i64,
        mut visit: impl FnMut(i64, &Sums),
    ) -> Result<(), StoreError> {
        self.raw(self.keys.buckets(kind, day_of(from), day_of(to)), |key, value| {
            if let Some(day) = self.keys.read_bucket(key) {
                let hours = decode::<HoursDoc>(key, value)?;
                let within = |hour: &(i64, &Sums)| (from..=to).contains(&hour.0);
                hours.of_day(day).filter(within).for_each(|(hour, sums)| visit(hour, sums));
            }
            Ok(true)
        })
    }

    /// The documents whose latest instant is after `at`, which is not before the latest receipt.
    pub fn ahead_of(&self, at: Timestamp) -> Result<Vec<(u8, Id)>, StoreError> {
        let mut found = Vec::new();
        self.raw(self.keys.ahead_of(at), |key, _| {
            found.extend(self.keys.read_ahead(key));
            Ok(true)
        })?;
        Ok(found)
    }

    /// Visits the checkouts started from `from` to `to`, both included, of which `from` is not more
    /// than a day before the latest receipt.
    pub fn young(
        &self,
        from: Timestamp,
        to: Timestamp,
        mut visit: impl FnMut(&Started),
    ) -> Result<(), StoreError> {
        self.raw(self.keys.buckets(Kind::Young, from.hour(), to.hour()), |key, value| {
            let started = decode::<Started>(key, value)?;
            if (from..=to).contains(&started.at) {
                visit(&started);
            }
            Ok(true)
        })
    }

    /// Visits the orders of each product on each UTC day, at least of those from `from` to `to`.
    pub fn sold(
        &self,
        from: i64,
        to: i64,
        mut visit: impl FnMut(i64, &Id, u32),
    ) -> Result<(), StoreError> {
        let [first, last] = [from, to].map(|day| day.div_euclid(BLOCK_DAYS));
        self.raw(self.keys.buckets(Kind::Sold, first, last), |key, value| {
            if let Some((block, product)) = self.keys.read_numbered(key) {
                let doc: SoldDoc = decode(key, value)?;
                doc.days(block).for_each(|(day, orders)| visit(day, &product, orders));
            }
            Ok(true)
        })
    }

    /// Visits what came back in UTC hours from `from` to `to`, both included, order by order.
    pub fn back(
        &self,
        from: i64,
        to: i64,
        mut visit: impl FnMut(i64, Id, Back),
    ) -> Result<(), StoreError> {
        self.raw(self.keys.buckets(Kind::Back, from, to), |key, value| {
            if let Some((hour, order)) = self.keys.read_numbered(key) {
                visit(hour, order, decode(key, value)?);
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
