//! From lines to the records of the log.

use actix_web::web::Bytes;
use common::config::{Attributes, Config, Platform};
use common::customer::Pseudonymizer;
use common::event::Event;
use common::partition::partition_of;
use common::shop::ShopDomain;
use ingest::context::Context;
use ingest::lines::{self, LineContext, LineError};
use ingest::notes::NoteRules;
use ingest::outcome::{DeadLetterReason, Outcome};
use ingest::shopify;

use super::{Import, Kind, LineProblem};

/// The longest line of Shopify's orders, as long as a webhook's body may be.
pub const MAX_LINE_BYTES: usize = 8 << 20;

/// The source of events where none is configured.
const FALLBACK_SOURCE: &str = "import";

/// Translates the lines of one import.
pub struct Translator {
    import: Import,
    pseudonyms: Pseudonymizer,
    attributes: Attributes,
    notes: NoteRules,
    partitions: u16,
}

/// A record for the log.
pub struct Entry {
    /// The partition of its shop.
    pub partition: u16,
    /// The event, of which some logs show more than its bytes.
    pub event: Event,
    /// The encoded event.
    pub payload: Bytes,
}

impl Entry {
    /// Of an event, for a log of so many partitions.
    pub fn new(event: Event, partitions: u16) -> Result<Self, serde_json::Error> {
        let payload = event.encode()?.into();
        Ok(Self { partition: partition_of(&event.shop, partitions), event, payload })
    }
}

/// What some lines come to.
#[derive(Default)]
pub struct Translated {
    /// Lines that were not empty.
    pub lines: u64,
    /// Lines that could be read.
    pub read: u64,
    /// Their records.
    pub entries: Vec<Entry>,
    /// The other lines.
    pub errors: Vec<LineProblem>,
}

impl Translator {
    /// For an import under a configuration.
    pub fn new(config: &Config, import: Import, pseudonyms: Pseudonymizer) -> Self {
        let source = config.sources.get(import.source.as_str());
        Self {
            import,
            pseudonyms,
            attributes: source.map(|source| source.attributes.clone()).unwrap_or_default(),
            notes: NoteRules::new(&config.reasons),
            partitions: config.log.partitions,
        }
    }

    /// Translates lines of which the first has the number `first`.
    pub fn translate(&self, text: &[u8], first: u64) -> Translated {
        let mut translated = Translated::default();
        for (number, line) in (first..).zip(text.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            translated.lines += 1;
            let entries = self.events(line).and_then(|events| {
                events.into_iter().map(|event| self.entry(event)).collect::<Result<Vec<_>, _>>()
            });
            match entries {
                Ok(entries) => {
                    translated.read += 1;
                    translated.entries.extend(entries);
                }
                Err(LineError { field, message }) => {
                    translated.errors.push(LineProblem { line: number, field, message });
                }
            }
        }
        translated
    }

    fn events(&self, line: &[u8]) -> Result<Vec<Event>, LineError> {
        // A line that says nothing of time must come to the same event whenever it is read again.
        let (received_at, imported_at) = (self.import.imported_at, Some(self.import.imported_at));
        let shop = self.import.shop.as_ref();
        let source = self.import.source.as_str();
        let (pseudonyms, notes) = (&self.pseudonyms, &self.notes);
        match self.import.kind {
            Kind::EventsJsonl => {
                let delivery_id = None;
                let context = LineContext {
                    source,
                    shop,
                    received_at,
                    imported_at,
                    delivery_id,
                    pseudonyms,
                    notes,
                };
                lines::parse(line, &context).map(|event| vec![event])
            }
            Kind::ShopifyJsonl => {
                let shop = shop.ok_or_else(no_shop)?;
                let context = Context {
                    source,
                    shop,
                    received_at,
                    triggered_at: None,
                    delivery_id: None,
                    imported_at,
                    pseudonyms,
                    attributes: &self.attributes,
                    notes,
                };
                match shopify::translate("orders/updated", line, &context) {
                    Outcome::Events(events) => Ok(events),
                    Outcome::Ignored(_) => Ok(Vec::new()),
                    Outcome::DeadLetter(reason) => Err(problem(reason)),
                }
            }
        }
    }

    fn entry(&self, event: Event) -> Result<Entry, LineError> {
        let failed = |_| LineError { field: String::new(), message: "cannot be encoded".into() };
        Entry::new(event, self.partitions).map_err(failed)
    }
}

/// The source that an import of a kind is taken to come from.
pub fn default_source(config: &Config, kind: Kind) -> String {
    let wanted = match kind {
        Kind::ShopifyJsonl => Platform::Shopify,
        Kind::EventsJsonl => Platform::Standard,
    };
    let mut sources = config.sources.iter();
    let found = sources.find(|(_, source)| source.platform == wanted);
    found.map_or_else(|| FALLBACK_SOURCE.to_owned(), |(name, _)| name.to_string())
}

/// Whether an import may run at all.
pub fn needs_shop(kind: Kind, shop: Option<&ShopDomain>) -> bool {
    kind == Kind::ShopifyJsonl && shop.is_none()
}

fn no_shop() -> LineError {
    LineError { field: String::new(), message: "name the shop of these orders with --shop".into() }
}

fn problem(reason: DeadLetterReason) -> LineError {
    let message = reason.to_string();
    match reason {
        DeadLetterReason::Incomplete { field } => {
            LineError { field, message: "missing, or what stands there cannot be read".into() }
        }
        DeadLetterReason::Amount { field } => {
            LineError { field, message: "the amount is too large".into() }
        }
        DeadLetterReason::BadLine { field, message, .. } => LineError { field, message },
        DeadLetterReason::InvalidJson
        | DeadLetterReason::NoShop
        | DeadLetterReason::BadShop
        | DeadLetterReason::ShopMismatch
        | DeadLetterReason::NoTopic
        | DeadLetterReason::TooLarge => LineError { field: String::new(), message },
    }
}
