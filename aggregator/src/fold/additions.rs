//! Units that an order gained after it was placed, each at the instant it appeared.

use common::id::Id;
use common::time::Timestamp;

use super::content::{Content, ContentLine};
use super::order::OrderDoc;

/// A run of units of one line that appeared at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The order's line.
    pub line: Id,
    /// When they appeared.
    pub at: Timestamp,
    /// How many.
    pub units: u32,
    /// Their gross sales, in minor units.
    pub gross: i128,
    /// Their discounts.
    pub discount: i128,
    /// Their tax.
    pub tax: i128,
}

/// The additions of an order, placed as `first` and standing as `last`.
#[must_use]
pub fn of(doc: &OrderDoc, first: &Content, last: &Content) -> Vec<Addition> {
    if std::ptr::eq(first, last) {
        return Vec::new();
    }
    let mut additions = Vec::new();
    for line in last.lines.iter().filter(|line| !line.gift_card) {
        let placed = first.lines.iter().find(|placed| placed.id == line.id);
        let before = placed.map_or(0, |placed| placed.quantity);
        if line.quantity > before {
            of_line(doc, placed, line, &mut additions);
        }
    }
    additions
}

fn of_line(
    doc: &OrderDoc,
    placed: Option<&ContentLine>,
    line: &ContentLine,
    additions: &mut Vec<Addition>,
) {
    let before = placed.map_or(0, |placed| placed.quantity);
    let added = line.quantity - before;
    let difference =
        |of: fn(&ContentLine) -> i64| i128::from(of(line)) - i128::from(placed.map_or(0, of));
    let gross = difference(|line| line.gross_minor);
    let discount = difference(|line| line.discount_minor);
    let tax = difference(|line| line.tax_minor);
    let edits = edits_of(doc, &line.id);
    let mut ends: Vec<u32> =
        edits.iter().map(|(_, end)| *end).filter(|end| *end <= added).collect();
    let steps = doc.seen_steps(&line.id, before);
    ends.extend(steps.into_iter().map(|seen| seen - before).filter(|end| *end < added));
    ends.push(added);
    ends.sort_unstable();
    ends.dedup();
    let mut start = 0;
    for end in ends.into_iter().filter(|end| *end > 0) {
        let edited = edits.iter().find(|(_, until)| *until >= end).map(|(at, _)| *at);
        let Some(at) = edited.or_else(|| doc.seen_at(&line.id, before + end)) else { continue };
        let share = |amount: i128| share(amount, start, end, added);
        additions.push(Addition {
            line: line.id.clone(),
            at,
            units: end - start,
            gross: share(gross),
            discount: share(discount),
            tax: share(tax),
        });
        start = end;
    }
}

/// The edits that add to a line, with the number of units added up to and with each.
fn edits_of(doc: &OrderDoc, line: &Id) -> Vec<(Timestamp, u32)> {
    let mut until = 0u32;
    let mut edits = Vec::new();
    // Sorted by instant, then by the edit's id.
    for edit in &doc.edits {
        for addition in edit.additions.iter().filter(|addition| addition.line == *line) {
            until = until.saturating_add(addition.quantity);
            edits.push((edit.committed_at, until));
        }
    }
    edits
}

/// The part of `amount` that units `start` (excluded) to `end` (included) of `units` carry; the parts
/// add up exactly.
#[must_use]
pub fn share(amount: i128, start: u32, end: u32, units: u32) -> i128 {
    let until = |unit: u32| (amount * i128::from(unit)).div_euclid(i128::from(units.max(1)));
    until(end) - until(start)
}
