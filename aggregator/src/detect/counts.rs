//! What the detector sees of a shop: orders and returned orders by UTC hour, and by how long it took.

use std::ops::Range;

use common::store::StoreError;

use super::laws::Lags;
use super::period::DAY_HOURS;
use crate::fold::field::Sums;
use crate::fold::hours::day_of;
use crate::fold::watched::{self, CAUSES, Cause, Watched};
use crate::kpi::reader::ShopReader;

/// Days that are looked back on: a year of matured orders.
const DAYS: usize = 366 + super::laws::MOST_LAG_DAYS;

/// Counts of the hours up to one that is over.
#[derive(Clone, Debug)]
pub struct Counts {
    first_day: i64,
    last_hour: i64,
    orders: Vec<f64>,
    returns: Vec<Vec<f64>>,
    lags: Vec<Vec<Lagged>>,
}

/// Orders of a day that came back so many days later.
#[derive(Clone, Copy, Debug)]
struct Lagged {
    day: usize,
    lag: usize,
    orders: f64,
}

impl Counts {
    /// None yet, up to the hour `last_hour` from the epoch.
    #[must_use]
    pub fn until(last_hour: i64) -> Self {
        Self::of_causes(last_hour, CAUSES.len())
    }

    /// None yet, and none by reason.
    #[must_use]
    pub fn of_total(last_hour: i64) -> Self {
        Self::of_causes(last_hour, 1)
    }

    fn of_causes(last_hour: i64, causes: usize) -> Self {
        let first_day = day_of(last_hour) + 1 - signed(DAYS);
        let hours = usize::try_from(last_hour + 1 - first_hour_of(first_day)).unwrap_or_default();
        let returns = vec![vec![0.0; hours]; causes];
        Self {
            first_day,
            last_hour,
            orders: vec![0.0; hours],
            returns,
            lags: vec![Vec::new(); causes],
        }
    }

    /// Those of a shop.
    pub fn read(reader: &ShopReader<'_>, last_hour: i64) -> Result<Self, StoreError> {
        let mut counts = Self::until(last_hour);
        reader.watched(counts.hour_number(0), last_hour, |hour, sums| counts.add(hour, sums))?;
        Ok(counts)
    }

    /// Adds what is watched in an hour from the epoch; hours come in their order.
    pub fn add(&mut self, hour: i64, sums: &Sums) {
        let at = usize::try_from(hour - self.hour_number(0)).ok();
        let Some(at) = at.filter(|at| *at < self.orders.len()) else { return };
        for (field, amount) in sums.iter() {
            let orders = amount as f64;
            match Watched::of(field) {
                Some(Watched::Orders) => self.orders[at] += orders,
                Some(Watched::Returns(cause)) => self.returns[index(cause)][at] += orders,
                Some(Watched::Lag(cause, lag)) => {
                    let (day, lag) = (at / DAY_HOURS, usize::from(lag));
                    self.lags[index(cause)].push(Lagged { day, lag, orders });
                }
                None => {}
            }
        }
    }

    /// Whether what is watched in `hour` takes part; events of the present hour do not yet.
    #[must_use]
    pub fn takes_part(last_hour: i64, hour: i64, sums: &Sums) -> bool {
        let (present_day, day) = (day_of(last_hour + 1), day_of(hour));
        sums.iter().any(|(field, _)| match Watched::of(field) {
            // A day's lags are looked at once it is over.
            Some(Watched::Lag(_, lag)) => day + i64::from(lag) < present_day,
            Some(Watched::Orders | Watched::Returns(_)) | None => hour <= last_hour,
        })
    }

    /// The number of a day from the epoch; `day` counts from the first one.
    #[must_use]
    pub fn day_number(&self, day: usize) -> i64 {
        self.first_day + signed(day)
    }

    /// The number of an hour from the epoch; `hour` counts from the first one.
    #[must_use]
    pub fn hour_number(&self, hour: usize) -> i64 {
        first_hour_of(self.first_day) + signed(hour)
    }

    /// How many hours there are.
    #[must_use]
    pub const fn hours(&self) -> usize {
        self.orders.len()
    }

    /// The number of the last hour from the epoch.
    #[must_use]
    pub const fn last_hour(&self) -> i64 {
        self.last_hour
    }

    /// The days that are over, from the first one on.
    #[must_use]
    pub fn full_days(&self) -> usize {
        self.orders.len() / DAY_HOURS
    }

    /// The first day with an order.
    #[must_use]
    pub fn first_order(&self) -> Option<usize> {
        self.orders.iter().position(|orders| *orders > 0.0).map(|hour| hour / DAY_HOURS)
    }

    /// Orders by day; the last one may not be over.
    #[must_use]
    pub fn orders_by_day(&self) -> Vec<f64> {
        self.orders.chunks(DAY_HOURS).map(|day| day.iter().sum()).collect()
    }

    /// Returned orders by hour; `cause` is an index of [`CAUSES`].
    #[must_use]
    pub fn returns(&self, cause: usize) -> &[f64] {
        &self.returns[cause]
    }

    /// By lag, the orders of days that came back for a cause.
    #[must_use]
    pub fn lags(&self, cause: usize, days: &Range<usize>) -> Lags<f64> {
        let mut lags = [0.0; super::laws::MOST_LAG_DAYS + 1];
        for of in self.lags[cause].iter().filter(|of| days.contains(&of.day)) {
            lags[of.lag] += of.orders;
        }
        lags
    }

    /// The orders of each of `ages` days, `day` and those before it, that have come back for a cause by
    /// its end.
    #[must_use]
    pub fn returned_by(&self, cause: usize, day: usize, ages: usize) -> Vec<f64> {
        let mut by_age = vec![0.0; ages];
        // They came in the order of their days.
        let lags = &self.lags[cause];
        let from = lags.partition_point(|of| of.day + ages <= day);
        for of in lags[from..].iter().take_while(|of| of.day <= day) {
            if of.day + of.lag <= day {
                by_age[day - of.day] += of.orders;
            }
        }
        by_age
    }
}

/// The place of a cause in [`CAUSES`].
fn index(cause: Cause) -> usize {
    usize::from(watched::number(cause))
}

fn first_hour_of(day: i64) -> i64 {
    day * signed(DAY_HOURS)
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use common::reason::Reason;

    use super::*;

    fn sums(watched: &[(Watched, i128)]) -> Sums {
        let mut sums = Sums::default();
        for (watched, amount) in watched {
            sums.add(watched.field(), *amount);
        }
        sums
    }

    #[test]
    fn only_hours_that_are_over_are_counted() {
        let mut counts = Counts::until(24 * 500 + 3);
        for hour in [24 * 500 + 3, 24 * 500 + 4] {
            counts.add(hour, &sums(&[(Watched::Orders, 7), (Watched::Returns(None), 2)]));
        }
        assert_eq!(counts.orders_by_day().last(), Some(&7.0));
        assert!((counts.returns(0).iter().sum::<f64>() - 2.0).abs() < 1e-12);
        assert_eq!((counts.first_order(), counts.full_days()), (Some(DAYS - 1), DAYS - 1));
    }

    #[test]
    fn what_came_back_by_a_day_is_counted_by_the_age_of_its_orders() {
        let mut counts = Counts::until(24 * 501 - 1);
        let defective = Some(Reason::Defective);
        let at = index(defective);
        counts.add(
            24 * 490,
            &sums(&[(Watched::Lag(defective, 9), 2), (Watched::Lag(defective, 10), 4)]),
        );
        let last = counts.full_days() - 1;
        let found = |day: usize| counts.returned_by(at, day, 28);
        assert!((found(last)[10] - 6.0).abs() < 1e-12);
        assert!((found(last - 1)[9] - 2.0).abs() < 1e-12, "the later ones had not come");
        assert!((counts.lags(at, &(0..last))[10] - 4.0).abs() < 1e-12);
    }

    #[test]
    fn events_of_the_present_hour_do_not_take_part_yet() {
        let last = 24 * 500 + 3;
        let is = |hour, watched| Counts::takes_part(last, hour, &sums(&[(watched, 1)]));
        assert!(is(last, Watched::Orders) && !is(last + 1, Watched::Orders));
        assert!(is(24 * 490, Watched::Lag(None, 9)) && !is(24 * 490, Watched::Lag(None, 10)));
        // The last hour of a day ends it.
        assert!(Counts::takes_part(24 * 500 - 1, 24 * 490, &sums(&[(Watched::Lag(None, 9), 1)])));
    }
}
