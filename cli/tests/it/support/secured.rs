//! Services as managed ones are: over TLS, and only for who logs in.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::services::{free_base, script, text};
use super::wait_until;

/// How long a service may take to answer on a loaded machine.
const START: Duration = Duration::from_mins(1);

/// Certificates for localhost and 127.0.0.1, see `deploy/dev/certificates.sh`.
#[derive(Debug)]
pub struct Certificates {
    dir: TempDir,
}

impl Certificates {
    pub fn make() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        script("certificates.sh", &[text(dir.path())], &[]);
        Self { dir }
    }

    /// One of them, as text for the configuration.
    pub fn path(&self, name: &str) -> String {
        text(&self.dir.path().join(name)).to_owned()
    }
}

/// One broker with the listeners that `deploy/dev/kafka.sh` opens for certificates.
#[derive(Debug)]
pub struct SecuredKafka {
    dir: TempDir,
    port: u16,
}

impl SecuredKafka {
    /// What the user `tallyhook` logs in with.
    pub const PASSWORD: &str = "br0ker-s3cret";

    pub fn start(certificates: &Certificates) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let base = free_base();
        let variables = [
            ("KAFKA_CERTIFICATES", text(certificates.dir.path())),
            ("KAFKA_PASSWORD", Self::PASSWORD),
        ];
        script("kafka.sh", &["up", "1", &base.to_string(), text(dir.path())], &variables);
        Self { dir, port: base + 10 }
    }

    /// TLS and a login.
    #[cfg(feature = "kafka-tls")]
    pub fn login_over_tls(&self) -> String {
        self.address(2)
    }

    /// TLS, and a certificate of the client's.
    #[cfg(feature = "kafka-tls")]
    pub fn certificate(&self) -> String {
        self.address(3)
    }

    /// A login without TLS.
    pub fn login_in_clear(&self) -> String {
        self.address(4)
    }

    fn address(&self, above: u16) -> String {
        format!("127.0.0.1:{}", self.port + above)
    }
}

impl Drop for SecuredKafka {
    fn drop(&mut self) {
        script("kafka.sh", &["down", text(self.dir.path())], &[]);
    }
}

/// A server that only speaks TLS and lets nobody in but its users.
#[derive(Debug)]
pub struct SecuredRedis {
    /// Removed once the server has ended.
    _dir: TempDir,
    certificates: PathBuf,
    port: u16,
    child: Child,
}

impl SecuredRedis {
    /// What the user `tallyhook` logs in with; in an address it stands as `r3dis%2Fs3cret`.
    pub const PASSWORD: &str = "r3dis/s3cret";
    /// What the user may do; the handbook recommends it.
    const RULES: &str = "~{p* ~tallyhook:* +@all -@dangerous +info +config|get";

    /// A server alone.
    pub fn start(certificates: &Certificates) -> Self {
        Self::with(certificates, &[])
    }

    fn with(certificates: &Certificates, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let port_text = port.to_string();
        let login = format!(">{}", Self::PASSWORD);
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--tls-port", &port_text, "--bind", "127.0.0.1"]);
        command.args(["--dir", text(dir.path()), "--save", "", "--appendonly", "yes"]);
        command.args(["--tls-cert-file", &certificates.path("server.crt")]);
        command.args(["--tls-key-file", &certificates.path("server.key")]);
        command.args(["--tls-ca-cert-file", &certificates.path("ca.crt")]);
        command.args(["--tls-auth-clients", "optional", "--maxmemory-policy", "noeviction"]);
        command
            .args(["--user", "default", "off", "--user", "admin", "on", "nopass", "~*", "+@all"]);
        command.args(["--user", "tallyhook", "on", &login]).args(Self::RULES.split(' '));
        command.args(more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("redis-server is there: make setup brings it");
        let certificates = certificates.dir.path().to_owned();
        let server = Self { _dir: dir, certificates, port, child };
        wait_until("Redis to answer", START, || server.admin(&["ping"]) == "PONG");
        server
    }

    /// Where it is, without its scheme.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where and as whom Tallyhook goes there.
    pub fn url(&self) -> String {
        format!("rediss://tallyhook:{}@{}", Self::PASSWORD.replace('/', "%2F"), self.host())
    }

    /// Runs a command as somebody who may do everything.
    pub fn admin(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string(), "--user", "admin", "--pass", "any"]);
        let file = |name: &str| self.certificates.join(name);
        command.args(["--no-auth-warning", "--tls", "--cacert", text(&file("ca.crt"))]);
        command.args(["--cert", text(&file("client.crt")), "--key", text(&file("client.key"))]);
        let output = command.args(arguments).output().expect("redis-cli is there: make setup");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for SecuredRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three masters that speak TLS among themselves too.
#[derive(Debug)]
pub struct SecuredCluster {
    nodes: Vec<SecuredRedis>,
}

impl SecuredCluster {
    pub fn start(certificates: &Certificates) -> Self {
        let more = "--tls-cluster yes --cluster-enabled yes --cluster-config-file nodes.conf \
                    --cluster-node-timeout 2000";
        let more: Vec<&str> = more.split_whitespace().collect();
        let nodes: Vec<_> = (0..3).map(|_| SecuredRedis::with(certificates, &more)).collect();
        let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for ((node, (from, to)), epoch) in nodes.iter().zip(slots).zip(["1", "2", "3"]) {
            assert_eq!(node.admin(&["cluster", "addslotsrange", from, to]), "OK");
            assert_eq!(node.admin(&["cluster", "set-config-epoch", epoch]), "OK");
        }
        for other in &nodes[1..] {
            let port = other.port.to_string();
            assert_eq!(nodes[0].admin(&["cluster", "meet", "127.0.0.1", &port]), "OK");
        }
        wait_until("the cluster to agree", START, || {
            nodes.iter().all(|node| {
                let info = node.admin(&["cluster", "info"]);
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            })
        });
        Self { nodes }
    }

    /// The address of one of its nodes.
    pub fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// How many keys each node has.
    pub fn keys(&self) -> Vec<u64> {
        let keys = |node: &SecuredRedis| node.admin(&["dbsize"]).parse().expect("a number");
        self.nodes.iter().map(keys).collect()
    }
}

/// A port below the ephemeral ones whose cluster bus, 10,000 above, is free as well.
fn free_port() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let begin = 8_000 + u16::try_from(std::process::id() % 10_000).expect("small");
    let mut ports = (begin..20_000).chain(8_000..begin);
    ports.find(|port| free(*port) && free(*port + 10_000)).expect("a free port")
}
