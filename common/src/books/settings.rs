//! What the configuration says about a shop and its documents do not.

use crate::currency::Currency;

/// The settings of one shop that KPIs depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The currency where no document names one.
    pub currency: Currency,
    /// The declared lifespan of a customer in years; `None` means the observed one.
    pub declared_lifespan_years: Option<f64>,
}

impl Default for Settings {
    /// The configuration's defaults: US dollars, observed lifespan.
    fn default() -> Self {
        Self { currency: Currency::USD, declared_lifespan_years: None }
    }
}
