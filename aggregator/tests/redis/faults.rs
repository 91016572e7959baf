//! What goes wrong between a store and its Redis: nothing of it may lose or double a commit.

use std::time::Duration;

use aggregator::redis::{RedisOptions, RedisStore, Warning};
use common::store::{Commit, Committed, Manifest, Store, StoreError};

use super::proxy::Proxy;
use super::server::{Cluster, Server};
use super::support::{commit, commit_of, get, manifest, open, options};

#[test]
fn a_forgotten_script_is_sent_again() {
    let server = Server::alone();
    let store = open(&server.url(), "t");
    assert_eq!(commit(&store, 0, 1, &[("s\0Oa", Some("1"))]), Committed::Done);
    server.ask::<()>(&["SCRIPT", "FLUSH"]);
    assert_eq!(commit(&store, 1, 2, &[("s\0Oa", Some("2"))]), Committed::Done);
    assert_eq!(get(&store, "s\0Oa").as_deref(), Some("2"));
}

#[test]
fn a_second_store_conflicts_and_a_retry_is_known() {
    let server = Server::alone();
    let (first, second) = (open(&server.url(), "t"), open(&server.url(), "t"));
    assert_eq!(commit(&first, 0, 5, &[("s\0Oa", Some("1"))]), Committed::Done);
    let late = commit(&second, 0, 3, &[("s\0Oa", Some("2"))]);
    assert_eq!(late, Committed::Conflict { stored: 5 });
    assert_eq!(commit(&second, 5, 9, &[("s\0Oa", Some("3"))]), Committed::Done);
    // The first still holds what it wrote in memory; the position tells it better.
    let zombie = commit(&first, 5, 7, &[("s\0Ob", Some("4"))]);
    assert_eq!(zombie, Committed::Conflict { stored: 9 });
    assert_eq!(get(&first, "s\0Oa").as_deref(), Some("3"));
    assert_eq!(commit(&second, 5, 9, &[("s\0Oa", Some("3"))]), Committed::Already);
    assert_eq!(commit(&first, 9, 10, &[("s\0Ob", Some("4"))]), Committed::Done);
    assert_eq!(get(&second, "s\0Oa").as_deref(), Some("3"));
}

#[test]
fn a_tree_made_anew_at_the_same_position_is_read_again() {
    let server = Server::alone();
    let (first, second) = (open(&server.url(), "t"), open(&server.url(), "t"));
    assert_eq!(
        commit(&first, 0, 2, &[("s\0Oa", Some("1")), ("s\0Ob", Some("1"))]),
        Committed::Done
    );
    // Redis loses everything, and another process folds to the same position.
    server.ask::<()>(&["FLUSHALL"]);
    assert_eq!(commit(&second, 0, 1, &[("s\0Oa", Some("x"))]), Committed::Done);
    assert_eq!(commit(&second, 1, 2, &[("s\0Oc", Some("y"))]), Committed::Done);
    assert_eq!(commit(&first, 2, 3, &[("s\0Od", Some("z"))]), Committed::Done);
    let found = ["s\0Oa", "s\0Ob", "s\0Oc", "s\0Od"].map(|key| get(&first, key));
    assert_eq!(found, [Some("x".into()), None, Some("y".into()), Some("z".into())]);
}

#[test]
fn a_node_that_is_gone_is_an_error_and_no_emptiness() {
    let server = Server::alone();
    let store = open(&server.url(), "t");
    let key = |number: u32| [b"shop\0O".as_slice(), &number.to_be_bytes()].concat();
    let writes = (0..500).map(|number| (key(number), Some(vec![7; 100]))).collect();
    let commit = Commit { partition: 1, base: 0, end: 1, writes };
    assert_eq!(store.commit(commit).expect("commits"), Committed::Done);
    let gone: Vec<String> = server.ask(&["KEYS", "t:*:n:3"]);
    server.ask::<()>(&["DEL", &gone[0]]);

    // Another process, which has nothing in memory.
    let store = open(&server.url(), "t");
    let snapshot = store.snapshot().expect("a snapshot");
    let keys: Vec<Vec<u8>> = (0..500).map(key).collect();
    let wanted: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let visit = &mut |_: &[u8], _: &[u8]| std::ops::ControlFlow::Continue(());
    let writes = keys.iter().map(|key| (key.clone(), None)).collect();
    let commit = Commit { partition: 1, base: 1, end: 2, writes };
    let errors = [
        snapshot.get_many(1, &wanted).expect_err("a damaged tree"),
        snapshot.scan(1, b"", b"\xff", visit).expect_err("a damaged tree"),
        store.commit(commit).expect_err("a damaged tree"),
    ];
    for error in errors {
        assert!(error.to_string().contains("build the state anew"), "{error}");
    }
}

#[test]
fn a_key_that_is_too_long_is_refused() {
    let server = Server::alone();
    let store = open(&server.url(), "t");
    let writes = vec![(vec![b'k'; 1_025], Some(Vec::new()))];
    let commit = Commit { partition: 1, base: 0, end: 1, writes };
    let error = store.commit(commit).expect_err("too long").to_string();
    assert!(error.contains("a key of 1025 bytes; 1024 are the most"), "{error}");
}

#[test]
fn a_lost_state_shows_as_position_zero() {
    let server = Server::alone();
    let store = open(&server.url(), "t");
    assert_eq!(commit(&store, 0, 4, &[("s\0Oa", Some("1"))]), Committed::Done);
    server.ask::<()>(&["FLUSHALL"]);
    assert_eq!(store.position(1).expect("reads"), 0);
    assert_eq!(get(&store, "s\0Oa"), None);
    assert_eq!(commit(&store, 4, 5, &[]), Committed::Conflict { stored: 0 });
    assert_eq!(commit(&store, 0, 4, &[("s\0Oa", Some("1"))]), Committed::Done);
}

#[test]
fn a_server_that_evicts_is_refused() {
    let check = |url: &str| {
        let error = RedisStore::open(&options(url), "t", &manifest()).err().expect("refused");
        assert!(matches!(error, StoreError::Unsafe { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("maxmemory-policy is allkeys-lru"), "{text}");
        assert!(text.contains("set `maxmemory-policy noeviction`"), "{text}");
    };
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]);
    check(&server.url());
    // One master of several is enough.
    let cluster = Cluster::start();
    cluster.nodes()[2].ask::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    check(&cluster.url());
}

#[test]
fn warnings_are_returned() {
    let server = Server::start(&[]);
    assert_eq!(open(&server.url(), "t").warnings(), [Warning::NotPersistent]);
    server.ask::<()>(&["CONFIG", "SET", "save", "60 1"]);
    assert_eq!(open(&server.url(), "t").warnings(), [Warning::NoAppendOnlyFile]);
    assert_eq!(open(&Server::alone().url(), "t").warnings(), []);
}

#[test]
fn a_user_with_few_rights_is_enough() {
    let server = Server::alone();
    let rights = ["on", ">s3cret", "~t:*", "+@all", "-@dangerous", "-@admin"];
    server.ask::<()>(&[&["ACL", "SETUSER", "tallyhook"], rights.as_slice()].concat());
    let url = server.url().replace("redis://", "redis://tallyhook:s3cret@");
    let store = open(&url, "t");
    let unchecked = |one: &Warning| matches!(one, Warning::Unchecked { .. });
    assert!(store.warnings().iter().all(unchecked), "{:?}", store.warnings());
    assert!(!store.warnings().is_empty());
    assert_eq!(commit(&store, 0, 1, &[("s\0Oa", Some("1"))]), Committed::Done);
    assert_eq!(get(&store, "s\0Oa").as_deref(), Some("1"));

    let wrong = url.replace("s3cret", "wr0ng");
    let error = RedisStore::open(&options(&wrong), "t", &manifest()).err().expect("refused");
    assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error}");
    assert!(!format!("{:?}", options(&wrong)).contains("wr0ng"));
}

#[test]
fn another_manifest_is_refused() {
    let server = Server::alone();
    open(&server.url(), "t");
    let other = Manifest { partitions: 16, ..manifest() };
    let error = RedisStore::open(&options(&server.url()), "t", &other).err().expect("refused");
    assert!(matches!(error, StoreError::Manifest { .. }), "{error}");
    assert!(error.to_string().contains("log.partitions = 32"), "{error}");
    RedisStore::open(&options(&server.url()), "u", &other).expect("another prefix is free");
}

#[test]
fn a_full_server_keeps_the_old_state() {
    let server = Server::alone();
    let store = open(&server.url(), "t");
    assert_eq!(commit(&store, 0, 1, &[("s\0Oa", Some("1"))]), Committed::Done);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let writes = [("s\0Oa", Some("2")), ("s\0Ob", Some("2"))];
    let error = store.commit(commit_of(1, 2, &writes)).expect_err("no memory");
    assert!(
        matches!(error, StoreError::Engine { .. }) && error.to_string().contains("OOM"),
        "{error}"
    );
    assert_eq!(store.position(1).expect("reads"), 1);
    assert_eq!(get(&store, "s\0Oa").as_deref(), Some("1"));
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(commit(&store, 1, 2, &writes), Committed::Done);
    assert_eq!(get(&store, "s\0Ob").as_deref(), Some("2"));
}

#[test]
fn a_lost_connection_comes_back() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = open(&server.url(), "t");
    assert_eq!(commit(&store, 0, 1, &[("s\0Oa", Some("1"))]), Committed::Done);
    server.kill();
    let error = store.commit(commit_of(1, 2, &[("s\0Oa", Some("2"))])).expect_err("no server");
    assert!(matches!(error, StoreError::Engine { .. }), "{error}");
    assert!(store.position(1).is_err());
    server.restart();
    assert_eq!(store.position(1).expect("reads"), 1);
    assert_eq!(commit(&store, 1, 2, &[("s\0Oa", Some("2"))]), Committed::Done);
    assert_eq!(get(&store, "s\0Oa").as_deref(), Some("2"));
}

#[test]
fn a_lost_answer_is_found_by_the_position() {
    let server = Server::alone();
    let proxy = Proxy::before(server.port());
    let store = open(&proxy.url(), "t");
    assert_eq!(commit(&store, 0, 1, &[("s\0Oa", Some("1"))]), Committed::Done);
    // All that this commit needs is in memory, so that the next answer is the script's.
    proxy.swallow_next();
    assert_eq!(commit(&store, 1, 2, &[("s\0Oa", Some("2"))]), Committed::Done);
    assert_eq!(get(&store, "s\0Oa").as_deref(), Some("2"));
    assert_eq!(commit(&store, 1, 2, &[("s\0Oa", Some("2"))]), Committed::Already);
    // A read is sent again over another connection.
    proxy.swallow_next();
    assert_eq!(store.position(1).expect("reads"), 2);
}

#[test]
fn a_late_answer_leaves_the_commit_to_a_retry() {
    let server = Server::alone();
    let options =
        RedisOptions { timeout: Duration::from_secs(1), ..RedisOptions::new(&server.url()) };
    let store = RedisStore::open(&options, "t", &manifest()).expect("opens");
    assert_eq!(commit(&store, 0, 1, &[("s\0Oa", Some("1"))]), Committed::Done);
    // The server stands still for longer than the answer may take, then runs what it was sent.
    server.ask::<()>(&["CLIENT", "PAUSE", "1500", "WRITE"]);
    let writes = [("s\0Oa", Some("2"))];
    match store.commit(commit_of(1, 2, &writes)) {
        Ok(committed) => assert_eq!(committed, Committed::Done),
        Err(error) => assert!(matches!(error, StoreError::Engine { .. }), "{error}"),
    }
    std::thread::sleep(Duration::from_millis(1_200));
    let retried = commit(&store, 1, 2, &writes);
    assert!(matches!(retried, Committed::Done | Committed::Already), "{retried:?}");
    assert_eq!(commit(&store, 1, 2, &writes), Committed::Already);
    assert_eq!(get(&store, "s\0Oa").as_deref(), Some("2"));
    assert_eq!(store.position(1).expect("reads"), 2);
}

#[test]
fn a_view_says_that_the_state_moved() {
    let server = Server::alone();
    let (store, other) = (open(&server.url(), "t"), open(&server.url(), "t"));
    assert_eq!(commit(&store, 0, 1, &[("s\0Oa", Some("1"))]), Committed::Done);
    let view = other.snapshot().expect("a snapshot");
    assert_eq!(view.get(1, b"s\0Oa").expect("reads"), Some(b"1".to_vec()));
    assert_eq!(commit(&store, 1, 2, &[("s\0Oa", Some("2"))]), Committed::Done);
    let error = view.get(1, b"s\0Oa").expect_err("moved");
    assert!(matches!(error, StoreError::Moved { partition: 1 }), "{error}");
    let scanned = view.scan(1, b"s\0", b"s\x01", &mut |_, _| std::ops::ControlFlow::Continue(()));
    assert!(matches!(scanned, Err(StoreError::Moved { partition: 1 })));
    assert_eq!(view.position(1).expect("known"), 1);
    assert_eq!(view.position(2).expect("untouched"), 0);
}

#[test]
fn a_moved_slot_is_followed() {
    let cluster = Cluster::start();
    let store = open(&cluster.url(), "t");
    assert_eq!(commit(&store, 0, 1, &[("s\0Oa", Some("1"))]), Committed::Done);
    let nodes = cluster.nodes();
    let slot: u64 = nodes[0].ask(&["CLUSTER", "KEYSLOT", "t:{p01}:at"]);
    let owner = Cluster::owner(slot);
    let target = (owner + 1) % 3;
    cluster.move_slot(slot, owner, target, || {
        // Half of the keys are gone already: a read or a write fails or is right.
        match store.commit(commit_of(1, 2, &[("s\0Oa", Some("2"))])) {
            Ok(committed) => assert_eq!(committed, Committed::Done),
            Err(error) => assert!(matches!(error, StoreError::Engine { .. }), "{error}"),
        }
    });
    let stands = store.position(1).expect("reads");
    assert_eq!(commit(&store, stands, 7, &[("s\0Ob", Some("7"))]), Committed::Done);
    assert_eq!(get(&store, "s\0Oa"), Some(stands.to_string()));
    assert_eq!(get(&store, "s\0Ob").as_deref(), Some("7"));
}

#[test]
fn a_master_that_comes_back_is_found() {
    let mut cluster = Cluster::start();
    let store = open(&cluster.url(), "t");
    assert_eq!(commit(&store, 0, 1, &[("s\0Oa", Some("1"))]), Committed::Done);
    let slot: u64 = cluster.nodes()[0].ask(&["CLUSTER", "KEYSLOT", "t:{p01}:at"]);
    let owner = Cluster::owner(slot);
    cluster.node(owner).kill();
    let error = store.commit(commit_of(1, 2, &[("s\0Oa", Some("2"))])).expect_err("no master");
    assert!(matches!(error, StoreError::Engine { .. }), "{error}");
    cluster.node(owner).restart();
    cluster.agree();
    assert_eq!(store.position(1).expect("reads"), 1);
    assert_eq!(commit(&store, 1, 2, &[("s\0Oa", Some("2"))]), Committed::Done);
    assert_eq!(get(&store, "s\0Oa").as_deref(), Some("2"));
}
