//! Receivers, Kafka, folds and Redis as processes of their own: the same figures as in one process.

use std::time::Duration;

use serde_json::Value;

use crate::simulate::assert_equals_truth;
use crate::support::{Home, Kafka, Redis, SECRET, Server, wait_until};

/// Shared by all processes of the shape, and by the `serve` that they are compared with.
const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

/// The services and the configuration of the shape.
struct Shape {
    home: Home,
    // Dropped after the processes that use them.
    _kafka: Kafka,
    redis: Redis,
}

impl Shape {
    fn start() -> Self {
        let (kafka, redis) = (Kafka::start(), Redis::start());
        let home = Home::with(&format!(
            "[privacy]\npseudonym_key = \"{KEY}\"\n\
             [kafka]\nbrokers = [\"{}\"]\nreplication = 1\nallow_unsafe = true\n\
             [redis]\nurl = \"{}\"\n",
            kafka.broker,
            redis.url()
        ));
        home.stdout(&["topics", "apply"]);
        Self { home, _kafka: kafka, redis }
    }

    fn ingest(&self, number: u8) -> Server {
        let data = format!("ingest-{number}");
        self.home.process(&["ingest", "--data-dir", &data], &data, &["public", "admin"])
    }

    fn aggregate(&self, number: u8) -> Server {
        let name = format!("aggregate-{number}");
        self.home.process(&["aggregate"], &name, &["admin"])
    }
}

/// Sends two simulated shops and writes down what must result.
fn simulate(home: &Home, server: &Server, seed: &str) -> Value {
    let file = home.path(&format!("truth-{seed}.json"));
    let url = format!("{}/webhooks/shopify", server.public);
    home.stdout(&[
        "simulate",
        "--url",
        &url,
        "--secret",
        SECRET,
        "--shops",
        "2",
        "--orders",
        "150",
        "--seed",
        seed,
        "--faults",
        "dup,reorder,late,retry",
        "--truth",
        file.to_str().expect("text"),
    ]);
    let truth = std::fs::read_to_string(file).expect("the truth");
    serde_json::from_str(&truth).expect("json")
}

#[test]
fn the_figures_are_those_of_one_process() {
    let shape = Shape::start();
    let ingests = [shape.ingest(1), shape.ingest(2)];
    let mut folds = vec![shape.aggregate(1), shape.aggregate(2), shape.aggregate(3)];
    let truths =
        [simulate(&shape.home, &ingests[0], "20"), simulate(&shape.home, &ingests[1], "21")];
    folds[0].settle();
    for fold in &folds {
        for truth in &truths {
            assert_equals_truth(fold, truth);
        }
    }
    let digest = folds[0].json("/v1/digest")["digest"].clone();

    let alone = Home::with(&format!("[privacy]\npseudonym_key = \"{KEY}\"\n"));
    let server = alone.serve();
    for seed in ["20", "21"] {
        simulate(&alone, &server, seed);
    }
    server.settle();
    assert_eq!(server.json("/v1/digest")["digest"], digest, "distributed differs from embedded");

    // One fold is killed: the others take over its partitions and go on.
    folds[0].kill_now();
    folds.remove(0);
    let more = simulate(&shape.home, &ingests[0], "22");
    folds[0].settle();
    assert_equals_truth(&folds[1], &more);

    // An emptied Redis is filled again from the log, by itself.
    assert_eq!(shape.redis.command(&["flushall"]), "OK");
    simulate(&shape.home, &ingests[0], "23");
    wait_until("the state to be there again", Duration::from_secs(60), || {
        folds[0].json("/v1/status")["lag_events"] == 0
    });
    for seed in ["22", "23"] {
        simulate(&alone, &server, seed);
    }
    server.settle();
    assert_eq!(server.json("/v1/digest")["digest"], folds[0].json("/v1/digest")["digest"]);
}
