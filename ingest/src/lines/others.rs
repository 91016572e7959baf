//! The lines of every type but `order`.

use common::currency::Currency;
use common::decimal::UNNAMED_EXPONENT;
use common::event::{
    Body, CheckoutSnapshot, CustomerRedacted, CustomersMerged, OrderDeleted, Paid, Refund,
    RefundLine, Restock, ReturnLine, ReturnSnapshot, ReturnStatus, ShopRedacted,
};
use common::id::Id;
use common::reason::Reason;

use super::object::{self, Object};
use super::{Line, LineContext, LineError, Read};

/// `type: order_deleted`.
pub(super) fn order_deleted(line: &Line<'_>) -> Read {
    let order = line.object.required("order", object::id)?;
    let at = line.object.required("at", object::instant)?;
    Ok((at, Body::OrderDeleted(OrderDeleted { order })))
}

/// `type: refund`.
pub(super) fn refund(line: &Line<'_>) -> Read {
    let order = line.object.required("order", object::id)?;
    let refund = refund_of(line.object, &order, None, line.context)?;
    Ok((refund.at, Body::Refund(Box::new(refund))))
}

/// `type: return`.
pub(super) fn a_return(line: &Line<'_>) -> Read {
    let order = line.object.required("order", object::id)?;
    let snapshot = return_of(line.object, &order)?;
    Ok((snapshot.at, Body::Return(snapshot)))
}

/// `type: checkout`.
pub(super) fn checkout(line: &Line<'_>) -> Read {
    let id = line.object.required("id", object::id)?;
    let started_at = line.object.required("started_at", object::instant)?;
    let completed_at = line.object.optional("completed_at", object::instant)?;
    let updated_at = line.object.optional("updated_at", object::instant)?;
    let at = updated_at.unwrap_or_else(|| completed_at.map_or(started_at, |at| at.max(started_at)));
    let snapshot = CheckoutSnapshot { id, started_at, completed_at, cart: None, customer: None };
    Ok((at, Body::Checkout(snapshot)))
}

/// `type: customer_merged`.
pub(super) fn customer_merged(line: &Line<'_>) -> Read {
    let from = line.required_customer("from")?;
    let into = line.required_customer("into")?;
    let at = line.object.required("at", object::instant)?;
    Ok((at, Body::CustomersMerged(CustomersMerged { from, into })))
}

/// `type: customer_redacted`.
pub(super) fn customer_redacted(line: &Line<'_>) -> Read {
    let customers = vec![line.required_customer("customer")?];
    let at = line.object.required("at", object::instant)?;
    let mut orders = line.object.ids("orders")?;
    orders.sort_unstable();
    orders.dedup();
    Ok((at, Body::CustomerRedacted(CustomerRedacted { customers, orders, at })))
}

/// `type: shop_redacted`.
pub(super) fn shop_redacted(line: &Line<'_>) -> Read {
    let at = line.object.required("at", object::instant)?;
    Ok((at, Body::ShopRedacted(ShopRedacted { at })))
}

/// A refund, alone or inside an order. Without a currency of its own it has `order_currency`, and
/// without that its amounts are in units of 10^-8.
pub(super) fn refund_of(
    object: &Object<'_>,
    order: &Id,
    order_currency: Option<Currency>,
    context: &LineContext<'_>,
) -> Result<Refund, LineError> {
    let currency = object.optional("currency", object::currency)?.or(order_currency);
    let lines = object.objects("lines")?.unwrap_or_default();
    let lines = lines.iter().map(|line| refund_line(line, currency));
    let note = object.optional("note", object::text)?;
    let paid = amount(object, "paid", currency)?;
    Ok(Refund {
        id: object.required("id", object::id)?,
        order: order.clone(),
        at: object.required("at", object::instant)?,
        currency,
        lines: lines.collect::<Result<_, _>>()?,
        shipping_minor: amount(object, "shipping", currency)?.unwrap_or(0),
        tax_minor: 0,
        duties_minor: 0,
        fees_minor: 0,
        paid: paid.map(|amount_minor| Paid { currency, amount_minor }).into_iter().collect(),
        note_reason: note.and_then(|note| context.notes.classify(&note)),
        return_id: None,
        as_shown: false,
    })
}

fn refund_line(object: &Object<'_>, currency: Option<Currency>) -> Result<RefundLine, LineError> {
    let restock = object.optional("restock", object::text)?;
    let restock = match restock.as_deref() {
        None | Some("return") => Restock::Return,
        Some("cancel") => Restock::Cancel,
        Some("none") => Restock::None,
        Some(_) => {
            return Err(LineError::new(object.path("restock"), "use return, cancel or none"));
        }
    };
    let amount_minor = amount(object, "amount", currency)?;
    Ok(RefundLine {
        line: object.required("line", object::id)?,
        quantity: object.required("quantity", object::quantity)?,
        amount_minor: amount_minor
            .ok_or_else(|| LineError::new(object.path("amount"), object::MISSING))?,
        tax_minor: amount(object, "tax", currency)?.unwrap_or(0),
        restock,
        reason: object.optional("reason", object::text)?.map(|code| Reason::from_code(&code)),
        gift_card: false,
    })
}

/// A return, alone or inside an order.
pub(super) fn return_of(object: &Object<'_>, order: &Id) -> Result<ReturnSnapshot, LineError> {
    let lines = object.objects("lines")?.unwrap_or_default();
    let line = |line: &Object<'_>| {
        let reason = line.optional("reason", object::text)?;
        Ok(ReturnLine {
            id: line.required("id", object::id)?,
            line: line.required("line", object::id)?,
            quantity: line.required("quantity", object::quantity)?,
            reason: reason.map_or(Reason::Unknown, |code| Reason::from_code(&code)),
        })
    };
    Ok(ReturnSnapshot {
        id: object.required("id", object::id)?,
        order: order.clone(),
        status: object.required("status", status)?,
        at: object.required("at", object::instant)?,
        lines: lines.iter().map(line).collect::<Result<_, _>>()?,
    })
}

fn status(raw: &str) -> Result<ReturnStatus, String> {
    let wanted = |_| "use requested, open, declined, canceled or closed".to_owned();
    serde_json::from_str(raw).map_err(wanted)
}

/// An amount in minor units of `currency`, or in 10^-8 without one.
fn amount(
    object: &Object<'_>,
    field: &str,
    currency: Option<Currency>,
) -> Result<Option<i64>, LineError> {
    let Some(amount) = object.optional(field, object::decimal)? else { return Ok(None) };
    let exponent = currency.map_or(UNNAMED_EXPONENT, Currency::exponent);
    let scaled = amount.scaled(exponent);
    scaled.map(Some).map_err(|error| LineError::new(object.path(field), error.to_string()))
}
