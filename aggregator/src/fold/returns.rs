//! A return's part of the order document: its states, its lines and what was taken out of it.

use common::event::{QuantityDelta, ReturnLine, ReturnSnapshot, ReturnStatus};
use common::id::Id;
use common::time::Timestamp;
use common::version::Version;
use serde::{Deserialize, Serialize};

use super::carried::{Carried, Copy, greatest, keep_greatest, note};

/// Everything known of one return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReturnDoc {
    /// The return's id.
    pub id: Id,
    statuses: Vec<Status>,
    lines: Vec<Copy<ReturnLine>>,
    seen: Vec<SeenLine>,
    removals: Vec<Removal>,
}

/// A state that was seen at an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Status {
    at: Timestamp,
    state: ReturnStatus,
    delivered: Timestamp,
}

/// A line that was seen at an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct SeenLine {
    line: Id,
    at: Timestamp,
    delivered: Timestamp,
}

/// Units taken out of a return line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Removal {
    /// When.
    pub at: Timestamp,
    /// The return line and the units.
    pub removed: QuantityDelta,
    /// The latest delivery that carried it.
    pub delivered: Timestamp,
}

/// A return as it stands at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its latest state.
    pub status: ReturnStatus,
    /// When it took that state, for closed ones.
    pub closed_at: Timestamp,
}

/// A return line as it stands at an instant.
#[derive(Clone, Debug)]
pub struct StandingLine<'a> {
    /// The line.
    pub line: &'a ReturnLine,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// Units left in it.
    pub quantity: u32,
}

impl ReturnDoc {
    /// A return of which nothing is known but the id.
    #[must_use]
    pub const fn new(id: Id) -> Self {
        Self { id, statuses: Vec::new(), lines: Vec::new(), seen: Vec::new(), removals: Vec::new() }
    }

    /// Joins a snapshot.
    pub fn merge(&mut self, version: Version, delivered: Timestamp, shown: &ReturnSnapshot) {
        note(&mut self.statuses, Status { at: shown.at, state: shown.status, delivered });
        for line in &shown.lines {
            note(&mut self.seen, SeenLine { line: line.id.clone(), at: shown.at, delivered });
            let copy = Copy { version, delivered, item: line.clone() };
            keep_greatest(&mut self.lines, copy, |line| &line.id);
        }
    }

    /// Joins a removal.
    pub fn merge_removal(&mut self, removal: Removal) {
        note(&mut self.removals, removal);
    }

    /// Forgets what no delivery later than `until` carried.
    pub fn forget(&mut self, until: Timestamp) {
        self.statuses.retain(|status| status.delivered > until);
        self.lines.retain(|copy| copy.delivered > until);
        self.seen.retain(|seen| seen.delivered > until);
        self.removals.retain(|removal| removal.delivered > until);
    }

    /// What the set of deliveries says, whenever an import carried them: the digest's view.
    #[must_use]
    pub fn canonical(&self) -> impl Serialize + '_ {
        let statuses: Vec<_> = self.statuses.iter().map(|seen| (seen.at, seen.state)).collect();
        let lines: Vec<_> = greatest(&self.lines, |line| &line.id).map(Copy::canonical).collect();
        let seen: Vec<_> = self.seen.iter().map(|seen| (&seen.line, seen.at)).collect();
        let removals: Vec<_> = self.removals.iter().map(Removal::canonical).collect();
        (&self.id, statuses, lines, seen, removals)
    }

    /// Whether nothing says that the return is this order's; removals wait in the index of returns.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.lines.is_empty()
    }

    /// The latest instant in it.
    #[must_use]
    pub fn latest_instant(&self) -> Option<Timestamp> {
        let statuses = self.statuses.iter().map(|status| status.at);
        statuses.chain(self.removals.iter().map(|removal| removal.at)).max()
    }

    /// Its state at `at`; `None` before any is known.
    #[must_use]
    pub fn standing(&self, at: Timestamp) -> Option<Standing> {
        // Sorted by instant, then by the order of a return's life.
        let known: Vec<_> = self.statuses.iter().filter(|status| status.at <= at).collect();
        let latest = known.last()?;
        let run = known.iter().rev().take_while(|status| status.state == latest.state);
        let closed_at = run.last().map_or(latest.at, |status| status.at);
        Some(Standing { status: latest.state, closed_at })
    }

    /// Its lines at `at`.
    pub fn lines(&self, at: Timestamp) -> impl Iterator<Item = StandingLine<'_>> {
        greatest(&self.lines, |line| &line.id).filter_map(move |copy| {
            let of_line = self.seen.iter().filter(|seen| seen.line == copy.item.id);
            let first_seen = of_line.map(|seen| seen.at).min().filter(|seen| *seen <= at)?;
            let removed = self.removals.iter().filter(|removal| {
                removal.removed.line == copy.item.id
                    && removal.at <= at
                    && removal.at > copy.version.at
            });
            let removed: u64 = removed.map(|removal| u64::from(removal.removed.quantity)).sum();
            let removed = u32::try_from(removed).unwrap_or(u32::MAX);
            let quantity = copy.item.quantity.saturating_sub(removed);
            Some(StandingLine { line: &copy.item, first_seen, quantity })
        })
    }
}

impl Removal {
    /// The removal without the delivery that carried it.
    #[must_use]
    pub const fn canonical(&self) -> (Timestamp, &QuantityDelta) {
        (self.at, &self.removed)
    }
}

impl Carried for Status {
    fn same(&self, other: &Self) -> bool {
        (self.at, self.state) == (other.at, other.state)
    }

    fn delivered(&mut self) -> &mut Timestamp {
        &mut self.delivered
    }
}

impl Carried for SeenLine {
    fn same(&self, other: &Self) -> bool {
        (&self.line, self.at) == (&other.line, other.at)
    }

    fn delivered(&mut self) -> &mut Timestamp {
        &mut self.delivered
    }
}

impl Carried for Removal {
    fn same(&self, other: &Self) -> bool {
        (self.at, &self.removed) == (other.at, &other.removed)
    }

    fn delivered(&mut self) -> &mut Timestamp {
        &mut self.delivered
    }
}
