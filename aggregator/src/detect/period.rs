//! The period scan: the returns of the last hours, days and weeks against their exposure.
//!
//! Exposure is the returns that the orders of the days before let expect, per unit of return rate: so
//! more orders are no alarm, and more returns of the same orders are. What a unit of exposure returns
//! is learnt from 56 days that end 28 days ago, so a spike does not teach itself.

use super::glr::{Belief, Excess};

/// The windows, in hours.
pub const WINDOWS_HOURS: [usize; 10] = [1, 3, 6, 12, 24, 48, 96, 168, 336, 672];
/// Hours of a day.
pub const DAY_HOURS: usize = 24;
/// The days that a baseline rests on, and how many days before the present one they end.
pub const BASELINE_DAYS: usize = 56;
/// The days between the baseline and the present one, the present one included.
pub const GAP_DAYS: usize = 28;
/// Alarms are looked for so many days back: a rise that stays is one for up to 66 days.
pub const LOOK_BACK_DAYS: usize = 100;
/// The returns that the prior rate counts for.
pub const PRIOR_RETURNS: f64 = 2.0;
/// The returns that a baseline rests on at most while it is unsure: it takes 2.2 times what is expected to
/// raise an alarm, however many come back.
const UNSURE_RETURNS: f64 = 20.0;
/// The dispersion that is believed in before there is any history, and the days it counts for: they
/// weigh as 56 days of 10 returns each.
const PRIOR_DISPERSION: (f64, f64) = (112.0, 5_600.0);
/// The limits of a day's dispersion: coefficients of variation of 0.05 and 0.5.
const DISPERSION: (f64, f64) = (0.0025, 0.25);

/// What a shop's returns per exposure were before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// The rate.
    pub belief: Belief,
    /// The variance of a day's rate beyond chance, as a share of its square.
    pub dispersion: f64,
}

/// Hours of returns and exposure, summed up.
#[derive(Clone, Debug)]
pub struct PeriodScan {
    prior_rate: f64,
    /// The first day whose baseline is taken for as sure as it is.
    sure_from: usize,
    returns: Totals,
    exposure: Totals,
}

/// Sums of everything before each hour, one more than there are hours. Each is a float and what was
/// rounded away of it: a short window is the difference of two long sums.
#[derive(Clone, Debug)]
struct Totals(Vec<(f64, f64)>);

impl Totals {
    fn of(hours: impl IntoIterator<Item = f64>) -> Self {
        let (mut sum, mut rounded) = (0.0_f64, 0.0);
        let total = |hour: f64| {
            // Knuth's two-sum: what the new sum lacks of both.
            let next = sum + hour;
            let of_hour = next - sum;
            rounded += (sum - (next - of_hour)) + (hour - of_hour);
            sum = next;
            (sum, rounded)
        };
        Self(std::iter::once((0.0, 0.0)).chain(hours.into_iter().map(total)).collect())
    }

    fn between(&self, from: usize, to: usize) -> f64 {
        let (from, to) = (self.0[from], self.0[to]);
        (to.0 - from.0) + (to.1 - from.1)
    }
}

impl PeriodScan {
    /// Of hours from the first hour of a day on; `prior_rate` is believed in until there is history.
    pub fn new(prior_rate: f64, hours: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (returns, exposure): (Vec<f64>, Vec<f64>) = hours.into_iter().unzip();
        let (returns, exposure) = (Totals::of(returns), Totals::of(exposure));
        Self { prior_rate, sure_from: 0, returns, exposure }
    }

    /// The same, whose baselines before a day rest on exposure that is known badly.
    #[must_use]
    pub fn sure_from(self, day: usize) -> Self {
        Self { sure_from: day, ..self }
    }

    /// How many hours there are.
    #[must_use]
    pub fn hours(&self) -> usize {
        self.returns.0.len() - 1
    }

    /// The baseline of the hours of a day.
    #[must_use]
    pub fn baseline(&self, day: usize) -> Baseline {
        let end = (day + 1).saturating_sub(GAP_DAYS);
        let days = end.saturating_sub(BASELINE_DAYS)..end;
        let (returns, exposure) = self.sums(days.start * DAY_HOURS, days.end * DAY_HOURS);
        let belief = Belief {
            shape: PRIOR_RETURNS + returns,
            rate: PRIOR_RETURNS / self.prior_rate + exposure,
        };
        let (mut above, mut weight) = PRIOR_DISPERSION;
        for day in days {
            let (returns, exposure) = self.sums(day * DAY_HOURS, (day + 1) * DAY_HOURS);
            let mean = belief.mean() * exposure;
            above += (returns - mean).powi(2) - mean;
            weight += mean.powi(2);
        }
        let dispersion = (above / weight).clamp(DISPERSION.0, DISPERSION.1);
        let belief = if day < self.sure_from { belief.resting_on(UNSURE_RETURNS) } else { belief };
        Baseline { belief, dispersion }
    }

    /// The window ending with an hour that exceeds the baseline most; windows as `lengths` has them.
    #[must_use]
    pub fn at(&self, hour: usize, baseline: &Baseline, lengths: &[usize]) -> Option<Excess> {
        let windows = lengths.iter().filter_map(|&length| {
            let (returns, exposure) = self.sums((hour + 1).saturating_sub(length), hour + 1);
            let days = length as f64 / DAY_HOURS as f64;
            baseline.belief.over_days(days, baseline.dispersion).excess(length, returns, exposure)
        });
        windows.reduce(Excess::larger)
    }

    /// The largest excess of each hour of `hours`.
    pub fn series(
        &self,
        hours: std::ops::Range<usize>,
    ) -> impl Iterator<Item = (usize, Option<Excess>)> + '_ {
        let mut refreshed: Option<(usize, Baseline)> = None;
        hours.map(move |hour| {
            let day = hour / DAY_HOURS;
            let baseline = match refreshed {
                Some((of, baseline)) if of == day => baseline,
                Some(_) | None => refreshed.insert((day, self.baseline(day))).1,
            };
            (hour, self.at(hour, &baseline, &WINDOWS_HOURS))
        })
    }

    /// Returns and exposure of the hours from `from` to before `to`.
    fn sums(&self, from: usize, to: usize) -> (f64, f64) {
        let [from, to] = [from, to].map(|hour| hour.min(self.hours()));
        (self.returns.between(from, to), self.exposure.between(from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_ends_28_days_ago() {
        // One return an hour for 100 days, then a hundred.
        let hours = (0..130 * DAY_HOURS)
            .map(|hour| (if hour < 100 * DAY_HOURS { 1.0 } else { 100.0 }, 10.0));
        let scan = PeriodScan::new(0.1, hours);
        // Days 44 to 99: none of the others.
        let before = scan.baseline(127);
        assert!((before.belief.shape - 2.0 - 56.0 * 24.0).abs() < 1e-6, "{before:?}");
        assert!((before.belief.rate - 20.0 - 56.0 * 240.0).abs() < 1e-6, "{before:?}");
        assert!((before.dispersion - DISPERSION.0).abs() < 1e-12, "{before:?}");
        let after = scan.baseline(128);
        assert!(after.belief.mean() > before.belief.mean() && after.dispersion > 0.2, "{after:?}");
    }

    #[test]
    fn short_windows_are_exact_after_long_sums() {
        // What is due in the last hour is far below what a float tells apart at the sum of all.
        let hours = [(0.0, 1e16), (7.0, 0.25), (0.0, 1e9), (9.0, 0.75)];
        let scan = PeriodScan::new(0.1, hours);
        assert_eq!([1, 3].map(|hour| scan.sums(hour, hour + 1)), [(7.0, 0.25), (9.0, 0.75)]);
    }

    #[test]
    fn without_history_the_prior_rate_counts() {
        let baseline = PeriodScan::new(0.08, []).baseline(3);
        assert_eq!(baseline.belief, Belief { shape: 2.0, rate: 25.0 });
        assert!((baseline.dispersion - 0.02).abs() < 1e-12);
    }

    #[test]
    fn windows_that_reach_before_the_first_hour_hold_what_is_there() {
        let scan = PeriodScan::new(0.1, [(0.0, 1.0), (30.0, 1.0)]);
        let excess = scan.at(1, &scan.baseline(0), &WINDOWS_HOURS).expect("a spike");
        assert!((excess.returns - 30.0).abs() < 1e-12 && excess.statistic > 9.0, "{excess:?}");
    }
}
