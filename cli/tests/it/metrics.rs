//! `/metrics`: every name of the contract, well formed, nothing personal, figures that are right.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Clock, Delivery, Home, Server, deliveries, line, order, with};

const SHOP: &str = "a.example";

/// Names and types that a shop of any age shows.
pub const NAMES: [(&str, &str); 46] = [
    ("webhooks_total", "counter"),
    ("webhook_duration_seconds", "histogram"),
    ("webhook_delivery_lag_seconds", "histogram"),
    ("log_append_duration_seconds", "histogram"),
    ("log_errors_total", "counter"),
    ("log_corrupt_records", "gauge"),
    ("events_applied_total", "counter"),
    ("events_imported_total", "counter"),
    ("dead_letters_total", "counter"),
    ("commits_total", "counter"),
    ("consumer_lag_events", "gauge"),
    ("state_readable", "gauge"),
    ("fold_halted", "gauge"),
    ("replaying", "gauge"),
    ("last_event_timestamp_seconds", "gauge"),
    ("commit_duration_seconds", "histogram"),
    ("shop_last_event_timestamp_seconds", "gauge"),
    ("orders_seen_total", "counter"),
    ("refunds_seen_total", "counter"),
    ("returned_units_seen_total", "counter"),
    ("checkouts_seen_total", "counter"),
    ("orders", "gauge"),
    ("customers", "gauge"),
    ("repeat_customers", "gauge"),
    ("units_sold", "gauge"),
    ("gross_sales", "gauge"),
    ("discounts", "gauge"),
    ("net_sales", "gauge"),
    ("total_sales", "gauge"),
    ("refunded", "gauge"),
    ("average_order_value", "gauge"),
    ("customer_lifetime_value", "gauge"),
    ("repeat_purchase_ratio", "gauge"),
    ("returning_customer_ratio", "gauge"),
    ("retention_ratio", "gauge"),
    ("purchase_frequency", "gauge"),
    ("return_ratio", "gauge"),
    ("returned_units", "gauge"),
    ("return_reason_ratio", "gauge"),
    ("checkout_completion_ratio", "gauge"),
    ("shops_tracked", "gauge"),
    ("shops_exported", "gauge"),
    ("build_info", "gauge"),
    ("spool_records", "gauge"),
    ("spool_bytes", "gauge"),
    ("spool_oldest_age_seconds", "gauge"),
];

/// Those of a shop that is watched for return spikes, the last two while there is one.
pub const OF_ALARMS: [(&str, &str); 5] = [
    ("return_spike_score", "gauge"),
    ("return_spike_alarm", "gauge"),
    ("return_spike_returned_orders", "gauge"),
    ("return_spike_expected_orders", "gauge"),
    ("return_spike_products", "gauge"),
];

/// The labels that the contract allows, and `le` of histograms.
const LABELS: [&str; 15] = [
    "backend",
    "basis",
    "currency",
    "effect",
    "kind",
    "le",
    "op",
    "outcome",
    "partition",
    "reason",
    "shop",
    "source",
    "stage",
    "topic",
    "window",
];

/// A shop with something of everything.
fn serve(home: &Home) -> Server {
    let server = home.serve();
    let clock = Clock::now();
    let goods = |id: u64| with(line(id, 2, "10.00"), &json!({"sku": "SECRET-SKU"}));
    let person = json!({
        "email": "ann@person.example", "phone": "+33 6 12 34 56 78",
        "shipping_address": {"name": "Ann Person", "address1": "1 Rue Exemple"},
    });
    let back = json!({"refunds": [{
        "id": 9, "created_at": clock.hours_ago(1), "note": "too small",
        "refund_line_items": [{"line_item_id": 1, "quantity": 1, "restock_type": "return", "subtotal": 10.0}],
        "transactions": [{"kind": "refund", "status": "success", "amount": "10.00", "currency": "USD"}],
    }]});
    let mut all = deliveries(
        SHOP,
        [
            with(with(order(1, 72, &clock.hours_ago(3), &[goods(1)]), &person), &back),
            order(2, 72, &clock.hours_ago(2), &[goods(2)]),
            order(3, 73, &clock.days_ago(40), &[goods(3)]),
            order(4, 73, &clock.days_ago(20), &[goods(4)]),
        ],
    );
    let started = json!({"token": "t", "created_at": clock.hours_ago(3), "updated_at": clock.hours_ago(3),
        "completed_at": clock.hours_ago(2)});
    all.push(Delivery::new(SHOP, "checkouts/create", &started));
    all.push(Delivery::new(SHOP, "orders/create", &json!({"id": 5})));
    all.push(Delivery::new(SHOP, "carts/create", &json!({"id": "x"})));
    let now = clock.end();
    let all: Vec<Delivery> = all.into_iter().map(|delivery| delivery.at(&now)).collect();
    server.take(&all);
    server
}

/// Name, labels and value.
type Sample = (String, BTreeMap<String, String>, f64);

/// Types by name, and every sample; panics where the text breaks its own rules.
fn parse(text: &str) -> (BTreeMap<String, String>, Vec<Sample>) {
    let (mut helps, mut types, mut samples) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a help text");
            assert!(!help.is_empty() && helps.insert(name.to_owned()), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            let twice = types.insert(name.to_owned(), kind.to_owned());
            assert!(twice.is_none() && helps.contains(name), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a sample");
            let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
                let family = name.strip_suffix(suffix)?;
                types.get(family).is_some_and(|kind| kind == "histogram").then_some(family)
            });
            assert!(types.contains_key(family.unwrap_or(name)), "no type before {line}");
            let labels = labels.strip_suffix('}').expect("an end of labels");
            let pair = |pair: &str| {
                let (label, value) = pair.split_once("=\"").expect("a label");
                (label.to_owned(), value.trim_end_matches('"').to_owned())
            };
            let labels = labels.split("\",").filter(|pair| !pair.is_empty()).map(pair).collect();
            samples.push((name.to_owned(), labels, value.parse().expect("a number")));
        }
    }
    (types, samples)
}

#[test]
fn every_name_of_the_contract_is_there() {
    let home = Home::new();
    let server = serve(&home);
    let reply = server.get("/metrics");
    assert!(reply.header("content-type").starts_with("text/plain; version=0.0.4"), "{reply:?}");
    let (types, samples) = parse(&reply.body);
    let missing: Vec<&str> = NAMES
        .iter()
        .filter(|(name, kind)| types.get(&format!("tallyhook_{name}")).is_none_or(|k| k != kind))
        .map(|(name, _)| *name)
        .collect();
    assert!(missing.is_empty(), "missing or of another type: {missing:?}");
    for (name, labels, _) in &samples {
        for (label, value) in labels {
            let known =
                LABELS.contains(&&**label) || (label == "version" && name.contains("build"));
            assert!(known, "label {label} of {name}");
            assert!(value.len() < 64, "{name} {label}={value}");
        }
    }
    let body = reply.body.to_lowercase();
    for personal in [
        "ann@",
        "ann person",
        "person.example",
        "@",
        "rue",
        "+33",
        "secret-sku",
        "\"72\"",
        "too small",
    ] {
        assert!(!body.contains(personal), "{personal} in {body}");
    }
}

#[test]
fn the_gauges_are_the_figures() {
    let home = Home::new();
    let server = serve(&home);
    let (_, samples) = parse(&server.get("/metrics").body);
    let find = |name: &str, wanted: &[(&str, &str)]| {
        let fits = |labels: &BTreeMap<String, String>| {
            wanted.iter().all(|(label, value)| labels.get(*label).is_some_and(|v| v == value))
        };
        let name = format!("tallyhook_{name}");
        let found: Vec<f64> =
            samples.iter().filter(|s| s.0 == name && fits(&s.1)).map(|s| s.2).collect();
        assert_eq!(found.len(), 1, "{name} {wanted:?}: {found:?}");
        found[0]
    };
    let check = |name: &str, wanted: &[(&str, &str)], value: f64| {
        let found = find(name, wanted);
        assert!((found - value).abs() < 1e-9, "{name} {wanted:?}: {found} instead of {value}");
    };
    let day = [("shop", SHOP), ("window", "24h")];
    let with = |more: &[(&'static str, &'static str)]| [&day[..], more].concat();
    check("orders", &day, 2.0);
    check("customers", &day, 1.0);
    check("repeat_customers", &day, 1.0);
    check("units_sold", &day, 4.0);
    check("repeat_purchase_ratio", &day, 1.0);
    check("purchase_frequency", &day, 2.0);
    check("gross_sales", &with(&[("currency", "USD")]), 40.0);
    check("net_sales", &with(&[("currency", "USD")]), 30.0);
    check("refunded", &with(&[("currency", "USD")]), 10.0);
    check("average_order_value", &with(&[("currency", "USD"), ("basis", "placement")]), 20.0);
    check("return_ratio", &with(&[("basis", "units_period")]), 0.25);
    check("returned_units", &with(&[("reason", "size_too_small")]), 1.0);
    check("return_reason_ratio", &with(&[("reason", "all")]), 0.25);
    check("checkout_completion_ratio", &day, 1.0);
    check("retention_ratio", &[("shop", SHOP), ("window", "30d")], 1.0);
    let lifetime = [("shop", SHOP), ("currency", "USD"), ("basis", "historic")];
    check("customer_lifetime_value", &lifetime, 35.0);
    check("orders_seen_total", &[("shop", SHOP)], 4.0);
    check("refunds_seen_total", &[("shop", SHOP)], 1.0);
    check("returned_units_seen_total", &[("shop", SHOP), ("reason", "size_too_small")], 1.0);
    check("checkouts_seen_total", &[("shop", SHOP), ("stage", "completed")], 1.0);
    check("webhooks_total", &[("topic", "orders/create"), ("outcome", "accepted")], 4.0);
    check("webhooks_total", &[("topic", "orders/create"), ("outcome", "dead_letter")], 1.0);
    check("webhooks_total", &[("topic", "other"), ("outcome", "ignored")], 1.0);
    check("dead_letters_total", &[("reason", "incomplete")], 1.0);
    check("events_applied_total", &[("kind", "order"), ("effect", "changed")], 4.0);
    check("webhook_duration_seconds_count", &[("source", "shopify")], 7.0);
    check("webhook_delivery_lag_seconds_count", &[("source", "shopify")], 7.0);
    check("shops_tracked", &[], 1.0);
    check("shops_exported", &[], 1.0);
    check("replaying", &[], 0.0);
    check("state_readable", &[], 1.0);
    check("fold_halted", &[], 0.0);
    check("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    // Undefined ratios have no sample: nobody bought in the day before.
    let undefined =
        |sample: &&Sample| sample.0 == "tallyhook_retention_ratio" && sample.1["window"] == "24h";
    assert_eq!(samples.iter().find(undefined), None);
    server.stop();

    // What was seen is of the process that saw it: a new one has the figures, not the counts.
    let server = home.serve();
    server.settle();
    let (_, samples) = parse(&server.get("/metrics").body);
    let sum = |name: &str| -> f64 {
        samples.iter().filter(|sample| sample.0 == name).map(|sample| sample.2).sum()
    };
    assert!(sum("tallyhook_orders_seen_total").abs() < 1e-9);
    assert!(sum("tallyhook_orders") > 8.0);
}

#[test]
fn promtool_finds_nothing_to_say() {
    let home = Home::new();
    let text = serve(&home).get("/metrics").body;
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| {
        panic!("promtool: {error}; `make test` installs it, or: apt-get install prometheus")
    });
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
