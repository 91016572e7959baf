//! A KPI as the API shows it (contract, section 5), and the sheet that collects one window's.

use serde::{Serialize, Serializer};

use super::exact::{money, quotient};
use super::window::{Mode, Window};
use crate::currency::Currency;
use crate::time::Timestamp;

/// One KPI of one window. Serializes to the contract's JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name, for example `average_order_value`.
    pub kpi: &'static str,
    /// The variant, where there are several, for example `placement`.
    pub basis: Option<&'static str>,
    /// The window's name.
    pub window: &'static str,
    /// The window's beginning; `None` for `all`.
    #[serde(serialize_with = "instant")]
    pub from: Option<Timestamp>,
    /// The window's end.
    #[serde(serialize_with = "instant")]
    pub to: Option<Timestamp>,
    /// The figure; `None` where it is not defined.
    pub value: Option<String>,
    /// What is divided, where the figure is a quotient.
    pub numerator: Option<String>,
    /// What it is divided by.
    pub denominator: Option<String>,
    /// The unit.
    pub unit: &'static str,
    /// The currency of amounts.
    pub currency: Option<Currency>,
    /// The return reason, or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn instant<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

/// A KPI's name, variant and unit.
#[derive(Clone, Copy)]
pub(super) struct Kpi {
    name: &'static str,
    basis: Option<&'static str>,
    unit: &'static str,
}

impl Kpi {
    pub(super) const fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, basis: None, unit }
    }

    pub(super) const fn with_basis(self, basis: &'static str) -> Self {
        Self { basis: Some(basis), ..self }
    }
}

/// The rows of one window.
pub(super) struct Sheet {
    from: Option<Timestamp>,
    to: Timestamp,
    window: Window,
    pub(super) rows: Vec<Row>,
}

impl Sheet {
    pub(super) fn new(mode: Mode, window: Window) -> Self {
        Self { from: mode.from(window), to: mode.instant(), window, rows: Vec::new() }
    }

    /// An integer.
    pub(super) fn count(&mut self, kpi: Kpi, count: i128) -> &mut Row {
        self.value(kpi, Some(count.to_string()))
    }

    /// A sum of money.
    pub(super) fn amount(&mut self, kpi: Kpi, currency: Currency, minor: i128) {
        let row = self.value(kpi, Some(money(minor, currency.exponent())));
        row.currency = Some(currency);
    }

    /// A count divided by a count.
    pub(super) fn ratio(&mut self, kpi: Kpi, numerator: i128, denominator: i128) -> &mut Row {
        let row = self.value(kpi, quotient(numerator, denominator, 0));
        row.numerator = Some(numerator.to_string());
        row.denominator = Some(denominator.to_string());
        row
    }

    /// Money divided by a count.
    pub(super) fn average(&mut self, kpi: Kpi, currency: Currency, minor: i128, count: i128) {
        let digits = currency.exponent();
        let one = super::exact::power_of_ten(digits);
        let row = self.value(kpi, quotient(minor, count * one, digits));
        row.numerator = Some(money(minor, digits));
        row.denominator = Some(count.to_string());
        row.currency = Some(currency);
    }

    /// Money divided by money.
    pub(super) fn share(&mut self, kpi: Kpi, currency: Currency, part: i128, whole: i128) {
        let row = self.value(kpi, quotient(part, whole, 0));
        row.numerator = Some(money(part, currency.exponent()));
        row.denominator = Some(money(whole, currency.exponent()));
        row.currency = Some(currency);
    }

    /// A figure without numerator and denominator.
    pub(super) fn value(&mut self, kpi: Kpi, value: Option<String>) -> &mut Row {
        let at = self.rows.len();
        self.rows.push(Row {
            kpi: kpi.name,
            basis: kpi.basis,
            window: self.window.name(),
            from: self.from,
            to: Some(self.to),
            value,
            numerator: None,
            denominator: None,
            unit: kpi.unit,
            currency: None,
            reason: None,
        });
        &mut self.rows[at]
    }
}
