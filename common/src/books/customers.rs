//! The customer view: who is one customer, and which orders are purchases.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::customer::CustomerKey;
use crate::event::{Body, CustomerRedacted, Event, OrderSnapshot};
use crate::id::Id;
use crate::time::Timestamp;

/// Merges and redactions of a shop's customers.
#[derive(Debug)]
pub(super) struct Customers {
    /// Each merged pseudonym's class, named by its least member; the others are alone.
    class: BTreeMap<CustomerKey, CustomerKey>,
    /// The latest redaction of all that a class bought so far.
    redacted_at: BTreeMap<CustomerKey, Timestamp>,
    /// Orders that redactions name.
    redacted_orders: BTreeSet<Id>,
}

impl Customers {
    pub(super) fn gather(events: &[&Event]) -> Self {
        let mut customers = Self {
            class: classes(events),
            redacted_at: BTreeMap::new(),
            redacted_orders: BTreeSet::new(),
        };
        for event in events {
            if let Body::CustomerRedacted(redaction) = &event.body {
                customers.redact(redaction);
            }
        }
        customers
    }

    fn redact(&mut self, redaction: &CustomerRedacted) {
        self.redacted_orders.extend(redaction.orders.iter().cloned());
        if !redaction.orders.is_empty() {
            return;
        }
        for customer in &redaction.customers {
            let class = self.class_of(*customer);
            let latest = self.redacted_at.entry(class).or_insert(redaction.at);
            *latest = redaction.at.max(*latest);
        }
    }

    fn class_of(&self, customer: CustomerKey) -> CustomerKey {
        self.class.get(&customer).copied().unwrap_or(customer)
    }

    /// Whose purchase an order is, by its last snapshot: cancelled orders, those without a line that
    /// has a price, anonymous and redacted ones are nobody's.
    pub(super) fn buyer(&self, last: &OrderSnapshot) -> Option<CustomerKey> {
        let class = self.class_of(last.customer?);
        let free = last.lines.iter().all(|line| line.price_minor <= 0);
        let redacted = self.redacted_orders.contains(&last.id)
            || self.redacted_at.get(&class).is_some_and(|at| last.placed_at <= *at);
        let withdrawn = last.cancelled_at.is_some() || free || redacted;
        (!withdrawn).then_some(class)
    }
}

/// The equivalence that all merges together make.
fn classes(events: &[&Event]) -> BTreeMap<CustomerKey, CustomerKey> {
    let mut neighbours: BTreeMap<CustomerKey, BTreeSet<CustomerKey>> = BTreeMap::new();
    for event in events {
        if let Body::CustomersMerged(merge) = &event.body {
            neighbours.entry(merge.from).or_default().insert(merge.into);
            neighbours.entry(merge.into).or_default().insert(merge.from);
        }
    }
    let mut class = BTreeMap::new();
    // Keys ascend, so the first of a class to be met is its least member.
    for &least in neighbours.keys() {
        let mut to_visit = vec![least];
        while let Some(customer) = to_visit.pop() {
            if let Entry::Vacant(unseen) = class.entry(customer) {
                unseen.insert(least);
                to_visit.extend(&neighbours[&customer]);
            }
        }
    }
    class
}
