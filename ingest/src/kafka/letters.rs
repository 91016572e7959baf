//! The topic of dead letters: sealed as in the directory, under their ids. What is retried is removed
//! by its key.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use common::log::{AppendError, Appended};
use common::partition::partition_of_key;
use common::{config, topic};
use futures_util::future::{BoxFuture, FutureExt as _};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;

use super::settings::{Logged, base, made};
use super::{KafkaLog, Outgoing};
use crate::dead_letter::{LetterId, LetterLog, Sealed};
use crate::shopify::Topic;

/// How long the brokers may be silent while the topic is read.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one look for a message waits.
const TICK: Duration = Duration::from_millis(100);

impl LetterLog for KafkaLog {
    fn append_letter(&self, letter: &Sealed) -> BoxFuture<'_, Result<(), AppendError>> {
        let sent = self.send_letter(&letter.id, Some(headers(letter)), Some(&letter.bytes));
        async move { self.settle(sent?).await.map(|_: Appended| ()) }.boxed()
    }
}

impl KafkaLog {
    /// Removes a letter from the topic; `Ok` once that is durable.
    pub async fn remove_letter(&self, id: &LetterId) -> Result<(), AppendError> {
        let sent = self.send_letter(id, None, None)?;
        self.settle(sent).await.map(|_| ())
    }

    fn send_letter(
        &self,
        id: &LetterId,
        headers: Option<OwnedHeaders>,
        payload: Option<&[u8]>,
    ) -> Result<super::Sent, AppendError> {
        let key = id.as_str();
        let partition = partition_of_key(key.as_bytes(), self.shared.settings.partitions);
        let (topic, key) = (topic::DEAD_LETTERS, Some(key));
        self.send_any(Outgoing { topic, partition, key, headers, payload })
    }
}

/// What may be seen of a letter: nothing that the sender could have put a person into.
fn headers(letter: &Sealed) -> OwnedHeaders {
    let named = letter.envelope.topic.as_deref().and_then(Topic::parse);
    let received_at = letter.envelope.received_at.to_string();
    let headers = [
        ("reason", letter.envelope.reason.label()),
        ("source", &letter.envelope.source),
        ("topic", named.map_or("other", Topic::name)),
        ("received_at", &received_at),
    ];
    headers.into_iter().fold(OwnedHeaders::new_with_capacity(4), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    })
}

/// Reads the topic of dead letters.
pub struct LetterTopic {
    consumer: BaseConsumer<Logged>,
    partitions: u16,
}

/// Why the topic could not be read.
#[derive(Debug, Error)]
pub enum LetterTopicError {
    /// The client could not be made, or refused what it was told.
    #[error("cannot make a consumer for Kafka; check kafka.brokers")]
    Client(#[source] KafkaError),
    /// The brokers said something else than records.
    #[error("cannot read {}; see `tallyhook topics plan`", topic::DEAD_LETTERS)]
    Read(#[source] KafkaError),
    /// The brokers said nothing.
    #[error("Kafka did not answer for {} s; check that kafka.brokers can be reached", PATIENCE.as_secs())]
    Silent,
}

impl LetterTopic {
    /// For the topic of a configuration. Nobody is asked yet.
    pub fn new(kafka: &config::Kafka, partitions: u16) -> Result<Self, LetterTopicError> {
        let mut client = base(kafka);
        client
            // Needed by the client; nothing is ever committed.
            .set("group.id", "tallyhook-dead-letters")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            // Of a topic that does not exist the client would say nothing.
            .set("allow.auto.create.topics", "false")
            .set("auto.offset.reset", "error")
            // As large as the largest letter.
            .set("fetch.message.max.bytes", topic::MAX_MESSAGE_BYTES.to_string());
        let consumer = made(&client, &Logged::default()).map_err(LetterTopicError::Client)?;
        Ok(Self { consumer, partitions })
    }

    /// Every letter with its bytes as `look` makes something of them, the oldest first. It blocks.
    pub fn list<T>(
        &self,
        look: impl Fn(&LetterId, &[u8]) -> T,
    ) -> Result<BTreeMap<LetterId, T>, LetterTopicError> {
        self.scan(0..self.partitions, look)
    }

    /// The bytes of one letter; `None` if there is none of that id. It blocks.
    pub fn get(&self, id: &LetterId) -> Result<Option<Vec<u8>>, LetterTopicError> {
        let partition = partition_of_key(id.as_str().as_bytes(), self.partitions);
        let look = |found: &LetterId, bytes: &[u8]| (found == id).then(|| bytes.to_vec());
        let mut letters = self.scan(partition..partition + 1, look)?;
        Ok(letters.remove(id).flatten())
    }

    /// Reads some partitions from their starts to their ends; the last record of a key counts.
    fn scan<T>(
        &self,
        partitions: std::ops::Range<u16>,
        look: impl Fn(&LetterId, &[u8]) -> T,
    ) -> Result<BTreeMap<LetterId, T>, LetterTopicError> {
        let mut left: BTreeSet<i32> = partitions.map(i32::from).collect();
        let mut list = TopicPartitionList::new();
        for &partition in &left {
            let from = list.add_partition_offset(topic::DEAD_LETTERS, partition, Offset::Beginning);
            from.map_err(LetterTopicError::Client)?;
        }
        self.consumer.assign(&list).map_err(LetterTopicError::Client)?;
        let mut letters = BTreeMap::new();
        let mut heard = Instant::now();
        while !left.is_empty() {
            match self.consumer.poll(TICK) {
                None if heard.elapsed() > PATIENCE => return Err(LetterTopicError::Silent),
                None => continue,
                // Of brokers that are away the client says so again and again.
                Some(Err(error)) if is_passing(&error) && heard.elapsed() > PATIENCE => {
                    return Err(LetterTopicError::Silent);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    left.remove(&partition);
                }
                // The client goes on by itself; a broker that stays away is silent.
                Some(Err(error)) if is_passing(&error) => continue,
                Some(Err(error)) => return Err(LetterTopicError::Read(error)),
                Some(Ok(message)) => {
                    let key = message.key().and_then(|key| std::str::from_utf8(key).ok());
                    match (key.and_then(LetterId::parse), message.payload()) {
                        (Some(id), Some(bytes)) => {
                            let looked = look(&id, bytes);
                            letters.insert(id, looked);
                        }
                        (Some(id), None) => {
                            letters.remove(&id);
                        }
                        // Somebody else's.
                        (None, _) => {}
                    }
                }
            }
            heard = Instant::now();
        }
        self.consumer.unassign().map_err(LetterTopicError::Client)?;
        Ok(letters)
    }
}

/// Whether the client tries again by itself.
fn is_passing(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode::{
        AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve,
    };
    let passing = [AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve];
    error.rdkafka_error_code().is_some_and(|code| passing.contains(&code))
}
