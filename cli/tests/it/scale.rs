//! Folds come and go under load: killed, stopped and gone on. Nothing is lost or doubled, and no two of
//! them ever show the same shop.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{
    Load, Redis, Scrapes, Server, Shape, alone, asked_for, converges, wait_until,
};

/// Longer than the session that the shape's folds have.
const STANDSTILL: Duration = Duration::from_secs(9);
/// How long a change of the group may take on a loaded machine.
const CHANGE: Duration = Duration::from_mins(1);
/// What Prometheus is commonly set to; a shop may be missing in one scrape.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(15);
const SHOPS: usize = 24;

/// The shops that a fold shows.
fn shown(fold: &Server) -> BTreeSet<String> {
    let reply = fold.get("/metrics");
    let lines = reply.body.lines().filter(|line| line.starts_with("tallyhook_orders{"));
    lines.filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

/// Waits until folds show all shops between them, each some.
fn wait_for_shares(folds: &[&Server]) {
    wait_until("every fold to show its share", CHANGE, || {
        let shares: Vec<_> = folds.iter().map(|fold| shown(fold)).collect();
        let all: BTreeSet<&String> = shares.iter().flatten().collect();
        all.len() == SHOPS && shares.iter().all(|share| !share.is_empty())
    });
}

#[test]
fn folds_come_and_go_under_load() {
    let redis = Redis::start();
    let shape = Shape::start(&redis.url());
    let ingests = [shape.ingest(1), shape.ingest(2)];
    let load = Load::start(&[&ingests[0].public, &ingests[1].public], Duration::from_millis(25));
    let mut scrapes = Scrapes::default();
    let start = |number: u8, scrapes: &mut Scrapes| {
        let fold = shape.aggregate(number);
        scrapes.of(&format!("fold {number}"), &fold.admin);
        fold
    };
    let first = start(1, &mut scrapes);
    load.goes_on(100);
    wait_for_shares(&[&first]);
    let mut third = start(2, &mut scrapes);
    wait_for_shares(&[&first, &third]);
    for round in 0..asked_for("TALLYHOOK_TEST_FAULT_ROUNDS", 1) {
        let number = u8::try_from(3 + round).expect("few");
        let mut second = std::mem::replace(&mut third, start(number, &mut scrapes));
        wait_for_shares(&[&first, &second, &third]);
        load.goes_on(100);

        second.kill_now();
        wait_for_shares(&[&first, &third]);
        load.goes_on(100);

        // Whoever stood still for longer than its session comes back to partitions that are another's.
        third.signal("-STOP");
        std::thread::sleep(STANDSTILL);
        wait_for_shares(&[&first]);
        third.signal("-CONT");
        wait_for_shares(&[&first, &third]);
        load.goes_on(100);
    }

    let posted = load.stop();
    let expected = alone(&posted.deliveries);
    for fold in [&first, &third] {
        converges(fold, &expected, CHANGE);
    }
    let gap = scrapes.assert_never_twice();
    let (count, refused) = (posted.deliveries.len(), posted.refused);
    eprintln!("{count} webhooks, {refused} answers of 503; a shop was shown by none for {gap:?}");
    let allowed = Duration::from_secs(6) + SCRAPE_INTERVAL;
    assert!(gap < allowed, "{gap:?}: a session and a scrape are {allowed:?}");
}
