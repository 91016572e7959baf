//! What the commands do is the same through the instance that holds the data directory and in the
//! directory itself.

use serde_json::json;

use crate::api::{SHOP, serve};
use crate::support::{Client, Clock, Home, SECRET, line, order, sign};

#[test]
fn a_dead_letter_comes_to_life_when_its_shop_is_named() {
    let home = Home::new();
    let server = home.serve();
    let body = order(1, 1, &Clock::fixed().days_ago(1), &[line(1, 1, "10.00")]).to_string();
    let signature = sign(SECRET, body.as_bytes());
    let headers = [("x-shopify-topic", "orders/create"), ("x-shopify-hmac-sha256", &signature)];
    let url = format!("{}/webhooks/shopify", server.public);
    let reply = Client::new().post(&url, &headers, body.as_bytes()).expect("an answer");
    assert_eq!(reply.status, 200, "the platform shall not send it again");
    assert_eq!(server.json("/v1/shops"), json!({"shops": []}));
    home.stdout(&["dead-letter", "retry", "--all", "--shop", SHOP]);
    server.settle();
    assert_eq!(server.json("/v1/shops")["shops"][0]["orders"], 1);
    assert!(!home.stdout(&["dead-letter", "list"]).contains("orders/create"));
    server.stop();
    home.assert_rebuilds();
}

#[test]
fn commands_go_through_the_instance_that_holds_the_directory() {
    let home = Home::new();
    let server = serve(&home);
    let live = server.json("/v1/digest");
    assert_eq!(home.json(&["digest", "--json"]), live);
    assert_eq!(home.json(&["rebuild", "--json"])["digest"], live["digest"]);
    assert_eq!(home.events().len(), 9);
    let as_of = Clock::fixed().end();
    let shown = home.json(&["kpi", SHOP, "--window", "7d", "--as-of", &as_of, "--json"]);
    let reply = server.json(&format!("/v1/shops/{SHOP}/kpis?window=7d&as_of={as_of}"));
    assert_eq!(shown, reply);
    // One more delivery by the command that signs one.
    let file = home.path("order.json");
    let body = order(50, 1, &Clock::fixed().days_ago(1), &[line(50, 1, "10.00")]);
    std::fs::write(&file, body.to_string()).expect("written");
    let (file, url) = (file.to_str().expect("text"), format!("{}/webhooks/shopify", server.public));
    home.stdout(&[
        "send",
        file,
        "--url",
        &url,
        "--secret",
        SECRET,
        "--topic",
        "orders/create",
        "--shop",
        SHOP,
    ]);
    server.settle();
    assert_eq!(server.json("/v1/shops")["shops"][0]["orders"], 10);
    server.stop();
    // And without it they open the directory: the same answers.
    assert_eq!(home.events().len(), 10);
    let shown = home.json(&["kpi", SHOP, "--window", "7d", "--as-of", &as_of, "--json"]);
    let orders = shown["kpis"].as_array().expect("KPIs").iter().find(|row| row["kpi"] == "orders");
    assert_eq!(orders.expect("orders")["value"], "8");
    home.assert_rebuilds();
}

#[test]
fn event_lines_are_imported_and_mistakes_named() {
    let home = Home::new();
    let lines = [
        r#"{"type":"order","shop":"r.example","id":1,"placed_at":"2024-01-01T00:50:45Z","updated_at":"2024-01-01T00:50:45Z","currency":"USD","customer":{"id":72},"lines":[{"id":1,"quantity":1,"price":"10.00"}]}"#,
        r#"{"type":"order","shop":"r.example","id":2,"currency":"USD","lines":[]}"#,
        r#"{"type":"order","shop":"r.example","id":3,"placed_at":"2024-01-01T08:00:00Z","currency":"USD","customer":{"id":73},"lines":[{"id":1,"quantity":2,"price":"10.00"}]}"#,
        r#"{"type":"order","shop":"r.example","id":1,"placed_at":"2024-01-01T00:50:45Z","updated_at":"2024-01-02T08:00:00Z","cancelled_at":"2024-01-02T08:00:00Z","currency":"USD","customer":{"id":72},"lines":[{"id":1,"quantity":1,"price":"10.00"}]}"#,
        r#"{"type":"customer_merged","shop":"r.example","from":{"id":72},"into":{"id":73},"at":"2024-01-01T17:19:50Z"}"#,
    ];
    let file = home.path("events.jsonl");
    std::fs::write(&file, lines.join("\n")).expect("written");
    let arguments = ["backfill", "events-jsonl", file.to_str().expect("text")];
    let dry = home.run(&[&arguments[..], &["--dry-run"]].concat());
    assert_eq!(dry.status.code(), Some(1), "{dry:?}");
    let output = home.run(&arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains('2') && errors.contains("placed_at"), "{errors}");
    assert_eq!(home.events().len(), 4);

    let server = home.serve();
    server.settle();
    server.kpis("r.example", Some("2024-01-03T00:00:00Z")).check(
        "all",
        &[
            ("orders", "2"),
            ("gross_sales", "30.00"),
            ("net_sales", "20.00"),
            ("customers", "1"),
            ("purchases", "1"),
        ],
    );
}
