//! How consumers are set up. Each default of librdkafka that skips, guesses or hoards is set here,
//! with its reason.

use std::time::Duration;

use common::config;
use common::refusal::Refusals;
use common::stranded::Stranded;
use common::topic;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientContext, TopicPartitionList};

use super::ConsumerSettings;

/// Where librdkafka tells in words why a connection failed.
const CONNECTION_FAILED: &str = "FAIL";

/// How long a member may take to join a group that changes, where its session is shorter.
const JOIN_AT_LEAST: Duration = Duration::from_secs(20);

/// Passes on what librdkafka says, and keeps why a broker would not let us in; for clients that are no
/// member of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Logged {
    refusals: Refusals,
    stranded: Stranded,
}

impl Logged {
    pub(super) fn new(refusals: &Refusals) -> Self {
        Self { refusals: refusals.clone(), stranded: Stranded::default() }
    }

    /// Whether the client has lost all brokers.
    pub(super) fn is_stranded(&self) -> bool {
        self.stranded.has_no_brokers()
    }
}

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tell(&self.refusals, level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        hear(&self.refusals, &error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.stranded.read_statistics(statistics);
    }
}

impl ConsumerContext for Logged {}

/// Keeps what an error says of a broker that would not let us in. Each also comes as a log line.
pub(super) fn hear(refusals: &Refusals, error: &KafkaError, reason: &str) {
    tracing::debug!(%error, reason, "kafka client");
    refusals.hear(reason);
}

/// Makes a client. An error about a setting loses the setting's value, which may be secret.
pub(super) fn made<X, C>(client: &ClientConfig, context: X) -> KafkaResult<C>
where
    X: ClientContext,
    C: FromClientConfigAndContext<X>,
{
    C::from_config_and_context(client, context).map_err(|error| {
        if let KafkaError::ClientConfig(result, text, key, _) = error {
            KafkaError::ClientConfig(result, text, key, String::new())
        } else {
            error
        }
    })
}

/// Passes on a line of librdkafka's log, and keeps what it says of a broker that would not let us in.
pub(super) fn tell(refusals: &Refusals, level: RDKafkaLogLevel, facility: &str, message: &str) {
    if facility == CONNECTION_FAILED {
        refusals.hear(message);
    }
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "kafka client"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(facility, message, "kafka client");
        }
    }
}

/// A client that only asks.
pub(super) fn asking(settings: &ConsumerSettings) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("client.id", "tallyhook-aggregator")
        // A typing error in a topic's name must not make a topic.
        .set("allow.auto.create.topics", "false")
        // Below warnings only to be looked at here: why a broker hangs up is told as information.
        .set_log_level(RDKafkaLogLevel::Info);
    for (name, value) in config::Kafka::CLIENT_LIMITS {
        client.set(name, value);
    }
    for (name, value) in settings.kafka.client_properties() {
        client.set(name, value);
    }
    client
}

/// A client that reads the partitions it is told to.
pub(super) fn reading(settings: &ConsumerSettings) -> ClientConfig {
    let mut client = asking(settings);
    client
        // librdkafka assigns nothing without a group; nobody joins this one.
        .set("group.id", "tallyhook-tail")
        // `largest` by default: what lies between an odd position and the end would be skipped.
        .set("auto.offset.reset", "error")
        // The position belongs to the state, and is committed with it.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // The topic takes this much at once.
        .set("message.max.bytes", topic::MAX_MESSAGE_BYTES.to_string())
        // A checksum over what the disk or the network may have changed; off by default.
        .set("check.crcs", "true")
        // 64 MiB and 100,000 messages by default, and the fold keeps a batch besides.
        .set("queued.max.messages.kbytes", "32768")
        .set("queued.min.messages", "20000")
        // A fetch that finds nothing waits this long at the broker; a new record ends it at once.
        .set("fetch.wait.max.ms", "200");
    client
}

/// A client that is a member of a group.
pub(super) fn member(settings: &ConsumerSettings) -> ClientConfig {
    let ms = |duration: Duration| duration.as_millis().to_string();
    let mut client = reading(settings);
    client
        .set("group.id", &settings.group)
        // The default takes everything from everybody at each change.
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", ms(settings.session_timeout))
        // 5 minutes by default, and as long a member waits for the answer to its wish to join, and the
        // group for a member that is asked to join again. Polls never pause for more than seconds.
        .set("max.poll.interval.ms", ms(settings.session_timeout.max(JOIN_AT_LEAST)))
        // A change of the group is heard with a heartbeat: 3 s by default.
        .set("heartbeat.interval.ms", "1000");
    if let Some(member) = &settings.member {
        client.set("group.instance.id", member);
    }
    client
}

/// A list of partitions, each with the offset to begin at.
pub(super) fn at_offsets(topic: &str, positions: &[(u16, u64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (partition, position) in positions {
        let offset = i64::try_from(*position).unwrap_or(i64::MAX);
        let offset = rdkafka::Offset::Offset(offset);
        // It fails for offsets that no number stands for, and this is one.
        if let Err(error) = list.add_partition_offset(topic, i32::from(*partition), offset) {
            tracing::error!(%error, partition, position, "an offset that Kafka cannot have");
        }
    }
    list
}
