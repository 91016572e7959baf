//! The feed: partitions come and go with the group, and each is read from where the fold says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aggregator::feed::{Fed, Feed as _};
use aggregator::kafka::KafkaFeed;
use bytes::Bytes;
use common::log::{Append as _, BatchLimit, Item, ReadError};
use futures_util::future::join_all;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::broker::{Broker, block_on};

const LIMIT: BatchLimit = BatchLimit { max_records: 1_000, max_bytes: 1 << 20 };
const PATIENCE: Duration = Duration::from_secs(40);
const PARTITIONS: u16 = 4;

/// A feed with a fold that remembers, and begins where it is told.
struct Fold {
    feed: KafkaFeed,
    begin_at: u64,
    mine: BTreeSet<u16>,
    read: BTreeMap<u16, Vec<u64>>,
}

/// Begins to read; a broker that is busy is asked again.
fn started(feed: &mut KafkaFeed, positions: &[(u16, u64)]) {
    let begun = Instant::now();
    while let Err(error) = feed.start(positions) {
        assert!(matches!(error, ReadError::Unavailable { .. }), "{error}");
        assert!(begun.elapsed() < PATIENCE, "{error}");
    }
}

impl Fold {
    fn new(broker: &Broker, topic: &str, begin_at: u64) -> Self {
        let feed = KafkaFeed::connect(broker.reading(topic, PARTITIONS)).expect("a feed");
        Self { feed, begin_at, mine: BTreeSet::new(), read: BTreeMap::new() }
    }

    fn step(&mut self) {
        match self.feed.next(LIMIT, Duration::from_millis(20)).expect("fed") {
            Fed::Items(items) => {
                for item in items {
                    assert!(self.mine.contains(&item.partition()), "fed what is another's");
                    self.read.entry(item.partition()).or_default().push(item.offset());
                }
            }
            Fed::Assigned(partitions) => {
                let positions: Vec<_> =
                    partitions.iter().map(|one| (*one, self.begin_at)).collect();
                self.mine.extend(partitions);
                started(&mut self.feed, &positions);
            }
            Fed::Revoked(partitions) => self.mine.retain(|one| !partitions.contains(one)),
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?}, {:?}", self.mine, self.read);
            self.step();
        }
    }

    fn has_read(&self, partition: u16, offsets: std::ops::Range<u64>) -> bool {
        self.read.get(&partition).is_some_and(|read| offsets.eq(read.iter().copied()))
    }
}

/// Appends `count` records to each partition.
fn fill(broker: &Broker, topic: &str, count: u16) {
    let log = broker.log(topic, PARTITIONS);
    let appends = (0..count * PARTITIONS).map(|record| {
        log.append(record % PARTITIONS, Bytes::from(record.to_string().into_bytes()))
    });
    for appended in block_on(join_all(appends)) {
        appended.expect("acknowledged");
    }
    log.close();
}

pub fn begins_in_the_middle_and_reads_exactly_the_rest(broker: &Broker) {
    let topic = broker.topic(PARTITIONS);
    fill(broker, &topic, 100);
    let mut fold = Fold::new(broker, &topic, 60);
    fold.until("ends are known", |fold| fold.feed.end_positions().expect("known") == [100; 4]);
    fold.until("all are assigned", |fold| fold.mine.len() == 4);
    fold.until("the rest is read", |fold| (0..4).all(|one| fold.has_read(one, 60..100)));

    // What comes later comes too, and a start begins again.
    fill(broker, &topic, 5);
    fold.until("the new is read", |fold| (0..4).all(|one| fold.has_read(one, 60..105)));
    fold.read.clear();
    started(&mut fold.feed, &[(2, 90)]);
    fold.until("it is read again", |fold| fold.has_read(2, 90..105));
    assert_eq!(fold.read.len(), 1, "only this one: {:?}", fold.read);
    fold.until("ends are known", |fold| fold.feed.end_positions().expect("known") == [105; 4]);
}

pub fn a_group_shares_partitions_and_inherits_them(broker: &Broker) {
    let topic = broker.topic(PARTITIONS);
    fill(broker, &topic, 50);
    let mut first = Fold::new(broker, &topic, 10);
    first.until("the first has all", |fold| fold.mine.len() == 4);
    let mut second = Fold::new(broker, &topic, 20);
    let begun = Instant::now();
    while (first.mine.len(), second.mine.len()) != (2, 2) {
        assert!(begun.elapsed() < PATIENCE, "{:?} {:?}", first.mine, second.mine);
        first.step();
        second.step();
    }
    assert!(first.mine.is_disjoint(&second.mine));
    let theirs = second.mine.clone();
    second.until("the second reads its own", |fold| {
        theirs.iter().all(|one| fold.has_read(*one, 20..50))
    });
    assert_eq!(second.read.len(), 2);

    let begun = Instant::now();
    drop(second);
    assert!(begun.elapsed() < Duration::from_secs(5), "a feed goes in {:?}", begun.elapsed());
    for one in &theirs {
        first.read.remove(one);
    }
    first.begin_at = 30;
    first.until("the first has all again", |fold| fold.mine.len() == 4);
    first.until("what it got is read from where it said", |fold| {
        theirs.iter().all(|one| fold.has_read(*one, 30..50))
    });
    for one in (0..4).filter(|one| !theirs.contains(one)) {
        assert!(first.has_read(one, 10..50), "what it kept went on: {:?}", first.read);
    }
}

pub fn a_feed_that_rests_leaves_its_partitions_to_others(broker: &Broker) {
    let topic = broker.topic(PARTITIONS);
    fill(broker, &topic, 50);
    let mut first = Fold::new(broker, &topic, 10);
    first.until("the first has all", |fold| fold.mine.len() == 4);
    let mut second = Fold::new(broker, &topic, 20);
    first.feed.rest(true);
    // A fold that rests does not ask for anything; the other gets all of it nevertheless.
    second.until("the second has all", |fold| fold.mine.len() == 4);
    second.until("it reads", |fold| (0..4).all(|one| fold.has_read(one, 20..50)));
    drop(second);

    first.read.clear();
    first.begin_at = 30;
    first.feed.rest(false);
    first.until("it is told of the loss", |fold| fold.mine.is_empty());
    first.until("the first has all again", |fold| fold.mine.len() == 4);
    first.until("it reads", |fold| (0..4).all(|one| fold.has_read(one, 30..50)));
}

pub fn a_feed_that_never_starts_holds_nobody_up(broker: &Broker) {
    let topic = broker.topic(PARTITIONS);
    fill(broker, &topic, 10);
    let mut idle = KafkaFeed::connect(broker.reading(&topic, PARTITIONS)).expect("a feed");
    let given = idle.next(LIMIT, PATIENCE).expect("told");
    assert_eq!(given, Fed::Assigned(vec![0, 1, 2, 3]));
    // It is never asked again: the change goes on without it, after a moment.
    let mut fold = Fold::new(broker, &topic, 0);
    fold.until("half is assigned", |fold| fold.mine.len() == 2);
    // Left in the middle of things, and gone soon all the same.
    let begun = Instant::now();
    drop(idle);
    assert!(begun.elapsed() < Duration::from_secs(5), "gone in {:?}", begun.elapsed());
    fold.until("the rest follows", |fold| fold.mine.len() == 4);
    fold.until("all is read", |fold| (0..4).all(|one| fold.has_read(one, 0..10)));
}

pub fn a_slow_fold_misses_nothing(broker: &Broker) {
    let topic = broker.topic(PARTITIONS);
    fill(broker, &topic, 6_000);
    let mut fold = Fold::new(broker, &topic, 0);
    fold.until("all are assigned", |fold| fold.mine.len() == 4);
    // Long enough for the inbox to fill, and for the partitions to be paused behind it.
    std::thread::sleep(Duration::from_secs(3));
    fold.until("all is read", |fold| (0..4).all(|one| fold.has_read(one, 0..6_000)));
}

pub fn a_position_outside_of_the_log_is_named(broker: &Broker) {
    let topic = broker.topic(PARTITIONS);
    fill(broker, &topic, 10);
    let mut feed = KafkaFeed::connect(broker.reading(&topic, PARTITIONS)).expect("a feed");
    assert!(matches!(feed.next(LIMIT, PATIENCE), Ok(Fed::Assigned(_))));
    let beyond = feed.start(&[(1, 5), (2, 11)]);
    assert!(
        matches!(beyond, Err(ReadError::BeyondEnd { partition: 2, wanted: 11, end: 10 })),
        "{beyond:?}"
    );
    delete_before(broker, &topic, 3, 4);
    let before = feed.start(&[(3, 2)]);
    assert!(
        matches!(before, Err(ReadError::BeforeStart { partition: 3, wanted: 2, start: 4 })),
        "{before:?}"
    );
    feed.start(&[(3, 4)]).expect("there");
    let Ok(Fed::Items(items)) = feed.next(LIMIT, PATIENCE) else { panic!("no records") };
    assert_eq!(items.first().map(Item::offset), Some(4));
}

pub fn a_record_without_payload_keeps_its_place(broker: &Broker) {
    let topic = broker.topic(PARTITIONS);
    let mut client = rdkafka::ClientConfig::new();
    client.set("bootstrap.servers", &broker.kafka().brokers[0]);
    let producer: FutureProducer = client.create().expect("a producer");
    let foreign: FutureRecord<'_, str, [u8]> = FutureRecord::to(&topic).partition(0).key("k");
    block_on(producer.send(foreign, PATIENCE)).expect("acknowledged");
    fill(broker, &topic, 1);
    let mut fold = Fold::new(broker, &topic, 0);
    fold.until("both are read", |fold| fold.has_read(0, 0..2));
}

fn delete_before(broker: &Broker, topic: &str, partition: i32, offset: i64) {
    let mut list = rdkafka::TopicPartitionList::new();
    let offset = rdkafka::Offset::Offset(offset);
    list.add_partition_offset(topic, partition, offset).expect("an offset");
    let admin = broker.admin();
    block_on(admin.delete_records(&list, &rdkafka::admin::AdminOptions::new())).expect("deleted");
}
