//! The Dockerfile: it cannot be built without an engine, but what it names exists, and what it sets is
//! what the program takes.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::container::{Container, Localized};
use super::{repository, stdout};

/// What an image says of the containers made of it.
pub struct Image {
    pub environment: BTreeMap<String, String>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub volume: String,
    pub healthcheck: Vec<String>,
}

/// An instruction and its words.
struct Instruction {
    name: String,
    rest: String,
}

/// The stages, each a list of instructions that begins with `FROM`.
fn stages() -> Vec<Vec<Instruction>> {
    let text = fs::read_to_string(repository().join("deploy/Dockerfile")).expect("the Dockerfile");
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let mut stages: Vec<Vec<Instruction>> = Vec::new();
    for line in joined.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(' ').expect("an instruction and more");
        let instruction = Instruction { name: name.to_owned(), rest: rest.trim().to_owned() };
        if name == "FROM" {
            stages.push(Vec::new());
        }
        stages.last_mut().expect("FROM comes first").push(instruction);
    }
    stages
}

fn rest<'a>(stage: &'a [Instruction], name: &str) -> &'a str {
    let found = stage.iter().rev().find(|instruction| instruction.name == name);
    &found.unwrap_or_else(|| panic!("no {name}")).rest
}

fn json_list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl Image {
    /// That of the last stage.
    pub fn read() -> Self {
        let stages = stages();
        let stage = stages.last().expect("a stage");
        let variables = stage.iter().filter(|instruction| instruction.name == "ENV");
        let environment = variables
            .flat_map(|instruction| instruction.rest.split_whitespace())
            .map(|pair| pair.split_once('=').expect("NAME=VALUE"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let (_, healthcheck) = rest(stage, "HEALTHCHECK").split_once("CMD").expect("CMD");
        Self {
            environment,
            entrypoint: json_list(rest(stage, "ENTRYPOINT")),
            command: json_list(rest(stage, "CMD")),
            volume: rest(stage, "VOLUME").to_owned(),
            healthcheck: json_list(healthcheck.trim()),
        }
    }
}

/// The sources of every `COPY` out of the repository.
fn copied(stage: &[Instruction]) -> Vec<(Vec<&str>, &str)> {
    let copies = stage.iter().filter(|i| i.name == "COPY" && !i.rest.starts_with("--from"));
    copies
        .map(|instruction| {
            let mut words: Vec<&str> = instruction.rest.split_whitespace().collect();
            let target = words.pop().expect("a target");
            (words, target)
        })
        .collect()
}

#[test]
fn the_image_copies_what_git_has_and_the_context_lets_through() {
    let stages = stages();
    let ignored = fs::read_to_string(repository().join(".dockerignore")).expect("a file");
    let passes = |name: &str| ignored.lines().any(|line| line == format!("!{name}"));
    assert!(ignored.lines().any(|line| line == "*"), "the context is a list of what passes");
    for (sources, _) in stages.iter().flat_map(|stage| copied(stage)) {
        assert!(!sources.is_empty());
        for source in sources {
            let mut git = Command::new("git");
            git.current_dir(repository()).args(["ls-files", "--", source]);
            assert!(!stdout(&mut git).is_empty(), "git has no {source}");
            let top = source.split('/').next().expect("a name");
            assert!(passes(top), ".dockerignore keeps {source} out");
        }
    }
}

#[test]
fn the_image_is_built_for_the_system_that_it_runs_on() {
    let stages = stages();
    let bases: Vec<&str> = stages.iter().map(|stage| rest(stage, "FROM")).collect();
    // Debian 12 is bookworm: a newer C library in the builder would be missing at the start.
    let builder = format!("rust:{}-bookworm AS builder", env!("CARGO_PKG_RUST_VERSION"));
    assert!(bases[0] == builder && bases[1].starts_with("debian:12."), "{bases:?}");
}

#[test]
fn the_image_builds_a_binary_and_features_that_exist() {
    let stages = stages();
    let builder = &stages[0];
    // The first layer: manifests and empty crates. Cargo must take them for the same workspace.
    let skeleton = tempfile::tempdir().expect("a temporary directory");
    let layer = builder.iter().position(|i| i.name == "RUN").expect("a first build");
    let layer = &builder[..=layer];
    for (sources, target) in copied(layer) {
        let target = skeleton.path().join(target);
        fs::create_dir_all(&target).expect("a directory");
        for source in sources {
            let name = source.rsplit('/').next().expect("a name");
            fs::copy(repository().join(source), target.join(name)).expect("copied");
        }
    }
    let steps = rest(layer, "RUN").split_once("&& cargo ");
    let (make, build) = steps.expect("a build after the empty crates");
    stdout(Command::new("sh").current_dir(skeleton.path()).args(["-c", make]));

    let (_, again) = rest(builder, "RUN").split_once("&& cargo ").expect("a build");
    assert_eq!(build, again, "both layers build the same");
    let words: Vec<&str> = build.split_whitespace().collect();
    let after = |flag: &str| {
        let at = words.iter().position(|word| *word == flag);
        words[at.unwrap_or_else(|| panic!("no {flag} in {build}")) + 1]
    };
    assert!(words.contains(&"--locked") && words.contains(&"--release"), "{build}");

    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(skeleton.path()).args(["metadata", "--format-version=1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&stdout(&mut cargo)).expect("JSON");
    let packages = super::list(&metadata, "/packages");
    let package = packages.iter().find(|package| package["name"] == after("-p"));
    let package = package.expect("the package");
    for feature in after("--features").split(',') {
        assert!(package["features"][feature].is_array(), "the package has no feature {feature}");
    }
    let target = |target: &&Value| target["kind"][0] == "bin";
    let binary = super::list(package, "/targets").iter().find(target).expect("a binary");
    let image = Image::read();
    let name = super::text(binary, "/name");
    assert_eq!(image.entrypoint, [name]);
    let copied = format!("/build/target/release/{name} /usr/local/bin/{name}");
    let last = stages.last().expect("a stage");
    assert!(last.iter().any(|i| i.name == "COPY" && i.rest.ends_with(&copied)), "{copied}");
}

#[test]
fn the_image_refuses_to_show_its_figures_to_everybody() {
    let localized = Localized::new();
    let image = Image::read();
    let source = ("TALLYHOOK_SOURCES__SHOPIFY__SECRETS", "hush");
    let container = Container::of_image("bare", &image).with(&[source]);
    // As the image says it, and not on loopback: nothing is started by a check.
    let check = |container: &Container| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tallyhook"));
        command.env_clear().envs(&container.environment).current_dir(localized.path());
        command.args(["config", "check"]).output().expect("the binary starts")
    };
    let output = check(&container);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{message}");
    assert!(message.contains("admin.token"), "{message}");

    let output = check(&container.with(&[("TALLYHOOK_ADMIN__TOKEN", "t0ken")]));
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_container_of_the_image_is_healthy() {
    let mut localized = Localized::new();
    let container = Container::of_image("alone", &Image::read()).with(&[
        ("TALLYHOOK_SOURCES__SHOPIFY__SECRETS", crate::support::SECRET),
        ("TALLYHOOK_ADMIN__TOKEN", super::container::TOKEN),
    ]);
    let server = localized.start(&container);
    localized.assert_healthy(&container, &server);
    super::container::assert_counts(&[&server], &[&server], "a.myshopify.com");
}
