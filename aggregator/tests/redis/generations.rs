//! Generations of the state: which is in use, how one takes another's place, and who may write where.

use aggregator::redis::{Generation, Origin, RedisStore, States};
use common::store::{Committed, Followed, Manifest, Store, StoreError};

use super::server::{Cluster, Server};
use super::support::{commit, get, manifest, open, options};

/// The manifest of other settings.
fn other() -> Manifest {
    Manifest { fold_version: 2, ..manifest() }
}

fn states(url: &str) -> States {
    States::connect(&options(url), "t").expect("connects")
}

fn current(states: &States) -> Generation {
    states.known().expect("reads").expect("there").current
}

fn keys_of(server: &Server, generation: &Generation) -> Vec<Vec<u8>> {
    server.ask(&["KEYS", &format!("t:{generation}:*")])
}

#[test]
fn stores_go_over_to_the_generation_in_use_and_back() {
    let server = Server::alone();
    let states = states(&server.url());
    let store = open(&server.url(), "t");
    commit(&store, 0, 5, &[("a", Some("one"))]);
    let before = store.snapshot().expect("a snapshot");
    assert_eq!(before.position(1).expect("reads"), 5);
    let next = states.begin(&manifest(), Origin::Log).expect("begins");
    commit(&next, 0, 4, &[("a", Some("two"))]);
    assert_eq!(store.follow().expect("follows"), Followed::Same);
    states.flip(&next.generation()).expect("flips");

    // What is in hand goes on until the store looks.
    assert_eq!(commit(&store, 5, 6, &[("b", Some("one"))]), Committed::Done);
    assert_eq!(store.follow().expect("follows"), Followed::Another);
    assert_eq!(store.follow().expect("follows"), Followed::Same);
    assert_eq!((store.position(1).expect("reads"), get(&store, "a").as_deref()), (4, Some("two")));
    assert_eq!(get(&store, "b"), None);
    // A view taken before stays where it was taken: it shows that generation, or that it moved.
    match before.get(1, b"a") {
        Ok(found) => assert_eq!(found, Some(b"one".to_vec())),
        Err(StoreError::Moved { partition: 1 }) => {}
        Err(error) => panic!("{error}"),
    }
    states.roll_back().expect("rolls back");
    assert_eq!(store.follow().expect("follows"), Followed::Another);
    assert_eq!((store.position(1).expect("reads"), get(&store, "b").as_deref()), (6, Some("one")));
}

#[test]
fn a_generation_of_other_settings_is_never_written() {
    let server = Server::alone();
    let states = states(&server.url());
    let old = open(&server.url(), "t");
    commit(&old, 0, 1, &[("a", Some("old"))]);
    let new = states.begin(&other(), Origin::Log).expect("begins");
    commit(&new, 0, 1, &[("a", Some("new"))]);
    states.flip(&new.generation()).expect("flips");

    let refused = |error: StoreError| {
        let text = error.to_string();
        for part in ["generation 2-", "fold version = 2", "says 1", "tallyhook rebuild"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    };
    refused(old.follow().expect_err("refused"));
    refused(RedisStore::open(&options(&server.url()), "t", &manifest()).err().expect("refused"));
    // It still answers, and whatever it would write is its own generation's.
    assert_eq!(get(&old, "a").as_deref(), Some("old"));
    commit(&old, 1, 2, &[("a", Some("older"))]);
    assert_eq!(get(&new, "a").as_deref(), Some("new"));

    // An emptied Redis belongs to those whose generation was in use, not to who was refused.
    server.ask::<()>(&["FLUSHALL"]);
    assert!(old.follow().is_err());
    let user = states.open_existing(&other()).err().expect("nothing there").to_string();
    assert!(user.contains("no state yet"), "{user}");
    assert_eq!(new.follow().expect("claims"), Followed::Same);
    assert_eq!(current(&states), new.generation());
    refused(old.follow().expect_err("refused"));
}

#[test]
fn rebuilds_go_on_begin_anew_and_make_room() {
    let server = Server::alone();
    let states = states(&server.url());
    let first = open(&server.url(), "t");
    commit(&first, 0, 1, &[("a", Some("1"))]);
    let begun = states.begin(&manifest(), Origin::Log).expect("begins");
    commit(&begun, 0, 3, &[("a", Some("1"))]);
    let again = states.begin(&manifest(), Origin::Log).expect("goes on");
    assert_eq!((again.generation(), again.position(1).expect("reads")), (begun.generation(), 3));

    // Other settings, and a restore, begin anew; what was begun before is deleted.
    let restored = states.begin(&manifest(), Origin::Snapshot).expect("begins");
    assert_eq!(restored.position(1).expect("reads"), 0);
    assert_eq!(keys_of(&server, &begun.generation()), Vec::<Vec<u8>>::new());
    let given_up = states.flip(&begun.generation()).expect_err("given up").to_string();
    assert!(given_up.contains("given up") && given_up.contains("begin again"), "{given_up}");
    assert_eq!(current(&states), first.generation());
    assert!(states.roll_back().expect_err("none before").to_string().contains("no generation"));

    commit(&restored, 0, 2, &[("a", Some("2"))]);
    let known = states.flip(&restored.generation()).expect("flips");
    assert_eq!((known.current, known.previous), (restored.generation(), Some(first.generation())));
    // A process that slept writes to what it had; the next sweep takes that along.
    assert!(states.drop_previous().expect("drops") > 0);
    assert_eq!(keys_of(&server, &first.generation()), Vec::<Vec<u8>>::new());
    assert_eq!(commit(&first, 0, 1, &[("a", Some("1"))]), Committed::Done);
    assert!(states.drop_previous().expect("drops") > 0);
    assert_eq!(keys_of(&server, &first.generation()), Vec::<Vec<u8>>::new());
    assert_eq!(get(&restored, "a").as_deref(), Some("2"));
}

#[test]
fn a_cluster_is_swept_on_every_master() {
    let cluster = Cluster::start();
    let states = States::connect(&options(&cluster.url()), "t").expect("connects");
    let first = states.open(&manifest()).expect("opens");
    let fill = |store: &RedisStore| {
        for partition in 0..32 {
            let writes = (0..300_u32).map(|number| (number.to_be_bytes().to_vec(), Some(vec![7])));
            let writes = writes.collect();
            let commit = common::store::Commit { partition, base: 0, end: 1, writes };
            assert_eq!(store.commit(commit).expect("commits"), Committed::Done);
        }
    };
    fill(&first);
    let next = states.begin(&other(), Origin::Log).expect("begins");
    fill(&next);
    states.flip(&next.generation()).expect("flips");
    assert!(states.drop_previous().expect("drops") > 32);
    for node in cluster.nodes() {
        assert_eq!(keys_of(node, &first.generation()), Vec::<Vec<u8>>::new());
        assert!(!keys_of(node, &next.generation()).is_empty());
    }
}
