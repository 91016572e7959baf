//! Random shops: everything that can befall an order, a customer or a whole shop.

use common::currency::Currency;
use common::customer::CustomerKey;
use common::event::{
    Body, CheckoutDeleted, CheckoutSnapshot, CustomerRedacted, CustomersMerged, Event, Line,
    OrderDeleted, OrderEdited, OrderSnapshot, Paid, Presentment, QuantityDelta, Refund, RefundLine,
    Restock, ReturnLine, ReturnSnapshot, ReturnStatus, ReturnUpdated, ShopRedacted,
};
use common::id::Id;
use common::reason::Reason;
use common::shop::ShopDomain;
use common::time::{DAY_MS, Timestamp};
use proptest::prelude::*;

/// The shop of every generated event.
pub fn shop() -> ShopDomain {
    ShopDomain::parse("laws.example").expect("a shop")
}

/// Instants are few, so that ties and window edges are common: half-day steps over two years, some a
/// few milliseconds beside.
fn instant() -> impl Strategy<Value = Timestamp> {
    let offset = prop::sample::select(vec![-1, 0, 0, 0, 1, 1_800_000]);
    (0i64..800, offset)
        .prop_map(|(half_days, offset)| Timestamp::from_ms(half_days * DAY_MS / 2 + offset))
}

fn customer(number: u8) -> CustomerKey {
    CustomerKey::from_bytes([number; 16])
}

fn event(
    at: Timestamp,
    triggered: Option<Timestamp>,
    imported: Option<Timestamp>,
    body: Body,
) -> Event {
    let mut event = Event::new(shop(), "shopify", at, triggered, at, body);
    event.imported_at = imported;
    event
}

/// An order is placed once; its snapshots differ in everything else.
fn placed_at(order: u64) -> Timestamp {
    let order = order.cast_signed();
    Timestamp::from_ms((order * 97 % 700) * DAY_MS / 2 + order % 3)
}

/// An article number and a product's id, of which either or both may be missing.
fn article() -> impl Strategy<Value = (Option<Box<str>>, Option<Id>)> {
    let sku = prop::sample::select(vec![None, Some("A-1".into()), Some("2".into())]);
    (sku, prop::option::of((1u64..3).prop_map(Id::from)))
}

fn line() -> impl Strategy<Value = Line> {
    (1u64..4, 0u32..4, 0i64..3, 0i64..500, 0i64..90, prop::bool::weighted(0.1), article()).prop_map(
        |(id, quantity, price, discount, tax, gift_card, (sku, product))| {
            let price = price * 1000;
            Line {
                id: id.into(),
                quantity,
                price_minor: price,
                gross_minor: price * i64::from(quantity),
                discount_minor: discount.min(price * i64::from(quantity)),
                tax_minor: tax,
                gift_card,
                sku,
                product,
                variant: None,
                options: None,
                vendor: None,
                bundle: None,
                properties: Vec::new(),
            }
        },
    )
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    prop::collection::vec(line(), 0..4).prop_map(|mut lines| {
        lines.sort_by(|a, b| a.id.cmp(&b.id));
        lines.dedup_by(|a, b| a.id == b.id);
        lines
    })
}

fn reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(Reason::ALL.to_vec())
}

fn refund_line() -> impl Strategy<Value = RefundLine> {
    let restock = prop::sample::select(vec![
        Restock::Return,
        Restock::Return,
        Restock::Cancel,
        Restock::None,
    ]);
    (1u64..5, 0u32..4, 0i64..2500, 0i64..50, restock, prop::option::of(reason())).prop_map(
        |(line, quantity, amount_minor, tax_minor, restock, reason)| RefundLine {
            line: line.into(),
            quantity,
            amount_minor,
            tax_minor,
            restock,
            reason,
            gift_card: false,
        },
    )
}

fn refund(order: u64) -> impl Strategy<Value = Refund> {
    let lines = prop::collection::vec(refund_line(), 0..3);
    let paid =
        prop::collection::vec((prop::sample::select(vec!["USD", "EUR", ""]), 0i64..3000), 0..3);
    let named = prop::sample::select(vec!["USD", "USD", "", "EUR"]);
    (
        (1u64..4, instant(), lines),
        (paid, named, 0i64..300, 0i64..60, prop::option::of(reason()), any::<bool>()),
    )
        .prop_map(
            move |((id, at, lines), (paid, named, shipping, tax, note_reason, as_shown))| {
                let currency = Currency::parse(named).ok();
                // Amounts of an unnamed currency are in 10^-8: an odd digit makes them round.
                let scale = |minor: i64| {
                    if currency.is_some() { minor } else { minor * 1_000_000 + 500_000 }
                };
                let lines = lines.into_iter().map(|line| RefundLine {
                    amount_minor: scale(line.amount_minor),
                    tax_minor: scale(line.tax_minor),
                    ..line
                });
                let paid = paid.into_iter().map(|(code, amount)| {
                    let currency = Currency::parse(code).ok();
                    let amount_minor = if currency.is_some() { amount } else { amount * 1_000_000 };
                    Paid { currency, amount_minor }
                });
                Refund {
                    id: (order * 10 + id).into(),
                    order: order.into(),
                    at,
                    currency,
                    lines: lines.collect(),
                    shipping_minor: scale(shipping),
                    tax_minor: scale(tax),
                    duties_minor: 0,
                    fees_minor: 0,
                    paid: paid.collect(),
                    note_reason,
                    return_id: None,
                    as_shown,
                }
            },
        )
}

fn returned(order: u64) -> impl Strategy<Value = ReturnSnapshot> {
    use ReturnStatus::{Canceled, Closed, Declined, Open, Requested};
    let status = prop::sample::select(vec![Requested, Open, Closed, Closed, Declined, Canceled]);
    let line = (0u64..3, 1u64..4, 0u32..4, reason());
    (1u64..3, instant(), status, prop::collection::vec(line, 0..3)).prop_map(
        move |(id, at, status, lines)| {
            let id = order * 10 + id;
            let lines = lines.into_iter().map(|(line, of, quantity, reason)| ReturnLine {
                id: (id * 10 + line).into(),
                line: of.into(),
                quantity,
                reason,
            });
            let mut lines: Vec<_> = lines.collect();
            lines.sort_by(|a, b| a.id.cmp(&b.id));
            lines.dedup_by(|a, b| a.id == b.id);
            ReturnSnapshot { id: id.into(), order: order.into(), status, at, lines }
        },
    )
}

fn snapshot(order: u64) -> impl Strategy<Value = OrderSnapshot> {
    let cancelled = prop::option::weighted(0.2, instant());
    let customer = prop::option::weighted(0.85, (0u8..6).prop_map(customer));
    let refunds = prop::collection::vec(refund(order), 0..2);
    let returns = prop::collection::vec(returned(order), 0..2);
    let currency =
        prop::sample::select(vec!["USD", "USD", "USD", "USD", "USD", "USD", "USD", "JPY"]);
    let head = (cancelled, prop::bool::weighted(0.07), customer, lines(), currency, any::<bool>());
    let tail = (
        0i64..900,
        0i64..200,
        prop::bool::weighted(0.3),
        prop::option::of(0u64..4),
        refunds,
        returns,
    );
    (head, tail).prop_map(move |(head, tail)| {
        let (cancelled_at, test, customer, lines, currency, taxes_included) = head;
        let (shipping_minor, tax_minor, presented, checkout, refunds, returns) = tail;
        let presentment = Presentment {
            currency: Currency::parse("EUR").expect("a currency"),
            total_minor: 917,
            shop_total_minor: 1000,
        };
        OrderSnapshot {
            id: order.into(),
            currency: Currency::parse(currency).expect("a currency"),
            placed_at: placed_at(order),
            cancelled_at,
            test,
            taxes_included,
            financial_status: None,
            customer,
            lines,
            shipping_minor,
            tax_minor,
            duties_minor: 0,
            fees_minor: 0,
            presentment: presented.then_some(presentment),
            checkout: checkout.map(Id::from),
            cart: None,
            channel: None,
            landing: Vec::new(),
            discount_codes: Vec::new(),
            shipping_codes: Vec::new(),
            attributes: Vec::new(),
            tags: Vec::new(),
            refunds,
            returns,
        }
    })
}

fn order_number() -> impl Strategy<Value = u64> {
    0u64..9
}

fn edit() -> impl Strategy<Value = Body> {
    let addition = (1u64..4, 1u32..3);
    (order_number(), 0u64..3, instant(), prop::collection::vec(addition, 1..3)).prop_map(
        |(order, edit, committed_at, additions)| {
            let mut additions: Vec<_> = additions
                .into_iter()
                .map(|(line, quantity)| QuantityDelta { line: line.into(), quantity })
                .collect();
            additions.sort();
            additions.dedup();
            Body::OrderEdited(OrderEdited {
                order: order.into(),
                edit: edit.into(),
                committed_at,
                additions,
            })
        },
    )
}

fn return_update() -> impl Strategy<Value = Body> {
    (order_number(), 1u64..3, instant(), 0u64..3, 1u32..3).prop_map(
        |(order, id, at, line, quantity)| {
            let return_id = order * 10 + id;
            let removals = vec![QuantityDelta { line: (return_id * 10 + line).into(), quantity }];
            Body::ReturnUpdated(ReturnUpdated { return_id: return_id.into(), at, removals })
        },
    )
}

fn checkout() -> impl Strategy<Value = Body> {
    (0u64..4, instant(), prop::option::of(instant())).prop_map(|(id, started_at, completed_at)| {
        Body::Checkout(CheckoutSnapshot {
            id: id.into(),
            started_at,
            completed_at,
            cart: None,
            customer: None,
        })
    })
}

fn redaction() -> impl Strategy<Value = Body> {
    (prop::collection::vec(0u8..6, 1..3), prop::collection::vec(order_number(), 0..3), instant())
        .prop_map(|(customers, orders, at)| {
            Body::CustomerRedacted(CustomerRedacted {
                customers: customers.into_iter().map(customer).collect(),
                orders: orders.into_iter().map(Id::from).collect(),
                at,
            })
        })
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        14 => order_number().prop_flat_map(snapshot).prop_map(|order| Body::Order(Box::new(order))),
        4 => order_number().prop_flat_map(refund).prop_map(|refund| Body::Refund(Box::new(refund))),
        4 => order_number().prop_flat_map(returned).prop_map(Body::Return),
        2 => edit(),
        2 => return_update(),
        3 => checkout(),
        3 => (0u8..6, 0u8..6).prop_map(|(from, into)| Body::CustomersMerged(CustomersMerged {
            from: customer(from),
            into: customer(into),
        })),
        1 => redaction(),
        1 => order_number().prop_map(|order| Body::OrderDeleted(OrderDeleted { order: order.into() })),
        1 => (0u64..4).prop_map(|checkout| Body::CheckoutDeleted(CheckoutDeleted { checkout: checkout.into() })),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let triggered = prop::option::weighted(0.3, instant());
    let imported = prop::option::weighted(0.05, instant());
    (instant(), triggered, imported, body())
        .prop_map(|(at, triggered, imported, body)| event(at, triggered, imported, body))
}

/// The events of a shop; shown as wire lines, which a failing case can be read from.
#[derive(Clone)]
pub struct Events(pub Vec<Event>);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for event in &self.0 {
            let line = event.encode().expect("encodes");
            write!(f, "\n{}", String::from_utf8_lossy(&line))?;
        }
        Ok(())
    }
}

/// The events of a shop, in no order; now and then the shop itself is redacted.
pub fn events(most: usize) -> impl Strategy<Value = Events> {
    let redacted = prop::option::weighted(0.15, instant());
    (prop::collection::vec(any_event(), 1..most), redacted).prop_map(|(mut events, redacted)| {
        if let Some(at) = redacted {
            let middle = events.len() / 2;
            events.insert(middle, event(at, None, None, Body::ShopRedacted(ShopRedacted { at })));
        }
        Events(events)
    })
}

/// An instant to ask at.
pub fn asked_at() -> impl Strategy<Value = Timestamp> {
    instant()
}
