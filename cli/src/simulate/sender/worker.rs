//! One sending thread: signs and posts a delivery until it is answered for good, or given up.

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use ingest::verify::sign_shopify;

use super::super::delivery::Delivery;
use super::Outcome;
use super::http::Connection;
use super::target::Target;

/// The version that the bodies are in.
const API_VERSION: &str = "2026-07";
/// Tries of one delivery, the first among them.
const TRIES: u32 = 8;
/// The first pause between tries; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// A sender with its connection.
pub(super) struct Worker<'a> {
    target: &'a Target,
    secret: &'a [u8],
    connection: Option<Connection>,
    request: Vec<u8>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(target: &'a Target, secret: &'a [u8]) -> Self {
        Self { target, secret, connection: None, request: Vec::with_capacity(16 * 1024) }
    }

    /// Posts `delivery`; after a failure again, with growing pauses.
    pub(super) fn deliver(&mut self, delivery: &Delivery) -> Outcome {
        self.write_request(delivery);
        let mut pause = FIRST_PAUSE;
        let mut unanswered = false;
        for attempt in 1..=TRIES {
            match self.post() {
                Ok(200..=299) => return Outcome::Acked,
                // An unanswered try may have been stored, whatever a later one is told.
                Ok(_) if unanswered && attempt == TRIES => return Outcome::Unknown,
                Ok(status) if attempt == TRIES || !is_transient(status) => {
                    return if unanswered { Outcome::Unknown } else { Outcome::Refused(status) };
                }
                Ok(_) => {}
                Err(_) => unanswered = true,
            }
            if attempt < TRIES {
                sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        Outcome::Unknown
    }

    /// One try. A kept connection that the receiver closed meanwhile is replaced at once.
    fn post(&mut self) -> std::io::Result<u16> {
        let kept = self.connection.take();
        if let Some(mut connection) = kept
            && let Ok(answer) = connection.exchange(&self.request)
        {
            self.connection = answer.reusable.then_some(connection);
            return Ok(answer.status);
        }
        let mut connection = Connection::new(self.target.connect()?);
        let answer = connection.exchange(&self.request)?;
        self.connection = answer.reusable.then_some(connection);
        Ok(answer.status)
    }

    fn write_request(&mut self, delivery: &Delivery) {
        self.request.clear();
        let signature = sign_shopify(self.secret, &delivery.body);
        // Writing to a vector cannot fail.
        let _ = write!(
            self.request,
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tallyhook-simulate\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\
             X-Shopify-Topic: {topic}\r\nX-Shopify-Shop-Domain: {shop}\r\n\
             X-Shopify-Hmac-Sha256: {signature}\r\nX-Shopify-API-Version: {API_VERSION}\r\n\
             X-Shopify-Webhook-Id: {webhook_id}\r\nX-Shopify-Event-Id: {event_id}\r\n\
             X-Shopify-Triggered-At: {triggered_at}\r\n\r\n",
            path = self.target.path,
            host = self.target.authority,
            length = delivery.body.len(),
            topic = delivery.topic,
            shop = delivery.shop,
            webhook_id = delivery.webhook_id,
            event_id = delivery.event_id,
            triggered_at = delivery.triggered_at,
        );
        self.request.extend_from_slice(&delivery.body);
    }
}

/// Whether the same delivery may be taken later.
const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}
