//! The wire format: JSON with a schema number, and the digest that breaks ties of version.

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::{Body, Event};
use crate::shop::ShopDomain;
use crate::time::Timestamp;
use crate::version::Version;

/// The schema number that this program writes.
pub const SCHEMA: u16 = 1;

/// Bytes that are no event of a known schema.
#[derive(Debug, Error)]
pub enum BadEvent {
    /// A newer program wrote it.
    #[error(
        "event schema {found} is newer than {SCHEMA}: run the tallyhook that wrote it, or a newer one"
    )]
    Schema {
        /// The number found.
        found: u16,
    },
    /// Not an event at all.
    #[error("the record is no event")]
    Syntax(#[from] serde_json::Error),
}

#[derive(serde::Deserialize)]
struct SchemaOnly {
    schema: u16,
}

impl Event {
    /// A new event whose version is `at`, `triggered_at` and the digest of `body`.
    #[must_use]
    pub fn new(
        shop: ShopDomain,
        source: &str,
        at: Timestamp,
        triggered_at: Option<Timestamp>,
        received_at: Timestamp,
        body: Body,
    ) -> Self {
        let version = Version { at, triggered_at, digest: digest(&body) };
        Self {
            schema: SCHEMA,
            shop,
            source: source.into(),
            version,
            received_at,
            imported_at: None,
            delivery_id: None,
            topic: None,
            body,
        }
    }

    /// The event's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        json(self)
    }

    /// Reads an event of this or an older schema.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadEvent> {
        // Checked as a whole, not text by text; bytes that are no UTF-8 fail as their texts do.
        let event = match std::str::from_utf8(bytes) {
            Ok(text) => serde_json::from_str::<Self>(text),
            Err(_) => serde_json::from_slice::<Self>(bytes),
        };
        match event {
            Ok(event) if event.schema <= SCHEMA => Ok(event),
            Ok(event) => Err(BadEvent::Schema { found: event.schema }),
            // A newer schema may fail to parse before its number is looked at.
            Err(error) => match serde_json::from_slice::<SchemaOnly>(bytes) {
                Ok(SchemaOnly { schema }) if schema > SCHEMA => {
                    Err(BadEvent::Schema { found: schema })
                }
                Ok(_) | Err(_) => Err(error.into()),
            },
        }
    }
}

/// xxh3 of anything's canonical JSON; 0 only if it cannot be written, which no event can.
#[must_use]
pub fn digest<T: serde::Serialize>(value: &T) -> u64 {
    json(value).map_or(0, |bytes| xxh3_64(&bytes))
}

/// JSON with room from the start for what most events take.
fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(2048);
    serde_json::to_writer(&mut bytes, value)?;
    Ok(bytes)
}
