//! The sums that every KPI of a window is made of, wherever they were read.

use common::currency::Currency;

use crate::fold::field::{Counter, Field, Sums};
use crate::window::{Asked, Window};

/// A window's sums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// The counters of documents.
    pub sums: Sums,
    /// Distinct customers with a purchase in the window.
    pub customers: i128,
    /// Those with two or more in it.
    pub repeat: i128,
    /// Those with two or more in all.
    pub returning: i128,
    /// Customers active in the preceding window.
    pub preceding: i128,
    /// Customers active in both.
    pub both: i128,
    /// Checkouts of the window that are older than the horizon.
    pub old_checkouts: i128,
    /// Those of them that were completed.
    pub old_completed: i128,
}

/// What does not hang on a window.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// The currencies that the shop's documents name.
    pub currencies: Vec<Currency>,
    /// The observed lifespan of customers in years.
    pub lifespan_years: Option<f64>,
    /// The declared one.
    pub declared_years: Option<f64>,
    /// The currency of value ratios.
    pub value_currency: Option<Currency>,
}

/// Everything known of a shop at an instant.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The windows asked for, with their sums.
    pub windows: Vec<(Window, Figures)>,
    /// What does not hang on a window.
    pub whole: Whole,
    /// The sums of the last 365 days, for the product formula of lifetime value.
    pub year: Figures,
    /// The sums of everything, for historic lifetime value.
    pub all: Figures,
    /// What was asked, with the present that the answer holds for.
    pub asked: Asked,
}

impl Figures {
    /// A counter that is not split.
    #[must_use]
    pub fn plain(&self, counter: Counter) -> i128 {
        self.sums.get(Field::plain(counter))
    }

    /// A counter in a currency.
    #[must_use]
    pub fn money(&self, counter: Counter, currency: Currency) -> i128 {
        self.sums.get(Field::money(counter, currency))
    }

    /// Net sales in a currency.
    #[must_use]
    pub fn net_sales(&self, currency: Currency) -> i128 {
        self.sold(currency) - self.money(Counter::Reversals, currency)
    }

    /// Total sales in a currency.
    #[must_use]
    pub fn total_sales(&self, currency: Currency) -> i128 {
        self.net_sales(currency) + self.money(Counter::Extras, currency)
    }

    /// Gross sales less discounts in a currency.
    #[must_use]
    pub fn sold(&self, currency: Currency) -> i128 {
        self.money(Counter::Gross, currency) - self.money(Counter::Discounts, currency)
    }
}

impl Whole {
    /// The shop's currencies, and the one that value ratios are given in.
    #[must_use]
    pub fn new(mut currencies: Vec<Currency>, configured: Currency) -> Self {
        currencies.sort_unstable();
        currencies.dedup();
        if currencies.is_empty() {
            currencies.push(configured);
        }
        let value_currency = if currencies.contains(&configured) {
            Some(configured)
        } else {
            currencies.first().copied()
        };
        Self { currencies, value_currency, ..Self::default() }
    }
}
