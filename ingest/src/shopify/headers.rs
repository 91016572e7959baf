//! What the headers of a delivery say. None of them is covered by the signature.

use common::time::Timestamp;

use crate::verify::Headers;

const TOPIC: [&str; 2] = ["x-shopify-topic", "shopify-topic"];
const SHOP: [&str; 2] = ["x-shopify-shop-domain", "shopify-shop-domain"];
const TRIGGERED_AT: [&str; 2] = ["x-shopify-triggered-at", "shopify-triggered-at"];
const DELIVERY_ID: [&str; 2] = ["x-shopify-webhook-id", "shopify-webhook-id"];
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
        let find = |names: [&str; 2]| {
            let mut found = names.into_iter().filter_map(headers).map(str::trim);
            found.next().filter(|value| !value.is_empty())
        };
        Self {
            topic: find(TOPIC).map(ToOwned::to_owned),
            shop: find(SHOP).map(ToOwned::to_owned),
            triggered_at: find(TRIGGERED_AT).and_then(|text| Timestamp::parse(text).ok()),
            delivery_id: find(DELIVERY_ID).filter(|id| id.len() <= MAX_ID).map(ToOwned::to_owned),
        }
    }
}
