//! What becomes of an order afterwards, worked out by hand: returns and their reasons, refunds,
//! cancellations, edits, deletions, merges, redactions, currencies, checkouts.

use serde_json::{Value, json};

use crate::support::{Clock, Delivery, Home, Server, deliveries, line, order, with};

const SHOP: &str = "a.example";

fn at() -> Clock {
    Clock::fixed()
}

fn webhook(topic: &str, body: &Value) -> Delivery {
    Delivery::new(SHOP, topic, body)
}

/// An order of one line of 20.00.
fn plain(id: u64, customer: u64, days_ago: i64) -> Value {
    order(id, customer, &at().days_ago(days_ago), &[line(id, 1, "20.00")])
}

/// A refund of one line.
fn refund(id: u64, at: &str, line: u64, quantity: u64, restock: &str, amounts: [f64; 2]) -> Value {
    let [subtotal, total_tax] = amounts;
    json!({
        "id": id, "created_at": at, "processed_at": at, "refund_line_items": [{
            "line_item_id": line, "quantity": quantity, "restock_type": restock,
            "subtotal": subtotal, "total_tax": total_tax,
        }],
        "transactions": [{
            "kind": "refund", "status": "success", "currency": "USD",
            "amount": format!("{:.2}", subtotal + total_tax),
        }],
    })
}

/// Checks the figures as of a number of hours before the end.
fn check(server: &Server, hours_ago: i64, window: &str, expected: &[(&str, &str)]) {
    server.kpis(SHOP, Some(&at().hours_ago(hours_ago))).check(window, expected);
}

fn returns_story() -> Vec<Delivery> {
    let discount = json!({"discount_allocations": [{"amount": "3.00"}]});
    let first = order(
        1,
        1,
        &at().days_ago(20),
        &[with(line(11, 3, "10.00"), &discount), line(12, 1, "5.00")],
    );
    let second = order(2, 2, &at().days_ago(10), &[line(21, 2, "20.00")]);
    let small = with(
        refund(9, &at().days_ago(5), 11, 1, "return", [9.0, 0.0]),
        &json!({"note": "Much too small for Bob"}),
    );
    let updated = with(first.clone(), &json!({"updated_at": at().days_ago(4), "refunds": [small]}));
    let lines = json!([{
        "id": 70, "line_item_id": 21, "quantity": 1, "return_reason": "defective",
    }]);
    let requested = json!({
        "id": 7, "order_id": 2, "status": "requested", "created_at": at().days_ago(6),
        "return_line_items": lines,
    });
    let closed = json!({
        "id": 7, "order_id": 2, "status": "closed", "closed_at": at().days_ago(3),
        "return_line_items": lines,
    });
    // Money back for goods that stay, and goods back of an order that never comes.
    let kept = with(
        refund(10, &at().days_ago(2), 21, 1, "no_restock", [5.0, 0.0]),
        &json!({"order_id": 2}),
    );
    let unknown =
        with(refund(11, &at().days_ago(1), 1, 1, "return", [7.0, 0.0]), &json!({"order_id": 999}));
    vec![
        webhook("returns/close", &closed),
        webhook("refunds/create", &unknown),
        webhook("refunds/create", &kept),
        webhook("orders/updated", &updated),
        webhook("returns/request", &requested),
        webhook("orders/create", &second),
        webhook("orders/create", &first),
    ]
}

#[test]
fn returns_and_their_reasons() {
    let home = Home::new();
    let server = home.serve();
    let story = returns_story();
    server.take(&story);
    // Every delivery once more changes nothing.
    server.take(&story);
    check(
        &server,
        0,
        "30d",
        &[
            ("units_sold", "6"),
            ("returned_units all", "3"),
            ("returned_units size_too_small", "1"),
            ("returned_units defective", "1"),
            ("returned_units unknown", "1"),
            ("return_reason_ratio defective", "0.16666667 = 1/6"),
            ("return_reason_ratio all", "0.5 = 3/6"),
            ("return_ratio units_period", "0.5 = 3/6"),
            // What no order is known of is in period figures only.
            ("return_ratio units_cohort", "0.33333333 = 2/6"),
            ("return_ratio orders_cohort", "1 = 2/2"),
            // 9 + 20 + 7 of 27 + 5 + 40.
            ("return_ratio value_period", "0.5 = 36.00/72.00"),
            ("return_ratio value_cohort", "0.40277778 = 29.00/72.00"),
            ("gross_sales", "75.00"),
            ("discounts", "3.00"),
            ("reversals", "21.00"),
            ("net_sales", "51.00"),
            ("refunded", "21.00"),
            // As placed, whatever came back: 72 / 2; and net of 9 + 5: 58 / 2.
            ("average_order_value placement", "36.00 = 72.00/2"),
            ("average_order_value net", "29.00 = 58.00/2"),
        ],
    );
    check(
        &server,
        0,
        "7d",
        &[
            ("orders", "0"),
            ("units_sold", "0"),
            ("returned_units all", "3"),
            ("return_ratio units_period", "null = 3/0"),
            ("return_ratio orders_cohort", "null = 0/0"),
            ("net_sales", "-21.00"),
            ("average_order_value placement", "null = 0.00/0"),
        ],
    );
    // A day before the return was closed it was but requested.
    check(&server, 96, "7d", &[("returned_units all", "1"), ("reversals", "9.00")]);

    let reply = server.json(&format!("/v1/shops/{SHOP}/returns?window=30d&as_of={}", at().end()));
    assert_eq!((&reply["window"], &reply["units_sold"]), (&json!("30d"), &json!("6")));
    let reasons = reply["reasons"].as_array().expect("reasons");
    let defective = reasons.iter().find(|row| row["reason"] == "defective").expect("defective");
    assert_eq!(defective["returned_units"], "1");
    assert_eq!(
        (&defective["ratio"], &defective["share"]),
        (&json!("0.16666667"), &json!("0.33333333"))
    );

    // Opened again, the goods have not come back.
    let reopened = json!({
        "id": 7, "order_id": 2, "status": "open", "opened_at": at().hours_ago(12),
        "return_line_items": [{"id": 70, "line_item_id": 21, "quantity": 1, "return_reason": "defective"}],
    });
    server.take(&[webhook("returns/reopen", &reopened)]);
    check(
        &server,
        0,
        "30d",
        &[("returned_units all", "2"), ("return_ratio orders_cohort", "0.5 = 1/2")],
    );
    check(&server, 13, "30d", &[("returned_units all", "3")]);
    server.stop();
    home.assert_rebuilds();
}

#[test]
fn a_unit_comes_back_once() {
    // One of two units, told by a refund and by a closed return; then a refund of more than is left.
    let placed = order(1, 1, &at().days_ago(9), &[line(11, 2, "10.00")]);
    let told = with(
        refund(5, &at().days_ago(6), 11, 1, "return", [10.0, 0.0]),
        &json!({"order_id": 1, "note": ""}),
    );
    let closed = json!({
        "id": 7, "order_id": 1, "status": "closed", "closed_at": at().days_ago(8),
        "return_line_items": [{
            "id": 70, "line_item_id": 11, "quantity": 1, "return_reason": "other",
            "return_reason_definition": {"handle": "changed-my-mind", "name": "Changed my mind"},
        }],
    });
    let too_many =
        with(refund(6, &at().days_ago(2), 11, 4, "return", [10.0, 0.0]), &json!({"order_id": 1}));
    let home = Home::new();
    let server = home.serve();
    server.take(&[
        webhook("refunds/create", &told),
        webhook("orders/create", &placed),
        webhook("returns/close", &closed),
    ]);
    let reason = ("returned_units unwanted", "1");
    check(&server, 0, "30d", &[("returned_units all", "1"), reason]);
    // It came back when the return was closed, which is before the refund.
    check(&server, 7 * 24, "30d", &[("returned_units all", "1"), reason, ("reversals", "0.00")]);
    server.take(&[webhook("refunds/create", &too_many)]);
    check(
        &server,
        0,
        "30d",
        &[("returned_units all", "2"), ("return_ratio units_cohort", "1 = 2/2"), reason],
    );
}

#[test]
fn a_cancellation_reverses_what_is_left_once() {
    // 2 x 50, discount 10, tax 8, shipping 5; half is given back, then all is cancelled.
    let goods = with(
        line(11, 2, "50.00"),
        &json!({"discount_allocations": [{"amount": "10.00"}], "tax_lines": [{"price": "8.00"}]}),
    );
    let placed = with(
        order(1, 1, &at().days_ago(5), &[goods]),
        &json!({"shipping_lines": [{"price": "5.00"}]}),
    );
    let half = refund(9, &at().days_ago(3), 11, 1, "return", [45.0, 4.0]);
    let cancelled = with(
        placed.clone(),
        &json!({
            "updated_at": at().hours_ago(12), "cancelled_at": at().hours_ago(12), "refunds": [half],
        }),
    );
    let home = Home::new();
    let server = home.serve();
    server.take(&[webhook("orders/cancelled", &cancelled), webhook("orders/create", &placed)]);
    check(
        &server,
        48,
        "30d",
        &[
            ("reversals", "45.00"),
            ("net_sales", "45.00"),
            ("total_sales", "54.00"),
            ("refunded", "49.00"),
            // The customer view knows of the cancellation whenever it was made.
            ("purchases", "0"),
        ],
    );
    let after = [
        ("orders", "1"),
        ("purchases", "0"),
        ("customers", "0"),
        ("gross_sales", "100.00"),
        ("reversals", "90.00"),
        ("net_sales", "0.00"),
        ("total_sales", "0.00"),
        ("average_order_value placement", "90.00 = 90.00/1"),
        ("average_order_value net", "0.00 = 0.00/1"),
        ("returned_units all", "1"),
    ];
    check(&server, 0, "30d", &after);
    let day = [
        ("orders", "0"),
        ("reversals", "45.00"),
        ("net_sales", "-45.00"),
        // 45 of goods, 4 of tax, 5 of shipping.
        ("total_sales", "-54.00"),
    ];
    check(&server, 0, "24h", &day);
    // A window that begins after the cancellation.
    check(&server, -13, "24h", &[("reversals", "0.00")]);

    // The rest is refunded as well, and more than the rest: it was reversed already.
    let rest = with(
        refund(10, &at().hours_ago(6), 11, 1, "cancel", [60.0, 4.0]),
        &json!({"order_id": 1, "refund_shipping_lines": [
            {"subtotal_amount_set": {"shop_money": {"amount": "5.00", "currency_code": "USD"}}},
        ]}),
    );
    server.take(&[webhook("refunds/create", &rest)]);
    check(&server, 0, "30d", &after);
    check(&server, 0, "24h", &day);
    // Booked with the refund now, not at the cancellation before it; but not before the refund.
    check(&server, -13, "24h", &[("reversals", "45.00")]);
    check(&server, 7, "24h", &[("reversals", "45.00")]);
    check(&server, 0, "30d", &[("refunded", "113.00")]);
}

#[test]
fn a_refund_may_come_before_its_order() {
    let home = Home::new();
    let server = home.serve();
    let back = with(
        refund(9, &at().days_ago(1), 1, 1, "return", [10.0, 0.0]),
        &json!({"order_id": 1, "note": "defective"}),
    );
    server.take(&[webhook("refunds/create", &back)]);
    check(
        &server,
        0,
        "7d",
        &[
            ("orders", "0"),
            ("reversals USD", "10.00"),
            ("refunded USD", "10.00"),
            ("returned_units defective", "1"),
            ("return_ratio units_cohort", "null = 0/0"),
        ],
    );
    let placed = order(1, 1, &at().days_ago(2), &[line(1, 4, "10.00")]);
    server.take(&[webhook("orders/create", &placed)]);
    check(
        &server,
        0,
        "7d",
        &[
            ("orders", "1"),
            ("reversals", "10.00"),
            ("net_sales", "30.00"),
            ("returned_units defective", "1"),
            ("return_ratio units_cohort", "0.25 = 1/4"),
            ("return_ratio value_cohort", "0.25 = 10.00/40.00"),
        ],
    );
    // Its document knows everything that the refund of an unknown order knew.
    check(&server, 36, "7d", &[("orders", "1"), ("reversals", "0.00")]);
}

#[test]
fn every_currency_has_its_own_digits() {
    let named = |id: u64, code: &str, price: &str, quantity: u64| {
        let currency = json!({"currency": code});
        with(order(id, id, &at().days_ago(2), &[line(id, quantity, price)]), &currency)
    };
    let orders = vec![
        named(1, "JPY", "23600", 3),
        named(2, "JPY", "1", 1),
        named(3, "KWD", "1.234", 3),
        named(4, "KWD", "0.001", 1),
        named(5, "USD", "0.05", 1),
        // More digits than the currency has: half to even.
        named(6, "USD", "0.125", 1),
        named(7, "USD", "0.135", 1),
    ];
    let home = Home::new();
    let server = home.serve();
    server.take(&deliveries(SHOP, orders));
    check(
        &server,
        0,
        "7d",
        &[
            ("orders", "7"),
            ("gross_sales JPY", "70801"),
            ("gross_sales KWD", "3.703"),
            ("gross_sales USD", "0.31"),
            ("average_order_value placement JPY", "35400.5 = 70801/2"),
            ("average_order_value placement KWD", "1.8515 = 3.703/2"),
            ("average_order_value placement USD", "0.10333333 = 0.31/3"),
        ],
    );
    check(
        &server,
        0,
        "all",
        &[("customer_lifetime_value historic JPY", "10114.42857143 = 70801/7")],
    );
    let shops = server.json("/v1/shops");
    assert_eq!(shops["shops"][0]["currencies"], json!(["JPY", "KWD", "USD"]));
}

#[test]
fn merged_customers_are_one() {
    let merge = |kept: u64, deleted: u64, more: &Value| {
        let body = json!({
            "admin_graphql_api_customer_kept_id": format!("gid://shopify/Customer/{kept}"),
            "admin_graphql_api_customer_deleted_id": format!("gid://shopify/Customer/{deleted}"),
            "status": "COMPLETED", "errors": [],
        });
        webhook("customers/merge", &with(body, more)).at(&at().days_ago(1))
    };
    let home = Home::new();
    let server = home.serve();
    server.take(&deliveries(
        SHOP,
        vec![plain(1, 1, 9), plain(2, 2, 8), plain(3, 3, 7), plain(4, 9, 6)],
    ));
    // Merges that were not completed.
    server.take(&[
        merge(1, 9, &json!({"status": "in_progress"})),
        merge(1, 9, &json!({"errors": [{"code": "x"}]})),
    ]);
    let apart = [("customers", "4"), ("repeat_customers", "0"), ("purchases", "4")];
    check(&server, 0, "30d", &apart);
    // A chain, then a cycle.
    server.take(&[merge(1, 2, &json!({})), merge(2, 3, &json!({}))]);
    let merged = [
        ("customers", "2"),
        ("repeat_customers", "1"),
        ("repeat_purchase_ratio", "0.5 = 1/2"),
        ("purchases", "4"),
    ];
    check(&server, 0, "30d", &merged);
    server.take(&[merge(3, 1, &json!({})), merge(1, 1, &json!({}))]);
    check(&server, 0, "30d", &merged);
    // It is an equivalence for ever: the past is merged too, and what arrives later.
    check(&server, 24 * 7, "30d", &[("customers", "1"), ("repeat_customers", "1")]);
    server.take(&deliveries(SHOP, vec![plain(5, 3, 2)]));
    check(&server, 0, "7d", &[("customers", "2"), ("returning_customer_ratio", "0.5 = 1/2")]);
    server.stop();
    home.assert_rebuilds();
}

#[test]
fn a_redacted_customer_leaves_customer_figures_only() {
    let home = Home::new();
    let server = home.serve();
    let orders =
        vec![plain(1, 1, 9), plain(2, 1, 8), plain(3, 1, 2), plain(4, 2, 9), plain(5, 2, 8)];
    server.take(&deliveries(SHOP, orders));
    check(&server, 0, "30d", &[("customers", "2"), ("repeat_customers", "2"), ("orders", "5")]);
    // Orders that are named, and all up to the request.
    let named = json!({"shop_domain": SHOP, "customer": {"id": 2}, "orders_to_redact": [4]});
    let all = json!({"shop_domain": SHOP, "customer": {"id": 1}, "orders_to_redact": []});
    server.take(&[
        webhook("customers/redact", &named).at(&at().days_ago(5)),
        webhook("customers/redact", &all).at(&at().days_ago(5)),
    ]);
    check(
        &server,
        0,
        "30d",
        &[
            ("orders", "5"),
            ("net_sales", "100.00"),
            // Order 5 of customer 2, and order 3 of customer 1 as of a new one.
            ("purchases", "2"),
            ("customers", "2"),
            ("repeat_customers", "0"),
            ("returning_customer_ratio", "0 = 0/2"),
        ],
    );
    check(&server, 24 * 7, "30d", &[("orders", "4"), ("customers", "1")]);
    // A request that names another shop in what is signed erases nothing.
    let foreign = json!({"shop_domain": "b.example", "customer": {"id": 2}});
    server.take(&[webhook("customers/redact", &foreign).at(&at().days_ago(1))]);
    check(&server, 0, "30d", &[("purchases", "2")]);
}

#[test]
fn a_redacted_shop_is_gone_up_to_the_request() {
    let home = Home::new();
    let server = home.serve();
    let later = with(plain(2, 1, 8), &json!({"updated_at": at().days_ago(1)}));
    let grown = with(later, &json!({"line_items": [line(2, 3, "20.00")], "refunds": []}));
    server.take(&deliveries(SHOP, vec![plain(1, 1, 9), plain(2, 1, 8), plain(3, 2, 2)]));
    server.take(&deliveries("b.example", vec![plain(1, 1, 9)]));
    let redact = json!({"shop_id": 1, "shop_domain": SHOP});
    server.take(&[webhook("shop/redact", &redact).at(&at().days_ago(5))]);
    check(&server, 0, "30d", &[("orders", "1"), ("customers", "1"), ("gross_sales", "20.00")]);
    // What a later delivery carries is there again, with its last snapshot as the order as placed.
    server.take(&[webhook("orders/updated", &grown)]);
    check(
        &server,
        0,
        "30d",
        &[
            ("orders", "2"),
            ("gross_sales", "80.00"),
            ("average_order_value placement", "40.00 = 80.00/2"),
        ],
    );
    server
        .kpis("b.example", Some(&at().end()))
        .check("30d", &[("orders", "1"), ("gross_sales", "20.00")]);
    server.stop();
    home.assert_rebuilds();
}

#[test]
fn additions_count_when_they_were_made() {
    let home = Home::new();
    let server = home.serve();
    // One unit more by an edit that is told, another that only a later snapshot shows.
    let placed = order(1, 1, &at().days_ago(20), &[line(11, 2, "10.00")]);
    let edited = json!({"order_edit": {
        "id": 50, "order_id": 1, "committed_at": at().days_ago(5), "created_at": at().days_ago(5),
        "line_items": {"additions": [{"id": 11, "delta": 1}], "removals": []},
    }});
    let shown = with(
        placed.clone(),
        &json!({"updated_at": at().days_ago(4), "line_items": [line(11, 3, "10.00")]}),
    );
    let grown = with(
        placed.clone(),
        &json!({
            "updated_at": at().hours_ago(12),
            "line_items": [line(11, 3, "10.00"), line(12, 1, "7.00")],
        }),
    );
    server.take(&[
        webhook("orders/updated", &grown),
        webhook("orders/create", &placed),
        webhook("orders/edited", &edited),
        webhook("orders/updated", &shown),
    ]);
    check(
        &server,
        0,
        "30d",
        &[
            ("orders", "1"),
            ("units_sold", "4"),
            ("gross_sales", "37.00"),
            ("average_order_value placement", "20.00 = 20.00/1"),
            ("average_order_value net", "37.00 = 37.00/1"),
        ],
    );
    let week = [("orders", "0"), ("units_sold", "2"), ("gross_sales", "17.00")];
    check(&server, 0, "7d", &week);
    check(&server, 0, "24h", &[("units_sold", "1"), ("gross_sales", "7.00")]);
    // Between the edit and the snapshot that shows it.
    check(&server, 24 * 5 - 1, "30d", &[("units_sold", "3"), ("gross_sales", "30.00")]);
    check(&server, 24 * 5 + 1, "30d", &[("units_sold", "2"), ("gross_sales", "20.00")]);
}

#[test]
fn deleted_orders_and_tests_never_were() {
    let home = Home::new();
    let server = home.serve();
    let returned = with(
        plain(2, 1, 8),
        &json!({"refunds": [refund(9, &at().days_ago(3), 2, 1, "return", [20.0, 0.0])]}),
    );
    server.take(&deliveries(SHOP, vec![plain(1, 1, 9), returned, plain(3, 1, 7)]));
    let before = [("orders", "3"), ("returned_units all", "1"), ("repeat_customers", "1")];
    check(&server, 0, "30d", &before);
    let test = with(plain(3, 1, 7), &json!({"test": true, "updated_at": at().days_ago(1)}));
    server.take(&[
        webhook("orders/delete", &json!({"id": 2})),
        webhook("orders/updated", &test),
        // A snapshot that arrives after the deletion.
        webhook("orders/updated", &with(plain(2, 1, 8), &json!({"updated_at": at().hours_ago(1)}))),
    ]);
    let left = [
        ("orders", "1"),
        ("gross_sales", "20.00"),
        ("reversals", "0.00"),
        ("refunded", "0.00"),
        ("returned_units all", "0"),
        ("customers", "1"),
        ("repeat_customers", "0"),
    ];
    check(&server, 0, "30d", &left);
    // They are withdrawn from the past as well.
    check(&server, 24 * 5, "30d", &[("orders", "1"), ("customers", "1")]);
}

#[test]
fn free_orders_and_gift_cards() {
    let home = Home::new();
    let server = home.serve();
    let gift = with(line(4, 2, "50.00"), &json!({"gift_card": true}));
    let voucher =
        with(line(3, 1, "30.00"), &json!({"discount_allocations": [{"amount": "30.00"}]}));
    let shipped = json!({"shipping_lines": [{"price": "4.00"}]});
    server.take(&deliveries(
        SHOP,
        vec![
            // A replacement is no purchase, though its shipping is charged.
            with(order(1, 1, &at().days_ago(3), &[line(1, 1, "0.00")]), &shipped),
            // Paid by a voucher in full, it is one; so is a gift card.
            order(3, 3, &at().days_ago(3), &[voucher]),
            order(4, 4, &at().days_ago(3), &[gift, line(5, 1, "10.00")]),
            order(6, 0, &at().days_ago(3), &[line(6, 1, "8.00")]),
        ],
    ));
    check(
        &server,
        0,
        "7d",
        &[
            ("orders", "4"),
            ("purchases", "2"),
            ("customers", "2"),
            ("units_sold", "4"),
            ("gross_sales", "48.00"),
            ("discounts", "30.00"),
            ("net_sales", "18.00"),
            ("total_sales", "22.00"),
            ("average_order_value placement", "4.50 = 18.00/4"),
            ("average_order_value simple", "5.50 = 22.00/4"),
        ],
    );
    check(&server, 0, "all", &[("customer_lifetime_value historic", "5.00 = 10.00/2")]);
}

#[test]
fn checkouts_are_completed_or_abandoned() {
    let started = |token: &str, hours_ago: i64, more: &Value| {
        let at = at().hours_ago(hours_ago);
        let body =
            json!({"token": token, "created_at": at, "updated_at": at, "completed_at": null});
        webhook("checkouts/create", &with(body, more))
    };
    let home = Home::new();
    let server = home.serve();
    let late = json!({"completed_at": at().hours_ago(10), "updated_at": at().hours_ago(10)});
    server.take(&[
        started("left", 100, &json!({})),
        started("named", 100, &json!({})),
        started("completed", 50, &late),
        started("gone", 50, &json!({})),
        // Younger than the horizon: open.
        started("open", 5, &json!({})),
        webhook("checkouts/delete", &json!({"token": "gone"})),
        webhook("orders/create", &with(plain(1, 1, 4), &json!({"checkout_token": "named"}))),
        webhook("orders/create", &with(plain(2, 1, 4), &json!({"checkout_token": "never seen"}))),
    ]);
    check(
        &server,
        0,
        "7d",
        &[
            ("checkout_completion_ratio", "0.5 = 2/4"),
            ("checkout_abandonment_ratio", "0.33333333 = 1/3"),
        ],
    );
    // Before it was completed late, it had been abandoned.
    check(
        &server,
        12,
        "7d",
        &[
            ("checkout_completion_ratio", "0.33333333 = 1/3"),
            ("checkout_abandonment_ratio", "0.66666667 = 2/3"),
        ],
    );
    check(&server, 0, "24h", &[("checkout_abandonment_ratio", "null = 0/0")]);
}

/// 2 x 12.00 with 4.00 tax inside; one comes back for 12.00, 2.00 of it tax: 10.00 of goods.
#[test]
fn prices_that_hold_tax_are_reversed_without_it_whatever_carries_the_refund() {
    let taxed = with(
        order(1, 1, &at().days_ago(9), &[line(11, 2, "12.00")]),
        &json!({"taxes_included": true}),
    );
    let mut taxed = taxed;
    taxed["line_items"][0]["tax_lines"] = json!([{"price": "4.00"}]);
    let alone =
        with(refund(5, &at().days_ago(3), 11, 1, "return", [12.0, 2.0]), &json!({"order_id": 1}));
    let inside = with(
        taxed.clone(),
        &json!({"updated_at": at().days_ago(2), "refunds": [
            refund(5, &at().days_ago(3), 11, 1, "return", [12.0, 2.0])]}),
    );
    let order = webhook("orders/create", &taxed);
    let alone = webhook("refunds/create", &alone);
    let inside = webhook("orders/updated", &inside);
    let arrivals: [&[&Delivery]; 4] =
        [&[&order, &alone], &[&alone, &order], &[&inside], &[&alone, &inside, &order]];
    for arrival in arrivals {
        let home = Home::new();
        let server = home.serve();
        let arrival: Vec<Delivery> = arrival.iter().map(|delivery| (*delivery).clone()).collect();
        server.take(&arrival);
        check(
            &server,
            0,
            "30d",
            &[
                ("gross_sales", "20.00"),
                ("reversals", "10.00"),
                ("net_sales", "10.00"),
                ("total_sales", "12.00"),
                ("return_ratio value_period", "0.5 = 10.00/20.00"),
            ],
        );
    }
}

/// The goods of a refund are in the shop's currency even where the money went back in the buyer's.
#[test]
fn plain_amounts_are_in_the_shops_currency() {
    let mut sold = order(1, 1, &at().days_ago(9), &[line(11, 1, "20.00")]);
    sold["total_price_set"] = json!({
        "shop_money": {"amount": "20.00", "currency_code": "USD"},
        "presentment_money": {"amount": "18.00", "currency_code": "EUR"},
    });
    let back = json!({
        "id": 5, "order_id": 1, "created_at": at().days_ago(3),
        "refund_line_items": [{
            "line_item_id": 11, "quantity": 1, "restock_type": "return", "subtotal": 10.0,
        }],
        "transactions": [
            {"kind": "refund", "status": "success", "amount": "9.00", "currency": "EUR"},
        ],
    });
    for turned in [false, true] {
        let mut arrival = vec![webhook("orders/create", &sold), webhook("refunds/create", &back)];
        if turned {
            arrival.reverse();
        }
        let home = Home::new();
        let server = home.serve();
        server.take(&arrival);
        check(&server, 0, "30d", &[("reversals", "10.00"), ("refunded", "10.00")]);
        let shops = server.json("/v1/shops");
        assert_eq!(shops["shops"][0]["currencies"], json!(["USD"]));
    }
}
