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

/// The writes that replace what came back of an order.
pub fn replace(
    keys: &Keys,
    order: &Id,
    was: &ByHour,
    is: &ByHour,
) -> Result<Vec<Write>, StoreError> {
    let gone = was.keys().filter(|hour| !is.contains_key(hour));
    let mut writes: Vec<Write> = gone.map(|hour| (keys.back(*hour, order), None)).collect();
    for (hour, back) in is.iter().filter(|(hour, back)| was.get(hour) != Some(back)) {
        let key = keys.back(*hour, order);
        let value = encode(&key, back)?;
        writes.push((key, Some(value)));
    }
    Ok(writes)
}
