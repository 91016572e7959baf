//! One simulated shop: a queue of what is going to happen, and the deliveries that come of it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::iter::Peekable;

use common::shop::ShopDomain;
use common::time::{DAY_MS, HOUR_MS, Timestamp};

use super::basket::Ids;
use super::body;
use super::calendar::Calendar;
use super::chance::{Chance, real, whole};
use super::customers::Customers;
use super::delivery::{Delivery, DeliveryId};
use super::life::Step;
use super::order::Order;
use super::purchases::{Buyer, Purchase, plan};
use super::shop::Profile;

/// Share of live purchases by customers who never bought before.
const NEW_CUSTOMERS: f64 = 0.52;

/// A shop on its way through time.
pub(super) struct Engine {
    pub(super) profile: Profile,
    pub(super) chance: Chance,
    pub(super) ids: Ids,
    pub(super) customers: Customers,
    /// The instant that documents show for what happens now.
    pub(super) now: Timestamp,
    /// When the most popular product is sold spoilt.
    pub(super) spoilt: Option<(Timestamp, Timestamp)>,
    plan: Peekable<std::vec::IntoIter<Purchase>>,
    queue: BinaryHeap<Reverse<Entry>>,
    orders: HashMap<u32, Tracked>,
    out: VecDeque<Delivery>,
    /// The queue's time: that of the history, and after it one of its own.
    clock: Timestamp,
    until: Timestamp,
    /// Mean time between two purchases.
    gap_ms: f64,
    entries: u64,
    started: u32,
    placed: u32,
    event: DeliveryId,
    /// Steps that the running step has put on the queue for its own order.
    ahead: u32,
}

/// What is going to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// A checkout starts, to be completed or abandoned.
    Begin(Buyer, bool),
    /// The next step of an order.
    Step(u32, Step),
    /// Two accounts become one.
    Merge(u32),
    /// A customer asks to be forgotten.
    Redact(u32),
    /// A live purchase.
    Arrival,
}

/// A task and its time; the entry's number keeps ties in the order they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    at: Timestamp,
    number: u64,
    task: Task,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// An order and how many of its steps are on the queue.
struct Tracked {
    order: Box<Order>,
    steps: u32,
}

impl Engine {
    /// Shop `number` of a simulation, with exactly `orders` orders between two instants.
    pub(super) fn new(
        domain: ShopDomain,
        number: usize,
        seed: u64,
        (from, to): (Timestamp, Timestamp),
        orders: usize,
    ) -> Self {
        let mut chance = Chance::new(seed, number as u64);
        let profile = Profile::new(domain, number, &mut chance);
        // Checkouts start early enough for every order to be placed before the end.
        let last_start = to.plus_ms(-HOUR_MS.min((to.ms() - from.ms()) / 2));
        let calendar = Calendar::new(from, last_start, profile.place.offset_minutes);
        let plan = plan(orders, &calendar, &mut chance);
        let event = DeliveryId::from_bits(chance.bits());
        let days = calendar.days().max(1.0);
        Self {
            ids: Ids { next: profile.first_id },
            profile,
            chance,
            customers: Customers::default(),
            now: from,
            spoilt: None,
            plan: plan.into_iter().peekable(),
            queue: BinaryHeap::new(),
            orders: HashMap::new(),
            out: VecDeque::new(),
            clock: from,
            until: to,
            gap_ms: days * real(DAY_MS) / real(i64::try_from(orders.max(1)).unwrap_or(i64::MAX)),
            entries: 0,
            started: 0,
            placed: 0,
            event,
            ahead: 0,
        }
    }

    /// The next delivery of the history; `None` once its end is reached.
    pub(super) fn next_of_history(&mut self) -> Option<Delivery> {
        loop {
            if let Some(delivery) = self.out.pop_front() {
                return Some(delivery);
            }
            let (at, task) = self.pop(self.until)?;
            self.clock = at;
            self.now = at;
            self.run(task);
        }
    }

    /// Starts the endless stream of purchases that follows the history.
    pub(super) fn go_live(&mut self) {
        self.clock = self.clock.max(self.until);
        self.until = Timestamp::MAX;
        self.later(0.0, Task::Arrival);
    }

    /// The queue's time of what happens next.
    pub(super) fn upcoming(&self) -> Timestamp {
        let queued = self.queue.peek().map(|Reverse(entry)| entry.at);
        if self.out.is_empty() { queued.unwrap_or(Timestamp::MAX) } else { self.clock }
    }

    /// The next live delivery: whatever is next happens at `now`.
    pub(super) fn next_of_live(&mut self, now: Timestamp) -> Option<Delivery> {
        loop {
            if let Some(delivery) = self.out.pop_front() {
                return Some(delivery);
            }
            let (at, task) = self.pop(Timestamp::MAX)?;
            self.clock = at;
            self.now = self.now.max(now);
            self.run(task);
        }
    }

    /// Puts a task on the queue, `delay_ms` from now on.
    pub(super) fn later(&mut self, delay_ms: f64, task: Task) {
        let at = self.clock.plus_ms(whole(delay_ms));
        self.queue.push(Reverse(Entry { at, number: self.entries, task }));
        self.entries += 1;
    }

    /// Puts a step of the order at hand on the queue, between two numbers of hours from now.
    pub(super) fn step_in(&mut self, order: u32, hours: (f64, f64), step: Step) {
        let delay = hours.0 + self.chance.unit() * (hours.1 - hours.0);
        self.ahead += 1;
        self.later(delay * real(HOUR_MS), Task::Step(order, step));
    }

    /// Delivers a body.
    pub(super) fn emit(&mut self, topic: &'static str, body: Vec<u8>) {
        let place = i64::try_from(self.out.len()).unwrap_or(0);
        let delivery = Delivery {
            at: self.now,
            triggered_at: self.now.plus_ms(place),
            topic,
            shop: self.profile.domain.clone(),
            webhook_id: DeliveryId::from_bits(self.chance.bits()),
            event_id: self.event,
            body: body.into(),
        };
        self.out.push_back(delivery);
    }

    /// Delivers the order as it stands now.
    pub(super) fn emit_order(&mut self, topic: &'static str, order: &Order) {
        let body = body::order(&self.profile, order);
        self.emit(topic, body);
    }

    /// The next order's number as customers see it.
    pub(super) fn next_number(&mut self) -> u32 {
        self.placed += 1;
        1000 + self.placed
    }

    /// Begins to follow a new order; its first step is on the queue already.
    pub(super) fn track(&mut self, order: Order, begin: impl FnOnce(&mut Self, u32, &mut Order)) {
        let key = self.started;
        self.started += 1;
        self.with(key, Tracked { order: Box::new(order), steps: 0 }, begin);
    }

    /// The next purchase or queued task that is not after `until`.
    fn pop(&mut self, until: Timestamp) -> Option<(Timestamp, Task)> {
        let queued = self.queue.peek().map(|Reverse(entry)| entry.at);
        let planned = self.plan.peek().map(|purchase| purchase.at);
        let at = queued.unwrap_or(Timestamp::MAX).min(planned.unwrap_or(Timestamp::MAX));
        if at > until || (queued.is_none() && planned.is_none()) {
            return None;
        }
        if planned == Some(at) {
            return self.plan.next().map(|purchase| (at, Task::Begin(purchase.buyer, true)));
        }
        self.queue.pop().map(|Reverse(entry)| (at, entry.task))
    }

    fn run(&mut self, task: Task) {
        self.event = DeliveryId::from_bits(self.chance.bits());
        match task {
            Task::Begin(buyer, completes) => self.begin(buyer, completes),
            Task::Step(key, step) => {
                if let Some(mut tracked) = self.orders.remove(&key) {
                    tracked.steps -= 1;
                    self.with(key, tracked, |engine, key, order| engine.step(key, order, step));
                }
            }
            Task::Merge(customer) => self.merge(customer),
            Task::Redact(customer) => self.redact(customer),
            Task::Arrival => self.arrive(),
        }
    }

    /// Runs a step of an order and forgets the order once no step is left.
    fn with(
        &mut self,
        key: u32,
        mut tracked: Tracked,
        run: impl FnOnce(&mut Self, u32, &mut Order),
    ) {
        self.ahead = 0;
        run(self, key, &mut tracked.order);
        tracked.steps += self.ahead;
        if tracked.steps > 0 {
            self.orders.insert(key, tracked);
        }
    }

    fn merge(&mut self, customer: u32) {
        let Some((from, into)) = self.customers.merge(customer) else { return };
        if self.chance.hit(0.2) {
            let failed = body::merged(&self.profile, from, into, false);
            self.emit("customers/merge", failed);
        }
        let merged = body::merged(&self.profile, from, into, true);
        self.emit("customers/merge", merged);
    }

    fn redact(&mut self, customer: u32) {
        let Some((account, person, orders)) = self.customers.redact(customer) else { return };
        let named = if self.chance.hit(0.5) { orders } else { Vec::new() };
        let body = body::redacted(&self.profile, account, person, &named);
        self.emit("customers/redact", body);
    }

    /// A live purchase, and the next one after it.
    fn arrive(&mut self) {
        let gap = self.chance.exponential(self.gap_ms);
        self.later(gap, Task::Arrival);
        let known = self.customers.len();
        let buyer = if self.chance.hit(0.04) {
            Buyer::Anonymous
        } else if known == 0 || self.chance.hit(NEW_CUSTOMERS) {
            Buyer::Customer(u32::try_from(known).unwrap_or(u32::MAX))
        } else {
            Buyer::Customer(u32::try_from(self.chance.below(known)).unwrap_or(0))
        };
        self.begin(buyer, true);
    }
}
