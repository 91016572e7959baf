//! Domain events: platform-neutral snapshots in a versioned JSON wire format.
//!
//! An event is what survives of a delivery once it has passed the door: no names, addresses or free
//! text, money in minor units, instants in milliseconds. Field names are part of the wire format;
//! golden files under `common/testdata/events` hold every schema number that was ever written.

#[cfg(test)]
mod golden;
mod order;
mod others;
mod wire;

pub use order::{Line, NameValue, OrderSnapshot, Presentment};
pub use others::{
    CheckoutDeleted, CheckoutSnapshot, CustomerRedacted, CustomersMerged, OrderDeleted,
    OrderEdited, Paid, QuantityDelta, Refund, RefundLine, Restock, ReturnLine, ReturnSnapshot,
    ReturnStatus, ReturnUpdated, ShopRedacted,
};
pub use wire::{BadEvent, SCHEMA, digest};

use serde::{Deserialize, Serialize};

use crate::shop::ShopDomain;
use crate::time::Timestamp;
use crate::version::Version;

/// One event of one shop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The wire format's number.
    pub schema: u16,
    /// Whose event it is.
    pub shop: ShopDomain,
    /// The configured source that it came through.
    pub source: Box<str>,
    /// Which snapshot of its document it is.
    pub version: Version,
    /// When the receiver took it; takes part in nothing but the rare body without any time.
    #[serde(rename = "received_at_ms")]
    pub received_at: Timestamp,
    /// When the import that carried it began; `None` for a delivery.
    #[serde(rename = "imported_at_ms", default, skip_serializing_if = "Option::is_none")]
    pub imported_at: Option<Timestamp>,
    /// The platform's delivery id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<Box<str>>,
    /// The platform's topic of the delivery, for people who watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Box<str>>,
    /// What happened.
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// An order as it stands at the version's instant.
    Order(Box<OrderSnapshot>),
    /// An order was deleted, for ever.
    OrderDeleted(OrderDeleted),
    /// Quantities were added to or removed from an order's lines.
    OrderEdited(OrderEdited),
    /// A refund was recorded.
    Refund(Box<Refund>),
    /// A return as it stands.
    Return(ReturnSnapshot),
    /// Lines were taken out of a return; the order is not named.
    ReturnUpdated(ReturnUpdated),
    /// A checkout as it stands.
    Checkout(CheckoutSnapshot),
    /// A checkout was deleted.
    CheckoutDeleted(CheckoutDeleted),
    /// Two customers are one.
    CustomersMerged(CustomersMerged),
    /// A customer is to be forgotten.
    CustomerRedacted(CustomerRedacted),
    /// A shop is to be forgotten.
    ShopRedacted(ShopRedacted),
}

impl Body {
    /// The kind's name, as in the wire format and the metric label `kind`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Order(_) => "order",
            Self::OrderDeleted(_) => "order_deleted",
            Self::OrderEdited(_) => "order_edited",
            Self::Refund(_) => "refund",
            Self::Return(_) => "return",
            Self::ReturnUpdated(_) => "return_updated",
            Self::Checkout(_) => "checkout",
            Self::CheckoutDeleted(_) => "checkout_deleted",
            Self::CustomersMerged(_) => "customers_merged",
            Self::CustomerRedacted(_) => "customer_redacted",
            Self::ShopRedacted(_) => "shop_redacted",
        }
    }
}

impl Event {
    /// The instant that a shop's redaction compares with: the version's, for an import its beginning.
    #[must_use]
    pub fn delivery_time(&self) -> Timestamp {
        self.imported_at.unwrap_or(self.version.at)
    }
}
