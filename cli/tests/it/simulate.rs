//! `simulate` against `serve`: a year of two shops with everything that goes wrong on the way, and
//! every figure that results against books kept over the deliveries that were acknowledged.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Home, SECRET, Server};

/// Estimates may differ in the last digits of floating-point sums.
const TOLERANCE: f64 = 1e-7;

/// What names a KPI.
fn key(row: &Value) -> String {
    let field = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
    ["window", "kpi", "basis", "currency", "reason"].map(field).join(" ")
}

fn by_key(rows: &Value) -> BTreeMap<String, Value> {
    let rows = rows.as_array().expect("KPIs");
    let map: BTreeMap<String, Value> = rows.iter().map(|row| (key(row), row.clone())).collect();
    assert_eq!(map.len(), rows.len(), "a KPI twice");
    map
}

/// Whether a KPI is a sum of floating-point numbers.
fn is_estimate(key: &str) -> bool {
    key.contains(" customer_lifespan ") || key.contains(" formula ")
}

fn assert_same(key: &str, found: &Value, truth: &Value) {
    for field in ["value", "numerator", "denominator", "unit", "from", "to"] {
        let (found, truth) = (&found[field], &truth[field]);
        let number = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
        match (number(found), number(truth)) {
            (Some(found), Some(truth)) if field == "value" && is_estimate(key) => {
                let near = (found - truth).abs() <= TOLERANCE * truth.abs().max(1.0);
                assert!(near, "{key}: {found} instead of {truth}");
            }
            (_, _) => assert_eq!(found, truth, "{field} of {key}"),
        }
    }
}

/// Sends two simulated shops with everything that goes wrong on the way; the truth that must result.
pub fn simulate(home: &Home, server: &Server, orders: &str, seed: &str) -> Value {
    let file = home.path(&format!("truth-{seed}.json"));
    let url = format!("{}/webhooks/shopify", server.public);
    home.stdout(&[
        "simulate",
        "--url",
        &url,
        "--secret",
        SECRET,
        "--shops",
        "2",
        "--orders",
        orders,
        "--seed",
        seed,
        "--faults",
        "dup,reorder,late,retry",
        "--truth",
        file.to_str().expect("text"),
    ]);
    server.drained();
    let truth = std::fs::read_to_string(file).expect("the truth");
    serde_json::from_str(&truth).expect("json")
}

#[test]
fn every_figure_equals_the_books() {
    let home = Home::new();
    let server = home.serve();
    let truth = simulate(&home, &server, "300", "20");
    server.settle();
    assert!(truth["acked"].as_u64().is_some_and(|acked| acked > 600), "{}", truth["acked"]);
    for nothing in ["refused", "unknown"] {
        assert_eq!(truth[nothing], serde_json::json!([]), "{nothing}");
    }
    assert_eq!(truth["seed"], 20);

    assert_equals_truth(&server, &truth);
    let digest = server.json("/v1/digest")["digest"].clone();
    server.stop();
    assert_eq!(home.assert_rebuilds(), digest);
}

/// Panics unless a server's figures are those of a truth of two shops with 150 orders or more.
pub fn assert_equals_truth(server: &Server, truth: &Value) {
    let as_of = truth["as_of"].as_str().expect("an instant");
    let shops = truth["shops"].as_object().expect("shops");
    assert_eq!(shops.len(), 2);
    for (shop, rows) in shops {
        let truth = by_key(rows);
        let kpis = server.kpis(shop, Some(as_of));
        let found = by_key(&kpis.rows().to_vec().into());
        assert_eq!(found.keys().collect::<Vec<_>>(), truth.keys().collect::<Vec<_>>(), "{shop}");
        for (key, truth) in &truth {
            assert_same(key, &found[key], truth);
        }
        // A truth of nothing would prove nothing.
        // How much of it is over by now depends on the day.
        let least = [
            ("orders", 50),
            ("units_sold", 50),
            ("repeat_customers", 3),
            ("returned_units all", 3),
        ];
        for (count, least) in least {
            assert!(kpis.count("all", count) >= least, "{count} of {shop}");
        }
        assert!(kpis.number("all", "reversals") > 0.0, "{shop}");
        assert!(kpis.number("all", "checkout_completion_ratio") > 0.0, "{shop}");
    }
}
