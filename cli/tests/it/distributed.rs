//! Receivers, Kafka, folds and Redis as processes of their own: the same figures as in one process.

use std::time::Duration;

use crate::kill::numbered;
use crate::simulate::{assert_equals_truth, simulate};
use crate::support::{
    Client, Delivery, Redis, RedisCluster, Shape, alone, converges, digest, heard,
};

/// Orders of some shops, most of them twice and none in order.
pub fn mixed() -> Vec<Delivery> {
    let numbers = (0..400u64).map(|number| number * 7919 % 300);
    numbers.map(numbered).collect()
}

/// Two receivers and three folds take what goes wrong on the way and come to the figures of one
/// process, also when one fold is killed.
fn assert_equals_one_process(shape: &Shape) {
    let ingests = [shape.ingest(1), shape.ingest(2)];
    let mut folds = vec![shape.aggregate(1), shape.aggregate(2), shape.aggregate(3)];

    let deliveries = mixed();
    ingests[0].deliver_again(&deliveries[..250]);
    ingests[1].deliver_again(&deliveries[200..]);
    folds[0].settle();
    assert_eq!(digest(&folds[2]), alone(&deliveries), "distributed differs from embedded");

    let truth = simulate(&shape.home, &ingests[0], "150", "20");
    folds[0].settle();
    for fold in &folds {
        assert_equals_truth(fold, &truth);
    }

    // One fold is killed: the others take over its partitions and go on.
    folds[0].kill_now();
    folds.remove(0);
    let truth = simulate(&shape.home, &ingests[1], "150", "21");
    folds[0].settle();
    for fold in &folds {
        assert_equals_truth(fold, &truth);
    }
    // All that was received, faults and all, in one process.
    assert_eq!(digest(&folds[1]), shape.digest_of_log(), "distributed differs from embedded");
}

#[test]
fn the_figures_are_those_of_one_process() {
    let redis = Redis::start();
    assert_equals_one_process(&Shape::start(&redis.url()));
}

/// A page may be open at any fold, of which one has the shop.
#[test]
fn every_fold_tells_when_a_shop_changes() {
    let redis = Redis::start();
    let shape = Shape::start(&redis.url());
    let (ingest, folds) = (shape.ingest(1), [shape.aggregate(1), shape.aggregate(2)]);
    ingest.deliver(&[numbered(0)]);
    let mut streams = folds.each_ref().map(|fold| {
        fold.settle();
        Client::new().open(&format!("{}/v1/stream?shop=shop-0.example", fold.admin))
    });
    for stream in &mut streams {
        assert_eq!(heard(stream, "status")["mode"], "distributed");
    }
    ingest.deliver(&[numbered(5)]);
    for stream in &mut streams {
        assert_eq!(heard(stream, "kpis")["shop"], "shop-0.example");
    }
    folds[0].get("/v1/stream?shop=no%20shop").assert_problem(404);
}

#[test]
fn a_cluster_of_redis_holds_the_same_figures() {
    let mut redis = RedisCluster::start();
    let shape = Shape::start(&redis.url());
    assert_equals_one_process(&shape);

    // A master is gone for a while, and with it the partitions that lie there.
    let fold = shape.aggregate(4);
    let expected = digest(&fold);
    redis.node(1).kill();
    let ingest = shape.ingest(3);
    ingest.deliver_again(&mixed()[..50]);
    redis.node(1).restart();
    redis.agree();
    converges(&fold, &expected, Duration::from_mins(1));
}
