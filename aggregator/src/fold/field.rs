//! Counters: what a bucket of an hour, a day or a whole shop adds up.

use common::currency::Currency;
use common::reason::Reason;
use serde::{Deserialize, Serialize};

use crate::window::Window;

/// A counter. Amounts are in minor units of the currency that goes with it.
///
/// "Placed" counters stand at the instant the order was placed, the others at their own instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Counter {
    /// Orders placed, by currency.
    Orders = 1,
    /// Placed: gross sales less discounts as placed.
    PlacedNet = 2,
    /// Placed: net sales of the order so far.
    CohortNet = 3,
    /// Placed: units of the order, additions included.
    CohortUnits = 4,
    /// Placed: units of the order returned so far.
    CohortReturned = 5,
    /// Placed: 1 where any unit was returned.
    CohortReturnedOrders = 6,
    /// Placed: gross sales less discounts, additions included.
    CohortSold = 7,
    /// Placed: value of the units returned so far.
    CohortReturnedValue = 8,
    /// Placed: purchases of identified customers.
    Purchases = 9,
    /// Placed: net sales of those purchases so far.
    PurchaseNet = 10,
    /// Placed: gross sales less discounts as placed, of those purchases.
    PurchaseGross = 11,
    /// Units sold.
    Units = 12,
    /// Gross sales.
    Gross = 13,
    /// Discounts.
    Discounts = 14,
    /// Sales reversals.
    Reversals = 15,
    /// Tax, shipping, duties and fees, less their reversals.
    Extras = 16,
    /// Money paid back.
    Refunded = 17,
    /// Value of returned units.
    ReturnedValue = 18,
    /// Documents that name the currency; in the shop's totals only.
    Currencies = 19,
    /// Customers by their latest purchase.
    Latest = 20,
    /// Customers by their second latest purchase.
    SecondLatest = 21,
    /// Customers with two or more purchases, by their latest.
    LatestRepeat = 22,
    /// Checkouts by start.
    Started = 23,
    /// Completed checkouts by start.
    Completed = 24,
    /// Difference of "active in the preceding window", by window.
    Preceding = 25,
    /// Difference of "active in this and the preceding window", by window.
    Both = 26,
    /// Returned units, by reason.
    Returned = 27,
}

/// A counter with what it is split by: a currency, a reason, a window, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Field(u32);

impl Field {
    /// A counter that is not split.
    #[must_use]
    pub const fn plain(counter: Counter) -> Self {
        Self((counter as u32) << 16)
    }

    /// A counter of a currency.
    #[must_use]
    pub fn money(counter: Counter, currency: Currency) -> Self {
        Self(((counter as u32) << 16) | u32::from(currency.number()))
    }

    /// Returned units with a reason.
    #[must_use]
    pub const fn returned(reason: Reason) -> Self {
        Self(((Counter::Returned as u32) << 16) | reason as u32)
    }

    /// A counter of a rolling window.
    #[must_use]
    pub const fn window(counter: Counter, window: Window) -> Self {
        Self(((counter as u32) << 16) | window as u32)
    }

    /// The number that stands for the counter alone.
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.0 >> 16
    }

    /// The currency of a counter split by currency.
    #[must_use]
    pub fn currency(self) -> Currency {
        Currency::from_number((self.0 & 0xffff) as u16)
    }
}

/// Sums by field, sorted, without zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums(Vec<(Field, i128)>);

impl Sums {
    /// The sum of a field.
    #[must_use]
    pub fn get(&self, field: Field) -> i128 {
        self.0.binary_search_by_key(&field, |entry| entry.0).map_or(0, |at| self.0[at].1)
    }

    /// The sum of a counter over everything it is split by.
    #[must_use]
    pub fn total(&self, counter: Counter) -> i128 {
        let of = |entry: &&(Field, i128)| entry.0.counter() == counter as u32;
        self.0.iter().filter(of).map(|entry| entry.1).sum()
    }

    /// Adds to a field.
    pub fn add(&mut self, field: Field, amount: i128) {
        if amount == 0 {
            return;
        }
        match self.0.binary_search_by_key(&field, |entry| entry.0) {
            Ok(at) => {
                self.0[at].1 += amount;
                if self.0[at].1 == 0 {
                    self.0.remove(at);
                }
            }
            Err(at) => self.0.insert(at, (field, amount)),
        }
    }

    /// Adds all of `other`.
    pub fn add_all(&mut self, other: &Self) {
        for (field, amount) in &other.0 {
            self.add(*field, *amount);
        }
    }

    /// Whether every sum is zero.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every field that is not zero.
    pub fn iter(&self) -> impl Iterator<Item = (Field, i128)> + '_ {
        self.0.iter().copied()
    }
}
