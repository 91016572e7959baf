//! Every sample body of the fixtures, signed and posted: none is refused, none ends the process, and
//! nobody's name, address or e-mail is on the disk afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Delivery, Home, golden, testdata};

/// Marks of persons that the bodies hold.
const PERSONAL: [&str; 9] = [
    "@example.com",
    "@mail.example.com",
    "Sample Buyer",
    "203.0.113.7",
    "Bob Norman",
    "Steve Shipper",
    "123 Elm St",
    "Chestnut Street",
    "555-625-1199",
];

/// `shape-only/orders_create__1.json` is a body of `orders/create`.
fn topic(file: &str) -> String {
    let name = file.rsplit('/').next().expect("a name");
    let (topic, _) = name.split_once("__").expect("a name with a number");
    let (resource, action) = match topic {
        "customers_data_request" => ("customers", "data_request"),
        "orders_link_requested" => ("orders", "link_requested"),
        "orders_partially_fulfilled" => ("orders", "partially_fulfilled"),
        _ => topic.rsplit_once('_').expect("a resource and an action"),
    };
    format!("{resource}/{action}")
}

/// `webhooks_total` that must result: outcome and how often, of the table that `ingest` is held to.
fn expected() -> BTreeMap<String, u64> {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ingest/tests/fixtures-table.tsv");
    let table = std::fs::read_to_string(table).expect("the table");
    let mut outcomes = BTreeMap::new();
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let outcome = match columns[2] {
            "ignored" => "ignored",
            dead if dead.starts_with("dead_letter") => "dead_letter",
            _ => "accepted",
        };
        *outcomes.entry(outcome.to_owned()).or_default() += 1;
    }
    outcomes
}

/// `webhooks_total` as `/metrics` has it.
fn counted(metrics: &str) -> BTreeMap<String, u64> {
    let mut outcomes = BTreeMap::new();
    for sample in metrics.lines().filter(|line| line.starts_with("tallyhook_webhooks_total{")) {
        let (labels, count) = sample.rsplit_once(' ').expect("a sample");
        let (_, outcome) = labels.split_once("outcome=\"").expect("an outcome");
        let outcome = outcome.split('"').next().expect("a label").to_owned();
        let count: u64 = count.parse().expect("a count");
        if count > 0 {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    outcomes
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn every_fixture_is_answered_and_no_person_is_kept() {
    let root = testdata().join("fixtures/shopify");
    let mut files: Vec<String> = files_below(&root)
        .iter()
        .map(|path| path.strip_prefix(&root).expect("below").to_string_lossy().into_owned())
        .filter(|file| !file.starts_with("fragments/"))
        .collect();
    // What they are is known; in which order they come is not.
    files.sort_by_key(|file| file.chars().rev().collect::<String>());
    assert_eq!(u64::try_from(files.len()).expect("few"), expected().values().sum::<u64>());
    let bodies: Vec<String> =
        files.iter().map(|file| golden(&format!("fixtures/shopify/{file}"))).collect();
    for mark in PERSONAL {
        assert!(bodies.iter().any(|body| body.contains(mark)), "no body holds {mark}");
    }

    let home = Home::new();
    let server = home.serve();
    for (file, body) in files.iter().zip(&bodies) {
        let delivery = Delivery::raw("a.myshopify.com", &topic(file), body.clone().into_bytes());
        let reply = server.try_deliver(&delivery.id(format!("fixture {file}")));
        assert_eq!((reply.status, &*reply.body), (200, ""), "{file}");
    }
    server.settle();
    let metrics = server.get("/metrics").body;
    assert_eq!(counted(&metrics), expected());
    assert_eq!(server.get("/livez").status, 200);
    let messages = server.messages();
    server.stop();

    let events = home.events();
    let kinds: usize = events.iter().filter(|event| event["body"]["order"].is_object()).count();
    assert_eq!(kinds, 24, "orders in the log");
    let dump = home.stdout(&["log", "dump", "--json"]);
    assert!(!dump.contains('@'), "an e-mail in the log");
    let on_disk = files_below(&home.path("data"));
    assert!(!on_disk.is_empty());
    for mark in PERSONAL {
        assert!(!dump.contains(mark), "{mark} in the log");
        assert!(!messages.contains(mark), "{mark} on stderr");
        let kept = |path: &&PathBuf| {
            let bytes = std::fs::read(path).expect("a file");
            bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
        };
        let found = on_disk.iter().find(kept);
        assert!(found.is_none(), "{mark} in {found:?}");
    }
    home.assert_rebuilds();
}
