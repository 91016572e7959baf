//! The products of a shop that are watched one by one, and their counts.
//!
//! Every series costs false alarms, so only those are watched that sell enough to be told from chance,
//! and of them the ten that sold most in the days that a baseline is learnt from. Days that are over
//! count; the orders of today do not yet.

use std::collections::{BTreeMap, BTreeSet};

use common::id::Id;
use common::store::StoreError;
use common::time::DAY_MS;

use super::came_back::{self, CameBack, Entry};
use super::counts::Counts;
use super::laws::MOST_LAG_DAYS;
use super::period::{BASELINE_DAYS, GAP_DAYS};
use crate::fold::Counted;
use crate::fold::field::Sums;
use crate::fold::hours::day_of;
use crate::fold::watched::Watched;
use crate::kpi::reader::ShopReader;

/// The most products that are watched.
pub const MOST_PRODUCTS: usize = 10;
/// Orders of a product in the 56 days of its baseline, below which it is not watched: about 16 returns
/// at the rate that is believed in beforehand.
const LEAST_ORDERS: u64 = 200;

/// A product that is watched.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its id, or the article number where there is none.
    pub id: Id,
    /// Its orders and what came back of them.
    pub counts: Counts,
}

/// Orders of a product by day.
type Days = BTreeMap<i64, u32>;

/// Reads the products that are watched up to an hour.
pub fn read(
    reader: &ShopReader<'_>,
    came_back: &CameBack,
    last_hour: i64,
) -> Result<Vec<Product>, StoreError> {
    let days = came_back::days(last_hour);
    let mut sold: BTreeMap<Id, Days> = BTreeMap::new();
    reader.sold(days.start, days.end - 1, |day, product, orders| {
        if days.contains(&day) {
            sold.entry(product.clone()).or_default().insert(day, orders);
        }
    })?;
    let mut hours: BTreeMap<Id, BTreeMap<i64, Sums>> =
        most_sold(sold, days.end).into_iter().map(|(id, days)| (id, placed(&days))).collect();
    let mut known: BTreeSet<(&Id, &Id)> = BTreeSet::new();
    for Entry { hour, placed_at, order, products } in came_back.entries() {
        for (product, _) in products {
            // An order counts once for a product, when its first unit came back.
            if let Some(hours) = hours.get_mut(product)
                && known.insert((order, product))
            {
                add_back(hours, *hour, placed_at.ms().div_euclid(DAY_MS));
            }
        }
    }
    let counted = |(id, hours): (Id, BTreeMap<i64, Sums>)| {
        let mut counts = Counts::of_total(last_hour);
        for (hour, sums) in &hours {
            counts.add(*hour, sums);
        }
        Product { id, counts }
    };
    Ok(hours.into_iter().map(counted).collect())
}

/// Whether what a batch counted of products takes part in what is seen up to an hour.
#[must_use]
pub fn takes_part(last_hour: i64, counted: &Counted) -> bool {
    let days = came_back::days(last_hour);
    let is_sold = |((day, _), orders): (&(i64, Id), &i64)| *orders != 0 && days.contains(day);
    counted.sold.iter().any(is_sold)
        || counted.back.range(days.start * 24..=last_hour).next().is_some()
}

/// The products that sold most and enough in the days of the baseline of the day `present`.
fn most_sold(sold: BTreeMap<Id, Days>, present: i64) -> Vec<(Id, Days)> {
    let days = |days: usize| i64::try_from(days).unwrap_or_default();
    let baseline = present - days(GAP_DAYS + BASELINE_DAYS)..present - days(GAP_DAYS);
    let volume =
        |days: &Days| days.range(baseline.clone()).map(|(_, n)| u64::from(*n)).sum::<u64>();
    let mut ranked: Vec<(u64, Id, Days)> =
        sold.into_iter().map(|(id, days)| (volume(&days), id, days)).collect();
    ranked.retain(|one| one.0 >= LEAST_ORDERS);
    ranked.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
    ranked.truncate(MOST_PRODUCTS);
    ranked.into_iter().map(|(_, id, days)| (id, days)).collect()
}

/// What is watched of the orders of some days; hours in a day do not matter to when returns are due.
fn placed(days: &Days) -> BTreeMap<i64, Sums> {
    let hour = |(day, orders): (&i64, &u32)| {
        let mut sums = Sums::default();
        sums.add(Watched::Orders.field(), i128::from(*orders));
        (day * 24, sums)
    };
    days.iter().map(hour).collect()
}

/// Adds an order of a day of which a first unit came back in an hour.
fn add_back(hours: &mut BTreeMap<i64, Sums>, hour: i64, placed_day: i64) {
    let lag = (day_of(hour) - placed_day).clamp(0, MOST_LAG_DAYS.try_into().unwrap_or_default());
    let lag = Watched::Lag(None, u8::try_from(lag).unwrap_or_default());
    hours.entry(hour).or_default().add(Watched::Returns(None).field(), 1);
    hours.entry(placed_day * 24).or_default().add(lag.field(), 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::sold::Sold;

    #[test]
    fn those_that_sold_most_in_the_baseline_are_watched() {
        let present = 1_000;
        // Product n sells 100 + n orders on a day of the baseline; 1,000 after it do not count.
        let sold = |n: u64| {
            let orders = u32::try_from(100 + 20 * n).expect("few");
            (Id::Number(n), Days::from([(present - 40, orders), (present - 5, 1_000)]))
        };
        let found = most_sold((0..30).map(sold).collect(), present);
        let ids: Vec<Id> = found.into_iter().map(|one| one.0).collect();
        let expected: Vec<Id> = (20..30).rev().map(Id::Number).collect();
        assert_eq!(ids, expected);
        let found = most_sold((0..7).map(sold).collect(), present);
        assert_eq!(found.len(), 2, "200 orders at least");
    }

    #[test]
    fn days_that_are_over_take_part() {
        let last = 24 * 500 + 3;
        let sold = |day, orders| Counted {
            sold: Sold::from_iter([((day, Id::Number(1)), orders)]),
            ..Counted::default()
        };
        let is = |day, orders| takes_part(last, &sold(day, orders));
        assert!(is(499, 1) && !is(500, 1) && !is(499, 0) && !is(100, 1));
        assert!(takes_part(24 * 501 - 1, &sold(500, 1)), "the last hour of a day ends it");
        let back = |hour| Counted { back: [hour].into(), ..Counted::default() };
        assert!(takes_part(last, &back(last)) && !takes_part(last, &back(last + 1)));
    }
}
