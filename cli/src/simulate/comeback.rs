//! What comes back: refunds of every kind, and returns from request to close.

use super::body::{self, ReturnTopic};
use super::engine::Engine;
use super::life::Step;
use super::order::{Order, Refund, RefundLine, Return, ReturnLine};
use super::reasons;

/// A place in a return's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReturnStep {
    /// The buyer asks.
    Request,
    /// Staff agree, or start it themselves.
    Approve,
    /// Staff refuse.
    Decline,
    /// It is called off.
    Cancel,
    /// A unit is taken out of it.
    Shrink,
    /// The money goes back.
    Refund,
    /// It is done.
    Close,
    /// It is not done after all.
    Reopen,
}

use ReturnStep::{Approve, Cancel, Close, Decline, Refund as Pay, Reopen, Request, Shrink};

/// The ways that returns go, with their weights.
const PLANS: [(&[ReturnStep], u32); 8] = [
    (&[Request, Approve, Pay, Close], 56),
    (&[Request, Approve, Close, Pay], 8),
    (&[Approve, Close, Pay], 6),
    (&[Approve, Close], 4),
    (&[Request, Decline], 8),
    (&[Request, Approve, Cancel], 7),
    (&[Request, Approve, Close, Reopen, Pay, Close], 4),
    (&[Request], 2),
];
/// The way of what was sold spoilt.
const SPOILT: &[ReturnStep] = &[Approve, Close];
/// The way of some returns of several units.
const SHRINKING: &[ReturnStep] = &[Request, Approve, Shrink, Pay, Close];

impl Engine {
    /// A return begins with the units that come back.
    pub(super) fn start_return(&mut self, key: u32, order: &mut Order) {
        let picks = self.pick(order);
        if picks.is_empty() {
            return;
        }
        let spoilt = self.is_spoilt(order);
        let lines = picks.iter().map(|(line, quantity)| {
            order.lines[*line].claimed += quantity;
            let kind = self.profile.products[order.lines[*line].product].kind;
            let reason =
                if spoilt { reasons::defective() } else { reasons::choose(kind, &mut self.chance) };
            ReturnLine { id: self.ids.take(), line: *line, quantity: *quantity, reason }
        });
        let lines = lines.collect();
        let id = self.ids.take();
        order.returns.push(Return {
            id,
            status: "requested",
            created_at: self.now,
            closed_at: None,
            lines,
        });
        let units: u32 = picks.iter().map(|(_, quantity)| quantity).sum();
        let plan = if spoilt {
            SPOILT
        } else if units > 1 && self.chance.hit(0.2) {
            SHRINKING
        } else {
            PLANS[self.chance.weighted(&PLANS.map(|(_, weight)| weight))].0
        };
        self.go_on(key, order, order.returns.len() - 1, (plan, 0));
    }

    /// One step of a return, and the next one's time.
    pub(super) fn go_on(
        &mut self,
        key: u32,
        order: &mut Order,
        index: usize,
        (plan, place): (&'static [ReturnStep], usize),
    ) {
        match plan[place] {
            Request => self.state(order, index, "requested", "returns/request"),
            Approve => self.state(order, index, "open", "returns/approve"),
            Decline => {
                release(order, index);
                self.state(order, index, "declined", "returns/decline");
            }
            Cancel => {
                release(order, index);
                self.state(order, index, "canceled", "returns/cancel");
            }
            Shrink => self.shrink(order, index),
            Pay => {
                let item = &order.returns[index];
                let picks: Vec<(usize, u32)> =
                    item.lines.iter().map(|line| (line.line, line.quantity)).collect();
                let settles = Some(item.id);
                self.give_back(order, &picks, "return", false, settles);
                self.change("orders/updated", order);
            }
            Close => {
                order.returns[index].closed_at = Some(self.now);
                self.state(order, index, "closed", "returns/close");
            }
            Reopen => {
                order.returns[index].closed_at = None;
                self.state(order, index, "open", "returns/reopen");
            }
        }
        let Some(next) = plan.get(place + 1) else { return };
        let hours = match next {
            Request => (1.0, 2.0),
            Approve | Shrink => (1.0, 40.0),
            Decline | Reopen | Close => (12.0, 48.0),
            Cancel => (20.0, 150.0),
            Pay => (72.0, 290.0),
        };
        self.step_in(key, hours, Step::Return(index, plan, place + 1));
    }

    /// Goods come back without a return.
    pub(super) fn refund_goods(&mut self, order: &mut Order) {
        let picks = self.pick(order);
        let shipping = self.chance.hit(0.1);
        if !picks.is_empty() {
            let restock = *self.chance.pick(&["return", "return", "return", "no_restock"]);
            self.give_back(order, &picks, restock, shipping, None);
            self.change("orders/updated", order);
        }
    }

    /// Shipping is given back.
    pub(super) fn refund_shipping(&mut self, order: &mut Order) {
        if order.shipping.net() > 0 && !order.shipping.refunded {
            self.give_back(order, &[], "no_restock", true, None);
            self.change("orders/updated", order);
        }
    }

    /// A little money without goods.
    pub(super) fn refund_goodwill(&mut self, order: &mut Order) {
        let place = self.profile.place;
        let amount = (order.total(place) - order.paid_back()) / 10;
        if amount > 0 {
            let refund = self.refund(order, Vec::new(), (0, 0), amount, amount);
            order.refunds.push(refund);
            self.deliver_refund(order);
            self.change("orders/updated", order);
        }
    }

    /// Records and delivers a refund of units, with or without shipping.
    pub(super) fn give_back(
        &mut self,
        order: &mut Order,
        picks: &[(usize, u32)],
        restock: &'static str,
        with_shipping: bool,
        settles: Option<u64>,
    ) {
        let mut lines = Vec::new();
        for (index, quantity) in picks.iter().filter(|(_, quantity)| *quantity > 0) {
            let line = &mut order.lines[*index];
            let (subtotal, tax) = line.share(*quantity);
            line.refunded += quantity;
            if settles.is_some() {
                line.claimed = line.claimed.saturating_sub(*quantity);
            }
            let id = self.ids.take();
            lines.push(RefundLine {
                id,
                line: *index,
                quantity: *quantity,
                subtotal,
                tax,
                restock,
            });
        }
        let shipping = if with_shipping && !order.shipping.refunded {
            order.shipping.refunded = true;
            (order.shipping.net(), order.shipping.tax)
        } else {
            (0, 0)
        };
        let goods: i64 = lines.iter().map(|line| line.subtotal).sum();
        let tax: i64 = lines.iter().map(|line| line.tax).sum::<i64>() + shipping.1;
        let tax = if self.profile.place.taxes_included { 0 } else { tax };
        let paid = if order.paid { goods + shipping.0 + tax } else { 0 };
        let mut refund = self.refund(order, lines, shipping, 0, paid);
        refund.settles = settles;
        if settles.is_some() {
            refund.note = None;
        }
        order.refunds.push(refund);
        order.updated_at = self.now;
        self.deliver_refund(order);
    }

    fn refund(
        &mut self,
        order: &Order,
        lines: Vec<RefundLine>,
        (shipping, shipping_tax): (i64, i64),
        goodwill: i64,
        paid: i64,
    ) -> Refund {
        let left = (order.total(self.profile.place) - order.paid_back()).max(0);
        Refund {
            id: self.ids.take(),
            at: self.now,
            lines,
            shipping,
            shipping_tax,
            goodwill,
            paid: paid.min(left),
            transaction: self.ids.take(),
            note: reasons::note(&mut self.chance),
            settles: None,
        }
    }

    fn deliver_refund(&mut self, order: &Order) {
        if let Some(refund) = order.refunds.last() {
            let body = body::refund(&self.profile, order, refund);
            self.emit("refunds/create", body);
        }
    }

    /// Changes a return's state and delivers it, now and then with its order.
    fn state(
        &mut self,
        order: &mut Order,
        index: usize,
        status: &'static str,
        topic: &'static str,
    ) {
        let shape = match topic {
            "returns/request" | "returns/approve" => ReturnTopic::Full,
            "returns/decline" => ReturnTopic::Decline,
            _ => ReturnTopic::Status,
        };
        order.returns[index].status = status;
        let body = body::returned(&self.profile, order, &order.returns[index], shape);
        self.emit(topic, body);
        if self.chance.hit(0.4) {
            self.change("orders/updated", order);
        }
    }

    /// Takes a unit out of the return's last line, which may thereby vanish from it.
    fn shrink(&mut self, order: &mut Order, index: usize) {
        let item = &mut order.returns[index];
        let Some(line) = item.lines.last_mut() else { return };
        line.quantity -= 1;
        order.lines[line.line].claimed -= 1;
        let id = line.id;
        item.lines.retain(|line| line.quantity > 0);
        let body = body::removed(&self.profile, &order.returns[index], id, 1);
        self.emit("returns/update", body);
    }

    /// Units that come back: each by its product's tendency, at least one.
    fn pick(&mut self, order: &Order) -> Vec<(usize, u32)> {
        let mut picks = Vec::new();
        let mut weights = vec![0; order.lines.len()];
        for (index, line) in order.lines.iter().enumerate() {
            let returns = self.profile.products[line.product].returns;
            let tendency = f64::from(returns) / 500.0;
            let units = (0..line.free()).filter(|_| self.chance.hit(tendency)).count();
            let units = u32::try_from(units).unwrap_or(0);
            weights[index] = returns * line.free();
            if units > 0 {
                picks.push((index, units));
            }
        }
        if picks.is_empty() && weights.iter().any(|weight| *weight > 0) {
            picks.push((self.chance.weighted(&weights), 1));
        }
        picks
    }
}

/// A refused or called-off return gives up its claim.
fn release(order: &mut Order, index: usize) {
    for line in &order.returns[index].lines {
        let sold = &mut order.lines[line.line];
        sold.claimed = sold.claimed.saturating_sub(line.quantity);
    }
}
