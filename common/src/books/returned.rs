//! Returned units, one by one (KPI definitions, section 5, "Returned units").
//!
//! Per order line there are two sequences: units that refunds say came back, and units in closed
//! returns. The k-th returned unit counts at the earlier of the two k-th instants.

use std::collections::BTreeSet;

use super::documents::SalesDocument;
use super::exact::share;
use super::ledger::ReturnedUnit;
use super::order_document::{Order, line, product as product_of};
use super::refunds::ReturnedGoods;
use crate::currency::Currency;
use crate::id::Id;
use crate::reason::Reason;
use crate::time::Timestamp;

/// A unit in a refund line.
#[derive(Clone, Copy)]
struct RefundedUnit {
    at: Timestamp,
    value: i128,
    currency: Currency,
    reason: Option<Reason>,
}

/// Every unit of a document that came back up to `t`.
pub(super) fn units(document: &SalesDocument<'_>, t: Timestamp) -> Vec<ReturnedUnit> {
    lines(document).into_iter().flat_map(|line| units_of_line(document, line, t)).collect()
}

/// The order lines that any refund or return names.
fn lines<'a>(document: &SalesDocument<'a>) -> BTreeSet<&'a Id> {
    let refunded = document.refunds.iter().flat_map(|refund| &refund.returned);
    let returned = document.returns.iter().flat_map(|document| &document.lines);
    refunded.map(|goods| goods.line).chain(returned.map(|line| line.line)).collect()
}

fn units_of_line(document: &SalesDocument<'_>, id: &Id, t: Timestamp) -> Vec<ReturnedUnit> {
    let refunded = refunded(document, id, t);
    let closed = closed(document, id, t);
    let reasons = reasons(document, id, t);
    let order = document.order.as_ref();
    let most = order.map_or(usize::MAX, |order| ordered_units(order, id, t));
    let count = refunded.len().max(closed.len()).min(most);
    let product = order.and_then(|order| order.line(id)).and_then(product_of);
    let mut units = Vec::with_capacity(count);
    for index in 0..count {
        let in_refund = refunded.get(index).copied();
        let instants = in_refund.map(|unit| unit.at).into_iter().chain(closed.get(index).copied());
        let Some(at) = instants.min() else { continue };
        let reason = reasons.get(index).copied().or(in_refund.and_then(|unit| unit.reason));
        let value = match in_refund {
            Some(unit) => Some((unit.currency, unit.value)),
            None => order.map(|order| (order.currency(), ordered_value(order, id, index))),
        };
        let reason = reason.unwrap_or(Reason::Unknown);
        units.push(ReturnedUnit { at, reason, value, product: product.clone() });
    }
    units
}

/// Sequence (a): units in refund lines whose goods came back, in time order.
fn refunded(document: &SalesDocument<'_>, id: &Id, t: Timestamp) -> Vec<RefundedUnit> {
    let mut units = Vec::new();
    for refund in document.refunds.iter().filter(|refund| refund.at <= t) {
        for goods in refund.returned.iter().filter(|goods| goods.line == id) {
            let ReturnedGoods { quantity, amount, reason, .. } = *goods;
            units.extend((1..=quantity).map(|unit| RefundedUnit {
                at: refund.at,
                value: share(amount, quantity, unit),
                currency: refund.currency,
                reason,
            }));
        }
    }
    units
}

/// Sequence (b): instants of the units in closed returns, in time order.
fn closed(document: &SalesDocument<'_>, id: &Id, t: Timestamp) -> Vec<Timestamp> {
    let mut lines = Vec::new();
    for returned in &document.returns {
        let Some(closed_at) = returned.closed_at(t) else { continue };
        let own = returned.lines.iter().filter(|line| line.line == id);
        lines.extend(own.map(|line| (closed_at, line.quantity_at(t))));
    }
    // Lines closed at one instant are alike here, so ids need not break the tie.
    lines.sort_unstable();
    lines.into_iter().flat_map(|(at, quantity)| (0..quantity).map(move |_| at)).collect()
}

/// The reasons that return lines give, unit by unit, in the order in which they were first seen.
fn reasons(document: &SalesDocument<'_>, id: &Id, t: Timestamp) -> Vec<Reason> {
    let mut lines = Vec::new();
    for returned in document.returns.iter().filter(|returned| returned.stands(t)) {
        let own = returned.lines.iter().filter(|line| line.line == id);
        lines.extend(own.map(|line| (line.first_seen, returned.id, line.id, line)));
    }
    lines.sort_by_key(|(first_seen, returned, id, _)| (*first_seen, *returned, *id));
    let units = |line: &super::returns::LineOfReturn<'_>| {
        let reason = line.reason;
        (0..line.quantity_at(t)).map(move |_| reason)
    };
    lines.into_iter().flat_map(|(.., line)| units(line)).collect()
}

/// The most units of a line that can come back: as placed and added up to `t`; no gift cards.
fn ordered_units(order: &Order<'_>, id: &Id, t: Timestamp) -> usize {
    if order.line(id).is_none_or(|line| line.gift_card) {
        return 0;
    }
    let placed = line(order.first, id).map_or(0, |line| line.quantity as usize);
    placed + order.additions_by(t).filter(|unit| unit.line == id).count()
}

/// The value net of discounts of the unit at `index` of a line as it stands.
fn ordered_value(order: &Order<'_>, id: &Id, index: usize) -> i128 {
    let value = line(order.last, id).map(|line| {
        let net = i128::from(line.gross_minor) - i128::from(line.discount_minor);
        share(net, line.quantity, u32::try_from(index + 1).unwrap_or(u32::MAX))
    });
    value.unwrap_or(0)
}
