//! The alarms of a shop: its counts, what they let expect, and where they exceed it.

use std::ops::Range;

use super::cohort::{self, COHORT_DAYS};
use super::counts::{CAUSES, Counts};
use super::episode::{self, Episode};
use super::glr::Excess;
use super::laws::{LagLaw, MOST_LAG_DAYS, Rhythm};
use super::period::{DAY_HOURS, GAP_DAYS, PeriodScan};
use crate::fold::watched::Cause;

/// The threshold of the period scan: 0.0076 false alarms a series and month
/// (`detector-acceptance.json`).
pub const THRESHOLD: f64 = 9.0;
/// The threshold of the cohort scan: 0.0021 false alarms a series and month.
const COHORT_THRESHOLD: f64 = 8.0;
/// Days after a shop's first order before it is watched: before, the orders of most of its returns
/// are not known.
const SETTLE_DAYS: usize = 28;
/// The return rate that is believed in until a shop has matured days of its own, and how many.
const PRIOR_RATE: f64 = 0.08;
const MATURE_DAYS: usize = 56;
/// The returns that the prior rate counts for beside matured orders.
const PRIOR_RETURNS: f64 = 2.0;
/// Alarms are looked for so many days back.
const LOOK_BACK_DAYS: usize = 35;

/// Which scan found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Returns of the last hours to weeks.
    Period,
    /// Returns so far of the orders of the last days.
    Cohort,
}

/// An alarm, under way or over.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// What came back too often.
    pub cause: Cause,
    /// How it was found.
    pub scan: Scan,
    /// Raised after which hour, over since which, and the largest excess; hours from the epoch.
    pub episode: Episode,
    /// The first hour of the window or cohort that exceeds most: now, or at the peak if it is over.
    pub since: i64,
    /// What it exceeds by: now, or at the peak if it is over.
    pub excess: Excess,
    /// How each reason stands in the same window or cohort, where it exceeds what is expected.
    pub reasons: Vec<(Cause, Excess)>,
}

/// What a shop's counts come to.
#[derive(Clone, Debug)]
pub struct Detection {
    /// The last hour that took part, from the epoch.
    pub last_hour: i64,
    /// The first hour that is watched; `None` while the shop is too young.
    pub watched_since: Option<i64>,
    /// The score of each cause that is watched: the statistic at the last hour, that of the cohort
    /// scan stretched to the same threshold.
    pub scores: Vec<(Cause, f64)>,
    /// Alarms under way and of the last weeks, the latest first.
    pub alarms: Vec<Alarm>,
}

impl Scan {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Period => "period",
            Self::Cohort => "cohort",
        }
    }
}

impl Detection {
    /// Looks at a shop's counts; alarms are raised at `threshold`, 9 by default.
    #[must_use]
    pub fn of(counts: &Counts, threshold: f64) -> Self {
        let mut detection = Self {
            last_hour: counts.last_hour(),
            watched_since: None,
            scores: Vec::new(),
            alarms: Vec::new(),
        };
        let Some(first) = counts.first_order() else { return detection };
        let since = (first + SETTLE_DAYS) * DAY_HOURS;
        let shop = Watch::of(counts, first, threshold);
        let hours = since..counts.hours();
        if hours.is_empty() {
            return detection;
        }
        detection.watched_since = Some(counts.hour_number(since));
        for cause in shop.causes() {
            let found = shop.look(cause, since);
            detection.scores.push((CAUSES[cause], found.score));
            detection.alarms.extend(found.alarms);
        }
        detection.alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.episode.raised));
        detection
    }

    /// Whether an alarm of a cause is under way.
    #[must_use]
    pub fn is_raised(&self, cause: Cause) -> bool {
        self.excess(cause).is_some()
    }

    /// What the alarm of a cause that is under way exceeds by; of both scans', the likelier one.
    #[must_use]
    pub fn excess(&self, cause: Cause) -> Option<Excess> {
        let of_cause = |alarm: &&Alarm| alarm.cause == cause && alarm.episode.ended.is_none();
        self.alarms.iter().filter(of_cause).map(|alarm| alarm.excess).reduce(Excess::larger)
    }
}

/// A shop's counts with what they let expect.
struct Watch<'a> {
    counts: &'a Counts,
    threshold: f64,
    lags: LagLaw,
    rhythm: Rhythm,
    orders_by_day: Vec<f64>,
    /// By cause, those that are watched: all returned orders, and by reason once there is history.
    scans: Vec<PeriodScan>,
}

/// What became of a cause.
struct Found {
    score: f64,
    alarms: Vec<Alarm>,
}

impl<'a> Watch<'a> {
    fn of(counts: &'a Counts, first_order: usize, threshold: f64) -> Self {
        let days = counts.full_days();
        let orders_by_day = counts.orders_by_day();
        // Orders whose returns are all in: a year of them at most.
        let mature = first_order..days.saturating_sub(MOST_LAG_DAYS);
        let lags = LagLaw::learnt(&counts.lags(0, &mature));
        let due = lags.due(&orders_by_day);
        let calm = first_order.max(MOST_LAG_DAYS)..(days + 1).saturating_sub(GAP_DAYS);
        let rhythm = learn_rhythm(counts, &due, calm);
        let mut watch = Self { counts, threshold, lags, rhythm, orders_by_day, scans: Vec::new() };
        let exposure: Vec<f64> = (0..counts.hours())
            .map(|hour| {
                let day = hour / DAY_HOURS;
                let factor = watch.rhythm.of_day(counts.day_number(day));
                due[day] * factor * watch.rhythm.of_hour(hour % DAY_HOURS)
            })
            .collect();
        for (cause, prior_rate) in watch.prior_rates(&mature).into_iter().enumerate() {
            let hours = counts.returns(cause).iter().copied().zip(exposure.iter().copied());
            watch.scans.push(PeriodScan::new(prior_rate, hours));
        }
        watch
    }

    /// The rate that is believed in beforehand of each cause that is watched. Without matured orders of
    /// the shop's own, nothing is known of how its reasons divide, and none is watched.
    fn prior_rates(&self, mature: &Range<usize>) -> Vec<f64> {
        if mature.len() < MATURE_DAYS {
            return vec![PRIOR_RATE];
        }
        let orders: f64 = self.orders_by_day[mature.clone()].iter().sum();
        let by_cause: Vec<f64> = (0..CAUSES.len())
            .map(|cause| self.counts.lags(cause, mature).iter().sum::<f64>())
            .collect();
        let all = (PRIOR_RETURNS + by_cause[0]) / (PRIOR_RETURNS / PRIOR_RATE + orders);
        let reasons: f64 = by_cause[1..].iter().sum();
        // One more return for each reason, so that one that never came has a rate.
        let share = |returns: f64| (returns + 1.0) / (reasons + CAUSES.len() as f64 - 1.0);
        let of_reasons = by_cause[1..].iter().map(|returns| all * share(*returns));
        [all].into_iter().chain(of_reasons).collect()
    }

    fn causes(&self) -> Range<usize> {
        0..self.scans.len()
    }

    /// Looks for the alarms of a cause.
    fn look(&self, cause: usize, since: usize) -> Found {
        let start = since.max(self.counts.hours().saturating_sub(LOOK_BACK_DAYS * DAY_HOURS));
        let by_hour: Vec<_> = self.scans[cause].series(start..self.counts.hours()).collect();
        // A day is looked at once it is over.
        let days = start.div_ceil(DAY_HOURS)..self.counts.full_days();
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
        let reasons = if cause == 0 { self.reasons(scan, hour, excess.length) } else { Vec::new() };
        Alarm { cause: CAUSES[cause], scan, episode, since, excess, reasons }
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
            self.causes().skip(1).filter_map(|cause| Some((CAUSES[cause], of_cause(cause)?)));
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
        let ages = COHORT_DAYS[COHORT_DAYS.len() - 1].min(day + 1);
        let returned = self.counts.returned_by(cause, day, ages);
        let exposure = |age: usize| {
            let placed = day - age;
            let weekday = |lag: usize| self.rhythm.of_day(self.counts.day_number(placed + lag));
            let shares = (0..=age).map(|lag| self.lags.share(lag) * weekday(lag));
            self.orders_by_day[placed] * shares.sum::<f64>()
        };
        returned.into_iter().enumerate().map(|(age, back)| (back, exposure(age))).collect()
    }
}

/// Learns weekdays and hours from days that are calm: after the first orders matured, and before what
/// may be a spike.
fn learn_rhythm(counts: &Counts, due: &[f64], calm: Range<usize>) -> Rhythm {
    let day = |day: usize| {
        let hours = &counts.returns(0)[day * DAY_HOURS..(day + 1) * DAY_HOURS];
        let mut returns = [0.0; DAY_HOURS];
        returns.copy_from_slice(hours);
        (returns, due[day])
    };
    Rhythm::learnt(counts.day_number(calm.start), &calm.map(day).collect::<Vec<_>>())
}
