//! Counters: what a bucket of an hour, a day or a whole shop adds up.

use common::currency::Currency;
use common::reason::Reason;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    /// Watched: orders placed.
    WatchedOrders = 28,
    /// Watched: orders of which a first unit came back, by cause.
    WatchedReturns = 29,
    /// The same at the start of the day the order was placed, by cause and the days until then.
    WatchedLags = 30,
}

const PRECEDING: u32 = Counter::Preceding as u32;
const BOTH: u32 = Counter::Both as u32;
const WATCHED_ORDERS: u32 = Counter::WatchedOrders as u32;
const WATCHED_LAGS: u32 = Counter::WatchedLags as u32;

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

    /// A counter that is split by a number.
    #[must_use]
    pub const fn numbered(counter: Counter, split: u16) -> Self {
        Self(((counter as u32) << 16) | split as u32)
    }

    /// What a counter is split by, as a number.
    #[must_use]
    pub const fn split(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// Whether the detector of return spikes watches it; it has buckets of its own then.
    #[must_use]
    pub const fn is_watched(self) -> bool {
        matches!(self.counter(), WATCHED_ORDERS..=WATCHED_LAGS)
    }

    /// The number that stands for the counter alone.
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.0 >> 16
    }

    /// Whether it counts the change from one hour to the next.
    #[must_use]
    pub const fn is_difference(self) -> bool {
        matches!(self.counter(), PRECEDING..=BOTH)
    }

    /// The currency of a counter split by currency.
    #[must_use]
    pub fn currency(self) -> Currency {
        Currency::from_number(self.split())
    }
}

/// Sums by field, sorted, without zeros. In the store they are one run of bytes: every number in as
/// many groups of seven bits as it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
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

impl Serialize for Sums {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut packed = Vec::with_capacity(self.0.len() * 6);
        for (field, amount) in &self.0 {
            // The counter is small, what it is split by is small or nothing.
            pack(field.counter().into(), &mut packed);
            pack(field.split().into(), &mut packed);
            pack(((amount << 1) ^ (amount >> 127)).cast_unsigned(), &mut packed);
        }
        serializer.serialize_bytes(&packed)
    }
}

impl<'de> Deserialize<'de> for Sums {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut packed = <&[u8]>::deserialize(deserializer)?;
        let mut sums = Vec::with_capacity(packed.len() / 4);
        while !packed.is_empty() {
            let cut = || serde::de::Error::custom("sums are cut short");
            sums.push(unpack_sum(&mut packed).ok_or_else(cut)?);
        }
        Ok(Self(sums))
    }
}

/// Appends a number, seven bits to a byte, the lowest first; all bytes but the last have the high bit.
fn pack(mut number: u128, packed: &mut Vec<u8>) {
    while number > 0x7f {
        packed.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    packed.push(number.to_le_bytes()[0]);
}

/// Takes off a field and its sum.
fn unpack_sum(packed: &mut &[u8]) -> Option<(Field, i128)> {
    let counter = u16::try_from(unpack(packed)?).ok()?;
    let split = u16::try_from(unpack(packed)?).ok()?;
    let amount = unpack(packed)?;
    let amount = (amount >> 1).cast_signed() ^ -(amount & 1).cast_signed();
    Some((Field((u32::from(counter) << 16) | u32::from(split)), amount))
}

/// Takes off a number that [`pack`] appended.
fn unpack(packed: &mut &[u8]) -> Option<u128> {
    let mut number = 0;
    for shift in (0..u128::BITS).step_by(7) {
        let (byte, rest) = packed.split_first()?;
        *packed = rest;
        number |= u128::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_as_they_were_written() {
        let mut sums = Sums::default();
        for (at, amount) in
            [1, -1, 63, -64, 64, i128::from(i64::MAX), i128::MIN, i128::MAX].into_iter().enumerate()
        {
            let reason = Reason::ALL[at % Reason::ALL.len()];
            sums.add(Field::returned(reason), amount);
            let currency = ["USD", "EUR", "JPY", "ZWR"][at % 4];
            let currency = Currency::parse(currency).expect("a currency");
            sums.add(Field::money(Counter::Gross, currency), amount / 4);
        }
        let bytes = postcard::to_stdvec(&sums).expect("encodes");
        assert_eq!(postcard::from_bytes::<Sums>(&bytes).expect("decodes"), sums);
    }

    #[test]
    fn numbers_that_are_cut_short_are_none() {
        assert_eq!(unpack(&mut &[0x80, 0x80][..]), None);
        assert!(postcard::from_bytes::<Sums>(&[2, 1, 0]).is_err());
    }
}
