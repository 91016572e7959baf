//! The state of one simulated order: what the platform would know, and the amounts it would show.

use common::time::Timestamp;

use super::people::Person;
use super::shop::{Place, Presentment};

/// An order, from the start of its checkout to its last change.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: u64,
    /// The number that customers see.
    pub(super) number: u32,
    /// The checkout's token; cart and order tokens are made from it.
    pub(super) token: u128,
    pub(super) channel: Channel,
    pub(super) buyer: Contact,
    pub(super) started_at: Timestamp,
    pub(super) placed_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) cancelled: Option<(Timestamp, &'static str)>,
    pub(super) test: bool,
    pub(super) paid: bool,
    pub(super) fulfilled_at: Option<Timestamp>,
    pub(super) lines: Vec<Line>,
    pub(super) shipping: Shipping,
    pub(super) duties: i64,
    pub(super) discount: Option<Discount>,
    pub(super) presentment: Option<Presentment>,
    /// Path and parameters of the page that the visit began on.
    pub(super) landing: Option<String>,
    pub(super) note: Option<&'static str>,
    pub(super) tags: &'static str,
    pub(super) refunds: Vec<Refund>,
    pub(super) returns: Vec<Return>,
}

/// Where an order is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// The online shop, through a checkout.
    Web,
    /// A till.
    Pos,
    /// Staff, by a draft order.
    Draft,
}

/// How the platform knows the buyer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Contact {
    /// Not at all.
    Nobody,
    /// By an e-mail address only.
    Guest(Person),
    /// By an account.
    Account(u64, Person),
}

/// A line of an order.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) id: u64,
    /// Indices into the catalogue.
    pub(super) product: usize,
    pub(super) variant: usize,
    /// Units ordered, later additions among them.
    pub(super) quantity: u32,
    /// Units refunded so far, whatever for.
    pub(super) refunded: u32,
    /// Units that a return lays claim to and no refund has settled.
    pub(super) claimed: u32,
    /// Unit price in minor units.
    pub(super) price: i64,
    /// Discount on the whole line.
    pub(super) discount: i64,
    pub(super) tax: i64,
    pub(super) gift_card: bool,
    /// Text that the buyer had put on the goods.
    pub(super) engraving: Option<&'static str>,
}

/// Shipping of an order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shipping {
    pub(super) id: u64,
    pub(super) title: &'static str,
    pub(super) price: i64,
    pub(super) discount: i64,
    pub(super) tax: i64,
    pub(super) refunded: bool,
}

/// A discount on a whole order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Discount {
    /// The code; automatic discounts have none.
    pub(super) code: Option<&'static str>,
    pub(super) percent: i64,
}

/// A refund.
#[derive(Clone, Debug)]
pub(super) struct Refund {
    pub(super) id: u64,
    pub(super) at: Timestamp,
    pub(super) lines: Vec<RefundLine>,
    pub(super) shipping: i64,
    pub(super) shipping_tax: i64,
    /// Money given back without goods.
    pub(super) goodwill: i64,
    /// Money paid back.
    pub(super) paid: i64,
    pub(super) transaction: u64,
    pub(super) note: Option<&'static str>,
    /// The return that it settles.
    pub(super) settles: Option<u64>,
}

/// Units of a line in a refund.
#[derive(Clone, Debug)]
pub(super) struct RefundLine {
    pub(super) id: u64,
    /// Index into the order's lines.
    pub(super) line: usize,
    pub(super) quantity: u32,
    pub(super) subtotal: i64,
    pub(super) tax: i64,
    pub(super) restock: &'static str,
}

/// A return.
#[derive(Clone, Debug)]
pub(super) struct Return {
    pub(super) id: u64,
    pub(super) status: &'static str,
    pub(super) created_at: Timestamp,
    pub(super) closed_at: Option<Timestamp>,
    pub(super) lines: Vec<ReturnLine>,
}

/// Units of a line in a return.
#[derive(Clone, Debug)]
pub(super) struct ReturnLine {
    pub(super) id: u64,
    /// Index into the order's lines.
    pub(super) line: usize,
    pub(super) quantity: u32,
    pub(super) reason: &'static Reason,
}

/// A reason for a return in the platform's two spellings.
#[derive(Debug)]
pub(super) struct Reason {
    /// The older closed list.
    pub(super) code: &'static str,
    /// The newer definition's handle.
    pub(super) handle: &'static str,
    /// The newer definition's name.
    pub(super) name: &'static str,
}

impl Line {
    /// Price of all units before discounts.
    pub(super) fn total(&self) -> i64 {
        self.price * i64::from(self.quantity)
    }

    /// Price of all units after discounts.
    pub(super) fn discounted(&self) -> i64 {
        self.total() - self.discount
    }

    /// Units that may still be refunded or returned.
    pub(super) fn free(&self) -> u32 {
        if self.gift_card { 0 } else { self.quantity.saturating_sub(self.refunded + self.claimed) }
    }

    /// Value and tax of the next `units` that are refunded; parts add up to the whole exactly.
    pub(super) fn share(&self, units: u32) -> (i64, i64) {
        let share = |whole: i64| {
            let upto = |k: u32| whole * i64::from(k) / i64::from(self.quantity.max(1));
            upto(self.refunded + units) - upto(self.refunded)
        };
        (share(self.discounted()), share(self.tax))
    }

    /// Works the line's tax out anew.
    pub(super) fn set_tax(&mut self, place: &Place) {
        self.tax = if self.gift_card { 0 } else { tax_of(self.discounted(), place) };
    }
}

impl Order {
    /// Goods before discounts.
    pub(super) fn goods(&self) -> i64 {
        self.lines.iter().map(Line::total).sum()
    }

    /// Discounts on goods.
    pub(super) fn discounts(&self) -> i64 {
        self.lines.iter().map(|line| line.discount).sum()
    }

    /// All tax.
    pub(super) fn tax(&self) -> i64 {
        self.lines.iter().map(|line| line.tax).sum::<i64>() + self.shipping.tax
    }

    /// What the buyer pays.
    pub(super) fn total(&self, place: &Place) -> i64 {
        let tax = if place.taxes_included { 0 } else { self.tax() };
        self.goods() - self.discounts() + self.shipping.net() + self.duties + tax
    }

    /// Money paid back so far.
    pub(super) fn paid_back(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.paid).sum()
    }

    /// The payment's state.
    pub(super) fn financial_status(&self, place: &Place) -> &'static str {
        let back = self.paid_back();
        match (self.paid, self.cancelled) {
            (false, Some(_)) => "voided",
            (false, None) => "pending",
            (true, _) if back == 0 => "paid",
            (true, _) if back >= self.total(place) => "refunded",
            (true, _) => "partially_refunded",
        }
    }
}

impl Shipping {
    /// Price after discounts.
    pub(super) const fn net(&self) -> i64 {
        self.price - self.discount
    }
}

/// Tax on an amount, or in it where prices include tax; half up.
pub(super) const fn tax_of(amount: i64, place: &Place) -> i64 {
    let base = if place.taxes_included { 10_000 + place.tax_rate } else { 10_000 };
    (2 * amount * place.tax_rate + base) / (2 * base)
}
