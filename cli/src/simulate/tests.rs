//! The simulator as a whole: repeatable, plausible, translatable, and sent as it should be.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use common::books::{Mode, Row, Settings, Window};
use common::clock::FixedClock;
use common::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};

use super::faults::Faulty;
use super::history::history_of;
use super::truth::Translator;
use super::*;

fn plan_of(shops: usize, orders: usize, seed: u64) -> Plan {
    let to = Timestamp::parse("2026-03-01T12:34:56.789Z").expect("an instant");
    let shop =
        |number| ShopDomain::parse(&format!("sim-{number}.myshopify.com")).expect("a domain");
    let shops = (0..shops).map(shop).collect();
    Plan { seed, shops, from: to.plus_ms(-365 * DAY_MS), to, orders, spoilt: None }
}

#[test]
fn a_plan_gives_the_same_deliveries() {
    let all = |seed| history(&plan_of(3, 40, seed)).collect::<Vec<_>>();
    let (one, other) = (all(7), all(7));
    assert_eq!(one, other);
    assert_ne!(one, all(8));
    let shop = |number: usize| {
        let domain = plan_of(3, 40, 7).shops[number].clone();
        one.iter().filter(|delivery| delivery.shop == domain).cloned().collect::<Vec<_>>()
    };
    for number in 0..3 {
        assert_eq!(shop(number), history_of(&plan_of(3, 40, 7), number).collect::<Vec<_>>());
    }
}

#[test]
fn a_history_is_in_time_order_and_has_its_orders() {
    let plan = plan_of(4, 300, 3);
    let all: Vec<Delivery> = history(&plan).collect();
    assert!(all.is_sorted_by_key(|delivery| delivery.at));
    assert!(all.iter().all(|d| plan.from <= d.at && d.at <= plan.to && d.triggered_at >= d.at));
    let created = all.iter().filter(|delivery| delivery.topic == "orders/create").count();
    assert_eq!(created, 4 * 300);
    let ids: HashSet<DeliveryId> = all.iter().map(|delivery| delivery.webhook_id).collect();
    assert_eq!(ids.len(), all.len());
}

/// Every topic occurs, every body is JSON, and the receiver ignores only what no figure needs.
#[test]
fn every_delivery_translates() {
    let translator = Translator::default();
    let mut topics: BTreeMap<&str, u32> = BTreeMap::new();
    for delivery in history(&plan_of(6, 700, 5)) {
        *topics.entry(delivery.topic).or_default() += 1;
        let text = String::from_utf8_lossy(&delivery.body).into_owned();
        let body: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let outcome = translator.outcome(&delivery);
        let failed = delivery.topic == "customers/merge" && body["status"] == "failed";
        let nothing_added = body["order_edit"]["line_items"]["additions"] == serde_json::json!([]);
        match outcome {
            ingest::outcome::Outcome::Events(events) => assert_eq!(events.len(), 1, "{text}"),
            ingest::outcome::Outcome::Ignored(why) => {
                assert!(failed || nothing_added, "{why}: {text}");
            }
            ingest::outcome::Outcome::DeadLetter(why) => {
                panic!("{}: {why}: {text}", delivery.topic)
            }
        }
    }
    let expected = [
        "checkouts/create",
        "checkouts/update",
        "customers/merge",
        "customers/redact",
        "orders/cancelled",
        "orders/create",
        "orders/delete",
        "orders/edited",
        "orders/fulfilled",
        "orders/paid",
        "orders/updated",
        "refunds/create",
        "returns/approve",
        "returns/cancel",
        "returns/close",
        "returns/decline",
        "returns/reopen",
        "returns/request",
        "returns/update",
    ];
    assert_eq!(topics.keys().copied().collect::<Vec<_>>(), expected, "{topics:?}");
}

fn value(rows: &[Row], kpi: &str, basis: Option<&str>) -> f64 {
    let row = rows.iter().find(|row| row.kpi == kpi && row.basis == basis && row.reason.is_none());
    row.expect(kpi).value.as_deref().expect(kpi).parse().expect(kpi)
}

#[test]
fn a_shop_is_plausible() {
    let plan = plan_of(1, 4000, 11);
    let translator = Translator::default();
    let events: Vec<_> = history(&plan).flat_map(|d| translator.events(&d)).collect();
    let mode = Mode::AsOf(plan.to);
    let rows =
        common::books::kpis(&events, &plan.shops[0], &Settings::default(), mode, &[Window::D365]);
    let check = |kpi: &str, basis: Option<&str>, low: f64, high: f64| {
        let value = value(&rows, kpi, basis);
        assert!(low <= value && value <= high, "{kpi} {basis:?}: {value}");
    };
    check("orders", None, 3900.0, 4000.0);
    check("average_order_value", Some("placement"), 60.0, 140.0);
    check("return_ratio", Some("units_period"), 0.05, 0.12);
    check("return_ratio", Some("units_cohort"), 0.05, 0.12);
    check("repeat_purchase_ratio", None, 0.2, 0.5);
    check("checkout_abandonment_ratio", None, 0.25, 0.6);
    let refused = value(&rows, "reversals", None) / value(&rows, "gross_sales", None);
    assert!(0.05 < refused && refused < 0.2, "{refused}");
}

#[test]
fn faults_repeat_and_delay_but_lose_nothing() {
    let plan = plan_of(2, 300, 5);
    let clean: Vec<Delivery> = history(&plan).collect();
    let faulty = |faults: &str| -> Vec<Delivery> {
        Faulty::new(history(&plan), faults.parse().expect("faults"), plan.seed).collect()
    };
    assert_eq!(faulty(""), clean);
    assert_eq!(faulty("dup,reorder,late,retry"), faulty("retry,late,reorder,dup"));

    let ids = |all: &[Delivery]| all.iter().map(|d| d.webhook_id).collect::<HashSet<_>>();
    for (faults, copies) in [("dup", true), ("reorder", false), ("late", false), ("retry", true)] {
        let all = faulty(faults);
        assert_eq!(ids(&all), ids(&clean), "{faults}");
        assert_eq!(all.len() > clean.len(), copies, "{faults}");
        assert!(!all.is_sorted_by_key(|d| d.at), "{faults}");
    }
    // A copy is the same delivery, byte for byte.
    for copy in faulty("dup,retry") {
        assert!(clean.iter().any(|d| d.webhook_id == copy.webhook_id && *d == copy));
    }
    let error = "dup,explode".parse::<Faults>().expect_err("no such fault");
    assert!(error.to_string().contains("explode"));
}

#[test]
fn live_traffic_shows_the_clocks_time() {
    let plan = plan_of(1, 200, 9);
    let now = Timestamp::parse("2026-05-01T00:00:00Z").expect("an instant");
    let clock = Arc::new(FixedClock::at(now));
    let shared = SharedClock(Arc::clone(&clock));
    let mut topics = HashSet::new();
    for (step, delivery) in (0..3000).zip(live(history(&plan), shared)) {
        assert!(delivery.at <= now.plus_ms(step * 100));
        assert!(delivery.at >= now.plus_ms((step - 5) * 100).max(now), "{}", delivery.at);
        topics.insert(delivery.topic);
        clock.set(now.plus_ms((step + 1) * 100));
    }
    for topic in ["orders/create", "refunds/create", "returns/close", "checkouts/update"] {
        assert!(topics.contains(topic), "{topic}");
    }
}

struct SharedClock(Arc<FixedClock>);

impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// A request as a receiver sees it.
struct Request {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// A receiver that answers the n-th request with what `answer` says: a status, or 0 to hang up.
fn receiver(answer: fn(usize, &Request) -> u16) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/webhooks/shopify", listener.local_addr().expect("an address"));
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
                let mut stream = stream;
                while let Some(request) = read_request(&mut reader) {
                    let status = answer(seen.fetch_add(1, Ordering::SeqCst), &request);
                    if status == 0 {
                        return;
                    }
                    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}");
                    stream.write_all(head.as_bytes()).expect("an open connection");
                }
            });
        }
    });
    (url, count)
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    assert_eq!(line, "POST /webhooks/shopify HTTP/1.1\r\n");
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { headers, body })
}

/// The signature by plain HMAC, and every header that the platform sends.
fn is_genuine(request: &Request) -> bool {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"hush").expect("a key");
    mac.update(&request.body);
    let engine = base64::engine::general_purpose::STANDARD;
    let signature = engine.encode(mac.finalize().into_bytes());
    let names = ["topic", "shop-domain", "api-version", "webhook-id", "event-id", "triggered-at"];
    request.headers.get("x-shopify-hmac-sha256") == Some(&signature)
        && names.iter().all(|name| request.headers.contains_key(&format!("x-shopify-{name}")))
}

fn options(url: &str, orders: usize) -> Options {
    let (url, secret) = (url.to_owned(), b"hush".to_vec());
    Options { url, secret, orders, seed: 4, connections: 4, ..Options::default() }
}

#[test]
fn sends_signed_deliveries_and_writes_their_truth() {
    let (url, count) = receiver(|_, request| if is_genuine(request) { 200 } else { 401 });
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("truth.json");
    let faults = "dup,reorder,late,retry".parse().expect("faults");
    let options = Options { shops: 2, faults, truth: Some(path.clone()), ..options(&url, 30) };
    let report = run(&options, |done, total| assert!(done <= total)).expect("a run");
    assert_eq!(report.posted, count.load(Ordering::SeqCst) as u64);
    assert!(report.acked < report.posted && report.acked > 200, "{report:?}");
    assert_eq!((report.refused.len(), report.unknown.len()), (0, 0));

    let text = std::fs::read_to_string(path).expect("a file");
    let truth: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&truth["seed"], &truth["acked"]), (&4.into(), &report.acked.into()));
    let rows = truth["shops"]["sim-4-0.myshopify.com"].as_array().expect("rows");
    let windows: HashSet<&str> = rows.iter().filter_map(|row| row["window"].as_str()).collect();
    assert_eq!(windows.len(), 6);
    let orders = rows.iter().find(|row| row["kpi"] == "orders" && row["window"] == "all");
    assert_eq!(orders.expect("a row")["to"], truth["as_of"]);
}

#[test]
fn tells_refused_from_unknown_and_tries_again() {
    // Every third delivery is refused for good; every fifth answer is a hang-up or a 503 at first.
    let (url, _) = receiver(|number, request| {
        let refused = request.headers["x-shopify-webhook-id"].as_bytes()[0].is_ascii_digit();
        match (refused, number % 5) {
            (true, _) => 413,
            (false, 1) => 0,
            (false, 2) => 503,
            (false, _) => 200,
        }
    });
    let report = run(&options(&url, 4), |_, _| ()).expect("a run");
    assert!(!report.refused.is_empty() && report.acked > 0);
    assert!(report.refused.iter().all(|id| id.to_string().as_bytes()[0].is_ascii_digit()));
    assert_eq!(report.statuses, [(413, report.refused.len() as u64)]);
    assert_eq!(report.unknown.len(), 0);
}

#[test]
fn says_when_nothing_listens() {
    let error = run(&options("http://127.0.0.1:1/webhooks/shopify", 1), |_, _| ());
    assert!(format!("{:#}", error.expect_err("no receiver")).contains("tallyhook serve"));
    let error = run(&options("https://127.0.0.1/webhooks/shopify", 1), |_, _| ());
    assert!(format!("{:#}", error.expect_err("no TLS")).contains("plain HTTP"));
}
