//! A batch's work on one shop: documents in hand, counters still to be added.

use std::collections::BTreeSet;

use common::customer::CustomerKey;
use common::id::Id;
use common::shop::ShopDomain;
use common::store::StoreError;
use common::time::Timestamp;
use rustc_hash::FxHashMap;

use super::book::{Booked, Booking, Terms};
use super::caches::Caches;
use super::checkout::{CheckoutDoc, Standing};
use super::customer::{Class, CustomerDoc};
use super::docs::{Docs, Source};
use super::field::{Counter, Field, Sums};
use super::keys::{Keys, Kind};
use super::list::{Chunks, Entry};
use super::retention::Change;
use super::shop::{ShopDoc, ShopSetting};
use super::sold::Sold;
use super::{back, young};

/// One shop in a batch.
pub struct Work<'a> {
    pub(super) shop: ShopDomain,
    pub(super) keys: Keys,
    pub(super) setting: ShopSetting,
    pub(super) doc: ShopDoc,
    pub(super) caches: &'a mut Caches,
    pub(super) source: Source<'a>,
    pub(super) counted: Counted,
    /// When the latest event before this batch was received.
    pub(super) began_at: Timestamp,
    /// Writes of what is dated ahead and of what is young.
    pub(super) indices: Vec<young::Write>,
    /// Whether the event at hand completed a checkout.
    pub(super) completed: bool,
}

/// Counters that a batch adds to a shop.
#[derive(Debug, Default, Clone)]
pub struct Counted {
    /// By UTC hour.
    pub hours: FxHashMap<i64, Sums>,
    /// By shop-local day.
    pub days: FxHashMap<i64, Sums>,
    /// In all.
    pub totals: Sums,
    /// What is watched for return spikes, by UTC hour.
    pub watched: FxHashMap<i64, Sums>,
    /// Orders of each product.
    pub sold: Sold,
    /// UTC hours of which it changed what came back.
    pub back: BTreeSet<i64>,
}

impl Work<'_> {
    /// Up to when the shop is redacted.
    pub(super) const fn redacted(&self) -> Option<Timestamp> {
        self.doc.redacted
    }

    /// The terms of a document's bookings with everything known.
    pub(super) const fn terms(&self, customer_redacted: Option<Timestamp>) -> Terms {
        Terms { at: Timestamp::MAX, customer_redacted, shop_currency: self.setting.currency }
    }

    /// Takes `before` out of the books and puts `after` in.
    pub(super) fn rebook(
        &mut self,
        order: &Id,
        before: &Booked,
        after: &Booked,
    ) -> Result<(), StoreError> {
        let (mut was, mut is) = (&before.bookings[..], &after.bookings[..]);
        while let ([one, was_rest @ ..], [other, is_rest @ ..]) = (was, is)
            && one == other
        {
            (was, is) = (was_rest, is_rest);
        }
        self.count(was, -1);
        self.count(is, 1);
        for (booked, sign) in [(before, -1), (after, 1)] {
            for currency in &booked.currencies {
                self.counted.totals.add(Field::money(Counter::Currencies, *currency), sign);
            }
        }
        if before.sold != after.sold {
            for (booked, sign) in [(before, -1), (after, 1)] {
                for sold in &booked.sold {
                    *self.counted.sold.entry(sold.clone()).or_default() += sign;
                }
            }
        }
        if before.back != after.back {
            self.counted.back.extend(back::changed(&before.back, &after.back));
            self.indices.extend(back::replace(&self.keys, order, &before.back, &after.back)?);
        }
        if before.purchase != after.purchase {
            if let Some((customer, placed_at)) = before.purchase {
                self.purchase(customer, Entry { placed_at, order: order.clone() }, false)?;
            }
            if let Some((customer, placed_at)) = after.purchase {
                self.purchase(customer, Entry { placed_at, order: order.clone() }, true)?;
            }
        }
        if before.checkout != after.checkout {
            if let Some((checkout, _)) = &before.checkout {
                self.checkout(checkout, |doc| doc.complete(order, None))?;
            }
            if let Some((checkout, placed_at)) = &after.checkout {
                self.checkout(checkout, |doc| doc.complete(order, Some(*placed_at)))?;
            }
        }
        Ok(())
    }

    /// Adds bookings to the hours', the days' and the shop's counters.
    pub(super) fn count(&mut self, bookings: &[Booking], sign: i128) {
        for bookings in bookings.chunk_by(|one, next| one.0 == next.0) {
            let Some((at, ..)) = bookings.first() else { continue };
            let hour = self.counted.hours.entry(at.hour()).or_default();
            let day = self.counted.days.entry(self.setting.day(*at)).or_default();
            for (_, field, amount) in bookings {
                if field.is_watched() {
                    let watched = self.counted.watched.entry(at.hour()).or_default();
                    watched.add(*field, sign * amount);
                    continue;
                }
                hour.add(*field, sign * amount);
                day.add(*field, sign * amount);
                self.counted.totals.add(*field, sign * amount);
            }
        }
    }

    /// Adds changes of customers to the hours' and the shop's counters.
    pub(super) fn count_customers(&mut self, changes: Vec<Change>) {
        for (hour, field, change) in changes {
            self.counted.hours.entry(hour).or_default().add(field, change);
            // Differences add up to nothing over all hours.
            if !field.is_difference() {
                self.counted.totals.add(field, change);
            }
        }
    }

    /// Where a document of the latest instant `is` stands in the index of what is dated ahead, which
    /// it left at `from`: nowhere once all of it is past. Questions are never asked for an instant
    /// before the latest receipt, so what is past by then need not be found.
    pub(super) fn reindex(
        &mut self,
        (kind, id): (Kind, &Id),
        from: Option<Timestamp>,
        is: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let to = is.filter(|is| *is > self.doc.received_at);
        if from != to {
            let key = |at| self.keys.ahead(at, kind, id);
            self.indices.extend(from.map(|from| (key(from), None)));
            self.indices.extend(to.map(|to| (key(to), Some(Vec::new()))));
        }
        to
    }

    /// The root of a customer's class, and the class taken out of the cache.
    pub(super) fn take_class(
        &mut self,
        customer: CustomerKey,
    ) -> Result<(CustomerKey, Class), StoreError> {
        let key = self.keys.customer(customer);
        match self.caches.customers.take(&key, self.source)? {
            None => Ok((customer, Class::default())),
            Some(CustomerDoc::Class(class)) => Ok((customer, class)),
            Some(CustomerDoc::Alias(root)) => {
                self.caches.customers.put_back(key, Some(CustomerDoc::Alias(root)));
                let key = self.keys.customer(root);
                match self.caches.customers.take(&key, self.source)? {
                    Some(CustomerDoc::Class(class)) => Ok((root, class)),
                    // An alias points at a root by construction; what else stands there is not ours.
                    Some(CustomerDoc::Alias(_)) | None => Ok((root, Class::default())),
                }
            }
        }
    }

    /// Puts a class in, changed.
    pub(super) fn put_class(&mut self, root: CustomerKey, class: Class) {
        let doc = (!class.is_empty()).then_some(CustomerDoc::Class(class));
        self.caches.customers.put(self.keys.customer(root), doc);
    }

    /// Puts a class back that was not changed.
    pub(super) fn put_class_back(&mut self, root: CustomerKey, class: Class) {
        let doc = (!class.is_empty()).then_some(CustomerDoc::Class(class));
        self.caches.customers.put_back(self.keys.customer(root), doc);
    }

    /// Up to when a customer asked to be forgotten.
    pub(super) fn customer_redacted(
        &mut self,
        customer: Option<CustomerKey>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(customer) = customer else { return Ok(None) };
        let customers = &mut self.caches.customers;
        let root = match customers.peek(&self.keys.customer(customer), self.source)? {
            Some(CustomerDoc::Alias(root)) => *root,
            Some(CustomerDoc::Class(class)) => return Ok(class.redacted()),
            None => return Ok(None),
        };
        match customers.peek(&self.keys.customer(root), self.source)? {
            Some(CustomerDoc::Class(class)) => Ok(class.redacted()),
            Some(CustomerDoc::Alias(_)) | None => Ok(None),
        }
    }

    /// Adds a purchase to its customer's class or takes it out.
    fn purchase(
        &mut self,
        customer: CustomerKey,
        entry: Entry,
        add: bool,
    ) -> Result<(), StoreError> {
        let (root, mut class) = self.take_class(customer)?;
        let mut chunks =
            ChunkDocs { keys: &self.keys, docs: &mut self.caches.chunks, source: self.source };
        let changes = if add {
            class.insert(root, entry, &mut chunks)?
        } else {
            class.remove(&entry, &mut chunks)?
        };
        self.put_class(root, class);
        self.count_customers(changes);
        Ok(())
    }

    /// The chunks of long lists.
    pub(super) const fn chunks(&mut self) -> ChunkDocs<'_> {
        ChunkDocs { keys: &self.keys, docs: &mut self.caches.chunks, source: self.source }
    }

    /// Changes a checkout; returns whether anything changed.
    pub(super) fn checkout(
        &mut self,
        id: &Id,
        change: impl FnOnce(&mut CheckoutDoc),
    ) -> Result<bool, StoreError> {
        let key = self.keys.document(Kind::Checkout, id);
        let before = self.caches.checkouts.take(&key, self.source)?.unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if before == after {
            self.caches.checkouts.put_back(key, Some(before).filter(|doc| !doc.is_empty()));
            return Ok(false);
        }
        after.ahead = before.ahead;
        let was = before.standing(Timestamp::MAX);
        let is = after.standing(Timestamp::MAX);
        for (standing, sign) in [(was, -1), (is, 1)] {
            if let Some(standing) = standing {
                self.count(&standing.bookings(), sign);
            }
        }
        let completes = |standing: Option<Standing>| {
            standing.is_some_and(|standing| standing.completed_at.is_some())
        };
        self.completed |= !completes(was) && completes(is);
        if was != is {
            after.ahead =
                self.reindex((Kind::Checkout, id), before.ahead, is.map(Standing::latest_instant));
            let writes = young::replace(&self.keys, id, was, is, self.doc.received_at)?;
            self.indices.extend(writes);
        }
        self.caches.checkouts.put(key, Some(after).filter(|doc| !doc.is_empty()));
        Ok(true)
    }
}

/// Chunks as documents of the partition.
pub struct ChunkDocs<'a> {
    keys: &'a Keys,
    docs: &'a mut Docs<Vec<Entry>>,
    source: Source<'a>,
}

impl Chunks for ChunkDocs<'_> {
    fn load(&mut self, owner: CustomerKey, number: u32) -> Result<Vec<Entry>, StoreError> {
        let key = self.keys.chunk(owner, number);
        let entries = self.docs.take(&key, self.source)?;
        self.docs.put_back(key, entries.clone());
        Ok(entries.unwrap_or_default())
    }

    fn store(&mut self, owner: CustomerKey, number: u32, entries: Vec<Entry>) {
        let key = self.keys.chunk(owner, number);
        self.docs.put(key, Some(entries).filter(|entries| !entries.is_empty()));
    }
}
