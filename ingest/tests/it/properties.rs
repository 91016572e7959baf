//! No body makes the translation panic or hang, whatever stands in it.

use ingest::lines::{self, LineContext};
use ingest::shopify::Topic;
use proptest::prelude::*;

use crate::support::{Door, RECEIVED_AT, at, fixture};

const MUTATED: [&str; 6] = [
    "orders_create__1",
    "orders_updated__4",
    "refunds_create__1",
    "returns_approve__1",
    "checkouts_create__1",
    "customers_redact__1",
];

fn everywhere(body: &[u8]) {
    let door = Door::default();
    for topic in Topic::ALL {
        door.translate(topic.name(), body);
    }
    let context = LineContext {
        source: "s",
        shop: Some(&door.shop),
        received_at: at(RECEIVED_AT),
        imported_at: None,
        delivery_id: None,
        pseudonyms: &door.pseudonyms,
        notes: &door.notes,
    };
    let _ = lines::parse_all(body, &context);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn arbitrary_bytes(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        everywhere(&body);
    }

    #[test]
    fn mutated_fixtures(
        file in proptest::sample::select(&MUTATED[..]),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut body = fixture(&format!("shopify/{file}.json"));
        for (place, byte) in edits {
            let place = place.index(body.len());
            body[place] = byte;
        }
        if let Some(cut) = cut {
            let length = cut.index(body.len());
            body.truncate(length);
        }
        everywhere(&body);
    }

    #[test]
    fn any_values_in_known_fields(
        field in proptest::sample::select(vec!["id", "currency", "line_items", "refunds", "customer", "returns", "processed_at", "tags"]),
        value in proptest::sample::select(vec!["null", "[]", "{}", "-1", "1e400", "1e30", "\"\"", "\"1\"", "true", "[[]]", "[{}]", "{\"id\":1}", "18446744073709551616"]),
    ) {
        everywhere(format!("{{\"id\":1,\"order_id\":1,\"{field}\":{value}}}").as_bytes());
        let line = format!("{{\"id\":1,\"currency\":\"USD\",\"created_at\":\"2026-01-01T00:00:00Z\",\"line_items\":[{{\"id\":1,\"quantity\":1,\"price\":1,\"{field}x\":{value},\"price_set\":{value},\"properties\":{value}}}]}}");
        everywhere(line.as_bytes());
    }
}

#[test]
fn deep_nesting_is_harmless() {
    let deep = "[".repeat(200_000);
    everywhere(deep.as_bytes());
    let closed = format!("{{\"id\":1,\"note\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    everywhere(closed.as_bytes());
}
