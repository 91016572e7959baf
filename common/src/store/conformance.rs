//! The store port's contract as one suite that every adapter runs.

use std::ops::ControlFlow;

use super::{Commit, Committed, Snapshot, Store, StoreError, UNFINISHED, prefix_end};

/// Runs the suite on stores that `make` opens empty.
///
/// # Panics
///
/// Where the adapter breaks the contract.
pub fn run<S: Store>(mut make: impl FnMut() -> S) {
    empty_store_stands_at_zero(&make());
    commit_moves_state_and_position(&make());
    positions_compare_and_set(&make());
    states_are_put_in_place_in_steps(&make());
    snapshots_stand_still(&make());
    scans_are_ordered_and_bounded(&make());
    scans_follow_the_layout_of_state_keys(&make());
    many_keys_come_in_their_order(&make());
    partitions_are_apart(&make());
}

type Write<'a> = (&'a str, Option<&'a str>);

fn commit<S: Store>(
    store: &S,
    partition: u16,
    base: u64,
    end: u64,
    writes: &[Write<'_>],
) -> Committed {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let writes = writes.iter().map(|(key, value)| (bytes(key), value.map(bytes))).collect();
    let commit = Commit { partition, base, end, writes };
    store.commit(commit).unwrap_or_else(|error| panic!("the commit failed: {error}"))
}

fn view<S: Store>(store: &S) -> Box<dyn Snapshot> {
    store.snapshot().unwrap_or_else(|error| panic!("no snapshot: {error}"))
}

fn get(snapshot: &dyn Snapshot, partition: u16, key: &str) -> Option<String> {
    let found = snapshot.get(partition, key.as_bytes());
    let found = found.unwrap_or_else(|error| panic!("the read failed: {error}"));
    found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn position<S: Store>(store: &S, partition: u16) -> u64 {
    store.position(partition).unwrap_or_else(|error| panic!("no position: {error}"))
}

fn keys(
    snapshot: &dyn Snapshot,
    partition: u16,
    from: &[u8],
    to: &[u8],
    most: usize,
) -> Vec<String> {
    let mut found = Vec::new();
    let scanned = snapshot.scan(partition, from, to, &mut |key, _| {
        found.push(String::from_utf8_lossy(key).into_owned());
        if found.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    scanned.unwrap_or_else(|error| panic!("the scan failed: {error}"));
    found
}

fn empty_store_stands_at_zero<S: Store>(store: &S) {
    assert_eq!(position(store, 7), 0);
    assert_eq!(get(&*view(store), 7, "a"), None);
}

fn commit_moves_state_and_position<S: Store>(store: &S) {
    assert_eq!(commit(store, 1, 0, 5, &[("a", Some("1")), ("b", Some("2"))]), Committed::Done);
    assert_eq!(commit(store, 1, 5, 6, &[("a", Some("3")), ("b", None)]), Committed::Done);
    assert_eq!(position(store, 1), 6);
    assert_eq!(get(&*view(store), 1, "a").as_deref(), Some("3"));
    assert_eq!(get(&*view(store), 1, "b"), None);
}

fn positions_compare_and_set<S: Store>(store: &S) {
    assert_eq!(commit(store, 1, 0, 5, &[("a", Some("1"))]), Committed::Done);
    assert_eq!(commit(store, 1, 0, 5, &[("a", Some("2"))]), Committed::Already);
    assert_eq!(commit(store, 1, 0, 9, &[("a", Some("2"))]), Committed::Conflict { stored: 5 });
    assert_eq!(commit(store, 1, 7, 9, &[("a", Some("2"))]), Committed::Conflict { stored: 5 });
    assert_eq!(get(&*view(store), 1, "a").as_deref(), Some("1"));
    assert_eq!(position(store, 1), 5);
}

/// As a restore does it: over positions that no log has, to one of the log.
fn states_are_put_in_place_in_steps<S: Store>(store: &S) {
    let (first, second) = (UNFINISHED + 7, UNFINISHED + 8);
    assert_eq!(commit(store, 1, 0, first, &[]), Committed::Done);
    assert_eq!(commit(store, 1, first, second, &[("a", Some("1"))]), Committed::Done);
    assert_eq!(position(store, 1), second);
    let other = UNFINISHED + 1_000_007;
    assert_eq!(commit(store, 1, first, other, &[]), Committed::Conflict { stored: second });
    assert_eq!(commit(store, 1, second, 12, &[("b", Some("2"))]), Committed::Done);
    assert_eq!(position(store, 1), 12);
    assert_eq!(keys(&*view(store), 1, b"a", b"z", 9), ["a", "b"]);
    // And without moving: what a step removes or adds is there at the same position.
    assert_eq!(commit(store, 2, 0, 0, &[("a", Some("1"))]), Committed::Done);
    assert_eq!(commit(store, 2, 0, 0, &[("a", None), ("b", Some("2"))]), Committed::Done);
    assert_eq!(keys(&*view(store), 2, b"a", b"z", 9), ["b"]);
}

fn snapshots_stand_still<S: Store>(store: &S) {
    commit(store, 1, 0, 1, &[("a", Some("1"))]);
    let before = view(store);
    // The first touch: from here on the view knows where the partition stood.
    assert_eq!(before.position(1).unwrap_or(99), 1);
    commit(store, 1, 1, 2, &[("a", Some("2")), ("b", Some("2"))]);
    let mut scanned = Vec::new();
    let scan = before.scan(1, b"", b"z", &mut |key, value| {
        scanned.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    });
    let still = store.views_stand_still();
    stood(still, before.get(1, b"a"), &Some(b"1".to_vec()));
    stood(still, before.get_many(1, &[b"b", b"a"]), &vec![None, Some(b"1".to_vec())]);
    stood(still, scan.map(|()| scanned), &vec![(b"a".to_vec(), b"1".to_vec())]);
    assert_eq!(before.position(1).unwrap_or(99), 1);
    assert_eq!(get(&*view(store), 1, "a").as_deref(), Some("2"));
}

/// A read after the state moved shows what stood before, or says so if the adapter may.
fn stood<T: PartialEq + std::fmt::Debug>(still: bool, read: Result<T, StoreError>, expected: &T) {
    match read {
        Ok(found) => assert_eq!(found, *expected),
        Err(StoreError::Moved { partition: 1 }) if !still => {}
        Err(error) => panic!("the view neither stood still nor said Moved: {error}"),
    }
}

fn scans_are_ordered_and_bounded<S: Store>(store: &S) {
    let writes = [("b2", Some("")), ("a", Some("")), ("b1", Some("")), ("c", Some(""))];
    commit(store, 1, 0, 1, &writes);
    let snapshot = view(store);
    assert_eq!(keys(&*snapshot, 1, b"a", b"c", 9), ["a", "b1", "b2"]);
    assert_eq!(keys(&*snapshot, 1, b"b", &prefix_end(b"b"), 9), ["b1", "b2"]);
    assert_eq!(keys(&*snapshot, 1, b"a", b"z", 2), ["a", "b1"]);
    assert_eq!(keys(&*snapshot, 1, b"c", b"a", 9), [""; 0]);
}

fn scans_follow_the_layout_of_state_keys<S: Store>(store: &S) {
    let keys_of = ["a\0C1", "a\0O1", "a\0O2", "a\0S", "ab\0O1", "b\0O0"];
    let writes: Vec<Write<'_>> = keys_of.iter().rev().map(|key| (*key, Some("v"))).collect();
    commit(store, 1, 0, 1, &writes);
    let snapshot = view(store);
    assert_eq!(keys(&*snapshot, 1, b"", b"\xff", 9), keys_of);
    assert_eq!(keys(&*snapshot, 1, b"a\0", b"a\x01", 9), keys_of[..4]);
    assert_eq!(keys(&*snapshot, 1, b"a\0O", b"a\0P", 9), keys_of[1..3]);
    assert_eq!(keys(&*snapshot, 1, b"a\0O2", b"ab\0O1", 9), keys_of[2..4]);
    assert_eq!(keys(&*snapshot, 1, b"a\x01", b"\xff", 1), keys_of[4..5]);
}

fn many_keys_come_in_their_order<S: Store>(store: &S) {
    let large = "l".repeat(200_000);
    let writes = [("a\0O1", Some("1")), ("a\0O2", Some(large.as_str())), ("b", Some(""))];
    commit(store, 1, 0, 1, &writes);
    let snapshot = view(store);
    let wanted: [&[u8]; 5] = [b"b", b"a\0O2", b"a\0O3", b"a\0O1", b"a\0O2"];
    let found = snapshot.get_many(1, &wanted);
    let found = found.unwrap_or_else(|error| panic!("the read failed: {error}"));
    let text = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(found, [text(""), text(&large), None, text("1"), text(&large)]);
    assert_eq!(commit(store, 1, 1, 2, &[("a\0O2", Some("small"))]), Committed::Done);
    assert_eq!(get(&*view(store), 1, "a\0O2").as_deref(), Some("small"));
}

fn partitions_are_apart<S: Store>(store: &S) {
    commit(store, 1, 0, 1, &[("a", Some("1"))]);
    commit(store, 2, 0, 4, &[("a", Some("2"))]);
    commit(store, 257, 0, 8, &[("b", Some("3"))]);
    let snapshot = view(store);
    assert_eq!(get(&*snapshot, 1, "a").as_deref(), Some("1"));
    assert_eq!(get(&*snapshot, 2, "a").as_deref(), Some("2"));
    assert_eq!(keys(&*snapshot, 1, b"", b"zz", 9), ["a"]);
    assert_eq!([position(store, 1), position(store, 2), position(store, 257)], [1, 4, 8]);
    let together = store.positions(&[257, 3, 1, 2]);
    assert_eq!(together.unwrap_or_else(|error| panic!("no positions: {error}")), [8, 0, 1, 4]);
}
