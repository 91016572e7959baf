//! How the producer is set up. Each default of librdkafka that loses, delays or reorders records is
//! set here, with its reason.

use std::time::Duration;

use common::config;
use common::refusal::Refusals;
use common::stranded::Stranded;
use common::topic;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult};

use super::Producer;

/// Where librdkafka tells in words why a connection failed.
const CONNECTION_FAILED: &str = "FAIL";

/// What a producer needs to know.
#[derive(Clone, Debug)]
pub struct ProducerSettings {
    /// The brokers, and how they let us in.
    pub kafka: config::Kafka,
    /// The topic; `tallyhook.events.v1` by default.
    pub topic: String,
    /// How many partitions the topic has.
    pub partitions: u16,
    /// How long a record waits for others to share its request; none by default, as a request
    /// under way makes the next ones wait and so share anyhow.
    pub linger: Duration,
    /// How long a record may take to be acknowledged; 2.5 s by default. Timed-out records are
    /// looked for once a second, and the door has to answer within 4 s.
    pub delivery_timeout: Duration,
    /// How many records may wait; 50,000 by default.
    pub queue_records: u32,
    /// How many KiB of records may wait; 64 MiB by default.
    pub queue_kib: u32,
}

impl ProducerSettings {
    /// The defaults, for the topic of events.
    #[must_use]
    pub fn new(kafka: &config::Kafka, partitions: u16) -> Self {
        Self {
            kafka: kafka.clone(),
            topic: topic::EVENTS.to_owned(),
            partitions,
            linger: Duration::ZERO,
            delivery_timeout: Duration::from_millis(2_500),
            queue_records: 50_000,
            queue_kib: 64 * 1024,
        }
    }

    pub(super) fn producer(
        &self,
        refusals: &Refusals,
        stranded: &Stranded,
    ) -> KafkaResult<Producer> {
        let logged = Logged { refusals: refusals.clone(), stranded: stranded.clone() };
        made(&self.client(), &logged)
    }

    fn client(&self) -> ClientConfig {
        let ms = |duration: Duration| duration.as_millis().to_string();
        let mut client = base(&self.kafka);
        client
            // Off by default: a retry could write a record twice, or before an earlier one.
            .set("enable.idempotence", "true")
            // What the acknowledgement promises: every in-sync replica has the record.
            .set("acks", "all")
            // A gap in the sequence would end the producer. A record that timed out is the
            // sender's to repeat, so a gap is no loss.
            .set("enable.gapless.guarantee", "false")
            // 5 minutes by default: the door would have answered long before.
            .set("delivery.timeout.ms", ms(self.delivery_timeout))
            .set("request.timeout.ms", ms(self.delivery_timeout))
            // 5 ms by default, and each append that is awaited would pay them.
            .set("linger.ms", (self.linger.as_secs_f64() * 1_000.0).to_string())
            // Small requests that wait for an acknowledgement must not wait for company.
            .set("socket.nagle.disable", "true")
            // 1 GiB by default: a broker that hangs would fill the memory.
            .set("queue.buffering.max.kbytes", self.queue_kib.to_string())
            .set("queue.buffering.max.messages", self.queue_records.to_string())
            // 1 MB by default: larger events would be refused here.
            .set("message.max.bytes", topic::MAX_MESSAGE_BYTES.to_string())
            .set("compression.codec", "lz4");
        client
    }
}

/// What every client shares.
pub(super) fn base(kafka: &config::Kafka) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("client.id", "tallyhook-ingest")
        // Below warnings only to be looked at here: why a broker hangs up is told as information.
        .set_log_level(RDKafkaLogLevel::Info);
    for (name, value) in config::Kafka::CLIENT_LIMITS {
        client.set(name, value);
    }
    for (name, value) in kafka.client_properties() {
        client.set(name, value);
    }
    client
}

/// Makes a client. An error about a setting loses the setting's value, which may be secret.
pub(super) fn made<C>(client: &ClientConfig, context: &Logged) -> KafkaResult<C>
where
    C: FromClientConfigAndContext<Logged>,
{
    C::from_config_and_context(client, context.clone()).map_err(|error| {
        if let KafkaError::ClientConfig(result, text, key, _) = error {
            KafkaError::ClientConfig(result, text, key, String::new())
        } else {
            error
        }
    })
}

/// Passes on what librdkafka says, and keeps why a broker would not let us in.
#[derive(Clone, Debug, Default)]
pub(super) struct Logged {
    refusals: Refusals,
    stranded: Stranded,
}

impl Logged {
    pub(super) fn new(refusals: &Refusals) -> Self {
        Self { refusals: refusals.clone(), ..Self::default() }
    }
}

impl ConsumerContext for Logged {}

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == CONNECTION_FAILED {
            self.refusals.hear(message);
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

    fn stats_raw(&self, statistics: &[u8]) {
        self.stranded.read_statistics(statistics);
    }

    // Each of these also comes as a log line.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
        self.refusals.hear(reason);
    }
}
