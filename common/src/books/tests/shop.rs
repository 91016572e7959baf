//! A hand-made shop: events by the day, and figures as one line of text.

use crate::books::{Mode, Row, Settings, Window, kpis};
use crate::currency::Currency;
use crate::customer::CustomerKey;
use crate::event::{
    Body, CustomerRedacted, CustomersMerged, Event, Line, OrderSnapshot, Paid, Refund, RefundLine,
    Restock, ReturnLine, ReturnSnapshot, ReturnStatus,
};
use crate::id::Id;
use crate::reason::Reason;
use crate::shop::ShopDomain;
use crate::time::{DAY_MS, Timestamp};

/// Midnight of a day since the epoch.
pub(super) fn day(days: i64) -> Timestamp {
    Timestamp::from_ms(days * DAY_MS)
}

pub(super) fn currency(code: &str) -> Currency {
    Currency::parse(code).expect(code)
}

pub(super) fn customer(number: u8) -> CustomerKey {
    CustomerKey::from_bytes([number; 16])
}

/// An anonymous order without lines.
pub(super) fn order(id: u64, placed_day: i64) -> OrderSnapshot {
    OrderSnapshot {
        id: Id::Number(id),
        currency: Currency::USD,
        placed_at: day(placed_day),
        cancelled_at: None,
        test: false,
        taxes_included: false,
        financial_status: None,
        customer: None,
        lines: Vec::new(),
        shipping_minor: 0,
        tax_minor: 0,
        duties_minor: 0,
        fees_minor: 0,
        presentment: None,
        checkout: None,
        cart: None,
        channel: None,
        landing: Vec::new(),
        discount_codes: Vec::new(),
        shipping_codes: Vec::new(),
        attributes: Vec::new(),
        tags: Vec::new(),
        refunds: Vec::new(),
        returns: Vec::new(),
    }
}

/// A line without discount or tax.
pub(super) fn line(id: u64, quantity: u32, price_minor: i64) -> Line {
    Line {
        id: Id::Number(id),
        quantity,
        price_minor,
        gross_minor: price_minor * i64::from(quantity),
        discount_minor: 0,
        tax_minor: 0,
        gift_card: false,
        sku: None,
        product: None,
        variant: None,
        options: None,
        vendor: None,
        bundle: None,
        properties: Vec::new(),
    }
}

/// An order of one unit.
pub(super) fn simple(id: u64, placed_day: i64, buyer: u8, price_minor: i64) -> OrderSnapshot {
    OrderSnapshot {
        customer: Some(customer(buyer)),
        lines: vec![line(1, 1, price_minor)],
        ..order(id, placed_day)
    }
}

/// A refund in US dollars.
pub(super) fn refund(id: u64, order: u64, made_day: i64, lines: Vec<RefundLine>) -> Refund {
    Refund {
        id: Id::Number(id),
        order: Id::Number(order),
        at: day(made_day),
        currency: Some(Currency::USD),
        lines,
        shipping_minor: 0,
        tax_minor: 0,
        duties_minor: 0,
        fees_minor: 0,
        paid: Vec::new(),
        note_reason: None,
        return_id: None,
        as_shown: false,
    }
}

pub(super) fn back(line: u64, quantity: u32, amount_minor: i64) -> RefundLine {
    RefundLine {
        line: Id::Number(line),
        quantity,
        amount_minor,
        tax_minor: 0,
        restock: Restock::Return,
        reason: None,
        gift_card: false,
    }
}

pub(super) fn paid(code: Option<&str>, amount_minor: i64) -> Paid {
    Paid { currency: code.map(currency), amount_minor }
}

pub(super) fn returned(
    id: u64,
    order: u64,
    status: ReturnStatus,
    on_day: i64,
    lines: &[(u64, u64, u32, Reason)],
) -> ReturnSnapshot {
    let lines = lines.iter().map(|&(id, line, quantity, reason)| ReturnLine {
        id: Id::Number(id),
        line: Id::Number(line),
        quantity,
        reason,
    });
    ReturnSnapshot {
        id: Id::Number(id),
        order: Id::Number(order),
        status,
        at: day(on_day),
        lines: lines.collect(),
    }
}

/// The deliveries of a shop.
#[derive(Clone)]
pub(super) struct Shop {
    pub(super) events: Vec<Event>,
    pub(super) settings: Settings,
}

impl Shop {
    pub(super) fn new() -> Self {
        Self { events: Vec::new(), settings: Settings::default() }
    }

    /// Delivers a body whose version is of `version_day`.
    pub(super) fn send(&mut self, version_day: i64, body: Body) -> &mut Self {
        let at = day(version_day);
        self.events.push(Event::new(domain(), "shopify", at, None, at, body));
        self
    }

    pub(super) fn order(&mut self, version_day: i64, order: OrderSnapshot) -> &mut Self {
        self.send(version_day, Body::Order(Box::new(order)))
    }

    /// The order as placed.
    pub(super) fn place(&mut self, order: OrderSnapshot) -> &mut Self {
        let placed_day = order.placed_at.ms() / DAY_MS;
        self.order(placed_day, order)
    }

    pub(super) fn refund(&mut self, refund: Refund) -> &mut Self {
        let made_day = refund.at.ms() / DAY_MS;
        self.send(made_day, Body::Refund(Box::new(refund)))
    }

    pub(super) fn returned(&mut self, returned: ReturnSnapshot) -> &mut Self {
        let on_day = returned.at.ms() / DAY_MS;
        self.send(on_day, Body::Return(returned))
    }

    pub(super) fn merge(&mut self, from: u8, into: u8) -> &mut Self {
        let merge = CustomersMerged { from: customer(from), into: customer(into) };
        self.send(0, Body::CustomersMerged(merge))
    }

    pub(super) fn redact(&mut self, on_day: i64, buyer: u8, orders: &[u64]) -> &mut Self {
        let orders = orders.iter().copied().map(Id::Number).collect();
        let customers = vec![customer(buyer)];
        let redaction = CustomerRedacted { customers, orders, at: day(on_day) };
        self.send(on_day, Body::CustomerRedacted(redaction))
    }

    /// Checks figures as of midnight of a day; each is a name and `value = numerator / denominator`.
    /// Names are `kpi/basis:CURRENCY#reason`. Order of arrival and repetition must not matter.
    #[track_caller]
    pub(super) fn check(&self, as_of_day: i64, window: &str, expected: &[(&str, &str)]) {
        self.check_in(Mode::AsOf(day(as_of_day)), window, expected);
    }

    #[track_caller]
    pub(super) fn check_in(&self, mode: Mode, window: &str, expected: &[(&str, &str)]) {
        let window = Window::from_name(window).expect("a window");
        let rows = kpis(&self.events, &domain(), &self.settings, mode, &[window]);
        let mut shuffled: Vec<_> = self.events.iter().rev().cloned().collect();
        shuffled.extend(self.events.iter().step_by(2).cloned());
        assert_eq!(kpis(&shuffled, &domain(), &self.settings, mode, &[window]), rows);
        for (name, figure) in expected {
            assert_eq!(lookup(&rows, name), *figure, "{name}");
        }
    }
}

pub(super) fn domain() -> ShopDomain {
    ShopDomain::parse("r.example").expect("a shop")
}

fn lookup(rows: &[Row], name: &str) -> String {
    let mut found = rows.iter().filter(|row| self::name(row) == name);
    let Some(row) = found.next() else { return "absent".into() };
    assert!(found.next().is_none(), "{name} is there twice");
    let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "null".into());
    match (&row.numerator, &row.denominator) {
        (None, None) => text(&row.value),
        (numerator, denominator) => {
            format!("{} = {} / {}", text(&row.value), text(numerator), text(denominator))
        }
    }
}

fn name(row: &Row) -> String {
    let basis = row.basis.map(|basis| format!("/{basis}")).unwrap_or_default();
    let currency = row.currency.map(|code| format!(":{code}")).unwrap_or_default();
    let reason = row.reason.map(|reason| format!("#{reason}")).unwrap_or_default();
    format!("{}{basis}{currency}{reason}", row.kpi)
}
