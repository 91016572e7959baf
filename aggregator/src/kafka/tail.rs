//! Kafka without a group: all partitions, from wherever the caller says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::log::{BatchLimit, Item, ReadBatch, ReadError, Record, SKIP_PARTITION, Subscribe};
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;

use super::client::{Logged, at_offsets, made, reading};
use super::close::let_go;
use super::watermarks::{Watermarks, unavailable};
use super::{ConnectError, ConsumerSettings};
use crate::feed::Ends;

/// No poll is longer, so that a deadline far away cannot overflow.
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// A topic of Kafka as a log to read. Clones share a client. It blocks while it asks the brokers.
#[derive(Clone)]
pub struct KafkaTail {
    settings: Arc<ConsumerSettings>,
    watermarks: Arc<Watermarks>,
}

impl KafkaTail {
    /// Connects, and checks that the topic is there with as many partitions as expected.
    pub fn connect(settings: ConsumerSettings) -> Result<Self, ConnectError> {
        let watermarks = Arc::new(Watermarks::connect(&settings)?);
        Ok(Self { settings: Arc::new(settings), watermarks })
    }
}

impl Subscribe for KafkaTail {
    type Reader = TailReader;

    fn partitions(&self) -> u16 {
        self.watermarks.partitions()
    }

    fn start_positions(&self) -> Result<Vec<u64>, ReadError> {
        self.watermarks.starts()
    }

    fn end_positions(&self) -> Result<Vec<u64>, ReadError> {
        self.watermarks.ends()
    }

    fn open_from(&self, positions: &[u64]) -> Result<TailReader, ReadError> {
        ReadError::check(positions, &self.watermarks.starts()?, &self.watermarks.ends()?)?;
        let wanted: Vec<(u16, u64)> = (0..).zip(positions.iter().copied()).collect();
        let consumer = consumer_of(&self.settings, &wanted)?;
        let (settings, watermarks) = (self.settings.clone(), self.watermarks.clone());
        Ok(TailReader { consumer: Some(consumer), settings, watermarks, next: wanted, kept: None })
    }
}

/// A consumer that begins at these positions.
fn consumer_of(
    settings: &ConsumerSettings,
    positions: &[(u16, u64)],
) -> Result<BaseConsumer<Logged>, ReadError> {
    let opened = |error: KafkaError| unavailable(&settings.topic, &error);
    let consumer: KafkaResult<BaseConsumer<Logged>> = made(&reading(settings), Logged::default());
    let consumer = consumer.map_err(opened)?;
    consumer.assign(&at_offsets(&settings.topic, &read_ones(positions))).map_err(opened)?;
    Ok(consumer)
}

/// The positions of what is not left out.
fn read_ones(positions: &[(u16, u64)]) -> Vec<(u16, u64)> {
    positions.iter().copied().filter(|(_, position)| *position != SKIP_PARTITION).collect()
}

impl Ends for KafkaTail {
    fn end_positions(&self) -> Option<Vec<u64>> {
        self.watermarks.ends().ok()
    }
}

/// Reads a [`KafkaTail`].
pub struct TailReader {
    /// `None` only while it goes.
    consumer: Option<BaseConsumer<Logged>>,
    settings: Arc<ConsumerSettings>,
    watermarks: Arc<Watermarks>,
    /// The offset wanted next in each partition.
    next: Vec<(u16, u64)>,
    /// A record that no longer fitted into a batch.
    kept: Option<Record>,
}

impl ReadBatch for TailReader {
    fn next_batch(&mut self, limit: BatchLimit, timeout: Duration) -> Result<Vec<Item>, ReadError> {
        let begun = Instant::now();
        let mut items = Vec::new();
        let mut size = 0;
        while items.len() < limit.max_records.max(1) {
            let left = timeout.saturating_sub(begun.elapsed());
            let wait = if items.is_empty() { left.min(LONGEST_POLL) } else { Duration::ZERO };
            let Some(record) = self.record(wait)? else {
                if !items.is_empty() || left.is_zero() {
                    break;
                }
                continue;
            };
            size += record.payload.len();
            if size > limit.max_bytes && !items.is_empty() {
                self.kept = Some(record);
                break;
            }
            if let Some((_, next)) = self.next.get_mut(usize::from(record.partition)) {
                *next = record.offset + 1;
            }
            items.push(Item::Record(record));
        }
        Ok(items)
    }
}

impl TailReader {
    fn record(&mut self, wait: Duration) -> Result<Option<Record>, ReadError> {
        if let Some(record) = self.kept.take() {
            return Ok(Some(record));
        }
        let Some(consumer) = &mut self.consumer else { return Err(ReadError::Closed) };
        if consumer.context().is_stranded() {
            tracing::error!("the consumer has lost all brokers and is made anew");
            let_go(std::mem::replace(consumer, consumer_of(&self.settings, &self.next)?));
        }
        match consumer.poll(wait) {
            None => Ok(None),
            Some(Ok(message)) => Ok(record_of(&message)),
            Some(Err(error)) => match Trouble::of(&error) {
                Trouble::Passing => {
                    tracing::debug!(%error, "kafka client");
                    Ok(None)
                }
                Trouble::Position => {
                    self.watermarks.check(&read_ones(&self.next))?;
                    Err(unavailable(&self.settings.topic, &error))
                }
                Trouble::Lasting | Trouble::Fatal => Err(unavailable(&self.settings.topic, &error)),
            },
        }
    }
}

impl Drop for TailReader {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            let_go(consumer);
        }
    }
}

/// A record of the log. One without a payload was written by somebody else; it keeps its place, and
/// the fold passes it over.
pub(super) fn record_of(message: &BorrowedMessage<'_>) -> Option<Record> {
    let partition = u16::try_from(message.partition()).ok()?;
    let offset = u64::try_from(message.offset()).ok()?;
    let payload = Bytes::copy_from_slice(message.payload().unwrap_or_default());
    Some(Record { partition, offset, payload })
}

/// How bad an error of a consumer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// librdkafka tries again by itself.
    Passing,
    /// A position outside of the log: the partition stands still until it is started anew.
    Position,
    /// Somebody has to do something about it.
    Lasting,
    /// The consumer is done for; another must take its place.
    Fatal,
}

impl Trouble {
    pub(super) fn of(error: &KafkaError) -> Self {
        use RDKafkaErrorCode as Code;
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            return Self::Fatal;
        }
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => Self::Position,
            Some(Code::Fatal | Code::Fenced | Code::FencedInstanceId) => Self::Fatal,
            Some(
                Code::UnknownTopic
                | Code::UnknownPartition
                | Code::UnknownTopicOrPartition
                | Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::InvalidGroupId
                | Code::InconsistentGroupProtocol
                | Code::Authentication
                | Code::SaslAuthenticationFailed,
            ) => Self::Lasting,
            Some(_) | None => Self::Passing,
        }
    }
}
