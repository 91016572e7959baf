//! `kill -9` under load, again and again on one data directory: what was answered with 200 is there.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::RngExt as _;

use crate::support::{Client, Delivery, Home, asked_for, line, order};

/// Senders at once.
const SENDERS: usize = 4;
/// Every so many-th delivery is sent twice at once.
const DOUBLE: u64 = 10;
/// Every so many-th round the next start is killed, too, while it mends what the last kill left.
const DURING_START: u32 = 5;

/// A webhook of its own order; some dozens of customers share all orders.
pub fn numbered(number: u64) -> Delivery {
    let seconds = i64::try_from(number).expect("small");
    let at = jiff::Timestamp::from_second(1_700_000_000 + seconds).expect("an instant").to_string();
    let shop = format!("shop-{}.example", number % 5);
    let body = order(number, 1 + number % 37, &at, &[line(number, 1 + number % 3, "12.50")]);
    Delivery::new(&shop, "orders/create", &body).id(format!("delivery-{number}"))
}

/// The orders that the log holds, each once.
pub fn orders_in_log(home: &Home) -> HashSet<u64> {
    let events = home.events();
    events.iter().map(|event| event["body"]["order"]["id"].as_u64().expect("an id")).collect()
}

/// Posts numbered orders until the server is gone, and notes those that were answered with 200.
pub fn post_until_gone(public: &str, next: &AtomicU64, acked: &Mutex<HashSet<u64>>) {
    let client = Client::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let delivery = numbered(number);
        let copies = if number.is_multiple_of(DOUBLE) { 2 } else { 1 };
        for _ in 0..copies {
            let Ok(reply) = client.deliver(public, &delivery) else { return };
            match reply.status {
                200 => {
                    acked.lock().expect("no panic").insert(number);
                }
                // On its way out it may say so.
                503 => {}
                status => panic!("{status}: {reply:?}"),
            }
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost() {
    let rounds = asked_for("TALLYHOOK_TEST_KILL_ROUNDS", 50);
    let home = Home::new();
    let (next, acked) = (AtomicU64::new(1), Mutex::new(HashSet::new()));
    let mut working = 0;
    for round in 0..rounds {
        let mut server = home.serve();
        let public = server.public.clone();
        let pause = rand::rng().random_range(20..=200);
        let before = acked.lock().expect("no panic").len();
        std::thread::scope(|scope| {
            for _ in 0..SENDERS {
                scope.spawn(|| post_until_gone(&public, &next, &acked));
            }
            std::thread::sleep(Duration::from_millis(pause));
            server.kill_now();
        });
        drop(server);
        working += u32::from(acked.lock().expect("no panic").len() > before);
        if round % DURING_START == 0 {
            let mut starting = home.starting();
            std::thread::sleep(Duration::from_millis(rand::rng().random_range(0..60)));
            starting.kill().expect("a child of ours");
            starting.wait().expect("a child of ours");
        }
    }

    // A start that takes nothing proves nothing; after the shortest pauses many do.
    assert!(3 * working > rounds, "of {rounds} rounds {working} took something");
    let server = home.serve();
    server.settle();
    assert_eq!(server.get("/readyz").status, 200, "{}", server.messages());
    let digest = server.json("/v1/digest")["digest"].clone();
    let acked = acked.into_inner().expect("no panic");
    let shops = server.json("/v1/shops");
    let counted = |shop: &serde_json::Value| shop["orders"].as_u64().expect("a count");
    let counted: u64 = shops["shops"].as_array().expect("shops").iter().map(counted).sum();
    server.stop();
    let kept = orders_in_log(&home);
    let lost: Vec<&u64> = acked.difference(&kept).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged orders lost: {lost:?}",
        lost.len(),
        acked.len()
    );
    assert!(acked.len() > usize::try_from(rounds).expect("small"), "{} acknowledged", acked.len());
    // Each order counts once, whatever was sent twice or written again.
    assert_eq!(usize::try_from(counted).expect("small"), kept.len());
    assert_eq!(home.assert_rebuilds(), digest);
    let health = home.run(&["log", "verify"]);
    assert!(health.status.success(), "{health:?}");
}
