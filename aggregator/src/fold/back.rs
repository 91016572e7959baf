//! Which products came back, by the hour in which they did: what an alarm names.
//!
//! An index like that of young checkouts: it serves reading alone and takes no part in the digest. An
//! order is in it once for each hour in which a first unit of a product came back for a reason.

use std::collections::BTreeMap;

use common::id::Id;
use common::reason::Reason;
use common::store::StoreError;
use common::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::docs::encode;
use super::keys::Keys;
use super::returned::ReturnedUnits;
use super::young::Write;

/// What came back of an order in an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// When the order was placed.
    pub placed_at: Timestamp,
    /// The products of which a first unit came back for a reason, each with it.
    pub products: Vec<(Id, Reason)>,
}

/// What came back of an order, by the hour.
pub type ByHour = BTreeMap<i64, Back>;

/// What came back of an order that was placed at an instant; units without a product are left out.
#[must_use]
pub fn of(placed_at: Timestamp, returned: &[ReturnedUnits]) -> ByHour {
    let mut firsts: BTreeMap<(&Id, Reason), Timestamp> = BTreeMap::new();
    for run in returned {
        let Some(product) = &run.product else { continue };
        let first = firsts.entry((product, run.reason)).or_insert(run.at);
        *first = run.at.min(*first);
    }
    let mut by_hour = ByHour::new();
    for ((product, reason), at) in firsts {
        let back = by_hour.entry(at.hour());
        let back = back.or_insert_with(|| Back { placed_at, products: Vec::new() });
        back.products.push((product.clone(), reason));
    }
    by_hour
}

/// The hours of which something else came back.
pub fn changed<'a>(was: &'a ByHour, is: &'a ByHour) -> impl Iterator<Item = i64> + 'a {
    was.keys().chain(is.keys()).copied().filter(|hour| was.get(hour) != is.get(hour))
}

/// The writes that replace what came back of an order.
pub fn replace(
    keys: &Keys,
    order: &Id,
    was: &ByHour,
    is: &ByHour,
) -> Result<Vec<Write>, StoreError> {
    let write = |hour: i64| {
        let key = keys.back(hour, order);
        let value = is.get(&hour).map(|back| encode(&key, back)).transpose()?;
        Ok((key, value))
    };
    changed(was, is).map(write).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use common::shop::ShopDomain;

    use super::*;

    #[test]
    fn only_hours_that_differ_are_written() {
        let keys = Keys::new(&ShopDomain::parse("a.example").expect("a shop"));
        let order = Id::Number(7);
        let back = |products: &[u64]| Back {
            placed_at: Timestamp::from_ms(5),
            products: products.iter().map(|id| (Id::Number(*id), Reason::Fit)).collect(),
        };
        let was = ByHour::from([(1, back(&[1])), (2, back(&[2])), (3, back(&[3]))]);
        let is = ByHour::from([(1, back(&[1])), (3, back(&[3, 4])), (4, back(&[2]))]);
        let hours: BTreeSet<i64> = changed(&was, &is).collect();
        assert_eq!(hours, [2, 3, 4].into());
        let mut found = BTreeMap::new();
        found.extend(replace(&keys, &order, &was, &is).expect("writes"));
        let written = |hour: i64| found.get(&keys.back(hour, &order)).map(Option::is_some);
        assert_eq!([1, 2, 3, 4].map(written), [None, Some(false), Some(true), Some(true)]);
    }
}
