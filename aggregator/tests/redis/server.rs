//! Real Redis servers on loopback ports, in temporary directories, killed when dropped.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server or a cluster may take to be ready.
const READY: Duration = Duration::from_secs(30);

/// One server.
pub struct Server {
    port: u16,
    arguments: Vec<String>,
    directory: TempDir,
    process: Child,
}

impl Server {
    /// A server alone, with an append-only file.
    pub fn alone() -> Self {
        Self::start(&["--appendonly", "yes", "--appendfsync", "everysec"])
    }

    /// A server with further arguments.
    pub fn start(arguments: &[&str]) -> Self {
        // Another process may take the port between the question and the start: ask again.
        for _ in 0..5 {
            let directory = tempfile::tempdir().expect("a directory");
            let port = free_port();
            let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
            let process = spawn(port, &directory, &arguments);
            let mut server = Self { port, arguments, directory, process };
            if server.is_ready() {
                return server;
            }
        }
        panic!("redis-server does not start; install it: deploy/dev/setup.sh tests");
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The answer to a command, as the server's own words.
    pub fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    fn try_ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(5))?;
        let (first, rest) = words.split_first().expect("a command");
        redis::cmd(first).arg(rest).query(&mut connection)
    }

    /// Ends the process at once, as a loss of power would end it.
    pub fn kill(&mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("gone");
    }

    /// Starts it again on what it kept.
    pub fn restart(&mut self) {
        self.process = spawn(self.port, &self.directory, &self.arguments);
        assert!(self.is_ready(), "the server does not come back");
    }

    fn is_ready(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < READY {
            // Another test's server may have been quicker to take the port, and one that still reads
            // what it kept answers as well.
            let signs = [&format!("process_id:{}", self.process.id()), "loading:0"];
            let told = self.try_ask::<String>(&["INFO"]).unwrap_or_default();
            if signs.iter().all(|sign| told.lines().any(|line| line == *sign)) {
                return true;
            }
            if self.process.try_wait().expect("the process").is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Three masters without replicas.
pub struct Cluster {
    nodes: Vec<Server>,
}

impl Cluster {
    /// Starts the masters, shares the slots out and waits until all agree.
    pub fn start() -> Self {
        let cluster = "--cluster-enabled yes --cluster-config-file nodes.conf \
                       --cluster-node-timeout 2000 --appendonly yes --appendfsync always";
        let arguments: Vec<&str> = cluster.split_whitespace().collect();
        let nodes: Vec<Server> = (0..3).map(|_| Server::start(&arguments)).collect();
        let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for ((node, (from, to)), epoch) in nodes.iter().zip(slots).zip(["1", "2", "3"]) {
            node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", from, to]);
            node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", epoch]);
        }
        for other in &nodes[1..] {
            nodes[0].ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string()]);
        }
        let cluster = Self { nodes };
        cluster.agree();
        cluster
    }

    /// Waits until every node sees all others at work.
    pub fn agree(&self) {
        let begun = Instant::now();
        let ready = |node: &Server| {
            let info: String = node.ask(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        };
        while !self.nodes.iter().all(ready) {
            assert!(begun.elapsed() < READY, "the cluster does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The address of one of its nodes.
    pub fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// Moves a slot from one node to another; `halfway` runs when one of its keys has gone.
    pub fn move_slot(&self, slot: u64, from: usize, to: usize, halfway: impl FnOnce()) {
        let slot = slot.to_string();
        let [source, target] = [from, to].map(|node| &self.nodes[node]);
        let ids: [String; 2] = [source, target].map(|node| node.ask(&["CLUSTER", "MYID"]));
        target.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]]);
        source.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[1]]);
        let move_keys = |count: &str| {
            let keys: Vec<String> = source.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, count]);
            for key in keys {
                let port = target.port.to_string();
                source.ask::<()>(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
            }
        };
        move_keys("1");
        halfway();
        move_keys("1000");
        for node in [target, source] {
            node.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &ids[1]]);
        }
    }

    /// The node that holds a slot, after the start.
    pub fn owner(slot: u64) -> usize {
        usize::from(slot > 5_460) + usize::from(slot > 10_922)
    }

    /// A node, to be killed and started again.
    pub fn node(&mut self, number: usize) -> &mut Server {
        &mut self.nodes[number]
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }
}

fn spawn(port: u16, directory: &TempDir, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--loglevel",
            "warning",
        ])
        .arg("--dir")
        .arg(directory.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server starts; bring it with `deploy/dev/setup.sh tests`")
}

/// A port below the ephemeral ones whose cluster bus, 10,000 above, is free as well.
fn free_port() -> u16 {
    for port in (7_000 + u16::try_from(std::process::id() % 13_000).unwrap_or(0)..22_000)
        .chain(7_000..22_000)
    {
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + 10_000) && is_fresh(port) {
            return port;
        }
    }
    panic!("no free port");
}

/// Whether no other test of this process was given the port.
fn is_fresh(port: u16) -> bool {
    static GIVEN: std::sync::Mutex<Vec<u16>> = std::sync::Mutex::new(Vec::new());
    let mut given = GIVEN.lock().expect("the ports");
    let fresh = !given.contains(&port);
    given.push(port);
    fresh
}
