//! Refund documents: the newest copy of each refund, its amounts in minor units of one currency.

use std::collections::BTreeMap;

use super::exact::{divide, power_of_ten};
use super::order_document::Order;
use crate::currency::Currency;
use crate::decimal::UNNAMED_EXPONENT;
use crate::event::{Body, Event, Presentment, Refund, RefundLine, Restock, digest};
use crate::id::Id;
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::version::Version;

/// Goods, tax, shipping, duties, fees: each is reversed on its own.
pub(super) const PARTS: usize = 5;
/// The goods among the parts.
pub(super) const GOODS: usize = 0;

/// A refund.
#[derive(Debug)]
pub(super) struct RefundDocument<'a> {
    pub(super) id: &'a Id,
    pub(super) at: Timestamp,
    pub(super) currency: Currency,
    /// What it takes back of each part, gift cards left out.
    pub(super) parts: [i128; PARTS],
    /// Lines of goods that came back, in the document's order, gift cards left out.
    pub(super) returned: Vec<ReturnedGoods<'a>>,
    /// Money paid back: in the order's currency where there is a rate, else in its own.
    pub(super) paid: Vec<(Currency, i128)>,
}

/// Units of an order line that a refund says came back.
#[derive(Debug)]
pub(super) struct ReturnedGoods<'a> {
    pub(super) line: &'a Id,
    pub(super) quantity: u32,
    pub(super) amount: i128,
    /// The line's own reason, else that of the refund's note.
    pub(super) reason: Option<Reason>,
}

/// Every refund by order and id: the copy of the greatest version, alone or inside an order.
pub(super) fn gather<'a>(events: &[&'a Event]) -> BTreeMap<&'a Id, BTreeMap<&'a Id, &'a Refund>> {
    let mut copies: BTreeMap<(&Id, &Id), BTreeMap<Version, &Refund>> = BTreeMap::new();
    for event in events {
        if let Body::Refund(refund) = &event.body {
            let copies = copies.entry((&refund.order, &refund.id)).or_default();
            copies.insert(event.version, refund);
        }
        if let Body::Order(order) = &event.body {
            for refund in &order.refunds {
                let version = Version { digest: digest(refund), ..event.version };
                copies.entry((&order.id, &refund.id)).or_default().insert(version, refund);
            }
        }
    }
    let mut refunds: BTreeMap<&Id, BTreeMap<&Id, &Refund>> = BTreeMap::new();
    for ((order, id), copies) in copies {
        refunds.entry(order).or_default().extend(copies.into_values().next_back().map(|r| (id, r)));
    }
    refunds
}

impl<'a> RefundDocument<'a> {
    /// `configured` is the currency where neither the refund nor its order nor its money names one.
    pub(super) fn new(refund: &'a Refund, order: Option<&Order<'_>>, configured: Currency) -> Self {
        let ordered = order.map(Order::currency);
        let by_payment = refund.paid.iter().find_map(|paid| paid.currency);
        let currency = refund.currency.or(ordered).or(by_payment).unwrap_or(configured);
        let taxed = order.is_some_and(|order| order.last.taxes_included) && refund.as_shown;
        let net = |line: &RefundLine| line.amount_minor - if taxed { line.tax_minor } else { 0 };
        let minor = |amount: i64| match refund.currency {
            Some(_) => i128::from(amount),
            None => from_unnamed(amount, currency),
        };
        let goods = || refund.lines.iter().filter(|line| !is_gift_card(line, order));
        let parts = [
            goods().map(|line| minor(net(line))).sum(),
            goods().map(|line| minor(line.tax_minor)).sum::<i128>() + minor(refund.tax_minor),
            minor(refund.shipping_minor),
            minor(refund.duties_minor),
            minor(refund.fees_minor),
        ];
        let came_back = goods().filter(|line| line.restock == Restock::Return);
        let returned = came_back.map(|line| ReturnedGoods {
            line: &line.line,
            quantity: line.quantity,
            amount: minor(net(line)),
            reason: line.reason.or(refund.note_reason),
        });
        let presentment = order.and_then(|order| order.last.presentment);
        let paid = refund.paid.iter().map(|paid| {
            let (named, amount) = match paid.currency {
                Some(named) => (named, i128::from(paid.amount_minor)),
                None => (currency, from_unnamed(paid.amount_minor, currency)),
            };
            in_orders_currency(named, amount, ordered, presentment)
        });
        Self {
            id: &refund.id,
            at: refund.at,
            currency,
            parts,
            returned: returned.collect(),
            paid: paid.collect(),
        }
    }
}

/// A gift card by its flag, or because the order's line is one.
fn is_gift_card(line: &RefundLine, order: Option<&Order<'_>>) -> bool {
    let ordered = order.and_then(|order| order.line(&line.line));
    line.gift_card || ordered.is_some_and(|ordered| ordered.gift_card)
}

/// From units of 10^-8 to minor units, half to even.
fn from_unnamed(amount: i64, currency: Currency) -> i128 {
    let amount = i128::from(amount) * power_of_ten(currency.exponent());
    divide(amount, power_of_ten(UNNAMED_EXPONENT)).unwrap_or(0)
}

/// Another currency than the order's is converted by the order's own rate, if it has that rate.
fn in_orders_currency(
    currency: Currency,
    amount: i128,
    ordered: Option<Currency>,
    presentment: Option<Presentment>,
) -> (Currency, i128) {
    let rate = presentment.filter(|rate| rate.currency == currency && rate.total_minor > 0);
    match (ordered, rate) {
        (Some(ordered), Some(rate)) if ordered != currency => {
            let converted = amount * i128::from(rate.shop_total_minor);
            (ordered, divide(converted, i128::from(rate.total_minor)).unwrap_or(0))
        }
        _ => (currency, amount),
    }
}
