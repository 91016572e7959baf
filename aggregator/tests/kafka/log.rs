//! The log port over Kafka, and a record as any other consumer sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use aggregator::kafka::{ConnectError, KafkaTail, TailReader};
use bytes::Bytes;
use common::event::{Body, Event, OrderDeleted, SCHEMA};
use common::log::{Append, AppendError, Appended, ReadError, Subscribe, conformance};
use common::partition::partition_of;
use common::shop::ShopDomain;
use common::time::Timestamp;
use common::version::Version;
use ingest::kafka::KafkaLog;
use ingest::receiver::EventLog as _;
use rdkafka::Message as _;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;

use crate::broker::{Broker, block_on};

/// Both ends of a topic as one log.
#[derive(Clone)]
struct Both {
    log: KafkaLog,
    tail: KafkaTail,
}

impl Append for Both {
    async fn append(&self, partition: u16, payload: Bytes) -> Result<Appended, AppendError> {
        self.log.append(partition, payload).await
    }
}

impl Subscribe for Both {
    type Reader = TailReader;

    fn partitions(&self) -> u16 {
        self.tail.partitions()
    }

    fn start_positions(&self) -> Result<Vec<u64>, ReadError> {
        self.tail.start_positions()
    }

    fn end_positions(&self) -> Result<Vec<u64>, ReadError> {
        self.tail.end_positions()
    }

    fn open_from(&self, positions: &[u64]) -> Result<TailReader, ReadError> {
        self.tail.open_from(positions)
    }
}

pub fn conforms(broker: &Broker) {
    // Topics are made by a runtime of their own, so the suite's is not to be blocked on twice.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let make = |partitions| {
        std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                let topic = broker.topic(partitions);
                let log = broker.log(&topic, partitions);
                let tail = KafkaTail::connect(broker.reading(&topic, partitions)).expect("a tail");
                Both { log, tail }
            });
            made.join().expect("a log")
        })
    };
    runtime.block_on(conformance::run(make));
}

pub fn a_record_says_what_it_is(broker: &Broker) {
    let topic = broker.topic(8);
    let log = broker.log(&topic, 8);
    let shop = ShopDomain::parse("Some.MyShopify.com").expect("a shop");
    let at = Timestamp::from_ms(1_767_607_200_500);
    let event = |delivery_id: Option<&str>| Event {
        schema: SCHEMA,
        shop: shop.clone(),
        source: "shopify".into(),
        version: Version { at, triggered_at: None, digest: 7 },
        received_at: at,
        imported_at: None,
        delivery_id: delivery_id.map(Into::into),
        topic: None,
        body: Body::OrderDeleted(OrderDeleted {
            order: serde_json::from_str("\"1\"").expect("an id"),
        }),
    };
    let partition = partition_of(&shop, 8);
    for id in [Some("delivery-1"), None] {
        let payload = event(id).encode().expect("encodes");
        block_on(log.append_event(partition, &event(id), payload.into())).expect("acknowledged");
    }

    let seen = plain(broker, &topic, i32::from(partition), 2);
    assert_eq!(seen[0].key, b"some.myshopify.com");
    let decoded = Event::decode(&seen[0].payload).expect("an event");
    assert_eq!(decoded, event(Some("delivery-1")));
    let expected = [
        ("ce_id", "delivery-1"),
        ("ce_source", "shopify"),
        ("ce_specversion", "1.0"),
        ("ce_time", "2026-01-05T10:00:00.5Z"),
        ("ce_type", "tallyhook.order_deleted.v1"),
        ("content-type", "application/json"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(seen[0].headers, BTreeMap::from(expected));
    assert_eq!(seen[1].headers["ce_id"].len(), 36, "a uuid where there is no delivery id");
}

pub fn other_partitions_than_expected_are_refused(broker: &Broker) {
    let topic = broker.topic(3);
    let refused = KafkaTail::connect(broker.reading(&topic, 4)).err();
    let expected = matches!(refused, Some(ConnectError::Partitions { found: 3, wanted: 4, .. }));
    assert!(expected, "{refused:?}");
    let refused = KafkaTail::connect(broker.reading("never-made", 4)).err();
    assert!(matches!(refused, Some(ConnectError::NoTopic(_))), "{refused:?}");
    let patience = Duration::from_secs(5);
    broker.log(&topic, 3).ask(patience).expect("the topic is served");
    assert!(broker.log(&topic, 4).ask(patience).is_err());
}

struct Seen {
    key: Vec<u8>,
    payload: Vec<u8>,
    headers: BTreeMap<String, String>,
}

/// The records of a partition as a plain consumer sees them.
fn plain(broker: &Broker, topic: &str, partition: i32, count: usize) -> Vec<Seen> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &broker.kafka().brokers[0]).set("group.id", "plain");
    let consumer: BaseConsumer = client.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    let first = rdkafka::Offset::Beginning;
    list.add_partition_offset(topic, partition, first).expect("an offset");
    consumer.assign(&list).expect("assigned");
    (0..count)
        .map(|_| {
            let message = consumer.poll(Duration::from_secs(20)).expect("in time").expect("read");
            let headers = message.headers().expect("headers").iter();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
            Seen {
                key: message.key().expect("a key").to_vec(),
                payload: message.payload().expect("a payload").to_vec(),
                headers: headers
                    .map(|one| (one.key.to_owned(), text(one.value.expect("a value"))))
                    .collect(),
            }
        })
        .collect()
}
