//! What a shop's counts come to: what they let expect, and where they exceed it.

use common::id::Id;

use super::alarm::Alarm;
use super::budget::Thresholds;
use super::by_product::{self, Product};
use super::came_back::CameBack;
use super::counts::Counts;
use super::glr::Excess;
use super::laws::MOST_LAG_DAYS;
use super::period::DAY_HOURS;
use super::products::standouts;
use super::shop::{Found, Laws, Shop, prior_rates};
use crate::fold::Counted;
use crate::fold::field::Sums;
use crate::fold::watched::{CAUSES, Cause};

/// Days of matured orders that a shop needs to be watched: without any, its lags are those of others.
const LEAST_DAYS: usize = 7;
/// Days of matured orders that it needs to be taken for known: before, neither its rate nor its lags are,
/// and a detector that is sure of those of others cries wolf every few weeks.
const MATURE_DAYS: usize = 56;

/// What a shop's counts come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The last hour that took part, from the epoch.
    pub last_hour: i64,
    /// The first hour that is watched; `None` while the shop is too young.
    pub watched_since: Option<i64>,
    /// The score of each cause that is watched: the statistic at the last hour, that of the cohort
    /// scan stretched to the same threshold.
    pub scores: Vec<(Cause, f64)>,
    /// Alarms under way and of the last 100 days, the latest first.
    pub alarms: Vec<Alarm>,
    /// The products that are watched.
    pub products: Vec<ProductSeries>,
}

/// What became of a product.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductSeries {
    /// Its id, or the article number where there is none.
    pub product: Id,
    /// Its score, as that of a cause.
    pub score: f64,
    /// Alarms under way and of the last 100 days.
    pub alarms: Vec<Alarm>,
}

impl Detection {
    /// Looks at the counts of a shop and of the products of it that are watched; `came_back` has what its
    /// alarms name.
    #[must_use]
    pub fn of(
        counts: &Counts,
        products: &[Product],
        came_back: &CameBack,
        thresholds: Thresholds,
    ) -> Self {
        let mut detection = Self {
            last_hour: counts.last_hour(),
            watched_since: None,
            scores: Vec::new(),
            alarms: Vec::new(),
            products: Vec::new(),
        };
        let Some(first) = counts.first_order() else { return detection };
        let since = (first + MOST_LAG_DAYS + LEAST_DAYS) * DAY_HOURS;
        if since >= counts.hours() {
            return detection;
        }
        let (laws, rates) = (Laws::learnt(counts, first), prior_rates(counts, first));
        let sure_from = first + MOST_LAG_DAYS + MATURE_DAYS;
        let shop = Shop::of(counts, &laws, &rates, (since, sure_from, thresholds.series));
        detection.watched_since = Some(counts.hour_number(since));
        for (cause, name) in CAUSES.iter().enumerate() {
            let found = shop.look(cause);
            detection.scores.push((*name, found.score));
            detection.alarms.extend(found.alarms);
        }
        detection.alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.episode.raised));
        for alarm in &mut detection.alarms {
            alarm.standouts = standouts(came_back, alarm);
        }
        // A product comes back when and as often as others do, until it shows otherwise.
        let look = |product: &Product| {
            let of = Shop::of(
                &product.counts,
                &laws,
                &rates[..1],
                (since, sure_from, thresholds.product),
            );
            let Found { score, alarms } = of.look(0);
            ProductSeries { product: product.id.clone(), score, alarms }
        };
        detection.products = products.iter().map(look).collect();
        detection
    }

    /// Whether what a batch counted takes part in it.
    #[must_use]
    pub fn is_stale_after(&self, counted: &Counted) -> bool {
        let takes_part =
            |(hour, sums): (&i64, &Sums)| Counts::takes_part(self.last_hour, *hour, sums);
        counted.watched.iter().any(takes_part) || by_product::takes_part(self.last_hour, counted)
    }

    /// The alarms of the shop and then those of its products, with the product, the latest first.
    #[must_use]
    pub fn every_alarm(&self) -> Vec<(Option<&Id>, &Alarm)> {
        let mut alarms: Vec<(Option<&Id>, &Alarm)> =
            self.alarms.iter().map(|alarm| (None, alarm)).collect();
        for series in &self.products {
            alarms.extend(series.alarms.iter().map(|alarm| (Some(&series.product), alarm)));
        }
        alarms.sort_by_key(|(of, alarm)| (of.is_some(), std::cmp::Reverse(alarm.episode.raised)));
        alarms
    }

    /// How many products have an alarm under way.
    #[must_use]
    pub fn products_in_alarm(&self) -> usize {
        let under_way = |alarm: &Alarm| alarm.episode.ended.is_none();
        self.products.iter().filter(|series| series.alarms.iter().any(under_way)).count()
    }

    /// What the alarm of a cause that is under way exceeds by; of both scans', the likelier one.
    #[must_use]
    pub fn excess(&self, cause: Cause) -> Option<Excess> {
        let of_cause = |alarm: &&Alarm| alarm.cause == cause && alarm.episode.ended.is_none();
        self.alarms.iter().filter(of_cause).map(|alarm| alarm.excess).reduce(Excess::larger)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use common::reason::Reason;

    use super::*;
    use crate::detect::alarm::Scan;
    use crate::detect::budget::THRESHOLD;
    use crate::fold::watched::Watched;

    const THRESHOLDS: Thresholds = Thresholds { series: THRESHOLD, product: 11.0 };

    /// Day numbers from the epoch: the first order, and a batch of four days that is spoilt.
    const FIRST: i64 = 1_000;
    const BATCH: Range<i64> = 1_280..1_284;

    /// What a shop shows at the end of a day.
    fn at_the_end_of(last: i64) -> Detection {
        seen(&history(BATCH), last * 24 + 23)
    }

    fn seen(hours: &[Sums], last_hour: i64) -> Detection {
        let mut counts = Counts::until(last_hour);
        for (hour, sums) in (FIRST * 24..).zip(hours) {
            counts.add(hour, sums);
        }
        Detection::of(&counts, &[], &CameBack::default(), THRESHOLDS)
    }

    /// By hour, four orders of which ten a day come back on the 14th day after, and forty a day of the
    /// batch, as defective, on the 5th.
    fn history(batch: Range<i64>) -> Vec<Sums> {
        let mut hours: Vec<Sums> = vec![Sums::default(); 24 * 500];
        let mut add = |hour: i64, watched: Watched, orders: i128| {
            if let Some(hour) = hours.get_mut(usize::try_from(hour - FIRST * 24).expect("later")) {
                hour.add(watched.field(), orders);
            }
        };
        let defective = Some(Reason::Defective);
        let mut back = |day: i64, cause: Cause, lag: u8, number: i64| {
            for cause in [None, cause] {
                let hour = (day + i64::from(lag)) * 24 + number % 24;
                add(hour, Watched::Returns(cause), 1);
                add(day * 24, Watched::Lag(cause, lag), 1);
            }
        };
        for day in FIRST..FIRST + 450 {
            (0..10).for_each(|number| back(day, Some(Reason::Fit), 14, number * 7));
            if batch.contains(&day) {
                (0..40).for_each(|number| back(day, defective, 5, number * 5));
            }
        }
        for day in FIRST..FIRST + 450 {
            (0..24).for_each(|hour| add(day * 24 + hour, Watched::Orders, 4));
        }
        hours
    }

    /// What is kept for as long as a batch leaves it be is what would be found anew, whatever the batch
    /// counts about when the last hour took part.
    #[test]
    fn a_kept_detection_is_a_fresh_one() {
        let causes = [None, Some(Reason::Defective)];
        let lags = causes.into_iter().flat_map(|cause| [2, 5, 9, 14].map(|lag| (cause, lag)));
        // An order of the day so many days before that came back on this one.
        let lags = lags.map(|(cause, lag)| (24 * i64::from(lag), Watched::Lag(cause, lag)));
        let others = causes.map(|cause| (0, Watched::Returns(cause)));
        let watched: Vec<_> = lags.chain(others).chain([(0, Watched::Orders)]).collect();
        let mut left_be = 0;
        for hour in [0, 12, 22, 23] {
            let last = (BATCH.start + 7) * 24 + hour;
            let kept = seen(&history(BATCH), last);
            for (after, &(before, watched)) in
                (-3..=3).flat_map(|after| watched.iter().map(move |one| (after, one)))
            {
                let mut at = last + after - before;
                if matches!(watched, Watched::Lag(..)) {
                    at -= at.rem_euclid(24);
                }
                let mut counted = Counted::default();
                counted.watched.entry(at).or_default().add(watched.field(), 1);
                if kept.is_stale_after(&counted) {
                    continue;
                }
                left_be += 1;
                let mut hours = history(BATCH);
                let place = usize::try_from(at - FIRST * 24).expect("later");
                hours[place].add(watched.field(), 1);
                assert_eq!(kept, seen(&hours, last), "{watched:?} {after} h after {hour}:59");
            }
        }
        assert!(left_be > 100, "{left_be}");
    }

    fn of(detection: &Detection, cause: Cause, scan: Scan) -> Vec<&Alarm> {
        let alarms = detection.alarms.iter();
        alarms.filter(|alarm| (alarm.cause, alarm.scan) == (cause, scan)).collect()
    }

    #[test]
    fn a_young_shop_is_not_watched_and_a_calm_one_has_no_alarm() {
        let young = at_the_end_of(FIRST + 66);
        assert_eq!((young.watched_since, young.scores.len()), (None, 0));
        let grown = at_the_end_of(FIRST + 67);
        assert_eq!((grown.watched_since, grown.scores.len()), (Some((FIRST + 67) * 24), 15));
        let calm = at_the_end_of(BATCH.start + 4);
        assert!(calm.alarms.is_empty(), "{:?}", calm.alarms);
    }

    #[test]
    fn a_shop_that_is_not_known_yet_has_alarms_of_what_is_plain() {
        let batch = FIRST + 75..FIRST + 79;
        let found = seen(&history(batch.clone()), (batch.start + 7) * 24 + 23);
        let [alarm] = of(&found, None, Scan::Cohort)[..] else { panic!("{:?}", found.alarms) };
        assert!(alarm.episode.ended.is_none() && alarm.excess.ratio() > 2.2, "{alarm:?}");
        assert!(alarm.excess.shape <= 20.0, "nobody is sure of the rate: {alarm:?}");
        let known = at_the_end_of(BATCH.start + 7);
        let sure = of(&known, None, Scan::Cohort)[0].excess.shape;
        assert!(sure > 40.0, "{sure}");
    }

    #[test]
    fn a_spoilt_batch_is_a_cohorts_alarm_that_ends() {
        for cause in [None, Some(Reason::Defective)] {
            // Its first returns came on the 5th day.
            let found = at_the_end_of(BATCH.start + 7);
            let [alarm] = of(&found, cause, Scan::Cohort)[..] else { panic!("{:?}", found.alarms) };
            assert_eq!(alarm.episode.ended, None);
            assert_eq!(alarm.episode.raised, (BATCH.start + 5) * 24 + 23, "when that day was over");
            assert!((120.0 - alarm.excess.returns).abs() < 1e-9, "{alarm:?}");
            let days = i64::try_from(alarm.excess.length).expect("days");
            assert_eq!(alarm.since, (BATCH.start + 8 - days) * 24);
            assert!([10, 14].contains(&days), "{alarm:?}");
            assert!(found.excess(cause).is_some());
            // Two months later it is over, and still told.
            let later = at_the_end_of(BATCH.start + 60);
            let [alarm] = of(&later, cause, Scan::Cohort)[..] else { panic!("{:?}", later.alarms) };
            assert_eq!(alarm.episode.raised, (BATCH.start + 5) * 24 + 23);
            assert!(alarm.episode.ended.is_some_and(|ended| ended > alarm.episode.peak.0));
            assert_eq!(later.excess(cause), None);
        }
        let found = at_the_end_of(BATCH.start + 7);
        assert!(of(&found, Some(Reason::Fit), Scan::Cohort).is_empty());
        let all = of(&found, None, Scan::Cohort)[0];
        assert_eq!(all.reasons[0].0, Some(Reason::Defective));
    }
}
