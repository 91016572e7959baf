//! The golden rolling windows: 20,000 signed webhooks, late, back-dated, cancelled and merged, and
//! the figures of five windows at 150 instants, each asked for before anything later is posted.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Delivery, Home, Kpis, Redis, Shape, digest, golden, line, order, with};

const SHOP: &str = "rolling.example";

fn instant(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).expect("an instant").to_string()
}

/// `o0` is order 1, `c0` customer 1.
fn id(name: &str) -> u64 {
    name[1..].parse::<u64>().expect("a number") + 1
}

/// The webhook of a row, and when it arrives.
fn delivery(row: &str) -> (i64, Delivery) {
    let columns: Vec<&str> = row.split(',').collect();
    let [received, kind, order_id, customer, event_time, into] = columns[..] else {
        panic!("{row}")
    };
    let received: i64 = received.parse().expect(row);
    let at = instant(received);
    let (topic, body) = if kind == "merge" {
        let gid = |name: &str| format!("gid://shopify/Customer/{}", id(name));
        let body = json!({
            "admin_graphql_api_customer_kept_id": gid(into),
            "admin_graphql_api_customer_deleted_id": gid(customer),
            "status": "completed", "errors": [],
        });
        ("customers/merge", body)
    } else {
        let placed = instant(event_time.parse().expect(row));
        let goods = [line(id(order_id), 1, "10.00")];
        let body = order(id(order_id), id(customer), &placed, &goods);
        let cancelled = kind == "cancel";
        let cancelled_at = cancelled.then_some(&at);
        let body = with(body, &json!({"updated_at": at, "cancelled_at": cancelled_at}));
        (if cancelled { "orders/cancelled" } else { "orders/create" }, body)
    };
    (received, Delivery::new(SHOP, topic, &body).at(&at))
}

/// Compares one row of the expected figures; the number of figures compared.
fn check(kpis: &Kpis, expected: &HashMap<&str, &str>) -> usize {
    let names =
        [("distinct", "customers"), ("repeat", "repeat_customers"), ("orders", "purchases")];
    let mut compared = 0;
    for window in ["24h", "7d", "30d", "90d", "365d"] {
        for (column, kpi) in names {
            let expected = expected[&*format!("{column}_{window}")];
            let found = kpis.shown(window, kpi);
            assert_eq!(found, expected, "{kpi} of {window}");
            compared += 1;
        }
    }
    compared
}

/// Posts all webhooks, and compares the figures of each instant before anything later is posted. `take`
/// returns once they are folded.
fn check_all(take: impl Fn(&[Delivery]), kpis: impl Fn(&str) -> Kpis) {
    let events = golden("rolling/rolling-events.csv.gz");
    let mut waiting: Vec<(i64, Delivery)> = events.lines().skip(1).map(delivery).collect();
    assert_eq!(waiting.len(), 20_000);
    assert!(waiting.is_sorted_by_key(|(received, _)| *received));
    waiting.reverse();
    let table = golden("rolling/rolling-expected.csv");
    let mut rows = table.lines();
    let header: Vec<&str> = rows.next().expect("a header").split(',').collect();

    let started = Instant::now();
    let mut compared = 0;
    for row in rows {
        let expected: HashMap<&str, &str> = header.iter().copied().zip(row.split(',')).collect();
        let as_of: i64 = expected["as_of"].parse().expect(row);
        let mut due = Vec::new();
        while let Some((_, delivery)) = waiting.pop_if(|(received, _)| *received < as_of) {
            due.push(delivery);
        }
        take(&due);
        compared += check(&kpis(&instant(as_of)), &expected);
    }
    assert_eq!(compared, 150 * 15);
    let took = started.elapsed();
    assert!(took < Duration::from_mins(5), "{took:?} for the 150 instants");
    // What is left came after the last instant; it ends the life that a rebuild must repeat.
    take(&waiting.drain(..).map(|(_, delivery)| delivery).collect::<Vec<_>>());
}

#[test]
fn all_checkpoints_are_equal() {
    let home = Home::new();
    let server = home.serve();
    check_all(|due| server.take(due), |as_of| server.kpis(SHOP, Some(as_of)));
    let digest = server.json("/v1/digest")["digest"].clone();
    server.stop();
    assert_eq!(home.events().len(), 20_000);
    assert_eq!(home.assert_rebuilds(), digest);
}

#[test]
fn all_checkpoints_are_equal_in_the_distributed_shape() {
    let redis = Redis::start();
    let shape = Shape::start(&redis.url());
    let (ingest, folds) = (shape.ingest(1), [shape.aggregate(1), shape.aggregate(2)]);
    // One of the folds has the shop's partition; any of them answers.
    let take = |due: &[Delivery]| {
        ingest.deliver_again(due);
        folds[0].settle();
    };
    check_all(take, |as_of| folds[1].kpis(SHOP, Some(as_of)));
    assert_eq!(digest(&folds[0]), shape.digest_of_log());
}
