//! Checkouts: started, completed by their own word or by an order that names them.

use common::event::CheckoutSnapshot;
use common::id::Id;
use common::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::book::Booking;
use super::carried::Copy;
use super::field::{Counter, Field};

/// Everything known of one checkout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckoutDoc {
    /// It was deleted: the latest delivery that said so.
    pub deleted: Option<Timestamp>,
    /// Its snapshots, usually the last alone.
    snapshots: Vec<Copy<Shown>>,
    /// The orders that complete it, by id: an image of their documents.
    completions: Vec<(Id, Timestamp)>,
    /// Where it stands in the index of what is dated ahead.
    pub ahead: Option<Timestamp>,
}

/// What a snapshot says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shown {
    started_at: Timestamp,
    completed_at: Option<Timestamp>,
}

/// A checkout as the books see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// When it was started.
    pub started_at: Timestamp,
    /// When it was completed.
    pub completed_at: Option<Timestamp>,
}

impl CheckoutDoc {
    /// Joins a snapshot.
    pub fn merge(
        &mut self,
        version: common::version::Version,
        delivered: Timestamp,
        shown: &CheckoutSnapshot,
    ) {
        let item = Shown { started_at: shown.started_at, completed_at: shown.completed_at };
        let copy = Copy { version, delivered, item };
        let covers =
            |a: &Copy<Shown>, b: &Copy<Shown>| a.version >= b.version && a.delivered >= b.delivered;
        if self.snapshots.iter().any(|known| covers(known, &copy)) {
            return;
        }
        self.snapshots.retain(|known| !covers(&copy, known));
        self.snapshots.push(copy);
        self.snapshots.sort_by_key(|copy| copy.version);
    }

    /// Joins a deletion.
    pub fn merge_deleted(&mut self, delivered: Timestamp) {
        self.deleted = self.deleted.max(Some(delivered));
    }

    /// Says that an order completes it, or no longer does.
    pub fn complete(&mut self, order: &Id, placed_at: Option<Timestamp>) {
        self.completions.retain(|(known, _)| known != order);
        if let Some(placed_at) = placed_at {
            self.completions.push((order.clone(), placed_at));
            self.completions.sort();
        }
    }

    /// Forgets what no delivery later than `until` carried, and the orders' links, which are made anew.
    pub fn forget(&mut self, until: Timestamp) {
        self.deleted = self.deleted.filter(|delivered| *delivered > until);
        self.snapshots.retain(|copy| copy.delivered > until);
        self.completions.clear();
    }

    /// What the set of deliveries says, whenever an import carried them: the digest's view.
    #[must_use]
    pub fn canonical(&self) -> impl Serialize + '_ {
        let last = self.snapshots.last().map(Copy::canonical);
        (self.deleted.is_some(), last, &self.completions)
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How it stands by what is known up to `at`; `None` where it counts nowhere.
    #[must_use]
    pub fn standing(&self, at: Timestamp) -> Option<Standing> {
        if self.deleted.is_some() {
            return None;
        }
        let shown = &self.snapshots.last()?.item;
        let by_orders = self.completions.iter().map(|(_, placed_at)| *placed_at);
        let completed = shown.completed_at.into_iter().chain(by_orders).min();
        let completed_at = completed.filter(|completed| *completed <= at);
        (shown.started_at <= at).then_some(Standing { started_at: shown.started_at, completed_at })
    }
}

impl Standing {
    /// The latest instant in it.
    #[must_use]
    pub fn latest_instant(self) -> Timestamp {
        self.completed_at.map_or(self.started_at, |at| at.max(self.started_at))
    }

    /// What it puts into the books.
    #[must_use]
    pub fn bookings(self) -> Vec<Booking> {
        let mut bookings = vec![(self.started_at, Field::plain(Counter::Started), 1)];
        if self.completed_at.is_some() {
            bookings.push((self.started_at, Field::plain(Counter::Completed), 1));
        }
        bookings
    }
}
