//! `deploy/check.sh`, which `make lint` runs: each of its checks passes a copy of what we deploy with,
//! and refuses a broken one.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::repository;

/// What the checks look at.
const LOOKED_AT: [&str; 2] = ["deploy", "helm"];

/// Runs a check on a copy in which `from`, which must be there, is `to`.
fn checked(check: &str, file: &str, from: &str, to: &str) -> Output {
    let copy = tempfile::tempdir().expect("a temporary directory");
    for directory in LOOKED_AT {
        copy_all(&repository().join(directory), &copy.path().join(directory));
    }
    let path = copy.path().join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(text.contains(from), "{file} no longer holds {from:?}");
    fs::write(&path, text.replacen(from, to, 1)).expect("written");
    let mut command = Command::new("bash");
    command.arg(repository().join("deploy/check.sh")).arg("--root").arg(copy.path()).arg(check);
    command.output().expect("bash runs")
}

fn refuses(check: &str, file: &str, (from, to): (&str, &str), expected: &str) {
    let output = checked(check, file, from, to);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!output.status.success(), "{check} passes {to:?} in {file}:\n{said}");
    assert!(
        said.contains(expected),
        "{check} on {to:?} in {file} does not say {expected:?}:\n{said}"
    );
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        // The chart links to the rules.
        if fs::metadata(entry.path()).expect("a type").is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn what_is_deployed_with_passes_its_checks() {
    for check in ["dockerfile", "compose", "chart", "manifests", "alerts", "boards"] {
        let output = checked(check, "deploy/Dockerfile", "FROM ", "FROM ");
        assert!(output.status.success(), "{check}: {output:?}");
    }
}

#[test]
fn a_broken_dockerfile_is_refused() {
    let refuses = |change, expected| refuses("dockerfile", "deploy/Dockerfile", change, expected);
    refuses(("FROM debian:12.13-slim", "FROM debian:latest"), "DL3007");
    refuses(("FROM debian:12.13-slim", "FROM debian"), "DL3006");
    refuses(("\nUSER 10001:10001", "\nUSER root"), "DL3002");
    refuses(("\nUSER 10001:10001", "\nUSER tallyhook"), "DL3066");
    refuses(("\nUSER 10001:10001", ""), "two numbers other than 0");
    refuses(("ENTRYPOINT [\"tallyhook\"]", "ENTRYPOINT tallyhook"), "DL3025");
}

#[test]
fn a_broken_compose_file_is_refused() {
    let refuses = |change, expected| refuses("compose", "deploy/compose.yaml", change, expected);
    refuses(("command: [serve]", "comand: [serve]"), "comand");
    refuses(("replicas: 2", "replicas: two"), "replicas");
    refuses(("topics: {condition: service_completed_successfully}", "topic: {}"), "topic");
    refuses(("- \"8090:8080\"", "- \"8090:http\""), "invalid containerPort: http");
}

#[test]
fn broken_values_are_refused() {
    let values = "helm/tallyhook/values.yaml";
    let refuses = |file, change, expected| refuses("chart", file, change, expected);
    refuses(values, ("mode: embedded", "mode: clustered"), "mode");
    refuses(values, ("partitions: 32", "partitons: 32"), "partitons");
    refuses(values, ("replicas: 2", "replicas: two"), "replicas");
    refuses(values, ("url: \"\"", "url: redis://user:password@redis:6379"), "url");
    let distributed = "helm/tallyhook/ci/distributed-values.yaml";
    let brokers = "brokers: [\"kafka-0.example:9092\", \"kafka-1.example:9092\"]";
    refuses(distributed, (brokers, "brokers: []"), "brokers");
    let embedded = "helm/tallyhook/ci/embedded-values.yaml";
    refuses(embedded, ("host: hooks.example.org", "host: \"\""), "host");
    refuses(embedded, ("secretKeys: [till-secret]", "secrets: [till-secret]"), "secrets");
}

#[test]
fn broken_alerts_are_refused() {
    let refuses = |file, change, expected| refuses("alerts", file, change, expected);
    let shops = "deploy/prometheus/rules/shops.yaml";
    refuses(shops, ("max by (shop, reason)", "max by (shop reason)"), "parse error");
    refuses(shops, ("day_to_month < 0.7", "day_to_month < 0.3"), "do not fire as their tests say");
    refuses(shops, (">= 20\n", ">= 2\n"), "TallyhookRefundSurge");
    let muted = ("unless on () tallyhook:history_moves:bool == 1", "");
    refuses(shops, muted, "TallyhookReturnSpike");
    let prometheus = "deploy/prometheus/prometheus.yaml";
    refuses(prometheus, ("scrape_interval: 15s", "scrape_every: 15s"), "scrape_every");
    let alertmanager = "deploy/alertmanager/alertmanager.yaml";
    refuses(alertmanager, ("receiver: merchants", "receiver: merchant"), "merchant");
    let route = ("matchers: [scope = \"shop\"]", "matchers: [scope = \"shops\"]");
    refuses(alertmanager, route, "does not reach merchants");
}

#[test]
fn boards_that_are_not_as_their_generator_and_the_rules_say_are_refused() {
    let refuses = |file, change| refuses("boards", file, change, "the boards are not what");
    refuses("deploy/prometheus/rules/pipeline.yaml", ("[15m]))) > 600", "[15m]))) > 900"));
    refuses("deploy/grafana/boards/tallyhook-service.json", ("\"s\"", "\"ms\""));
    refuses("deploy/grafana/generate.py", ("Customers who came back", "Customers"));
}

#[test]
fn broken_templates_are_refused() {
    let ingest = "helm/tallyhook/templates/ingest.yaml";
    let helpers = "helm/tallyhook/templates/_helpers.tpl";
    refuses("chart", ingest, ("{{- end }}\n{{- end }}", "{{- end }}"), "ingest.yaml");
    refuses("manifests", ingest, ("containerPort: 8080", "containerPort: public"), "containerPort");
    let grace = ("terminationGracePeriodSeconds", "terminationGracePeriod");
    refuses("manifests", helpers, grace, "terminationGracePeriod");
    let security = ("runAsNonRoot: true", "runAsNonRoot: maybe");
    refuses("manifests", helpers, security, "runAsNonRoot");
}
