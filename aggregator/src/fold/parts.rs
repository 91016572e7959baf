//! What a sale and a refund are made of, and in which currency a refund is.

use common::currency::Currency;
use common::decimal::{UNNAMED_EXPONENT, rescale};
use common::event::{Paid, Refund};
use common::id::Id;

use super::content::Content;

/// The amounts that are reversed apart from each other: goods, tax, shipping, duties and fees.
pub(super) type Parts = [i128; 5];
/// The place of goods in them.
pub(super) const GOODS: usize = 0;

/// Goods (left at zero), tax, shipping, duties and fees of a sale as placed.
pub(super) fn of_sale(content: &Content) -> Parts {
    [0, content.tax_minor, content.shipping_minor, content.duties_minor, content.fees_minor]
        .map(i128::from)
}

/// Goods, tax, shipping, duties and fees of a refund in minor units of `currency`.
pub(super) fn of_refund(
    refund: &Refund,
    (currency, taxes_included): (Currency, bool),
    is_gift: impl Fn(&Id) -> bool,
) -> Parts {
    let scale = |amount: i64| scale(refund, amount.into(), currency);
    let (mut goods, mut tax) = (0, scale(refund.tax_minor));
    for line in refund.lines.iter().filter(|line| !line.gift_card && !is_gift(&line.line)) {
        goods += scale(refund.goods_minor(line, taxes_included));
        tax += scale(line.tax_minor);
    }
    let others = [refund.shipping_minor, refund.duties_minor, refund.fees_minor];
    let [shipping, duties, fees] = others.map(scale);
    [goods, tax, shipping, duties, fees]
}

/// An amount of a refund in minor units of the currency that was found for it.
pub(super) fn scale(refund: &Refund, amount: i128, currency: Currency) -> i128 {
    let from = refund.exponent().into();
    rescale(amount, from, currency.exponent().into()).unwrap_or_default()
}

/// The currency of a refund whose order is not known: its own, that of its money, or the shop's.
pub(super) fn currency_alone(refund: &Refund, shop: Currency) -> Currency {
    let by_payment = refund.paid.iter().find_map(|paid| paid.currency);
    refund.currency.or(by_payment).unwrap_or(shop)
}

/// A transaction in the currency that it names, or in the refund's.
pub(super) fn in_named_currency(
    refund: &Refund,
    paid: &Paid,
    fallback: Currency,
) -> (Currency, i128) {
    let amount = i128::from(paid.amount_minor);
    if let Some(currency) = paid.currency {
        return (currency, amount);
    }
    let currency = refund.currency.unwrap_or(fallback);
    let scaled = rescale(amount, UNNAMED_EXPONENT.into(), currency.exponent().into());
    (currency, scaled.unwrap_or_default())
}
