//! Which order a return belongs to, and what was taken out of the return before that was known.

use common::id::Id;
use common::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::returns::Removal;

/// What is known of a return apart from its order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReturnIndexDoc {
    /// The orders that carry it: one, if the platform is right.
    pub orders: Vec<Id>,
    /// What was taken out of it.
    pub removals: Vec<Removal>,
}

impl ReturnIndexDoc {
    /// Forgets what no delivery later than `until` carried, and the orders, which are linked anew.
    pub fn forget(&mut self, until: Timestamp) {
        self.orders.clear();
        self.removals.retain(|removal| removal.delivered > until);
    }

    /// What the set of deliveries says, whenever an import carried them: the digest's view.
    #[must_use]
    pub fn canonical(&self) -> impl Serialize + '_ {
        let removals: Vec<_> = self.removals.iter().map(Removal::canonical).collect();
        (&self.orders, removals)
    }

    /// Whether nothing is known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.removals.is_empty()
    }
}
