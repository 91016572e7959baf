//! Versions: which of two snapshots of a document is the newer, whatever order they arrive in.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The order of a document's snapshots: the platform's update instant, then the delivery's trigger
/// instant (missing is less than any), then a digest of the content. Arrival takes no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// The platform's `updated_at`, else the greatest instant in the body.
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
    /// When the platform says the event happened.
    #[serde(rename = "triggered_at_ms", default)]
    pub triggered_at: Option<Timestamp>,
    /// xxh3 of the canonical content: a total order where the instants tie.
    #[serde(with = "hex_digest")]
    pub digest: u64,
}

/// A 64-bit digest as 16 hexadecimal digits in JSON and 8 bytes in binary formats.
pub mod hex_digest {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the digest.
    pub fn serialize<S: Serializer>(digest: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(&format_args!("{digest:016x}"));
        }
        serde::Serialize::serialize(&digest.to_be_bytes(), serializer)
    }

    /// Reads the digest.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        if deserializer.is_human_readable() {
            let parse = |text: &str| u64::from_str_radix(text, 16);
            return crate::text::parsed(deserializer, "16 hexadecimal digits", parse);
        }
        <[u8; 8]>::deserialize(deserializer).map(u64::from_be_bytes)
    }
}
