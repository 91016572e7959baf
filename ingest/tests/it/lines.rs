//! Event lines, to the letter of the contract.

use common::customer::Identity;
use common::event::{Body, Event, Restock, ReturnStatus};
use common::reason::Reason;
use common::shop::ShopDomain;
use ingest::lines::{LineContext, LineError, parse, parse_all};

use crate::support::{Door, RECEIVED_AT, at, shop};

const AT: &str = r#""at":"2024-01-01T00:00:00Z""#;

fn with<T>(default: Option<&ShopDomain>, read: impl FnOnce(&LineContext<'_>) -> T) -> T {
    let door = Door::default();
    read(&LineContext {
        source: "lines",
        shop: default,
        received_at: at(RECEIVED_AT),
        imported_at: None,
        delivery_id: None,
        pseudonyms: &door.pseudonyms,
        notes: &door.notes,
    })
}

fn line(text: &str) -> Result<Event, LineError> {
    with(None, |context| parse(text.as_bytes(), context))
}

fn event(text: &str) -> Event {
    line(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_contracts_examples() {
    let order = event(
        r#"{"type":"order","shop":"r.example","id":1,"placed_at":"2024-01-01T00:50:45Z","updated_at":"2024-01-02T08:00:00Z","cancelled_at":"2024-01-02T08:00:00Z","currency":"USD","customer":{"id":72},"lines":[{"id":1,"quantity":1,"price":"10.00"}]}"#,
    );
    assert_eq!(order.version.at, at("2024-01-02T08:00:00Z"));
    assert_eq!(order.shop, shop("r.example"));
    let Body::Order(order) = order.body else { panic!("no order") };
    let key = Door::default().pseudonyms.key(&shop("r.example"), Identity::Id("72"));
    assert_eq!((order.customer, order.lines[0].gross_minor), (key, 1000));
    let merge = event(
        r#"{"type":"customer_merged","shop":"r.example","from":{"id":237},"into":{"id":915},"at":"2024-01-01T17:19:50Z"}"#,
    );
    assert_eq!(merge.body.kind(), "customers_merged");
}

#[test]
fn a_whole_order() {
    let event = event(
        r#"{"type":"order","shop":"r.example","id":"a-1","placed_at":"2024-01-01T00:00:00Z","currency":"eur","checkout":"ck","shipping":5,"duties":"1","fees":"0.5","channel":"web","ignored":{"x":[1]},
        "customer":{"id":null,"email":"A@x"},
        "lines":[{"id":1,"quantity":3,"price":0.335,"discount":"0.10","tax":"0.2","sku":"S","product":4,"variant":"v"},{"id":2,"quantity":0,"price":"9","gift_card":true,"tax":"1"}],
        "refunds":[{"id":9,"at":"2024-02-01T00:00:00Z","lines":[{"line":1,"quantity":1,"amount":"0.30","reason":"too-small"}],"paid":"0.30","note":"trop petit"}],
        "returns":[{"id":7,"status":"closed","at":"2024-03-01T00:00:00Z","lines":[{"id":70,"line":1,"quantity":1,"reason":"sun-faded"}]}]}"#,
    );
    assert_eq!(event.version.at, at("2024-03-01T00:00:00Z"));
    let Body::Order(order) = event.body else { panic!("no order") };
    let line = &order.lines[0];
    // 0.335 rounds half to even, to 0.34.
    assert_eq!((line.price_minor, line.gross_minor, line.discount_minor), (34, 102, 10));
    assert_eq!(
        (order.tax_minor, order.shipping_minor, order.duties_minor, order.fees_minor),
        (20, 500, 100, 50)
    );
    let refund = &order.refunds[0];
    assert_eq!((refund.currency, refund.paid[0].amount_minor), (Some(order.currency), 30));
    assert_eq!(
        (refund.lines[0].restock, refund.lines[0].reason),
        (Restock::Return, Some(Reason::SizeTooSmall))
    );
    assert_eq!(refund.note_reason, Some(Reason::SizeTooSmall));
    assert_eq!(order.returns[0].lines[0].reason, Reason::Other);
    assert_eq!(order.returns[0].status, ReturnStatus::Closed);
    let key = Door::default().pseudonyms.key(&shop("r.example"), Identity::Email("a@x"));
    assert_eq!(order.customer, key);
}

#[test]
fn every_other_type() {
    let check = |rest: &str, kind: &str| {
        let event = event(&format!(r#"{{"shop":"r.example",{rest}}}"#));
        assert_eq!(event.body.kind(), kind);
        assert_eq!(event.version.at, at("2024-01-01T00:00:00Z"), "{rest}");
        event.body
    };
    check(&format!(r#""type":"order_deleted","order":1,{AT}"#), "order_deleted");
    let Body::Refund(refund) = check(
        &format!(
            r#""type":"refund","id":1,"order":2,"paid":"1.5","lines":[{{"line":1,"quantity":1,"amount":1,"restock":"none"}}],{AT}"#
        ),
        "refund",
    ) else {
        panic!("no refund")
    };
    assert_eq!((refund.currency, refund.paid[0].amount_minor), (None, 150_000_000));
    assert_eq!(
        (refund.lines[0].amount_minor, refund.lines[0].restock),
        (100_000_000, Restock::None)
    );
    check(&format!(r#""type":"return","id":1,"order":2,"status":"requested",{AT}"#), "return");
    check(r#""type":"checkout","id":"c","started_at":"2024-01-01T00:00:00Z""#, "checkout");
    check(
        &format!(
            r#""type":"customer_redacted","customer":{{"phone":"+1 2"}},"orders":[1,"x"],{AT}"#
        ),
        "customer_redacted",
    );
    check(&format!(r#""type":"shop_redacted",{AT}"#), "shop_redacted");
}

#[test]
fn errors_name_the_field() {
    let check = |text: &str, field: &str| {
        let error = line(text).expect_err(text);
        assert_eq!(error.field, field, "{text}: {error}");
    };
    check("[]", "");
    check("{\"type\":\"order\"", "");
    check(r#"{"shop":"r.example"}"#, "type");
    check(r#"{"type":"orders","shop":"r.example"}"#, "type");
    check(r#"{"type":"order"}"#, "shop");
    check(r#"{"type":"order","shop":"a b"}"#, "shop");
    let order = |fields: &str| format!(r#"{{"type":"order","shop":"r.example",{fields}}}"#);
    check(&order(r#""id":1.5"#), "id");
    check(&order(r#""id":1"#), "placed_at");
    check(&order(r#""id":1,"placed_at":"2024-01-01""#), "placed_at");
    let base = r#""id":1,"placed_at":"2024-01-01T00:00:00Z","currency":"USD""#;
    check(&order(base), "lines");
    check(&order(&format!(r#"{base},"lines":[1]"#)), "lines[0]");
    check(&order(&format!(r#"{base},"lines":[{{"id":1,"quantity":1}}]"#)), "lines[0].price");
    check(
        &order(&format!(r#"{base},"lines":[{{"id":1,"quantity":-1,"price":1}}]"#)),
        "lines[0].quantity",
    );
    check(
        &order(&format!(r#"{base},"lines":[{{"id":1,"quantity":1,"price":"1,5"}}]"#)),
        "lines[0].price",
    );
    check(
        &order(&format!(
            r#"{base},"lines":[{{"id":1,"quantity":4000000000,"price":"9999999999999"}}]"#
        )),
        "lines[0].price",
    );
    check(&order(&format!(r#"{base},"lines":[],"refunds":[{{"id":1}}]"#)), "refunds[0].at");
    check(&order(&format!(r#"{base},"lines":[],"customer":7"#)), "customer");
    check(
        r#"{"type":"customer_merged","shop":"r.example","from":{},"into":{"id":1},"at":"2024-01-01T00:00:00Z"}"#,
        "from",
    );
    check(&format!(r#"{{"type":"order","pad":"{}"}}"#, "x".repeat(1 << 20)), "");
    assert!(with(None, |context| parse(b"{\"type\":\"\xff\"}", context)).is_err());
}

#[test]
fn the_caller_may_give_the_shop() {
    let default = shop("d.example");
    let text = br#"{"type":"shop_redacted","at":"2024-01-01T00:00:00Z"}"#;
    let event = with(Some(&default), |context| parse(text, context)).expect("an event");
    assert_eq!(event.shop, default);
}

#[test]
fn a_body_holds_several_lines_or_one_object() {
    let deleted = |order: u32| {
        format!(
            "{{\"type\":\"order_deleted\",\"shop\":\"r.example\",\"order\":{order},\n\"at\":\"2024-01-01T00:00:00Z\"}}"
        )
    };
    let flat = |order: u32| deleted(order).replace('\n', "");
    let count = |body: &str| {
        with(None, |context| parse_all(body.as_bytes(), context).map(|events| events.len()))
    };
    assert_eq!(count(&deleted(1)), Ok(1));
    assert_eq!(count(&format!("{}\n\n{}\r\n", flat(1), flat(2))), Ok(2));
    assert_eq!(count(""), Ok(0));
    let (number, error) = count(&format!("{}\n{{}}", flat(1))).expect_err("a wrong line");
    assert_eq!((number, error.field.as_str()), (2, "type"));
}
