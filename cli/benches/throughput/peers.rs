//! What the parts on Kafka are compared with: a bare producer and a bare consumer of librdkafka, with
//! the settings that the receiver and the fold use.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use common::topic;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::state::PARTITIONS;
use super::table::count;

/// Records that the bare producer keeps on their way.
const IN_FLIGHT: usize = 20_000;
/// How long a record may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A producer as safe as the receiver's.
pub fn producer(brokers: &str, linger_ms: f64) -> anyhow::Result<FutureProducer> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.codec", "lz4")
        .set("linger.ms", linger_ms.to_string())
        .set("socket.nagle.disable", "true")
        .set("message.max.bytes", topic::MAX_MESSAGE_BYTES.to_string());
    client.create().context("no producer")
}

/// Sends records as fast as they are acknowledged, many on their way; returns how many a second.
pub fn produce<'a>(
    producer: &FutureProducer,
    records: impl Iterator<Item = (i32, &'a [u8])>,
) -> anyhow::Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let begun = Instant::now();
        let mut sent = 0_u64;
        let mut under_way: VecDeque<DeliveryFuture> = VecDeque::with_capacity(IN_FLIGHT);
        for (partition, payload) in records {
            while under_way.len() >= IN_FLIGHT {
                acknowledged(under_way.pop_front()).await?;
            }
            let mut record: FutureRecord<'_, str, [u8]> =
                FutureRecord::to(topic::EVENTS).partition(partition).payload(payload);
            loop {
                match producer.send_result(record) {
                    Ok(delivery) => break under_way.push_back(delivery),
                    Err((error, back)) => {
                        let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                        ensure!(full, "cannot produce: {error}");
                        record = back;
                        acknowledged(under_way.pop_front()).await?;
                    }
                }
            }
            sent += 1;
        }
        while let Some(delivery) = under_way.pop_front() {
            acknowledged(Some(delivery)).await?;
        }
        Ok(count(sent) / begun.elapsed().as_secs_f64())
    })
}

async fn acknowledged(delivery: Option<DeliveryFuture>) -> anyhow::Result<()> {
    let Some(delivery) = delivery else { return Ok(()) };
    let answer = tokio::time::timeout(PATIENCE, delivery).await.context("Kafka is too slow")?;
    answer
        .context("the producer is gone")?
        .map_err(|(error, _)| error)
        .context("not acknowledged")?;
    Ok(())
}

/// Reads the topic from its start until `records` have come; returns how many a second.
pub fn consume(brokers: &str, records: u64) -> anyhow::Result<f64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bare-consumer")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .create()
        .context("no consumer")?;
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(topic::EVENTS, i32::from(partition), Offset::Beginning)?;
    }
    consumer.assign(&partitions)?;
    let begun = Instant::now();
    let (mut read, mut bytes) = (0_u64, 0);
    while read < records {
        let message = consumer.poll(PATIENCE).context("Kafka is too slow")??;
        bytes += message.payload().map_or(0, <[u8]>::len);
        read += 1;
    }
    ensure!(bytes > 0, "the records are empty");
    Ok(count(read) / begun.elapsed().as_secs_f64())
}
