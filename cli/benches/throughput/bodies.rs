//! Signed requests with orders as the platform sends them, made before anything is measured.
//!
//! The large order is one of the platform's own examples with five lines, as it is; the small one is
//! the same with the fields of the least order that the contract names, and two lines.

use anyhow::Context as _;
use ingest::verify::sign_shopify;
use serde_json::{Map, Value, json};

/// The secret of every request.
pub const SECRET: &str = "the secret of the benchmark";
/// The shops that the requests come from: enough for every partition to be written to.
const SHOPS: u64 = 1_000;
/// The platform's example of `orders/create`.
const ORDER: &str = include_str!("../../../common/testdata/fixtures/shopify/orders_create__3.json");
/// The number after which ids are counted, as long as real ones.
const FIRST_ID: u64 = 5_600_000_000_000;
/// The fields of the small order, lines and person aside.
const SMALL: [&str; 15] = [
    "id",
    "admin_graphql_api_id",
    "cancelled_at",
    "created_at",
    "currency",
    "financial_status",
    "fulfillment_status",
    "name",
    "order_number",
    "processed_at",
    "source_name",
    "taxes_included",
    "test",
    "token",
    "updated_at",
];
/// The fields of the small order's lines.
const SMALL_LINE: [&str; 12] = [
    "discount_allocations",
    "gift_card",
    "id",
    "price",
    "product_id",
    "quantity",
    "sku",
    "tax_lines",
    "taxable",
    "title",
    "variant_id",
    "vendor",
];

/// How large the orders are.
#[derive(Clone, Copy)]
pub enum Size {
    /// About 1 KB.
    Small,
    /// About 10 KB.
    Large,
}

impl Size {
    /// The name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "1 KB",
            Self::Large => "10 KB",
        }
    }
}

/// Requests as they go over the wire.
pub struct Pool {
    /// Head and body of each.
    pub requests: Vec<Vec<u8>>,
    /// The bodies alone, with their shops.
    pub bodies: Vec<(String, Vec<u8>)>,
    /// Bytes of one body.
    pub body_bytes: usize,
}

/// `count` requests, each of an order of its own.
pub fn pool(size: Size, count: usize) -> anyhow::Result<Pool> {
    let mut order: Value = serde_json::from_str(ORDER).context("the example is no JSON")?;
    let order = order.as_object_mut().context("the example is no object")?;
    if matches!(size, Size::Small) {
        *order = small(order);
    }
    // The example is a cancelled test order; a test order counts nowhere.
    order.insert("test".to_owned(), json!(false));
    order.insert("cancelled_at".to_owned(), Value::Null);
    let mut pool = Pool { requests: Vec::new(), bodies: Vec::new(), body_bytes: 0 };
    for id in (FIRST_ID..).take(count) {
        order.insert("id".to_owned(), json!(id));
        order.insert("admin_graphql_api_id".to_owned(), json!(format!("gid://shopify/Order/{id}")));
        if let Some(customer) = order.get_mut("customer").and_then(Value::as_object_mut) {
            customer.insert("id".to_owned(), json!(id / 3));
        }
        let body = serde_json::to_vec(&order)?;
        pool.body_bytes = body.len();
        pool.requests.push(request(id, &body));
        pool.bodies.push((shop(id), body));
    }
    Ok(pool)
}

fn small(order: &Map<String, Value>) -> Map<String, Value> {
    let keep = |fields: &Map<String, Value>, names: &[&str]| -> Map<String, Value> {
        fields
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let lines = order.get("line_items").and_then(Value::as_array).into_iter().flatten().take(2);
    let lines: Vec<Value> = lines
        .filter_map(Value::as_object)
        .map(|line| Value::Object(keep(line, &SMALL_LINE)))
        .collect();
    let mut small = keep(order, &SMALL);
    small.insert("line_items".to_owned(), Value::Array(lines));
    small.insert("customer".to_owned(), json!({"id": 1}));
    small.insert("shipping_lines".to_owned(), json!([{"code": "Standard", "price": "10.00"}]));
    small
}

/// The shop of an order.
pub fn shop(order: u64) -> String {
    format!("bench-{}.myshopify.com", order % SHOPS)
}

/// The request of a delivery, with the headers that the platform sends.
fn request(id: u64, body: &[u8]) -> Vec<u8> {
    let signature = sign_shopify(SECRET.as_bytes(), body);
    let shop = shop(id);
    let head = format!(
        "POST /webhooks/shopify HTTP/1.1\r\n\
         Host: 127.0.0.1\r\n\
         User-Agent: Shopify-Captain-Hook\r\n\
         Accept: */*\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {}\r\n\
         X-Shopify-Topic: orders/create\r\n\
         X-Shopify-Shop-Domain: {shop}\r\n\
         X-Shopify-Api-Version: 2026-01\r\n\
         X-Shopify-Hmac-Sha256: {signature}\r\n\
         X-Shopify-Webhook-Id: b54557e4-bdd9-4b37-8a5f-{id:012x}\r\n\
         X-Shopify-Event-Id: 98880550-7158-44d4-b7cd-{id:012x}\r\n\
         X-Shopify-Triggered-At: 2026-01-01T00:00:00.123456789Z\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
