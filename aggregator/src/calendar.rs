//! A shop's calendar: where its days begin.

use common::time::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The shop's date and time of day at an instant; `None` outside the calendar.
#[must_use]
pub fn local(zone: &TimeZone, at: Timestamp) -> Option<DateTime> {
    let instant = jiff::Timestamp::from_millisecond(at.ms()).ok()?;
    Some(instant.to_zoned(zone.clone()).datetime())
}

/// The instant of a date and time of day, the next one there is where clocks were put forward.
#[must_use]
pub fn instant(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    let found = zone.to_ambiguous_zoned(local).compatible().ok()?;
    Some(Timestamp::from_ms(found.timestamp().as_millisecond()))
}

/// The beginning of a day.
#[must_use]
pub fn midnight(zone: &TimeZone, date: Date) -> Option<Timestamp> {
    instant(zone, date.at(0, 0, 0, 0))
}

/// The same time of day some days before or after.
#[must_use]
pub fn days_later(local: DateTime, days: i32) -> Option<DateTime> {
    local.checked_add(days.days()).ok()
}
