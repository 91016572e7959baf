//! Receivers, Kafka, folds and Redis as processes of their own: the same figures as in one process.

use std::time::Duration;

use serde_json::Value;

use crate::kill::numbered;
use crate::simulate::{assert_equals_truth, simulate};
use crate::support::{Delivery, Home, Kafka, Redis, Server, wait_until};

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

/// Orders of some shops, most of them twice and none in order.
fn mixed() -> Vec<Delivery> {
    let numbers = (0..400u64).map(|number| number * 7919 % 300);
    numbers.map(numbered).collect()
}

/// The digest that `serve` has after the same deliveries under the same key.
fn alone(deliveries: &[Delivery]) -> Value {
    let home = Home::with(&format!("[privacy]\npseudonym_key = \"{KEY}\"\n"));
    let server = home.serve();
    server.take(deliveries);
    server.json("/v1/digest")["digest"].clone()
}

#[test]
fn the_figures_are_those_of_one_process() {
    let shape = Shape::start();
    let ingests = [shape.ingest(1), shape.ingest(2)];
    let mut folds = vec![shape.aggregate(1), shape.aggregate(2), shape.aggregate(3)];
    let digest = |fold: &Server| fold.json("/v1/digest")["digest"].clone();

    let deliveries = mixed();
    ingests[0].deliver(&deliveries[..250]);
    ingests[1].deliver(&deliveries[200..]);
    folds[0].settle();
    assert_eq!(digest(&folds[2]), alone(&deliveries), "distributed differs from embedded");

    let truth = simulate(&shape.home, &ingests[0], "150", "20");
    folds[0].settle();
    for fold in &folds {
        assert_equals_truth(fold, &truth);
    }

    // One fold is killed: the others take over its partitions and go on.
    folds[0].kill_now();
    folds.remove(0);
    let truth = simulate(&shape.home, &ingests[1], "150", "21");
    folds[0].settle();
    assert_equals_truth(&folds[1], &truth);

    // An emptied Redis is filled again from the log, by itself.
    let before = digest(&folds[0]);
    assert_eq!(shape.redis.command(&["flushall"]), "OK");
    wait_until("the state to be there again", Duration::from_mins(1), || {
        folds[0].json("/v1/status")["lag_events"] == 0 && digest(&folds[0]) == before
    });
}
