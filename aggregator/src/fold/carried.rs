//! Facts beside the latest delivery that carried them.

use common::id::Id;
use common::time::Timestamp;
use common::version::Version;
use serde::{Deserialize, Serialize};

/// A copy of something that has an id, by the version that carried it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copy<T> {
    /// The version that carried it.
    pub version: Version,
    /// The delivery that carried it.
    pub delivered: Timestamp,
    /// The thing.
    pub item: T,
}

impl<T> Copy<T> {
    /// The copy without the delivery that carried it.
    #[must_use]
    pub const fn canonical(&self) -> (Version, &T) {
        (self.version, &self.item)
    }
}

/// A fact that is kept once, with the latest delivery that carried it.
pub trait Carried: Ord {
    /// Whether both state the same, whatever carried them.
    fn same(&self, other: &Self) -> bool;

    /// The latest delivery that carried it.
    fn delivered(&mut self) -> &mut Timestamp;
}

/// Joins a fact to a sorted list.
pub fn note<T: Carried>(facts: &mut Vec<T>, mut fact: T) {
    if let Some(known) = facts.iter_mut().find(|known| known.same(&fact)) {
        let latest = (*known.delivered()).max(*fact.delivered());
        *known.delivered() = latest;
        return;
    }
    facts.push(fact);
    facts.sort();
}

/// Joins a copy: of the copies with its id those stay that no copy both newer and at least as late
/// delivered replaces. Usually that is one.
pub fn keep_greatest<T>(copies: &mut Vec<Copy<T>>, copy: Copy<T>, id: impl Fn(&T) -> &Id) {
    let same = |known: &Copy<T>| id(&known.item) == id(&copy.item);
    let covers = |a: &Copy<T>, b: &Copy<T>| a.version >= b.version && a.delivered >= b.delivered;
    if copies.iter().any(|known| same(known) && covers(known, &copy)) {
        return;
    }
    copies.retain(|known| !(same(known) && covers(&copy, known)));
    copies.push(copy);
    copies.sort_by(|a, b| (id(&a.item), a.version).cmp(&(id(&b.item), b.version)));
}

/// Of copies sorted by id and version, the greatest version of each id.
pub fn greatest<'a, T>(
    copies: &'a [Copy<T>],
    id: impl Fn(&T) -> &Id + 'a,
) -> impl Iterator<Item = &'a Copy<T>> {
    copies.iter().enumerate().filter_map(move |(at, copy)| {
        let replaced = copies.get(at + 1).is_some_and(|next| id(&next.item) == id(&copy.item));
        (!replaced).then_some(copy)
    })
}
