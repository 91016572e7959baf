//! A KPI as the API shows it (CONTRACT, section 5).

use common::currency::Currency;
use common::time::Timestamp;
use serde::Serialize;

use crate::window::Window;

/// One figure of one shop.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kpi {
    /// Its name in the catalogue.
    pub kpi: &'static str,
    /// Which of several definitions.
    pub basis: Option<&'static str>,
    /// The window's name.
    pub window: &'static str,
    /// The window's beginning; `None` for everything.
    pub from: Option<String>,
    /// The window's end.
    pub to: String,
    /// The figure, exact, as text; `None` where it is not defined.
    pub value: Option<String>,
    /// What was divided.
    pub numerator: Option<String>,
    /// What it was divided by.
    pub denominator: Option<String>,
    /// The unit.
    pub unit: &'static str,
    /// The currency, for money.
    #[serde(serialize_with = "code")]
    pub currency: Option<Currency>,
    /// The return reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The 95 % Wilson interval of a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[String; 2]>,
}

impl Kpi {
    /// An undefined figure.
    #[must_use]
    pub fn new(
        kpi: &'static str,
        unit: &'static str,
        window: Window,
        span: (Option<Timestamp>, Timestamp),
    ) -> Self {
        Self {
            kpi,
            basis: None,
            window: window.name(),
            from: span.0.map(|from| from.to_string()),
            to: span.1.to_string(),
            value: None,
            numerator: None,
            denominator: None,
            unit,
            currency: None,
            reason: None,
            interval: None,
        }
    }
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn code<S: serde::Serializer>(
    currency: &Option<Currency>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    currency.as_ref().map(Currency::code).serialize(serializer)
}
