//! Kafka as the log that the fold reads.
//!
//! [`KafkaFeed`] is a member of a consumer group: it gets partitions and loses them, and reads each
//! from where the fold's store stands. [`KafkaTail`] reads what it is told to, without a group. Where
//! to begin is never Kafka's guess: `auto.offset.reset` is `error`, and what the group commits is a
//! hint for dashboards that nothing reads back.

mod client;
mod close;
mod confirm;
mod consumer;
mod context;
mod feed;
mod inbox;
mod tail;
mod watermarks;

use std::time::Duration;

use common::config;
use common::refusal::Refusal;
use common::topic;
use rdkafka::error::KafkaError;
use thiserror::Error;

pub use feed::KafkaFeed;
pub use tail::{KafkaTail, TailReader};

/// What a consumer needs to know.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// The brokers, and how they let us in.
    pub kafka: config::Kafka,
    /// The topic; `tallyhook.events.v1` by default.
    pub topic: String,
    /// How many partitions the topic has.
    pub partitions: u16,
    /// The consumer group; `tallyhook-aggregator` by default.
    pub group: String,
    /// A name that this member keeps over a restart, so that its partitions wait for it; the
    /// configuration's by default. Of two with the same name the elder is displaced.
    pub member: Option<String>,
    /// How long a silent member keeps its partitions: `kafka.session_timeout_ms`, 10 s by default.
    pub session_timeout: Duration,
}

impl ConsumerSettings {
    /// The defaults, for the topic of events.
    #[must_use]
    pub fn new(kafka: &config::Kafka, partitions: u16) -> Self {
        Self {
            kafka: kafka.clone(),
            topic: topic::EVENTS.to_owned(),
            partitions,
            group: "tallyhook-aggregator".to_owned(),
            member: kafka.member.clone(),
            session_timeout: kafka.session_timeout,
        }
    }
}

/// Why a topic cannot be read.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The client could not be made.
    #[error("cannot make a consumer for Kafka; check kafka.brokers")]
    Client(#[source] KafkaError),
    /// The brokers would not let us in.
    #[error(transparent)]
    NotLetIn(Refusal),
    /// The brokers did not answer.
    #[error("Kafka does not answer; check that kafka.brokers can be reached")]
    Unreachable(#[source] KafkaError),
    /// The topic does not exist.
    #[error("the topic {0} does not exist: run `tallyhook topics apply`")]
    NoTopic(String),
    /// The topic has another number of partitions.
    #[error(
        "the topic {topic} has {found} partitions and log.partitions is {wanted}: make them equal"
    )]
    Partitions {
        /// The topic.
        topic: String,
        /// How many it has.
        found: usize,
        /// How many were expected.
        wanted: u16,
    },
    /// The thread could not be started.
    #[error("no thread for the consumer")]
    Thread(#[source] std::io::Error),
}
