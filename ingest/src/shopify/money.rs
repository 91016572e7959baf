//! Money of a document: amounts with their sets, brought to minor units of one currency.

use common::currency::Currency;
use common::decimal::{MAX_MINOR, UNNAMED_EXPONENT};
use serde::Deserialize;

use super::fields::{Amount, CurrencyField, Nested};
use crate::outcome::DeadLetterReason;

/// An amount with its currency.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NamedAmount {
    pub(super) amount: Amount,
    currency_code: CurrencyField,
    // Some sets of the platform spell it so.
    currency: CurrencyField,
}

impl NamedAmount {
    /// The currency; the platform writes XXX where it means none.
    pub(super) fn currency(&self) -> Option<Currency> {
        let named = self.currency_code.0.or(self.currency.0);
        named.filter(|currency| currency.code() != "XXX")
    }
}

/// An amount in the shop's and in the buyer's currency, of which KPIs need the shop's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MoneySet {
    pub(super) shop_money: Nested<NamedAmount>,
}

/// An amount in both currencies: their rate.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BothMoney {
    pub(super) shop_money: Nested<NamedAmount>,
    pub(super) presentment_money: Nested<NamedAmount>,
}

/// The shop's currency as a set names it.
pub(super) fn shop_currency(set: &Nested<MoneySet>) -> Option<Currency> {
    set.get()?.shop_money.get()?.currency()
}

/// Anything that is little more than an amount: tax line, discount allocation, duty, fee.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AmountDoc {
    pub(super) price: Amount,
    pub(super) price_set: Nested<MoneySet>,
    pub(super) amount: Amount,
    pub(super) amount_set: Nested<MoneySet>,
    pub(super) shop_money: Nested<NamedAmount>,
}

/// Reads amounts of one document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Money {
    currency: Option<Currency>,
}

impl Money {
    /// For a document in `currency`; without one, amounts are in units of 10^-8.
    pub(super) const fn of(currency: Option<Currency>) -> Self {
        Self { currency }
    }

    /// The amount of `set` in the shop's currency, else `plain`.
    pub(super) fn pick(
        self,
        set: &Nested<MoneySet>,
        plain: Amount,
        field: &str,
    ) -> Result<Option<i64>, DeadLetterReason> {
        let shop = set.get().and_then(|set| set.shop_money.get());
        match shop.and_then(|shop| self.usable(shop)) {
            Some(amount) => self.minor(amount, field),
            None => self.minor(plain, field),
        }
    }

    /// The amount of a tax line, an allocation, a duty or a fee; 0 without one.
    pub(super) fn one(self, doc: &AmountDoc, field: &str) -> Result<i64, DeadLetterReason> {
        if let Some(minor) = self.pick(&doc.price_set, doc.price, field)? {
            return Ok(minor);
        }
        if let Some(minor) = self.pick(&doc.amount_set, doc.amount, field)? {
            return Ok(minor);
        }
        let shop = doc.shop_money.get().and_then(|shop| self.usable(shop));
        Ok(self.minor(shop.unwrap_or_default(), field)?.unwrap_or(0))
    }

    /// The sum of [`Money::one`].
    pub(super) fn sum(self, docs: &[AmountDoc], field: &str) -> Result<i64, DeadLetterReason> {
        let mut sum = 0i128;
        for doc in docs {
            sum += i128::from(self.one(doc, field)?);
        }
        self.bounded(sum, field)
    }

    /// A computed amount, unless it is too large.
    pub(super) fn bounded(self, value: i128, field: &str) -> Result<i64, DeadLetterReason> {
        let limit = if self.currency.is_some() { MAX_MINOR } else { i64::MAX };
        match i64::try_from(value) {
            Ok(minor) if minor.unsigned_abs() <= limit.unsigned_abs() => Ok(minor),
            Ok(_) | Err(_) => Err(DeadLetterReason::Amount { field: field.to_owned() }),
        }
    }

    /// In minor units; `None` where nothing is there or what is there is no number.
    pub(super) fn minor(
        self,
        amount: Amount,
        field: &str,
    ) -> Result<Option<i64>, DeadLetterReason> {
        let exponent = self.currency.map_or(UNNAMED_EXPONENT, Currency::exponent);
        let too_large = || DeadLetterReason::Amount { field: field.to_owned() };
        match amount {
            Amount::Absent => Ok(None),
            Amount::Value(decimal) => decimal.scaled(exponent).map(Some).map_err(|_| too_large()),
            Amount::TooLarge => Err(too_large()),
        }
    }

    /// An amount in the document's currency, or in one that is not named.
    fn usable(self, named: &NamedAmount) -> Option<Amount> {
        let fits = match (named.currency(), self.currency) {
            (Some(named), Some(own)) => named == own,
            (None, _) | (_, None) => true,
        };
        // An amount that cannot be read gives way to the plain field.
        let readable = !matches!(named.amount, Amount::Absent);
        (fits && readable).then_some(named.amount)
    }
}
