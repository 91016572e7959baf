//! The lines of an order: quantities, prices, the share of discounts, taxes.

use common::config::Attributes;
use common::event::Line;
use serde::Deserialize;

use super::extras;
use super::fields::{Amount, Flag, IdField, List, Nested, Pairs, Quantity, Text};
use super::money::{AmountDoc, Money, MoneySet};
use super::required;
use crate::outcome::DeadLetterReason;

/// What is read of a line.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LineDoc<'a> {
    #[serde(borrow)]
    pub(super) admin_graphql_api_id: Text<'a>,
    pub(super) id: IdField,
    quantity: Quantity,
    price: Amount,
    pub(super) price_set: Nested<MoneySet>,
    discount_allocations: List<AmountDoc>,
    pub(super) tax_lines: List<AmountDoc>,
    pub(super) duties: List<AmountDoc>,
    pub(super) gift_card: Flag,
    sku: Text<'a>,
    product_id: IdField,
    variant_id: IdField,
    variant_title: Text<'a>,
    vendor: Text<'a>,
    sales_line_item_group_id: IdField,
    properties: Pairs<'a>,
}

/// The lines as events have them. `undivided_minor` is the order's total discount, which is used
/// only where no line says what its own share is.
pub(super) fn lines(
    docs: &[LineDoc<'_>],
    undivided_minor: i64,
    money: Money,
    taxes_included: bool,
    attributes: &Attributes,
) -> Result<Vec<Line>, DeadLetterReason> {
    let mut lines = Vec::with_capacity(docs.len());
    for (index, doc) in docs.iter().enumerate() {
        let line = line(doc, money, taxes_included, attributes);
        lines.push(line.map_err(|reason| reason.within(&format!("line_items[{index}]")))?);
    }
    let nowhere = docs.iter().all(|doc| !doc.discount_allocations.is_there());
    if nowhere && undivided_minor > 0 {
        spread(undivided_minor, &mut lines);
    }
    Ok(lines)
}

fn line(
    doc: &LineDoc<'_>,
    money: Money,
    taxes_included: bool,
    attributes: &Attributes,
) -> Result<Line, DeadLetterReason> {
    let id = required(doc.id.with_gid(&doc.admin_graphql_api_id), "id")?;
    let quantity = required(doc.quantity.0, "quantity")?;
    let price = money.pick(&doc.price_set, doc.price, "price")?;
    let price_minor = required(price, "price")?;
    let tax_minor = money.sum(doc.tax_lines.items(), "tax_lines")?;
    let included = if taxes_included { tax_minor } else { 0 };
    let gross = i128::from(price_minor) * i128::from(quantity) - i128::from(included);
    let discounts = doc.discount_allocations.items();
    Ok(Line {
        id,
        quantity,
        price_minor,
        gross_minor: money.bounded(gross, "price")?,
        discount_minor: money.sum(discounts, "discount_allocations")?,
        tax_minor,
        gift_card: doc.gift_card.is_set(),
        sku: doc.sku.get().and_then(extras::title),
        product: doc.product_id.0.clone(),
        variant: doc.variant_id.0.clone(),
        options: doc.variant_title.get().and_then(extras::title),
        vendor: doc.vendor.get().and_then(extras::title),
        bundle: doc.sales_line_item_group_id.0.clone(),
        properties: extras::allowed(&doc.properties, &attributes.line_properties),
    })
}

/// Gives each line its share of the order's discount by gross value, by largest remainder, so that
/// the shares add up. Gift cards take no discount unless there is nothing else.
fn spread(discount_minor: i64, lines: &mut [Line]) {
    let goods = lines.iter().any(|line| !line.gift_card && line.gross_minor > 0);
    let weight = |line: &Line| {
        let counts = line.gross_minor > 0 && !(goods && line.gift_card);
        if counts { i128::from(line.gross_minor) } else { 0 }
    };
    let total: i128 = lines.iter().map(weight).sum();
    if total == 0 {
        return;
    }
    let mut left = discount_minor;
    let mut remainders = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter_mut().enumerate() {
        let exact = i128::from(discount_minor) * weight(line);
        // A share is at most the discount itself, so it fits.
        let share = i64::try_from(exact / total).unwrap_or(0);
        line.discount_minor = share;
        left -= share;
        remainders.push((exact % total, index));
    }
    // The greatest remainder first; among equals the earlier line.
    remainders.sort_by_key(|&(remainder, index)| (std::cmp::Reverse(remainder), index));
    let left = usize::try_from(left).unwrap_or(0);
    for (_, index) in remainders.into_iter().take(left) {
        lines[index].discount_minor += 1;
    }
}
