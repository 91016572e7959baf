//! The statistic: how much likelier the returns of a window are at a raised rate than at the one that
//! is believed in.
//!
//! The rate per unit of exposure has a gamma prior, so the returns of a window are negative binomial;
//! the statistic is the logarithm of the generalised likelihood ratio against the rate raised by the
//! factor that explains the window best.

/// The larger factors that are worth a look: below, a window tells nothing.
const LEAST_RATIO: f64 = 1.2;
/// Returns that a window needs to be looked at.
const LEAST_RETURNS: f64 = 3.0;
/// The variance of a rate that even the longest history leaves, as a share of its square.
const FLOOR: f64 = 1.0 / 200.0;

/// What is believed of the returns per unit of exposure: a gamma distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// The shape: about as many returns as it rests on.
    pub shape: f64,
    /// The rate: about as much exposure as it rests on.
    pub rate: f64,
}

/// Returns and exposure of a window, and how far they are from what is believed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excess {
    /// The logarithm of the likelihood ratio.
    pub statistic: f64,
    /// The window's length in hours, or a cohort's in days.
    pub length: usize,
    /// Returns in it.
    pub returns: f64,
    /// Returns that were to be expected.
    pub expected: f64,
    /// The shape of the belief, once it is as wide as it has to be.
    pub shape: f64,
}

impl Belief {
    /// The expected returns per unit of exposure.
    #[must_use]
    pub fn mean(self) -> f64 {
        self.shape / self.rate
    }

    /// The same mean, resting on `returns` at most.
    #[must_use]
    pub fn resting_on(self, returns: f64) -> Self {
        if self.shape <= returns {
            return self;
        }
        Self { shape: returns, rate: self.rate * returns / self.shape }
    }

    /// The same mean, no surer than what a window of so many days can be sure of: `dispersion` is the
    /// variance of a day's rate as a share of its square, and averages out over the days.
    #[must_use]
    pub fn over_days(self, days: f64, dispersion: f64) -> Self {
        self.resting_on(1.0 / (FLOOR + dispersion / days.max(1.0)))
    }

    /// The statistic; 0 where there are no more returns than expected.
    #[must_use]
    pub fn statistic(self, returns: f64, exposure: f64) -> f64 {
        let expected = self.mean() * exposure;
        // Also where nothing was to be expected at all, so that there is no factor.
        if returns <= expected || expected <= 0.0 {
            return 0.0;
        }
        // With rho = returns / expected: R ln(rho) - (a + R) ln((b + rho E) / (b + E)), written such
        // that what is nearly equal is not subtracted.
        let above = returns - expected;
        let raised = (above / expected).ln_1p();
        let widened = (above / (self.shape + expected)).ln_1p();
        returns * raised - (self.shape + returns) * widened
    }

    /// The excess of a window, if it is worth a look.
    #[must_use]
    pub fn excess(self, length: usize, returns: f64, exposure: f64) -> Option<Excess> {
        let expected = self.mean() * exposure;
        if returns < LEAST_RETURNS || returns < LEAST_RATIO * expected {
            return None;
        }
        let statistic = self.statistic(returns, exposure);
        Some(Excess { statistic, length, returns, expected, shape: self.shape })
    }
}

impl Excess {
    /// The larger of two.
    #[must_use]
    pub fn larger(self, other: Self) -> Self {
        if other.statistic > self.statistic { other } else { self }
    }

    /// How many times the expected returns came.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.returns / self.expected
    }

    /// The interval that holds the true factor 95 times of 100: the returns are Poisson, the rate is
    /// gamma, and the logarithm of their quotient is about normal.
    #[must_use]
    pub fn interval(&self) -> [f64; 2] {
        let spread = 1.959_963_985 * (1.0 / self.returns + 1.0 / self.shape).sqrt();
        [self.ratio() * (-spread).exp(), self.ratio() * spread.exp()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_file_is_reproduced() {
        let golden = include_str!("../../../common/testdata/detector/detector-glr-golden.csv");
        let mut rows = 0;
        for line in golden.lines().skip(1) {
            let row: Vec<f64> =
                line.split(',').map(|cell| cell.parse().expect("a number")).collect();
            let [shape, rate, returns, exposure, expected] = row[..] else { panic!("{line}") };
            let found = Belief { shape, rate }.statistic(returns, exposure);
            assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{line}: {found}");
            rows += 1;
        }
        assert_eq!(rows, 60);
    }

    #[test]
    fn a_belief_is_no_surer_than_its_days_allow() {
        let sure = Belief { shape: 1_000.0, rate: 10_000.0 };
        let [hour, month] = [1.0 / 24.0, 28.0].map(|days| sure.over_days(days, 0.02));
        assert!((hour.shape - 40.0).abs() < 1e-9, "an hour is no surer than a day: {hour:?}");
        assert!((month.shape - 175.0).abs() < 1e-9, "{month:?}");
        assert!((month.mean() - 0.1).abs() < 1e-12);
        let unsure = Belief { shape: 3.0, rate: 30.0 };
        assert_eq!(unsure.over_days(1.0, 0.02), unsure);
    }

    #[test]
    fn few_returns_and_small_factors_are_not_looked_at() {
        let belief = Belief { shape: 50.0, rate: 500.0 };
        assert_eq!(belief.excess(1, 2.0, 0.1), None);
        assert_eq!(belief.excess(1, 11.9, 100.0), None);
        let excess = belief.excess(1, 30.0, 100.0).expect("worth a look");
        let [low, high] = excess.interval();
        assert!((excess.ratio() - 3.0).abs() < 1e-12 && low > 1.8 && high < 5.0, "{low} {high}");
    }

    #[test]
    fn nothing_is_nothing() {
        let belief = Belief { shape: 2.0, rate: 25.0 };
        assert!(belief.statistic(0.0, 0.0).abs() < 1e-300);
        assert!(belief.statistic(5.0, 0.0).abs() < 1e-300, "no exposure, no factor");
    }
}
