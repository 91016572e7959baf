//! Members that keep their names over restarts, as pods do.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aggregator::feed::{Fed, Feed as _};
use aggregator::kafka::{ConsumerSettings, KafkaFeed};
use common::log::{BatchLimit, ReadError};

use crate::broker::Broker;

const LIMIT: BatchLimit = BatchLimit { max_records: 1_000, max_bytes: 1 << 20 };
const PATIENCE: Duration = Duration::from_secs(40);
const PARTITIONS: u16 = 4;

fn join(broker: &Broker, topic: &str, member: &str) -> KafkaFeed {
    let settings = ConsumerSettings {
        member: Some(member.to_owned()),
        // Long enough that what a member keeps is kept by its name alone.
        session_timeout: Duration::from_secs(30),
        ..broker.reading(topic, PARTITIONS)
    };
    KafkaFeed::connect(settings).expect("a feed")
}

/// What one answer changes of a member's partitions; whether it changed anything.
fn step(feed: &mut KafkaFeed, mine: &mut BTreeSet<u16>) -> bool {
    match feed.next(LIMIT, Duration::from_millis(20)).expect("fed") {
        Fed::Items(_) => false,
        Fed::Assigned(partitions) => {
            mine.extend(partitions);
            true
        }
        Fed::Revoked(partitions) => {
            mine.retain(|one| !partitions.contains(one));
            true
        }
    }
}

pub fn a_restarted_member_gets_its_partitions_back(broker: &Broker) {
    let topic = broker.topic(PARTITIONS);
    let (mut stays, mut goes) = (join(broker, &topic, "pod-0"), join(broker, &topic, "pod-1"));
    let (mut kept, mut left) = (BTreeSet::new(), BTreeSet::new());
    let begun = Instant::now();
    while (kept.len(), left.len()) != (2, 2) {
        assert!(begun.elapsed() < PATIENCE, "{kept:?} {left:?}");
        step(&mut stays, &mut kept);
        step(&mut goes, &mut left);
    }
    drop(goes);
    let mut back = join(broker, &topic, "pod-1");
    let mut regained = BTreeSet::new();
    let begun = Instant::now();
    while regained != left {
        assert!(begun.elapsed() < Duration::from_secs(25), "{regained:?} instead of {left:?}");
        assert!(!step(&mut stays, &mut kept), "the others hear of nothing");
        step(&mut back, &mut regained);
    }
}

pub fn of_two_with_one_name_the_elder_ends(broker: &Broker) {
    let topic = broker.topic(PARTITIONS);
    let mut elder = join(broker, &topic, "pod-2");
    let mut mine = BTreeSet::new();
    let begun = Instant::now();
    while mine.len() != 4 {
        assert!(begun.elapsed() < PATIENCE, "{mine:?}");
        step(&mut elder, &mut mine);
    }
    let mut younger = join(broker, &topic, "pod-2");
    let mut theirs = BTreeSet::new();
    let displaced = loop {
        assert!(begun.elapsed() < PATIENCE * 2, "the elder goes on: {mine:?} {theirs:?}");
        step(&mut younger, &mut theirs);
        match elder.next(LIMIT, Duration::from_millis(20)) {
            Ok(Fed::Revoked(partitions)) => mine.retain(|one| !partitions.contains(one)),
            Ok(Fed::Items(_) | Fed::Assigned(_)) => {}
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&displaced, ReadError::Displaced { member } if member == "pod-2"),
        "{displaced}"
    );
    assert_eq!(mine, BTreeSet::new(), "it gives everything up first");
    // It stays away: the younger one keeps what it has.
    let quiet = Instant::now() + Duration::from_secs(3);
    while Instant::now() < quiet || theirs.len() != 4 {
        assert!(begun.elapsed() < PATIENCE * 3, "{theirs:?}");
        step(&mut younger, &mut theirs);
    }
}
