//! What the headers of a delivery say. None of them is covered by the signature.

use common::time::Timestamp;

use crate::verify::Headers;

/// The longest delivery id that is kept.
const MAX_ID: usize = 128;

/// The headers of a delivery, as sent; both families of names are read, `X-Shopify-*` first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// For example `orders/create`.
    pub topic: Option<String>,
    /// The shop's domain, unchecked.
    pub shop: Option<String>,
    /// When the event happened.
    pub triggered_at: Option<Timestamp>,
    /// The delivery's id; the same on retries.
    pub delivery_id: Option<String>,
}

impl Delivery {
    /// Reads the headers.
    #[must_use]
    pub fn read(headers: &Headers<'_>) -> Self {
        let find = |name: &str| {
            let named = |prefix: &str| headers(&format!("{prefix}{name}")).map(str::trim);
            let found = named("x-shopify-").or_else(|| named("shopify-"));
            found.filter(|value| !value.is_empty())
        };
        Self {
            topic: find("topic").map(ToOwned::to_owned),
            shop: find("shop-domain").map(ToOwned::to_owned),
            triggered_at: find("triggered-at").and_then(|text| Timestamp::parse(text).ok()),
            delivery_id: find("webhook-id").filter(|id| id.len() <= MAX_ID).map(ToOwned::to_owned),
        }
    }
}
