//! How long a customer stays one: the Kaplan-Meier mean (KPI definitions, section 3).

use super::exact::real;
use crate::time::{DAY_MS, Timestamp};

/// A customer without a purchase for longer than this has left.
const INACTIVE_MS: i64 = 365 * DAY_MS;
/// A year of 365 days.
const YEAR_MS: i64 = 365 * DAY_MS;

/// Area under the survival curve, in years, as of `now`; `lives` holds each customer's first and
/// last purchase. `None` without customers.
pub(super) fn observed_years(lives: &[(Timestamp, Timestamp)], now: Timestamp) -> Option<f64> {
    let longest = lives.iter().map(|(first, _)| now.ms() - first.ms()).max()?;
    let mut ended = Vec::new();
    let mut all = Vec::new();
    for (first, last) in lives {
        if now.ms() - last.ms() > INACTIVE_MS {
            ended.push(last.ms() - first.ms());
            all.push(last.ms() - first.ms());
        } else {
            all.push(now.ms() - first.ms());
        }
    }
    ended.sort_unstable();
    all.sort_unstable();

    let (mut area, mut survival, mut since) = (0.0, 1.0, 0);
    for deaths in ended.chunk_by(|a, b| a == b) {
        let time = deaths[0];
        // Whoever is censored at this very time is still at risk: ends come first.
        let at_risk = all.len() - all.partition_point(|&duration| duration < time);
        area += survival * real((time - since).into());
        survival *= 1.0 - real(deaths.len() as i128) / real(at_risk as i128);
        since = time;
    }
    area += survival * real((longest - since).into());
    Some(area / real(YEAR_MS.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lives_days: &[(i64, i64)], now_days: i64, expected_days: Option<f64>) {
        let day = |days: i64| Timestamp::from_ms(days * DAY_MS);
        let lives: Vec<_> = lives_days.iter().map(|&(f, l)| (day(f), day(l))).collect();
        let years = observed_years(&lives, day(now_days));
        match (years, expected_days) {
            (Some(years), Some(days)) => assert!((years * 365.0 - days).abs() < 1e-9, "{years}"),
            (years, expected) => assert_eq!(years, expected),
        }
    }

    #[test]
    fn areas_by_hand() {
        check(&[], 0, None);
        check(&[(0, 913)], 1095, Some(1095.0));
        // Exactly 365 days of silence is not longer than the horizon.
        check(&[(0, 0)], 365, Some(365.0));
        check(&[(0, 0)], 366, Some(0.0));
        // One ends after 100 days, one is censored at 500: 100 + 0.5 * 400.
        check(&[(0, 100), (0, 500)], 500, Some(300.0));
        // An end and a censoring at the same 100 days: 2 at risk; carried forward to 1,000.
        check(&[(0, 100), (900, 900)], 1000, Some(100.0 + 0.5 * 900.0));
        // Two ends at one time of three: survival 1/3.
        check(&[(0, 50), (0, 50), (0, 600)], 600, Some(50.0 + 550.0 / 3.0));
    }
}
