//! When returns come: how many days after the order, on which weekday, in which hour of the day.
//!
//! Each law is what the shop's own returns show, mixed with one that is believed in before there are
//! any, which counts for [`PRIOR_WEIGHT`] returns.

use super::period::DAY_HOURS;
use crate::fold::watched;

/// The longest lag in days that is told apart.
pub const MOST_LAG_DAYS: usize = watched::MOST_LAG_DAYS as usize;
/// The returns that what is believed in beforehand counts for.
const PRIOR_WEIGHT: f64 = 200.0;
/// The gamma distribution of lags that is believed in beforehand: mean and deviation in days, and the
/// shortest lag that it allows.
const PRIOR_LAG: (f64, f64, usize) = (14.0, 8.0, 2);
/// Days of a week.
const WEEK: usize = 7;

/// Lags in days, from 0 on.
pub type Lags<T> = [T; MOST_LAG_DAYS + 1];

/// The shares of an order's returns by the days after it; they add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct LagLaw(Lags<f64>);

/// How weekdays and hours of a day differ; all of UTC.
#[derive(Clone, Debug, PartialEq)]
pub struct Rhythm {
    /// By the day's number from the epoch, modulo 7; 1 on average.
    weekday: [f64; WEEK],
    /// They add up to 1.
    hour: [f64; DAY_HOURS],
}

impl LagLaw {
    /// What is believed in beforehand.
    #[must_use]
    pub fn prior() -> Self {
        let (mean, deviation, shortest) = PRIOR_LAG;
        let scale = deviation * deviation / mean;
        let power = (mean / deviation).powi(2) - 1.0;
        let mut shares = [0.0; MOST_LAG_DAYS + 1];
        for (lag, share) in shares.iter_mut().enumerate().skip(shortest) {
            *share = (lag as f64).powf(power) * (-(lag as f64) / scale).exp();
        }
        let all: f64 = shares.iter().sum();
        Self(shares.map(|share| share / all))
    }

    /// What returns of matured orders, counted by lag, make of it.
    #[must_use]
    pub fn learnt(counts: &Lags<f64>) -> Self {
        let Self(prior) = Self::prior();
        let all = PRIOR_WEIGHT + counts.iter().sum::<f64>();
        let mut shares = [0.0; MOST_LAG_DAYS + 1];
        for ((share, prior), count) in shares.iter_mut().zip(prior).zip(counts) {
            *share = (PRIOR_WEIGHT * prior + count) / all;
        }
        Self(shares)
    }

    /// The share of a lag.
    #[must_use]
    pub fn share(&self, lag: usize) -> f64 {
        self.0.get(lag).copied().unwrap_or_default()
    }

    /// For each day, the returns per unit of return rate that its and earlier days' orders let expect.
    #[must_use]
    pub fn due(&self, orders_by_day: &[f64]) -> Vec<f64> {
        let due_on = |day: usize| {
            let lags = 0..=day.min(MOST_LAG_DAYS);
            lags.map(|lag| orders_by_day[day - lag] * self.0[lag]).sum()
        };
        (0..orders_by_day.len()).map(due_on).collect()
    }
}

impl Rhythm {
    /// What is believed in beforehand: no day and no hour differs.
    #[must_use]
    pub const fn flat() -> Self {
        Self { weekday: [1.0; WEEK], hour: [1.0 / DAY_HOURS as f64; DAY_HOURS] }
    }

    /// What `days` of hourly returns make of it, from the day `first` on, beside what was due on each.
    #[must_use]
    pub fn learnt(first: i64, days: &[([f64; DAY_HOURS], f64)]) -> Self {
        let (mut by_weekday, mut due, mut by_hour) = ([0.0; WEEK], [0.0; WEEK], [0.0; DAY_HOURS]);
        for (day, (returns, due_then)) in (first..).zip(days) {
            by_weekday[weekday(day)] += returns.iter().sum::<f64>();
            due[weekday(day)] += due_then;
            for (sum, returns) in by_hour.iter_mut().zip(returns) {
                *sum += returns;
            }
        }
        let (all, all_due): (f64, f64) = (by_hour.iter().sum(), due.iter().sum());
        let mut rhythm = Self::flat();
        if all_due <= 0.0 {
            return rhythm;
        }
        let share = |due: f64| (PRIOR_WEIGHT / WEEK as f64) + all * due / all_due;
        for ((factor, returns), due) in rhythm.weekday.iter_mut().zip(by_weekday).zip(due) {
            *factor = (PRIOR_WEIGHT / WEEK as f64 + returns) / share(due);
        }
        for (share, returns) in rhythm.hour.iter_mut().zip(by_hour) {
            *share = (PRIOR_WEIGHT / DAY_HOURS as f64 + returns) / (PRIOR_WEIGHT + all);
        }
        rhythm
    }

    /// The factor of a day, by its number from the epoch.
    #[must_use]
    pub fn of_day(&self, day: i64) -> f64 {
        self.weekday[weekday(day)]
    }

    /// The share of an hour of the day.
    #[must_use]
    pub fn of_hour(&self, hour: usize) -> f64 {
        self.hour[hour % DAY_HOURS]
    }
}

fn weekday(day: i64) -> usize {
    usize::try_from(day.rem_euclid(7)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} is not {b}");
    }

    #[test]
    fn the_prior_lag_has_about_the_mean_it_is_named_by() {
        let law = LagLaw::prior();
        close((0..=MOST_LAG_DAYS).map(|lag| law.share(lag)).sum(), 1.0);
        let mean: f64 = (0..=MOST_LAG_DAYS).map(|lag| lag as f64 * law.share(lag)).sum();
        assert!((13.5..14.5).contains(&mean), "{mean}");
        close(law.share(0) + law.share(1) + law.share(MOST_LAG_DAYS + 1), 0.0);
    }

    #[test]
    fn two_hundred_returns_weigh_as_much_as_the_prior() {
        let mut counts = [0.0; MOST_LAG_DAYS + 1];
        counts[5] = 200.0;
        let (law, prior) = (LagLaw::learnt(&counts), LagLaw::prior());
        close(law.share(5), 0.5 + prior.share(5) / 2.0);
        close(law.share(14), prior.share(14) / 2.0);
    }

    #[test]
    fn what_is_due_adds_up_to_the_orders() {
        let mut orders = vec![0.0; 200];
        orders[100] = 50.0;
        let law = LagLaw::prior();
        let due = law.due(&orders);
        close(due.iter().sum(), 50.0);
        close(due[114], 50.0 * law.share(14));
        close(due[101], 0.0);
    }

    #[test]
    fn a_rhythm_is_learnt_from_returns_beside_what_was_due() {
        // Twice as much is due on one weekday, three times as much comes, all in one hour.
        let day = |day: i64| {
            let mut returns = [0.0; DAY_HOURS];
            returns[9] = if day % 7 == 2 { 3_000.0 } else { 1_000.0 };
            (returns, if day % 7 == 2 { 2_000.0 } else { 1_000.0 })
        };
        let days: Vec<_> = (0..56).map(day).collect();
        let rhythm = Rhythm::learnt(0, &days);
        let ratio = rhythm.of_day(2) / rhythm.of_day(3);
        assert!((1.495..1.5).contains(&ratio), "{ratio}");
        assert!(rhythm.of_hour(9) > 0.99 && rhythm.of_hour(10) < 0.001);
        close((0..DAY_HOURS).map(|hour| rhythm.of_hour(hour)).sum(), 1.0);
        assert_eq!(Rhythm::learnt(0, &[]), Rhythm::flat());
    }
}
