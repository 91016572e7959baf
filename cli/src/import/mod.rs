//! Imports: lines of a file become events of the log, in this process or in a running instance.

pub mod append;
pub mod checkpoint;
pub mod chunks;
pub mod pipeline;
pub mod sink;
pub mod translate;

use common::shop::ShopDomain;
use common::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What the lines of an import are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Orders in the shape of Shopify's webhooks.
    ShopifyJsonl,
    /// Event lines.
    EventsJsonl,
}

/// What an import is besides its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// What its lines are.
    pub kind: Kind,
    /// The shop of lines that name none.
    pub shop: Option<ShopDomain>,
    /// The source's name in the events.
    pub source: String,
    /// When it began; a redaction of the shop that came later covers it.
    pub imported_at: Timestamp,
}

/// What became of some lines.
#[expect(clippy::struct_field_names, reason = "the names are those of the answer in JSON")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Lines that were not empty.
    pub lines: u64,
    /// Lines whose events are durable.
    pub imported: u64,
    /// The other lines.
    pub errors: Vec<LineProblem>,
}

/// What became of an import so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Lines that were not empty.
    pub lines: u64,
    /// Lines whose events are durable.
    pub imported: u64,
    /// The other lines.
    pub errors: u64,
}

/// What is wrong with a line; holds no value of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineProblem {
    /// Its number, from 1.
    pub line: u64,
    /// The field, where it is one.
    pub field: String,
    /// What is wrong and what is wanted.
    pub message: String,
}

impl Kind {
    /// Its name on the command line and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShopifyJsonl => "shopify-jsonl",
            Self::EventsJsonl => "events-jsonl",
        }
    }
}

impl std::fmt::Display for LineProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, field, message } = self;
        if field.is_empty() {
            return write!(f, "line {line}: {message}");
        }
        write!(f, "line {line}, field `{field}`: {message}")
    }
}
