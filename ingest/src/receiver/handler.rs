//! The HTTP handlers: they read the request, hand it on, measure and answer.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::time::Instant;

use super::body::{self, BodyError};
use super::pipeline::{Arrival, OTHER_TOPIC};
use super::source::{Shape, Source};
use super::{ANSWER_BUDGET, MIN_APPEND_TIME, Receiver, answer};
use crate::metrics::WebhookOutcome;
use crate::shopify::{Delivery, Topic};
use crate::verify::Headers;

/// How long the body of a request that is refused unread is read and dropped.
const SKIP_TIME: Duration = Duration::from_millis(500);

/// `/webhooks/{source}` of a configured source.
pub(super) async fn receive(
    receiver: web::Data<Receiver>,
    source: web::Data<Source>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let started = Instant::now();
    if request.method() != Method::POST {
        body::skip(&mut payload, receiver.limits.body_limit_bytes, started + SKIP_TIME).await;
        return answer::not_post();
    }
    let (topic, outcome) = take(&receiver, &source, &request, &mut payload, started).await;
    let seconds = started.elapsed().as_secs_f64();
    receiver.ports.metrics.answered(&source.name, topic, outcome, seconds);
    answer::answer(outcome)
}

/// `/webhooks/{source}` of any other name.
pub(super) async fn no_such_source(
    receiver: web::Data<Receiver>,
    mut payload: web::Payload,
) -> HttpResponse {
    let deadline = Instant::now() + SKIP_TIME;
    body::skip(&mut payload, receiver.limits.body_limit_bytes, deadline).await;
    answer::unknown_source()
}

/// Every other path.
pub(super) async fn no_such_path() -> HttpResponse {
    answer::unknown_path()
}

async fn take(
    receiver: &Receiver,
    source: &Source,
    request: &HttpRequest,
    payload: &mut web::Payload,
    started: Instant,
) -> (&'static str, WebhookOutcome) {
    // A request has few headers: comparing names costs less than hashing the one looked for.
    let find = |name: &str| {
        let mut named = request.headers().iter().filter(|header| header.0.as_str() == name);
        named.next().and_then(|header| header.1.to_str().ok())
    };
    let headers: &Headers<'_> = &find;
    let delivery = match source.shape {
        Shape::Shopify => Delivery::read(headers),
        Shape::Lines => {
            let id = headers("webhook-id").map(ToOwned::to_owned);
            Delivery { delivery_id: id, ..Delivery::default() }
        }
    };
    let topic = delivery.topic.as_deref().and_then(Topic::parse).map_or(OTHER_TOPIC, Topic::name);

    let deadline = started + receiver.limits.body_timeout;
    let body = match body::read(payload, receiver.limits.body_limit_bytes, deadline).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => return (topic, WebhookOutcome::TooLarge),
        Err(BodyError::TooSlow) => return (topic, WebhookOutcome::Timeout),
    };
    let received_at = receiver.ports.clock.now();
    let verified = match source.verifier.verify(headers, &body, received_at) {
        Ok(verified) => verified,
        Err(error) => {
            tracing::info!(source = source.name, topic, %error, "refused a delivery");
            return (topic, WebhookOutcome::BadSignature);
        }
    };
    if let Some(triggered_at) = delivery.triggered_at {
        let lag_ms = received_at.ms().saturating_sub(triggered_at.ms()).max(0);
        receiver
            .ports
            .metrics
            .lagged(&source.name, Duration::from_millis(lag_ms.unsigned_abs()).as_secs_f64());
    }
    let arrival = Arrival { source, delivery: &delivery, received_at };
    let deadline = (started + ANSWER_BUDGET).max(Instant::now() + MIN_APPEND_TIME);
    let taken = receiver.take(arrival, verified, deadline).await;
    (taken.topic.unwrap_or(topic), taken.outcome)
}
