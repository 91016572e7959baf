//! Which products stand out among what came back in an alarm's window.
//!
//! A product has no exposure of its own here: what is counted is its share of the returned orders. Its
//! usual share is that of the 56 days that a baseline is learnt from; of the orders that an alarm expects
//! it is due that share. So a product stands out that comes back more than usual beside the others, be it
//! spoilt or sold more than before.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use common::id::Id;
use common::reason::Reason;

use super::alarm::{Alarm, Scan, Standout};
use super::came_back::{CameBack, Entry};
use super::period::{BASELINE_DAYS, DAY_HOURS, GAP_DAYS};
use crate::fold::hours::day_of;
use crate::fold::watched::Cause;

/// The most products that an alarm names.
const NAMED: usize = 5;
/// A product of which fewer orders came back is not named.
const LEAST_ORDERS: usize = 2;

/// The products that stand out in an alarm of the shop, most first.
#[must_use]
pub fn standouts(came_back: &CameBack, alarm: &Alarm) -> Vec<Standout> {
    let usual = orders(came_back, baseline(alarm.until), alarm.cause, |_| true);
    let window = alarm.since..alarm.until + 1;
    let found = orders(came_back, window, alarm.cause, |entry| match alarm.scan {
        Scan::Period => true,
        Scan::Cohort => entry.placed_at.hour() >= alarm.since,
    });
    let of_all = usual.values().flatten().collect::<BTreeSet<_>>().len();
    let due = |product: &Id| {
        let of_product = usual.get(product).map_or(0, BTreeSet::len);
        // Half an order more, so that a product that never came back is due something.
        alarm.excess.expected * (of_product as f64 + 0.5) / (of_all as f64 + 1.0)
    };
    let standout = |(product, orders): (&Id, BTreeSet<&Id>)| Standout {
        product: product.clone(),
        returned_orders: orders.len(),
        expected_orders: due(product),
    };
    let surplus = |one: &Standout| one.returned_orders as f64 - one.expected_orders;
    let mut standouts: Vec<Standout> = found.into_iter().map(standout).collect();
    standouts.retain(|one| one.returned_orders >= LEAST_ORDERS && surplus(one) > 0.0);
    standouts.sort_by(|a, b| surplus(b).total_cmp(&surplus(a)));
    standouts.truncate(NAMED);
    standouts
}

/// By product, the orders of which it came back in some hours for a cause.
fn orders(
    came_back: &CameBack,
    hours: Range<i64>,
    cause: Cause,
    takes_part: impl Fn(&Entry) -> bool,
) -> BTreeMap<&Id, BTreeSet<&Id>> {
    let mut found: BTreeMap<&Id, BTreeSet<&Id>> = BTreeMap::new();
    for entry in came_back.within(hours).filter(|entry| takes_part(entry)) {
        let fits = |reason: Reason| cause.is_none_or(|cause| cause == reason);
        for (product, _) in entry.products.iter().filter(|one| fits(one.1)) {
            found.entry(product).or_default().insert(&entry.order);
        }
    }
    found
}

/// The hours of the 56 days that end 28 days before the day of an hour does.
fn baseline(last_hour: i64) -> Range<i64> {
    let hours = |days: usize| i64::try_from(days * DAY_HOURS).unwrap_or_default();
    let end = (day_of(last_hour) + 1) * hours(1) - hours(GAP_DAYS);
    end - hours(BASELINE_DAYS)..end
}
