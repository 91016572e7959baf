//! Real services for the tests of the distributed shape: Kafka brokers and Redis servers on loopback,
//! each started by the value that stands for it and ended with it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::wait_until;

/// How long a service may take to answer on a loaded machine.
const START: Duration = Duration::from_mins(1);
/// Brokers listen below the ports that the system gives to others.
const KAFKA_PORTS: std::ops::Range<u16> = 21_000..31_000;
/// As often as a port is asked for anew where somebody else was quicker to take it.
const TRIES: usize = 5;

/// One broker without replicas, or three with them.
#[derive(Debug)]
pub struct Kafka {
    dir: TempDir,
    base: u16,
    nodes: u16,
}

impl Kafka {
    /// Formats and starts a broker and waits until its port is open, which it is once it can be used.
    pub fn start() -> Self {
        Self::of(1)
    }

    /// Three brokers: each partition on all of them, two in sync to acknowledge.
    pub fn cluster() -> Self {
        Self::of(3)
    }

    fn of(nodes: u16) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let kafka = Self { dir, base: free_base(), nodes };
        kafka.up();
        kafka
    }

    /// `HOST:PORT` of every broker, as a list of TOML.
    pub fn brokers(&self) -> String {
        let brokers = (1..=self.nodes).map(|node| format!("\"{}\"", self.broker(node)));
        brokers.collect::<Vec<_>>().join(", ")
    }

    /// `HOST:PORT` of one broker, from 1 on.
    pub fn broker(&self, node: u16) -> String {
        format!("127.0.0.1:{}", self.base + 10 * node)
    }

    /// Starts what does not run.
    pub fn up(&self) {
        let (nodes, base) = (self.nodes.to_string(), self.base.to_string());
        let up = ["up", &nodes, &base, text(self.dir.path())];
        // On a loaded machine several brokers may take longer than one call waits for them.
        let mut output = run(&up);
        for _ in 1..TRIES {
            if output.status.success() {
                return;
            }
            output = run(&up);
        }
        checked(&up, &output);
    }

    /// `kill -9` of a broker, as a loss of its machine.
    pub fn kill(&self, node: u16) {
        kafka(&["kill", text(self.dir.path()), &node.to_string()]);
    }

    /// Runs a class of Kafka's own tools against the first broker; what it printed.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let broker = self.broker(1);
        kafka(&[&["tool", class, "--bootstrap-server", &broker], arguments].concat())
    }

    /// Changes a setting of a topic.
    pub fn set(&self, topic: &str, setting: &str) {
        let arguments = ["--alter", "--entity-type", "topics", "--entity-name", topic];
        let arguments = [&arguments[..], &["--add-config", setting]].concat();
        self.tool("kafka.admin.ConfigCommand", &arguments);
    }

    /// Removes a topic with all that is in it.
    pub fn delete(&self, topic: &str) {
        self.tool("org.apache.kafka.tools.TopicCommand", &["--delete", "--topic", topic]);
    }

    /// Removes the records of a partition before an offset.
    pub fn delete_before(&self, topic: &str, partition: u16, offset: u64) {
        let file = self.dir.path().join("delete.json");
        let json = format!(
            "{{\"version\":1,\"partitions\":[{{\"topic\":\"{topic}\",\"partition\":{partition},\"offset\":{offset}}}]}}"
        );
        std::fs::write(&file, json).expect("a file");
        let class = "org.apache.kafka.tools.DeleteRecordsCommand";
        self.tool(class, &["--offset-json-file", text(&file)]);
    }

    /// Sends the first broker's process a signal: `-STOP` makes it hang, `-CONT` go on.
    pub fn signal(&self, signal: &str) {
        let process = std::fs::read_to_string(self.dir.path().join("1/pid")).expect("a pid");
        let sent = Command::new("kill").args([signal, process.trim()]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        kafka(&["down", text(self.dir.path())]);
    }
}

/// A port whose tens, as `kafka.sh` uses them, are free.
pub(super) fn free_base() -> u16 {
    // Test binaries that run at the same time begin at different places.
    let begin = u16::try_from(std::process::id() % 200).expect("small") * 40;
    let bases = KAFKA_PORTS.step_by(40);
    let mut bases = bases.clone().skip(usize::from(begin / 40)).chain(bases);
    let base = bases.find(|base| (0..40).all(|offset| is_free(base + offset)));
    base.expect("forty free ports in a row")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn kafka(arguments: &[&str]) -> String {
    checked(arguments, &run(arguments))
}

fn run(arguments: &[&str]) -> Output {
    output("kafka.sh", arguments, &[])
}

fn checked(arguments: &[&str], output: &Output) -> String {
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|one| String::from_utf8_lossy(one));
    assert!(output.status.success(), "kafka.sh {arguments:?}: {stdout}{stderr}");
    stdout.into_owned()
}

/// Runs a script of `deploy/dev` that must succeed, with more variables.
pub(super) fn script(name: &str, arguments: &[&str], variables: &[(&str, &str)]) {
    let Output { status, stderr, .. } = output(name, arguments, variables);
    assert!(status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&stderr));
}

fn output(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/dev").join(name);
    let mut command = Command::new("bash");
    command.arg(script).args(arguments).envs(variables.iter().copied()).stdin(Stdio::null());
    command.output().expect("bash runs")
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// One server that appends what it is told to a file.
#[derive(Debug)]
pub struct Redis {
    dir: TempDir,
    port: u16,
    arguments: Vec<String>,
    child: Child,
}

impl Redis {
    /// Starts a server on any free port.
    pub fn start() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "everysec"])
    }

    /// The same with other settings.
    pub fn with(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
        for _ in 0..TRIES {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let port = free_port();
            let child = spawn(dir.path(), port, &arguments);
            let mut redis = Self { dir, port, arguments: arguments.clone(), child };
            if redis.is_up() {
                return redis;
            }
        }
        panic!("redis-server does not start");
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs one command and returns the reply as `redis-cli` prints it.
    pub fn command(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli").args(["-p", &port]).args(arguments).output();
        let output = output.expect("redis-cli is there: make setup brings it");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }

    /// Starts it again on what it kept.
    pub fn restart(&mut self) {
        self.child = spawn(self.dir.path(), self.port, &self.arguments);
        assert!(self.is_up(), "Redis does not come back");
    }

    /// Where its append-only files lie.
    pub fn append_only_dir(&self) -> PathBuf {
        self.dir.path().join("appendonlydir")
    }

    /// Waits until it answers; false if it ended or another test's server has the port.
    fn is_up(&mut self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        wait_until("Redis to listen", START, || {
            TcpStream::connect(address).is_ok()
                || self.child.try_wait().is_ok_and(|end| end.is_some())
        });
        let own = format!("process_id:{}", self.child.id());
        let mut answers = false;
        wait_until("Redis to have loaded its data", START, || {
            answers = self.command(&["info", "server"]).contains(&own);
            let ended = self.child.try_wait().is_ok_and(|end| end.is_some());
            ended || (answers && self.command(&["ping"]) == "PONG")
        });
        answers
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path, port: u16, arguments: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", text(dir)]);
    command.args(["--save", "", "--maxmemory-policy", "noeviction"]);
    // A replica's first copy waits 5 s for others by default.
    command.args(["--repl-diskless-sync-delay", "0"]);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is there: make setup brings it")
}

/// A port below those that the system gives to clients, whose cluster bus, 10,000 above, is free too.
pub(super) fn free_port() -> u16 {
    static GIVEN: std::sync::Mutex<Vec<u16>> = std::sync::Mutex::new(Vec::new());
    let mut given = GIVEN.lock().expect("no panic");
    let begin = 7_000 + u16::try_from(std::process::id() % 10_000).expect("small");
    let mut ports = (begin..20_000).chain(7_000..begin);
    let port = ports.find(|port| !given.contains(port) && is_free(*port) && is_free(port + 10_000));
    let port = port.expect("a free port");
    given.push(port);
    port
}

/// Three masters without replicas.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts the masters, shares the slots out and waits until all agree.
    pub fn start() -> Self {
        let settings = "--cluster-enabled yes --cluster-config-file nodes.conf \
                        --cluster-node-timeout 2000 --appendonly yes --appendfsync everysec";
        let settings: Vec<&str> = settings.split_whitespace().collect();
        let nodes: Vec<Redis> = (0..3).map(|_| Redis::with(&settings)).collect();
        let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for ((node, (from, to)), epoch) in nodes.iter().zip(slots).zip(["1", "2", "3"]) {
            assert_eq!(node.command(&["cluster", "addslotsrange", from, to]), "OK");
            assert_eq!(node.command(&["cluster", "set-config-epoch", epoch]), "OK");
        }
        for other in &nodes[1..] {
            let port = other.port.to_string();
            assert_eq!(nodes[0].command(&["cluster", "meet", "127.0.0.1", &port]), "OK");
        }
        let cluster = Self { nodes };
        cluster.agree();
        cluster
    }

    /// The address of one of its nodes.
    pub fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// A node, to be killed and started again.
    pub fn node(&mut self, number: usize) -> &mut Redis {
        &mut self.nodes[number]
    }

    /// Waits until every node sees all others at work.
    pub fn agree(&self) {
        let ready = |node: &Redis| {
            let info = node.command(&["cluster", "info"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        };
        wait_until("the cluster to agree", START, || self.nodes.iter().all(ready));
    }
}
