//! Folds that keep their names over restarts, as the pods of a stateful set do.

use std::time::Duration;

use crate::kill::numbered;
use crate::support::{Home, Kafka, Redis};

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn a_fold_whose_name_another_takes_ends_and_says_so() {
    let (kafka, redis) = (Kafka::start(), Redis::start());
    let home = Home::with(&format!(
        "[privacy]\npseudonym_key = \"{KEY}\"\n\
         [kafka]\nbrokers = [\"{}\"]\nreplication = 1\nallow_unsafe = true\n\
         [redis]\nurl = \"{}\"\n",
        kafka.broker(1),
        redis.url()
    ));
    home.stdout(&["topics", "apply"]);
    let ingest = home.process(&["ingest"], "ingest", &["public", "admin"]);
    let fold =
        |name: &str| home.process_with(&[("POD_NAME", "fold-0")], &["aggregate"], name, &["admin"]);
    let mut elder = fold("elder");
    ingest.deliver_again(&[numbered(0)]);
    elder.settle();

    let younger = fold("younger");
    let status = elder.wait(Duration::from_mins(1));
    assert_eq!(status.code(), Some(1), "{}", elder.messages());
    let expected = "another process is the member fold-0 of the consumer group now; give every \
                    process a POD_NAME of its own, or none";
    let last = elder.messages().lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("error: ") && last.contains(expected), "{}", elder.messages());

    // The one that took its place goes on alone.
    ingest.deliver_again(&[numbered(5)]);
    younger.settle();
    younger.kpis("shop-0.example", None).check("all", &[("orders", "2")]);
    assert!(!younger.messages().contains(expected), "{}", younger.messages());
    younger.stop();
}
