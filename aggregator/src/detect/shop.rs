//! What a shop's own history lets expect, and where its counts exceed that.

use std::ops::Range;

use super::alarm::{Alarm, Scan};
use super::budget::THRESHOLD;
use super::cohort::{self, COHORT_DAYS};
use super::counts::Counts;
use super::episode::{self, Episode};
use super::glr::Excess;
use super::laws::{LagLaw, MOST_LAG_DAYS, Rhythm};
use super::period::{DAY_HOURS, GAP_DAYS, LOOK_BACK_DAYS, PRIOR_RETURNS, PeriodScan};
use crate::fold::watched::{CAUSES, Cause};

/// The threshold of the cohort scan: 0.0021 false alarms a series and month.
const COHORT_THRESHOLD: f64 = 8.0;
/// The return rate that is believed in beside the shop's own.
const PRIOR_RATE: f64 = 0.08;
/// The days of the longest cohort.
const AGES: usize = COHORT_DAYS[COHORT_DAYS.len() - 1];

/// When a shop's returns come, and how many, as its counts show.
pub(super) struct Laws {
    lags: LagLaw,
    rhythm: Rhythm,
}

/// Counts of a shop, or of one of its products, with what they let expect.
pub(super) struct Shop<'a> {
    counts: &'a Counts,
    threshold: f64,
    /// By cause.
    scans: Vec<PeriodScan>,
    /// The first hour that is looked at.
    start: usize,
    /// For each day from that hour's on, the exposure so far of the orders of that day and of those
    /// before, itself first; the same for every cause.
    exposure_by_age: Vec<[f64; AGES]>,
}

/// What became of a cause.
pub(super) struct Found {
    /// The statistic at the last hour, that of the cohort scan stretched to the same threshold.
    pub(super) score: f64,
    pub(super) alarms: Vec<Alarm>,
}

impl<'a> Shop<'a> {
    /// What the counts of a shop, or of one of its products, come to from the hour `since` on, and are
    /// sure to from the day `sure_from` on. `prior_rates` are believed in beforehand, by cause.
    pub(super) fn of(
        counts: &'a Counts,
        laws: &Laws,
        prior_rates: &[f64],
        (since, sure_from, threshold): (usize, usize, f64),
    ) -> Self {
        let Laws { lags, rhythm } = laws;
        let days = counts.full_days();
        let orders = counts.orders_by_day();
        let due = lags.due(&orders);
        let exposure = |hour: usize| {
            let day = hour / DAY_HOURS;
            let factor = rhythm.of_day(counts.day_number(day));
            due[day] * factor * rhythm.of_hour(hour % DAY_HOURS)
        };
        let exposure: Vec<f64> = (0..counts.hours()).map(exposure).collect();
        let scan = |(cause, rate): (usize, &f64)| {
            let returns = counts.returns(cause).iter().copied();
            PeriodScan::new(*rate, returns.zip(exposure.iter().copied())).sure_from(sure_from)
        };
        let scans = prior_rates.iter().enumerate().map(scan).collect();
        let start = since.max(counts.hours().saturating_sub(LOOK_BACK_DAYS * DAY_HOURS));
        let so_far = |placed: usize, age: usize| {
            let weekday = |lag: usize| rhythm.of_day(counts.day_number(placed + lag));
            let shares = (0..=age).map(|lag| lags.share(lag) * weekday(lag));
            orders[placed] * shares.sum::<f64>()
        };
        // The first day that is looked at has more days before it than the longest cohort.
        let by_age = |day: usize| std::array::from_fn(|age| so_far(day - age, age));
        let exposure_by_age = (start / DAY_HOURS..days).map(by_age).collect();
        Self { counts, threshold, scans, start, exposure_by_age }
    }

    /// Looks for the alarms of a cause.
    pub(super) fn look(&self, cause: usize) -> Found {
        let by_hour: Vec<_> = self.scans[cause].series(self.start..self.counts.hours()).collect();
        // A day is looked at once it is over.
        let days = self.start.div_ceil(DAY_HOURS)..self.counts.full_days();
        let end_of = |day: usize| (day + 1) * DAY_HOURS - 1;
        let by_day: Vec<_> = days.map(|day| (end_of(day), self.cohort(cause, day))).collect();
        let cohort_threshold = COHORT_THRESHOLD * self.threshold / THRESHOLD;
        let last = |series: &[(usize, Option<Excess>)]| {
            let excess = series.last().and_then(|(_, excess)| *excess);
            excess.map_or(0.0, |excess| excess.statistic)
        };
        let score = last(&by_hour).max(last(&by_day) * THRESHOLD / COHORT_THRESHOLD);
        let mut alarms = Vec::new();
        let scans =
            [(Scan::Period, by_hour, self.threshold), (Scan::Cohort, by_day, cohort_threshold)];
        for (scan, series, threshold) in scans {
            let at_epoch =
                series.iter().map(|(hour, excess)| (self.counts.hour_number(*hour), *excess));
            let alarm = |episode| self.alarm(cause, scan, &series, episode);
            alarms.extend(episode::of(at_epoch, threshold).into_iter().map(alarm));
        }
        Found { score, alarms }
    }

    fn alarm(
        &self,
        cause: usize,
        scan: Scan,
        series: &[(usize, Option<Excess>)],
        episode: Episode,
    ) -> Alarm {
        let latest = series.iter().rev().find_map(|(hour, excess)| Some((*hour, (*excess)?)));
        let peak = || {
            let hour = episode.peak.0 - self.counts.hour_number(0);
            (usize::try_from(hour).unwrap_or_default(), episode.peak.1)
        };
        let under_way = latest.filter(|_| episode.ended.is_none());
        let (hour, excess) = under_way.unwrap_or_else(peak);
        let length = match scan {
            Scan::Period => excess.length,
            Scan::Cohort => excess.length * DAY_HOURS,
        };
        let since = self.counts.hour_number((hour + 1).saturating_sub(length));
        let reasons = match cause {
            0 => self.reasons(scan, hour, excess.length),
            _ => vec![(CAUSES[cause], excess)],
        };
        let until = self.counts.hour_number(hour);
        let standouts = Vec::new();
        Alarm { cause: CAUSES[cause], scan, episode, since, until, excess, reasons, standouts }
    }

    /// How each reason exceeds what is expected in the window or cohort of a length, most first.
    fn reasons(&self, scan: Scan, hour: usize, length: usize) -> Vec<(Cause, Excess)> {
        let day = hour / DAY_HOURS;
        let of_cause = |cause: usize| match scan {
            Scan::Period => {
                let baseline = self.scans[cause].baseline(day);
                self.scans[cause].at(hour, &baseline, &[length])
            }
            Scan::Cohort => {
                let belief = self.scans[cause].baseline(day).belief;
                cohort::of_days(belief, &self.by_age(cause, day), length)
            }
        };
        let found =
            (1..self.scans.len()).filter_map(|cause| Some((CAUSES[cause], of_cause(cause)?)));
        let mut found: Vec<_> = found.collect();
        let surplus = |excess: &Excess| excess.returns - excess.expected;
        found.sort_by(|a, b| surplus(&b.1).total_cmp(&surplus(&a.1)));
        found
    }

    fn cohort(&self, cause: usize, day: usize) -> Option<Excess> {
        cohort::scan(self.scans[cause].baseline(day).belief, &self.by_age(cause, day))
    }

    /// Returns and exposure so far of the orders of each day, the day at hand first.
    fn by_age(&self, cause: usize, day: usize) -> Vec<(f64, f64)> {
        let exposure = &self.exposure_by_age[day - self.start / DAY_HOURS];
        let returned = self.counts.returned_by(cause, day, AGES);
        returned.into_iter().zip(exposure.iter().copied()).collect()
    }
}

impl Laws {
    /// Learns from the counts of a shop whose first order was placed on a day.
    pub(super) fn learnt(counts: &Counts, first_order: usize) -> Self {
        let lags = LagLaw::learnt(&counts.lags(0, &mature(counts, first_order)));
        let due = lags.due(&counts.orders_by_day());
        // Days by which most returns of the first orders are in, before what may be a spike.
        let calm = first_order + GAP_DAYS..(counts.full_days() + 1).saturating_sub(GAP_DAYS);
        let rhythm = learn_rhythm(counts, &due, calm);
        Self { lags, rhythm }
    }
}

/// Days of orders whose returns are all in: a year of them at most.
fn mature(counts: &Counts, first_order: usize) -> Range<usize> {
    first_order..counts.full_days().saturating_sub(MOST_LAG_DAYS).max(first_order)
}

/// The rate that is believed in beforehand of each cause: what the matured orders show, beside two
/// returns at the prior rate. A reason has its share of what came back of the orders before the last 28
/// days, with one return more, so that one that never came has a rate.
pub(super) fn prior_rates(counts: &Counts, first_order: usize) -> Vec<f64> {
    let returned =
        |cause: usize, placed: &Range<usize>| counts.lags(cause, placed).iter().sum::<f64>();
    let mature = mature(counts, first_order);
    let orders: f64 = counts.orders_by_day()[mature.clone()].iter().sum();
    let all = (PRIOR_RETURNS + returned(0, &mature)) / (PRIOR_RETURNS / PRIOR_RATE + orders);
    let older = first_order..counts.full_days().saturating_sub(GAP_DAYS).max(first_order);
    let by_reason: Vec<f64> = (1..CAUSES.len()).map(|cause| returned(cause, &older)).collect();
    let every: f64 = by_reason.iter().sum::<f64>() + by_reason.len() as f64;
    let of_reasons = by_reason.iter().map(|returned| all * (returned + 1.0) / every);
    [all].into_iter().chain(of_reasons).collect()
}

/// Learns weekdays and hours from calm days.
fn learn_rhythm(counts: &Counts, due: &[f64], calm: Range<usize>) -> Rhythm {
    let day = |day: usize| {
        let hours = &counts.returns(0)[day * DAY_HOURS..(day + 1) * DAY_HOURS];
        let mut returns = [0.0; DAY_HOURS];
        returns.copy_from_slice(hours);
        (returns, due[day])
    };
    Rhythm::learnt(counts.day_number(calm.start), &calm.map(day).collect::<Vec<_>>())
}
