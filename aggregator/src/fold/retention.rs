//! How one purchase changes when its customer is "active in the preceding window" and "active in both".
//!
//! A customer is active at hour h in a window of n hours if a purchase lies in (h - n, h], so a purchase
//! at x makes the hours [x, x + n) active. Of these only D, the stretch that no neighbour covers, is
//! new. "Active before" gains D shifted by n; "active in both" gains, within D, the hours whose
//! preceding window is active, and within D + n the hours that are active: each at most two stretches,
//! found by two look-ups, because no stretch is longer than n.

use common::store::StoreError;

use super::field::{Counter, Field};
use super::list::{Chunks, OrderList};
use crate::window::Window;

/// A change of a difference counter at an hour.
pub type Change = (i64, Field, i128);

/// The changes that a purchase at `hour` makes to `list`, which does not hold it.
pub fn on_insert(
    list: &OrderList,
    hour: i64,
    chunks: &mut dyn Chunks,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = Vec::new();
    let before = list.hour_to(hour, chunks)?;
    if before == Some(hour) {
        return Ok(changes);
    }
    let after = list.hour_after(hour, chunks)?;
    for window in Window::ROLLING {
        let Some(hours) = window.hours() else { continue };
        let start = before.map_or(hour, |before| hour.max(before + hours));
        let end = after.map_or(hour + hours, |after| after.min(hour + hours));
        if start >= end {
            continue;
        }
        let mut mark = |counter, from, to| {
            changes.push((from, Field::window(counter, window), 1));
            changes.push((to, Field::window(counter, window), -1));
        };
        mark(Counter::Preceding, start + hours, end + hours);
        for (from, to) in active(list, start - hours, end - hours, hours, chunks)? {
            mark(Counter::Both, from + hours, to + hours);
        }
        for (from, to) in active(list, start + hours, end + hours, hours, chunks)? {
            mark(Counter::Both, from, to);
        }
    }
    Ok(changes)
}

/// The active stretches within [from, to), which is no longer than a window.
fn active(
    list: &OrderList,
    from: i64,
    to: i64,
    hours: i64,
    chunks: &mut dyn Chunks,
) -> Result<Vec<(i64, i64)>, StoreError> {
    let until = list.hour_to(from, chunks)?.map_or(from, |hour| (hour + hours).min(to));
    let since = list.hour_after(from, chunks)?.unwrap_or(to);
    if since <= until {
        return Ok(vec![(from, to)]);
    }
    let stretches = [(from, until), (since, to)];
    Ok(stretches.into_iter().filter(|(from, to)| from < to).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use common::customer::CustomerKey;
    use common::time::{HOUR_MS, Timestamp};
    use proptest::prelude::*;

    use super::super::list::Entry;
    use super::*;

    struct None_;

    impl Chunks for None_ {
        fn load(&mut self, _: CustomerKey, _: u32) -> Result<Vec<Entry>, StoreError> {
            Ok(Vec::new())
        }

        fn store(&mut self, _: CustomerKey, _: u32, _: Vec<Entry>) {}
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        /// Prefix sums of the changes equal the definition, hour by hour.
        #[test]
        fn sums_equal_the_definition(hours in prop::collection::vec(0i64..60, 1..9), scale in prop::sample::select(vec![1i64, 5, 12])) {
            let owner = CustomerKey::from_bytes([1; 16]);
            let (mut list, mut sums) = (OrderList::default(), BTreeMap::<(Field, i64), i128>::new());
            for (order, hour) in hours.iter().enumerate() {
                let hour = hour * scale;
                for (at, field, change) in on_insert(&list, hour, &mut None_).expect("in memory") {
                    *sums.entry((field, at)).or_default() += change;
                }
                let entry = Entry { placed_at: Timestamp::from_ms(hour * HOUR_MS), order: (order as u64).into() };
                list.insert(owner, entry, &mut None_).expect("in memory");
            }
            for (window, n) in [(Window::H24, 24i64), (Window::D7, 168)] {
                let active = |at: i64| hours.iter().any(|hour| at - n < hour * scale && hour * scale <= at);
                let sum = |counter, at: i64| -> i128 {
                    let field = Field::window(counter, window);
                    sums.range((field, i64::MIN)..=(field, at)).map(|entry| *entry.1).sum()
                };
                for at in (0..60 + 3 * n).map(|step| step * scale) {
                    prop_assert_eq!(sum(Counter::Preceding, at), i128::from(active(at - n)));
                    prop_assert_eq!(sum(Counter::Both, at), i128::from(active(at) && active(at - n)));
                }
            }
        }
    }
}
