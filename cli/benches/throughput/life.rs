//! What an order goes through, from the checkout to the last refund, as events with their instants.

use common::currency::Currency;
use common::customer::CustomerKey;
use common::event::{
    Body, CheckoutSnapshot, Line, NameValue, OrderSnapshot, Paid, Refund, RefundLine, Restock,
    ReturnLine, ReturnSnapshot, ReturnStatus,
};
use common::id::Id;
use common::reason::Reason;
use common::time::{DAY_MS, HOUR_MS, Timestamp};

use super::history::Random;

const MINUTE_MS: i64 = 60_000;

/// What is settled about an order before its life begins.
pub struct Plan {
    /// The order's id; the 31 numbers after it are its own for lines, refunds and returns.
    pub id: u64,
    /// When it is placed.
    pub placed_at: Timestamp,
    /// The shop's currency.
    pub currency: Currency,
    /// Who buys.
    pub customer: Option<CustomerKey>,
}

/// A body and the instant of its version.
type Step = (Timestamp, Body);

/// The life of an order.
pub fn live(plan: &Plan, random: &mut Random) -> Vec<Step> {
    let at = plan.placed_at;
    let mut order = placed(plan, random);
    let mut steps = Vec::with_capacity(8);
    if let Some(checkout) = &order.checkout {
        steps.push(checkout_step(checkout.clone(), at.plus_ms(-12 * MINUTE_MS), plan.customer));
    }
    if random.chance(0.3) {
        let left = Id::Text(format!("{:032x}", u128::from(random.bits()) << 32).into());
        steps.push(checkout_step(left, at.plus_ms(-20 * MINUTE_MS), None));
    }
    steps.push((at, snapshot(&order)));
    order.financial_status = Some("paid".into());
    steps.push((at.plus_ms(2_000), snapshot(&order)));
    if random.chance(0.015) {
        let cancelled_at = at.plus_ms(HOUR_MS);
        order.cancelled_at = Some(cancelled_at);
        order.refunds.push(refund(plan, &order, cancelled_at, Restock::Cancel, None));
        steps.push((cancelled_at, snapshot(&order)));
        return steps;
    }
    if random.chance(0.7) {
        let fulfilled_at = at.plus_ms(DAY_MS + minutes(random, 600));
        steps.push((fulfilled_at, snapshot(&order)));
    }
    if random.chance(0.07) {
        let refunded_at = at.plus_ms(3 * DAY_MS + minutes(random, 20_000));
        take_back(plan, &mut order, refunded_at, None, &mut steps);
    } else if random.chance(0.08) {
        send_back(plan, &mut order, random, &mut steps);
    }
    steps
}

fn snapshot(order: &OrderSnapshot) -> Body {
    Body::Order(Box::new(order.clone()))
}

fn checkout_step(id: Id, started_at: Timestamp, customer: Option<CustomerKey>) -> Step {
    let checkout = CheckoutSnapshot { id, started_at, completed_at: None, cart: None, customer };
    (started_at, Body::Checkout(checkout))
}

fn minutes(random: &mut Random, most: u64) -> i64 {
    i64::try_from(random.below(most)).unwrap_or(0) * MINUTE_MS
}

/// The order as it is placed: one to four lines, mostly from the web.
fn placed(plan: &Plan, random: &mut Random) -> OrderSnapshot {
    let count = 1 + random.below(4).min(random.below(4));
    let lines: Vec<Line> = (1..=count).map(|number| line(plan.id + number, random)).collect();
    let web = random.chance(0.75);
    let token = u128::from(random.bits()) << 64 | u128::from(random.bits());
    let landing = |name: &str, value: &str| NameValue { name: name.into(), value: value.into() };
    let tax_minor = lines.iter().map(|line| line.tax_minor).sum();
    OrderSnapshot {
        id: plan.id.into(),
        currency: plan.currency,
        placed_at: plan.placed_at,
        cancelled_at: None,
        test: false,
        taxes_included: false,
        financial_status: Some("pending".into()),
        customer: plan.customer,
        lines,
        shipping_minor: if random.chance(0.6) { 495 } else { 0 },
        tax_minor,
        duties_minor: 0,
        fees_minor: 0,
        presentment: None,
        checkout: web.then(|| Id::Text(format!("{token:032x}").into())),
        cart: web.then(|| format!("hWN{:029x}", token >> 16).into()),
        channel: Some(if web { "web" } else { "pos" }.into()),
        landing: if web && random.chance(0.4) {
            vec![landing("utm_source", "newsletter"), landing("utm_campaign", "autumn-2025")]
        } else {
            Vec::new()
        },
        discount_codes: if random.chance(0.2) { vec!["WELCOME10".into()] } else { Vec::new() },
        shipping_codes: if web { vec!["Standard".into()] } else { Vec::new() },
        attributes: Vec::new(),
        tags: Vec::new(),
        refunds: Vec::new(),
        returns: Vec::new(),
    }
}

fn line(id: u64, random: &mut Random) -> Line {
    let product = random.below(400);
    let variant = random.below(6);
    let quantity = 1 + random.below(10) / 8;
    let price_minor = 500 + i64::try_from(product * 25 + variant).unwrap_or(0);
    let gross_minor = price_minor * i64::try_from(quantity).unwrap_or(1);
    let discount_minor = if random.chance(0.2) { gross_minor / 10 } else { 0 };
    Line {
        id: id.into(),
        quantity: u32::try_from(quantity).unwrap_or(1),
        price_minor,
        gross_minor,
        discount_minor,
        tax_minor: (gross_minor - discount_minor) / 12,
        gift_card: false,
        sku: Some(format!("SKU-{product:04}-{variant}").into()),
        product: Some((8_000_000_000_000 + product).into()),
        variant: Some((4_000_000_000_000 + product * 8 + variant).into()),
        options: Some(
            ["S / Blue", "M / Blue", "L / Blue", "S / Red", "M / Red", "L / Red"]
                .get(usize::try_from(variant).unwrap_or(0))
                .copied()
                .unwrap_or_default()
                .into(),
        ),
        vendor: Some("Northwind".into()),
        bundle: None,
        properties: Vec::new(),
    }
}

/// A refund of the first line: the event of its own and the order that carries it.
fn take_back(
    plan: &Plan,
    order: &mut OrderSnapshot,
    at: Timestamp,
    settles: Option<Id>,
    steps: &mut Vec<Step>,
) {
    let refund = refund(plan, order, at, Restock::Return, settles);
    steps.push((at, Body::Refund(Box::new(refund.clone()))));
    order.refunds.push(refund);
    order.financial_status = Some("partially_refunded".into());
    steps.push((at.plus_ms(1_000), snapshot(order)));
}

fn refund(
    plan: &Plan,
    order: &OrderSnapshot,
    at: Timestamp,
    restock: Restock,
    return_id: Option<Id>,
) -> Refund {
    let lines = if restock == Restock::Cancel { order.lines.len() } else { 1 };
    let lines: Vec<RefundLine> = order.lines[..lines.min(order.lines.len())]
        .iter()
        .map(|line| RefundLine {
            line: line.id.clone(),
            quantity: line.quantity,
            amount_minor: line.gross_minor - line.discount_minor,
            tax_minor: line.tax_minor,
            restock,
            reason: None,
            gift_card: false,
        })
        .collect();
    let amount_minor = lines.iter().map(|line| line.amount_minor + line.tax_minor).sum();
    Refund {
        id: (plan.id + 20).into(),
        order: order.id.clone(),
        at,
        currency: Some(plan.currency),
        lines,
        shipping_minor: 0,
        tax_minor: 0,
        duties_minor: 0,
        fees_minor: 0,
        paid: vec![Paid { currency: Some(plan.currency), amount_minor }],
        note_reason: None,
        return_id,
        as_shown: false,
    }
}

/// A return from the request to its end, where half of them are refunded.
fn send_back(plan: &Plan, order: &mut OrderSnapshot, random: &mut Random, steps: &mut Vec<Step>) {
    let Some(first) = order.lines.first() else { return };
    let reason = random.below(Reason::ALL.len() as u64);
    let reason = usize::try_from(reason).ok().and_then(|index| Reason::ALL.get(index).copied());
    let mut returned = ReturnSnapshot {
        id: (plan.id + 10).into(),
        order: order.id.clone(),
        status: ReturnStatus::Requested,
        at: plan.placed_at.plus_ms(4 * DAY_MS + minutes(random, 8_000)),
        lines: vec![ReturnLine {
            id: (plan.id + 11).into(),
            line: first.id.clone(),
            quantity: first.quantity,
            reason: reason.unwrap_or(Reason::Unknown),
        }],
    };
    let ways = [
        (ReturnStatus::Requested, 0),
        (ReturnStatus::Open, 9 * HOUR_MS),
        (ReturnStatus::Closed, 6 * DAY_MS),
    ];
    for (status, later_ms) in ways {
        (returned.status, returned.at) = (status, returned.at.plus_ms(later_ms));
        steps.push((returned.at, Body::Return(returned.clone())));
        order.returns = vec![returned.clone()];
        steps.push((returned.at.plus_ms(1_000), snapshot(order)));
    }
    if random.chance(0.5) {
        let at = returned.at.plus_ms(2 * HOUR_MS);
        take_back(plan, order, at, Some(returned.id), steps);
    }
}
