//! From the false alarms that a user puts up with to a threshold.

use common::config::Alarms;

use super::alarm::THRESHOLD;

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

/// The threshold at which a series has a false alarm about once in so many months. Between what was
/// measured, it grows with the logarithm.
#[must_use]
pub fn threshold(alarms: Alarms) -> f64 {
    let months = f64::from(alarms.months_between_false);
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
            let found = threshold(Alarms { months_between_false: months });
            assert!((found - expected).abs() < 0.005, "{months}: {found}");
        };
        check(17, 7.0);
        check(46, 8.0);
        check(60, 8.26);
        check(132, 9.0);
        check(500, 10.37);
        check(833, 11.0);
    }
}
