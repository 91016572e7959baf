//! The receiver: `POST /webhooks/{source}` of the public listener (CONTRACT, section 3).
//!
//! Order of checks: source, method, body, signature, shop, translation, append, answer. A 200 means
//! that events or dead letter are durable.

mod answer;
mod body;
mod handler;
mod pipeline;
mod problem;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use bytes::Bytes;
use common::clock::Clock;
use common::config::Config;
use common::customer::Pseudonymizer;
use common::event::Event;
use common::log::file::FileLog;
use common::log::memory::MemoryLog;
use common::log::{Append as _, AppendError, Log};
use futures_util::future::{BoxFuture, FutureExt as _};
use thiserror::Error;

use crate::dead_letter::KeepLetter;
use crate::metrics::IngestMetrics;
use crate::notes::NoteRules;
use crate::verify::VerifierError;

pub use pipeline::{Retried, RetryError};
pub use source::Source;

/// The longest time from the head of a request to its answer, a very late body aside.
const ANSWER_BUDGET: Duration = Duration::from_secs(4);

/// What an append gets at least, however late the body came.
const MIN_APPEND_TIME: Duration = Duration::from_millis(200);

/// Takes events; a [`common::log::Append`] as an object, for one that shows more of an event than
/// its bytes.
pub trait EventLog: Send + Sync + 'static {
    /// Resolves to `Ok` once the record is durable. `payload` is the encoded `event`.
    fn append_event(
        &self,
        partition: u16,
        event: &Event,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<(), AppendError>>;
}

/// Logs that keep an event's bytes and nothing beside them.
macro_rules! keep_bytes_only {
    ($($log:ty),*) => {$(
        impl EventLog for $log {
            fn append_event(
                &self,
                partition: u16,
                _event: &Event,
                payload: Bytes,
            ) -> BoxFuture<'_, Result<(), AppendError>> {
                self.append(partition, payload).map(|appended| appended.map(|_| ())).boxed()
            }
        }
    )*};
}

keep_bytes_only!(Log, FileLog, MemoryLog);

/// Where the receiver puts what it took, and what it measures with.
#[derive(Clone)]
pub struct Ports {
    /// Takes events.
    pub log: Arc<dyn EventLog>,
    /// Takes what cannot be translated.
    pub dead_letters: Arc<dyn KeepLetter>,
    /// Tells the time of arrival.
    pub clock: Arc<dyn Clock>,
    /// Counts.
    pub metrics: IngestMetrics,
}

/// The limits of the receiver.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Larger bodies are answered 413.
    pub body_limit_bytes: usize,
    /// Slower bodies are answered 408.
    pub body_timeout: Duration,
    /// The log's partitions.
    pub partitions: u16,
}

/// Takes webhooks of all configured sources.
pub struct Receiver {
    sources: BTreeMap<String, Arc<Source>>,
    pseudonyms: Pseudonymizer,
    notes: NoteRules,
    limits: Limits,
    ports: Ports,
}

/// A source that cannot be served.
#[derive(Debug, Error)]
#[error("sources.{name}: {problem}")]
pub struct BadSource {
    /// The source's name.
    pub name: String,
    /// What is wrong with it.
    #[source]
    pub problem: VerifierError,
}

impl Receiver {
    /// For the sources of a configuration.
    pub fn from_config(
        config: &Config,
        pseudonyms: Pseudonymizer,
        ports: Ports,
    ) -> Result<Self, BadSource> {
        let mut sources = BTreeMap::new();
        for (name, configured) in &config.sources {
            let source = Source::new(name.as_str(), configured);
            let name = name.to_string();
            let source = source.map_err(|problem| BadSource { name: name.clone(), problem })?;
            sources.insert(name, source);
        }
        let limits = Limits {
            body_limit_bytes: config.public.body_limit_bytes,
            body_timeout: config.public.body_timeout,
            partitions: config.log.partitions,
        };
        Ok(Self::new(sources, pseudonyms, NoteRules::new(&config.reasons), limits, ports))
    }

    /// From its parts.
    #[must_use]
    pub fn new(
        sources: BTreeMap<String, Source>,
        pseudonyms: Pseudonymizer,
        notes: NoteRules,
        limits: Limits,
        ports: Ports,
    ) -> Self {
        let sources = sources.into_iter().map(|(name, source)| (name, Arc::new(source))).collect();
        Self { sources, pseudonyms, notes, limits, ports }
    }
}

/// Adds the receiver's routes to a public listener.
pub fn configure(config: &mut web::ServiceConfig, receiver: web::Data<Receiver>) {
    // A route for each name: matching a literal costs less than a pattern, and there is nothing to
    // look up.
    for (name, source) in &receiver.sources {
        let resource = web::resource(format!("/webhooks/{name}"));
        let resource = resource.app_data(web::Data::from(source.clone()));
        config.service(resource.route(web::route().to(handler::receive)));
    }
    config
        .app_data(receiver)
        .route("/webhooks/{source}", web::route().to(handler::no_such_source))
        .default_service(web::route().to(handler::no_such_path));
}
