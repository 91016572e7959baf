//! The order snapshot: everything about an order that any KPI needs and no person in it.

use serde::{Deserialize, Serialize};

use super::others::{Refund, ReturnSnapshot};
use crate::currency::Currency;
use crate::customer::CustomerKey;
use crate::id::Id;
use crate::time::Timestamp;

/// An order as a delivery shows it. All money in minor units of `currency`, the shop's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderSnapshot {
    /// The platform's order id.
    pub id: Id,
    /// The shop's currency, in which every amount here is.
    pub currency: Currency,
    /// When it was placed (`processed_at`, else `created_at`).
    #[serde(rename = "placed_at_ms")]
    pub placed_at: Timestamp,
    /// When it was cancelled as a whole.
    #[serde(rename = "cancelled_at_ms", default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<Timestamp>,
    /// A test order: withdrawn from every KPI.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test: bool,
    /// Prices hold their tax.
    #[serde(default, skip_serializing_if = "is_false")]
    pub taxes_included: bool,
    /// The payment's state, for example `paid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub financial_status: Option<Box<str>>,
    /// The customer's pseudonym; `None` for an anonymous order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerKey>,
    /// The lines, as ordered.
    pub lines: Vec<Line>,
    /// Shipping after its discounts, without tax.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shipping_minor: i64,
    /// All tax of the order, that on shipping included, that on gift cards not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tax_minor: i64,
    /// Duties.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duties_minor: i64,
    /// Additional fees.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fees_minor: i64,
    /// What the buyer saw, where that is another currency: the rate of its refunds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presentment: Option<Presentment>,
    /// The checkout's token or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<Id>,
    /// The cart's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart: Option<Box<str>>,
    /// The sales channel, for example `web` or `pos`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Box<str>>,
    /// UTM and referral parameters of the landing page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub landing: Vec<NameValue>,
    /// Discount codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discount_codes: Vec<Box<str>>,
    /// Codes of the shipping lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipping_codes: Vec<Box<str>>,
    /// Note attributes that the configuration names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<NameValue>,
    /// Tags that the configuration names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Box<str>>,
    /// The refunds that the snapshot carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// The returns that the snapshot carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<ReturnSnapshot>,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The line's id.
    pub id: Id,
    /// Units as ordered.
    pub quantity: u32,
    /// Unit price before discounts, as the platform shows it (with tax where prices include tax).
    pub price_minor: i64,
    /// Unit price times quantity, without tax.
    pub gross_minor: i64,
    /// Line discounts and the line's share of order discounts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub discount_minor: i64,
    /// The line's tax.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tax_minor: i64,
    /// A gift card: counts in no amount and no units.
    #[serde(default, skip_serializing_if = "is_false")]
    pub gift_card: bool,
    /// The seller's article number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<Box<str>>,
    /// The product's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Id>,
    /// The variant's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Id>,
    /// The variant's options, for example `Fine / Bordeaux`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Box<str>>,
    /// The vendor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Box<str>>,
    /// The bundle group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Id>,
    /// Line properties that the configuration names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<NameValue>,
}

/// The order's total in the shop's and in the buyer's currency: the rate of its refunds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presentment {
    /// The buyer's currency.
    pub currency: Currency,
    /// The total in minor units of the buyer's currency.
    pub total_minor: i64,
    /// The total in minor units of the shop's currency.
    pub shop_total_minor: i64,
}

/// A named value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NameValue {
    /// The name.
    pub name: Box<str>,
    /// The value.
    pub value: Box<str>,
}

/// For `skip_serializing_if`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// For `skip_serializing_if`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(value: &i64) -> bool {
    *value == 0
}
