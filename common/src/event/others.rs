//! Every event body but the order: refunds, returns, checkouts, merges and redactions.
//!
//! Refunds and what is in them are also part of the state, in a binary format that knows fields by
//! their place, so none of their fields is ever left out.

use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::customer::CustomerKey;
use crate::decimal::UNNAMED_EXPONENT;
use crate::id::Id;
use crate::reason::Reason;
use crate::time::Timestamp;

/// An order was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDeleted {
    /// The order.
    pub order: Id,
}

/// An edit of an order: ids and quantities only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEdited {
    /// The order.
    pub order: Id,
    /// The edit's own id.
    pub edit: Id,
    /// When it took effect.
    #[serde(rename = "committed_at_ms")]
    pub committed_at: Timestamp,
    /// Units added, line by line. Removals arrive as refunds.
    pub additions: Vec<QuantityDelta>,
}

/// A number of units of a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QuantityDelta {
    /// The order's or the return's line.
    pub line: Id,
    /// Units.
    pub quantity: u32,
}

/// A refund. Money in minor units of `currency`; where that is `None` the document names no currency,
/// and every amount but `paid` is in units of 10^-8 of the order's currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refund {
    /// The refund's id.
    pub id: Id,
    /// The order.
    pub order: Id,
    /// When it was made (`processed_at`, else `created_at`).
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
    /// The shop's currency as the document names it.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// Goods taken back or lines removed.
    #[serde(default)]
    pub lines: Vec<RefundLine>,
    /// Shipping given back, without tax.
    #[serde(default)]
    pub shipping_minor: i64,
    /// Tax given back that belongs to no line (on shipping).
    #[serde(default)]
    pub tax_minor: i64,
    /// Duties given back.
    #[serde(default)]
    pub duties_minor: i64,
    /// Additional fees given back.
    #[serde(default)]
    pub fees_minor: i64,
    /// Money paid back, one entry a successful transaction.
    #[serde(default)]
    pub paid: Vec<Paid>,
    /// The reason that the note's words give.
    #[serde(default)]
    pub note_reason: Option<Reason>,
    /// The return that it settles.
    #[serde(default)]
    pub return_id: Option<Id>,
    /// The lines' amounts are as the platform shows them: they hold their tax where the order's prices
    /// do. A refund on its own does not say which, its order does.
    #[serde(default)]
    pub as_shown: bool,
}

impl Refund {
    /// The value of a line's goods without tax, in an order whose prices hold their tax or do not.
    #[must_use]
    pub const fn goods_minor(&self, line: &RefundLine, taxes_included: bool) -> i64 {
        if self.as_shown && taxes_included {
            line.amount_minor.saturating_sub(line.tax_minor)
        } else {
            line.amount_minor
        }
    }

    /// The digits of the amounts: the currency's, or [`UNNAMED_EXPONENT`].
    #[must_use]
    pub fn exponent(&self) -> u8 {
        self.currency.map_or(UNNAMED_EXPONENT, Currency::exponent)
    }
}

/// Units of one order line in a refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundLine {
    /// The order's line.
    pub line: Id,
    /// Units.
    pub quantity: u32,
    /// Value of the goods net of discounts; see [`Refund::goods_minor`].
    pub amount_minor: i64,
    /// Their tax.
    #[serde(default)]
    pub tax_minor: i64,
    /// What became of the goods.
    pub restock: Restock,
    /// The reason, where the line itself names one.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// A gift card: counts in no amount and no units.
    #[serde(default)]
    pub gift_card: bool,
}

/// What became of refunded goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restock {
    /// They came back (`return`, `legacy_restock`).
    Return,
    /// They never left (`cancel`).
    Cancel,
    /// They stay with the customer (`no_restock`, null).
    None,
}

/// One successful refund transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The transaction's currency; `None` means that of the order, and units of 10^-8.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// Minor units.
    pub amount_minor: i64,
}

/// A return as a delivery shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnSnapshot {
    /// The return's id.
    pub id: Id,
    /// The order.
    pub order: Id,
    /// Its state.
    pub status: ReturnStatus,
    /// When it took that state.
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
    /// Its lines; those not named here are as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<ReturnLine>,
}

/// The state of a return, in the order of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnStatus {
    /// Asked for.
    Requested,
    /// Approved.
    Open,
    /// Refused.
    Declined,
    /// Called off.
    Canceled,
    /// Done: its units are returned.
    Closed,
}

/// Units of one order line in a return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnLine {
    /// The return line's id.
    pub id: Id,
    /// The order's line.
    pub line: Id,
    /// Units.
    pub quantity: u32,
    /// Why.
    pub reason: Reason,
}

/// Units taken out of a return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnUpdated {
    /// The return; its order is not named.
    pub return_id: Id,
    /// When.
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
    /// Units removed, by return line.
    pub removals: Vec<QuantityDelta>,
}

/// A checkout as a delivery shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutSnapshot {
    /// The checkout's token or id.
    pub id: Id,
    /// When it was started.
    #[serde(rename = "started_at_ms")]
    pub started_at: Timestamp,
    /// When it was completed.
    #[serde(rename = "completed_at_ms", default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// The cart's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart: Option<Box<str>>,
    /// The customer's pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerKey>,
}

/// A checkout was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutDeleted {
    /// The checkout.
    pub checkout: Id,
}

/// Two customers are one, from the start and for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomersMerged {
    /// The customer that was given up.
    pub from: CustomerKey,
    /// The customer that was kept.
    pub into: CustomerKey,
}

/// A customer is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerRedacted {
    /// Every pseudonym that the request's identities give.
    pub customers: Vec<CustomerKey>,
    /// The orders to make anonymous; empty means all placed at or before `at`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<Id>,
    /// When it was asked.
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
}

/// A shop is to be forgotten: all that no later delivery carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShopRedacted {
    /// When it was asked.
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
}
