//! When shops sell: season, weekday, hour and growth as one curve over a span of time.

use common::time::{DAY_MS, HOUR_MS, Timestamp};

use super::chance::{real, whole};

/// Sales of a month relative to the average, January first.
const MONTHS: [f64; 12] = [0.86, 0.83, 0.93, 0.97, 1.02, 0.98, 0.90, 0.88, 1.00, 1.05, 1.40, 1.30];
/// Sales of a weekday relative to the average, Monday first.
const WEEKDAYS: [f64; 7] = [1.08, 1.02, 0.98, 0.97, 0.95, 0.92, 1.08];
/// Sales of a shop-local hour relative to the average.
const HOURS: [f64; 24] = [
    0.35, 0.20, 0.12, 0.09, 0.10, 0.18, 0.40, 0.70, 0.95, 1.15, 1.25, 1.30, 1.35, 1.30, 1.25, 1.20,
    1.20, 1.25, 1.40, 1.65, 1.90, 1.85, 1.35, 0.75,
];
/// What the sales week at the end of November multiplies its days by.
const SALES_WEEK: f64 = 1.9;
/// Growth over a year.
const YEARLY_GROWTH: f64 = 1.25;

/// The cumulated selling curve of a span of time.
pub(super) struct Calendar {
    from: Timestamp,
    to: Timestamp,
    /// Share of the span's sales made by the end of each hour; the last is 1.
    cumulated: Vec<f64>,
}

impl Calendar {
    /// The curve between two instants for a shop with this UTC offset.
    pub(super) fn new(from: Timestamp, to: Timestamp, offset_minutes: i32) -> Self {
        let hours = ((to.ms() - from.ms()) / HOUR_MS).max(1);
        let mut sum = 0.0;
        let mut cumulated: Vec<f64> = (0..hours)
            .map(|hour| {
                let at = from.plus_ms(hour * HOUR_MS);
                sum += weight(at, offset_minutes) * YEARLY_GROWTH.powf(real(hour) / 8766.0);
                sum
            })
            .collect();
        for value in &mut cumulated {
            *value /= sum;
        }
        Self { from, to, cumulated }
    }

    /// The instant by which the share `share` of all sales is made.
    pub(super) fn at(&self, share: f64) -> Timestamp {
        let hour = self.cumulated.partition_point(|cumulated| *cumulated <= share);
        let hour = hour.min(self.cumulated.len() - 1);
        let before = if hour == 0 { 0.0 } else { self.cumulated[hour - 1] };
        let within = (share - before) / (self.cumulated[hour] - before);
        let ms = whole(within.clamp(0.0, 1.0) * real(HOUR_MS - 1));
        let hours = i64::try_from(hour).unwrap_or(0);
        self.from.plus_ms(hours * HOUR_MS + ms).min(self.to)
    }

    /// The span's length in days.
    pub(super) fn days(&self) -> f64 {
        real(self.to.ms() - self.from.ms()) / real(DAY_MS)
    }
}

/// The hour's weight in its year.
fn weight(at: Timestamp, offset_minutes: i32) -> f64 {
    let local = at.plus_ms(i64::from(offset_minutes) * 60_000);
    let Ok(instant) = jiff::Timestamp::from_millisecond(local.ms()) else { return 1.0 };
    let civil = jiff::tz::Offset::UTC.to_datetime(instant);
    let index = |value: i8| usize::try_from(value).unwrap_or(0);
    let sales_week = civil.month() == 11 && civil.day() >= 22;
    MONTHS[index(civil.month() - 1)]
        * WEEKDAYS[index(civil.weekday().to_monday_zero_offset())]
        * HOURS[index(civil.hour())]
        * if sales_week { SALES_WEEK } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_monotone_and_within_the_span() {
        let from = Timestamp::parse("2025-01-01T00:00:00Z").expect("an instant");
        let to = from.plus_ms(400 * DAY_MS);
        let calendar = Calendar::new(from, to, -300);
        let mut last = from;
        for step in 0..1000 {
            let at = calendar.at(f64::from(step) / 1000.0);
            assert!(at >= last && at <= to, "{at}");
            last = at;
        }
    }

    #[test]
    fn sells_more_in_the_evening_and_in_november() {
        let at = |text| Timestamp::parse(text).expect("an instant");
        assert!(
            weight(at("2025-03-05T20:00:00Z"), 0) > 5.0 * weight(at("2025-03-05T03:00:00Z"), 0)
        );
        assert!(
            weight(at("2025-11-28T12:00:00Z"), 0) > 2.0 * weight(at("2025-08-01T12:00:00Z"), 0)
        );
    }
}
