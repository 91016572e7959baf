//! One event into one shop's documents.

use common::customer::CustomerKey;
use common::event::{Body, CustomerRedacted, CustomersMerged, Event, OrderSnapshot, ReturnUpdated};
use common::id::Id;
use common::store::StoreError;
use common::time::Timestamp;
use common::version::Version;

use super::book::{Booked, book};
use super::carried::{Copy, note};
use super::customer::{Class, CustomerDoc, Merge, Redaction};
use super::field::Counter;
use super::keys::Kind;
use super::order::OrderDoc;
use super::report::Seen;
use super::returns::Removal;
use super::work::Work;

impl Work<'_> {
    /// Applies an event; returns whether it changed anything. A shop's redaction is not for here.
    pub(super) fn apply(&mut self, event: Event, seen: &mut Seen) -> Result<bool, StoreError> {
        let delivered = event.delivery_time();
        self.doc.last_event_at = self.doc.last_event_at.max(Some(event.version.at));
        self.doc.received_at = event.received_at;
        if self.redacted().is_some_and(|until| delivered <= until) {
            return Ok(false);
        }
        let version = event.version;
        match event.body {
            Body::Order(order) => {
                let id = order.id.clone();
                if let Some(changed) = self.order_as_known(&order, version, delivered)? {
                    return Ok(changed);
                }
                self.order(&id, seen, |doc| doc.merge_snapshot(version, delivered, *order))
            }
            Body::OrderDeleted(deleted) => {
                self.order(&deleted.order, seen, |doc| doc.merge_deleted(delivered))
            }
            Body::OrderEdited(edited) => {
                let id = edited.order.clone();
                self.order(&id, seen, |doc| doc.merge_edit(delivered, edited))
            }
            Body::Refund(refund) => {
                let id = refund.order.clone();
                let copy = Copy { version, delivered, item: *refund };
                self.order(&id, seen, |doc| doc.merge_refund(copy))
            }
            Body::Return(shown) => {
                self.order(&shown.order, seen, |doc| doc.merge_return(version, delivered, &shown))
            }
            Body::ReturnUpdated(updated) => self.return_updated(&updated, delivered, seen),
            Body::Checkout(shown) => {
                let mut known = (false, false);
                let id = shown.id.clone();
                let changed = self.checkout(&id, |doc| {
                    known.0 = doc.standing(Timestamp::MAX).is_some();
                    doc.merge(version, delivered, &shown);
                    known.1 = doc.standing(Timestamp::MAX).is_some();
                })?;
                seen.checkout_started = known == (false, true);
                Ok(changed)
            }
            Body::CheckoutDeleted(deleted) => {
                self.checkout(&deleted.checkout, |doc| doc.merge_deleted(delivered))
            }
            Body::CustomersMerged(merged) => self.merged(&merged, delivered),
            Body::CustomerRedacted(redacted) => {
                self.customer_redacted_by(&redacted, delivered, seen)
            }
            Body::ShopRedacted(_) => Ok(false),
        }
    }

    /// Joins a snapshot that tells the books nothing, as most after the first do; returns whether
    /// anything changed, and `None` where the snapshot is another.
    fn order_as_known(
        &mut self,
        order: &OrderSnapshot,
        version: Version,
        delivered: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        if self.redacted().is_some() {
            return Ok(None);
        }
        let key = self.keys.document(Kind::Order, &order.id);
        let change = |doc: &mut OrderDoc| doc.merge_known(version, delivered, order);
        self.caches.orders.change(&key, self.source, change)
    }

    /// Changes an order's document and the books with it; returns whether anything changed.
    pub(super) fn order(
        &mut self,
        id: &Id,
        seen: &mut Seen,
        change: impl FnOnce(&mut OrderDoc),
    ) -> Result<bool, StoreError> {
        let key = self.keys.document(Kind::Order, id);
        let before = self.caches.orders.take(&key, self.source)?.unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if let Some(until) = self.redacted() {
            after.forget(until);
        }
        if before == after {
            self.caches.orders.put_back(key, Some(before).filter(|doc| !doc.is_empty()));
            return Ok(false);
        }
        after.ahead = before.ahead;
        self.link_returns(id, &before, &mut after)?;
        let is = self.booked(&after)?;
        let was = if before.is_empty() { Booked::default() } else { self.booked(&before)? };
        seen.order |= before.last().is_none() && after.last().is_some();
        seen.refunds += after.refunds.len().saturating_sub(before.refunds.len()) as u64;
        if was.latest != is.latest {
            after.ahead = self.reindex((Kind::Order, id), before.ahead, is.latest);
        }
        self.caches.orders.put(key, Some(after).filter(|doc| !doc.is_empty()));
        // Most snapshots after the first say nothing new to the books.
        if was != is {
            seen.note_returned(&was, &is);
            self.rebook(id, &was, &is)?;
        }
        Ok(true)
    }

    /// The bookings of a document as it stands.
    fn booked(&mut self, doc: &OrderDoc) -> Result<Booked, StoreError> {
        let redacted = self.customer_redacted(doc.last().and_then(|last| last.customer))?;
        Ok(book(doc, self.terms(redacted)))
    }

    /// Tells the index of returns new to an order, and takes over what waited there.
    fn link_returns(
        &mut self,
        id: &Id,
        before: &OrderDoc,
        after: &mut OrderDoc,
    ) -> Result<(), StoreError> {
        for shown in &mut after.returns {
            if before.returns.iter().any(|known| known.id == shown.id) {
                continue;
            }
            let key = self.keys.document(Kind::Return, &shown.id);
            let mut index = self.caches.returns.take(&key, self.source)?.unwrap_or_default();
            if let Err(at) = index.orders.binary_search(id) {
                index.orders.insert(at, id.clone());
            }
            for removal in &index.removals {
                shown.merge_removal(removal.clone());
            }
            self.caches.returns.put(key, Some(index));
        }
        Ok(())
    }

    fn return_updated(
        &mut self,
        updated: &ReturnUpdated,
        delivered: Timestamp,
        seen: &mut Seen,
    ) -> Result<bool, StoreError> {
        let key = self.keys.document(Kind::Return, &updated.return_id);
        let mut index = self.caches.returns.take(&key, self.source)?.unwrap_or_default();
        let before = index.clone();
        for removed in &updated.removals {
            let removal = Removal { at: updated.at, removed: removed.clone(), delivered };
            note(&mut index.removals, removal);
        }
        if before == index {
            self.caches.returns.put_back(key, Some(index).filter(|doc| !doc.is_empty()));
            return Ok(false);
        }
        self.caches.returns.put(key, Some(index.clone()));
        for order in &index.orders {
            self.order(order, seen, |doc| {
                let known = doc.returns.iter_mut().find(|known| known.id == updated.return_id);
                if let Some(known) = known {
                    for removal in &index.removals {
                        known.merge_removal(removal.clone());
                    }
                }
            })?;
        }
        Ok(true)
    }

    fn merged(
        &mut self,
        merged: &CustomersMerged,
        delivered: Timestamp,
    ) -> Result<bool, StoreError> {
        if merged.from == merged.into {
            return Ok(false);
        }
        let (one, other) = (merged.from.min(merged.into), merged.from.max(merged.into));
        let merge = Merge { one, other, delivered };
        let (root, mut class) = self.take_class(one)?;
        if root == other || class.members.contains(&other) {
            let before = class.merges.clone();
            note(&mut class.merges, merge);
            let changed = before != class.merges;
            self.put_class(root, class);
            return Ok(changed);
        }
        let (other_root, other_class) = self.take_class(other)?;
        self.unite((root, class), (other_root, other_class), merge)?;
        Ok(true)
    }

    /// Makes one class of two.
    fn unite(
        &mut self,
        one: (CustomerKey, Class),
        other: (CustomerKey, Class),
        merge: Merge,
    ) -> Result<(), StoreError> {
        let redacted = one.1.redacted().max(other.1.redacted());
        let purchases = one.1.purchases.count().max(other.1.purchases.count());
        let (larger, smaller) =
            if one.1.purchases.count() == purchases { (one, other) } else { (other, one) };
        let root = larger.0.min(smaller.0);
        let (mut class, mut gone) = (larger.1, smaller.1);

        // What either class's redaction makes anonymous must be booked so before the lists are joined.
        let mut forgotten = Vec::new();
        for (owner, class) in [(larger.0, &class), (smaller.0, &gone)] {
            let entries = class.purchases.entries(&mut self.chunks())?;
            let old = |placed_at| redacted.is_some_and(|until| placed_at <= until);
            forgotten.extend(
                entries
                    .into_iter()
                    .filter(|entry| old(entry.placed_at))
                    .map(|entry| (owner, entry)),
            );
        }
        if !forgotten.is_empty() {
            let owners = (larger.0, smaller.0);
            self.put_class(owners.0, class);
            self.put_class(owners.1, gone);
            for (owner, entry) in forgotten {
                let until = self.customer_redacted(Some(owner))?;
                self.forget_purchase(&entry.order, until, redacted)?;
            }
            class = self.take_class(owners.0)?.1;
            gone = self.take_class(owners.1)?.1;
        }
        for entry in gone.purchases.entries(&mut self.chunks())? {
            let mut changes = gone.remove(&entry, &mut self.chunks())?;
            changes.extend(class.insert(root, entry, &mut self.chunks())?);
            self.count_customers(changes);
        }
        let mut members = [class.members, gone.members, vec![larger.0, smaller.0]].concat();
        members.sort_unstable();
        members.dedup();
        for member in members.iter().filter(|member| **member != root) {
            let alias = Some(CustomerDoc::Alias(root));
            self.caches.customers.put(self.keys.customer(*member), alias);
        }
        class.members = members;
        class.merges.extend(gone.merges);
        note(&mut class.merges, merge);
        class.merges.sort();
        class.redactions.extend(gone.redactions);
        class.redactions.sort();
        self.put_class(root, class);
        Ok(())
    }

    /// Books an order anew whose customer's redaction moves from one instant to another.
    fn forget_purchase(
        &mut self,
        order: &Id,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let key = self.keys.document(Kind::Order, order);
        let doc = self.caches.orders.take(&key, self.source)?.unwrap_or_default();
        let was = book(&doc, self.terms(from));
        let is = book(&doc, self.terms(to));
        self.caches.orders.put_back(key, Some(doc));
        self.rebook(order, &was, &is)
    }

    fn customer_redacted_by(
        &mut self,
        redacted: &CustomerRedacted,
        delivered: Timestamp,
        seen: &mut Seen,
    ) -> Result<bool, StoreError> {
        let mut changed = false;
        for order in &redacted.orders {
            changed |= self.order(order, seen, |doc| doc.merge_anonymous(delivered))?;
        }
        if !redacted.orders.is_empty() {
            return Ok(changed);
        }
        for customer in &redacted.customers {
            let redaction = Redaction { customer: *customer, at: redacted.at, delivered };
            changed |= self.forget_customer(redaction)?;
        }
        Ok(changed)
    }

    fn forget_customer(&mut self, redaction: Redaction) -> Result<bool, StoreError> {
        let (root, mut class) = self.take_class(redaction.customer)?;
        let before = class.clone();
        note(&mut class.redactions, redaction);
        if before == class {
            self.put_class_back(root, class);
            return Ok(false);
        }
        let (from, to) = (before.redacted(), class.redacted());
        let entries = class.purchases.entries(&mut self.chunks())?;
        self.put_class(root, class);
        let old = |placed_at| to.is_some_and(|until| placed_at <= until);
        for entry in entries.into_iter().filter(|entry| old(entry.placed_at)) {
            self.forget_purchase(&entry.order, from, to)?;
        }
        Ok(true)
    }
}

impl Seen {
    /// Notes the returned units that `is` has beyond `was`.
    fn note_returned(&mut self, was: &Booked, is: &Booked) {
        for (booked, sign) in [(was, -1), (is, 1)] {
            let returned = booked.bookings.iter();
            for (_, field, count) in
                returned.filter(|booking| booking.1.counter() == Counter::Returned as u32)
            {
                self.returned.add(*field, sign * count);
            }
        }
    }
}

impl Work<'_> {
    /// Repeats a merge that outlived a redaction.
    pub(super) fn merge_again(&mut self, merge: &Merge) -> Result<bool, StoreError> {
        self.merged(&CustomersMerged { from: merge.one, into: merge.other }, merge.delivered)
    }

    /// Repeats a redaction that outlived another.
    pub(super) fn redact_again(&mut self, redaction: Redaction) -> Result<bool, StoreError> {
        self.forget_customer(redaction)
    }
}
