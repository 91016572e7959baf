//! The wire format against its golden file: what was ever written can be read, and is written the same.

use super::{Body, Event};

/// One event of every kind, schema 1. Never edited: a new schema gets a file of its own.
const VERSION_1: &str = include_str!("../../testdata/events/v1.jsonl");

#[test]
fn schema_1_reads_and_writes_as_ever() {
    let mut kinds = Vec::new();
    for line in VERSION_1.lines() {
        let event = Event::decode(line.as_bytes()).expect(line);
        let written = event.encode().expect("encodes");
        assert_eq!(String::from_utf8(written).expect("UTF-8"), line);
        kinds.push(event.body.kind());
    }
    let all = [
        "order",
        "order_deleted",
        "order_edited",
        "refund",
        "return",
        "return_updated",
        "checkout",
        "checkout_deleted",
        "customers_merged",
        "customer_redacted",
        "shop_redacted",
    ];
    assert_eq!(kinds, all);
}

/// The digest that breaks ties of version is part of the format: it is compared across rebuilds.
#[test]
fn digests_are_those_of_the_golden_file() {
    for line in VERSION_1.lines() {
        let event = Event::decode(line.as_bytes()).expect(line);
        assert_eq!(super::digest(&event.body), event.version.digest, "{}", event.body.kind());
    }
}

#[test]
fn refuses_a_newer_schema_by_its_number() {
    let newer = br#"{"schema":2,"shop":"a.example","something":"else"}"#;
    let error = Event::decode(newer).expect_err("a newer schema").to_string();
    assert!(error.contains("schema 2 is newer than 1"), "{error}");
    assert!(Event::decode(b"{}").is_err());
    assert!(Event::decode(b"\xff").is_err());
}

#[test]
fn fields_that_are_not_known_are_ignored() {
    let first = VERSION_1.lines().next().expect("a line");
    let more = first.replacen("{\"schema\":1,", "{\"schema\":1,\"later\":[1,{}],", 1);
    let event = Event::decode(more.as_bytes()).expect("reads");
    assert!(matches!(event.body, Body::Order(_)));
}
