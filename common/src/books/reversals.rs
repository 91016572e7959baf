//! What refunds and the cancellation take back of an order, part by part.

use super::documents::SalesDocument;
use super::ledger::{Booking, What};
use super::order_document::Order;
use super::refunds::{GOODS, PARTS, RefundDocument};
use crate::time::Timestamp;

/// The reversals of a document as known at `t`.
pub(super) fn bookings(document: &SalesDocument<'_>, t: Timestamp) -> Vec<Booking> {
    let refunds: Vec<_> = document.refunds.iter().filter(|refund| refund.at <= t).collect();
    let order = document.order.as_ref();
    let cancelled = order.and_then(|order| Some((order, order.cancelled_by(t)?)));
    match cancelled {
        Some((order, at)) => of_cancelled(order, at, &refunds, t),
        None => (0..PARTS).flat_map(|part| as_refunded(&refunds, part)).collect(),
    }
}

/// Every refund in full, at its own instant.
fn as_refunded(refunds: &[&RefundDocument<'_>], part: usize) -> Vec<Booking> {
    let booking = |refund: &&RefundDocument<'_>| Booking {
        at: refund.at,
        what: reversal_of(part),
        currency: refund.currency,
        amount: refund.parts[part],
    };
    refunds.iter().map(booking).collect()
}

/// A cancelled order's reversals add up to exactly what was sold: refunds in time order up to that
/// sum, the remainder at the cancellation.
fn of_cancelled(
    order: &Order<'_>,
    cancelled_at: Timestamp,
    refunds: &[&RefundDocument<'_>],
    t: Timestamp,
) -> Vec<Booking> {
    // A refund in a currency that the order is not in cannot be set off against it.
    let (refunds, foreign): (Vec<_>, Vec<_>) =
        refunds.iter().copied().partition(|refund| refund.currency == order.currency());
    let mut bookings = Vec::new();
    for (part, sold) in sold(order, t).into_iter().enumerate() {
        let booking = |at, amount| Booking {
            at,
            what: reversal_of(part),
            currency: order.currency(),
            amount,
        };
        let mut left = sold;
        for refund in &refunds {
            let amount = refund.parts[part].min(left).max(0);
            bookings.push(booking(refund.at, amount));
            left -= amount;
        }
        bookings.push(booking(cancelled_at, left));
        bookings.extend(as_refunded(&foreign, part));
    }
    bookings
}

/// What the order sold up to `t`, part by part: net of discounts, then the extras.
fn sold(order: &Order<'_>, t: Timestamp) -> [i128; PARTS] {
    let added: i128 = order.additions_by(t).map(|unit| unit.gross - unit.discount).sum();
    let added_tax: i128 = order.additions_by(t).map(|unit| unit.tax).sum();
    [
        order.placement_value() + added,
        i128::from(order.first.tax_minor) + added_tax,
        i128::from(order.first.shipping_minor),
        i128::from(order.first.duties_minor),
        i128::from(order.first.fees_minor),
    ]
}

const fn reversal_of(part: usize) -> What {
    if part == GOODS { What::Reversal } else { What::ExtraReversal }
}
