//! `/readyz` of the halves: a receiver needs Kafka, a fold Kafka and Redis.

use crate::support::{Redis, Shape, readiness, wait_for_readiness};

#[test]
fn readiness_follows_what_is_needed() {
    let mut redis = Redis::start();
    let shape = Shape::start(&redis.url());
    let (ingest, fold) = (shape.ingest(1), shape.aggregate(1));
    wait_for_readiness(&ingest, true);
    wait_for_readiness(&fold, true);

    redis.kill();
    wait_for_readiness(&fold, false);
    assert!(readiness(&ingest).0, "a receiver does without Redis");
    redis.restart();
    wait_for_readiness(&fold, true);

    shape.kafka.kill(1);
    wait_for_readiness(&fold, false);
    let (_, warnings) = readiness(&fold);
    assert!(warnings.contains("the log does not answer"), "{warnings}");
    shape.kafka.up();
    wait_for_readiness(&fold, true);
    wait_for_readiness(&ingest, true);
}
