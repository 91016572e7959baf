//! From a verified body to something durable: shop, translation, append, else a dead letter.

use common::event::Event;
use common::log::AppendError;
use common::partition::partition_of;
use common::shop::ShopDomain;
use common::time::Timestamp;
use futures_util::future::try_join_all;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use super::Receiver;
use super::source::{Shape, Source};
use crate::context::Context;
use crate::dead_letter::{DeadLetter, Envelope};
use crate::lines::{self, LineContext};
use crate::metrics::WebhookOutcome;
use crate::outcome::{DeadLetterReason, Outcome};
use crate::shopify::{self, Delivery};
use crate::verify::Verified;

/// The topic's label where it is none of the list.
pub(super) const OTHER_TOPIC: &str = "other";

/// A delivery besides its body.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) source: &'a Source,
    pub(super) delivery: &'a Delivery,
    pub(super) received_at: Timestamp,
}

/// How a delivery ended.
pub(super) struct Taken {
    pub(super) outcome: WebhookOutcome,
    /// The topic, where only the body tells it.
    pub(super) topic: Option<&'static str>,
}

/// What a retry of a dead letter came to; but for `StillDead`, the letter can be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retried {
    /// So many events are durable now.
    Appended(usize),
    /// Nothing in it is needed.
    Ignored(&'static str),
    /// It still cannot be translated.
    StillDead(DeadLetterReason),
}

/// Why a retry did not take place.
#[derive(Debug, Error)]
pub enum RetryError {
    /// The letter's source is gone.
    #[error("the source {0} is not configured any more: configure it and retry")]
    UnknownSource(String),
    /// The shop may not post to the source.
    #[error("the letter's shop is not allowed for the source {0}: list it and retry")]
    Forbidden(String),
    /// Nothing durable took the events.
    #[error("the log did not take the events; retry later")]
    Append(#[source] AppendError),
    /// An event could not be encoded.
    #[error("an event could not be encoded")]
    Encode(#[source] serde_json::Error),
}

/// What a body comes to once its shop is known.
enum Read {
    Outcome(Outcome),
    Forbidden,
}

/// Why events were not appended.
enum AppendFailure {
    Log(AppendError),
    Encode(serde_json::Error),
}

impl Receiver {
    /// Makes a verified delivery durable, before `deadline`.
    pub(super) async fn take(
        &self,
        arrival: Arrival<'_>,
        body: Verified<'_>,
        deadline: Instant,
    ) -> Taken {
        let body = body.bytes();
        let outcome = match self.read(arrival, body, None) {
            Read::Forbidden => return Taken { outcome: WebhookOutcome::Forbidden, topic: None },
            Read::Outcome(outcome) => outcome,
        };
        let mut topic = None;
        let reason = match outcome {
            Outcome::Ignored(why) => {
                tracing::debug!(source = arrival.source.name, why, "ignored a delivery");
                return Taken { outcome: WebhookOutcome::Ignored, topic };
            }
            Outcome::DeadLetter(reason) => reason,
            Outcome::Events(events) => {
                if arrival.source.shape == Shape::Lines {
                    topic = events.first().map(|event| event.body.kind());
                }
                match timeout_at(deadline, self.append(&events)).await {
                    Ok(Ok(())) => return Taken { outcome: WebhookOutcome::Accepted, topic },
                    // Neither will pass when it is sent again.
                    Ok(Err(
                        AppendFailure::Log(
                            AppendError::TooLarge { .. } | AppendError::Refused { .. },
                        )
                        | AppendFailure::Encode(_),
                    )) => DeadLetterReason::TooLarge,
                    Ok(Err(AppendFailure::Log(error))) => {
                        tracing::error!(source = arrival.source.name, %error, "the log took no event");
                        return Taken { outcome: WebhookOutcome::Unavailable, topic };
                    }
                    Err(_) => {
                        tracing::error!(source = arrival.source.name, "the log was too slow");
                        return Taken { outcome: WebhookOutcome::Unavailable, topic };
                    }
                }
            }
        };
        let outcome = self.bury(arrival, body, reason, deadline).await;
        Taken { outcome, topic }
    }

    /// Translates a dead letter anew, for example with a newer program, and appends its events.
    /// `shop` stands in for a missing or unusable one. Removing the letter is the caller's.
    pub async fn retry(
        &self,
        letter: &DeadLetter,
        shop: Option<&ShopDomain>,
    ) -> Result<Retried, RetryError> {
        let envelope = &letter.envelope;
        let source = self.sources.get(&envelope.source);
        let source = source.ok_or_else(|| RetryError::UnknownSource(envelope.source.clone()))?;
        let delivery = Delivery {
            topic: envelope.topic.clone(),
            shop: envelope.shop.clone(),
            triggered_at: envelope.triggered_at,
            delivery_id: envelope.delivery_id.clone(),
        };
        let arrival = Arrival { source, delivery: &delivery, received_at: envelope.received_at };
        match self.read(arrival, &letter.body, shop) {
            Read::Forbidden => Err(RetryError::Forbidden(envelope.source.clone())),
            Read::Outcome(Outcome::Ignored(why)) => Ok(Retried::Ignored(why)),
            Read::Outcome(Outcome::DeadLetter(reason)) => Ok(Retried::StillDead(reason)),
            Read::Outcome(Outcome::Events(events)) => match self.append(&events).await {
                Ok(()) => Ok(Retried::Appended(events.len())),
                Err(AppendFailure::Log(error)) => Err(RetryError::Append(error)),
                Err(AppendFailure::Encode(error)) => Err(RetryError::Encode(error)),
            },
        }
    }

    fn read(&self, arrival: Arrival<'_>, body: &[u8], shop: Option<&ShopDomain>) -> Read {
        match arrival.source.shape {
            Shape::Shopify => self.read_shopify(arrival, body, shop),
            Shape::Lines => self.read_lines(arrival, body, shop),
        }
    }

    fn read_shopify(&self, arrival: Arrival<'_>, body: &[u8], shop: Option<&ShopDomain>) -> Read {
        let Arrival { source, delivery, received_at } = arrival;
        let dead = |reason| Read::Outcome(Outcome::DeadLetter(reason));
        let named = delivery.shop.as_deref().map(ShopDomain::parse);
        let shop = match (shop.cloned(), named) {
            (Some(shop), _) | (None, Some(Ok(shop))) => shop,
            (None, Some(Err(_))) => return dead(DeadLetterReason::BadShop),
            (None, None) => match source.shops.only() {
                Some(shop) => shop.clone(),
                None => return dead(DeadLetterReason::NoShop),
            },
        };
        if !source.shops.allows(&shop) {
            return Read::Forbidden;
        }
        let Some(topic) = &delivery.topic else { return dead(DeadLetterReason::NoTopic) };
        let context = Context {
            source: &source.name,
            shop: &shop,
            received_at,
            triggered_at: delivery.triggered_at,
            delivery_id: delivery.delivery_id.as_deref(),
            imported_at: None,
            pseudonyms: &self.pseudonyms,
            attributes: &source.attributes,
            notes: &self.notes,
        };
        Read::Outcome(shopify::translate(topic, body, &context))
    }

    /// A body of event lines: all of them, or none and a dead letter.
    fn read_lines(&self, arrival: Arrival<'_>, body: &[u8], shop: Option<&ShopDomain>) -> Read {
        let Arrival { source, delivery, received_at } = arrival;
        let context = LineContext {
            source: &source.name,
            shop: shop.or_else(|| source.shops.only()),
            received_at,
            imported_at: None,
            delivery_id: delivery.delivery_id.as_deref(),
            pseudonyms: &self.pseudonyms,
            notes: &self.notes,
        };
        match lines::parse_all(body, &context) {
            Ok(events) if events.is_empty() => Read::Outcome(Outcome::Ignored("no line")),
            Ok(events) => {
                let allowed = events.iter().all(|event| source.shops.allows(&event.shop));
                if allowed { Read::Outcome(Outcome::Events(events)) } else { Read::Forbidden }
            }
            Err((line, error)) => Read::Outcome(Outcome::DeadLetter(DeadLetterReason::BadLine {
                line,
                field: error.field,
                message: error.message,
            })),
        }
    }

    /// Appends all events; `Ok` once every one is durable.
    async fn append(&self, events: &[Event]) -> Result<(), AppendFailure> {
        let mut appends = Vec::with_capacity(events.len());
        for event in events {
            let payload = event.encode().map_err(AppendFailure::Encode)?;
            let partition = partition_of(&event.shop, self.limits.partitions);
            appends.push(self.ports.log.append_event(partition, event, payload.into()));
        }
        try_join_all(appends).await.map(|_| ()).map_err(AppendFailure::Log)
    }

    /// Keeps a body that cannot be translated.
    async fn bury(
        &self,
        arrival: Arrival<'_>,
        body: &[u8],
        reason: DeadLetterReason,
        deadline: Instant,
    ) -> WebhookOutcome {
        let Arrival { source, delivery, received_at } = arrival;
        let topic = delivery.topic.as_deref().unwrap_or_default();
        tracing::warn!(source = source.name, topic, %reason, "a delivery could not be translated");
        let envelope = Envelope {
            received_at,
            source: source.name.clone(),
            topic: delivery.topic.clone(),
            shop: delivery.shop.clone(),
            triggered_at: delivery.triggered_at,
            delivery_id: delivery.delivery_id.clone(),
            reason: reason.clone(),
        };
        let letter = DeadLetter { envelope, body: body.to_vec() };
        match timeout_at(deadline, self.ports.dead_letters.keep(letter)).await {
            Ok(Ok(())) => {
                self.ports.metrics.dead_letter(&reason);
                WebhookOutcome::DeadLetter
            }
            Ok(Err(error)) => {
                tracing::error!(source = source.name, %error, "a dead letter could not be kept");
                WebhookOutcome::Unavailable
            }
            Err(_) => {
                tracing::error!(source = source.name, "the dead letters were too slow");
                WebhookOutcome::Unavailable
            }
        }
    }
}
