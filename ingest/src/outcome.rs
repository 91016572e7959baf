//! What becomes of a signed body: events, nothing, or a dead letter with its reason.

use common::event::Event;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What becomes of a signed body.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// These events are to be appended.
    Events(Vec<Event>),
    /// Nothing for any KPI is in it; the text says why.
    Ignored(&'static str),
    /// It cannot be translated.
    DeadLetter(DeadLetterReason),
}

impl Outcome {
    /// One event, or the reason why there is none.
    #[must_use]
    pub fn of(result: Result<Event, DeadLetterReason>) -> Self {
        match result {
            Ok(event) => Self::Events(vec![event]),
            Err(reason) => Self::DeadLetter(reason),
        }
    }
}

/// Why a signed body cannot be translated. Holds names of fields, never their values.
#[derive(Clone, Debug, Error, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum DeadLetterReason {
    /// Not UTF-8, not JSON, or no JSON object.
    #[error("the body is no JSON object in UTF-8")]
    InvalidJson,
    /// A required field is missing or cannot be read.
    #[error("the body lacks `{field}`, or what stands there cannot be read")]
    Incomplete {
        /// The field's path.
        field: String,
    },
    /// An amount is larger than any real order.
    #[error("the amount in `{field}` is too large")]
    Amount {
        /// The field's path.
        field: String,
    },
    /// No shop was named, and the source lists none or several.
    #[error("the delivery names no shop; list one shop for the source, or retry with a shop")]
    NoShop,
    /// The shop's name is no domain.
    #[error("the delivery names a shop that is no domain")]
    BadShop,
    /// The unsigned shop header contradicts the signed body.
    #[error("the shop in the header is not the one in the signed body")]
    ShopMismatch,
    /// No topic was named.
    #[error("the delivery names no topic")]
    NoTopic,
    /// An event line is wrong.
    #[error("line {line}, field `{field}`: {message}")]
    BadLine {
        /// The line's number, from 1.
        line: usize,
        /// The field's path.
        field: String,
        /// What is wrong and what is wanted.
        message: String,
    },
    /// The event is larger than a record of the log may be.
    #[error("the event is larger than the log takes")]
    TooLarge,
}

impl DeadLetterReason {
    /// The value of the label `reason` of `dead_letters_total`.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::Incomplete { .. } => "incomplete",
            Self::Amount { .. } => "amount",
            Self::NoShop => "no_shop",
            Self::BadShop => "bad_shop",
            Self::ShopMismatch => "shop_mismatch",
            Self::NoTopic => "no_topic",
            Self::BadLine { .. } => "bad_line",
            Self::TooLarge => "too_large",
        }
    }

    /// The same of a field within `place`.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        if let Self::Incomplete { field } | Self::Amount { field } = &mut self {
            *field = format!("{place}.{field}");
        }
        self
    }

    /// A missing or unreadable `field`.
    #[must_use]
    pub fn incomplete(field: impl Into<String>) -> Self {
        Self::Incomplete { field: field.into() }
    }
}
