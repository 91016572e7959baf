//! The line of type `order`.

use common::currency::Currency;
use common::decimal::{Decimal, MAX_MINOR};
use common::event::{Body, Line as OrderLine, OrderSnapshot, Refund, ReturnSnapshot};
use common::id::Id;
use common::time::Timestamp;

use super::object::{self, Object};
use super::others::{refund_of, return_of};
use super::{Line, LineError, Read};

/// `type: order`.
pub(super) fn order(line: &Line<'_>) -> Read {
    let object = line.object;
    let id = object.required("id", object::id)?;
    let placed_at = object.required("placed_at", object::instant)?;
    let currency = object.required("currency", object::currency)?;
    let lines = object.objects("lines")?;
    let lines = lines.ok_or_else(|| LineError::new("lines", object::MISSING))?;
    let lines: Vec<OrderLine> =
        lines.iter().map(|line| order_line(line, currency)).collect::<Result<_, _>>()?;
    let tax = lines.iter().filter(|line| !line.gift_card).map(|line| i128::from(line.tax_minor));
    let tax_minor = bounded(tax.sum(), "lines[].tax")?;
    let cancelled_at = object.optional("cancelled_at", object::instant)?;
    let (refunds, returns) = reversals(line, &id, currency)?;
    let known = refunds.iter().map(|refund| refund.at).chain(returns.iter().map(|r| r.at));
    let greatest = known.chain(cancelled_at).fold(placed_at, Timestamp::max);
    let at = object.optional("updated_at", object::instant)?.unwrap_or(greatest);
    let money = |field: &str| amount(object, field, currency).map(|minor| minor.unwrap_or(0));
    let snapshot = OrderSnapshot {
        id,
        currency,
        placed_at,
        cancelled_at,
        test: object.optional("test", object::flag)?.unwrap_or(false),
        taxes_included: false,
        financial_status: object.optional("financial_status", object::label)?.flatten(),
        customer: line.customer("customer")?,
        lines,
        shipping_minor: money("shipping")?,
        tax_minor,
        duties_minor: money("duties")?,
        fees_minor: money("fees")?,
        presentment: None,
        checkout: object.optional("checkout", object::id)?,
        cart: None,
        channel: object.optional("channel", object::label)?.flatten(),
        landing: Vec::new(),
        discount_codes: Vec::new(),
        shipping_codes: Vec::new(),
        attributes: Vec::new(),
        tags: Vec::new(),
        refunds,
        returns,
    };
    Ok((at, Body::Order(Box::new(snapshot))))
}

fn order_line(object: &Object<'_>, currency: Currency) -> Result<OrderLine, LineError> {
    let id = object.required("id", object::id)?;
    let quantity = object.required("quantity", object::quantity)?;
    let price: Decimal = object.required("price", object::decimal)?;
    let price_minor = price
        .minor(currency)
        .map_err(|error| LineError::new(object.path("price"), error.to_string()))?;
    let gross = i128::from(price_minor) * i128::from(quantity);
    Ok(OrderLine {
        id,
        quantity,
        price_minor,
        gross_minor: bounded(gross, &object.path("price"))?,
        discount_minor: amount(object, "discount", currency)?.unwrap_or(0),
        tax_minor: amount(object, "tax", currency)?.unwrap_or(0),
        gift_card: object.optional("gift_card", object::flag)?.unwrap_or(false),
        sku: object.optional("sku", object::label)?.flatten(),
        product: object.optional("product", object::id)?,
        variant: object.optional("variant", object::id)?,
        options: None,
        vendor: None,
        bundle: None,
        properties: Vec::new(),
    })
}

fn reversals(
    line: &Line<'_>,
    order: &Id,
    currency: Currency,
) -> Result<(Vec<Refund>, Vec<ReturnSnapshot>), LineError> {
    let refunds = line.object.objects("refunds")?.unwrap_or_default();
    let refunds =
        refunds.iter().map(|refund| refund_of(refund, order, Some(currency), line.context));
    let returns = line.object.objects("returns")?.unwrap_or_default();
    let returns = returns.iter().map(|a_return| return_of(a_return, order));
    Ok((refunds.collect::<Result<_, _>>()?, returns.collect::<Result<_, _>>()?))
}

/// An amount in minor units of `currency`.
fn amount(object: &Object<'_>, field: &str, currency: Currency) -> Result<Option<i64>, LineError> {
    let Some(amount) = object.optional(field, object::decimal)? else { return Ok(None) };
    let minor = amount.minor(currency);
    minor.map(Some).map_err(|error| LineError::new(object.path(field), error.to_string()))
}

fn bounded(value: i128, field: &str) -> Result<i64, LineError> {
    let minor =
        i64::try_from(value).ok().filter(|minor| minor.unsigned_abs() <= MAX_MINOR.unsigned_abs());
    minor.ok_or_else(|| {
        LineError::new(field, format!("an amount of more than {MAX_MINOR} minor units"))
    })
}
