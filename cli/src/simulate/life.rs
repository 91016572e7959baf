//! The life of an order, from the start of its checkout to its last change.

use super::basket;
use super::body;
use super::chance::real;
use super::comeback::ReturnStep;
use super::customers::Later;
use super::engine::{Engine, Task};
use super::order::{Channel, Contact, Order};
use super::people::Person;
use super::purchases::Buyer;
use common::time::{DAY_MS, HOUR_MS};

/// Chance of one more abandoned checkout for each completed one.
const ABANDONED: f64 = 0.4;

/// Share of the orders with a spoilt unit that come back.
const SPOILT_COMES_BACK: f64 = 0.75;

/// What happens to an order next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The buyer goes on with the checkout.
    Continue,
    /// The checkout becomes an order.
    Place(Option<u32>),
    /// The money arrives.
    Pay,
    /// The goods leave.
    Fulfil,
    /// Staff add units.
    Add,
    /// Staff take units out before they leave.
    Remove,
    /// The order is cancelled.
    Cancel,
    /// Staff change what no figure depends on.
    Retag,
    /// The test flag changes.
    Flip,
    /// The order is deleted.
    Delete,
    /// Shipping is given back.
    RefundShipping,
    /// A little money is given back for goodwill.
    Goodwill,
    /// Goods come back without a return being made.
    RefundGoods,
    /// A return begins.
    StartReturn,
    /// A return goes on: which one, by which plan, at which place of it.
    Return(usize, &'static [ReturnStep], usize),
}

impl Engine {
    /// A checkout starts; a completed one tempts others to start and abandon theirs.
    pub(super) fn begin(&mut self, buyer: Buyer, completes: bool) {
        let (contact, later) = if completes {
            self.customers.buy(buyer, &mut self.ids, &mut self.chance)
        } else {
            (self.passer_by(), Later::Nothing)
        };
        let mut order =
            basket::fill(&self.profile, contact, self.now, &mut self.ids, &mut self.chance);
        if !completes {
            order.channel = Channel::Web;
        }
        let customer = match buyer {
            Buyer::Customer(number) if completes => Some(number),
            Buyer::Customer(_) | Buyer::Anonymous => None,
        };
        self.follow_up(customer, later);
        self.track(order, |engine, key, order| engine.open(key, order, completes, customer));
        while completes && self.chance.hit(ABANDONED) {
            let delay = self.chance.unit() * 8.0 * real(HOUR_MS);
            self.later(delay, Task::Begin(Buyer::Anonymous, false));
        }
    }

    /// One step of an order.
    pub(super) fn step(&mut self, key: u32, order: &mut Order, step: Step) {
        match step {
            Step::Continue => {
                let checkout = body::checkout(&self.profile, order, self.now, None);
                self.emit("checkouts/update", checkout);
            }
            Step::Place(customer) => self.place(key, order, customer),
            Step::Pay => {
                order.paid = true;
                self.change("orders/paid", order);
            }
            Step::Fulfil => self.fulfil(key, order),
            Step::Add => self.add(order),
            Step::Remove => self.remove(order),
            Step::Cancel => self.cancel(order),
            Step::Retag => {
                order.tags = "vip, wholesale";
                self.change("orders/updated", order);
            }
            Step::Flip => {
                order.test = !order.test;
                self.change("orders/updated", order);
            }
            Step::Delete => {
                let deleted = body::deleted(&self.profile, order);
                self.emit("orders/delete", deleted);
            }
            Step::RefundShipping => self.refund_shipping(order),
            Step::Goodwill => self.refund_goodwill(order),
            Step::RefundGoods => self.refund_goods(order),
            Step::StartReturn => self.start_return(key, order),
            Step::Return(index, plan, place) => self.go_on(key, order, index, (plan, place)),
        }
    }

    /// Marks the order as changed and delivers it.
    pub(super) fn change(&mut self, topic: &'static str, order: &mut Order) {
        order.updated_at = self.now;
        self.emit_order(topic, order);
    }

    /// Somebody who will not buy.
    fn passer_by(&mut self) -> Contact {
        if self.chance.hit(0.5) {
            return Contact::Nobody;
        }
        let number = self.chance.range(1_000_000, 9_000_000);
        Contact::Guest(Person(u32::try_from(number).unwrap_or(0)))
    }

    fn follow_up(&mut self, customer: Option<u32>, later: Later) {
        let Some(customer) = customer else { return };
        let days = self.chance.unit() * real(DAY_MS);
        match later {
            Later::Nothing => {}
            Later::Merge => self.later(real(DAY_MS) + 20.0 * days, Task::Merge(customer)),
            Later::Redact => self.later(30.0 * real(DAY_MS) + 90.0 * days, Task::Redact(customer)),
        }
    }

    /// The start of a checkout, or of an order that has none.
    fn open(&mut self, key: u32, order: &mut Order, completes: bool, customer: Option<u32>) {
        if order.channel != Channel::Web {
            self.place(key, order, customer);
            return;
        }
        let checkout = body::checkout(&self.profile, order, self.now, None);
        self.emit("checkouts/create", checkout);
        if self.chance.hit(0.4) {
            self.step_in(key, (0.01, 0.03), Step::Continue);
        }
        if completes {
            self.step_in(key, (0.035, 0.7), Step::Place(customer));
        }
    }

    /// The order is placed; what will become of it is decided here.
    fn place(&mut self, key: u32, order: &mut Order, customer: Option<u32>) {
        order.id = self.ids.take();
        order.number = self.next_number();
        order.placed_at = self.now;
        if let Some(customer) = customer {
            self.customers.note(customer, order.id);
        }
        if order.channel == Channel::Web {
            let checkout = body::checkout(&self.profile, order, self.now, Some(self.now));
            self.emit("checkouts/update", checkout);
        }
        self.change("orders/create", order);
        if order.test {
            self.step_in(key, (0.001, 0.002), Step::Pay);
            match self.chance.weighted(&[50, 25, 25]) {
                0 => {}
                1 => self.step_in(key, (1.0, 30.0), Step::Flip),
                _ => self.step_in(key, (24.0, 100.0), Step::Delete),
            }
            return;
        }
        match self.chance.weighted(&[950, 40, 10]) {
            0 => self.step_in(key, (0.0006, 0.002), Step::Pay),
            1 => self.step_in(key, (24.0, 90.0), Step::Pay),
            _ => {
                self.step_in(key, (110.0, 130.0), Step::Cancel);
                return;
            }
        }
        match self.chance.weighted(&[9560, 240, 160, 20, 20]) {
            1 if order.channel != Channel::Pos => {
                return self.step_in(key, (1.0, 30.0), Step::Cancel);
            }
            2 => {
                let step = if self.chance.hit(0.6) { Step::Add } else { Step::Remove };
                self.step_in(key, (0.5, 8.0), step);
            }
            3 => return self.step_in(key, (1.0, 40.0), Step::Flip),
            4 => return self.step_in(key, (24.0, 200.0), Step::Delete),
            _ => {}
        }
        let hours = if order.channel == Channel::Pos { (0.002, 0.003) } else { (10.0, 72.0) };
        self.step_in(key, hours, Step::Fulfil);
        if self.chance.hit(0.08) {
            self.step_in(key, (1.0, 480.0), Step::Retag);
        }
    }

    /// The goods leave; some will come back.
    fn fulfil(&mut self, key: u32, order: &mut Order) {
        order.fulfilled_at = Some(self.now);
        self.change("orders/fulfilled", order);
        if self.is_spoilt(order) && self.chance.hit(SPOILT_COMES_BACK) {
            return self.step_in(key, (24.0, 96.0), Step::StartReturn);
        }
        if self.chance.hit(0.5) {
            self.change("orders/updated", order);
        }
        let keeps: f64 = order
            .lines
            .iter()
            .flat_map(|line| {
                let returns = self.profile.products[line.product].returns;
                std::iter::repeat_n(1.0 - f64::from(returns) / 1000.0, line.free() as usize)
            })
            .product();
        if self.chance.hit(1.1 * (1.0 - keeps)) {
            let days = if self.chance.hit(0.12) { (30.0, 80.0) } else { (3.0, 24.0) };
            let step = if self.chance.hit(0.22) { Step::RefundGoods } else { Step::StartReturn };
            self.step_in(key, (days.0 * 24.0, days.1 * 24.0), step);
        }
        if self.chance.hit(0.01) {
            self.step_in(key, (24.0, 240.0), Step::RefundShipping);
        }
        if self.chance.hit(0.015) {
            self.step_in(key, (48.0, 480.0), Step::Goodwill);
        }
    }

    /// Whether the order holds a unit that was sold spoilt.
    pub(super) fn is_spoilt(&self, order: &Order) -> bool {
        let popularity = &self.profile.popularity;
        let most = (0..popularity.len()).max_by_key(|product| popularity[*product]);
        self.spoilt.is_some_and(|(from, to)| from <= order.placed_at && order.placed_at < to)
            && order.lines.iter().any(|line| Some(line.product) == most)
    }

    /// Staff add a unit of a line, or a line.
    fn add(&mut self, order: &mut Order) {
        let grown = self.chance.below(order.lines.len());
        let (index, units) = if self.chance.hit(0.5) || order.lines[grown].gift_card {
            let line = basket::choose(&self.profile, false, &mut self.ids, &mut self.chance);
            let units = line.quantity;
            order.lines.push(line);
            (order.lines.len() - 1, units)
        } else {
            order.lines[grown].quantity += 1;
            (grown, 1)
        };
        order.lines[index].set_tax(self.profile.place);
        self.edited(order, &[(order.lines[index].id, units)], &[]);
        self.change("orders/updated", order);
    }

    /// Staff take a unit out: a refund whose goods never left.
    fn remove(&mut self, order: &mut Order) {
        let free: Vec<usize> =
            (0..order.lines.len()).filter(|i| order.lines[*i].free() > 0).collect();
        let Some(index) = free.get(self.chance.below(free.len())).copied() else { return };
        let line = order.lines[index].id;
        self.edited(order, &[], &[(line, 1)]);
        self.give_back(order, &[(index, 1)], "cancel", false, None);
        self.change("orders/updated", order);
    }

    fn edited(&mut self, order: &Order, additions: &[(u64, u32)], removals: &[(u64, u32)]) {
        let edit = self.ids.take();
        let body = body::edited(&self.profile, order, edit, self.now, (additions, removals));
        self.emit("orders/edited", body);
    }

    /// The order is cancelled: with all, some or none of its refund recorded.
    fn cancel(&mut self, order: &mut Order) {
        let reasons = ["customer", "inventory", "fraud", "declined", "other"];
        let reason = *self.chance.pick(&reasons);
        order.cancelled = Some((self.now, reason));
        order.updated_at = self.now;
        if order.paid {
            let all: Vec<(usize, u32)> =
                order.lines.iter().enumerate().map(|(i, line)| (i, line.free())).collect();
            match self.chance.weighted(&[70, 15, 15]) {
                0 => self.give_back(order, &all, "cancel", true, None),
                1 => self.give_back(order, &all[..1], "cancel", false, None),
                _ => {}
            }
        }
        self.change("orders/cancelled", order);
        self.change("orders/updated", order);
    }
}
