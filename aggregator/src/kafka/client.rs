//! How consumers are set up. Each default of librdkafka that skips, guesses or hoards is set here,
//! with its reason.

use std::time::Duration;

use common::topic;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, TopicPartitionList};

use super::ConsumerSettings;

/// Passes on what librdkafka says; for clients that are no member of a group.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Logged;

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tell(level, facility, message);
    }

    // Each of these also comes as a log line.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
    }
}

impl ConsumerContext for Logged {}

/// Passes on a line of librdkafka's log.
pub(super) fn tell(level: RDKafkaLogLevel, facility: &str, message: &str) {
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
        .set("bootstrap.servers", settings.brokers.join(","))
        .set("client.id", "tallyhook-aggregator")
        // Up to 10 s by default: a broker that is back would stand idle.
        .set("reconnect.backoff.max.ms", "1000")
        // A typing error in a topic's name must not make a topic.
        .set("allow.auto.create.topics", "false")
        .set_log_level(RDKafkaLogLevel::Warning);
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
