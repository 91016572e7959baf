//! A real Kafka broker and a real Redis server on loopback, for the parts that measure them.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use common::config::{self, Config, Inputs, Needs};
use ingest::kafka::topics::Topics;

use super::state::PARTITIONS;

/// The broker's ports; the client's is ten above.
const BASE_PORT: u16 = 31_400;
/// How long a service may take to listen.
const START: Duration = Duration::from_mins(1);

/// One broker.
pub struct Broker {
    directory: PathBuf,
    /// HOST:PORT.
    pub address: String,
}

impl Broker {
    /// Starts a broker with its data below `directory`, and makes the topics.
    pub fn start(directory: &Path) -> anyhow::Result<Self> {
        let directory = directory.join("kafka");
        let path = directory.to_str().context("the directory's name is no text")?;
        kafka(&["up", "1", &BASE_PORT.to_string(), path])?;
        let broker = Self { directory, address: format!("127.0.0.1:{}", BASE_PORT + 10) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let topics = Topics::new(&broker.config()?, PARTITIONS)?;
        runtime.block_on(topics.apply())?;
        Ok(broker)
    }

    /// The configuration of its clients.
    pub fn config(&self) -> anyhow::Result<config::Kafka> {
        clients(&self.address)
    }
}

/// The configuration of clients of a broker that stands alone.
pub fn clients(address: &str) -> anyhow::Result<config::Kafka> {
    let variables = [("BROKERS", address), ("REPLICATION", "1"), ("ALLOW_UNSAFE", "true")];
    let environment = variables
        .map(|(name, value)| (format!("TALLYHOOK_KAFKA__{name}"), value.to_owned()))
        .into();
    let inputs = Inputs { environment, ..Inputs::default() };
    Config::load(&inputs, Needs::Topics)?.kafka.context("Kafka is not configured")
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(path) = self.directory.to_str() {
            // The script has said what was wrong, and nobody is left to tell it to.
            let _ = kafka(&["down", path]);
        }
    }
}

fn kafka(arguments: &[&str]) -> anyhow::Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/dev/kafka.sh");
    let status = Command::new("bash").arg(script).args(arguments).stdin(Stdio::null()).status();
    let status = status.context("bash is missing")?;
    ensure!(status.success(), "kafka.sh {arguments:?} failed; `make setup` brings Kafka");
    Ok(())
}

/// One server, which syncs its file once a second.
pub struct Redis {
    child: Child,
    /// `redis://HOST:PORT`.
    pub url: String,
}

impl Redis {
    /// Starts a server with its data below `directory`.
    pub fn start(directory: &Path) -> anyhow::Result<Self> {
        let directory = directory.join("redis");
        std::fs::create_dir_all(&directory)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--maxmemory-policy", "noeviction"]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec"]);
        command.args(["--port", &port.to_string(), "--dir"]).arg(&directory);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.context("redis-server is missing: `make setup` brings it")?;
        let redis = Self { child, url: format!("redis://127.0.0.1:{port}") };
        let until = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() > until {
                bail!("redis-server does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }

    /// A connection.
    pub fn connect(&self) -> anyhow::Result<redis::Connection> {
        Ok(redis::Client::open(self.url.as_str())?.get_connection()?)
    }

    /// Runs one command whose answer is text.
    pub fn command(&self, words: &[&str]) -> anyhow::Result<String> {
        let (name, arguments) = words.split_first().context("no command")?;
        Ok(redis::cmd(name).arg(arguments).query(&mut self.connect()?)?)
    }

    /// The server's process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A child that is gone already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
