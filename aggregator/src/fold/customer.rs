//! Customers: classes of merged ids, what was asked to be forgotten, and their purchases.

use common::customer::CustomerKey;
use common::store::StoreError;
use common::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::carried::Carried;
use super::field::{Counter, Field};
use super::list::{Chunks, Entry, OrderList};
use super::retention::{self, Change};

/// What stands under a customer's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CustomerDoc {
    /// The customer belongs to the class of this root.
    Alias(CustomerKey),
    /// The class whose root this key is.
    Class(Class),
}

/// Customers that are one: the root is the least of their keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// Every key of the class, sorted; empty where there is but one.
    pub members: Vec<CustomerKey>,
    /// The merges that made it.
    pub merges: Vec<Merge>,
    /// The redactions that name no orders.
    pub redactions: Vec<Redaction>,
    /// The class's purchases.
    pub purchases: OrderList,
}

/// A merge of two ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Merge {
    /// The lesser id.
    pub one: CustomerKey,
    /// The greater id.
    pub other: CustomerKey,
    /// The latest delivery that carried it.
    pub delivered: Timestamp,
}

/// A redaction of all orders placed at or before an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Redaction {
    /// The id that it names.
    pub customer: CustomerKey,
    /// The instant.
    pub at: Timestamp,
    /// The latest delivery that carried it.
    pub delivered: Timestamp,
}

impl Class {
    /// Up to when the class's purchases are forgotten.
    #[must_use]
    pub fn redacted(&self) -> Option<Timestamp> {
        self.redactions.iter().map(|redaction| redaction.at).max()
    }

    /// What the set of deliveries says, whenever an import carried them: the digest's view.
    /// The purchases stand beside it, entry by entry.
    #[must_use]
    pub fn canonical(&self) -> impl Serialize + '_ {
        let merges: Vec<_> = self.merges.iter().map(|merge| (merge.one, merge.other)).collect();
        let asked = |redaction: &Redaction| (redaction.customer, redaction.at);
        let redactions: Vec<_> = self.redactions.iter().map(asked).collect();
        let purchases = (self.purchases.count(), self.purchases.first(), self.purchases.last());
        (&self.members, merges, redactions, purchases)
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.merges.is_empty() && self.redactions.is_empty() && self.purchases.is_empty()
    }

    /// Adds a purchase; returns what it changes in the hours' counters.
    pub fn insert(
        &mut self,
        root: CustomerKey,
        entry: Entry,
        chunks: &mut dyn Chunks,
    ) -> Result<Vec<Change>, StoreError> {
        let mut changes = retention::on_insert(&self.purchases, entry.placed_at.hour(), chunks)?;
        self.stand(-1, chunks, &mut changes)?;
        self.purchases.insert(root, entry, chunks)?;
        self.stand(1, chunks, &mut changes)?;
        Ok(changes)
    }

    /// Takes a purchase out; returns what that changes in the hours' counters.
    pub fn remove(
        &mut self,
        entry: &Entry,
        chunks: &mut dyn Chunks,
    ) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::new();
        self.stand(-1, chunks, &mut changes)?;
        self.purchases.remove(entry, chunks)?;
        self.stand(1, chunks, &mut changes)?;
        let without = retention::on_insert(&self.purchases, entry.placed_at.hour(), chunks)?;
        changes.extend(without.into_iter().map(|(hour, field, change)| (hour, field, -change)));
        Ok(changes)
    }

    /// Where the customer stands in the histograms of latest and second latest purchases.
    fn stand(
        &self,
        sign: i128,
        chunks: &mut dyn Chunks,
        changes: &mut Vec<Change>,
    ) -> Result<(), StoreError> {
        let (latest, second) = self.purchases.latest_two(chunks)?;
        if let Some(latest) = latest {
            changes.push((latest.hour(), Field::plain(Counter::Latest), sign));
            if let Some(second) = second {
                changes.push((second.hour(), Field::plain(Counter::SecondLatest), sign));
                changes.push((latest.hour(), Field::plain(Counter::LatestRepeat), sign));
            }
        }
        Ok(())
    }
}

impl Carried for Merge {
    fn same(&self, other: &Self) -> bool {
        (self.one, self.other) == (other.one, other.other)
    }

    fn delivered(&mut self) -> &mut Timestamp {
        &mut self.delivered
    }
}

impl Carried for Redaction {
    fn same(&self, other: &Self) -> bool {
        (self.customer, self.at) == (other.customer, other.at)
    }

    fn delivered(&mut self) -> &mut Timestamp {
        &mut self.delivered
    }
}
