//! The order document: as placed (first snapshot), as it stands (last), and what edits added.

use std::collections::{BTreeMap, BTreeSet};

use super::additions::{self, Addition};
use super::customers::Customers;
use super::documents::Edits;
use crate::currency::Currency;
use crate::customer::CustomerKey;
use crate::event::{Line, OrderSnapshot};
use crate::id::Id;
use crate::time::Timestamp;
use crate::version::Version;

/// An order.
#[derive(Debug)]
pub(super) struct Order<'a> {
    /// As placed: the snapshot of the smallest version.
    pub(super) first: &'a OrderSnapshot,
    /// As it stands: the snapshot of the greatest version.
    pub(super) last: &'a OrderSnapshot,
    /// Units that appeared after the first snapshot, one by one.
    pub(super) additions: Vec<Addition<'a>>,
    /// Whose purchase it is in the customer view; `None` where it is nobody's.
    pub(super) buyer: Option<CustomerKey>,
}

impl<'a> Order<'a> {
    /// From all snapshots of an order; `None` if there is none.
    pub(super) fn new(
        versions: &BTreeMap<Version, &'a OrderSnapshot>,
        edits: &Edits<'a>,
        redacted_at: Option<Timestamp>,
        customers: &Customers,
    ) -> Option<Self> {
        let (mut first, last) = (*versions.values().next()?, *versions.values().next_back()?);
        let forgotten = redacted_at.is_some_and(|redacted_at| last.placed_at <= redacted_at);
        // Amounts of two currencies cannot be compared, so the newer snapshot speaks alone.
        if forgotten || first.currency != last.currency {
            first = last;
        }
        let additions = additions::of_order(first, last, versions, edits);
        Some(Self { first, last, additions, buyer: customers.buyer(last) })
    }

    pub(super) fn placed_at(&self) -> Timestamp {
        self.last.placed_at
    }

    pub(super) fn currency(&self) -> Currency {
        self.last.currency
    }

    /// When it was cancelled, if that is known at `t` to have happened.
    pub(super) fn cancelled_by(&self, t: Timestamp) -> Option<Timestamp> {
        self.last.cancelled_at.filter(|at| *at <= t)
    }

    /// Units added up to `t`.
    pub(super) fn additions_by(&self, t: Timestamp) -> impl Iterator<Item = &Addition<'a>> {
        self.additions.iter().filter(move |addition| addition.at <= t)
    }

    /// A line of the last snapshot, else of the first.
    pub(super) fn line(&self, id: &Id) -> Option<&'a Line> {
        line(self.last, id).or_else(|| line(self.first, id))
    }

    /// The products of the lines as they stand, gift cards and what was removed left out.
    pub(super) fn products(&self) -> Vec<Id> {
        let goods = self.last.lines.iter().filter(|line| !line.gift_card && line.quantity > 0);
        let products: BTreeSet<Id> = goods.filter_map(product).collect();
        products.into_iter().collect()
    }

    /// Lines as placed, gift cards left out.
    pub(super) fn goods_as_placed(&self) -> impl Iterator<Item = &'a Line> {
        self.first.lines.iter().filter(|line| !line.gift_card)
    }

    /// Gross sales less discounts, as placed.
    pub(super) fn placement_value(&self) -> i128 {
        self.goods_as_placed()
            .map(|line| i128::from(line.gross_minor) - i128::from(line.discount_minor))
            .sum()
    }
}

/// A line's product: its id, or the article number where there is none.
pub(super) fn product(line: &Line) -> Option<Id> {
    let number = || line.sku.as_deref().and_then(|sku| Id::parse(sku).ok());
    line.product.clone().or_else(number)
}

/// A line of a snapshot.
pub(super) fn line<'a>(order: &'a OrderSnapshot, id: &Id) -> Option<&'a Line> {
    order.lines.iter().find(|line| line.id == *id)
}
