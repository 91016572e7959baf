//! The topics: what differs is shown and mended.

use common::config;
use common::topic::{DEAD_LETTERS, EVENTS};
use ingest::kafka::topics::{Aspect, Remedy, Topics, TopicsError};
use rdkafka::admin::{AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};

use crate::broker::Broker;

pub fn differences_are_shown_and_mended(broker: &Broker) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(differences(broker));
}

async fn differences(broker: &Broker) {
    let topics = Topics::new(&broker.kafka(), 3).expect("a client");
    let missing = topics.plan().await.expect("a plan");
    let missing: Vec<_> = missing.iter().map(|one| (one.topic.as_str(), one.aspect)).collect();
    assert_eq!(missing, [(EVENTS, Aspect::Existence), (DEAD_LETTERS, Aspect::Existence)]);
    assert_eq!(topics.apply().await.expect("applied"), []);
    assert_eq!(topics.plan().await.expect("a plan"), []);
    topics.check().await.expect("as it should be");

    // One copy and one in sync are what a single broker allows, and said to be unsafe.
    let unsafe_settings = topics.unsafe_settings().await.expect("looked at");
    assert_eq!(unsafe_settings.len(), 4, "{unsafe_settings:#?}");

    // A setting that somebody changed is mended, and another that is theirs stays.
    let mut config = AlterConfig::new(ResourceSpecifier::Topic(EVENTS));
    let changed = [("retention.ms", "1000"), ("segment.bytes", "1048576")];
    for (key, value) in changed {
        config = config.set(key, value);
    }
    let admin = broker.admin();
    admin.alter_configs([&config], &AdminOptions::new()).await.expect("altered");
    // The broker takes a moment to show it.
    let mut differing = Vec::new();
    for _ in 0..100 {
        differing = topics.plan().await.expect("a plan");
        if !differing.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let found: Vec<_> = differing.iter().map(|one| (one.aspect, one.remedy)).collect();
    assert!(found.contains(&(Aspect::Setting("retention.ms"), Remedy::Apply)), "{differing:?}");
    let refused = topics.check().await;
    assert!(matches!(refused, Err(TopicsError::Differ(_))), "{refused:?}");
    assert_eq!(topics.apply().await.expect("applied"), []);
    let described =
        admin.describe_configs([&ResourceSpecifier::Topic(EVENTS)], &AdminOptions::new());
    let described = described.await.expect("described").remove(0).expect("known");
    let segment = described.get("segment.bytes").and_then(|entry| entry.value.as_deref());
    assert_eq!(segment, Some("1048576"), "what somebody else set is theirs");

    // Partitions and copies are never changed behind anybody's back, and nothing is asked for that
    // so few copies cannot give.
    let other = config::Kafka { replication: 3, allow_unsafe: false, ..broker.kafka() };
    let left = Topics::new(&other, 5).expect("a client").apply().await.expect("applied");
    let left: Vec<_> = left.iter().map(|one| (one.topic.as_str(), one.aspect)).collect();
    let in_sync = Aspect::Setting("min.insync.replicas");
    let expected = [EVENTS, DEAD_LETTERS]
        .map(|topic| [Aspect::Partitions, Aspect::Replication, in_sync].map(|one| (topic, one)));
    assert_eq!(left, expected.concat());
    // Too many copies for the brokers there are is the brokers' refusal, by name.
    let topic = NewTopic::new("x", 1, TopicReplication::Fixed(3));
    let created = admin.create_topics([&topic], &AdminOptions::new()).await.expect("an answer");
    assert!(created[0].is_err());
}
