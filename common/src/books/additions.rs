//! What edits add to an order: unit by unit, each with its instant and its share of the value.

use std::collections::BTreeMap;

use super::documents::Edits;
use super::exact::share;
use super::order_document::line;
use crate::event::{Line, OrderSnapshot};
use crate::id::Id;
use crate::time::Timestamp;
use crate::version::Version;

/// One unit that was not there when the order was placed.
#[derive(Clone, Debug)]
pub(super) struct Addition<'a> {
    pub(super) line: &'a Id,
    /// The edit's instant, else the earliest snapshot's that shows the unit.
    pub(super) at: Timestamp,
    pub(super) gross: i128,
    pub(super) discount: i128,
    pub(super) tax: i128,
}

/// The units of `last` that are more than in `first`, gift cards left out. A line without more units
/// adds nothing, whatever became of its price.
pub(super) fn of_order<'a>(
    first: &OrderSnapshot,
    last: &'a OrderSnapshot,
    versions: &BTreeMap<Version, &OrderSnapshot>,
    edits: &Edits<'_>,
) -> Vec<Addition<'a>> {
    let mut additions = Vec::new();
    for now in last.lines.iter().filter(|line| !line.gift_card) {
        let before = line(first, &now.id);
        let had = before.map_or(0, |line| line.quantity);
        let added = now.quantity.saturating_sub(had);
        let grown =
            |field: fn(&Line) -> i64| i128::from(field(now)) - i128::from(before.map_or(0, field));
        for unit in 1..=added {
            let edited = edited_at(edits, &now.id, unit);
            let shown = || shown_at(versions, &now.id, had + unit).unwrap_or(last.placed_at);
            additions.push(Addition {
                line: &now.id,
                at: edited.unwrap_or_else(shown),
                gross: share(grown(|line| line.gross_minor), added, unit),
                discount: share(grown(|line| line.discount_minor), added, unit),
                tax: share(grown(|line| line.tax_minor), added, unit),
            });
        }
    }
    additions
}

/// When the line's edits, oldest first, had added `units` units.
fn edited_at(edits: &Edits<'_>, line: &Id, units: u32) -> Option<Timestamp> {
    let mut sum = 0_u64;
    for (at, _, _, quantity) in edits.iter().filter(|(_, _, edited, _)| *edited == line) {
        sum += u64::from(*quantity);
        if sum >= u64::from(units) {
            return Some(*at);
        }
    }
    None
}

/// The least version instant among the snapshots whose line has at least `quantity` units.
fn shown_at(
    versions: &BTreeMap<Version, &OrderSnapshot>,
    id: &Id,
    quantity: u32,
) -> Option<Timestamp> {
    let shows = |order: &OrderSnapshot| line(order, id).is_some_and(|l| l.quantity >= quantity);
    versions.iter().filter(|(_, order)| shows(order)).map(|(version, _)| version.at).min()
}
