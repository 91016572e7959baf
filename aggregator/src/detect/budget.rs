//! From the false alarms that a user puts up with to a threshold.

use common::config::Alarms;

use super::by_product::MOST_PRODUCTS;

/// The threshold of the period scan: 0.0076 false alarms a series and month
/// (`detector-acceptance.json`).
pub const THRESHOLD: f64 = 9.0;
/// Months between two false alarms of a series, by threshold, measured on Poisson returns
/// (`detector-acceptance.json`, `by_threshold_poisson_mean`).
const MEASURED: [(f64, f64); 7] = [
    (17.0, 7.0),
    (46.0, 8.0),
    (77.0, 8.5),
    (132.0, THRESHOLD),
    (238.0, 9.5),
    (370.0, 10.0),
    (833.0, 11.0),
];

/// The scores at which alarms are raised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Of the shop's total and of each reason.
    pub series: f64,
    /// Of each product that is watched: ten times the months of a series, as far as was measured.
    pub product: f64,
}

impl Thresholds {
    /// Those of a budget.
    #[must_use]
    pub fn of(alarms: Alarms) -> Self {
        let months = f64::from(alarms.months_between_false);
        Self { series: threshold(months), product: threshold(months * MOST_PRODUCTS as f64) }
    }
}

/// The threshold at which a series has a false alarm about once in so many months. Between what was
/// measured, it grows with the logarithm; beyond, nothing is known, and it does not.
fn threshold(months: f64) -> f64 {
    let (first, last) = (MEASURED[0], MEASURED[MEASURED.len() - 1]);
    let between = MEASURED.windows(2).find(|pair| months <= pair[1].0);
    let [(fewer, low), (more, high)] = match between {
        Some(&[low, high]) => [low, high],
        Some(_) | None => [first, last],
    };
    let share = ((months / fewer).ln() / (more / fewer).ln()).clamp(0.0, 1.0);
    low + share * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_grows_with_the_months() {
        let check = |months, expected: f64| {
            let found = Thresholds::of(Alarms { months_between_false: months });
            assert!((found.series - expected).abs() < 0.005, "{months}: {found:?}");
        };
        check(17, 7.0);
        check(46, 8.0);
        check(60, 8.26);
        check(132, 9.0);
        check(500, 10.37);
        check(833, 11.0);
    }

    #[test]
    fn products_share_the_budget_of_a_series() {
        let product = |months| Thresholds::of(Alarms { months_between_false: months }).product;
        assert!(
            (product(17) - Thresholds::of(Alarms { months_between_false: 170 }).series).abs()
                < 1e-9
        );
        assert!((product(132) - 11.0).abs() < 1e-9, "as far as was measured");
    }
}
