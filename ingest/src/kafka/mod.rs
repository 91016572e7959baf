//! Kafka as the log that the receiver appends to, and the topics that it needs.
//!
//! A record is acknowledged once all in-sync replicas have it. What is not acknowledged within the
//! delivery timeout is an error, although it may have been written: the sender repeats it, and a
//! repetition changes nothing. Why each setting is what it is stands in `settings.rs`.

mod headers;
mod letters;
mod settings;
#[cfg(test)]
mod tests;
pub mod topics;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::event::Event;
use common::log::{Append, AppendError, Appended, LogMetrics, LogOp};
use common::refusal::{Refusals, Unanswered};
use common::stranded::Stranded;
use common::topic;
use futures_util::future::{BoxFuture, FutureExt as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::future_producer::{Delivery, OwnedDeliveryResult};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use thiserror::Error;

pub use letters::{LetterTopic, LetterTopicError};
use settings::Logged;
pub use settings::ProducerSettings;

use crate::receiver::EventLog;

type Producer = FutureProducer<Logged>;

/// How long a producer that is put away may go on delivering what it holds.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Kafka as a log that takes records. Clones share one producer; the last one to go closes it.
#[derive(Clone)]
pub struct KafkaLog {
    shared: Arc<Shared>,
}

/// A producer that could not be made.
#[derive(Debug, Error)]
#[error("cannot make a producer for Kafka; check kafka.brokers")]
pub struct ProducerError(#[source] KafkaError);

struct Shared {
    settings: ProducerSettings,
    metrics: Arc<dyn LogMetrics>,
    refusals: Refusals,
    current: RwLock<Current>,
}

/// The producer in use. A fatal error ends one, or the loss of all brokers, and the next takes its place.
struct Current {
    /// Counts producers, so that of many failures of one only the first replaces it.
    generation: u64,
    /// `None` once the log is closed.
    producer: Option<Producer>,
    /// Whether it has brokers left to ask.
    stranded: Stranded,
}

/// A record to be sent.
struct Outgoing<'a> {
    topic: &'a str,
    partition: u16,
    key: Option<&'a str>,
    headers: Option<OwnedHeaders>,
    /// `None` removes what the key stood for.
    payload: Option<&'a [u8]>,
}

/// A record on its way.
struct Sent {
    generation: u64,
    since: Instant,
    delivery: DeliveryFuture,
}

impl KafkaLog {
    /// Makes the producer. It connects on its own and asks nobody yet.
    pub fn open(
        settings: ProducerSettings,
        metrics: Arc<dyn LogMetrics>,
    ) -> Result<Self, ProducerError> {
        let (refusals, stranded) = (Refusals::default(), Stranded::default());
        let producer = settings.producer(&refusals, &stranded).map_err(ProducerError)?;
        let current = RwLock::new(Current { generation: 0, producer: Some(producer), stranded });
        Ok(Self { shared: Arc::new(Shared { settings, metrics, refusals, current }) })
    }

    /// Asks the brokers whether they serve the topic. It blocks for `timeout` at most.
    pub fn ask(&self, timeout: Duration) -> Result<(), AppendError> {
        // Cloned, so that nobody waits for the brokers behind the lock.
        let producer = self.shared.usable().producer.clone().ok_or(AppendError::Closed)?;
        let topic = &self.shared.settings.topic;
        let ask = |wait: Duration| producer.client().fetch_metadata(Some(topic), wait);
        let answer = self.shared.refusals.ask(timeout, ask);
        retire(producer, Duration::ZERO);
        let metadata = answer.map_err(|unanswered| match unanswered {
            Unanswered::Refused(refusal) => AppendError::Unavailable { why: refusal.to_string() },
            Unanswered::Failed(error) => unavailable(&error),
        })?;
        let found = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        let wanted = usize::from(self.shared.settings.partitions);
        if found == wanted {
            return Ok(());
        }
        let why = format!(
            "the topic {topic} has {found} partitions and needs {wanted}: \
             see `tallyhook topics plan`"
        );
        Err(AppendError::Unavailable { why })
    }

    /// Delivers what is under way, then refuses appends. It blocks until that is done, for little
    /// more than the delivery timeout at most.
    pub fn close(&self) {
        let producer = self.shared.write().producer.take();
        if let Some(producer) = producer {
            flush(&producer, self.shared.settings.delivery_timeout + LAST_WORDS);
        }
    }

    /// Hands a record of the log to the producer.
    fn send(
        &self,
        partition: u16,
        key: Option<&str>,
        headers: Option<OwnedHeaders>,
        payload: &[u8],
    ) -> Result<Sent, AppendError> {
        let (topic, payload) = (self.shared.settings.topic.as_str(), Some(payload));
        self.send_any(Outgoing { topic, partition, key, headers, payload })
    }

    /// Hands a record of any topic with as many partitions to the producer.
    fn send_any(&self, record: Outgoing<'_>) -> Result<Sent, AppendError> {
        let settings = &self.shared.settings;
        let Outgoing { topic, partition, key, headers, payload } = record;
        if partition >= settings.partitions {
            let partitions = settings.partitions;
            return Err(AppendError::UnknownPartition { partition, partitions });
        }
        let limit_bytes = topic::MAX_MESSAGE_BYTES - topic::MESSAGE_OVERHEAD_BYTES;
        let size_bytes = payload.map_or(0, <[u8]>::len);
        if size_bytes > limit_bytes {
            return Err(AppendError::TooLarge { size_bytes, limit_bytes });
        }
        let record = FutureRecord {
            topic,
            partition: Some(i32::from(partition)),
            payload,
            key,
            timestamp: None,
            headers,
        };
        let since = Instant::now();
        let current = self.shared.usable();
        let generation = current.generation;
        let producer = current.producer.as_ref().ok_or(AppendError::Closed)?;
        // Not `send`: that one sleeps while the queue is full, and the door can say so at once.
        let delivery = producer.send_result(record).map_err(|(error, _)| error);
        drop(current);
        match delivery {
            Ok(delivery) => Ok(Sent { generation, since, delivery }),
            Err(error) => Err(self.shared.failed(generation, &error)),
        }
    }

    /// Waits until the brokers have answered for a record.
    async fn settle(&self, sent: Sent) -> Result<Appended, AppendError> {
        let shared = &self.shared;
        let answer: Option<OwnedDeliveryResult> = sent.delivery.await.ok();
        match answer {
            Some(Ok(delivery)) => {
                shared.metrics.appended(sent.since.elapsed());
                place(&delivery)
            }
            Some(Err((error, _))) => Err(shared.failed(sent.generation, &error)),
            None => {
                let why = "the producer was put away before Kafka answered".to_owned();
                Err(AppendError::Unavailable { why })
            }
        }
    }
}

impl Append for KafkaLog {
    async fn append(&self, partition: u16, payload: Bytes) -> Result<Appended, AppendError> {
        let sent = self.send(partition, None, None, &payload)?;
        self.settle(sent).await
    }
}

impl EventLog for KafkaLog {
    fn append_event(
        &self,
        partition: u16,
        event: &Event,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<(), AppendError>> {
        let headers = headers::of_event(event);
        let sent = self.send(partition, Some(event.shop.as_str()), Some(headers), &payload);
        async move { self.settle(sent?).await.map(|_| ()) }.boxed()
    }
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The producer in use, after one that has lost all brokers was replaced.
    fn usable(&self) -> RwLockReadGuard<'_, Current> {
        let current = self.read();
        if !current.stranded.has_no_brokers() {
            return current;
        }
        let generation = current.generation;
        drop(current);
        self.replace(generation, "lost all brokers");
        self.read()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Current> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a failure means for the caller; a producer that it ended is replaced.
    fn failed(&self, generation: u64, error: &KafkaError) -> AppendError {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) {
            return AppendError::Busy;
        }
        self.metrics.failed(LogOp::Append);
        let fatal = self
            .read()
            .producer
            .as_ref()
            .is_some_and(|producer| producer.client().fatal_error().is_some());
        if fatal {
            self.replace(generation, "met a fatal error");
        }
        unavailable(error)
    }

    /// Puts a new producer in the place of the one of `generation`.
    fn replace(&self, generation: u64, why: &str) {
        let mut current = self.write();
        if current.generation != generation || current.producer.is_none() {
            return;
        }
        let stranded = Stranded::default();
        match self.settings.producer(&self.refusals, &stranded) {
            Ok(producer) => {
                tracing::error!(why, "the producer is replaced");
                current.generation += 1;
                current.stranded = stranded;
                if let Some(ended) = current.producer.replace(producer) {
                    retire(ended, LAST_WORDS);
                }
            }
            Err(error) => tracing::error!(%error, "no new producer could be made"),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let current = self.current.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = current.producer.take() {
            retire(producer, self.settings.delivery_timeout + LAST_WORDS);
        }
    }
}

/// Lets a producer go on a thread of its own: dropping the last handle waits for its poll thread,
/// and throws away what it holds unless that is flushed first.
fn retire(producer: Producer, patience: Duration) {
    let thread = thread::Builder::new().name("kafka-retire".into());
    let spawned = thread.spawn(move || {
        if !patience.is_zero() {
            flush(&producer, patience);
        }
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread to put a producer away");
    }
}

fn flush(producer: &Producer, patience: Duration) {
    if let Err(error) = producer.flush(patience) {
        let left = producer.in_flight_count();
        tracing::warn!(%error, left, "a producer ends with records that Kafka did not acknowledge");
    }
}

fn place(delivery: &Delivery) -> Result<Appended, AppendError> {
    let partition = u16::try_from(delivery.partition);
    let offset = u64::try_from(delivery.offset);
    match (partition, offset) {
        (Ok(partition), Ok(offset)) => Ok(Appended { partition, offset }),
        (Err(_), _) | (_, Err(_)) => {
            let why = "Kafka acknowledged it without an offset".to_owned();
            Err(AppendError::Unavailable { why })
        }
    }
}

fn unavailable(error: &KafkaError) -> AppendError {
    let Some(code) = error.rdkafka_error_code() else {
        return AppendError::Unavailable { why: format!("Kafka: {error}") };
    };
    let why = format!("Kafka: {code}");
    if code == RDKafkaErrorCode::MessageSizeTooLarge {
        // The topic takes smaller records than it should: repeating it changes nothing.
        return AppendError::Refused { why };
    }
    AppendError::Unavailable { why }
}
