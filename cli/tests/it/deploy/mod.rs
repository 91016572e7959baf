//! What Tallyhook is deployed with: each check refuses a broken copy, and what image, Compose and chart
//! say runs as processes of this machine.

mod alerts;
mod chart;
mod checks;
mod compose;
mod container;
mod image;
mod parts;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::tools;

/// The root of the repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// A program with the tests' tools before all others.
fn tool(program: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the tools' own PATH goes before it")]
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("env");
    command.arg(format!("PATH={}:{path}", tools().display())).arg(program).stdin(Stdio::null());
    command
}

/// The stdout of a tool that must succeed.
fn stdout(command: &mut Command) -> String {
    let output = command.output().expect("the tool starts: make setup brings it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// What the chart renders, object by object. Python reads the YAML with the library that the check of
/// the manifests brings: it is the dialect that Kubernetes reads.
fn rendered(arguments: &[&str]) -> Vec<Value> {
    let chart = repository().join("helm/tallyhook");
    let yaml = stdout(tool("helm").args(["template", "shop"]).arg(chart).args(arguments));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("rendered.yaml");
    std::fs::write(&file, yaml).expect("written");
    let script = "import json, sys, yaml\n\
                  print(json.dumps([o for o in yaml.safe_load_all(open(sys.argv[1])) if o]))";
    let modules = tools().join("../containers");
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", modules).args(["-c", script]).arg(&file);
    serde_json::from_str(&stdout(&mut python)).expect("JSON")
}

/// The list below a pointer; empty where there is nothing.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text below a pointer, which must be there.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer}: {value:#}"))
}
