//! Where each partition begins and ends, asked of the brokers with one request each.

use std::time::Duration;

use common::log::{ReadError, SKIP_PARTITION};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Logged, asking};
use super::{ConnectError, ConsumerSettings};

/// How long the brokers may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks for the bounds of a topic's partitions.
pub(super) struct Watermarks {
    client: BaseConsumer<Logged>,
    topic: String,
    partitions: u16,
}

impl Watermarks {
    /// Connects, and checks that the topic is there with as many partitions as expected.
    pub(super) fn connect(settings: &ConsumerSettings) -> Result<Self, ConnectError> {
        let client = BaseConsumer::from_config_and_context(&asking(settings), Logged);
        let client = client.map_err(ConnectError::Client)?;
        let topic = settings.topic.clone();
        let metadata = client.fetch_metadata(Some(&topic), PATIENCE);
        let metadata = metadata.map_err(ConnectError::Unreachable)?;
        let found = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        let wanted = settings.partitions;
        match found {
            0 => Err(ConnectError::NoTopic(topic)),
            _ if found == usize::from(wanted) => Ok(Self { client, topic, partitions: wanted }),
            _ => Err(ConnectError::Partitions { topic, found, wanted }),
        }
    }

    pub(super) fn partitions(&self) -> u16 {
        self.partitions
    }

    /// The first offset that each partition holds.
    pub(super) fn starts(&self) -> Result<Vec<u64>, ReadError> {
        self.ask(Offset::Beginning)
    }

    /// The offset after each partition's last record.
    pub(super) fn ends(&self) -> Result<Vec<u64>, ReadError> {
        self.ask(Offset::End)
    }

    /// Refuses positions outside of the log; partitions that are not named are not looked at.
    pub(super) fn check(&self, positions: &[(u16, u64)]) -> Result<(), ReadError> {
        let partitions = self.partitions;
        let mut wanted = vec![SKIP_PARTITION; usize::from(partitions)];
        for (partition, position) in positions {
            let given = usize::from(*partition) + 1;
            let place = wanted.get_mut(usize::from(*partition));
            *place.ok_or(ReadError::PositionCount { given, partitions })? = *position;
        }
        ReadError::check(&wanted, &self.starts()?, &self.ends()?)
    }

    /// Asks for all partitions at once. A request by timestamp takes the two special offsets, and
    /// unlike the one for watermarks it needs one round trip a broker, not one a partition.
    fn ask(&self, which: Offset) -> Result<Vec<u64>, ReadError> {
        // Nobody else takes this client's log lines off its queue.
        while self.client.poll(Duration::ZERO).is_some() {}
        let mut list = TopicPartitionList::with_capacity(usize::from(self.partitions));
        for partition in 0..self.partitions {
            let added = list.add_partition_offset(&self.topic, i32::from(partition), which);
            added.map_err(|error| unavailable(&self.topic, &error))?;
        }
        let answered = self.client.offsets_for_times(list, PATIENCE);
        let answered = answered.map_err(|error| unavailable(&self.topic, &error))?;
        let mut offsets = vec![None; usize::from(self.partitions)];
        for element in answered.elements() {
            element.error().map_err(|error| unavailable(&self.topic, &error))?;
            let place = usize::try_from(element.partition()).ok();
            if let (Some(place), Offset::Offset(offset)) = (place, element.offset())
                && let Some(place) = offsets.get_mut(place)
            {
                *place = u64::try_from(offset).ok();
            }
        }
        let all: Option<Vec<u64>> = offsets.into_iter().collect();
        let why = "the brokers left out a partition".to_owned();
        all.ok_or(ReadError::Unavailable { what: self.topic.clone(), why })
    }
}

/// What a failure of the client means for a reader.
pub(super) fn unavailable(topic: &str, error: &KafkaError) -> ReadError {
    let why = match error.rdkafka_error_code() {
        Some(code) => format!("Kafka: {code}"),
        None => format!("Kafka: {error}"),
    };
    ReadError::Unavailable { what: format!("the topic {topic}"), why }
}
