//! Shopify's bodies, rule by rule.

use common::config::Attributes;
use common::customer::{Identity, Pseudonymizer};
use common::event::{Body, Restock, ReturnStatus};
use common::id::Id;
use common::reason::Reason;
use ingest::outcome::{DeadLetterReason, Outcome};
use serde_json::{Value, json};

use crate::support::{Door, KEY, RECEIVED_AT, at, order, order_of, refund, shop};

/// The example of the contract.
const CONTRACT: &str = r#"{"id":1001,"currency":"USD","created_at":"2026-01-05T10:00:00Z","processed_at":"2026-01-05T10:00:00Z","updated_at":"2026-01-05T10:00:00Z","cancelled_at":null,"test":false,"taxes_included":false,"customer":{"id":72},"line_items":[{"id":1,"sku":"A","quantity":2,"price":"10.00","gift_card":false,"discount_allocations":[{"amount":"1.00"}],"tax_lines":[]}],"shipping_lines":[{"price":"5.00"}],"refunds":[{"id":9,"created_at":"2026-01-09T00:00:00Z","refund_line_items":[{"line_item_id":1,"quantity":1,"restock_type":"return","subtotal":9.5,"total_tax":0}],"transactions":[{"kind":"refund","status":"success","amount":"9.50","currency":"USD"}]}],"returns":[{"id":7,"status":"closed","closed_at":"2026-01-09T00:00:00Z","return_line_items":[{"id":70,"line_item_id":1,"quantity":1,"return_reason":"size_too_small"}]}]}"#;

/// The least order with `fields` over it.
fn with(fields: &Value) -> String {
    let mut body = json!({
        "id": 1, "currency": "USD", "created_at": "2026-01-05T10:00:00Z",
        "line_items": [{"id": 1, "quantity": 2, "price": "10.00"}],
    });
    for (name, value) in fields.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body.to_string()
}

fn dead(topic: &str, body: &str) -> DeadLetterReason {
    let Outcome::DeadLetter(reason) = Door::default().translate(topic, body.as_bytes()) else {
        panic!("{topic} was translated: {body}")
    };
    reason
}

#[test]
fn the_contracts_example() {
    let event = Door::default().event("orders/create", CONTRACT);
    assert_eq!(event.version.at, at("2026-01-05T10:00:00Z"));
    let order = order_of(event);
    assert_eq!(order.id, Id::Number(1001));
    let expected = Pseudonymizer::new(KEY).key(&shop("a.myshopify.com"), Identity::Id("72"));
    assert_eq!(order.customer, expected);
    let line = &order.lines[0];
    assert_eq!((line.quantity, line.price_minor, line.gross_minor), (2, 1000, 2000));
    assert_eq!((line.discount_minor, order.shipping_minor), (100, 500));
    let refund = &order.refunds[0];
    assert_eq!((refund.lines[0].amount_minor, refund.paid[0].amount_minor), (950, 950));
    assert_eq!(refund.lines[0].restock, Restock::Return);
    assert_eq!((refund.order.clone(), refund.at), (Id::Number(1001), at("2026-01-09T00:00:00Z")));
    let a_return = &order.returns[0];
    assert_eq!((a_return.status, a_return.at), (ReturnStatus::Closed, refund.at));
    assert_eq!(a_return.lines[0].reason, Reason::SizeTooSmall);
    assert_eq!(
        (a_return.lines[0].id.clone(), a_return.lines[0].line.clone()),
        (70.into(), 1.into())
    );
}

#[test]
fn what_an_order_cannot_do_without() {
    let check = |field: &str, value: Value, missing: &str| {
        let expected = DeadLetterReason::Incomplete { field: missing.to_owned() };
        assert_eq!(dead("orders/updated", &with(&json!({field: value}))), expected);
    };
    check("id", Value::Null, "id");
    check("currency", json!(""), "currency");
    check("created_at", json!("soon"), "processed_at");
    check("line_items", Value::Null, "line_items");
    check("line_items", json!([{"id": 1, "quantity": 1}]), "line_items[0].price");
    check("line_items", json!([{"id": 1, "quantity": -1, "price": "1"}]), "line_items[0].quantity");
    check("line_items", json!([{"quantity": 1, "price": "1"}]), "line_items[0].id");
    assert!(order(&with(&json!({"line_items": []}))).lines.is_empty());
}

#[test]
fn what_is_no_object_is_invalid() {
    for body in [&b""[..], b"[]", b"[1]", b"1", b"null", b"\"x\"", b"{", b"{\"id\":\xff}", b"{}x"] {
        let outcome = Door::default().translate("orders/create", body);
        assert_eq!(outcome, Outcome::DeadLetter(DeadLetterReason::InvalidJson), "{body:?}");
    }
}

#[test]
fn amounts_beyond_reason_are_refused() {
    let line = json!([{"id": 1, "quantity": 4_000_000_000u32, "price": "9999999999999.99"}]);
    let reason = dead("orders/create", &with(&json!({"line_items": line})));
    assert_eq!(reason.label(), "amount");
    let line = json!([{"id": 1, "quantity": 1, "price": "9".repeat(40)}]);
    assert_eq!(dead("orders/create", &with(&json!({"line_items": line}))).label(), "amount");
}

#[test]
fn wrong_types_cost_nothing_but_themselves() {
    let order = order(&with(&json!({
        "customer": "x", "refunds": {"a": 1}, "returns": [1, null, "x", {}], "test": "no",
        "shipping_lines": "none", "tags": 7, "note_attributes": {"a": [1]}, "discount_codes": [[]],
        "total_discounts": {}, "landing_site": [], "total_price_set": [], "cancelled_at": 5,
        "line_items": [{"id": "1", "quantity": "2", "price": 10, "properties": "?", "tax_lines": 3,
            "sku": {}, "gift_card": null, "variant_id": false, "price_set": {"shop_money": 4}}],
    })));
    assert_eq!((order.lines[0].gross_minor, order.lines[0].quantity), (2000, 2));
    assert_eq!((order.customer, order.cancelled_at, order.test), (None, None, false));
}

#[test]
fn the_exact_id_is_in_the_global_one() {
    let gid = "gid://shopify/Order/820982911946154508";
    let body = with(&json!({"id": 820_982_911_946_154_500u64, "admin_graphql_api_id": gid}));
    assert_eq!(order(&body).id, Id::Number(820_982_911_946_154_508));
    let body = with(&json!({"id": null, "admin_graphql_api_id": gid}));
    assert_eq!(order(&body).id, Id::Number(820_982_911_946_154_508));
    let body = with(&json!({"id": "77", "admin_graphql_api_id": "https://x.example/"}));
    assert_eq!(order(&body).id, Id::Number(77));
}

#[test]
fn the_version_is_the_greatest_instant_without_an_update() {
    let body = with(
        &json!({"closed_at": "2026-03-01T00:00:00+02:00", "processed_at": "2025-01-01T00:00:00Z"}),
    );
    let event = Door::default().event("orders/create", &body);
    assert_eq!(event.version.at, at("2026-02-28T22:00:00Z"));
    assert_eq!(order_of(event).placed_at, at("2025-01-01T00:00:00Z"));
}

#[test]
fn yen_have_no_digits() {
    let body = with(
        &json!({"currency": "JPY", "line_items": [{"id": 1, "quantity": 3, "price": "23600"}]}),
    );
    assert_eq!(order(&body).lines[0].gross_minor, 70_800);
}

#[test]
fn included_taxes_are_taken_out() {
    let order = order(&with(&json!({
        "taxes_included": true,
        "line_items": [{"id": 1, "quantity": 2, "price": "12.00", "tax_lines": [{"price": "3.00"}, {"price": 1}]}],
        "shipping_lines": [
            {"price": "9.00", "discounted_price": "6.00", "tax_lines": [{"price": "1.00"}]},
            {"price": "99.00", "is_removed": true, "tax_lines": [{"price": "9.00"}]},
        ],
        "refunds": [{"id": 5, "created_at": "2026-01-06T00:00:00Z",
            "refund_line_items": [{"line_item_id": 1, "quantity": 1, "subtotal": 12.0, "total_tax": 2.0}]}],
    })));
    assert_eq!((order.lines[0].gross_minor, order.lines[0].tax_minor), (2000, 400));
    assert_eq!((order.shipping_minor, order.tax_minor), (500, 500));
    let line = &order.refunds[0].lines[0];
    assert_eq!((line.amount_minor, line.tax_minor, line.restock), (1000, 200, Restock::None));
}

#[test]
fn undivided_discounts_are_spread_by_largest_remainder() {
    let lines = json!([
        {"id": 1, "quantity": 1, "price": "1.00"}, {"id": 2, "quantity": 1, "price": "1.00"},
        {"id": 3, "quantity": 1, "price": "1.00"}, {"id": 4, "quantity": 1, "price": "9.00", "gift_card": true},
    ]);
    let shares = |fields: &Value| {
        let order = order(&with(fields));
        order.lines.iter().map(|line| line.discount_minor).collect::<Vec<_>>()
    };
    let fields = json!({"total_discounts": "1.00", "line_items": lines});
    assert_eq!(shares(&fields), [34, 33, 33, 0]);
    // Where one line knows its share, even an empty one, the lines are right.
    let mut divided = fields;
    divided["line_items"][1]["discount_allocations"] = json!([]);
    assert_eq!(shares(&divided), [0, 0, 0, 0]);
}

#[test]
fn taxes_duties_fees_and_shipping() {
    let usd = |amount: &str| json!({"shop_money": {"amount": amount, "currency_code": "USD"}});
    let order = order(&with(&json!({
        "total_tax": "2.50",
        "shipping_lines": [{"price": "5.00", "code": "express", "discount_allocations": [{"amount": "2.00"}]}],
        "original_total_duties_set": usd("1.25"),
        "original_total_additional_fees_set": usd("0.75"),
        "total_price_set": {"shop_money": {"amount": "20.00", "currency_code": "USD"},
            "presentment_money": {"amount": "3000", "currency_code": "JPY"}},
    })));
    assert_eq!((order.tax_minor, order.shipping_minor), (250, 300));
    assert_eq!((order.duties_minor, order.fees_minor), (125, 75));
    let presentment = order.presentment.expect("another currency");
    assert_eq!((presentment.total_minor, presentment.shop_total_minor), (3000, 2000));
    assert_eq!(order.shipping_codes, ["express".into()]);
}

#[test]
fn gift_cards_are_flagged_and_untaxed() {
    let order = order(&with(&json!({"line_items": [
        {"id": 1, "quantity": 1, "price": "50", "gift_card": true, "tax_lines": [{"price": "5"}]},
        {"id": 2, "quantity": 1, "price": "10", "tax_lines": [{"price": "1"}], "duties": [usd_duty()]},
    ]})));
    assert!(order.lines[0].gift_card);
    assert_eq!((order.tax_minor, order.duties_minor), (100, 300));
}

fn usd_duty() -> Value {
    json!({"shop_money": {"amount": "3.00", "currency_code": "USD"}})
}

#[test]
fn identities_in_their_order() {
    let check = |fields: Value, identity: Identity<'_>| {
        let expected = Pseudonymizer::new(KEY).key(&shop("a.myshopify.com"), identity);
        assert!(expected.is_some());
        assert_eq!(order(&with(&fields)).customer, expected, "{fields}");
    };
    let all = json!({"customer": {"id": 5, "email": "c@x", "phone": "3"}, "email": "a@x", "contact_email": "b@x", "phone": "1"});
    check(all.clone(), Identity::Id("5"));
    let mut fields = all;
    fields["customer"]["id"] = Value::Null;
    check(fields.clone(), Identity::Email("a@x"));
    fields["email"] = json!("");
    check(fields.clone(), Identity::Email("b@x"));
    fields["contact_email"] = Value::Null;
    check(fields.clone(), Identity::Email("c@x"));
    fields["customer"]["email"] = Value::Null;
    check(fields.clone(), Identity::Phone("1"));
    fields["phone"] = Value::Null;
    check(fields, Identity::Phone("3"));
}

#[test]
fn only_configured_attributes_enter() {
    let attributes = Attributes {
        line_properties: vec!["size".to_owned()],
        note_attributes: vec!["visitor".to_owned()],
        tags: vec!["vip".to_owned()],
    };
    let door = Door { attributes, ..Door::default() };
    let body = with(&json!({
        "tags": "gift, vip", "note_attributes": [{"name": "visitor", "value": 7}, {"name": "name", "value": "Ann"}],
        "line_items": [{"id": 1, "quantity": 1, "price": "1", "properties": {"size": "M", "engraving": "Ann"}}],
    }));
    let order = order_of(door.event("orders/create", &body));
    assert_eq!(order.tags, ["vip".into()]);
    assert_eq!((order.attributes.len(), &*order.attributes[0].value), (1, "7"));
    assert_eq!((order.lines[0].properties.len(), &*order.lines[0].properties[0].value), (1, "M"));
}

#[test]
fn refunds_alone() {
    let body = json!({
        "id": 9, "order_id": "1", "created_at": "2026-01-08T00:00:00Z", "processed_at": "2026-01-09T00:00:00Z",
        "note": "wrong size", "return": {"id": 3},
        "refund_line_items": [
            {"line_item_id": 1, "quantity": 1, "restock_type": "legacy_restock", "subtotal": 9.5, "total_tax": 1},
            {"line_item_id": 2, "quantity": 1, "restock_type": "cancel", "subtotal": 0.005},
        ],
        "order_adjustments": [
            {"kind": "shipping_refund", "amount": "-5.00", "tax_amount": "-0.50"},
            {"kind": "refund_discrepancy", "amount": "7.00"},
        ],
        "transactions": [
            {"kind": "refund", "status": "success", "amount": "14.50"},
            {"kind": "refund", "status": "failure", "amount": "99"},
            {"kind": "sale", "status": "success", "amount": "99"},
            {"kind": "refund", "status": "success", "amount": "99", "test": true},
        ],
    });
    let unnamed = refund(&body.to_string());
    assert_eq!((unnamed.currency, unnamed.at), (None, at("2026-01-09T00:00:00Z")));
    assert_eq!(unnamed.lines[0].amount_minor, 950_000_000);
    assert_eq!(unnamed.lines[1].amount_minor, 500_000);
    assert_eq!((unnamed.shipping_minor, unnamed.tax_minor), (500_000_000, 50_000_000));
    assert_eq!((unnamed.paid.len(), unnamed.paid[0].amount_minor), (1, 1_450_000_000));
    assert_eq!(
        (unnamed.note_reason, unnamed.return_id.clone()),
        (Some(Reason::Fit), Some(3.into()))
    );
    assert_eq!(unnamed.lines[0].restock, Restock::Return);
    assert_eq!(unnamed.lines[1].restock, Restock::Cancel);

    let mut named = body.clone();
    named["transactions"][0]["currency"] = json!("USD");
    let named = refund(&named.to_string());
    // Money may be in the buyer's currency; what the goods were worth is in the shop's.
    assert_eq!(named.currency, None);
    assert_eq!((named.lines[0].amount_minor, named.paid[0].amount_minor), (950_000_000, 1450));
    assert!(named.as_shown, "only its order knows whether prices hold their tax");

    let mut set = body;
    set["transactions"][0]["currency"] = json!("USD");
    set["refund_line_items"][0]["subtotal_set"] =
        json!({"shop_money": {"amount": "1200", "currency_code": "JPY"}});
    let set = refund(&set.to_string());
    assert_eq!(set.currency.map(|c| c.to_string()).as_deref(), Some("JPY"));
    assert_eq!((set.lines[0].amount_minor, set.paid[0].amount_minor), (1200, 1450));
}

#[test]
fn refunds_inside_an_order_have_its_currency() {
    let order = order(&with(&json!({"currency": "KWD", "refunds": [
        {"id": 5, "created_at": "2026-01-06T00:00:00Z",
            "refund_line_items": [{"line_item_id": 1, "quantity": 1, "subtotal": "1.234"}],
            "transactions": [{"kind": "refund", "status": "success", "amount": "4.00", "currency": "USD"}]},
        {"note": "without an id"},
    ]})));
    assert_eq!(order.refunds.len(), 1);
    assert_eq!(order.refunds[0].currency, Some(order.currency));
    assert_eq!(order.refunds[0].lines[0].amount_minor, 1234);
    assert_eq!(order.refunds[0].paid[0].amount_minor, 400);
}

#[test]
fn returns_alone() {
    let body = json!({
        "id": 7, "order": {"id": 1}, "status": "open",
        "return_line_items": [
            {"id": 70, "quantity": 1, "return_reason": "wrong_item", "fulfillment_line_item": {"id": 5, "line_item": {"id": 11}}},
            {"id": 71, "quantity": 2, "return_reason": "other", "return_reason_definition": {"name": "Arrived late"}, "line_item": {"id": 12}},
            {"id": 72, "quantity": 2},
        ],
        "exchange_line_items": [{"id": 1, "quantity": 1, "line_item": {"id": 99}}],
    });
    let door = Door { triggered_at: Some(at("2026-05-01T00:00:00Z")), ..Door::default() };
    let event = door.event("returns/approve", &body.to_string());
    assert_eq!(
        (event.version.at, event.version.triggered_at),
        (at("2026-05-01T00:00:00Z"), door.triggered_at)
    );
    let Body::Return(snapshot) = event.body else { panic!("no return") };
    assert_eq!((snapshot.order, snapshot.at), (1.into(), at("2026-05-01T00:00:00Z")));
    let lines: Vec<_> =
        snapshot.lines.iter().map(|line| (line.line.clone(), line.reason)).collect();
    assert_eq!(lines, [(11.into(), Reason::WrongItem), (12.into(), Reason::Delivery)]);

    let close = r#"{"id":7,"order_id":1,"closed_at":"2026-04-01T00:00:00Z"}"#;
    let Body::Return(snapshot) = door.event("returns/close", close).body else {
        panic!("no return")
    };
    assert_eq!((snapshot.status, snapshot.at), (ReturnStatus::Closed, at("2026-04-01T00:00:00Z")));
    let unknown = r#"{"id":7,"order_id":1,"status":"lost"}"#;
    assert_eq!(dead("returns/close", unknown), DeadLetterReason::incomplete("status"));
    assert_eq!(
        dead("returns/process", r#"{"id":7,"order_id":1}"#),
        DeadLetterReason::incomplete("status")
    );
}

#[test]
fn merges_act_only_when_completed() {
    let body = |status: &str, errors: Value| {
        json!({"admin_graphql_api_customer_kept_id": "gid://shopify/Customer/1",
            "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/2",
            "status": status, "errors": errors})
        .to_string()
    };
    let door = Door::default();
    let Body::CustomersMerged(merged) =
        door.event("customers/merge", &body("COMPLETED", json!([]))).body
    else {
        panic!("no merge")
    };
    let key = |id| Pseudonymizer::new(KEY).key(&door.shop, Identity::Id(id)).expect("a key");
    assert_eq!((merged.from, merged.into), (key("2"), key("1")));
    for body in [body("in_progress", json!([])), body("completed", json!(["x"]))] {
        assert!(matches!(door.translate("customers/merge", body.as_bytes()), Outcome::Ignored(_)));
    }
    assert_eq!(dead("customers/merge", r#"{"status":"completed"}"#).label(), "incomplete");
}

#[test]
fn redactions() {
    let door = Door::default();
    let by_email = r#"{"shop_domain":"a.myshopify.com","customer":{"email":"a@x"},"orders_to_redact":[2,1,2]}"#;
    let Body::CustomerRedacted(redacted) = door.event("customers/redact", by_email).body else {
        panic!("no redaction")
    };
    assert_eq!((redacted.customers.len(), redacted.orders), (1, vec![1.into(), 2.into()]));
    assert_eq!(redacted.at, at(RECEIVED_AT));
    // The header is unsigned: a body captured from one shop must not erase another.
    let other = r#"{"shop_domain":"b.myshopify.com","customer":{"id":1}}"#;
    assert_eq!(dead("customers/redact", other), DeadLetterReason::ShopMismatch);
    assert_eq!(dead("shop/redact", other), DeadLetterReason::ShopMismatch);
    assert_eq!(dead("customers/redact", r#"{"customer":{}}"#).label(), "incomplete");
}

#[test]
fn checkouts_go_by_their_token() {
    let body = r#"{"token":"abc","created_at":"2026-01-01T00:00:00Z","completed_at":"2026-01-02T00:00:00Z"}"#;
    let event = Door::default().event("checkouts/update", body);
    assert_eq!(event.version.at, at("2026-01-02T00:00:00Z"));
    let Body::Checkout(checkout) = event.body else { panic!("no checkout") };
    assert_eq!(
        (checkout.id, checkout.completed_at),
        (Id::Text("abc".into()), Some(event.version.at))
    );
    let gone = Door::default().event("checkouts/delete", r#"{"token":"abc"}"#);
    assert_eq!(gone.body.kind(), "checkout_deleted");
    assert_eq!(
        dead("checkouts/create", r#"{"token":"abc"}"#),
        DeadLetterReason::incomplete("created_at")
    );
}
