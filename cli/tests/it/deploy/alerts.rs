//! The alerts: each has a runbook and a test in which it fires, and names only metrics that there are.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{list, rendered, repository, text};
use crate::metrics::{NAMES, OF_ALARMS};

/// What every runbook says.
const SECTIONS: [&str; 5] =
    ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation", "## False positives"];

/// All files of a directory, one after the other.
fn all_of(directory: &str) -> String {
    let files = fs::read_dir(repository().join(directory)).expect("a directory");
    let read =
        |file: std::io::Result<fs::DirEntry>| fs::read_to_string(file.expect("a file").path());
    files.map(|file| read(file).expect("text")).collect()
}

/// What follows `key` in the lines that hold it.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let after =
        |line: &'a str| line.split_once(key).map(|(_, value)| value.trim_matches([' ', '}']));
    text.lines().filter_map(after).collect()
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let rules = all_of("deploy/prometheus/rules");
    let alerts: BTreeSet<&str> = values(&rules, "- alert: ").into_iter().collect();
    assert!(alerts.len() >= 19, "{alerts:?}");
    let linked: BTreeSet<&str> =
        values(&rules, "runbook_url: docs/runbooks/").into_iter().collect();
    let files: BTreeSet<String> = alerts.iter().map(|alert| format!("{alert}.md")).collect();
    assert_eq!(linked, files.iter().map(String::as_str).collect(), "each links to its own");
    let runbooks = repository().join("docs/runbooks");
    let index = fs::read_to_string(runbooks.join("README.md")).expect("an index");
    for alert in &alerts {
        let runbook = fs::read_to_string(runbooks.join(format!("{alert}.md")));
        let runbook = runbook.unwrap_or_else(|error| panic!("{alert} has no runbook: {error}"));
        assert!(runbook.starts_with(&format!("# {alert}\n")), "{alert}");
        let missing: Vec<_> = SECTIONS.iter().filter(|one| !runbook.contains(**one)).collect();
        assert!(missing.is_empty(), "{alert} lacks {missing:?}");
        assert!(runbook.contains("```promql") || runbook.contains("```sh"), "{alert} has no query");
        assert!(index.contains(&format!("({alert}.md)")), "the index lacks {alert}");
    }
    for file in fs::read_dir(&runbooks).expect("a directory") {
        let name = file.expect("a file").file_name().into_string().expect("text");
        assert!(name == "README.md" || files.contains(&name), "{name} is of no alert");
    }
}

#[test]
fn the_chart_brings_all_of_them() {
    let set = "prometheusRule.enabled=true,prometheusRule.labels.release=stack";
    let objects = rendered(&["--set", set]);
    let is_rule = |object: &&Value| object["kind"] == "PrometheusRule";
    let found: Vec<&Value> = objects.iter().filter(is_rule).collect();
    let [found] = &*found else { panic!("{found:#?}") };
    assert_eq!(text(found, "/metadata/labels/release"), "stack");
    let rules = list(found, "/spec/groups").iter().flat_map(|group| list(group, "/rules"));
    let alerts: BTreeSet<&str> = rules.filter_map(|rule| rule["alert"].as_str()).collect();
    let written = all_of("deploy/prometheus/rules");
    assert_eq!(alerts, values(&written, "- alert: ").into_iter().collect());
    // What Prometheus fills in later is not Helm's to fill in.
    assert!(found.to_string().contains("{{ $labels.shop }}"), "{found:#}");
    assert!(!rendered(&[]).iter().any(|object| is_rule(&object)), "unless it is asked for");
}

#[test]
fn every_alert_has_a_test_in_which_it_fires() {
    let rules = all_of("deploy/prometheus/rules");
    let tests = all_of("deploy/prometheus/tests");
    for alert in values(&rules, "- alert: ") {
        let fires = format!("alertname: {alert}\n        exp_alerts:\n");
        assert!(tests.contains(&fires), "no test in which {alert} fires");
    }
}

#[test]
fn rules_and_runbooks_name_metrics_that_there_are() {
    let known: BTreeSet<String> =
        NAMES.iter().chain(&OF_ALARMS).map(|(name, _)| format!("tallyhook_{name}")).collect();
    for directory in ["deploy/prometheus/rules", "docs/runbooks"] {
        let text = all_of(directory);
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        let named = text.split(|c| !is_part(c)).filter(|word| word.starts_with("tallyhook_"));
        let named: BTreeSet<&str> = named.collect();
        assert!(named.len() > 15, "{named:?}");
        for name in named {
            let bare = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            assert!(known.contains(bare.unwrap_or(name)), "{directory} names {name}");
        }
    }
}
