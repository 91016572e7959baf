//! The layout of state keys: shop, a zero byte, the kind, then the domain id.
//!
//! Keys sort so that everything of a shop is one range, and everything of a kind within it another.

use common::customer::CustomerKey;
use common::id::Id;
use common::shop::ShopDomain;
use common::store::prefix_end;
use common::time::Timestamp;

/// What a key holds. The byte is part of the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Products that came back, by the hour in which they did.
    Back = b'B',
    /// A customer class, or an alias of one.
    Customer = b'C',
    /// A chunk of a long list of orders.
    Chunk = b'L',
    /// Counters of a shop-local day.
    Day = b'D',
    /// Counters of the hours of a UTC day.
    Hours = b'H',
    /// A checkout.
    Checkout = b'K',
    /// An order.
    Order = b'O',
    /// Orders of a product by day.
    Sold = b'P',
    /// Which order a return belongs to.
    Return = b'R',
    /// The shop itself.
    Shop = b'S',
    /// Young checkouts by the hour they were started in.
    Young = b'T',
    /// What is watched for return spikes, in the hours of a UTC day.
    Watched = b'W',
    /// Documents that hold an instant yet to come, by the latest one.
    Ahead = b'X',
}

/// The keys of one shop.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: Vec<u8>,
}

impl Keys {
    /// The keys of `shop`.
    #[must_use]
    pub fn new(shop: &ShopDomain) -> Self {
        let mut prefix = Vec::with_capacity(shop.as_str().len() + 1);
        prefix.extend_from_slice(shop.as_str().as_bytes());
        prefix.push(0);
        Self { prefix }
    }

    fn start(&self, kind: Kind) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.prefix.len() + 26);
        key.extend_from_slice(&self.prefix);
        key.push(kind as u8);
        key
    }

    /// The shop's own document.
    #[must_use]
    pub fn shop(&self) -> Vec<u8> {
        self.start(Kind::Shop)
    }

    /// A document by id: order, checkout or return.
    #[must_use]
    pub fn document(&self, kind: Kind, id: &Id) -> Vec<u8> {
        let mut key = self.start(kind);
        id.encode_key(&mut key);
        key
    }

    /// A customer.
    #[must_use]
    pub fn customer(&self, customer: CustomerKey) -> Vec<u8> {
        let mut key = self.start(Kind::Customer);
        key.extend_from_slice(customer.as_bytes());
        key
    }

    /// A chunk of a customer's orders.
    #[must_use]
    pub fn chunk(&self, owner: CustomerKey, number: u32) -> Vec<u8> {
        let mut key = self.start(Kind::Chunk);
        key.extend_from_slice(owner.as_bytes());
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    /// A document by the number of its hour or day.
    #[must_use]
    pub fn bucket(&self, kind: Kind, number: i64) -> Vec<u8> {
        let mut key = self.start(kind);
        key.extend_from_slice(&sortable(number));
        key
    }

    /// An entry of the index of what is dated ahead: an instant, then a document.
    #[must_use]
    pub fn ahead(&self, at: Timestamp, document: Kind, id: &Id) -> Vec<u8> {
        let mut key = self.start(Kind::Ahead);
        key.extend_from_slice(&sortable(at.ms()));
        key.push(document as u8);
        id.encode_key(&mut key);
        key
    }

    /// The range of that index after `at`.
    #[must_use]
    pub fn ahead_of(&self, at: Timestamp) -> (Vec<u8>, Vec<u8>) {
        let start = self.start(Kind::Ahead);
        let end = prefix_end(&start);
        let mut from = start;
        from.extend_from_slice(&sortable(at.ms().saturating_add(1)));
        (from, end)
    }

    /// A young checkout: the hour it was started in, then its id.
    #[must_use]
    pub fn young(&self, hour: i64, id: &Id) -> Vec<u8> {
        self.numbered(Kind::Young, hour, id)
    }

    /// Orders of a product in a block of days.
    #[must_use]
    pub fn sold(&self, block: i64, product: &Id) -> Vec<u8> {
        self.numbered(Kind::Sold, block, product)
    }

    /// What came back of an order in an hour: the hour, then the order's id.
    #[must_use]
    pub fn back(&self, hour: i64, order: &Id) -> Vec<u8> {
        self.numbered(Kind::Back, hour, order)
    }

    /// A document by a number, then by an id.
    fn numbered(&self, kind: Kind, number: i64, id: &Id) -> Vec<u8> {
        let mut key = self.bucket(kind, number);
        id.encode_key(&mut key);
        key
    }

    /// The number and the id of such a key.
    #[must_use]
    pub fn read_numbered(&self, key: &[u8]) -> Option<(i64, Id)> {
        let (number, id) = self.tail(key).split_first_chunk()?;
        Some((unsortable(*number), Id::decode_key(id)?))
    }

    /// The range of a kind's documents by number, from `from` to `to`, both included.
    #[must_use]
    pub fn buckets(&self, kind: Kind, from: i64, to: i64) -> (Vec<u8>, Vec<u8>) {
        (self.bucket(kind, from), self.bucket(kind, to.saturating_add(1)))
    }

    /// The range of everything of a kind.
    #[must_use]
    pub fn all(&self, kind: Kind) -> (Vec<u8>, Vec<u8>) {
        let start = self.start(kind);
        let end = prefix_end(&start);
        (start, end)
    }

    /// The range of everything of the shop.
    #[must_use]
    pub fn everything(&self) -> (Vec<u8>, Vec<u8>) {
        (self.prefix.clone(), prefix_end(&self.prefix))
    }

    /// What follows shop and kind in `key`.
    #[must_use]
    pub fn tail<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        key.get(self.prefix.len() + 1..).unwrap_or_default()
    }

    /// The document that a key of the index of what is dated ahead names.
    #[must_use]
    pub fn read_ahead(&self, key: &[u8]) -> Option<(u8, Id)> {
        let (kind, id) = self.tail(key).get(8..)?.split_first()?;
        Some((*kind, Id::decode_key(id)?))
    }

    /// The number of a bucket's key.
    #[must_use]
    pub fn read_bucket(&self, key: &[u8]) -> Option<i64> {
        self.tail(key).try_into().ok().map(unsortable)
    }
}

/// Splits any state key into shop, kind and the rest; `None` where it is none.
#[must_use]
pub fn split(key: &[u8]) -> Option<(&str, u8, &[u8])> {
    let zero = key.iter().position(|byte| *byte == 0)?;
    let shop = std::str::from_utf8(&key[..zero]).ok()?;
    let (kind, rest) = key[zero + 1..].split_first()?;
    Some((shop, *kind, rest))
}

/// Eight bytes that sort as the number does.
fn sortable(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The number that [`sortable`] made `bytes` of.
fn unsortable(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_bytes() {
        for pair in [i64::MIN, -5, -1, 0, 1, 7, i64::MAX].windows(2) {
            assert!(sortable(pair[0]) < sortable(pair[1]));
            assert_eq!(unsortable(sortable(pair[0])), pair[0]);
        }
    }

    #[test]
    fn keys_come_apart_again() {
        let keys = Keys::new(&ShopDomain::parse("a.example").expect("a shop"));
        let key = keys.ahead(Timestamp::from_ms(-3), Kind::Order, &Id::Number(7));
        assert_eq!(keys.read_ahead(&key), Some((b'O', Id::Number(7))));
        let (from, to) = keys.ahead_of(Timestamp::from_ms(-4));
        assert!(from <= key && key < to);
        assert!(key < keys.ahead_of(Timestamp::from_ms(-3)).0);
        let key = keys.bucket(Kind::Hours, -9);
        assert_eq!(keys.read_bucket(&key), Some(-9));
        assert_eq!(split(&key).map(|(shop, kind, _)| (shop, kind)), Some(("a.example", b'H')));
    }
}
