//! A period and the one before it, both of whole hours that are over, cut into steps of equal length.

use std::ops::Range;

use common::time::{HOUR_MS, Timestamp};
use jiff::tz::TimeZone;

use crate::calendar::{days_later, instant, local, midnight};
use crate::window::Window;

/// Days from a day to the one that it is compared with.
const WEEK_DAYS: i32 = 7;

/// What is compared with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// The shop's day so far, with the same weekday of last week up to the same time.
    Today,
    /// The last hours of a rolling window's length, with as many before them.
    Rolling(Window),
}

/// A period and the one before it. Both are runs of *buckets*, which cover all time up to the end of
/// the present period without gaps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Periods {
    /// The first hour of each bucket but the first, which has no beginning, and the end of the last.
    bounds: Vec<i64>,
    /// The present period.
    pub current: Part,
    /// The one before it.
    pub preceding: Part,
}

/// One of two periods, as a run of buckets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// What is compared.
    pub whole: Range<usize>,
    /// What is shown step by step: the day before may go on after the time of day that it is compared to.
    pub steps: Range<usize>,
}

impl Period {
    /// The period of a name: `today` or a rolling window's.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "today" {
            return Some(Self::Today);
        }
        Window::parse(name).filter(|window| *window != Window::All).map(Self::Rolling)
    }

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Rolling(window) => window.name(),
        }
    }

    /// The hours at `now`, in a shop's calendar.
    #[must_use]
    pub fn at(self, now: Timestamp, zone: &TimeZone) -> Periods {
        match self {
            Self::Today => today(now, zone),
            Self::Rolling(window) => rolling(window, now.hour()),
        }
    }
}

impl Periods {
    /// How many buckets there are.
    #[must_use]
    pub const fn buckets(&self) -> usize {
        self.bounds.len()
    }

    /// The bucket of an hour; `None` after the last one.
    #[must_use]
    pub fn bucket(&self, hour: i64) -> Option<usize> {
        let at = self.bounds.partition_point(|bound| *bound <= hour);
        (at < self.bounds.len()).then_some(at)
    }

    /// The last hour that counts.
    #[must_use]
    pub fn last_hour(&self) -> i64 {
        self.bounds.last().map_or(i64::MIN, |end| end - 1)
    }

    /// From when to when buckets reach, which are not the first.
    #[must_use]
    pub fn span(&self, buckets: &Range<usize>) -> (Timestamp, Timestamp) {
        let bound = |at: usize| Timestamp::from_ms(self.bounds[at - 1] * HOUR_MS);
        (bound(buckets.start), bound(buckets.end))
    }
}

/// The last hours of a window's length, and as many before them.
fn rolling(window: Window, end: i64) -> Periods {
    let hours = window.hours().unwrap_or_default();
    let step = match window {
        Window::H24 => 1,
        Window::D7 => 6,
        Window::D30 => 24,
        Window::D90 => 3 * 24,
        Window::D365 | Window::All => 5 * 24,
    };
    let steps = usize::try_from(hours / step).unwrap_or_default();
    let bounds = (0..=2 * hours / step).map(|at| end - 2 * hours + at * step).collect();
    let part = |from: usize| Part { whole: from..from + steps, steps: from..from + steps };
    Periods { bounds, current: part(1 + steps), preceding: part(1) }
}

/// The hours of the shop's day so far, and those of the day a week before.
fn today(now: Timestamp, zone: &TimeZone) -> Periods {
    let end = now.hour();
    let day = |days: i32| {
        let date = local(zone, now).and_then(|local| days_later(local, days));
        // Where half an hour of the zone belongs to the day before, the next full hour begins it.
        date.and_then(|date| midnight(zone, date.date())).map(|at| at.plus_ms(HOUR_MS - 1).hour())
    };
    // Far outside the calendar there are no weeks to compare.
    let (first, before, after) = match (day(0), day(-WEEK_DAYS), day(1 - WEEK_DAYS)) {
        (Some(first), Some(before), Some(after)) => (first.min(end), before, after),
        _ => (end, end, end),
    };
    let until = local(zone, Timestamp::from_ms(end.saturating_mul(HOUR_MS)));
    let until = until.and_then(|local| days_later(local, -WEEK_DAYS));
    let until = until.and_then(|local| instant(zone, local)).map_or(before, Timestamp::hour);
    let bounds: Vec<i64> = (before..=after).chain((first..=end).filter(|at| *at > after)).collect();
    let place = |hour: i64| 1 + bounds.iter().position(|bound| *bound == hour).unwrap_or_default();
    let (from, to) = (place(before), place(until.clamp(before, after)));
    let preceding = Part { whole: from..to, steps: from..place(after) };
    let current = place(first)..place(end);
    Periods { current: Part { whole: current.clone(), steps: current }, preceding, bounds }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a zone")
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    fn check(period: Period, now: &str, name: &str, expected: [(&str, &str, usize); 2]) {
        let periods = period.at(at(now), &zone(name));
        for (part, expected) in [&periods.current, &periods.preceding].into_iter().zip(expected) {
            let (from, to) = periods.span(&part.whole);
            let found = (from.to_string(), to.to_string(), part.steps.len());
            assert_eq!(found, (expected.0.to_owned(), expected.1.to_owned(), expected.2), "{now}");
        }
        let hours = |of: &Range<usize>| periods.span(of).1.hour() - periods.span(of).0.hour();
        assert_eq!(hours(&periods.current.steps), hours(&periods.current.whole));
    }

    #[test]
    fn rolling_periods_touch() {
        let expected = [
            ("2026-03-09T14:00:00Z", "2026-03-10T14:00:00Z", 24),
            ("2026-03-08T14:00:00Z", "2026-03-09T14:00:00Z", 24),
        ];
        check(Period::Rolling(Window::H24), "2026-03-10T14:59:59Z", "UTC", expected);
        let expected = [
            ("2025-03-10T14:00:00Z", "2026-03-10T14:00:00Z", 73),
            ("2024-03-10T14:00:00Z", "2025-03-10T14:00:00Z", 73),
        ];
        check(Period::Rolling(Window::D365), "2026-03-10T14:00:00Z", "UTC", expected);
    }

    #[test]
    fn today_ends_at_the_same_time_of_day() {
        let expected = [
            ("2026-03-09T23:00:00Z", "2026-03-10T14:00:00Z", 15),
            ("2026-03-02T23:00:00Z", "2026-03-03T14:00:00Z", 24),
        ];
        check(Period::Today, "2026-03-10T14:20:00Z", "Europe/Berlin", expected);
        // Clocks were put forward in the week between: the same time of day is another hour of UTC.
        let expected = [
            ("2026-03-30T22:00:00Z", "2026-03-31T13:00:00Z", 15),
            ("2026-03-23T23:00:00Z", "2026-03-24T14:00:00Z", 24),
        ];
        check(Period::Today, "2026-03-31T13:20:00Z", "Europe/Berlin", expected);
        // Half past of UTC begins the day: its first half hour is left out, in both weeks.
        let expected = [
            ("2026-03-09T19:00:00Z", "2026-03-10T08:00:00Z", 13),
            ("2026-03-02T19:00:00Z", "2026-03-03T08:00:00Z", 24),
        ];
        check(Period::Today, "2026-03-10T08:01:00Z", "Asia/Kolkata", expected);
    }

    #[test]
    fn the_day_begins_empty() {
        let expected = [
            ("2026-03-10T00:00:00Z", "2026-03-10T00:00:00Z", 0),
            ("2026-03-03T00:00:00Z", "2026-03-03T00:00:00Z", 24),
        ];
        check(Period::Today, "2026-03-10T00:20:00Z", "UTC", expected);
        // At half past, the first full hour has not begun.
        let expected = [
            ("2026-03-09T18:00:00Z", "2026-03-09T18:00:00Z", 0),
            ("2026-03-02T19:00:00Z", "2026-03-02T19:00:00Z", 24),
        ];
        check(Period::Today, "2026-03-09T18:45:00Z", "Asia/Kolkata", expected);
    }

    #[test]
    fn every_hour_has_one_bucket() {
        for period in [Period::Today, Period::Rolling(Window::D7)] {
            let now = at("2026-03-10T14:20:00Z");
            let periods = period.at(now, &TimeZone::UTC);
            assert_eq!(periods.bucket(i64::MIN), Some(0));
            assert_eq!(periods.bucket(now.hour()), None);
            assert_eq!(periods.last_hour(), now.hour() - 1);
            assert_eq!(periods.bucket(now.hour() - 1), Some(periods.buckets() - 1));
            let first = periods.span(&periods.preceding.steps).0.hour();
            assert_eq!(periods.bucket(first), Some(periods.preceding.steps.start));
            assert_eq!(periods.bucket(first - 1), Some(0));
        }
    }
}
