//! What came back of a shop lately, order by order.

use std::ops::Range;

use common::id::Id;
use common::reason::Reason;
use common::store::StoreError;
use common::time::Timestamp;

use super::laws::MOST_LAG_DAYS;
use super::period::{BASELINE_DAYS, GAP_DAYS, LOOK_BACK_DAYS};
use crate::fold::hours::day_of;
use crate::kpi::reader::ShopReader;

/// Units of an order that came back in an hour.
#[derive(Debug)]
pub struct Entry {
    /// The hour, from the epoch.
    pub hour: i64,
    /// When the order was placed.
    pub placed_at: Timestamp,
    /// The order.
    pub order: Id,
    /// Its products of which units came back, and why.
    pub products: Vec<(Id, Reason)>,
}

/// What came back of a shop, in order of time.
#[derive(Debug, Default)]
pub struct CameBack(Vec<Entry>);

impl CameBack {
    /// What any alarm up to an hour needs.
    pub fn read(reader: &ShopReader<'_>, last_hour: i64) -> Result<Self, StoreError> {
        let mut entries = Vec::new();
        reader.back(days(last_hour).start * 24, last_hour, |hour, order, back| {
            let (placed_at, products) = (back.placed_at, back.products);
            entries.push(Entry { hour, placed_at, order, products });
        })?;
        Ok(Self(entries))
    }

    /// All of it.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    /// That of some hours.
    pub fn within(&self, hours: Range<i64>) -> impl Iterator<Item = &Entry> {
        let from = self.0.partition_point(|entry| entry.hour < hours.start);
        self.0[from..].iter().take_while(move |entry| entry.hour < hours.end)
    }
}

/// The days that are over at the end of an hour, back to the first whose orders matter to the first
/// alarm that is told.
pub(super) fn days(last_hour: i64) -> Range<i64> {
    let days = LOOK_BACK_DAYS + GAP_DAYS + BASELINE_DAYS + MOST_LAG_DAYS;
    let end = day_of(last_hour + 1);
    end - i64::try_from(days).unwrap_or_default()..end
}
