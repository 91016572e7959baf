//! A container as a process of this machine: its command and environment as they are, but for its
//! addresses, its paths and the hosts beside it.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::image::Image;
use crate::support::{Clock, Delivery, Server, line, order, wait_until};

/// The admin token of every container.
pub const TOKEN: &str = "t0ken-of-the-containers";
/// Above Kafka's ports and below those that the system gives to others.
const PORTS: std::ops::Range<u16> = 31_000..32_700;
/// The contract: ready within 15 s of a start, here on a loaded machine.
const READY: Duration = Duration::from_mins(1);

/// What is run.
#[derive(Clone)]
pub struct Container {
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// Directories by their path inside, with the files that they come with.
    pub mounts: BTreeMap<String, BTreeMap<String, String>>,
    pub healthcheck: Vec<String>,
}

impl Container {
    /// What the image runs where nobody says more.
    pub fn of_image(name: &str, image: &Image) -> Self {
        Self {
            name: name.to_owned(),
            command: [&*image.entrypoint, &*image.command].concat(),
            environment: image.environment.clone(),
            mounts: BTreeMap::from([(image.volume.clone(), BTreeMap::new())]),
            healthcheck: image.healthcheck.clone(),
        }
    }

    /// The same with more variables.
    pub fn with(&self, variables: &[(&str, &str)]) -> Self {
        let mut more = self.clone();
        let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        more.environment.extend(variables);
        more
    }

    /// The port that a listener is told to take.
    pub fn port(&self, listener: &str) -> Option<u16> {
        let variable = format!("TALLYHOOK_{}__LISTEN", listener.to_uppercase());
        self.environment.get(&variable)?.rsplit_once(':')?.1.parse().ok()
    }

    /// The addresses that its command prints.
    fn addresses(&self) -> &'static [&'static str] {
        match self.command.get(1).map(String::as_str) {
            Some("serve" | "ingest") => &["public", "admin"],
            Some("aggregate") => &["admin"],
            other => panic!("{} runs {other:?}, which does not listen", self.name),
        }
    }
}

/// This machine in place of the containers' network and volumes.
pub struct Localized {
    dir: TempDir,
    /// Hosts of the containers' network, with their ports, and what stands in for them.
    hosts: Vec<(String, String)>,
    /// Free ports by container and the port that it believes to listen on.
    ports: BTreeMap<(String, String), u16>,
    free: Box<dyn Iterator<Item = u16>>,
}

impl Localized {
    pub fn new() -> Self {
        // Test binaries that run at the same time begin at different places.
        let begin = usize::try_from(std::process::id() % 40).expect("small") * 40;
        let free = PORTS
            .skip(begin)
            .filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { dir, hosts: Vec::new(), ports: BTreeMap::new(), free: Box::new(free) }
    }

    /// Lets `here` stand in for a host of the containers' network, with its port.
    pub fn stand_in(&mut self, host: &str, here: &str) {
        self.hosts.push((host.to_owned(), here.to_owned()));
    }

    /// A port that nobody else is given.
    pub fn free_port(&mut self) -> u16 {
        self.free.next().expect("a free port")
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts a container whose command listens, and waits until it is ready.
    pub fn start(&mut self, container: &Container) -> Server {
        let messages = self.dir.path().join(format!("{}.stderr", container.name));
        let command = self.command(container, &container.command);
        let mut server = Server::spawn(command, &messages, container.addresses());
        server.token = Some(TOKEN.to_owned());
        wait_until(&format!("{} to be ready", container.name), READY, || {
            server.get("/readyz").status == 200
        });
        server
    }

    /// Runs a container whose command ends.
    pub fn run(&mut self, container: &Container) -> Output {
        let command = &mut self.command(container, &container.command);
        command.output().expect("the binary starts")
    }

    /// Panics unless the container's own check finds it healthy, and says so of no other.
    pub fn assert_healthy(&mut self, container: &Container, server: &Server) {
        let output = self.command(container, &container.healthcheck).output();
        let output = output.expect("the binary starts");
        assert!(output.status.success(), "{}: {output:?}\n{}", container.name, server.messages());
        let nowhere = container.with(&[("TALLYHOOK_ADMIN__LISTEN", "0.0.0.0:1")]);
        let nowhere = Container { name: format!("not-{}", container.name), ..nowhere };
        let output = self.command(&nowhere, &nowhere.healthcheck).output();
        assert!(!output.expect("the binary starts").status.success(), "{}", nowhere.name);
    }

    fn command(&mut self, container: &Container, words: &[String]) -> Command {
        let root = self.dir.path().join(&container.name);
        for (path, files) in &container.mounts {
            let directory = inside(&root, path);
            fs::create_dir_all(&directory).expect("a directory");
            for (name, text) in files {
                fs::write(directory.join(name), text).expect("written");
            }
        }
        assert_eq!(words[0], "tallyhook", "{} runs another program", container.name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tallyhook"));
        command.env_clear().current_dir(&root).stdin(Stdio::null());
        for word in &words[1..] {
            command.arg(self.localized(container, &root, word));
        }
        for (name, value) in &container.environment {
            command.env(name, self.localized(container, &root, value));
        }
        command
    }

    /// A value as it must be here.
    fn localized(&mut self, container: &Container, root: &Path, value: &str) -> String {
        if let Some(port) = value.strip_prefix("0.0.0.0:") {
            let key = (container.name.clone(), port.to_owned());
            let free = &mut self.free;
            let port = self.ports.entry(key).or_insert_with(|| free.next().expect("a free port"));
            return format!("127.0.0.1:{port}");
        }
        if value.starts_with('/') {
            let below = |path: &&String| Path::new(value).starts_with(path);
            assert!(
                container.mounts.keys().any(|path| below(&path)),
                "{value} is on no volume of {}, and everything else is read-only",
                container.name
            );
            return inside(root, value).to_str().expect("text").to_owned();
        }
        let hosts = self.hosts.iter();
        hosts.fold(value.to_owned(), |value, (from, to)| value.replace(from, to))
    }
}

fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Posts one signed webhook to each receiver, and panics unless every fold counts them all.
pub fn assert_counts(receivers: &[&Server], folds: &[&Server], shop: &str) {
    for (id, receiver) in (1..).zip(receivers) {
        let body = order(id, id, &Clock::now().seconds_ago(60), &[line(id, 1, "12.50")]);
        receiver.deliver_again(&[Delivery::new(shop, "orders/create", &body)]);
    }
    for fold in folds {
        fold.settle();
        let kpis = fold.kpis(shop, None);
        assert_eq!(kpis.count("30d", "orders"), receivers.len() as u64, "{}", fold.messages());
    }
}
