//! A real broker, and what the tests ask of it.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aggregator::kafka::ConsumerSettings;
use common::config;
use common::log::NoMetrics;
use ingest::kafka::{KafkaLog, ProducerSettings};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;

static TOPICS: AtomicU32 = AtomicU32::new(0);

pub struct Broker {
    directory: PathBuf,
    port: u16,
    /// Kills the broker when its input ends: on drop, and also when this process is killed.
    guard: Child,
}

impl Broker {
    pub fn start(name: &str) -> Self {
        let base = free_base();
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let directory = scratch.join(format!("kafka-{name}-{base}"));
        // Left behind by a process that was killed.
        let _ = std::fs::remove_dir_all(&directory);
        let started = script(&["up", "1", &base.to_string()]).arg(&directory).status();
        assert!(started.expect("bash runs").success(), "Kafka starts: see deploy/dev/setup.sh");
        let guard = Command::new("bash")
            .args(["-c", "cat; exec \"$0\" down \"$1\""])
            .arg(script_path())
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Self { directory, port: base + 10, guard: guard.expect("bash runs") }
    }

    pub fn kafka(&self) -> config::Kafka {
        let session_timeout = Duration::from_secs(6);
        let brokers = vec![format!("127.0.0.1:{}", self.port)];
        config::Kafka { session_timeout, ..config::Kafka::open(brokers) }
    }

    /// A topic that nobody else uses.
    pub fn topic(&self, partitions: u16) -> String {
        let name = format!("test-{}", TOPICS.fetch_add(1, Ordering::Relaxed));
        let topic = NewTopic::new(&name, i32::from(partitions), TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
        let admin = self.admin();
        let created = block_on(admin.create_topics([&topic], &options)).expect("an answer");
        created[0].as_ref().expect("a new topic");
        // The controller has it; the broker hears of it a moment later.
        let begun = Instant::now();
        let known = || {
            let metadata = admin.inner().fetch_metadata(Some(&name), Duration::from_secs(5));
            metadata.map_or(0, |found| found.topics()[0].partitions().len())
        };
        while known() != usize::from(partitions) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{name} does not appear");
            std::thread::sleep(Duration::from_millis(50));
        }
        name
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.kafka().brokers[0]).create().expect("a client")
    }

    pub fn log(&self, topic: &str, partitions: u16) -> KafkaLog {
        let settings = ProducerSettings {
            topic: topic.to_owned(),
            ..ProducerSettings::new(&self.kafka(), partitions)
        };
        KafkaLog::open(settings, Arc::new(NoMetrics)).expect("a producer")
    }

    pub fn reading(&self, topic: &str, partitions: u16) -> ConsumerSettings {
        ConsumerSettings {
            topic: topic.to_owned(),
            group: format!("group-of-{topic}"),
            ..ConsumerSettings::new(&self.kafka(), partitions)
        }
    }

    /// Sends the broker's process a signal.
    pub fn signal(&self, signal: &str) {
        let process = std::fs::read_to_string(self.directory.join("1/pid")).expect("a pid");
        let sent = Command::new("kill").args([signal, process.trim()]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(script_path());
    // Where deploy/dev/setup.sh puts them.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    command.args(arguments).env("KAFKA_JARS", target.join("kafka-jars")).stdin(Stdio::null());
    command
}

fn script_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/dev/kafka.sh")
}

/// A base whose ports are free, below those that the system gives to clients.
fn free_base() -> u16 {
    let seed = u16::try_from(std::process::id() % 250).expect("small");
    let bases = (0..250).map(|step| 20_000 + ((seed + step) % 250) * 40);
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    bases.into_iter().find(|base| free(base + 10) && free(base + 11)).expect("free ports")
}
