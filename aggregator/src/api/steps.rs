//! The steps of a series: hours, or days, weeks and months of the shop's calendar.

use common::time::{HOUR_MS, Timestamp};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::Problem;
use crate::calendar;
use crate::window::Span;

/// The most points of an answer.
const MOST_POINTS: usize = 2_000;

/// How long a step is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Hour,
    Day,
    Week,
    Month,
}

impl Step {
    /// Of its name; a day where none is asked for.
    pub fn parse(name: Option<&str>) -> Result<Self, Problem> {
        let every = [Self::Hour, Self::Day, Self::Week, Self::Month];
        let named = |step: &Self| Some(step.name()) == name;
        match name {
            None => Ok(Self::Day),
            Some(_) => every
                .into_iter()
                .find(named)
                .ok_or_else(|| Problem::parameter("step", "one of 1h, 1d, 1w, 1mo")),
        }
    }

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "1d",
            Self::Week => "1w",
            Self::Month => "1mo",
        }
    }
}

/// The periods from the one that contains `from` to the one that contains `to`.
pub fn spans(
    from: Timestamp,
    to: Timestamp,
    step: Step,
    zone: &TimeZone,
) -> Result<Vec<Span>, Problem> {
    let too_many = || Problem::parameter("step", "too short for the time between from and to");
    let outside = || Problem::parameter("from", "outside the calendar");
    let mut spans = Vec::new();
    if step == Step::Hour {
        for hour in from.hour()..=to.plus_ms(-1).hour().max(from.hour()) {
            if spans.len() == MOST_POINTS {
                return Err(too_many());
            }
            let start = Timestamp::from_ms(hour * HOUR_MS);
            spans.push(Span { from: start, to: start.plus_ms(HOUR_MS - 1) });
        }
        return Ok(spans);
    }
    let mut date = begin(calendar::local(zone, from).ok_or_else(outside)?.date(), step);
    let midnight = |date: Date| calendar::midnight(zone, date).ok_or_else(outside);
    let mut start = midnight(date)?;
    while start < to || spans.is_empty() {
        if spans.len() == MOST_POINTS {
            return Err(too_many());
        }
        let length = match step {
            Step::Hour | Step::Day => 1.day(),
            Step::Week => 1.week(),
            Step::Month => 1.month(),
        };
        date = date.checked_add(length).map_err(|_| outside())?;
        let end = midnight(date)?;
        spans.push(Span { from: start, to: end.plus_ms(-1) });
        start = end;
    }
    Ok(spans)
}

/// The first date of the period that contains `date`: weeks begin on Monday.
fn begin(date: Date, step: Step) -> Date {
    match step {
        Step::Hour | Step::Day => date,
        Step::Week => {
            let since = i64::from(date.weekday().since(Weekday::Monday));
            date.checked_sub(since.days()).unwrap_or(date)
        }
        Step::Month => date.first_of_month(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(from: &str, to: &str, step: Step, zone: &str) -> Vec<String> {
        let zone = TimeZone::get(zone).expect("a zone");
        let at = |text| Timestamp::parse(text).expect("an instant");
        let spans = spans(at(from), at(to), step, &zone).unwrap_or_default();
        spans.into_iter().map(|span| span.from.to_string()).collect()
    }

    #[test]
    fn follows_the_calendar_through_the_change_of_clocks() {
        let days =
            starts("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", Step::Day, "Europe/Berlin");
        assert_eq!(days, ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]);
        let weeks = starts("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", Step::Week, "UTC");
        assert_eq!(weeks, ["2026-03-23T00:00:00Z", "2026-03-30T00:00:00Z"]);
        // The end is left out: midnight begins the next day.
        let days = starts("2026-01-04T00:00:00Z", "2026-01-07T00:00:00Z", Step::Day, "UTC");
        assert_eq!(days.len(), 3);
        let hours = starts("2026-01-04T00:00:00Z", "2026-01-04T02:00:00Z", Step::Hour, "UTC");
        assert_eq!(hours.len(), 2);
        let months = starts("2026-01-31T12:00:00Z", "2026-03-01T00:00:00Z", Step::Month, "UTC");
        assert_eq!(months, ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]);
    }

    #[test]
    fn limits_the_points() {
        let zone = TimeZone::UTC;
        let (from, to) = (Timestamp::from_ms(0), Timestamp::from_ms(4_000_000_000_000));
        assert!(spans(from, to, Step::Hour, &zone).is_err());
    }
}
