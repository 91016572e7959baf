//! The cohort scan: the returns so far of the orders of the last days, against what orders of their
//! age let expect. It sees a defective batch, whose orders come back more often whenever they do.

use super::glr::{Belief, Excess};

/// The cohorts: orders placed in so many days, the present one included.
pub const COHORT_DAYS: [usize; 7] = [3, 5, 7, 10, 14, 21, 28];
/// The variance of a day's rate beyond chance, as a share of its square.
const DISPERSION: f64 = 0.02;
/// A cohort's returns are spread over about half of its days.
const SPREAD: f64 = 0.5;

/// The cohort that exceeds what is believed most. `by_age` has the returns so far and the exposure so
/// far of the orders of each day, the present day first.
#[must_use]
pub fn scan(belief: Belief, by_age: &[(f64, f64)]) -> Option<Excess> {
    let cohorts = COHORT_DAYS.iter().filter_map(|&days| of_days(belief, by_age, days));
    cohorts.reduce(Excess::larger)
}

/// What the cohort of so many days exceeds what is believed by.
#[must_use]
pub fn of_days(belief: Belief, by_age: &[(f64, f64)], days: usize) -> Option<Excess> {
    let of = &by_age[..days.min(by_age.len())];
    let returns = of.iter().map(|day| day.0).sum();
    let exposure = of.iter().map(|day| day.1).sum();
    belief.over_days(SPREAD * days as f64, DISPERSION).excess(days, returns, exposure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cohort_that_holds_the_bad_days_is_found() {
        let belief = Belief { shape: 400.0, rate: 4_000.0 };
        // Orders of the last week came back four times as often as those before.
        let by_age: Vec<(f64, f64)> =
            (0..28).map(|age| (if age < 7 { 8.0 } else { 2.0 }, 20.0)).collect();
        let excess = scan(belief, &by_age).expect("an excess");
        assert_eq!(excess.length, 7);
        assert!((excess.returns - 56.0).abs() < 1e-9 && (excess.expected - 14.0).abs() < 1e-9);
        assert_eq!(scan(belief, &[(2.0, 20.0); 28]), None);
        assert_eq!(scan(belief, &[]), None);
    }
}
