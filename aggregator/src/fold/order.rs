//! The order document: a join-semilattice over every delivery that spoke of an order.
//!
//! Merging is commutative, associative and idempotent (law 2). The document keeps the first and the
//! last snapshot and what is known of refunds, returns and edits. Beside each fact stands the latest
//! delivery that carried it, because a shop's redaction forgets what no later delivery carries; where
//! forgetting the first or last snapshot would bring up another one, that one is kept as well.

use common::event::{OrderEdited, OrderSnapshot, QuantityDelta, Refund, ReturnSnapshot};
use common::id::Id;
use common::time::Timestamp;
use common::version::Version;
use serde::{Deserialize, Serialize};

use super::carried::{Carried, Copy, greatest, keep_greatest, note};
use super::content::{Content, ContentLine};
use super::returns::ReturnDoc;

/// Everything known of one order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrderDoc {
    /// The order was deleted: the latest delivery that said so.
    pub deleted: Option<Timestamp>,
    /// A redaction names the order: the latest delivery that said so.
    pub anonymous: Option<Timestamp>,
    contents: Vec<Content>,
    firsts: Vec<Head>,
    lasts: Vec<Head>,
    seen: Vec<Seen>,
    /// Edits by id.
    pub edits: Vec<Edit>,
    /// Refunds by id.
    pub refunds: Vec<Copy<Refund>>,
    /// Returns by id.
    pub returns: Vec<ReturnDoc>,
    /// Where it stands in the index of what is dated ahead.
    pub ahead: Option<Timestamp>,
}

/// Which delivery carried a content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Head {
    version: Version,
    delivered: Timestamp,
    content: usize,
}

/// The earliest instant at which a line showed at least a quantity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Seen {
    line: Id,
    quantity: u32,
    at: Timestamp,
    delivered: Timestamp,
}

/// An edit: units added to lines at an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edit {
    /// When it took effect.
    pub committed_at: Timestamp,
    /// The edit's id.
    pub id: Id,
    /// Units added.
    pub additions: Vec<QuantityDelta>,
    /// The latest delivery that carried it.
    pub delivered: Timestamp,
}

impl OrderDoc {
    /// The order as placed: the snapshot of the smallest version, or after a redaction the last.
    #[must_use]
    pub fn first(&self) -> Option<&Content> {
        let Some(head) = self.firsts.iter().min_by_key(|head| head.version) else {
            return self.last();
        };
        self.contents.get(head.content)
    }

    /// The snapshot of the greatest version: the order as it stands.
    #[must_use]
    pub fn last(&self) -> Option<&Content> {
        let head = self.lasts.iter().max_by_key(|head| head.version)?;
        self.contents.get(head.content)
    }

    /// The quantities above `floor` at which the instant that [`Self::seen_at`] gives can change.
    #[must_use]
    pub fn seen_steps(&self, line: &Id, floor: u32) -> Vec<u32> {
        let implied = self.implied();
        let of_line = self.seen.iter().chain(&implied).filter(|seen| seen.line == *line);
        of_line.map(|seen| seen.quantity).filter(|quantity| *quantity > floor).collect()
    }

    /// The earliest instant at which `line` showed at least `quantity` units.
    #[must_use]
    pub fn seen_at(&self, line: &Id, quantity: u32) -> Option<Timestamp> {
        let enough = |seen: &Seen| seen.line == *line && seen.quantity >= quantity;
        let kept = self.seen.iter().filter(|seen| enough(seen)).map(|seen| seen.at);
        let implied = self.implied().into_iter().filter(enough).map(|seen| seen.at);
        kept.chain(implied).min()
    }

    /// Joins a snapshot, with the refunds and returns in it.
    pub fn merge_snapshot(&mut self, version: Version, delivered: Timestamp, order: OrderSnapshot) {
        for refund in &order.refunds {
            let digest = common::event::digest(refund);
            let copy =
                Copy { version: Version { digest, ..version }, delivered, item: refund.clone() };
            self.merge_refund(copy);
        }
        for snapshot in &order.returns {
            let digest = common::event::digest(snapshot);
            self.merge_return(Version { digest, ..version }, delivered, snapshot);
        }
        self.merge_content(version, delivered, Content::from(order));
    }

    /// Joins a snapshot that says of the order what every known one says, and nothing of refunds or
    /// returns; returns whether anything changed, `None` where the snapshot is another.
    pub fn merge_known(
        &mut self,
        version: Version,
        delivered: Timestamp,
        order: &OrderSnapshot,
    ) -> Option<bool> {
        let [content] = &self.contents[..] else { return None };
        if !order.refunds.is_empty() || !order.returns.is_empty() || !content.is_of(order) {
            return None;
        }
        let head = Head { version, delivered, content: 0 };
        let first = Head { delivered: delivered.min(content.placed_at), ..head.clone() };
        // What an earlier snapshot implied of quantities the least version, which is kept, implies too.
        let first = keep_first(&mut self.firsts, first);
        let last = keep_last(&mut self.lasts, head);
        self.firsts.sort_by_key(|head| head.version);
        self.lasts.sort_by_key(|head| head.version);
        Some(first || last)
    }

    /// Joins a refund.
    pub fn merge_refund(&mut self, copy: Copy<Refund>) {
        keep_greatest(&mut self.refunds, copy, |refund| &refund.id);
    }

    /// Joins a return.
    pub fn merge_return(&mut self, version: Version, delivered: Timestamp, shown: &ReturnSnapshot) {
        let at = match self.returns.binary_search_by(|known| known.id.cmp(&shown.id)) {
            Ok(at) => at,
            Err(at) => {
                self.returns.insert(at, ReturnDoc::new(shown.id.clone()));
                at
            }
        };
        self.returns[at].merge(version, delivered, shown);
    }

    /// Joins an edit.
    pub fn merge_edit(&mut self, delivered: Timestamp, edited: OrderEdited) {
        let mut additions = edited.additions;
        additions.sort();
        additions.dedup();
        let edit =
            Edit { committed_at: edited.committed_at, id: edited.edit, additions, delivered };
        note(&mut self.edits, edit);
    }

    /// Joins a deletion.
    pub fn merge_deleted(&mut self, delivered: Timestamp) {
        self.deleted = self.deleted.max(Some(delivered));
    }

    /// Joins a redaction that names the order.
    pub fn merge_anonymous(&mut self, delivered: Timestamp) {
        self.anonymous = self.anonymous.max(Some(delivered));
    }

    /// Forgets what no delivery later than `until` carried.
    pub fn forget(&mut self, until: Timestamp) {
        let later = |delivered: &Timestamp| *delivered > until;
        self.deleted = self.deleted.filter(later);
        self.anonymous = self.anonymous.filter(later);
        // What the forgotten snapshots implied must go with them, what the kept ones imply stays.
        self.firsts.retain(|head| later(&head.delivered));
        self.lasts.retain(|head| later(&head.delivered));
        self.seen.retain(|seen| later(&seen.delivered));
        self.edits.retain(|edit| later(&edit.delivered));
        self.refunds.retain(|copy| later(&copy.delivered));
        for shown in &mut self.returns {
            shown.forget(until);
        }
        self.returns.retain(|shown| !shown.is_empty());
        self.rewrite_contents();
    }

    /// What the set of deliveries says, whenever an import carried them: the digest's view.
    #[must_use]
    pub fn canonical(&self) -> impl Serialize + '_ {
        let first = self.firsts.iter().map(|head| head.version).min();
        let last = self.lasts.iter().map(|head| head.version).max();
        let snapshots = (first, self.first(), last, self.last());
        let mut seen: Vec<Seen> = self.seen.iter().cloned().chain(self.implied()).collect();
        for seen in &mut seen {
            seen.delivered = Timestamp::MIN;
        }
        let seen = undominated(seen, &[]);
        let edit = |edit: &Edit| (edit.committed_at, edit.id.clone(), edit.additions.clone());
        let edits: Vec<_> = self.edits.iter().map(edit).collect();
        let refunds: Vec<_> =
            greatest(&self.refunds, |refund| &refund.id).map(Copy::canonical).collect();
        let returns: Vec<_> = self.returns.iter().map(ReturnDoc::canonical).collect();
        let marks = (self.deleted.is_some(), self.anonymous.is_some());
        (marks, snapshots, seen, edits, refunds, returns)
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn merge_content(&mut self, version: Version, delivered: Timestamp, content: Content) {
        let mut seen = std::mem::take(&mut self.seen);
        seen.extend(self.implied());
        let known = self.contents.iter().position(|known| *known == content);
        let index = known.unwrap_or(self.contents.len());
        if known.is_none() {
            self.contents.push(content);
        }
        let head = Head { version, delivered, content: index };
        // Once an order is placed a redaction leaves of its deliveries the last alone, so for the
        // first one only redactions before that instant matter.
        let placed_at = self.contents.get(index).map_or(delivered, |content| content.placed_at);
        let first = Head { delivered: delivered.min(placed_at), ..head.clone() };
        keep_first(&mut self.firsts, first);
        keep_last(&mut self.lasts, head.clone());
        seen.extend(self.implied_by(&head));
        self.rewrite_contents();
        self.seen = undominated(seen, &self.implied());
    }

    /// Drops contents that nothing refers to, and puts the rest into their canonical order.
    fn rewrite_contents(&mut self) {
        self.firsts.sort_by_key(|head| head.version);
        self.lasts.sort_by_key(|head| head.version);
        let mut order: Vec<usize> = Vec::new();
        for head in self.firsts.iter_mut().chain(&mut self.lasts) {
            let found = order.iter().position(|known| *known == head.content);
            let at = found.unwrap_or_else(|| {
                order.push(head.content);
                order.len() - 1
            });
            head.content = at;
        }
        if !order.iter().copied().eq(0..self.contents.len()) {
            let pick = |old: &usize| self.contents.get(*old).cloned();
            self.contents = order.iter().filter_map(pick).collect();
        }
    }

    /// What the kept snapshots say of quantities without it being written down.
    fn implied(&self) -> Vec<Seen> {
        self.firsts.iter().chain(&self.lasts).flat_map(|head| self.implied_by(head)).collect()
    }

    fn implied_by(&self, head: &Head) -> Vec<Seen> {
        let Some(content) = self.contents.get(head.content) else { return Vec::new() };
        let delivered = head.delivered.min(content.placed_at);
        let lines = content.lines.iter().filter(|line| line.quantity > 0);
        let seen = |line: &ContentLine| Seen {
            line: line.id.clone(),
            quantity: line.quantity,
            at: head.version.at,
            delivered,
        };
        lines.map(seen).collect()
    }
}

impl Carried for Edit {
    fn same(&self, other: &Self) -> bool {
        (self.committed_at, &self.id, &self.additions)
            == (other.committed_at, &other.id, &other.additions)
    }

    fn delivered(&mut self) -> &mut Timestamp {
        &mut self.delivered
    }
}

/// Keeps the first snapshot there is after any redaction; returns whether `head` is one.
fn keep_first(heads: &mut Vec<Head>, head: Head) -> bool {
    let better = |a: &Head, b: &Head| a.version <= b.version && a.delivered >= b.delivered;
    keep_undominated(heads, head, better)
}

/// Keeps the last snapshot there is after any redaction; returns whether `head` is one.
fn keep_last(heads: &mut Vec<Head>, head: Head) -> bool {
    let better = |a: &Head, b: &Head| a.version >= b.version && a.delivered >= b.delivered;
    keep_undominated(heads, head, better)
}

/// Adds `head` unless one there is at least as good, and drops what it is better than.
fn keep_undominated(
    heads: &mut Vec<Head>,
    head: Head,
    better: impl Fn(&Head, &Head) -> bool,
) -> bool {
    if heads.iter().any(|known| better(known, &head)) {
        return false;
    }
    heads.retain(|known| !better(&head, known));
    heads.push(head);
    true
}

/// The entries of `seen` that no other entry, kept or implied, makes superfluous.
fn undominated(mut seen: Vec<Seen>, implied: &[Seen]) -> Vec<Seen> {
    seen.sort();
    seen.dedup();
    let better = |a: &Seen, b: &Seen| {
        a.line == b.line && a.quantity >= b.quantity && a.at <= b.at && a.delivered >= b.delivered
    };
    let superfluous = |entry: &Seen| {
        implied.iter().any(|other| better(other, entry))
            || seen.iter().any(|other| other != entry && better(other, entry))
    };
    seen.iter().filter(|entry| !superfluous(entry)).cloned().collect()
}
