//! The documents of a partition that are in hand, kind by kind.

use common::store::StoreError;

use super::checkout::CheckoutDoc;
use super::customer::CustomerDoc;
use super::docs::{Docs, Source};
use super::field::Sums;
use super::hours::HoursDoc;
use super::keys::Kind;
use super::list::Entry;
use super::order::OrderDoc;
use super::return_index::ReturnIndexDoc;
use super::shop::ShopDoc;
use super::sold::SoldDoc;

/// Every document of a partition that is in hand.
#[derive(Debug, Default)]
pub struct Caches {
    pub(super) orders: Docs<OrderDoc>,
    pub(super) customers: Docs<CustomerDoc>,
    pub(super) chunks: Docs<Vec<Entry>>,
    pub(super) checkouts: Docs<CheckoutDoc>,
    pub(super) returns: Docs<ReturnIndexDoc>,
    pub(super) shops: Docs<ShopDoc>,
    pub(super) hours: Docs<HoursDoc>,
    pub(super) days: Docs<Sums>,
    pub(super) watched: Docs<HoursDoc>,
    pub(super) sold: Docs<SoldDoc>,
}

impl Caches {
    /// Whether it is known what the store has under a key.
    pub(super) fn holds(&self, kind: Kind, key: &[u8]) -> bool {
        match kind {
            Kind::Order => self.orders.holds(key),
            Kind::Customer => self.customers.holds(key),
            Kind::Chunk => self.chunks.holds(key),
            Kind::Checkout => self.checkouts.holds(key),
            Kind::Return => self.returns.holds(key),
            Kind::Shop => self.shops.holds(key),
            Kind::Hours => self.hours.holds(key),
            Kind::Day => self.days.holds(key),
            Kind::Watched => self.watched.holds(key),
            Kind::Sold => self.sold.holds(key),
            // Written and scanned, never in hand.
            Kind::Young | Kind::Ahead | Kind::Back => true,
        }
    }

    /// Whether an order's document is in hand.
    pub(super) fn knows_order(&self, key: &[u8]) -> bool {
        self.orders.has(key)
    }

    /// Loads documents that are not in hand.
    pub(super) fn load(
        &mut self,
        wanted: impl IntoIterator<Item = (Kind, Vec<u8>)>,
        source: Source<'_>,
    ) -> Result<(), StoreError> {
        let wanted: Vec<(Kind, Vec<u8>)> = wanted.into_iter().collect();
        if wanted.is_empty() || source.blank {
            return Ok(());
        }
        let keys: Vec<&[u8]> = wanted.iter().map(|(_, key)| key.as_slice()).collect();
        let found = source.snapshot.get_many(source.partition, &keys)?;
        for ((kind, key), bytes) in wanted.into_iter().zip(found) {
            let bytes = bytes.as_deref();
            match kind {
                Kind::Order => self.orders.loaded(key, bytes)?,
                Kind::Customer => self.customers.loaded(key, bytes)?,
                Kind::Chunk => self.chunks.loaded(key, bytes)?,
                Kind::Checkout => self.checkouts.loaded(key, bytes)?,
                Kind::Return => self.returns.loaded(key, bytes)?,
                Kind::Shop => self.shops.loaded(key, bytes)?,
                Kind::Hours => self.hours.loaded(key, bytes)?,
                Kind::Day => self.days.loaded(key, bytes)?,
                Kind::Watched => self.watched.loaded(key, bytes)?,
                Kind::Sold => self.sold.loaded(key, bytes)?,
                Kind::Young | Kind::Ahead | Kind::Back => {}
            }
        }
        Ok(())
    }

    /// Adds what changed to `writes`.
    pub(super) fn flush(
        &mut self,
        writes: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        self.orders.flush(writes)?;
        self.customers.flush(writes)?;
        self.chunks.flush(writes)?;
        self.checkouts.flush(writes)?;
        self.returns.flush(writes)?;
        self.shops.flush(writes)?;
        self.hours.flush(writes)?;
        self.days.flush(writes)?;
        self.watched.flush(writes)?;
        self.sold.flush(writes)
    }

    /// Documents in hand.
    pub(super) fn len(&self) -> usize {
        self.orders.len()
            + self.customers.len()
            + self.chunks.len()
            + self.checkouts.len()
            + self.returns.len()
            + self.shops.len()
            + self.hours.len()
            + self.days.len()
            + self.watched.len()
            + self.sold.len()
    }
}
