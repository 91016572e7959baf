//! The counters of UTC hours, a day to a document: a purchase marks hours up to two years ahead, and
//! days are few enough to be written together.

use serde::{Deserialize, Serialize};

use super::field::Sums;

/// Hours of a day.
const HOURS: i64 = 24;

/// The counters of the hours of one UTC day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoursDoc(Vec<(u8, Sums)>);

/// The UTC day that an hour, counted from the epoch, lies in.
#[must_use]
pub const fn day_of(hour: i64) -> i64 {
    hour.div_euclid(HOURS)
}

impl HoursDoc {
    /// Adds to the counters of `hour`, an hour of this day.
    pub fn add(&mut self, hour: i64, sums: &Sums) {
        let hour = u8::try_from(hour.rem_euclid(HOURS)).unwrap_or_default();
        match self.0.binary_search_by_key(&hour, |entry| entry.0) {
            Ok(at) => {
                self.0[at].1.add_all(sums);
                if self.0[at].1.is_empty() {
                    self.0.remove(at);
                }
            }
            Err(_) if sums.is_empty() => {}
            Err(at) => self.0.insert(at, (hour, sums.clone())),
        }
    }

    /// Whether every counter is zero.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hours of `day`, which this is, with their counters.
    pub fn of_day(&self, day: i64) -> impl Iterator<Item = (i64, &Sums)> {
        self.0.iter().map(move |(hour, sums)| (day * HOURS + i64::from(*hour), sums))
    }
}
