//! Bodies as Shopify sends them, no more in them than a test needs.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::Delivery;

/// Instants counted back from one that figures are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    end: i64,
}

impl Clock {
    /// Ends at an instant that is past on every machine.
    pub fn fixed() -> Self {
        let end: Timestamp = "2025-07-01T00:00:00Z".parse().expect("an instant");
        Self { end: end.as_second() }
    }

    /// Ends now.
    pub fn now() -> Self {
        Self { end: Timestamp::now().as_second() }
    }

    pub fn end(self) -> String {
        self.seconds_ago(0)
    }

    pub fn days_ago(self, days: i64) -> String {
        self.hours_ago(24 * days)
    }

    pub fn hours_ago(self, hours: i64) -> String {
        self.seconds_ago(3600 * hours)
    }

    pub fn seconds_ago(self, seconds: i64) -> String {
        Timestamp::from_second(self.end - seconds).expect("an instant").to_string()
    }
}

/// A line of an order.
pub fn line(id: u64, quantity: u64, price: &str) -> Value {
    json!({"id": id, "quantity": quantity, "price": price, "discount_allocations": []})
}

/// An order in dollars, of the customer of that id unless it is 0.
pub fn order(id: u64, customer: u64, at: &str, lines: &[Value]) -> Value {
    let customer = if customer == 0 { Value::Null } else { json!({"id": customer}) };
    json!({
        "id": id, "currency": "USD", "created_at": at, "processed_at": at, "updated_at": at,
        "cancelled_at": null, "test": false, "customer": customer, "line_items": lines,
    })
}

/// `body` with the fields of `more` over its own.
pub fn with(mut body: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// `orders/create` of every body.
pub fn deliveries(shop: &str, orders: impl IntoIterator<Item = Value>) -> Vec<Delivery> {
    orders.into_iter().map(|order| Delivery::new(shop, "orders/create", &order)).collect()
}
