//! The streams: a span of the past of several shops, and the live traffic that goes on from it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use common::clock::Clock;
use common::shop::ShopDomain;
use common::time::Timestamp;

use super::delivery::Delivery;
use super::engine::Engine;

/// What a history is made from; the same plan gives the same deliveries, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed of all chance.
    pub seed: u64,
    /// The shops; each has a stream of chance of its own, by its place in the list.
    pub shops: Vec<ShopDomain>,
    /// Where the history begins.
    pub from: Timestamp,
    /// Where it ends; nothing is later.
    pub to: Timestamp,
    /// Orders of each shop in between, exactly.
    pub orders: usize,
    /// What is sold of each shop's most popular product between these instants is spoilt: most of it
    /// comes back within days.
    pub spoilt: Option<(Timestamp, Timestamp)>,
}

/// The deliveries of a plan in time order.
pub struct History {
    shops: Vec<Engine>,
    /// Each shop's next delivery.
    ready: Vec<Option<Delivery>>,
    /// Which shop's is first.
    first: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

/// Endless live traffic: whatever happens next happens when it is asked for.
pub struct Live<C> {
    shops: Vec<Engine>,
    clock: C,
}

/// The deliveries of `plan` in time order.
#[must_use]
pub fn history(plan: &Plan) -> History {
    let shops = (0..plan.shops.len()).filter_map(|number| engine(plan, number)).collect();
    History::new(shops)
}

/// The deliveries of one shop of `plan`: what [`history`] holds of that shop, at a shop's cost.
#[must_use]
pub fn history_of(plan: &Plan, number: usize) -> History {
    History::new(engine(plan, number).into_iter().collect())
}

/// Live traffic that goes on where `history` ends: its customers come back, its returns arrive. The
/// caller's pace is the shops' pace; documents show the clock's time.
pub fn live<C: Clock>(mut history: History, clock: C) -> Live<C> {
    for delivery in history.by_ref() {
        drop(delivery);
    }
    for shop in &mut history.shops {
        shop.go_live();
    }
    Live { shops: history.shops, clock }
}

fn engine(plan: &Plan, number: usize) -> Option<Engine> {
    let domain = plan.shops.get(number)?.clone();
    let mut engine = Engine::new(domain, number, plan.seed, (plan.from, plan.to), plan.orders);
    engine.spoilt = plan.spoilt;
    Some(engine)
}

impl History {
    fn new(shops: Vec<Engine>) -> Self {
        let ready = shops.iter().map(|_| None).collect();
        let mut history = Self { shops, ready, first: BinaryHeap::new() };
        for number in 0..history.shops.len() {
            history.refill(number);
        }
        history
    }

    fn refill(&mut self, number: usize) {
        if let Some(delivery) = self.shops[number].next_of_history() {
            self.first.push(Reverse((delivery.at, number)));
            self.ready[number] = Some(delivery);
        }
    }
}

impl Iterator for History {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        let Reverse((_, number)) = self.first.pop()?;
        let delivery = self.ready[number].take();
        self.refill(number);
        delivery
    }
}

impl<C: Clock> Iterator for Live<C> {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        let now = self.clock.now();
        self.shops.iter_mut().min_by_key(|shop| shop.upcoming())?.next_of_live(now)
    }
}
