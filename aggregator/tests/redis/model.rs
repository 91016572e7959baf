//! Random commits, reads and scans against a sorted map: a tree that grows and shrinks loses and
//! doubles nothing.

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
    // What is removed before each of these commits' writes.
    emptied: Vec<(Vec<u8>, Vec<u8>)>,
    bounds: Vec<(Vec<u8>, Vec<u8>)>,
    cache_bytes: usize,
    // Which of two stores makes which commit: now and then the partition changes hands.
    hands: u16,
}

/// Keys of the large case: more leaves than one node above them can name.
const MANY: u32 = 60_000;

#[test]
fn a_tree_of_several_levels_is_a_sorted_map() {
    let server = Server::alone();
    let store = RedisStore::open(&options(&server.url()), "deep", &manifest()).expect("opens");
    let key = |number: u32| [b"shop\0O".as_slice(), &number.to_be_bytes()].concat();
    let mut model = Model::new();
    let mut word = 1_u64;
    let mut random = |below: u32| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((word >> 33) % u64::from(below)).expect("below 2^32")
    };
    let mut most_nodes = 0;
    for base in 0..48_u64 {
        let mut writes = BTreeMap::new();
        // By turns: many grow, a range is emptied (often the first), few are put here and there.
        let (from, count) = match base % 8 {
            0..4 => (random(MANY), 6_000),
            4 => (0, random(MANY / 2)),
            5 => (random(MANY / 2), random(MANY / 2)),
            _ => (random(200), 3),
        };
        for number in from..from + count {
            let grown = || vec![number.to_le_bytes()[0]; 20 + number as usize % 90];
            let removed = matches!(base % 8, 4 | 5);
            writes.insert(key(number), (!removed).then(grown));
        }
        for (key, value) in &writes {
            match value {
                Some(value) => model.insert(key.clone(), value.clone()),
                None => model.remove(key),
            };
        }
        let writes = writes.into_iter().collect();
        let commit = Commit { partition: 1, base, end: base + 1, writes };
        assert_eq!(store.commit(commit).expect("commits"), Committed::Done);
        let nodes: Vec<String> = server.ask(&["KEYS", "deep:*:n:*"]);
        most_nodes = most_nodes.max(nodes.len());
        let mut expected = model.iter();
        let visit = &mut |key: &[u8], value: &[u8]| {
            let same = expected.next().map(|(key, value)| (key.as_slice(), value.as_slice()));
            assert_eq!(Some((key, value)), same, "after commit {base}");
            ControlFlow::Continue(())
        };
        let snapshot = store.snapshot().expect("a snapshot");
        snapshot.scan(1, b"", b"\xff", visit).expect("scans");
        assert_eq!(expected.next(), None, "after commit {base}");
        let some: Vec<Vec<u8>> = (0..200).map(|_| key(random(2 * MANY))).collect();
        let wanted: Vec<&[u8]> = some.iter().map(Vec::as_slice).collect();
        let found = snapshot.get_many(1, &wanted).expect("reads");
        assert!(some.iter().zip(&found).all(|(key, value)| value.as_ref() == model.get(key)));
    }
    assert!(most_nodes > 900, "{most_nodes} nodes fit below a root of 4 KiB");
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
        let (from, to) = case.emptied.get(number).cloned().unwrap_or_default();
        let emptied = model.keys().filter(|key| from <= **key && **key < to);
        let mut removed: BTreeMap<_, _> = emptied.map(|key| (key.clone(), None)).collect();
        removed.extend(writes.iter().enumerate().map(|(n, one)| bytes(one, n)));
        let writes: Vec<_> = removed.into_iter().collect();
        for (key, value) in &writes {
            match value {
                Some(value) => model.insert(key.clone(), value.clone()),
                None => model.remove(key),
            };
        }
        let commit = Commit { partition: 1, base, end: base + 1, writes };
        prop_assert_eq!(store.commit(commit).expect("commits"), Committed::Done);
    }
    stores.iter().try_for_each(|store| check(store, &model, &case.bounds))?;

    // Nothing is left behind by what is removed.
    let base = case.commits.len() as u64;
    let writes = model.keys().map(|key| (key.clone(), None)).collect();
    let commit = Commit { partition: 1, base, end: base + 1, writes };
    prop_assert_eq!(stores[0].commit(commit).expect("commits"), Committed::Done);
    let left: Vec<String> = server.ask(&["KEYS", &format!("{prefix}:*")]);
    let mut left: Vec<&str> = left.iter().filter_map(|key| key.rsplit(':').next()).collect();
    left.sort_unstable();
    prop_assert_eq!(left, ["0", "at", "generations", "manifest"]);
    Ok(())
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
    let emptied = prop::collection::vec((key(), key()), 0..12);
    (commits, emptied, bounds, cache, any::<u16>()).prop_map(
        |(commits, emptied, bounds, cache_bytes, hands)| Case {
            commits,
            emptied,
            bounds,
            cache_bytes,
            hands,
        },
    )
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
