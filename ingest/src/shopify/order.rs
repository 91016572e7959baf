//! Order snapshots: `orders/create`, `updated`, `paid`, `cancelled` and the like.

use common::currency::Currency;
use common::event::{Body, Event, OrderSnapshot, Presentment};
use common::id::Id;
use common::time::Timestamp;
use serde::Deserialize;

use super::customer::{CustomerDoc, customer_key};
use super::extras;
use super::fields::{
    Amount, CurrencyField, Flag, IdField, Instant, List, Nested, Pairs, Text, Texts,
};
use super::line::{LineDoc, lines};
use super::money::{AmountDoc, BothMoney, Money, MoneySet};
use super::refund::{self, RefundDoc};
use super::returns::{self, ReturnDoc};
use super::{instants, read, required, text};
use crate::context::Context;
use crate::outcome::DeadLetterReason;

/// What is read of an order.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OrderDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
    currency: CurrencyField,
    created_at: Instant,
    processed_at: Instant,
    updated_at: Instant,
    cancelled_at: Instant,
    test: Flag,
    taxes_included: Flag,
    financial_status: Text<'a>,
    customer: Nested<CustomerDoc<'a>>,
    email: Text<'a>,
    contact_email: Text<'a>,
    phone: Text<'a>,
    line_items: List<LineDoc<'a>>,
    shipping_lines: List<ShippingDoc<'a>>,
    total_discounts: Amount,
    total_discounts_set: Nested<MoneySet>,
    total_tax: Amount,
    total_tax_set: Nested<MoneySet>,
    total_price_set: Nested<BothMoney>,
    original_total_duties_set: Nested<MoneySet>,
    original_total_additional_fees_set: Nested<MoneySet>,
    checkout_token: Text<'a>,
    cart_token: Text<'a>,
    source_name: Text<'a>,
    landing_site: Text<'a>,
    discount_codes: List<CodeDoc<'a>>,
    note_attributes: Pairs<'a>,
    tags: Texts<'a>,
    refunds: List<RefundDoc<'a>>,
    returns: List<ReturnDoc<'a>>,
}

/// A discount code.
#[derive(Default, Deserialize)]
#[serde(default)]
struct CodeDoc<'a> {
    #[serde(borrow)]
    code: Text<'a>,
}

/// A shipping line.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ShippingDoc<'a> {
    #[serde(borrow)]
    code: Text<'a>,
    is_removed: Flag,
    price: Amount,
    price_set: Nested<MoneySet>,
    discounted_price: Amount,
    discounted_price_set: Nested<MoneySet>,
    discount_allocations: List<AmountDoc>,
    tax_lines: List<AmountDoc>,
}

/// An order's snapshot as an event.
pub(super) fn translate(body: &[u8], context: &Context<'_>) -> Result<Event, DeadLetterReason> {
    let order: OrderDoc<'_> = read(body)?;
    let id = required(order.id.with_gid(&order.admin_graphql_api_id), "id")?;
    let currency = required(order.currency.0, "currency")?;
    let placed_at = required(order.processed_at.0.or(order.created_at.0), "processed_at")?;
    let at = order.updated_at.0.or_else(|| instants::greatest(text(body).ok()?));
    let at = at.unwrap_or(placed_at);
    let base = Base { id, currency, placed_at, at };
    let snapshot = snapshot(&order, base, context)?;
    Ok(context.event(at, Body::Order(Box::new(snapshot))))
}

/// What every order must have.
struct Base {
    id: Id,
    currency: Currency,
    placed_at: Timestamp,
    at: Timestamp,
}

fn snapshot(
    order: &OrderDoc<'_>,
    base: Base,
    context: &Context<'_>,
) -> Result<OrderSnapshot, DeadLetterReason> {
    let money = Money::of(Some(base.currency));
    if !order.line_items.is_there() {
        return Err(DeadLetterReason::incomplete("line_items"));
    }
    let included = order.taxes_included.is_set();
    let undivided =
        money.pick(&order.total_discounts_set, order.total_discounts, "total_discounts")?;
    let items = order.line_items.items();
    let lines = lines(items, undivided.unwrap_or(0), money, included, context.attributes)?;
    let shipping = shipping(order.shipping_lines.items(), money, included)?;
    let customer =
        customer_key(context, &order.customer, [&order.email, &order.contact_email], &order.phone);
    Ok(OrderSnapshot {
        cancelled_at: order.cancelled_at.0,
        test: order.test.is_set(),
        taxes_included: included,
        financial_status: order.financial_status.get().and_then(extras::word),
        customer,
        shipping_minor: shipping.price_minor,
        tax_minor: tax(order, &lines, &shipping, money)?,
        duties_minor: duties(order, money)?,
        fees_minor: fees(order, money)?,
        lines,
        presentment: presentment(order, base.currency),
        checkout: order.checkout_token.get().and_then(|token| Id::parse(token).ok()),
        cart: order.cart_token.get().and_then(extras::token),
        channel: order.source_name.get().and_then(extras::label),
        landing: order.landing_site.get().map(extras::landing).unwrap_or_default(),
        discount_codes: codes(order.discount_codes.items().iter().map(|code| &code.code)),
        shipping_codes: codes(order.shipping_lines.items().iter().map(|line| &line.code)),
        attributes: extras::allowed(&order.note_attributes, &context.attributes.note_attributes),
        tags: extras::allowed_tags(&order.tags, &context.attributes.tags),
        refunds: refund::embedded(
            order.refunds.items(),
            &base.id,
            base.currency,
            included,
            base.at,
            context,
        )?,
        returns: returns::embedded(order.returns.items(), &base.id, base.at),
        id: base.id,
        currency: base.currency,
        placed_at: base.placed_at,
    })
}

fn codes<'a>(texts: impl Iterator<Item = &'a Text<'a>>) -> Vec<Box<str>> {
    texts.filter_map(|text| text.get().and_then(extras::label)).collect()
}

/// What shipping costs, without tax, and its tax.
struct Shipping {
    price_minor: i64,
    tax_minor: i64,
    has_tax_lines: bool,
}

fn shipping(
    lines: &[ShippingDoc<'_>],
    money: Money,
    taxes_included: bool,
) -> Result<Shipping, DeadLetterReason> {
    const FIELD: &str = "shipping_lines";
    let (mut price, mut tax, mut has_tax_lines) = (0i128, 0i128, false);
    for line in lines.iter().filter(|line| !line.is_removed.is_set()) {
        let own_tax = money.sum(line.tax_lines.items(), FIELD)?;
        has_tax_lines |= !line.tax_lines.items().is_empty();
        let discounted = money.pick(&line.discounted_price_set, line.discounted_price, FIELD)?;
        let own_price = if let Some(discounted) = discounted {
            i128::from(discounted)
        } else {
            let full = money.pick(&line.price_set, line.price, FIELD)?.unwrap_or(0);
            i128::from(full) - i128::from(money.sum(line.discount_allocations.items(), FIELD)?)
        };
        price += own_price - if taxes_included { i128::from(own_tax) } else { 0 };
        tax += i128::from(own_tax);
    }
    let price_minor = money.bounded(price, FIELD)?;
    Ok(Shipping { price_minor, tax_minor: money.bounded(tax, FIELD)?, has_tax_lines })
}

/// The tax lines of goods and shipping, gift cards left out; the order's total where there are none.
fn tax(
    order: &OrderDoc<'_>,
    lines: &[common::event::Line],
    shipping: &Shipping,
    money: Money,
) -> Result<i64, DeadLetterReason> {
    let itemised = order.line_items.items().iter().any(|line| !line.tax_lines.items().is_empty());
    if !itemised && !shipping.has_tax_lines {
        return Ok(money.pick(&order.total_tax_set, order.total_tax, "total_tax")?.unwrap_or(0));
    }
    let goods = lines.iter().filter(|line| !line.gift_card).map(|line| i128::from(line.tax_minor));
    money.bounded(goods.sum::<i128>() + i128::from(shipping.tax_minor), "tax_lines")
}

fn duties(order: &OrderDoc<'_>, money: Money) -> Result<i64, DeadLetterReason> {
    const FIELD: &str = "original_total_duties_set";
    if let Some(total) = money.pick(&order.original_total_duties_set, Amount::default(), FIELD)? {
        return Ok(total);
    }
    let mut sum = 0i128;
    for line in order.line_items.items() {
        sum += i128::from(money.sum(line.duties.items(), "line_items[].duties")?);
    }
    money.bounded(sum, FIELD)
}

fn fees(order: &OrderDoc<'_>, money: Money) -> Result<i64, DeadLetterReason> {
    const FIELD: &str = "original_total_additional_fees_set";
    let set = &order.original_total_additional_fees_set;
    Ok(money.pick(set, Amount::default(), FIELD)?.unwrap_or(0))
}

/// The buyer's total, where it is in another currency than the shop's.
fn presentment(order: &OrderDoc<'_>, currency: Currency) -> Option<Presentment> {
    let set = order.total_price_set.get()?;
    let (shop, buyer) = (set.shop_money.get()?, set.presentment_money.get()?);
    let (shop_currency, buyer_currency) = (shop.currency()?, buyer.currency()?);
    if shop_currency != currency || buyer_currency == currency {
        return None;
    }
    let minor = |amount, currency| Money::of(Some(currency)).minor(amount, "").ok().flatten();
    Some(Presentment {
        currency: buyer_currency,
        total_minor: minor(buyer.amount, buyer_currency)?,
        shop_total_minor: minor(shop.amount, shop_currency)?,
    })
}
