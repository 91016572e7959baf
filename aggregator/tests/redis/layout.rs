//! The layout in numbers: memory for a document, the largest key, the time of a commit.

use std::time::Instant;

use common::store::{Commit, Committed, Store};

use super::server::Server;
use super::support::open;

const DOCUMENTS: u64 = 100_000;
const BATCH: u64 = 1_000;
/// What a document of a hundred bytes that compress little may take, its key included.
const MOST_BYTES: u64 = 180;

#[test]
fn documents_are_small_and_no_key_is_large() {
    let server = Server::start(&[]);
    let empty = used_memory(&server);
    let store = open(&server.url(), "t");
    let begun = Instant::now();
    for base in (0..DOCUMENTS).step_by(usize::try_from(BATCH).expect("fits")) {
        let end = base + BATCH;
        let writes = (base..end).map(|number| (key(number), Some(document(number))));
        let commit = Commit { partition: 1, base, end, writes: writes.collect() };
        assert_eq!(store.commit(commit).expect("commits"), Committed::Done);
    }
    let took = begun.elapsed();
    let bytes = (used_memory(&server) - empty) / DOCUMENTS;
    let raw = key(0).len() + document(0).len();
    println!("{bytes} bytes a document of {raw} (key included), {DOCUMENTS} written in {took:?}");
    assert!(bytes <= MOST_BYTES, "{bytes} bytes a document");

    let (mut largest, mut keys) = (0, 0);
    let names: Vec<Vec<u8>> = redis_keys(&server);
    for name in &names {
        let name = std::str::from_utf8(name).expect("the names of this test are text");
        largest = largest.max(server.ask::<u64>(&["STRLEN", name]));
        keys += 1;
    }
    println!("{keys} keys, the largest of {largest} bytes");
    assert!(largest <= 64 * 1024, "a key of {largest} bytes");

    let snapshot = store.snapshot().expect("a snapshot");
    let mut seen = 0;
    let visit = &mut |found: &[u8], value: &[u8]| {
        assert_eq!(found, key(seen));
        assert_eq!(value, document(seen));
        seen += 1;
        std::ops::ControlFlow::Continue(())
    };
    snapshot.scan(1, b"shop.example\0O", b"shop.example\0P", visit).expect("scans");
    assert_eq!(seen, DOCUMENTS);
}

fn key(number: u64) -> Vec<u8> {
    [b"shop.example\0O".as_slice(), &(5_000_000_000 + number * 32_768).to_be_bytes()].concat()
}

/// A hundred bytes, half of them as good as random.
fn document(number: u64) -> Vec<u8> {
    let mut bytes = vec![7; 50];
    let mut word = number;
    while bytes.len() < 100 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    bytes.truncate(100);
    bytes
}

fn used_memory(server: &Server) -> u64 {
    let info: String = server.ask(&["INFO", "memory"]);
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("a line");
    line.trim().parse().expect("a number")
}

fn redis_keys(server: &Server) -> Vec<Vec<u8>> {
    server.ask(&["KEYS", "*"])
}
