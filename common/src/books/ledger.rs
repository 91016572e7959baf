//! Step 2: what every document books at which instant, as known at one instant T.

use std::collections::BTreeMap;

use super::documents::{Checkout, Documents, SalesDocument};
use super::order_document::Order;
use super::{returned, reversals};
use crate::currency::Currency;
use crate::customer::CustomerKey;
use crate::id::Id;
use crate::reason::Reason;
use crate::time::Timestamp;

/// All bookings up to T.
#[derive(Debug)]
pub(super) struct Ledger {
    /// T: nothing later exists.
    pub(super) now: Timestamp,
    pub(super) bookings: Vec<Booking>,
    pub(super) returned: Vec<ReturnedUnit>,
    /// Every order placed up to T, with all that was booked for it.
    pub(super) orders: Vec<OrderFigures>,
    /// The customer view: each customer's purchases up to T.
    pub(super) customers: BTreeMap<CustomerKey, Vec<OrderFigures>>,
    /// Checkouts; a completion after T is left out.
    pub(super) checkouts: Vec<Checkout>,
    pub(super) currencies: Vec<Currency>,
}

/// One entry of the sales view.
#[derive(Clone, Copy, Debug)]
pub(super) struct Booking {
    pub(super) at: Timestamp,
    pub(super) what: What,
    pub(super) currency: Currency,
    /// Minor units of the currency; a number of orders or units for these.
    pub(super) amount: i128,
}

/// What is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Order,
    Units,
    Gross,
    Discount,
    /// Goods taken back or removed, as a positive amount.
    Reversal,
    /// Tax, shipping, duties or fees.
    Extra,
    /// The same taken back, as a positive amount.
    ExtraReversal,
    /// Money paid back.
    Refunded,
}

/// One unit that came back.
#[derive(Clone, Debug)]
pub(super) struct ReturnedUnit {
    pub(super) at: Timestamp,
    pub(super) reason: Reason,
    /// Net of discounts; `None` where nothing tells it.
    pub(super) value: Option<(Currency, i128)>,
    /// The product's id, or the article number where there is none.
    pub(super) product: Option<Id>,
}

/// One order with all that was booked for it up to T.
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderFigures {
    pub(super) placed_at: Timestamp,
    pub(super) currency: Currency,
    /// Gross less discounts as placed.
    pub(super) placement: i128,
    /// Gross less discounts, additions included.
    pub(super) sales: i128,
    pub(super) reversals: i128,
    pub(super) units: i128,
    pub(super) returned_units: i128,
    pub(super) returned_value: i128,
}

impl Ledger {
    pub(super) fn at(documents: &Documents<'_>, now: Timestamp) -> Self {
        let mut ledger = Self {
            now,
            bookings: Vec::new(),
            returned: Vec::new(),
            orders: Vec::new(),
            customers: BTreeMap::new(),
            checkouts: documents.checkouts.iter().map(|checkout| known(*checkout, now)).collect(),
            currencies: documents.currencies.clone(),
        };
        for document in &documents.sales {
            // An order that is not placed yet does not exist, nor does anything of it.
            if document.order.as_ref().is_none_or(|order| order.placed_at() <= now) {
                ledger.enter(document);
            }
        }
        ledger
    }

    fn enter(&mut self, document: &SalesDocument<'_>) {
        let bookings = bookings(document, self.now);
        let returned = returned::units(document, self.now);
        if let Some(order) = &document.order {
            let figures = figures(order, &bookings, &returned);
            self.orders.push(figures);
            if let Some(buyer) = order.buyer {
                self.customers.entry(buyer).or_default().push(figures);
            }
        }
        self.bookings.extend(bookings);
        self.returned.extend(returned);
    }
}

/// Everything that a document books up to `t`.
fn bookings(document: &SalesDocument<'_>, t: Timestamp) -> Vec<Booking> {
    let mut bookings = Vec::new();
    if let Some(order) = &document.order {
        sale(order, &mut bookings);
        additions(order, t, &mut bookings);
    }
    bookings.extend(reversals::bookings(document, t));
    for refund in document.refunds.iter().filter(|refund| refund.at <= t) {
        let paid = refund.paid.iter();
        bookings.extend(paid.map(|&(currency, amount)| Booking {
            at: refund.at,
            what: What::Refunded,
            currency,
            amount,
        }));
    }
    bookings
}

/// The sale as placed, at the instant it was placed.
fn sale(order: &Order<'_>, bookings: &mut Vec<Booking>) {
    let mut book = |what, amount| {
        bookings.push(Booking { at: order.placed_at(), what, currency: order.currency(), amount });
    };
    book(What::Order, 1);
    for line in order.goods_as_placed() {
        book(What::Units, line.quantity.into());
        book(What::Gross, line.gross_minor.into());
        book(What::Discount, line.discount_minor.into());
    }
    book(What::Extra, order.first.tax_minor.into());
    book(What::Extra, order.first.shipping_minor.into());
    book(What::Extra, order.first.duties_minor.into());
    book(What::Extra, order.first.fees_minor.into());
}

/// Units that edits added, each at its own instant.
fn additions(order: &Order<'_>, t: Timestamp, bookings: &mut Vec<Booking>) {
    for unit in order.additions_by(t) {
        let mut book = |what, amount| {
            bookings.push(Booking { at: unit.at, what, currency: order.currency(), amount });
        };
        book(What::Units, 1);
        book(What::Gross, unit.gross);
        book(What::Discount, unit.discount);
        book(What::Extra, unit.tax);
    }
}

/// The sums over one order's own bookings, in its own currency.
fn figures(order: &Order<'_>, bookings: &[Booking], returned: &[ReturnedUnit]) -> OrderFigures {
    let own = order.currency();
    let sum = |what: What| -> i128 {
        let matching = bookings.iter().filter(|b| b.what == what && b.currency == own);
        matching.map(|booking| booking.amount).sum()
    };
    let values = returned.iter().filter_map(|unit| unit.value);
    OrderFigures {
        placed_at: order.placed_at(),
        currency: own,
        placement: order.placement_value(),
        sales: sum(What::Gross) - sum(What::Discount),
        reversals: sum(What::Reversal),
        units: sum(What::Units),
        returned_units: returned.len() as i128,
        returned_value: values.filter(|(currency, _)| *currency == own).map(|(_, v)| v).sum(),
    }
}

fn known(checkout: Checkout, now: Timestamp) -> Checkout {
    Checkout { completed_at: checkout.completed_at.filter(|at| *at <= now), ..checkout }
}
