//! Real services for the tests of the distributed shape: a Kafka broker and a Redis server on loopback,
//! each started by the value that stands for it and ended with it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::wait_until;

/// How long a service may take to answer on a loaded machine.
const START: Duration = Duration::from_mins(1);
/// Brokers listen below the ports that the system gives to others.
const KAFKA_PORTS: std::ops::Range<u16> = 21_000..31_000;

/// One broker without replicas.
#[derive(Debug)]
pub struct Kafka {
    dir: TempDir,
    pub broker: String,
}

impl Kafka {
    /// Formats and starts a broker and waits until its port is open, which it is once it can be used.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let base = free_base();
        let port = base.to_string();
        kafka(&["up", "1", &port, text(dir.path())]);
        Self { dir, broker: format!("127.0.0.1:{}", base + 10) }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        kafka(&["down", text(self.dir.path())]);
    }
}

/// A port whose tens, as `kafka.sh` uses them, are free.
fn free_base() -> u16 {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    // Test binaries that run at the same time begin at different places.
    let begin = u16::try_from(std::process::id() % 200).expect("small") * 40;
    let bases = KAFKA_PORTS.step_by(40);
    let mut bases = bases.clone().skip(usize::from(begin / 40)).chain(bases);
    let base = bases.find(|base| (0..40).all(|offset| free(base + offset)));
    base.expect("forty free ports in a row")
}

fn kafka(arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/dev/kafka.sh");
    let output = Command::new("bash").arg(script).args(arguments).stdin(Stdio::null()).output();
    let output = output.expect("bash runs");
    assert!(
        output.status.success(),
        "kafka.sh {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// One server that appends what it is told to a file.
#[derive(Debug)]
pub struct Redis {
    /// Removed once the server has ended.
    _dir: TempDir,
    port: u16,
    child: Child,
}

impl Redis {
    /// Starts a server on any free port.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let child = spawn(dir.path(), port);
        Self { _dir: dir, port, child }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs one command and returns the reply as `redis-cli` prints it.
    pub fn command(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli").args(["-p", &port]).args(arguments).output();
        let output = output.expect("redis-cli is there: make setup brings it");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path, port: u16) -> Child {
    let port_text = port.to_string();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port_text, "--bind", "127.0.0.1", "--dir", text(dir)]);
    command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]);
    command.args(["--maxmemory-policy", "noeviction"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child.expect("redis-server is there: make setup brings it");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    wait_until("Redis to listen", START, || TcpStream::connect(address).is_ok());
    child
}
