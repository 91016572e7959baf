//! Loads what a batch of events will ask for, together: one round trip to a store that is far away,
//! where document after document would cost one each.
//!
//! A key that is missing here is loaded when it is asked for, so this only has to know the many.

use std::collections::BTreeMap;

use common::event::{Body, Event};
use common::id::Id;
use common::shop::ShopDomain;
use common::store::StoreError;
use rustc_hash::FxHashSet;

use super::caches::Caches;
use super::docs::Source;
use super::keys::{Keys, Kind};

/// Loads the documents that events of some shops name.
pub(super) fn load(
    by_shop: &BTreeMap<ShopDomain, Vec<Event>>,
    caches: &mut Caches,
    source: Source<'_>,
) -> Result<(), StoreError> {
    let shops: Vec<(Keys, &[Event])> =
        by_shop.iter().map(|(shop, events)| (Keys::new(shop), events.as_slice())).collect();
    let mut named = Wanted::default();
    for (keys, events) in &shops {
        named.add(caches, Kind::Shop, keys.shop());
        for event in *events {
            for (kind, id) in documents(&event.body) {
                named.add(caches, kind, keys.document(kind, id));
            }
        }
    }
    caches.load(named.0, source)?;

    // An order that is known already seldom asks for its customer again.
    let mut beside = Wanted::default();
    for (keys, events) in &shops {
        for event in *events {
            beside.of_new(caches, keys, &event.body);
        }
    }
    caches.load(beside.0, source)
}

/// Documents to load, each once.
#[derive(Default)]
struct Wanted(FxHashSet<(Kind, Vec<u8>)>);

impl Wanted {
    fn add(&mut self, caches: &Caches, kind: Kind, key: Vec<u8>) {
        if !caches.holds(kind, &key) {
            self.0.insert((kind, key));
        }
    }

    /// Adds the customers and the checkout of an order that was not in the store.
    fn of_new(&mut self, caches: &Caches, keys: &Keys, body: &Body) {
        match body {
            Body::Order(order) => {
                if caches.knows_order(&keys.document(Kind::Order, &order.id)) {
                    return;
                }
                if let Some(customer) = order.customer {
                    self.add(caches, Kind::Customer, keys.customer(customer));
                }
                if let Some(checkout) = &order.checkout {
                    self.add(caches, Kind::Checkout, keys.document(Kind::Checkout, checkout));
                }
            }
            Body::CustomersMerged(merged) => {
                self.add(caches, Kind::Customer, keys.customer(merged.from));
                self.add(caches, Kind::Customer, keys.customer(merged.into));
            }
            Body::CustomerRedacted(redacted) => {
                for customer in &redacted.customers {
                    self.add(caches, Kind::Customer, keys.customer(*customer));
                }
            }
            Body::OrderDeleted(_)
            | Body::OrderEdited(_)
            | Body::Refund(_)
            | Body::Return(_)
            | Body::ReturnUpdated(_)
            | Body::Checkout(_)
            | Body::CheckoutDeleted(_)
            | Body::ShopRedacted(_) => {}
        }
    }
}

/// The documents that an event changes first.
fn documents(body: &Body) -> Vec<(Kind, &Id)> {
    match body {
        Body::Order(order) => {
            let returns = order.returns.iter().map(|shown| (Kind::Return, &shown.id));
            std::iter::once((Kind::Order, &order.id)).chain(returns).collect()
        }
        Body::OrderDeleted(deleted) => vec![(Kind::Order, &deleted.order)],
        Body::OrderEdited(edited) => vec![(Kind::Order, &edited.order)],
        Body::Refund(refund) => vec![(Kind::Order, &refund.order)],
        Body::Return(shown) => vec![(Kind::Order, &shown.order), (Kind::Return, &shown.id)],
        Body::ReturnUpdated(updated) => vec![(Kind::Return, &updated.return_id)],
        Body::Checkout(shown) => vec![(Kind::Checkout, &shown.id)],
        Body::CheckoutDeleted(deleted) => vec![(Kind::Checkout, &deleted.checkout)],
        Body::CustomerRedacted(redacted) => {
            redacted.orders.iter().map(|order| (Kind::Order, order)).collect()
        }
        Body::CustomersMerged(_) | Body::ShopRedacted(_) => Vec::new(),
    }
}
