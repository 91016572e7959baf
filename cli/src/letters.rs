//! Dead letters as commands and the admin API show them.

pub mod kafka;

use std::sync::Arc;

use common::config::{Config, PseudonymKey};
use common::customer::Pseudonymizer;
use common::shop::ShopDomain;
use ingest::dead_letter::{DeadLetter, DeadLetterDir, Envelope, KeepError, LetterId, Summary};
use ingest::metrics::IngestMetrics;
use ingest::outcome::DeadLetterReason;
use ingest::receiver::{EventLog, Ports, Receiver, Retried, RetryError};
use prometheus::Registry;
use serde::{Deserialize, Serialize};

use crate::node::clock;

/// All letters.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letters {
    /// The oldest first.
    pub dead_letters: Vec<Letter>,
}

/// A letter.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter {
    /// Its id.
    pub id: String,
    /// When it was taken.
    pub received_at: String,
    /// The configured source.
    pub source: Option<String>,
    /// The topic, as sent.
    pub topic: Option<String>,
    /// The shop, as sent.
    pub shop: Option<String>,
    /// The platform's delivery id.
    pub delivery_id: Option<String>,
    /// The reason's name.
    pub reason: String,
    /// What is wrong, in words.
    pub detail: String,
    /// Bytes on disk; of a shown letter, bytes of its body.
    pub size_bytes: u64,
    /// The body, of a shown letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What a retry came to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Retry {
    /// The letter.
    pub id: String,
    /// Whether the letter is gone.
    pub done: bool,
    /// Events that are durable now.
    pub events: usize,
    /// In words.
    pub detail: String,
}

/// All letters of a directory.
pub fn list(letters: &DeadLetterDir) -> Result<Letters, KeepError> {
    letters.list().map(listed)
}

/// Letters as a list.
pub fn listed(summaries: Vec<Summary>) -> Letters {
    let row = |summary: Summary| row(&summary.id, summary.envelope, summary.size_bytes);
    Letters { dead_letters: summaries.into_iter().map(row).collect() }
}

/// A letter with its body; `None` if there is none of that id.
pub fn show(letters: &DeadLetterDir, id: &LetterId) -> Result<Option<Letter>, KeepError> {
    Ok(letters.show(id)?.map(|letter| shown(id, letter)))
}

/// A letter with its body.
pub fn shown(id: &LetterId, letter: DeadLetter) -> Letter {
    let size_bytes = letter.body.len() as u64;
    let body = String::from_utf8_lossy(&letter.body).into_owned();
    Letter { body: Some(body), ..row(id, Some(letter.envelope), size_bytes) }
}

/// Why a letter was not retried.
#[derive(Debug)]
pub enum RetryFailure {
    /// There is none of that id.
    Unknown,
    /// The letters could not be read or changed.
    Letters(KeepError),
    /// The retry did not take place.
    Retry(RetryError),
}

impl std::fmt::Display for RetryFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no dead letter of this id"),
            Self::Letters(error) => error.fmt(f),
            Self::Retry(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RetryFailure {}

/// Translates a letter anew, and removes it once that is of no more use.
pub async fn retry(
    receiver: &Receiver,
    letters: &DeadLetterDir,
    id: &LetterId,
    shop: Option<&ShopDomain>,
) -> Result<Retry, RetryFailure> {
    let letter = letters.show(id).map_err(RetryFailure::Letters)?.ok_or(RetryFailure::Unknown)?;
    let retried = translate_anew(receiver, id, &letter, shop).await?;
    if retried.done {
        letters.remove(id).map_err(RetryFailure::Letters)?;
    }
    Ok(retried)
}

/// Translates a letter anew; removing it is the caller's.
pub async fn translate_anew(
    receiver: &Receiver,
    id: &LetterId,
    letter: &DeadLetter,
    shop: Option<&ShopDomain>,
) -> Result<Retry, RetryFailure> {
    let retried = receiver.retry(letter, shop).await.map_err(RetryFailure::Retry)?;
    let (done, events, detail) = match retried {
        Retried::Appended(events) => (true, events, format!("{events} events are in the log")),
        Retried::Ignored(why) => (true, 0, why.to_owned()),
        Retried::StillDead(reason) => (false, 0, in_words(&reason)),
    };
    Ok(Retry { id: id.to_string(), done, events, detail })
}

/// A receiver that only translates: no signature is checked again, so it needs no secrets.
pub fn receiver(
    config: &Config,
    key: &PseudonymKey,
    letters: &DeadLetterDir,
    log: Arc<dyn EventLog>,
) -> anyhow::Result<Receiver> {
    let ports = Ports {
        log,
        dead_letters: Arc::new(letters.clone()),
        clock: clock(),
        metrics: IngestMetrics::register(&Registry::new())?,
    };
    Ok(Receiver::from_config(config, Pseudonymizer::new(key.expose()), ports)?)
}

/// A reason in words; one of a whole line names no field.
fn in_words(reason: &DeadLetterReason) -> String {
    if let DeadLetterReason::BadLine { line, field, message } = reason
        && field.is_empty()
    {
        return format!("line {line}, the line: {message}");
    }
    reason.to_string()
}

fn row(id: &LetterId, envelope: Option<Envelope>, size_bytes: u64) -> Letter {
    let (reason, detail) = match &envelope {
        Some(envelope) => (envelope.reason.label().to_owned(), in_words(&envelope.reason)),
        None => ("sealed".to_owned(), "damaged, or sealed with another pseudonym key".to_owned()),
    };
    Letter {
        id: id.to_string(),
        received_at: id.received_at().to_string(),
        source: envelope.as_ref().map(|envelope| envelope.source.clone()),
        topic: envelope.as_ref().and_then(|envelope| envelope.topic.clone()),
        shop: envelope.as_ref().and_then(|envelope| envelope.shop.clone()),
        delivery_id: envelope.and_then(|envelope| envelope.delivery_id),
        reason,
        detail,
        size_bytes,
        body: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_field_only_where_there_is_one() {
        let check = |field: &str, expected: &str| {
            let (field, message) = (field.to_owned(), "is wrong".to_owned());
            let reason = DeadLetterReason::BadLine { line: 3, field, message };
            assert_eq!(in_words(&reason), expected);
        };
        check("id", "line 3, field `id`: is wrong");
        check("", "line 3, the line: is wrong");
    }
}
