//! The distributed shape: receivers, Kafka, folds and Redis as processes of their own, and the one
//! process that they are compared with.

use std::time::{Duration, Instant};

use aggregator::kafka::{ConsumerSettings, KafkaTail};
use common::config::Kafka as KafkaConfig;
use common::log::file::{FileLog, FileLogOptions};
use common::log::{Append as _, BatchLimit, Item, ReadBatch as _, Subscribe as _};
use futures_util::future::join_all;
use serde_json::Value;

use super::client::Delivery;
use super::home::Home;
use super::server::Server;
use super::services::Kafka;
use super::wait_until;

/// Shared by all processes of the shape, and by the `serve` that they are compared with.
pub const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

const PARTITIONS: u16 = 32;
const BATCH: BatchLimit = BatchLimit { max_records: 10_000, max_bytes: 16 << 20 };

/// The services and the configuration of the shape.
#[derive(Debug)]
pub struct Shape {
    pub home: Home,
    pub kafka: Kafka,
    /// What all processes are told besides their own settings.
    shared: String,
}

impl Shape {
    /// One broker, and a state in the Redis at `redis`.
    pub fn start(redis: &str) -> Self {
        let shape = Self::without_topics(redis);
        shape.home.stdout(&["topics", "apply"]);
        shape
    }

    /// The same with more sections of the configuration.
    pub fn with(redis: &str, more: &str) -> Self {
        let shape = Self::on(Kafka::start(), "replication = 1\nallow_unsafe = true\n", redis, more);
        shape.home.stdout(&["topics", "apply"]);
        shape
    }

    /// The same before any topic was made.
    pub fn without_topics(redis: &str) -> Self {
        Self::on(Kafka::start(), "replication = 1\nallow_unsafe = true\n", redis, "")
    }

    /// Three brokers, with the settings that are safe.
    pub fn with_copies(redis: &str) -> Self {
        let shape = Self::on(Kafka::cluster(), "", redis, "");
        shape.home.stdout(&["topics", "apply"]);
        shape
    }

    fn on(kafka: Kafka, settings: &str, redis: &str, more: &str) -> Self {
        // The shortest session that brokers allow, for those that are killed.
        let shared = format!(
            "[privacy]\npseudonym_key = \"{KEY}\"\n\
             [kafka]\nbrokers = [{}]\nsession_timeout_ms = 6000\n{settings}\
             [redis]\nurl = \"{redis}\"\n",
            kafka.brokers(),
        );
        let home = Home::with(&format!("{shared}{more}"));
        Self { home, kafka, shared }
    }

    /// Another home on the same services, with its own sections of the configuration.
    pub fn other_home(&self, more: &str) -> Home {
        Home::with(&format!("{}{more}", self.shared))
    }

    /// Starts a receiver with a data directory of its own.
    pub fn ingest(&self, number: u8) -> Server {
        let data = format!("ingest-{number}");
        self.home.process(&["ingest", "--data-dir", &data], &data, &["public", "admin"])
    }

    /// Starts a fold.
    pub fn aggregate(&self, number: u8) -> Server {
        let name = format!("aggregate-{number}");
        self.home.process(&["aggregate"], &name, &["admin"])
    }

    /// The digest that `serve` has on a log with the records that lie in the topic.
    pub fn digest_of_log(&self) -> Value {
        let home = embedded();
        let options = FileLogOptions::new(PARTITIONS);
        let log = FileLog::open(&home.path("data").join("log"), options).expect("a log");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let brokers = self.kafka.brokers().replace('"', "");
        let kafka = KafkaConfig::open(brokers.split(", ").map(str::to_owned).collect());
        let tail = KafkaTail::connect(ConsumerSettings::new(&kafka, PARTITIONS)).expect("a tail");
        let (starts, ends) = (tail.start_positions(), tail.end_positions());
        let starts = starts.expect("starts");
        let mut left: u64 = ends.expect("ends").iter().sum::<u64>() - starts.iter().sum::<u64>();
        let mut reader = tail.open_from(&starts).expect("a reader");
        while left > 0 {
            let items = reader.next_batch(BATCH, Duration::from_secs(20)).expect("records");
            assert!(!items.is_empty(), "{left} records do not come");
            left -= items.len() as u64;
            let appends = items.into_iter().map(|item| match item {
                Item::Record(record) => log.append(record.partition, record.payload),
                Item::Quarantined(lost) => panic!("{lost:?}"),
            });
            for appended in runtime.block_on(join_all(appends)) {
                appended.expect("appended");
            }
        }
        log.close();
        let server = home.serve();
        server.settle();
        digest(&server)
    }
}

/// A home for the one process that the shape is compared with.
pub fn embedded() -> Home {
    embedded_with("")
}

fn embedded_with(more: &str) -> Home {
    Home::with(&format!("[privacy]\npseudonym_key = \"{KEY}\"\n{more}"))
}

/// The digest that `serve` has after the same deliveries under the same key.
pub fn alone(deliveries: &[Delivery]) -> Value {
    alone_with("", deliveries)
}

/// The same with more sections of the configuration.
pub fn alone_with(more: &str, deliveries: &[Delivery]) -> Value {
    let home = embedded_with(more);
    let server = home.serve();
    server.take(deliveries);
    digest(&server)
}

/// The digest of a server's state.
pub fn digest(server: &Server) -> Value {
    server.json("/v1/digest")["digest"].clone()
}

/// Waits until the fold has come to the end of the log and its state to `expected`; how long it took.
pub fn converges(server: &Server, expected: &Value, timeout: Duration) -> Duration {
    let begun = Instant::now();
    let mut last = "no answer".to_owned();
    let mut reached = || {
        let status = server.get("/v1/status");
        if status.status != 200 || status.json()["lag_events"] != 0 {
            last = status.body;
            return false;
        }
        let reply = server.get("/v1/digest");
        last.clone_from(&reply.body);
        reply.status == 200 && reply.json()["digest"] == *expected
    };
    let deadline = begun + timeout;
    while !reached() {
        assert!(
            Instant::now() < deadline,
            "{expected} is not reached: {last}\n{}",
            server.messages()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    begun.elapsed()
}

/// Whether a server says that it is ready; its warnings.
pub fn readiness(server: &Server) -> (bool, String) {
    let reply = server.get("/readyz");
    (reply.status == 200, reply.json()["warnings"].to_string())
}

/// Waits until a server says that it is ready, or that it is not.
pub fn wait_for_readiness(server: &Server, ready: bool) {
    let what = if ready { "readiness" } else { "unreadiness" };
    wait_until(what, Duration::from_mins(1), || readiness(server).0 == ready);
}
