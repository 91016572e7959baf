//! Orders of each product by the UTC day they were placed on: what its returns are measured by.
//!
//! A document holds 128 days of a product, so that an article that is sold now and then takes one small
//! document for them, and one that is sold every day some three bytes a day.

use std::collections::BTreeMap;

use common::id::Id;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// Days of a document.
pub const BLOCK_DAYS: i64 = 128;

/// Orders of a product, by day and product.
pub type Sold = FxHashMap<(i64, Id), i64>;

/// What a batch adds to a document, by the day in it.
type Changes = BTreeMap<u8, i64>;

/// Orders of a product on the days of a block, by the day in it; days without any are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoldDoc(Vec<(u8, u32)>);

impl SoldDoc {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Orders by day, of the block of that number.
    pub fn days(&self, block: i64) -> impl Iterator<Item = (i64, u32)> {
        self.0.iter().map(move |(day, orders)| (block * BLOCK_DAYS + i64::from(*day), *orders))
    }

    /// Adds what a batch counted.
    pub fn add(&mut self, changes: &Changes) {
        for (day, change) in changes {
            let place = self.0.binary_search_by_key(day, |entry| entry.0);
            let known = place.map_or(0, |at| i64::from(self.0[at].1));
            // Whatever is taken out was put in before.
            debug_assert!(known + change >= 0, "{known} and {change}");
            let orders = u32::try_from(known + change).unwrap_or_default();
            match (place, orders) {
                (Ok(at), 0) => drop(self.0.remove(at)),
                (Ok(at), orders) => self.0[at].1 = orders,
                (Err(_), 0) => {}
                (Err(at), orders) => self.0.insert(at, (*day, orders)),
            }
        }
    }
}

/// The changes of a batch by block and product.
pub(super) fn by_block(sold: &Sold) -> BTreeMap<(i64, &Id), Changes> {
    let mut changes: BTreeMap<(i64, &Id), Changes> = BTreeMap::new();
    for ((day, product), change) in sold.iter().filter(|entry| *entry.1 != 0) {
        let of_block = changes.entry((day.div_euclid(BLOCK_DAYS), product)).or_default();
        let day = u8::try_from(day.rem_euclid(BLOCK_DAYS)).unwrap_or_default();
        *of_block.entry(day).or_default() += change;
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_again() {
        let check = |changes: &[(u8, i64)], expected: &[(i64, u32)]| {
            let mut doc = SoldDoc::default();
            for change in changes {
                doc.add(&Changes::from([*change]));
            }
            assert_eq!(doc.days(-1).collect::<Vec<_>>(), expected);
        };
        check(&[(3, 2), (1, 1), (3, 1)], &[(-127, 1), (-125, 3)]);
        check(&[(3, 2), (3, -2)], &[]);
        check(&[(127, 1), (0, 1), (127, -1)], &[(-128, 1)]);
    }

    #[test]
    fn days_before_the_epoch_have_blocks_too() {
        let sold = Sold::from_iter([((-1, Id::Number(7)), 2), ((128, Id::Number(7)), 0)]);
        let blocks = by_block(&sold);
        assert_eq!(blocks.keys().map(|key| key.0).collect::<Vec<_>>(), [-1]);
        assert_eq!(blocks[&(-1, &Id::Number(7))], Changes::from([(127, 2)]));
    }
}
