//! Nothing personal passes the door: a body full of marked texts leaves no mark in its events.

use ingest::outcome::Outcome;
use serde_json::{Value, json};

use crate::support::{Door, fixture};

const MARK: &str = "PERSONAL";

/// Puts a mark into every text that is not needed for its meaning.
fn mark(value: &mut Value, key: &str) {
    // Texts that events carry on purpose: the catalogue, codes, tokens, names of states.
    const MEANT: [&str; 22] = [
        "currency",
        "currency_code",
        "sku",
        "variant_title",
        "vendor",
        "code",
        "token",
        "cart_token",
        "checkout_token",
        "source_name",
        "financial_status",
        "status",
        "kind",
        "restock_type",
        "return_reason",
        "price",
        "amount",
        "subtotal",
        "total_tax",
        "total_price",
        "discounted_price",
        "total_discounts",
    ];
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| mark(value, name)),
        Value::Array(items) => items.iter_mut().for_each(|item| mark(item, key)),
        Value::String(text) => {
            if !MEANT.contains(&key) && !key.ends_with("_at") && key != "admin_graphql_api_id" {
                *text = format!("{MARK} {text}@x.example");
            }
        }
        Value::Null if !MEANT.contains(&key) && !key.ends_with("_at") => {
            if !key.ends_with("_set") && !key.ends_with("id") && key != "return" {
                *value = json!(format!("{MARK} null"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn no_mark_leaves_in_an_event() {
    let mut events = 0;
    for (topic, file) in [
        ("orders/create", "shopify/orders_create__3.json"),
        ("orders/updated", "shopify/orders_updated__4.json"),
        ("orders/cancelled", "shopify/orders_cancelled__2.json"),
        ("refunds/create", "shopify/refunds_create__1.json"),
        ("returns/decline", "shopify/returns_decline__1.json"),
        ("checkouts/create", "shopify/checkouts_create__1.json"),
        ("customers/redact", "shopify/customers_redact__1.json"),
    ] {
        let mut body: Value = serde_json::from_slice(&fixture(file)).expect("json");
        mark(&mut body, "");
        if topic.starts_with("orders/") {
            body["landing_site"] =
                json!("/?utm_source=PERSONAL%40x.example&email=PERSONAL&ref=PERSONAL@x");
            body["browser_ip"] = json!("PERSONAL");
            body["note"] = json!("PERSONAL note");
            body["discount_codes"] = json!([{"code": "PERSONAL@x.example"}]);
        }
        let body = body.to_string();
        assert!(body.contains(MARK), "{file}");
        let Outcome::Events(found) = Door::default().translate(topic, body.as_bytes()) else {
            panic!("{file}")
        };
        for event in found {
            let encoded = String::from_utf8(event.encode().expect("encodes")).expect("text");
            assert!(!encoded.contains(MARK), "{file}: {encoded}");
            assert!(!encoded.contains('@'), "{file}: {encoded}");
            events += 1;
        }
    }
    assert_eq!(events, 7);
}
