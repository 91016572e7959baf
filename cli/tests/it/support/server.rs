//! A running `serve`, ended with the value that stands for it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Client, Delivery, Reply};
use super::kpis::Kpis;
use super::wait_until;

/// The connections that deliveries go over.
const CONNECTIONS: usize = 8;
/// How often a webhook is posted that is answered 503, each time after some seconds.
const TRIES: u32 = 10;
/// How long a start may take on a loaded machine.
const START: Duration = Duration::from_secs(30);

/// The child is killed when this is dropped, and no other process ever.
#[derive(Debug)]
pub struct Server {
    child: Child,
    messages: PathBuf,
    pub public: String,
    pub admin: String,
    clients: Vec<Client>,
    pub token: Option<String>,
}

impl Server {
    /// Starts a command that runs until it is stopped, and waits for the addresses it prints.
    pub fn spawn(mut command: Command, messages: &Path, addresses: &[&str]) -> Self {
        let file = File::options().create(true).append(true).open(messages);
        command.stdout(Stdio::piped()).stderr(file.expect("a file"));
        Self::new(command.spawn().expect("the binary starts"), messages, addresses)
    }

    /// Waits for the lines with the addresses.
    pub(super) fn new(mut child: Child, messages: &Path, addresses: &[&str]) -> Self {
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Read to the end, so that the child never waits for a full pipe.
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let clients = (0..CONNECTIONS).map(|_| Client::new()).collect();
        let (public, admin) = (String::new(), String::new());
        let mut server =
            Self { child, messages: messages.into(), public, admin, clients, token: None };
        let deadline = Instant::now() + START;
        for _ in addresses {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else {
                panic!("it printed no addresses: {}", server.messages())
            };
            match line.split_once(' ') {
                Some(("public", url)) => url.clone_into(&mut server.public),
                Some(("admin", url)) => url.clone_into(&mut server.admin),
                Some(_) | None => {}
            }
        }
        for name in addresses {
            let url = if *name == "public" { &server.public } else { &server.admin };
            assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with(":0"), "{url}");
        }
        server
    }

    /// What it wrote to stderr.
    pub fn messages(&self) -> String {
        std::fs::read_to_string(&self.messages).unwrap_or_default()
    }

    /// `GET` on the admin listener.
    pub fn get(&self, path: &str) -> Reply {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", &**bearer)).collect();
        let reply = self.clients[0].get(&format!("{}{path}", self.admin), &headers);
        reply.unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.messages()))
    }

    /// The JSON of a `GET` that must be answered with 200.
    pub fn json(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "GET {path}: {reply:?}");
        reply.json()
    }

    /// Posts a signed webhook.
    pub fn try_deliver(&self, delivery: &Delivery) -> Reply {
        let reply = self.clients[0].deliver(&self.public, delivery);
        reply.unwrap_or_else(|error| panic!("{delivery:?}: {error}\n{}", self.messages()))
    }

    /// Posts webhooks over several connections at once; each must be answered with an empty 200.
    pub fn deliver(&self, deliveries: &[Delivery]) {
        self.post(deliveries, |_, _| false);
    }

    /// The same, posting again what is answered 503: on a loaded machine Kafka may be slow.
    pub fn deliver_again(&self, deliveries: &[Delivery]) {
        self.post(deliveries, |reply, tries| reply.status == 503 && tries < TRIES);
        self.drained();
    }

    /// Waits until nothing of what was acknowledged lies in the spool: a broker that has just started
    /// may be slow.
    pub fn drained(&self) {
        wait_until("the spool to be drained", Duration::from_mins(2), || {
            self.get("/metrics").body.lines().any(|line| line == "tallyhook_spool_records 0")
        });
    }

    fn post(&self, deliveries: &[Delivery], again: impl Fn(&Reply, u32) -> bool + Copy + Send) {
        let chunk = deliveries.len().div_ceil(self.clients.len()).max(1);
        std::thread::scope(|scope| {
            for (client, chunk) in self.clients.iter().zip(deliveries.chunks(chunk)) {
                scope.spawn(move || {
                    for delivery in chunk {
                        let post = || client.deliver(&self.public, delivery).expect("an answer");
                        let (mut reply, mut tries) = (post(), 1);
                        while again(&reply, tries) {
                            (reply, tries) = (post(), tries + 1);
                        }
                        assert_eq!((reply.status, &*reply.body), (200, ""), "{delivery:?}");
                    }
                });
            }
        });
    }

    /// Posts webhooks and waits until the figures stand for them.
    pub fn take(&self, deliveries: &[Delivery]) {
        self.deliver(deliveries);
        self.settle();
    }

    /// Waits until everything acknowledged is folded.
    pub fn settle(&self) {
        wait_until("lag_events 0", Duration::from_mins(1), || {
            let status = self.json("/v1/status");
            status["lag_events"] == 0 && status["replaying"] == false
        });
    }

    /// The KPIs of all windows as of an instant, or live.
    pub fn kpis(&self, shop: &str, as_of: Option<&str>) -> Kpis {
        let as_of = as_of.map(|at| format!("&as_of={at}")).unwrap_or_default();
        let windows = "24h,7d,30d,90d,365d,all";
        Kpis::new(self.json(&format!("/v1/shops/{shop}/kpis?window={windows}{as_of}")))
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self, timeout: Duration) -> ExitStatus {
        let mut status = None;
        wait_until("serve to end", timeout, || {
            status = self.child.try_wait().expect("a child of ours");
            status.is_some()
        });
        status.expect("waited for")
    }

    /// Ends it as an operator does.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.wait(Duration::from_secs(15));
        assert!(status.success(), "{status}: {}", self.messages());
    }

    /// `kill -STOP`, or `-CONT`.
    pub fn signal(&self, signal: &str) {
        let kill = format!("kill {signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{kill}");
    }

    /// `kill -9`. The child is waited for when this is dropped.
    pub fn kill_now(&mut self) {
        self.child.kill().expect("a child of ours");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
