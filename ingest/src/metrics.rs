//! The receiver's metrics. An unknown source is never a label, a topic comes from a closed list.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use crate::outcome::DeadLetterReason;

/// How a request to a known source ended; the label `outcome` of `webhooks_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WebhookOutcome {
    /// Its events are durable.
    Accepted,
    /// It lies among the dead letters.
    DeadLetter,
    /// Nothing in it is needed.
    Ignored,
    /// Missing or wrong signature.
    BadSignature,
    /// The shop is not allowed for the source.
    Forbidden,
    /// The body is over the limit.
    TooLarge,
    /// The body came too slowly, or not whole.
    Timeout,
    /// Nothing durable could take it.
    Unavailable,
}

impl WebhookOutcome {
    /// The label's value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::DeadLetter => "dead_letter",
            Self::Ignored => "ignored",
            Self::BadSignature => "bad_signature",
            Self::Forbidden => "forbidden",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The receiver's metrics, each under the prefix `tallyhook_`.
#[derive(Clone, Debug)]
pub struct IngestMetrics {
    webhooks: IntCounterVec,
    duration: HistogramVec,
    lag: HistogramVec,
    dead_letters: IntCounterVec,
}

impl IngestMetrics {
    /// Registers them on `registry`.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let duration_buckets =
            vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 4.0, 5.0];
        // An alert asks for ten minutes.
        let lag_buckets = vec![
            0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
            21_600.0, 86_400.0,
        ];
        let metrics = Self {
            webhooks: IntCounterVec::new(
                Opts::new(
                    "tallyhook_webhooks_total",
                    "Webhooks of known sources by topic and by how they were answered.",
                ),
                &["source", "topic", "outcome"],
            )?,
            duration: HistogramVec::new(
                HistogramOpts::new(
                    "tallyhook_webhook_duration_seconds",
                    "From the head of a request to its answer.",
                )
                .buckets(duration_buckets),
                &["source"],
            )?,
            lag: HistogramVec::new(
                HistogramOpts::new(
                    "tallyhook_webhook_delivery_lag_seconds",
                    "From what the platform calls the event's instant to its arrival.",
                )
                .buckets(lag_buckets),
                &["source"],
            )?,
            dead_letters: IntCounterVec::new(
                Opts::new(
                    "tallyhook_dead_letters_total",
                    "Signed bodies that could not be translated, by reason.",
                ),
                &["reason"],
            )?,
        };
        registry.register(Box::new(metrics.webhooks.clone()))?;
        registry.register(Box::new(metrics.duration.clone()))?;
        registry.register(Box::new(metrics.lag.clone()))?;
        registry.register(Box::new(metrics.dead_letters.clone()))?;
        Ok(metrics)
    }

    /// A request was answered after `duration_seconds`.
    pub fn answered(
        &self,
        source: &str,
        topic: &str,
        outcome: WebhookOutcome,
        duration_seconds: f64,
    ) {
        self.webhooks.with_label_values(&[source, topic, outcome.label()]).inc();
        self.duration.with_label_values(&[source]).observe(duration_seconds);
    }

    /// A signed delivery arrived `lag_seconds` after its event.
    pub fn lagged(&self, source: &str, lag_seconds: f64) {
        self.lag.with_label_values(&[source]).observe(lag_seconds);
    }

    /// A dead letter was kept.
    pub fn dead_letter(&self, reason: &DeadLetterReason) {
        self.dead_letters.with_label_values(&[reason.label()]).inc();
    }
}
