//! The Compose file: its services run, in both shapes, with the Kafka and the Redis that it describes.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::container::{Container, Localized, TOKEN, assert_counts};
use super::image::Image;
use super::{list, repository, stdout, text, tool};
use crate::support::{SECRET, Server, wait_until};

/// How long Kafka or Redis may take to listen on a loaded machine.
const START: Duration = Duration::from_mins(1);

/// The file as Compose understands it, with the secrets of the environment.
struct Compose {
    services: Value,
}

impl Compose {
    fn read(profile: &str) -> Self {
        let deploy = repository().join("deploy");
        let mut command = tool("docker-compose");
        command.env("SHOPIFY_SECRET", SECRET).env("TALLYHOOK_TOKEN", TOKEN);
        command.env("PSEUDONYM_KEY", "0123456789abcdef0123456789abcdef");
        // A developer's own .env is none of the test's business.
        command.arg("--env-file").arg(deploy.join(".env.example"));
        command.arg("-f").arg(deploy.join("compose.yaml"));
        command.args(["--profile", profile, "config", "--format", "json"]);
        let config: Value = serde_json::from_str(&stdout(&mut command)).expect("JSON");
        Self { services: config["services"].clone() }
    }

    fn service(&self, name: &str) -> &Value {
        self.services.get(name).unwrap_or_else(|| panic!("no service {name}"))
    }

    /// The containers of a service of ours.
    fn containers(&self, name: &str) -> Vec<Container> {
        let service = self.service(name);
        let image = Image::read();
        let replicas = service.pointer("/deploy/replicas").and_then(Value::as_u64).unwrap_or(1);
        let made = (1..=replicas).map(|number| {
            let mut made = Container::of_image(&format!("{name}-{number}"), &image);
            assert!(service["entrypoint"].is_null(), "{service:#}");
            let words = list(service, "/command").iter().map(|word| text(word, "").to_owned());
            made.command = image.entrypoint.iter().cloned().chain(words).collect();
            made.environment.extend(variables(service));
            for volume in list(service, "/volumes") {
                made.mounts.insert(text(volume, "/target").to_owned(), BTreeMap::new());
            }
            made
        });
        let made: Vec<Container> = made.collect();
        for port in list(service, "/ports") {
            let target = port["target"].as_u64().expect("a port");
            let listens = |listener| made[0].port(listener).map(u64::from) == Some(target);
            assert!(listens("public") || listens("admin"), "nobody listens on {target}: {name}");
            // Everything beside the webhooks is for this machine alone.
            assert!(listens("public") || port["host_ip"] == "127.0.0.1", "{port}");
            let published = text(port, "/published");
            let (first, last) = published.split_once('-').unwrap_or((published, published));
            let number = |text: &str| text.parse::<u64>().expect("a port");
            assert!(number(last) - number(first) + 1 >= replicas, "{published} for {replicas}");
        }
        made
    }
}

fn variables(service: &Value) -> BTreeMap<String, String> {
    let variables = service["environment"].as_object().expect("variables").iter();
    variables.map(|(name, value)| (name.clone(), text(value, "").to_owned())).collect()
}

/// A service of others, ended with the value that stands for it.
struct Other {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Other {
    fn spawn(mut command: Command, port: u16, dir: TempDir) -> Self {
        let log = fs::File::create(dir.path().join("log")).expect("a file");
        let errors = log.try_clone().expect("a file");
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let mut other = Self { child: child.expect("it starts"), port, dir };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        wait_until("it to listen", START, || {
            assert!(other.child.try_wait().expect("a child of ours").is_none(), "{}", other.log());
            TcpStream::connect(address).is_ok()
        });
        other
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Redis with the command of the file.
fn redis(compose: &Compose, port: u16) -> Other {
    let service = compose.service("redis");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let words: Vec<&str> = list(service, "/command").iter().map(|word| text(word, "")).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.arg("--dir").arg(dir.path());
    let redis = Other::spawn(command, port, dir);
    let test: Vec<&str> = list(service, "/healthcheck/test").iter().map(|w| text(w, "")).collect();
    let ["CMD", program, arguments @ ..] = &*test else { panic!("{test:?}") };
    let mut check = Command::new(program);
    check.args(["-p", &port.to_string()]).args(arguments);
    assert_eq!(stdout(&mut check).trim(), "PONG");
    redis
}

/// Kafka with the settings that its image makes of the file's environment: `KAFKA_LOG_DIRS` is
/// `log.dirs`. Only ports, its own address and the directory are this machine's.
fn kafka(compose: &Compose, (port, controller): (u16, u16)) -> Other {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let variables = variables(compose.service("kafka"));
    let here = |value: &str| {
        value
            .replace("://kafka:9092", &format!("://127.0.0.1:{port}"))
            .replace("://:9092", &format!("://127.0.0.1:{port}"))
            .replace("://:9093", &format!("://127.0.0.1:{controller}"))
            .replace("localhost:9093", &format!("127.0.0.1:{controller}"))
            .replace("/var/lib/kafka", dir.path().to_str().expect("text"))
    };
    let settings = variables.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("KAFKA_")?.to_lowercase().replace('_', ".");
        Some(format!("{name}={}\n", here(value)))
    });
    let properties = dir.path().join("server.properties");
    fs::write(&properties, settings.collect::<String>()).expect("written");
    let volume = list(compose.service("kafka"), "/volumes").iter();
    let data = variables["KAFKA_LOG_DIRS"].as_str();
    assert!(volume.into_iter().any(|volume| volume["target"] == data), "data outside of a volume");

    let properties = properties.to_str().expect("text");
    let mut format = kafka_class("kafka.tools.StorageTool");
    format.args(["format", "-t", &variables["CLUSTER_ID"], "-c", properties]);
    stdout(&mut format);
    let mut broker = kafka_class("kafka.Kafka");
    broker.arg(properties);
    Other::spawn(broker, port, dir)
}

fn kafka_class(name: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/dev/kafka.sh");
    let mut command = Command::new("bash");
    command.arg(script).args(["tool", name]).stdin(Stdio::null());
    command
}

#[test]
fn compose_runs_one_container() {
    let compose = Compose::read("none");
    let names: Vec<&String> = compose.services.as_object().expect("services").keys().collect();
    assert_eq!(names, ["tallyhook"], "one container unless a profile asks for more");
    let [container] = &*compose.containers("tallyhook") else { panic!("one container") };
    let mut localized = Localized::new();
    let server = localized.start(container);
    localized.assert_healthy(container, &server);
    assert_counts(&[&server], &[&server], "a.myshopify.com");
}

#[test]
fn compose_runs_the_distributed_shape() {
    let compose = Compose::read("kafka");
    let mut localized = Localized::new();
    let mut port = || localized.free_port();
    let redis = redis(&compose, port());
    let kafka = kafka(&compose, (port(), port()));
    localized.stand_in("redis:6379", &redis.address());
    localized.stand_in("kafka:9092", &kafka.address());

    let [topics] = &*compose.containers("topics") else { panic!("one container") };
    let output = localized.run(topics);
    assert!(output.status.success(), "{output:?}");
    let mut started = |name: &str| -> Vec<Server> {
        let containers = compose.containers(name);
        let start = |container: &Container| {
            let server = localized.start(container);
            localized.assert_healthy(container, &server);
            server
        };
        containers.iter().map(start).collect()
    };
    let (receivers, folds) = (started("ingest"), started("aggregate"));
    assert_eq!((receivers.len(), folds.len()), (1, 2));
    let receivers: Vec<&Server> = receivers.iter().collect();
    let folds: Vec<&Server> = folds.iter().collect();
    assert_counts(&receivers, &folds, "a.myshopify.com");
}
