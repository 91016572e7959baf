//! Refunds: goods, shipping, duties and fees given back, and the money that was paid.

mod shipping;

use common::currency::Currency;
use common::event::{Body, Event, Paid, Refund, RefundLine, Restock};
use common::id::Id;
use common::time::Timestamp;
use serde::Deserialize;

use super::fields::{Amount, CurrencyField, Flag, IdField, Instant, List, Nested, Quantity, Text};
use super::line::LineDoc;
use super::money::{AmountDoc, Money, MoneySet, shop_currency};
use super::{read, required};
use crate::context::Context;
use crate::outcome::DeadLetterReason;
use shipping::{AdjustmentDoc, ShippingDoc, given_back};

/// What is read of a refund.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RefundDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
    order_id: IdField,
    created_at: Instant,
    processed_at: Instant,
    updated_at: Instant,
    note: Text<'a>,
    taxes_included: Flag,
    r#return: Nested<LinkDoc<'a>>,
    refund_line_items: List<RefundLineDoc<'a>>,
    refund_shipping_lines: List<ShippingDoc>,
    order_adjustments: List<AdjustmentDoc<'a>>,
    duties: List<AmountDoc>,
    total_duties_set: Nested<MoneySet>,
    additional_fees: List<AmountDoc>,
    total_additional_fees_set: Nested<MoneySet>,
    transactions: List<TransactionDoc<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LinkDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RefundLineDoc<'a> {
    #[serde(borrow)]
    restock_type: Text<'a>,
    line_item_id: IdField,
    line_item: Nested<LineDoc<'a>>,
    quantity: Quantity,
    subtotal: Amount,
    subtotal_set: Nested<MoneySet>,
    total_tax: Amount,
    total_tax_set: Nested<MoneySet>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TransactionDoc<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    status: Text<'a>,
    test: Flag,
    amount: Amount,
    currency: CurrencyField,
}

/// `refunds/create`.
pub(super) fn translate(body: &[u8], context: &Context<'_>) -> Result<Event, DeadLetterReason> {
    let document: RefundDoc<'_> = read(body)?;
    let id = required(document.id.with_gid(&document.admin_graphql_api_id), "id")?;
    let order = required(document.order_id.0.clone(), "order_id")?;
    for (index, line) in document.refund_line_items.items().iter().enumerate() {
        let path = |field: &str| format!("refund_line_items[{index}].{field}");
        required(line.line(), &path("line_item_id"))?;
        required(line.quantity.0, &path("quantity"))?;
    }
    let made_at = document.processed_at.0.or(document.created_at.0);
    let at = made_at.or(document.updated_at.0).unwrap_or_else(|| context.time_without_body());
    // What only transactions name is the buyer's currency; plain fields are in the shop's.
    let included = document.taxes_included.is_set();
    let terms = Terms { currency: document.named_currency(), taxes_included: included };
    let mut refund = refund(&document, id, &order, at, terms, context)?;
    refund.as_shown = !included;
    let version_at = document.updated_at.0.unwrap_or(at);
    Ok(context.event(version_at, Body::Refund(Box::new(refund))))
}

/// The refunds inside an order: what they do not say holds as for the order.
pub(super) fn embedded(
    documents: &[RefundDoc<'_>],
    order: &Id,
    order_currency: Currency,
    taxes_included: bool,
    order_at: Timestamp,
    context: &Context<'_>,
) -> Result<Vec<Refund>, DeadLetterReason> {
    let mut refunds = Vec::with_capacity(documents.len());
    for document in documents {
        // A partial refund must not cost the order: `refunds/create` carries the whole one.
        let Some(id) = document.id.with_gid(&document.admin_graphql_api_id) else { continue };
        let at = document.processed_at.0.or(document.created_at.0).or(document.updated_at.0);
        let currency = document.named_currency().unwrap_or(order_currency);
        let terms = Terms { currency: Some(currency), taxes_included };
        refunds.push(refund(document, id, order, at.unwrap_or(order_at), terms, context)?);
    }
    Ok(refunds)
}

/// How a refund's amounts are to be read.
#[derive(Clone, Copy)]
struct Terms {
    currency: Option<Currency>,
    taxes_included: bool,
}

fn refund(
    document: &RefundDoc<'_>,
    id: Id,
    order: &Id,
    at: Timestamp,
    terms: Terms,
    context: &Context<'_>,
) -> Result<Refund, DeadLetterReason> {
    let money = Money::of(terms.currency);
    let lines = document.refund_line_items.items();
    let lines = lines.iter().filter_map(|line| line.read(money, terms.taxes_included).transpose());
    let (shipping_minor, tax_minor) = given_back(
        document.refund_shipping_lines.items(),
        document.order_adjustments.items(),
        money,
        terms.taxes_included,
    )?;
    let duties = document.duties.items();
    let fees = document.additional_fees.items();
    Ok(Refund {
        id,
        order: order.clone(),
        at,
        currency: terms.currency,
        lines: lines.collect::<Result<_, _>>()?,
        shipping_minor,
        tax_minor,
        duties_minor: total(&document.total_duties_set, duties, money, "duties")?,
        fees_minor: total(&document.total_additional_fees_set, fees, money, "additional_fees")?,
        paid: paid(document.transactions.items(), terms.currency)?,
        note_reason: document.note.get().and_then(|note| context.notes.classify(note)),
        return_id: document
            .r#return
            .get()
            .and_then(|link| link.id.with_gid(&link.admin_graphql_api_id)),
        as_shown: false,
    })
}

impl RefundDoc<'_> {
    /// The shop's currency, as the first of the sets names it.
    fn named_currency(&self) -> Option<Currency> {
        let line = |line: &RefundLineDoc<'_>| {
            let price = line.line_item.get().and_then(|item| shop_currency(&item.price_set));
            shop_currency(&line.subtotal_set)
                .or_else(|| shop_currency(&line.total_tax_set))
                .or(price)
        };
        let shipping = |line: &ShippingDoc| {
            shop_currency(&line.subtotal_amount_set).or_else(|| shop_currency(&line.subtotal_set))
        };
        let lines = self.refund_line_items.items().iter().find_map(line);
        lines
            .or_else(|| self.refund_shipping_lines.items().iter().find_map(shipping))
            .or_else(|| {
                self.order_adjustments.items().iter().find_map(|a| shop_currency(&a.amount_set))
            })
            .or_else(|| shop_currency(&self.total_duties_set))
            .or_else(|| shop_currency(&self.total_additional_fees_set))
    }
}

impl RefundLineDoc<'_> {
    /// The order's line.
    fn line(&self) -> Option<Id> {
        let item = self.line_item.get();
        let exact = item.and_then(|item| item.id.with_gid(&item.admin_graphql_api_id));
        let named = self.line_item_id.0.clone();
        match (named, exact) {
            // The embedded line's global id mends a rounded number, but never names another line.
            (Some(named), Some(exact)) => {
                let same = item.is_some_and(|item| item.id.0.as_ref() == Some(&named));
                Some(if same { exact } else { named })
            }
            (named, exact) => named.or(exact),
        }
    }

    fn read(
        &self,
        money: Money,
        taxes_included: bool,
    ) -> Result<Option<RefundLine>, DeadLetterReason> {
        const FIELD: &str = "refund_line_items[].subtotal";
        let (Some(line), Some(quantity)) = (self.line(), self.quantity.0) else { return Ok(None) };
        let subtotal = money.pick(&self.subtotal_set, self.subtotal, FIELD)?.unwrap_or(0);
        let tax =
            money.pick(&self.total_tax_set, self.total_tax, "refund_line_items[].total_tax")?;
        let tax_minor = tax.unwrap_or(0);
        let included = if taxes_included { tax_minor } else { 0 };
        let amount = i128::from(subtotal) - i128::from(included);
        Ok(Some(RefundLine {
            line,
            quantity,
            amount_minor: money.bounded(amount, FIELD)?,
            tax_minor,
            restock: match self.restock_type.get() {
                Some("return" | "legacy_restock") => Restock::Return,
                Some("cancel") => Restock::Cancel,
                Some(_) | None => Restock::None,
            },
            reason: None,
            gift_card: self.line_item.get().is_some_and(|item| item.gift_card.is_set()),
        }))
    }
}

fn total(
    set: &Nested<MoneySet>,
    parts: &[AmountDoc],
    money: Money,
    field: &str,
) -> Result<i64, DeadLetterReason> {
    match money.pick(set, Amount::default(), field)? {
        Some(total) => Ok(total),
        None => money.sum(parts, field),
    }
}

/// Money that went back: successful refunds, test gateways left out.
fn paid(
    transactions: &[TransactionDoc<'_>],
    refund_currency: Option<Currency>,
) -> Result<Vec<Paid>, DeadLetterReason> {
    let is = |text: &Text<'_>, wanted: &str| {
        text.get().is_some_and(|text| text.eq_ignore_ascii_case(wanted))
    };
    let counts = |transaction: &&TransactionDoc<'_>| {
        is(&transaction.kind, "refund")
            && is(&transaction.status, "success")
            && !transaction.test.is_set()
    };
    let mut paid = Vec::new();
    for transaction in transactions.iter().filter(counts) {
        let currency = transaction.currency.0.or(refund_currency);
        let amount = Money::of(currency).minor(transaction.amount, "transactions[].amount")?;
        paid.extend(amount.map(|amount_minor| Paid { currency, amount_minor }));
    }
    Ok(paid)
}
