//! Where each partition begins and ends, asked of the brokers with one request each.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use common::log::{ReadError, SKIP_PARTITION};
use common::refusal::{Refusals, Unanswered};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Logged, asking, made};
use super::{ConnectError, ConsumerSettings};

/// How long the brokers may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a question is repeated where a leader has just changed, and after which pause.
const REPETITIONS: usize = 10;
const PAUSE: Duration = Duration::from_millis(100);

/// Asks for the bounds of a topic's partitions.
pub(super) struct Watermarks {
    settings: ConsumerSettings,
    client: RwLock<BaseConsumer<Logged>>,
}

impl Watermarks {
    /// Connects, and checks that the topic is there with as many partitions as expected.
    pub(super) fn connect(settings: &ConsumerSettings) -> Result<Self, ConnectError> {
        let refusals = Refusals::default();
        let client: KafkaResult<BaseConsumer<Logged>> =
            made(&asking(settings), Logged::new(&refusals));
        let client = client.map_err(ConnectError::Client)?;
        let topic = settings.topic.clone();
        let answer = refusals.ask(PATIENCE, |wait| {
            let answer = client.fetch_metadata(Some(&topic), wait);
            // Nobody else takes errors and log lines off this client's queue.
            while client.poll(Duration::ZERO).is_some() {}
            answer
        });
        let metadata = answer.map_err(|unanswered| match unanswered {
            Unanswered::Refused(refusal) => ConnectError::NotLetIn(refusal),
            Unanswered::Failed(error) => ConnectError::Unreachable(error),
        })?;
        let found = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        let wanted = settings.partitions;
        match found {
            0 => Err(ConnectError::NoTopic(topic)),
            _ if found == usize::from(wanted) => {
                Ok(Self { settings: settings.clone(), client: RwLock::new(client) })
            }
            _ => Err(ConnectError::Partitions { topic, found, wanted }),
        }
    }

    pub(super) fn partitions(&self) -> u16 {
        self.settings.partitions
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
        let partitions = self.partitions();
        let mut wanted = vec![SKIP_PARTITION; usize::from(partitions)];
        for (partition, position) in positions {
            let given = usize::from(*partition) + 1;
            let place = wanted.get_mut(usize::from(*partition));
            *place.ok_or(ReadError::PositionCount { given, partitions })? = *position;
        }
        ReadError::check(&wanted, &self.starts()?, &self.ends()?)
    }

    /// The client, after one that has lost all brokers was replaced.
    fn client(&self) -> KafkaResult<RwLockReadGuard<'_, BaseConsumer<Logged>>> {
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        // Nobody else takes log lines and statistics off this client's queue.
        while client.poll(Duration::ZERO).is_some() {}
        if !client.context().is_stranded() {
            return Ok(client);
        }
        drop(client);
        let mut client = self.client.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have replaced it meanwhile.
        if client.context().is_stranded() {
            tracing::error!(
                "the client that asks for watermarks has lost all brokers; it is replaced"
            );
            *client = made(&asking(&self.settings), Logged::default())?;
        }
        drop(client);
        Ok(self.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks until no answer is owed to a leader that has just changed: the client learns of the new
    /// one by such an answer.
    fn ask(&self, which: Offset) -> Result<Vec<u64>, ReadError> {
        let topic = &self.settings.topic;
        let client = self.client().map_err(|error| unavailable(topic, &error))?;
        let mut left = REPETITIONS;
        loop {
            match self.ask_once(&client, which) {
                Err(error) if left > 0 && leader_changed(&error) => {
                    left -= 1;
                    thread::sleep(PAUSE);
                }
                Err(error) => return Err(unavailable(topic, &error)),
                Ok(offsets) => {
                    let all: Option<Vec<u64>> = offsets.into_iter().collect();
                    let why = "the brokers left out a partition".to_owned();
                    let what = format!("the topic {topic}");
                    return all.ok_or(ReadError::Unavailable { what, why });
                }
            }
        }
    }

    /// Asks for all partitions at once. A request by timestamp takes the two special offsets, and
    /// unlike the one for watermarks it needs one round trip a broker, not one a partition.
    fn ask_once(
        &self,
        client: &BaseConsumer<Logged>,
        which: Offset,
    ) -> KafkaResult<Vec<Option<u64>>> {
        let mut list = TopicPartitionList::with_capacity(usize::from(self.partitions()));
        for partition in 0..self.partitions() {
            list.add_partition_offset(&self.settings.topic, i32::from(partition), which)?;
        }
        let answered = client.offsets_for_times(list, PATIENCE)?;
        let mut offsets = vec![None; usize::from(self.partitions())];
        for element in answered.elements() {
            element.error()?;
            let place = usize::try_from(element.partition()).ok();
            if let (Some(place), Offset::Offset(offset)) = (place, element.offset())
                && let Some(place) = offsets.get_mut(place)
            {
                *place = u64::try_from(offset).ok();
            }
        }
        Ok(offsets)
    }
}

fn leader_changed(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let codes = [
        Code::FencedLeaderEpoch,
        Code::UnknownLeaderEpoch,
        Code::NotLeaderForPartition,
        Code::LeaderNotAvailable,
        // A new leader does not know yet how far it may tell.
        Code::OffsetNotAvailable,
    ];
    error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}

/// What a failure of the client means for a reader.
pub(super) fn unavailable(topic: &str, error: &KafkaError) -> ReadError {
    let why = match error.rdkafka_error_code() {
        Some(code) => format!("Kafka: {code}"),
        None => format!("Kafka: {error}"),
    };
    ReadError::Unavailable { what: format!("the topic {topic}"), why }
}
