//! What a batch did, for metrics and the live page: side effects come after the commit.

use common::shop::ShopDomain;
use common::time::Timestamp;

use super::field::Sums;

/// What one event did.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Whose event it was.
    pub shop: ShopDomain,
    /// Its kind.
    pub kind: &'static str,
    /// The platform's topic.
    pub topic: Option<Box<str>>,
    /// Its version's instant, or when it was received if that is earlier.
    pub at: Timestamp,
    /// Whether it changed anything.
    pub changed: bool,
    /// Whether an import carried it.
    pub imported: bool,
    /// Documents and units seen for the first time.
    pub seen: Seen,
}

/// Documents and units that an event showed for the first time.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// An order.
    pub order: bool,
    /// Refunds.
    pub refunds: u64,
    /// A started checkout.
    pub checkout_started: bool,
    /// A completed checkout.
    pub checkout_completed: bool,
    /// Returned units by reason.
    pub returned: Sums,
}
