//! A real Prometheus and a real Alertmanager with the rules and the configuration that we deploy, only
//! faster, and somebody who receives the alerts.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::services::free_port;
use super::wait_until;

/// How long a server may take to be ready on a loaded machine.
const START: Duration = Duration::from_mins(1);

/// What Alertmanager posted.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The path, which tells the receiver.
    pub path: String,
    /// When it came.
    pub at: Instant,
    /// One of the alerts in it.
    pub alert: Value,
}

/// Prometheus, Alertmanager and a receiver of alerts; all end with it.
pub struct Monitoring {
    notices: Arc<Mutex<Vec<Notice>>>,
    prometheus: String,
    alertmanager: String,
    servers: Vec<Child>,
    _dir: TempDir,
}

impl Monitoring {
    /// Scrapes the admin listener `admin` every second.
    pub fn start(admin: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        let (notices, receiver) = receive();
        let [prometheus, alertmanager] = [free_port(), free_port()];
        let target = admin.trim_start_matches("http://");

        let rules = dir.path().join("rules");
        fs::create_dir(&rules).expect("a directory");
        for name in ["recording.yaml", "shops.yaml", "pipeline.yaml"] {
            let keep = [("keep_firing_for: 5m", "keep_firing_for: 1s")];
            let changes = if name == "shops.yaml" { &keep[..] } else { &[] };
            adapted(&deploy.join("prometheus/rules").join(name), &rules.join(name), changes);
        }
        adapted(
            &deploy.join("prometheus/prometheus.yaml"),
            &dir.path().join("prometheus.yaml"),
            &[
                ("scrape_interval: 15s", "scrape_interval: 1s"),
                ("evaluation_interval: 15s", "evaluation_interval: 1s"),
                ("rules/*.yaml", &rules.join("*.yaml").display().to_string()),
                ("127.0.0.1:8081", target),
                ("127.0.0.1:9093", &format!("127.0.0.1:{alertmanager}")),
            ],
        );
        adapted(
            &deploy.join("alertmanager/alertmanager.yaml"),
            &dir.path().join("alertmanager.yaml"),
            &[
                ("127.0.0.1:9095", &format!("127.0.0.1:{receiver}")),
                ("group_wait: 30s", "group_wait: 1s"),
                // As here too: long enough for what explains an alert to come after it.
                ("group_wait: 1m", "group_wait: 5s"),
                ("group_interval: 5m", "group_interval: 1s"),
            ],
        );
        let place = |name: &str| dir.path().join(name).display().to_string();
        let servers = vec![
            server(
                "alertmanager",
                dir.path(),
                &[
                    format!("--config.file={}", place("alertmanager.yaml")),
                    format!("--storage.path={}", place("alertmanager")),
                    format!("--web.listen-address=127.0.0.1:{alertmanager}"),
                    "--cluster.listen-address=".to_owned(),
                ],
            ),
            server(
                "prometheus",
                dir.path(),
                &[
                    format!("--config.file={}", place("prometheus.yaml")),
                    format!("--storage.tsdb.path={}", place("prometheus")),
                    format!("--web.listen-address=127.0.0.1:{prometheus}"),
                    // What is found before it knows of Alertmanager is sent again after a minute.
                    "--rules.alert.resend-delay=1s".to_owned(),
                ],
            ),
        ];
        for (name, port) in [("alertmanager", alertmanager), ("prometheus", prometheus)] {
            let begun = Instant::now();
            while ureq::get(format!("http://127.0.0.1:{port}/-/ready")).call().is_err() {
                let said = || fs::read_to_string(dir.path().join(format!("{name}.log")));
                assert!(begun.elapsed() < START, "{name} is not ready: {}", said().expect("a log"));
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let (prometheus, alertmanager) = (at(prometheus), at(alertmanager));
        Self { notices, prometheus, alertmanager, servers, _dir: dir }
    }

    /// What has come so far.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.lock().expect("no panic").clone()
    }

    /// Waits for a notice of an alert in a state.
    pub fn wait_for(&self, state: &str, labels: &[(&str, &str)], patience: Duration) -> Notice {
        let fits = |notice: &Notice| {
            let is = |(label, value): &(&str, &str)| notice.alert["labels"][*label] == **value;
            notice.alert["status"] == state && labels.iter().all(is)
        };
        wait_until(&format!("{labels:?} to be {state}"), patience, || {
            self.notices().iter().any(fits)
        });
        self.notices().into_iter().find(fits).expect("waited for")
    }

    /// Tells Alertmanager of an alert as if Prometheus had found it, until this instant.
    pub fn post(&self, labels: &Value, until: &str) {
        let alerts = json!([{"labels": labels, "endsAt": until}]);
        let url = format!("{}/api/v2/alerts", self.alertmanager);
        ureq::post(url).send_json(alerts).expect("Alertmanager takes it");
    }

    /// The labels of every alert that Alertmanager tells nobody of because of another one.
    pub fn inhibited(&self) -> Vec<Value> {
        let url = format!("{}/api/v2/alerts", self.alertmanager);
        let reply: Value =
            ureq::get(url).call().expect("an answer").body_mut().read_json().expect("JSON");
        let alerts = reply.as_array().expect("alerts").iter();
        let inhibited = alerts.filter(|alert| {
            alert["status"]["inhibitedBy"].as_array().is_some_and(|by| !by.is_empty())
        });
        inhibited.map(|alert| alert["labels"].clone()).collect()
    }

    /// The result of a query.
    pub fn query(&self, query: &str) -> Vec<Value> {
        let mut reply = ureq::get(format!("{}/api/v1/query", self.prometheus))
            .query("query", query)
            .call()
            .expect("an answer");
        let reply: Value = reply.body_mut().read_json().expect("JSON");
        reply["data"]["result"].as_array().expect("a vector").clone()
    }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Copies a file with each of these texts, which must be there, replaced.
fn adapted(from: &Path, to: &Path, changes: &[(&str, &str)]) {
    let mut text = fs::read_to_string(from).expect("text");
    for (old, new) in changes {
        assert!(text.contains(old), "{} no longer holds {old:?}", from.display());
        text = text.replace(old, new);
    }
    fs::write(to, text).expect("written");
}

fn server(program: &str, dir: &Path, arguments: &[String]) -> Child {
    let log = fs::File::create(dir.join(format!("{program}.log"))).expect("a file");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("{program}: {error}; make setup brings it"))
}

/// Listens for what Alertmanager posts, on a thread that ends with the process.
fn receive() -> (Arc<Mutex<Vec<Notice>>>, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let notices = Arc::new(Mutex::new(Vec::new()));
    let kept = notices.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let notices = kept.clone();
            std::thread::spawn(move || while take(&stream, &notices).is_some() {});
        }
    });
    (notices, port)
}

/// Takes one request off a connection; `None` at its end.
fn take(stream: &TcpStream, notices: &Mutex<Vec<Notice>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|length| *length > 0)?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).expect("Alertmanager posts JSON");
    let alerts = body["alerts"].as_array().expect("alerts").iter();
    let at = Instant::now();
    let came = alerts.map(|alert| Notice { path: path.clone(), at, alert: alert.clone() });
    notices.lock().expect("no panic").extend(came);
    reader.into_inner().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}
