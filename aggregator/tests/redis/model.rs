//! Random commits, reads and scans against a sorted map: splits of pages lose and double nothing.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use aggregator::redis::{RedisOptions, RedisStore};
use common::store::{Commit, Committed, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::server::Server;
use super::support::{manifest, options};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// A write: shop, kind, document, and the value's size unless it is removed.
type Write = (u8, u8, u16, Option<usize>);

/// What one case does.
#[derive(Clone, Debug)]
struct Case {
    commits: Vec<Vec<Write>>,
    bounds: Vec<(Vec<u8>, Vec<u8>)>,
    cache_bytes: usize,
    // Which of two stores makes which commit: now and then the partition changes hands.
    hands: u16,
}

#[test]
fn the_store_is_a_sorted_map() {
    let server = Server::alone();
    let mut runner =
        TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let number = Cell::new(0);
    let held = runner.run(&case(), |case| {
        number.set(number.get() + 1);
        holds(&server, &format!("model{}", number.get()), &case)
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

fn holds(server: &Server, prefix: &str, case: &Case) -> Result<(), TestCaseError> {
    let open = || {
        let options = RedisOptions { cache_bytes: case.cache_bytes, ..options(&server.url()) };
        RedisStore::open(&options, prefix, &manifest()).expect("opens")
    };
    let stores = [open(), open()];
    let mut model = Model::new();
    for (number, writes) in case.commits.iter().enumerate() {
        let store = &stores[usize::from(case.hands >> (number % 16) & 1)];
        let base = number as u64;
        let writes: Vec<_> = writes.iter().enumerate().map(|(n, one)| bytes(one, n)).collect();
        for (key, value) in &writes {
            match value {
                Some(value) => model.insert(key.clone(), value.clone()),
                None => model.remove(key),
            };
        }
        let commit = Commit { partition: 1, base, end: base + 1, writes };
        prop_assert_eq!(store.commit(commit).expect("commits"), Committed::Done);
    }
    stores.iter().try_for_each(|store| check(store, &model, &case.bounds))
}

fn check(
    store: &RedisStore,
    model: &Model,
    bounds: &[(Vec<u8>, Vec<u8>)],
) -> Result<(), TestCaseError> {
    let snapshot = store.snapshot().expect("a snapshot");
    let all: Vec<Vec<u8>> = (0..3)
        .flat_map(|shop| (0..3).map(move |kind| (shop, kind)))
        .flat_map(|(shop, kind)| (0..300).step_by(7).map(move |id| name(shop, kind, id)))
        .collect();
    let wanted: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    let found = snapshot.get_many(1, &wanted).expect("reads");
    for (key, value) in all.iter().zip(found) {
        prop_assert_eq!(value.as_ref(), model.get(key));
    }
    let whole = (Vec::new(), vec![0xff]);
    for (from, to) in bounds.iter().chain([&whole]) {
        let mut seen = Vec::new();
        let visit = &mut |key: &[u8], value: &[u8]| {
            seen.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        };
        snapshot.scan(1, from, to, visit).expect("scans");
        let expected: Vec<_> = model
            .iter()
            .filter(|(key, _)| from <= *key && *key < to)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        prop_assert_eq!(seen.len(), expected.len());
        prop_assert!(seen == expected);
    }
    Ok(())
}

fn case() -> impl Strategy<Value = Case> {
    let commits = prop::collection::vec(prop::collection::vec(write(), 1..400), 1..12);
    let bounds = prop::collection::vec((key(), key()), 4);
    let cache = prop::sample::select(vec![0_usize, 20_000, 1 << 20]);
    (commits, bounds, cache, any::<u16>()).prop_map(|(commits, bounds, cache_bytes, hands)| Case {
        commits,
        bounds,
        cache_bytes,
        hands,
    })
}

fn write() -> impl Strategy<Value = Write> {
    let size = prop_oneof![8 => 0..300_usize, 1 => 1_900..2_200_usize, 1 => 50_000..130_000_usize];
    let size = prop_oneof![4 => size.prop_map(Some), 1 => Just(None)];
    (0..3_u8, 0..3_u8, 0..300_u16, size)
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    (0..3_u8, 0..3_u8, 0..300_u16, 0..9_usize).prop_map(|(shop, kind, id, cut)| {
        let mut key = name(shop, kind, id);
        key.truncate(key.len() - cut.min(key.len()));
        key
    })
}

fn name(shop: u8, kind: u8, id: u16) -> Vec<u8> {
    // One shop's name begins with another's.
    let shop = ["a.example", "a.example.org", "b"][usize::from(shop)].as_bytes();
    let kind = [b'C', b'O', b'S'][usize::from(kind)];
    [shop, &[0, kind], &id.to_be_bytes()].concat()
}

fn bytes(write: &Write, number: usize) -> (Vec<u8>, Option<Vec<u8>>) {
    let (shop, kind, id, size) = write;
    let byte = |at: usize| (at.wrapping_mul(number + 7) >> 3).to_le_bytes()[0];
    let value = size.map(|size| (0..size).map(byte).collect());
    (name(*shop, *kind, *id), value)
}
