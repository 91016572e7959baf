//! What an order's document puts into the books, as known at an instant: pure, and the whole of it.
//!
//! The counters of the state are images of documents: on every event the bookings of the document
//! before it are taken out and those of the document after it put in (law 2). `docs/KPIS.md` states
//! the rules; the instant is "everything" for the counters and the instant asked for `as_of`.

use common::currency::Currency;
use common::customer::CustomerKey;
use common::decimal::div_half_even;
use common::event::{Paid, Refund};
use common::id::Id;
use common::time::{DAY_MS, Timestamp};

use super::additions::{self, Addition};
use super::carried::greatest;
use super::content::Content;
use super::field::{Counter, Field};
use super::order::OrderDoc;
use super::parts::{self, GOODS, Parts, currency_alone, in_named_currency};
use super::returned::{self, ReturnedUnits};
use super::{back, watched};

/// What the bookings depend on beside the document.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The instant after which nothing exists yet.
    pub at: Timestamp,
    /// Up to when the order's customer asked to be forgotten.
    pub customer_redacted: Option<Timestamp>,
    /// The shop's configured currency, for documents that name none.
    pub shop_currency: Currency,
}

/// One amount at one instant.
pub type Booking = (Timestamp, Field, i128);

/// What a document puts into the books.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Booked {
    /// Amounts at instants.
    pub bookings: Vec<Booking>,
    /// The customer's purchase, if it is one.
    pub purchase: Option<(CustomerKey, Timestamp)>,
    /// The checkout that the order completes, and when.
    pub checkout: Option<(Id, Timestamp)>,
    /// The products of the order, each once, with the UTC day it was placed on.
    pub sold: Vec<(i64, Id)>,
    /// Which products came back, by the hour.
    pub back: back::ByHour,
    /// The currencies that the document names.
    pub currencies: Vec<Currency>,
    /// The latest instant in the document.
    pub latest: Option<Timestamp>,
}

/// Books a document.
#[must_use]
pub fn book(doc: &OrderDoc, terms: Terms) -> Booked {
    if doc.deleted.is_some() {
        return Booked::default();
    }
    match doc.last() {
        Some(last) if last.test => Booked::default(),
        Some(last) => Book::new(doc, last, terms).write(),
        None => book_unknown(doc, terms),
    }
}

/// The bookings of a known order on their way into the books.
struct Book<'a> {
    doc: &'a OrderDoc,
    last: &'a Content,
    first: &'a Content,
    terms: Terms,
    additions: Vec<Addition>,
    booked: Booked,
}

impl<'a> Book<'a> {
    fn new(doc: &'a OrderDoc, last: &'a Content, terms: Terms) -> Self {
        let first = doc.first().filter(|first| first.currency == last.currency).unwrap_or(last);
        let additions = additions::of(doc, first, last);
        Self { doc, last, first, terms, additions, booked: Booked::default() }
    }

    fn write(mut self) -> Booked {
        let units =
            returned::of(self.doc, Some((self.first, self.last)), &self.additions, self.terms);
        self.booked.latest = self.latest();
        self.booked.currencies.push(self.last.currency);
        self.paid_currencies();
        if self.last.placed_at > self.terms.at {
            return self.booked;
        }
        self.additions.retain(|addition| addition.at <= self.terms.at);
        if let Some(checkout) = &self.last.checkout {
            self.booked.checkout = Some((checkout.clone(), self.last.placed_at));
        }
        let placed_net = self.sale();
        let sold = placed_net + self.added();
        let reversed = self.reversals(sold);
        self.cohort(sold, reversed, &units);
        self.purchase(placed_net, sold - reversed);
        for run in &units {
            self.put(run.at, Field::returned(run.reason), i128::from(run.count));
            self.put(run.at, Field::money(Counter::ReturnedValue, run.currency), run.value);
        }
        self.booked.bookings.extend(watched::bookings(self.last.placed_at, &units));
        self.booked.back = back::of(self.last.placed_at, &units);
        self.booked.sold = self.sold();
        self.booked
    }

    fn sold(&self) -> Vec<(i64, Id)> {
        let day = self.last.placed_at.ms().div_euclid(DAY_MS);
        let goods = self.last.lines.iter().filter(|line| !line.gift_card && line.quantity > 0);
        let mut sold: Vec<_> =
            goods.filter_map(|line| Some((day, line.product.clone()?))).collect();
        sold.sort_unstable();
        sold.dedup();
        sold
    }

    fn put(&mut self, at: Timestamp, field: Field, amount: i128) {
        if amount != 0 {
            self.booked.bookings.push((at, field, amount));
        }
    }

    fn money(&mut self, at: Timestamp, counter: Counter, amount: i128) {
        self.put(at, Field::money(counter, self.last.currency), amount);
    }

    fn latest(&self) -> Option<Timestamp> {
        let refunds = greatest(&self.doc.refunds, |refund| &refund.id).map(|copy| copy.item.at);
        let returns = self.doc.returns.iter().filter_map(super::returns::ReturnDoc::latest_instant);
        let additions = self.additions.iter().map(|addition| addition.at);
        let own = std::iter::once(self.last.placed_at).chain(self.last.cancelled_at);
        own.chain(refunds).chain(returns).chain(additions).max()
    }

    /// The sale as placed; returns gross sales less discounts.
    fn sale(&mut self) -> i128 {
        let at = self.last.placed_at;
        let (mut units, mut gross, mut discounts) = (0, 0, 0);
        for line in self.first.lines.iter().filter(|line| !line.gift_card) {
            units += i128::from(line.quantity);
            gross += i128::from(line.gross_minor);
            discounts += i128::from(line.discount_minor);
        }
        self.money(at, Counter::Orders, 1);
        self.put(at, Field::plain(Counter::Units), units);
        self.money(at, Counter::Gross, gross);
        self.money(at, Counter::Discounts, discounts);
        self.money(at, Counter::PlacedNet, gross - discounts);
        let extras = parts::of_sale(self.first);
        self.money(at, Counter::Extras, extras.iter().sum());
        gross - discounts
    }

    /// Units added after the order was placed; returns gross sales less discounts.
    fn added(&mut self) -> i128 {
        let mut net = 0;
        for addition in std::mem::take(&mut self.additions) {
            self.put(addition.at, Field::plain(Counter::Units), i128::from(addition.units));
            self.money(addition.at, Counter::Gross, addition.gross);
            self.money(addition.at, Counter::Discounts, addition.discount);
            self.money(addition.at, Counter::Extras, addition.tax);
            net += addition.gross - addition.discount;
            self.additions.push(addition);
        }
        net
    }

    /// Reversals by refunds and cancellation; returns those of goods in the order's currency.
    fn reversals(&mut self, sold: i128) -> i128 {
        let cancelled_at = self.last.cancelled_at.filter(|at| *at <= self.terms.at);
        let mut left = parts::of_sale(self.first);
        left[GOODS] = sold;
        left[1] += self.additions.iter().map(|addition| addition.tax).sum::<i128>();
        let mut refunds: Vec<&Refund> = greatest(&self.doc.refunds, |refund| &refund.id)
            .map(|copy| &copy.item)
            .filter(|refund| refund.at <= self.terms.at)
            .collect();
        refunds.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let mut reversed = 0;
        for refund in refunds {
            let currency = refund.currency.unwrap_or(self.last.currency);
            let mut parts = self.parts_of_refund(refund, currency);
            if cancelled_at.is_some() && currency == self.last.currency {
                for (part, left) in parts.iter_mut().zip(&mut left) {
                    *part = (*part).min(*left).max(0);
                    *left -= *part;
                }
            }
            if currency == self.last.currency {
                reversed += parts[GOODS];
            }
            self.reverse(refund.at, currency, parts);
            self.pay(refund);
        }
        if let Some(at) = cancelled_at {
            self.reverse(at, self.last.currency, left);
            reversed += left[GOODS];
        }
        reversed
    }

    fn reverse(&mut self, at: Timestamp, currency: Currency, parts: Parts) {
        self.put(at, Field::money(Counter::Reversals, currency), parts[GOODS]);
        let extras: i128 = parts[1..].iter().sum();
        self.put(at, Field::money(Counter::Extras, currency), -extras);
    }

    fn parts_of_refund(&self, refund: &Refund, currency: Currency) -> Parts {
        let is_gift = |line: &Id| {
            let find = |content: &Content| {
                content.lines.iter().find(|known| known.id == *line).map(|known| known.gift_card)
            };
            find(self.last).or_else(|| find(self.first)).unwrap_or(false)
        };
        parts::of_refund(refund, (currency, self.last.taxes_included), is_gift)
    }

    fn pay(&mut self, refund: &Refund) {
        for paid in &refund.paid {
            let (currency, amount) = self.paid(refund, paid);
            self.put(refund.at, Field::money(Counter::Refunded, currency), amount);
        }
    }

    /// A transaction in the order's currency, if there is a way to it.
    fn paid(&self, refund: &Refund, paid: &Paid) -> (Currency, i128) {
        let own = self.last.currency;
        let (currency, amount) = in_named_currency(refund, paid, own);
        let rate = self
            .last
            .presentment
            .filter(|rate| currency != own && rate.currency == currency && rate.total_minor > 0);
        match rate {
            Some(rate) => {
                let product = amount * i128::from(rate.shop_total_minor);
                (own, div_half_even(product, i128::from(rate.total_minor)))
            }
            None => (currency, amount),
        }
    }

    fn paid_currencies(&mut self) {
        for copy in greatest(&self.doc.refunds, |refund| &refund.id) {
            for paid in &copy.item.paid {
                let (currency, _) = self.paid(&copy.item, paid);
                if !self.booked.currencies.contains(&currency) {
                    self.booked.currencies.push(currency);
                }
            }
            if let Some(currency) = copy.item.currency
                && !self.booked.currencies.contains(&currency)
            {
                self.booked.currencies.push(currency);
            }
        }
    }

    fn cohort(&mut self, sold: i128, reversed: i128, returned: &[ReturnedUnits]) {
        let at = self.last.placed_at;
        let placed = self.first.lines.iter().filter(|line| !line.gift_card);
        let placed: i128 = placed.map(|line| i128::from(line.quantity)).sum();
        let added: i128 = self.additions.iter().map(|addition| i128::from(addition.units)).sum();
        let back: i128 = returned.iter().map(|run| i128::from(run.count)).sum();
        self.put(at, Field::plain(Counter::CohortUnits), placed + added);
        self.put(at, Field::plain(Counter::CohortReturned), back);
        self.put(at, Field::plain(Counter::CohortReturnedOrders), i128::from(back > 0));
        self.money(at, Counter::CohortSold, sold);
        self.money(at, Counter::CohortNet, sold - reversed);
        let own = returned.iter().filter(|run| run.currency == self.last.currency);
        let value = own.map(|run| run.value).sum();
        self.money(at, Counter::CohortReturnedValue, value);
    }

    fn purchase(&mut self, placed_net: i128, net: i128) {
        let at = self.last.placed_at;
        let free = !self.last.lines.iter().any(|line| line.priced);
        let forgotten = self.terms.customer_redacted.is_some_and(|until| at <= until);
        let withdrawn = self.last.cancelled_at.is_some() || self.doc.anonymous.is_some();
        let Some(customer) = self.last.customer else { return };
        if free || forgotten || withdrawn {
            return;
        }
        self.booked.purchase = Some((customer, at));
        self.put(at, Field::plain(Counter::Purchases), 1);
        self.money(at, Counter::PurchaseNet, net);
        self.money(at, Counter::PurchaseGross, placed_net);
    }
}

/// Refunds and returns of an order that was never seen: figures of their own periods only.
fn book_unknown(doc: &OrderDoc, terms: Terms) -> Booked {
    let mut booked = Booked::default();
    let returns = doc.returns.iter().filter_map(super::returns::ReturnDoc::latest_instant);
    let refunds = greatest(&doc.refunds, |refund| &refund.id).map(|copy| copy.item.at);
    booked.latest = refunds.chain(returns).max();
    let mut put = |at, field, amount| {
        if amount != 0 {
            booked.bookings.push((at, field, amount));
        }
    };
    let mut currencies: Vec<Currency> = Vec::new();
    let mut name = |currency| {
        if !currencies.contains(&currency) {
            currencies.push(currency);
        }
    };
    for copy in greatest(&doc.refunds, |refund| &refund.id) {
        let refund = &copy.item;
        let currency = currency_alone(refund, terms.shop_currency);
        name(currency);
        let known = refund.at <= terms.at;
        if known {
            let parts = parts::of_refund(refund, (currency, false), |_| false);
            put(refund.at, Field::money(Counter::Reversals, currency), parts[GOODS]);
            let extras: i128 = parts[1..].iter().sum();
            put(refund.at, Field::money(Counter::Extras, currency), -extras);
        }
        for paid in &refund.paid {
            let (currency, amount) = in_named_currency(refund, paid, currency);
            name(currency);
            if known {
                put(refund.at, Field::money(Counter::Refunded, currency), amount);
            }
        }
    }
    for run in returned::of(doc, None, &[], terms) {
        put(run.at, Field::returned(run.reason), i128::from(run.count));
        put(run.at, Field::money(Counter::ReturnedValue, run.currency), run.value);
    }
    booked.currencies = currencies;
    booked
}
