//! What a real broker does only when it is very unwell, on librdkafka's mock broker.

use common::log::NoMetrics;
use rdkafka::ClientContext as _;
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;

fn settings(brokers: String) -> ProducerSettings {
    ProducerSettings::new(&common::config::Kafka::open(vec![brokers]), 1)
}

fn open(settings: ProducerSettings) -> KafkaLog {
    KafkaLog::open(settings, Arc::new(NoMetrics)).expect("a producer")
}

#[tokio::test]
async fn a_fatal_error_replaces_the_producer() {
    let cluster = MockCluster::new(1).expect("a mock");
    cluster.create_topic(topic::EVENTS, 1, 1).expect("a topic");
    let log = open(settings(cluster.bootstrap_servers()));
    log.append(0, Bytes::from_static(b"before")).await.expect("acknowledged");
    cluster.request_errors(
        RDKafkaApiKey::Produce,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
    );
    let failed = log.append(0, Bytes::from_static(b"out of order")).await;
    assert!(matches!(failed, Err(AppendError::Unavailable { .. })), "{failed:?}");
    assert_eq!(log.shared.read().generation, 1);
    log.append(0, Bytes::from_static(b"after")).await.expect("acknowledged");
    log.close();
    let closed = log.append(0, Bytes::from_static(b"late")).await;
    assert!(matches!(closed, Err(AppendError::Closed)));
}

#[tokio::test]
async fn a_producer_without_brokers_is_replaced() {
    let cluster = MockCluster::new(1).expect("a mock");
    cluster.create_topic(topic::EVENTS, 1, 1).expect("a topic");
    let log = open(settings(cluster.bootstrap_servers()));
    log.append(0, Bytes::from_static(b"before")).await.expect("acknowledged");
    // As librdkafka tells of itself where an answer has named no broker.
    let strand = || {
        let current = log.shared.read();
        let client = current.producer.as_ref().expect("a producer").client();
        client.context().stats_raw(br#"{"brokers":{":0/internal":{"source":"internal"}}}"#);
        current.generation
    };
    assert_eq!(strand(), 0);
    log.append(0, Bytes::from_static(b"after")).await.expect("acknowledged");
    assert_eq!(strand(), 1);
    let asking = log.clone();
    let asked = tokio::task::spawn_blocking(move || asking.ask(Duration::from_secs(5))).await;
    asked.expect("no panic").expect("the topic");
    assert_eq!(log.shared.read().generation, 2);
    // The next ones tell of themselves that all is well.
    tokio::time::sleep(Duration::from_secs(3)).await;
    log.append(0, Bytes::from_static(b"later")).await.expect("acknowledged");
    assert_eq!(log.shared.read().generation, 2);
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once() {
    // Nobody listens there.
    let log = open(ProducerSettings { queue_records: 2, ..settings("127.0.0.1:1".into()) });
    let first = log.send(0, None, None, b"a").expect("room");
    let second = log.send(0, None, None, b"b").expect("room");
    let since = Instant::now();
    let third = log.append(0, Bytes::from_static(b"c")).await;
    assert!(matches!(third, Err(AppendError::Busy)), "{third:?}");
    assert!(since.elapsed() < Duration::from_secs(1));
    for sent in [first, second] {
        let failed = log.settle(sent).await;
        assert!(matches!(failed, Err(AppendError::Unavailable { .. })), "{failed:?}");
    }
    assert!(since.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn what_is_too_large_is_refused_here() {
    let log = open(settings("127.0.0.1:1".into()));
    let large = Bytes::from(vec![0; topic::MAX_MESSAGE_BYTES]);
    let refused = log.append(0, large).await;
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })), "{refused:?}");
}
