//! What the tests of the store share.

use std::time::Duration;

use aggregator::redis::{RedisOptions, RedisStore};
use common::store::{Commit, Committed, Manifest, Store};

/// A manifest like any other.
pub fn manifest() -> Manifest {
    Manifest {
        partitions: 32,
        partitioner: "murmur2".into(),
        fold_version: 1,
        pseudonym_key: "00".into(),
        shops: String::new(),
    }
}

/// Options with a short timeout.
pub fn options(url: &str) -> RedisOptions {
    RedisOptions { timeout: Duration::from_secs(3), ..RedisOptions::new(url) }
}

/// A store under `prefix`.
pub fn open(url: &str, prefix: &str) -> RedisStore {
    RedisStore::open(&options(url), prefix, &manifest()).expect("opens")
}

/// A commit to partition 1.
pub fn commit_of(base: u64, end: u64, writes: &[(&str, Option<&str>)]) -> Commit {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let writes = writes.iter().map(|(key, value)| (bytes(key), value.map(bytes))).collect();
    Commit { partition: 1, base, end, writes }
}

/// Commits to partition 1.
pub fn commit(
    store: &RedisStore,
    base: u64,
    end: u64,
    writes: &[(&str, Option<&str>)],
) -> Committed {
    store.commit(commit_of(base, end, writes)).expect("commits")
}

/// A value of partition 1.
pub fn get(store: &RedisStore, key: &str) -> Option<String> {
    let snapshot = store.snapshot().expect("a snapshot");
    let found = snapshot.get(1, key.as_bytes()).expect("reads");
    found.map(|bytes| String::from_utf8(bytes).expect("text"))
}
