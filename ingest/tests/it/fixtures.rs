//! Every sample body of the fixtures through the translation, against a checked-in table.

use std::fmt::Write as _;
use std::path::Path;

use common::event::{Body, Event};
use ingest::outcome::Outcome;
use ingest::shopify::Topic;

use crate::support::{Door, fixtures, order};

/// `orders_create__1.json` is a body of `orders/create`.
fn topic(file: &str) -> String {
    let name = file.rsplit('/').next().and_then(|name| name.split("__").next()).expect("a name");
    let splits = name
        .match_indices('_')
        .map(|(place, _)| format!("{}/{}", &name[..place], &name[place + 1..]));
    let splits: Vec<String> = splits.collect();
    let known = splits.iter().find(|topic| Topic::parse(topic).is_some());
    known.or(splits.last()).expect("a topic").clone()
}

fn facts(event: &Event) -> String {
    let mut text = format!("at={}", event.version.at);
    let mut add = |name: &str, value: &dyn std::fmt::Display| {
        let _ = write!(text, " {name}={value}");
    };
    match &event.body {
        Body::Order(order) => {
            let sum =
                |value: fn(&common::event::Line) -> i64| order.lines.iter().map(value).sum::<i64>();
            add("id", &order.id);
            add("currency", &order.currency);
            add("placed", &order.placed_at);
            add("cancelled", &order.cancelled_at.is_some());
            add("test", &order.test);
            add("customer", &order.customer.is_some());
            add("lines", &order.lines.len());
            add("units", &sum(|line| i64::from(line.quantity)));
            add("gross", &sum(|line| line.gross_minor));
            add("discount", &sum(|line| line.discount_minor));
            add("tax", &order.tax_minor);
            add("shipping", &order.shipping_minor);
            add("duties", &order.duties_minor);
            add("refunds", &order.refunds.len());
            if let Some(presentment) = order.presentment {
                add("presentment", &presentment.currency);
                add("total", &presentment.total_minor);
                add("shop_total", &presentment.shop_total_minor);
            }
        }
        Body::Refund(refund) => {
            add("id", &refund.id);
            add("order", &refund.order);
            add("currency", &refund.currency.map_or("-".to_owned(), |c| c.to_string()));
            add("lines", &refund.lines.len());
            add("goods", &refund.lines.iter().map(|line| line.amount_minor).sum::<i64>());
            add("shipping", &refund.shipping_minor);
            add("tax", &refund.tax_minor);
            add("paid", &refund.paid.iter().map(|paid| paid.amount_minor).sum::<i64>());
            add("reason", &refund.note_reason.map_or("-", common::reason::Reason::name));
        }
        Body::Return(snapshot) => {
            add("id", &snapshot.id);
            add("order", &snapshot.order);
            add("status", &format!("{:?}", snapshot.status));
            add("lines", &snapshot.lines.len());
        }
        Body::Checkout(checkout) => {
            add("id", &checkout.id);
            add("started", &checkout.started_at);
            add("completed", &checkout.completed_at.is_some());
            add("customer", &checkout.customer.is_some());
        }
        other @ (Body::OrderDeleted(_)
        | Body::OrderEdited(_)
        | Body::ReturnUpdated(_)
        | Body::CheckoutDeleted(_)
        | Body::CustomersMerged(_)
        | Body::CustomerRedacted(_)
        | Body::ShopRedacted(_)) => add("body", &serde_json::to_string(other).expect("json")),
    }
    text
}

fn row(file: &str, body: &[u8]) -> String {
    let topic = topic(file);
    let (kind, facts) = match Door::default().translate(&topic, body) {
        Outcome::Ignored(why) => ("ignored".to_owned(), why.to_owned()),
        Outcome::DeadLetter(reason) => {
            (format!("dead_letter {}", reason.label()), reason.to_string())
        }
        Outcome::Events(events) => {
            let kinds: Vec<&str> = events.iter().map(|event| event.body.kind()).collect();
            (kinds.join(","), events.iter().map(facts).collect::<Vec<_>>().join("; "))
        }
    };
    format!("{file}\t{topic}\t{kind}\t{facts}\n")
}

#[test]
fn every_fixture_translates_as_the_table_says() {
    let root = fixtures().join("shopify");
    let mut files = Vec::new();
    for dir in ["", "shape-only/"] {
        for entry in std::fs::read_dir(root.join(dir)).expect("fixtures") {
            let name = entry.expect("an entry").file_name().into_string().expect("a name");
            if Path::new(&name).extension().is_some_and(|extension| extension == "json") {
                files.push(format!("{dir}{name}"));
            }
        }
    }
    files.sort();
    let mut actual = "file\ttopic\toutcome\tfacts\n".to_owned();
    for file in &files {
        actual += &row(file, &std::fs::read(root.join(file)).expect("a fixture"));
    }
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures-table.tsv");
    let expected = std::fs::read_to_string(&table).unwrap_or_default();
    if actual != expected {
        let found = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures-table.tsv");
        std::fs::write(&found, &actual).expect("written");
        let first =
            actual.lines().zip(expected.lines()).find(|(actual, expected)| actual != expected);
        panic!("{} differs from {}: {first:?}", found.display(), table.display());
    }
}

#[test]
fn fragments_of_lines_are_taken() {
    for entry in std::fs::read_dir(fixtures().join("shopify/fragments")).expect("fragments") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a fragment");
        let mut line: serde_json::Value = serde_json::from_str(&text).expect("json");
        for (name, value) in [("id", "1"), ("quantity", "1"), ("price", "2.00")] {
            let fields = line.as_object_mut().expect("an object");
            fields.entry(name).or_insert_with(|| value.into());
        }
        let body = serde_json::json!({
            "id": 1, "currency": "EUR", "created_at": "2026-01-01T00:00:00Z", "line_items": [line],
        });
        let order = order(&body.to_string());
        assert_eq!(order.lines.len(), 1, "{}", path.display());
        if order.lines[0].gift_card {
            assert_eq!((order.tax_minor, order.lines[0].tax_minor), (0, 2600));
            assert_eq!((order.lines[0].price_minor, order.lines[0].discount_minor), (1234, 550));
        }
    }
}
