//! The distributed shape: a log in Kafka, a state in Redis, and any number of processes between them.

use std::sync::Arc;
use std::time::Duration;

use aggregator::kafka::{ConsumerSettings, KafkaFeed, KafkaTail};
use aggregator::redis::{RedisOptions, RedisStore};
use anyhow::{Context as _, bail};
use common::config::{Config, Kafka, PseudonymKey};
use common::log::NoMetrics;
use ingest::kafka::topics::Topics;
use ingest::kafka::{KafkaLog, ProducerSettings};

use super::state;

/// What every key in Redis begins with.
const PREFIX: &str = "tallyhook";
/// How long a start waits for Kafka's answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kafka as the log that a receiver appends to, once its topics are safe.
pub fn kafka_log(config: &Config) -> anyhow::Result<KafkaLog> {
    let kafka = kafka(config)?;
    refuse_unsafe(kafka, config.log.partitions)?;
    let settings = ProducerSettings::new(kafka, config.log.partitions);
    let log = KafkaLog::open(settings, Arc::new(NoMetrics))?;
    log.ask(PATIENCE).context("Kafka cannot take events")?;
    Ok(log)
}

/// Refuses a topic that a fold cannot begin with. Asked before anything is written to Redis or the
/// group is joined, so that a process with wrong settings leaves nothing behind.
pub fn check_topic(config: &Config) -> anyhow::Result<()> {
    let kafka = kafka(config)?;
    refuse_unsafe(kafka, config.log.partitions)?;
    KafkaTail::connect(ConsumerSettings::new(kafka, config.log.partitions))?;
    Ok(())
}

/// The partitions of Kafka's log that the group gives to this process.
pub fn kafka_feed(config: &Config) -> anyhow::Result<KafkaFeed> {
    Ok(KafkaFeed::connect(ConsumerSettings::new(kafka(config)?, config.log.partitions))?)
}

/// The state in Redis.
pub fn redis_store(config: &Config, key: &PseudonymKey) -> anyhow::Result<RedisStore> {
    let redis = config.redis.as_ref().context("redis.url is not configured")?;
    let options = RedisOptions::of(redis);
    let store = RedisStore::open(&options, PREFIX, &state::manifest(config, key))?;
    for warning in store.warnings() {
        tracing::warn!("Redis: {warning}");
    }
    Ok(store)
}

fn kafka(config: &Config) -> anyhow::Result<&Kafka> {
    let kafka = config.kafka.as_ref().context("kafka.brokers is not configured")?;
    if let Some(warning) = kafka.warning() {
        tracing::warn!("{warning}");
    }
    Ok(kafka)
}

/// Refuses topics that may lose what was acknowledged, unless the configuration takes that.
fn refuse_unsafe(kafka: &Kafka, partitions: u16) -> anyhow::Result<()> {
    let topics = Topics::new(kafka, partitions)?;
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
