//! Return documents: every status ever seen, and the newest copy of each line.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Body, Event, ReturnLine, ReturnSnapshot, ReturnStatus, digest};
use crate::id::Id;
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::version::Version;

/// A return.
#[derive(Debug)]
pub(super) struct ReturnDocument<'a> {
    pub(super) id: &'a Id,
    pub(super) lines: Vec<LineOfReturn<'a>>,
    statuses: BTreeSet<(Timestamp, ReturnStatus)>,
}

/// A line of a return.
#[derive(Debug)]
pub(super) struct LineOfReturn<'a> {
    pub(super) id: &'a Id,
    /// The order's line.
    pub(super) line: &'a Id,
    pub(super) reason: Reason,
    /// The earliest instant of any snapshot that shows it.
    pub(super) first_seen: Timestamp,
    quantity: u32,
    /// The version's instant of the copy that `quantity` comes from.
    carried_at: Timestamp,
    removals: Removals<'a>,
}

/// Units taken out of a return: (instant, return line, units). A set: a removal may come twice.
type Removals<'a> = BTreeSet<(Timestamp, &'a Id, u32)>;
/// Every copy of a return, with the version that carried it.
type Copies<'a> = BTreeMap<Version, &'a ReturnSnapshot>;

/// The returns of each order.
pub(super) fn gather<'a>(events: &[&'a Event]) -> BTreeMap<&'a Id, Vec<ReturnDocument<'a>>> {
    let mut copies: BTreeMap<(&Id, &Id), Copies<'a>> = BTreeMap::new();
    let mut removals: BTreeMap<&Id, Removals<'a>> = BTreeMap::new();
    for event in events {
        if let Body::Return(copy) = &event.body {
            copies.entry((&copy.order, &copy.id)).or_default().insert(event.version, copy);
        }
        if let Body::Order(order) = &event.body {
            for copy in &order.returns {
                let version = Version { digest: digest(copy), ..event.version };
                copies.entry((&order.id, &copy.id)).or_default().insert(version, copy);
            }
        }
        if let Body::ReturnUpdated(update) = &event.body {
            let removed = update.removals.iter();
            let removed = removed.map(|removal| (update.at, &removal.line, removal.quantity));
            removals.entry(&update.return_id).or_default().extend(removed);
        }
    }
    let mut returns: BTreeMap<&Id, Vec<ReturnDocument<'a>>> = BTreeMap::new();
    for ((order, id), copies) in copies {
        let removals = removals.get(id).cloned().unwrap_or_default();
        returns.entry(order).or_default().push(ReturnDocument::new(id, &copies, &removals));
    }
    returns
}

impl<'a> ReturnDocument<'a> {
    fn new(id: &'a Id, copies: &Copies<'a>, removals: &Removals<'a>) -> Self {
        let statuses = copies.values().map(|copy| (copy.at, copy.status)).collect();
        let mut lines: BTreeMap<&Id, LineOfReturn<'a>> = BTreeMap::new();
        // Versions ascend, so that the last copy of a line is the one that stays.
        for (version, copy) in copies {
            for line in &copy.lines {
                let first_seen = lines.get(&line.id).map_or(copy.at, |l| l.first_seen.min(copy.at));
                let newest = LineOfReturn::new(line, first_seen, version.at, removals);
                lines.insert(&line.id, newest);
            }
        }
        Self { id, lines: lines.into_values().collect(), statuses }
    }

    /// The statuses taken up to `t`, oldest first.
    fn statuses_by(&self, t: Timestamp) -> Vec<(Timestamp, ReturnStatus)> {
        self.statuses.iter().copied().filter(|(at, _)| *at <= t).collect()
    }

    /// When it was closed for good, as known at `t`; `None` if it is not closed then.
    pub(super) fn closed_at(&self, t: Timestamp) -> Option<Timestamp> {
        let statuses = self.statuses_by(t);
        let closed = |(_, status): &&(Timestamp, ReturnStatus)| *status == ReturnStatus::Closed;
        statuses.iter().rev().take_while(closed).last().map(|(at, _)| *at)
    }

    /// Whether it exists at `t` and is neither declined nor canceled, so that its reasons count.
    pub(super) fn stands(&self, t: Timestamp) -> bool {
        let latest = self.statuses_by(t).last().map(|(_, status)| *status);
        !matches!(latest, None | Some(ReturnStatus::Declined | ReturnStatus::Canceled))
    }
}

impl<'a> LineOfReturn<'a> {
    fn new(
        line: &'a ReturnLine,
        first_seen: Timestamp,
        carried_at: Timestamp,
        removals: &Removals<'a>,
    ) -> Self {
        let own = removals.iter().filter(|(_, removed, _)| **removed == line.id);
        Self {
            id: &line.id,
            line: &line.line,
            reason: line.reason,
            first_seen,
            quantity: line.quantity,
            carried_at,
            removals: own.copied().collect(),
        }
    }

    /// Units at `t`: none before it was seen; less what was taken out after the copy was made.
    pub(super) fn quantity_at(&self, t: Timestamp) -> u32 {
        if self.first_seen > t {
            return 0;
        }
        let taken_out = self.removals.iter().filter(|(at, ..)| *at > self.carried_at && *at <= t);
        taken_out.fold(self.quantity, |left, (_, _, quantity)| left.saturating_sub(*quantity))
    }
}
