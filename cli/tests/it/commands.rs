//! The commands: through the instance that holds the data directory, or in the directory itself; and
//! how they end.

use crate::api::{SHOP, serve};
use crate::support::{Clock, Delivery, Home, SECRET, line, order};

/// The end of a command, and what it said on stderr.
fn ends(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let output = home.run(arguments);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn ends_are_told_apart() {
    let home = Home::new();
    assert_eq!(ends(&home, &["config", "check"]).0, Some(0));
    assert_eq!(ends(&home, &["dance"]).0, Some(2));
    assert_eq!(ends(&home, &["kpi"]).0, Some(2));
    // Nothing was ever imported.
    assert_eq!(ends(&home, &["kpi", "a.example"]).0, Some(1));

    let (code, message) = ends(&Home::with("[colours]\nred = 1"), &["serve"]);
    assert_eq!(code, Some(78), "{message}");
    assert!(message.contains("colours"), "{message}");
    let (code, message) = ends(&Home::with("[log]\npartitions = 0"), &["serve"]);
    assert_eq!(code, Some(78), "{message}");
    assert!(message.contains("partitions"), "{message}");
    let no_source = Home::new();
    let config = std::fs::read_to_string(no_source.path("tallyhook.toml")).expect("a file");
    let (before, _) = config.split_once("[sources").expect("a source");
    std::fs::write(no_source.path("tallyhook.toml"), before).expect("written");
    let (code, message) = ends(&no_source, &["serve"]);
    assert_eq!(code, Some(78), "{message}");
    assert!(message.contains("source"), "{message}");
}

#[test]
fn what_the_state_depends_on_cannot_change_unnoticed() {
    let home = Home::new();
    serve(&home).stop();
    let file = home.path("tallyhook.toml");
    let config = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, format!("{config}[shops.default]\ntime_zone = \"Asia/Tokyo\"\n"))
        .expect("written");
    let (code, message) = ends(&home, &["serve"]);
    assert!(code.is_some_and(|code| code != 0), "{message}");
    assert!(message.contains("tallyhook rebuild"), "{message}");
    // And the way out that the message names.
    home.stdout(&["rebuild"]);
    let server = home.serve();
    server.settle();
    let shops = server.json("/v1/shops");
    assert_eq!(
        (&shops["shops"][0]["time_zone"], &shops["shops"][0]["orders"]),
        (&"Asia/Tokyo".into(), &9.into())
    );
}

#[test]
fn dead_letters_are_listed_and_tried_again() {
    let home = Home::new();
    let server = home.serve();
    let body = br#"{"id": 5, "email": "ann@person.example"}"#;
    let delivery = Delivery::raw(SHOP, "orders/create", body.to_vec());
    assert_eq!(server.try_deliver(&delivery).status, 200);
    let through = home.stdout(&["dead-letter", "list"]);
    assert!(through.contains("orders/create") && through.contains(SHOP), "{through}");
    assert!(!through.contains("ann"), "{through}");
    server.stop();
    let listed = home.json(&["dead-letter", "list", "--json"]);
    let text = listed.to_string();
    assert!(text.contains("orders/create") && text.contains("incomplete"), "{text}");
    // Nothing about it has changed, so it stays dead, and it stays.
    home.run(&["dead-letter", "retry", "--all"]);
    assert_eq!(home.json(&["dead-letter", "list", "--json"]), listed);
    assert!(home.events().is_empty());
}

#[test]
fn an_open_address_needs_a_token() {
    let home = Home::configured("listen = \"0.0.0.0:0\"", "");
    let output = home.run(&["serve"]);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("token"), "{output:?}");
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
