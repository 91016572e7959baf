//! A temporary home of the program: its configuration, its data directory, its commands.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::client::SECRET;
use super::server::Server;

/// Where `serve` writes its messages.
const MESSAGES: &str = "serve.stderr";

/// How long a command may take to refuse, on a loaded machine.
const REFUSAL: Duration = Duration::from_mins(1);

/// A command that did not start.
#[derive(Debug)]
pub struct Refused {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it wrote to stderr.
    pub messages: String,
}

impl Refused {
    /// Whether it said so, whatever broke its lines.
    pub fn says(&self, text: &str) -> bool {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        flat(&self.messages).contains(&flat(text))
    }
}

/// Removed with all that is in it.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
}

impl Home {
    /// Any free ports, no token, one source `shopify` for every shop.
    pub fn new() -> Self {
        Self::with("")
    }

    /// The same with more configuration.
    pub fn with(more: &str) -> Self {
        Self::configured("listen = \"127.0.0.1:0\"\n", more)
    }

    /// The same with `admin` as the section `[admin]`.
    pub fn configured(admin: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = format!(
            "[public]\nlisten = \"127.0.0.1:0\"\n[admin]\n{admin}\n[data]\ndir = \"{data}\"\n\
             [sources.shopify]\nplatform = \"shopify\"\nsecrets = [\"{SECRET}\"]\n{more}\n",
            data = dir.path().join("data").display(),
        );
        std::fs::write(dir.path().join("tallyhook.toml"), config).expect("the configuration");
        Self { dir }
    }

    /// A path in the home.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The binary on this home, with nothing of this process's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tallyhook"));
        command.env_clear().current_dir(self.dir.path()).arg("--config");
        command.arg(self.path("tallyhook.toml")).args(arguments).stdin(Stdio::null());
        command
    }

    /// Starts `serve` and waits for its addresses.
    pub fn serve(&self) -> Server {
        Server::new(self.starting(), &self.path(MESSAGES), &["public", "admin"])
    }

    /// Starts another command that runs until it is stopped, and waits for the addresses it prints.
    pub fn process(&self, arguments: &[&str], name: &str, addresses: &[&str]) -> Server {
        self.process_with(&[], arguments, name, addresses)
    }

    /// The same with variables in its environment.
    pub fn process_with(
        &self,
        variables: &[(&str, &str)],
        arguments: &[&str],
        name: &str,
        addresses: &[&str],
    ) -> Server {
        let messages = self.path(&format!("{name}.stderr"));
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        Server::spawn(command, &messages, addresses)
    }

    /// Starts `serve` and waits for nothing.
    pub fn starting(&self) -> Child {
        let messages = File::options().create(true).append(true).open(self.path(MESSAGES));
        let mut command = self.command(&["serve"]);
        command.stdout(Stdio::piped()).stderr(messages.expect("a file"));
        command.spawn().expect("the binary starts")
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// Runs a command that would go on until it is stopped, and must refuse to start.
    pub fn refused(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Refused {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut code = None;
        let deadline = Instant::now() + REFUSAL;
        while code.is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
            code = child.try_wait().expect("a child of ours");
        }
        let started = code.is_none();
        if started {
            child.kill().expect("a child of ours");
        }
        let output = child.wait_with_output().expect("a child of ours");
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!started, "{arguments:?} started with {environment:?}: {messages}");
        Refused { code: output.status.code(), messages }
    }

    /// Runs a command that must succeed; its stdout.
    pub fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {:?}\n{errors}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// The same, read as JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.stdout(arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{text}"))
    }

    /// The events of the log.
    pub fn events(&self) -> Vec<Value> {
        let text = self.stdout(&["log", "dump", "--json"]);
        let event = |line: &str| {
            let line: Value = serde_json::from_str(line).expect("a JSON object a line");
            assert!(line["partition"].is_u64() && line["offset"].is_u64(), "{line}");
            line["event"].clone()
        };
        text.lines().map(event).collect()
    }

    /// Panics unless the state on disk is the one that the log makes; the digest of both.
    pub fn assert_rebuilds(&self) -> String {
        let live = self.json(&["digest", "--json"]);
        let rebuilt = self.json(&["rebuild", "--json"]);
        assert_eq!(live["digest"], rebuilt["digest"], "live and rebuilt state differ");
        assert_eq!(live["partitions"], rebuilt["partitions"]);
        let digest = live["digest"].as_str().expect("a digest").to_owned();
        let hex = digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(digest.len() == 16 && hex, "{digest}");
        digest
    }
}
