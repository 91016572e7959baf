//! Three brokers with copies on each: one is killed under load, then two. What was acknowledged is
//! there, and no answer is wrong.

use std::time::Duration;

use crate::support::{Load, Redis, Shape, alone, asked_for, converges, wait_until};

const TOPIC: &str = "tallyhook.events.v1";
/// How long the folds may take once the brokers are back, on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn no_acknowledged_event_is_lost_with_its_broker() {
    let redis = Redis::start();
    let shape = Shape::with_copies(&redis.url());

    // Copies alone are not enough to start with.
    shape.kafka.set(TOPIC, "min.insync.replicas=1");
    let refused = shape.home.refused(&["ingest"], &[]);
    let text = format!("{TOPIC}: min.insync.replicas is below 2");
    assert!(refused.says(&text) && !refused.says("one copy"), "{refused:?}");
    shape.kafka.set(TOPIC, "min.insync.replicas=2");

    let ingests = [shape.ingest(1), shape.ingest(2)];
    let folds = [shape.aggregate(1), shape.aggregate(2)];
    let load = Load::start(&[&ingests[0].public, &ingests[1].public], Duration::from_millis(30));
    load.goes_on(150);

    for _ in 0..asked_for("TALLYHOOK_TEST_FAULT_ROUNDS", 1) {
        let before = load.refused();
        shape.kafka.kill(3);
        load.goes_on(150);
        shape.kafka.up();
        load.goes_on(50);
        let (refused, taken) = (load.refused(), load.acknowledged());
        eprintln!("{} answers of 503 while one broker was away", refused - before);

        // One broker is too few to acknowledge anything: refused, unless something else keeps it.
        shape.kafka.kill(2);
        shape.kafka.kill(3);
        wait_until("webhooks to be refused or kept elsewhere", PATIENCE, || {
            load.refused() > refused + 5 || load.acknowledged() > taken + 100
        });
        shape.kafka.up();
        load.goes_on(100);
    }

    let posted = load.stop();
    let (count, refused, slowest) = (posted.deliveries.len(), posted.refused, posted.slowest);
    eprintln!("{count} webhooks, {refused} answers of 503, slowest 200 after {slowest:?}");
    let expected = alone(&posted.deliveries);
    for fold in &folds {
        let took = converges(fold, &expected, PATIENCE);
        eprintln!("the state was right after {took:?}");
    }
    assert!(posted.slowest < Duration::from_secs(10), "{:?}", posted.slowest);
}
