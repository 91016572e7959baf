//! The distributed shape: a log in Kafka, a state in Redis, and any number of processes between them.

use std::sync::Arc;
use std::time::Duration;

use aggregator::kafka::{ConsumerSettings, KafkaFeed, KafkaTail};
use aggregator::redis::{RedisOptions, RedisStore, States};
use anyhow::{Context as _, bail};
use common::config::{Config, Kafka, PseudonymKey};
use common::log::{LogMetrics, NoMetrics};
use common::refusal::Refusal as NotLetIn;
use ingest::kafka::topics::{Topics, TopicsError};
use ingest::kafka::{KafkaLog, ProducerSettings};

use super::state;

/// What every key in Redis begins with.
const PREFIX: &str = "tallyhook";
/// How long a start waits for Kafka's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where it can go on without: a start is to be over within 15 s.
const LITTLE_PATIENCE: Duration = Duration::from_secs(6);

/// Why Kafka is not written to.
pub enum Refusal {
    /// It did not answer.
    Silent(anyhow::Error),
    /// It answered that its topics are not there, or may lose what was acknowledged.
    Unfit(anyhow::Error),
}

/// Kafka as the log that a receiver appends to. Nobody is asked yet.
pub fn kafka_log(config: &Config, metrics: Arc<dyn LogMetrics>) -> anyhow::Result<KafkaLog> {
    let settings = ProducerSettings::new(kafka(config)?, config.log.partitions);
    Ok(KafkaLog::open(settings, metrics)?)
}

/// Kafka as the log that a command appends to, once its topics are safe.
pub fn safe_kafka_log(config: &Config) -> anyhow::Result<KafkaLog> {
    let log = kafka_log(config, Arc::new(NoMetrics))?;
    match accept_topics(config, &log) {
        Ok(()) => Ok(log),
        Err(Refusal::Silent(error) | Refusal::Unfit(error)) => Err(error),
    }
}

/// Asks Kafka whether its topics are there and safe.
pub fn accept_topics(config: &Config, log: &KafkaLog) -> Result<(), Refusal> {
    let kafka = kafka(config).map_err(Refusal::Unfit)?;
    refuse_unsafe(kafka, config.log.partitions, LITTLE_PATIENCE).map_err(|error| {
        match error.downcast_ref() {
            // A broker that is about to end hangs up, too.
            Some(
                TopicsError::Unreachable { .. } | TopicsError::NotLetIn(NotLetIn::Protocol(_)),
            ) => Refusal::Silent(error),
            Some(
                TopicsError::Client(_)
                | TopicsError::NotLetIn(NotLetIn::Login(_) | NotLetIn::Tls(_))
                | TopicsError::Refused { .. }
                | TopicsError::Differ(_),
            )
            | None => Refusal::Unfit(error),
        }
    })?;
    let asked = log.ask(PATIENCE).context("Kafka cannot take events");
    asked.map_err(Refusal::Unfit)
}

/// Refuses a topic that a fold cannot begin with. Asked before anything is written to Redis or the
/// group is joined, so that a process with wrong settings leaves nothing behind.
pub fn check_topic(config: &Config) -> anyhow::Result<()> {
    let kafka = kafka(config)?;
    refuse_unsafe(kafka, config.log.partitions, PATIENCE)?;
    KafkaTail::connect(ConsumerSettings::new(kafka, config.log.partitions))?;
    Ok(())
}

/// The partitions of Kafka's log that the group gives to this process.
pub fn kafka_feed(config: &Config) -> anyhow::Result<KafkaFeed> {
    Ok(KafkaFeed::connect(ConsumerSettings::new(kafka(config)?, config.log.partitions))?)
}

/// The state in Redis: the generation in use, made if there is none.
pub fn redis_store(config: &Config, key: &PseudonymKey) -> anyhow::Result<RedisStore> {
    Ok(redis_states(config)?.open(&state::manifest(config, key))?)
}

/// The generations of the state in Redis.
pub fn redis_states(config: &Config) -> anyhow::Result<States> {
    let redis = config.redis.as_ref().context("redis.url is not configured")?;
    let states = States::connect(&RedisOptions::of(redis), PREFIX)?;
    for warning in states.warnings() {
        tracing::warn!("Redis: {warning}");
    }
    Ok(states)
}

/// All of Kafka's log, without a group.
pub fn kafka_tail(config: &Config) -> anyhow::Result<KafkaTail> {
    Ok(KafkaTail::connect(ConsumerSettings::new(kafka(config)?, config.log.partitions))?)
}

fn kafka(config: &Config) -> anyhow::Result<&Kafka> {
    let kafka = config.kafka.as_ref().context("kafka.brokers is not configured")?;
    if let Some(warning) = kafka.warning() {
        tracing::warn!("{warning}");
    }
    Ok(kafka)
}

/// Refuses topics that may lose what was acknowledged, unless the configuration takes that.
fn refuse_unsafe(kafka: &Kafka, partitions: u16, patience: Duration) -> anyhow::Result<()> {
    let topics = Topics::new(kafka, partitions)?.patience(patience);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(topics.unsafe_settings())?;
    if found.is_empty() {
        return Ok(());
    }
    let found = found.join("; ");
    if kafka.allow_unsafe {
        tracing::warn!(found, "kafka.allow_unsafe is set");
        return Ok(());
    }
    bail!(
        "Kafka may lose acknowledged events: {found}; see `tallyhook topics plan`, or set \
         kafka.allow_unsafe = true"
    )
}
