//! Shipping that a refund gives back, with its tax.

use serde::Deserialize;

use super::super::fields::{Amount, List, Nested, Text};
use super::super::money::{AmountDoc, Money, MoneySet};
use crate::outcome::DeadLetterReason;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShippingDoc {
    subtotal: Amount,
    pub(super) subtotal_set: Nested<MoneySet>,
    subtotal_amount: Amount,
    pub(super) subtotal_amount_set: Nested<MoneySet>,
    tax_amount: Amount,
    tax_amount_set: Nested<MoneySet>,
    total_tax: Amount,
    total_tax_set: Nested<MoneySet>,
    tax_lines: List<AmountDoc>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AdjustmentDoc<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    amount: Amount,
    pub(super) amount_set: Nested<MoneySet>,
    tax_amount: Amount,
    tax_amount_set: Nested<MoneySet>,
}

/// Shipping given back and its tax: the shipping lines, else the adjustments (which are negative).
pub(super) fn given_back(
    lines: &[ShippingDoc],
    adjustments: &[AdjustmentDoc<'_>],
    money: Money,
    taxes_included: bool,
) -> Result<(i64, i64), DeadLetterReason> {
    const FIELD: &str = "refund_shipping_lines";
    let (mut adjusted, mut adjusted_tax) = (0i128, 0i128);
    for adjustment in adjustments.iter().filter(|a| a.kind.get() == Some("shipping_refund")) {
        let amount = money.pick(&adjustment.amount_set, adjustment.amount, "order_adjustments")?;
        let tax =
            money.pick(&adjustment.tax_amount_set, adjustment.tax_amount, "order_adjustments")?;
        adjusted -= i128::from(amount.unwrap_or(0));
        adjusted_tax -= i128::from(tax.unwrap_or(0));
    }
    let (mut subtotal, mut named_tax) = (0i128, None);
    for line in lines {
        subtotal += i128::from(line.subtotal(money)?);
        if let Some(tax) = line.tax(money)? {
            named_tax = Some(named_tax.unwrap_or(0) + i128::from(tax));
        }
    }
    let tax = named_tax.unwrap_or(adjusted_tax);
    let shipping = match (lines.is_empty(), taxes_included) {
        (true, _) => adjusted,
        (false, true) => subtotal - tax,
        (false, false) => subtotal,
    };
    Ok((money.bounded(shipping, FIELD)?, money.bounded(tax, FIELD)?))
}

impl ShippingDoc {
    fn subtotal(&self, money: Money) -> Result<i64, DeadLetterReason> {
        const FIELD: &str = "refund_shipping_lines[].subtotal_amount_set";
        let long = money.pick(&self.subtotal_amount_set, self.subtotal_amount, FIELD)?;
        let short = money.pick(&self.subtotal_set, self.subtotal, FIELD)?;
        Ok(long.or(short).unwrap_or(0))
    }

    fn tax(&self, money: Money) -> Result<Option<i64>, DeadLetterReason> {
        const FIELD: &str = "refund_shipping_lines[].tax_amount_set";
        let amount = money.pick(&self.tax_amount_set, self.tax_amount, FIELD)?;
        let total = money.pick(&self.total_tax_set, self.total_tax, FIELD)?;
        let lines = self.tax_lines.items();
        let itemised = money.sum(lines, FIELD)?;
        Ok(amount.or(total).or((!lines.is_empty()).then_some(itemised)))
    }
}
