//! Dead letters of the distributed shape: in Kafka, in the directory while it is down, retried from
//! wherever they are.

use std::time::Duration;

use serde_json::Value;

use crate::kill::numbered;
use crate::spool::{Shape, alone, digest};
use crate::support::{Delivery, wait_until};

/// A delivery that names no shop that could be one, so that a retry has to.
fn astray(number: u64) -> Delivery {
    Delivery { shop: "no domain".to_owned(), ..numbered(number) }
}

fn list(shape: &Shape) -> Vec<Value> {
    let listed = shape.home.json(&["dead-letter", "list", "--json"]);
    listed["dead_letters"].as_array().expect("letters").clone()
}

/// How many wait in the receiver's directory.
fn in_directory(shape: &Shape) -> usize {
    let entries = std::fs::read_dir(shape.home.path("data/dead-letters")).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "letter")).count()
}

#[test]
fn dead_letters_are_in_kafka_and_wait_where_it_is_down() {
    let shape = Shape::start("");
    let (ingest, fold) = (shape.ingest(), shape.aggregate());
    ingest.deliver(&[astray(1)]);
    // A broker that has just started may be too slow, and the letter waits for it in the directory.
    let minute = Duration::from_mins(1);
    wait_until("the letter to be in Kafka", minute, || in_directory(&shape) == 0);
    assert_eq!(list(&shape).len(), 1);

    shape.kafka.kill(1);
    ingest.deliver(&[astray(2), astray(3)]);
    assert_eq!(in_directory(&shape), 2, "durable before the answer");
    let silent = shape.home.run(&["dead-letter", "list"]);
    let said = String::from_utf8_lossy(&silent.stderr).into_owned();
    assert!(!silent.status.success() && said.contains("Kafka did not answer"), "{said}");
    shape.kafka.up();
    wait_until("letters to be forwarded", minute, || in_directory(&shape) == 0);

    // A broker that was killed shows what it has only once it knows that it leads again.
    wait_until("all letters to be shown", minute, || list(&shape).len() == 3);
    let letters = list(&shape);
    assert!(letters.iter().all(|letter| letter["reason"] == "bad_shop"), "{letters:?}");
    let ids: Vec<&str> = letters.iter().map(|letter| letter["id"].as_str().expect("id")).collect();
    let shown = shape.home.json(&["dead-letter", "show", ids[0], "--json"]);
    let body = String::from_utf8(astray(1).body).expect("text");
    assert_eq!(shown["body"].as_str(), Some(&*body));

    let still = shape.home.run(&["dead-letter", "retry", ids[0]]);
    assert!(!still.status.success(), "it still names no shop");
    assert_eq!(list(&shape).len(), 3);
    let first = shape.home.json(&["dead-letter", "retry", ids[0], "--shop", "a.example", "--json"]);
    assert_eq!((&first["done"], &first["events"]), (&true.into(), &1.into()));
    assert_eq!(list(&shape).len(), 2, "it is removed");
    shape.home.stdout(&["dead-letter", "retry", "--all", "--shop", "a.example"]);
    assert_eq!(list(&shape), [Value::Null; 0]);

    let named = |number| Delivery { shop: "a.example".to_owned(), ..numbered(number) };
    assert_eq!(digest(&fold), alone(&[named(1), named(2), named(3)]));
}
