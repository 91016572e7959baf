//! Step 1: the final documents of a shop, from the set of its events.
//!
//! Each kind of event is gathered by a pass of its own over all events.

use std::collections::{BTreeMap, BTreeSet};

use super::customers::Customers;
use super::order_document::Order;
use super::refunds::{self, RefundDocument};
use super::returns::{self, ReturnDocument};
use super::settings::Settings;
use crate::currency::Currency;
use crate::event::{Body, CheckoutSnapshot, Event, OrderSnapshot};
use crate::id::Id;
use crate::shop::ShopDomain;
use crate::time::Timestamp;
use crate::version::Version;

/// All documents of one shop.
#[derive(Debug)]
pub(super) struct Documents<'a> {
    /// One for each order id, withdrawn ones left out.
    pub(super) sales: Vec<SalesDocument<'a>>,
    /// Checkouts, deleted ones left out.
    pub(super) checkouts: Vec<Checkout>,
    /// The currencies that amounts are reported in, in alphabetical order; never empty.
    pub(super) currencies: Vec<Currency>,
}

/// An order with its refunds and returns; these may be there without it.
#[derive(Debug)]
pub(super) struct SalesDocument<'a> {
    /// `None` where no event has shown the order.
    pub(super) order: Option<Order<'a>>,
    /// By instant, then id.
    pub(super) refunds: Vec<RefundDocument<'a>>,
    pub(super) returns: Vec<ReturnDocument<'a>>,
}

/// A checkout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checkout {
    pub(super) started_at: Timestamp,
    pub(super) completed_at: Option<Timestamp>,
}

/// Every snapshot of every order, oldest version first.
pub(super) type Snapshots<'a> = BTreeMap<&'a Id, BTreeMap<Version, &'a OrderSnapshot>>;

impl<'a> Documents<'a> {
    pub(super) fn gather(events: &'a [Event], shop: &ShopDomain, settings: &Settings) -> Self {
        let events: Vec<&Event> = events.iter().filter(|event| event.shop == *shop).collect();
        let redacted_at = shop_redacted_at(&events);
        let events = survivors(events, redacted_at);
        let snapshots = order_snapshots(&events);
        let deleted = deleted_orders(&events);
        let withdrawn = |id: &Id| deleted.contains(id) || turned_into_test(&snapshots, id);

        let edits = edits(&events);
        let customers = Customers::gather(&events);
        let mut orders: BTreeMap<&Id, Order<'a>> = BTreeMap::new();
        for (&id, versions) in &snapshots {
            if !withdrawn(id) {
                let edits = edits.get(id).cloned().unwrap_or_default();
                orders
                    .extend(Order::new(versions, &edits, redacted_at, &customers).map(|o| (id, o)));
            }
        }
        let checkouts = checkouts(&events, &orders);

        let mut refunds = refunds::gather(&events);
        let mut returns = returns::gather(&events);
        let ids: BTreeSet<&Id> =
            orders.keys().chain(refunds.keys()).chain(returns.keys()).copied().collect();
        let mut sales = Vec::new();
        for id in ids.into_iter().filter(|id| !withdrawn(id)) {
            let order = orders.remove(id);
            let refunds = refunds.remove(id).unwrap_or_default();
            let resolve = |refund| RefundDocument::new(refund, order.as_ref(), settings.currency);
            let mut refunds: Vec<_> = refunds.into_values().map(resolve).collect();
            refunds.sort_by_key(|refund| (refund.at, refund.id));
            sales.push(SalesDocument {
                order,
                refunds,
                returns: returns.remove(id).unwrap_or_default(),
            });
        }
        let currencies = currencies(&sales, settings);
        Self { sales, checkouts, currencies }
    }
}

/// The latest redaction of the shop.
fn shop_redacted_at(events: &[&Event]) -> Option<Timestamp> {
    let redactions = events.iter().filter_map(|event| {
        let Body::ShopRedacted(redaction) = &event.body else { return None };
        Some(redaction.at)
    });
    redactions.max()
}

/// What the redaction leaves: only what a later delivery carries.
fn survivors(events: Vec<&Event>, redacted_at: Option<Timestamp>) -> Vec<&Event> {
    let Some(redacted_at) = redacted_at else { return events };
    events.into_iter().filter(|event| event.delivery_time() > redacted_at).collect()
}

fn order_snapshots<'a>(events: &[&'a Event]) -> Snapshots<'a> {
    let mut snapshots = Snapshots::new();
    for event in events {
        if let Body::Order(order) = &event.body {
            snapshots.entry(&order.id).or_default().insert(event.version, order);
        }
    }
    snapshots
}

fn deleted_orders<'a>(events: &[&'a Event]) -> BTreeSet<&'a Id> {
    let deletions = events.iter().filter_map(|event| {
        let Body::OrderDeleted(deleted) = &event.body else { return None };
        Some(&deleted.order)
    });
    deletions.collect()
}

/// Whether the order's last snapshot is a test order's.
fn turned_into_test(snapshots: &Snapshots<'_>, id: &Id) -> bool {
    let last = snapshots.get(id).and_then(|versions| versions.values().next_back());
    last.is_some_and(|order| order.test)
}

/// Units that an edit added to a line: (instant, edit, line, units). A set: an edit may come twice.
pub(super) type Edits<'a> = BTreeSet<(Timestamp, &'a Id, &'a Id, u32)>;

fn edits<'a>(events: &[&'a Event]) -> BTreeMap<&'a Id, Edits<'a>> {
    let mut edits: BTreeMap<&Id, Edits<'a>> = BTreeMap::new();
    for event in events {
        if let Body::OrderEdited(edited) = &event.body {
            let additions = edited.additions.iter();
            let additions =
                additions.map(|add| (edited.committed_at, &edited.edit, &add.line, add.quantity));
            edits.entry(&edited.order).or_default().extend(additions);
        }
    }
    edits
}

/// Checkouts with the instants at which they were completed, by themselves or by an order.
fn checkouts(events: &[&Event], orders: &BTreeMap<&Id, Order<'_>>) -> Vec<Checkout> {
    let mut last: BTreeMap<&Id, (Version, &CheckoutSnapshot)> = BTreeMap::new();
    let mut deleted = BTreeSet::new();
    for event in events {
        if let Body::Checkout(checkout) = &event.body {
            let newest = last.entry(&checkout.id).or_insert((event.version, checkout));
            if event.version > newest.0 {
                *newest = (event.version, checkout);
            }
        }
        if let Body::CheckoutDeleted(deletion) = &event.body {
            deleted.insert(&deletion.checkout);
        }
    }
    let mut ordered_at: BTreeMap<&Id, Timestamp> = BTreeMap::new();
    for order in orders.values() {
        if let Some(checkout) = &order.last.checkout {
            let earliest = ordered_at.entry(checkout).or_insert(order.placed_at());
            *earliest = order.placed_at().min(*earliest);
        }
    }
    let kept = last.into_iter().filter(|(id, _)| !deleted.contains(id));
    let checkouts = kept.map(|(id, (_, snapshot))| Checkout {
        started_at: snapshot.started_at,
        completed_at: snapshot.completed_at.into_iter().chain(ordered_at.get(id).copied()).min(),
    });
    checkouts.collect()
}

/// The currencies that any document has named; the configured one if none has.
fn currencies(sales: &[SalesDocument<'_>], settings: &Settings) -> Vec<Currency> {
    let mut currencies = BTreeSet::new();
    for document in sales {
        currencies.extend(document.order.as_ref().map(Order::currency));
        for refund in &document.refunds {
            currencies.insert(refund.currency);
            currencies.extend(refund.paid.iter().map(|(currency, _)| *currency));
        }
    }
    if currencies.is_empty() {
        currencies.insert(settings.currency);
    }
    currencies.into_iter().collect()
}
