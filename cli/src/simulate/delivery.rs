//! One webhook delivery of the simulated platform.

use std::fmt;
use std::sync::Arc;

use common::shop::ShopDomain;
use common::time::Timestamp;

/// A delivery as the platform would make it; the sender only has to sign and post it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// When it happens: its place in the stream.
    pub at: Timestamp,
    /// `X-Shopify-Triggered-At`.
    pub triggered_at: Timestamp,
    /// `X-Shopify-Topic`.
    pub topic: &'static str,
    /// `X-Shopify-Shop-Domain`.
    pub shop: ShopDomain,
    /// `X-Shopify-Webhook-Id`: the same on every copy of one delivery.
    pub webhook_id: DeliveryId,
    /// `X-Shopify-Event-Id`: shared by all deliveries of one action.
    pub event_id: DeliveryId,
    /// The body, byte for byte as it is signed.
    pub body: Arc<[u8]>,
}

/// A random 128-bit id, shown as a version 4 UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(uuid::Uuid);

impl DeliveryId {
    /// From random bits; version and variant bits are set.
    pub(super) fn from_bits(bits: u128) -> Self {
        Self(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid())
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
