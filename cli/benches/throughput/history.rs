//! A history of shops as the receiver would have written it: events in the order of their instants.
//!
//! It is drawn from a counter by a mixing function, so that every run folds the same events. What an
//! order goes through is in [`life`](super::life).

use std::collections::BinaryHeap;

use anyhow::Context as _;
use common::currency::Currency;
use common::customer::CustomerKey;
use common::event::{Body, CustomersMerged, Event};
use common::shop::ShopDomain;
use common::time::{DAY_MS, Timestamp};

use super::life::{Plan, live};

/// When every history ends: the present of whoever asks about it.
pub const END: Timestamp = Timestamp::from_seconds(1_767_225_600);
/// How long a history is.
const LENGTH_MS: i64 = 2 * 365 * DAY_MS;
/// How likely a customer of an order has bought before.
const RETURNING: f64 = 0.45;
/// How likely a buyer leaves no name.
const ANONYMOUS: f64 = 0.05;
/// How likely an order is followed by a merge of two customers.
const MERGED: f64 = 0.002;

/// Events of shops, one after the other.
pub struct History {
    random: Random,
    currency: Currency,
    shops: Vec<Customers>,
    orders: u64,
    placed: u64,
    sequence: u64,
    pending: BinaryHeap<Pending>,
}

/// A shop and how many customers it has.
struct Customers {
    shop: ShopDomain,
    number: u64,
    known: u64,
}

struct Pending {
    at: Timestamp,
    sequence: u64,
    event: Event,
}

impl History {
    /// `orders` orders of `shops` shops, the first of which sell the most.
    pub fn new(shops: u64, orders: u64) -> anyhow::Result<Self> {
        let shops = (0..shops).map(|number| {
            let shop = ShopDomain::parse(&format!("shop-{number}.myshopify.com"))?;
            Ok(Customers { shop, number, known: 0 })
        });
        Ok(Self {
            random: Random(7),
            currency: Currency::parse("USD")?,
            shops: shops.collect::<Result<_, common::shop::BadShop>>().context("a bad shop")?,
            orders,
            placed: 0,
            sequence: 0,
            pending: BinaryHeap::new(),
        })
    }

    /// The shop that sells the most.
    pub fn largest(&self) -> Option<&ShopDomain> {
        self.shops.first().map(|customers| &customers.shop)
    }

    /// When the next order is placed; `None` once all are.
    fn next_order_at(&self) -> Option<Timestamp> {
        let part = i128::from(self.placed) * i128::from(LENGTH_MS) / i128::from(self.orders.max(1));
        let at = END.plus_ms(i64::try_from(part).unwrap_or(LENGTH_MS) - LENGTH_MS);
        (self.placed < self.orders).then_some(at)
    }

    fn place(&mut self, placed_at: Timestamp) {
        self.placed += 1;
        let random = &mut self.random;
        let shops = self.shops.len() as u64;
        let chosen = random.below(shops).min(random.below(shops));
        let Some(customers) = self.shops.get_mut(usize::try_from(chosen).unwrap_or(0)) else {
            return;
        };
        let plan = Plan {
            id: 5_000_000_000_000 + self.placed * 32,
            placed_at,
            currency: self.currency,
            customer: customers.next(random),
        };
        let merge = (random.chance(MERGED) && customers.known > 1).then(|| CustomersMerged {
            from: customers.key(random.below(customers.known)),
            into: customers.key(random.below(customers.known)),
        });
        let shop = customers.shop.clone();
        let mut steps = live(&plan, random);
        steps.extend(merge.map(|merge| (placed_at.plus_ms(1), Body::CustomersMerged(merge))));
        for (at, body) in steps {
            if at >= END {
                continue;
            }
            self.sequence += 1;
            let mut event =
                Event::new(shop.clone(), "shopify", at, Some(at), at.plus_ms(900), body);
            let delivery = format!("b54557e4-bdd9-4b37-8a5f-{:012x}", self.sequence);
            event.delivery_id = Some(delivery.into());
            event.topic = topic(&event.body).map(Into::into);
            self.pending.push(Pending { at, sequence: self.sequence, event });
        }
    }
}

/// The topic that brings such a body most often.
fn topic(body: &Body) -> Option<&'static str> {
    let topics = [
        ("order", "orders/updated"),
        ("refund", "refunds/create"),
        ("return", "returns/approve"),
        ("checkout", "checkouts/create"),
        ("customers_merged", "customers/merge"),
    ];
    topics.into_iter().find(|(kind, _)| *kind == body.kind()).map(|(_, topic)| topic)
}

impl Iterator for History {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while let Some(at) = self.next_order_at() {
            // An order's checkout begins before it, so orders are placed a little ahead of the events.
            let due = self.pending.peek().is_some_and(|first| first.at < at.plus_ms(-DAY_MS / 24));
            if due {
                break;
            }
            self.place(at);
        }
        self.pending.pop().map(|pending| pending.event)
    }
}

impl Customers {
    /// Who buys next.
    fn next(&mut self, random: &mut Random) -> Option<CustomerKey> {
        if random.chance(ANONYMOUS) {
            return None;
        }
        if self.known > 0 && random.chance(RETURNING) {
            return Some(self.key(random.below(self.known)));
        }
        self.known += 1;
        Some(self.key(self.known - 1))
    }

    fn key(&self, number: u64) -> CustomerKey {
        let high = mixed(self.number.wrapping_mul(0x5851_f42d) ^ (number << 8));
        let key = (u128::from(high) << 64) | u128::from(mixed(high ^ number));
        CustomerKey::from_bytes(key.to_be_bytes())
    }
}

impl Ord for Pending {
    /// The earliest is the greatest, so that the heap gives it first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Pending {}

/// Splitmix64: numbers that look random and are the same in every run.
pub struct Random(u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: u64) -> u64 {
        self.bits() % end.max(1)
    }

    /// True in `part` of all cases.
    pub fn chance(&mut self, part: f64) -> bool {
        const STEPS: u32 = 1 << 20;
        f64::from((self.bits() >> 44) as u32) < part * f64::from(STEPS)
    }
}

fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
