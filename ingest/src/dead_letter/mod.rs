//! Dead letters: signed bodies that could not be translated, kept at the door for a person to look
//! at and retry. The one place that holds personal data: sealed with a key, 30 days at most.

mod dir;
mod post;
mod sealed;

use bytes::Bytes;
use common::log::AppendError;
use common::time::{DAY_MS, Timestamp};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::outcome::DeadLetterReason;

pub use dir::{DeadLetterDir, LetterId};
pub use post::LetterPost;

/// How long a letter is kept at most.
pub const RETENTION_MS: i64 = 30 * DAY_MS;

/// The default limit of all letters together.
pub const DEFAULT_LIMIT_BYTES: u64 = 1 << 30;

/// A signed body that could not be translated.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What is known of it besides the body.
    pub envelope: Envelope,
    /// The raw bytes.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter")
            .field("envelope", &self.envelope)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// What is known of a dead letter besides its body; enough to retry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// When it was taken.
    #[serde(rename = "received_at_ms")]
    pub received_at: Timestamp,
    /// The configured source.
    pub source: String,
    /// The topic header.
    pub topic: Option<String>,
    /// The shop header, as sent.
    pub shop: Option<String>,
    /// When the platform says the event happened.
    #[serde(rename = "triggered_at_ms")]
    pub triggered_at: Option<Timestamp>,
    /// The platform's delivery id.
    pub delivery_id: Option<String>,
    /// Why it could not be translated.
    pub reason: DeadLetterReason,
}

/// A letter in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: LetterId,
    /// What is known of it; `None` where it cannot be opened: damaged, or sealed with another key.
    pub envelope: Option<Envelope>,
    /// Bytes on disk.
    pub size_bytes: u64,
}

/// A letter as others may see it: sealed, but for what is not personal in its envelope.
#[derive(Clone)]
pub struct Sealed {
    /// Its id.
    pub id: LetterId,
    /// What is known of it; to be taken from with care.
    pub envelope: Envelope,
    /// Envelope and body, sealed.
    pub bytes: Bytes,
}

/// Takes sealed letters; Kafka's topic of them.
pub trait LetterLog: Send + Sync + 'static {
    /// Resolves to `Ok` once the letter is durable.
    fn append_letter(&self, letter: &Sealed) -> BoxFuture<'_, Result<(), AppendError>>;
}

/// Keeps dead letters durably.
pub trait KeepLetter: Send + Sync + 'static {
    /// Resolves to `Ok` only when `letter` survives the loss of power. After an error it must not
    /// be acknowledged.
    fn keep(&self, letter: DeadLetter) -> BoxFuture<'_, Result<(), KeepError>>;
}

/// Why dead letters could not be kept or read.
#[derive(Debug, Error)]
pub enum KeepError {
    /// No room is left; dropping old ones would lose what was acknowledged.
    #[error(
        "the dead letters would exceed {limit_bytes} bytes: retry or remove some with \
         `tallyhook dead-letter`"
    )]
    Full {
        /// The limit.
        limit_bytes: u64,
    },
    /// The disk failed.
    #[error("cannot {action} the dead letters in the data directory; check the disk")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the system answered.
        #[source]
        source: std::io::Error,
    },
    /// The file is no letter, was altered, or was sealed with another key.
    #[error(
        "the dead letter {id} cannot be opened: it was sealed with another pseudonym key, or damaged"
    )]
    Unsealed {
        /// Its id.
        id: String,
    },
    /// The system gave no randomness, or the letter could not be encoded.
    #[error("the dead letter could not be sealed")]
    Seal,
}
