//! Sales as placed, edits, currencies, withdrawals, and the shape of a row.

use super::shop::{Shop, currency, day, domain, line, order, paid, refund, simple};
use crate::books::{Mode, Window, kpis};
use crate::event::{
    Body, Line, OrderDeleted, OrderEdited, OrderSnapshot, Presentment, QuantityDelta, Refund,
    ShopRedacted,
};
use crate::id::Id;

#[test]
fn average_order_values_of_the_definitions() {
    let check = |orders: u64, price: i64, figure: &str| {
        let mut shop = Shop::new();
        for id in 0..orders {
            shop.place(simple(id, 1, 1, price));
        }
        shop.check(
            2,
            "30d",
            &[
                ("average_order_value/placement:USD", figure),
                ("average_order_value/simple:USD", figure),
                ("average_order_value/net:USD", figure),
            ],
        );
    };
    check(200, 5000, "50.00 = 10000.00 / 200");
    check(500, 2000, "20.00 = 10000.00 / 500");
    check(3, 3333, "33.33 = 99.99 / 3");
    check(0, 0, "null = 0.00 / 0");
}

#[test]
fn sums_and_extras() {
    let mut shop = Shop::new();
    let discounted = Line { discount_minor: 300, tax_minor: 200, ..line(1, 3, 1000) };
    let gift = Line { gift_card: true, ..line(2, 1, 5000) };
    let (shipping_minor, tax_minor, duties_minor, fees_minor) = (500, 250, 70, 8);
    let lines = vec![discounted, gift];
    shop.place(OrderSnapshot {
        lines,
        shipping_minor,
        tax_minor,
        duties_minor,
        fees_minor,
        ..order(1, 10)
    });
    shop.place(OrderSnapshot { lines: vec![line(1, 1, 0)], ..order(2, 10) });
    shop.check(
        40,
        "30d",
        // Placed exactly W ago: out.
        &[("orders", "0"), ("gross_sales:USD", "0.00"), ("units_sold", "0")],
    );
    shop.check(
        39,
        "30d",
        &[
            ("orders", "2"),
            ("units_sold", "4"),
            ("gross_sales:USD", "30.00"),
            ("discounts:USD", "3.00"),
            ("net_sales:USD", "27.00"),
            ("total_sales:USD", "35.28"),
            ("average_order_value/placement:USD", "13.50 = 27.00 / 2"),
            ("average_order_value/simple:USD", "17.64 = 35.28 / 2"),
        ],
    );
    // Placed exactly at T: in.
    shop.check(10, "24h", &[("orders", "2")]);
    shop.check(9, "all", &[("orders", "0"), ("gross_sales:USD", "0.00")]);
}

#[test]
fn currencies_have_their_own_digits() {
    let mut shop = Shop::new();
    shop.place(OrderSnapshot { currency: currency("JPY"), ..simple(1, 1, 1, 1000) });
    shop.place(OrderSnapshot { currency: currency("JPY"), ..simple(2, 1, 1, 1001) });
    shop.place(OrderSnapshot { currency: currency("KWD"), ..simple(3, 1, 1, 1500) });
    shop.check(
        2,
        "all",
        &[
            ("gross_sales:JPY", "2001"),
            ("average_order_value/placement:JPY", "1000.5 = 2001 / 2"),
            ("gross_sales:KWD", "1.500"),
            ("average_order_value/placement:KWD", "1.500 = 1.500 / 1"),
            ("gross_sales:USD", "absent"),
            ("orders", "3"),
            ("customer_lifetime_value/historic:JPY", "2001 = 2001 / 1"),
            ("return_ratio/value_period:JPY", "0 = 0 / 2001"),
        ],
    );
}

#[test]
fn refunded_converts_by_the_orders_own_rate() {
    let mut shop = Shop::new();
    let rate =
        Presentment { currency: currency("EUR"), total_minor: 9000, shop_total_minor: 10_000 };
    shop.place(OrderSnapshot { presentment: Some(rate), ..simple(1, 1, 1, 10_000) });
    let money = vec![
        paid(Some("USD"), 100),
        paid(Some("EUR"), 4500),
        // 0.05 EUR is 5.56 cents, the nearest is 6.
        paid(Some("EUR"), 5),
        paid(Some("JPY"), 7),
        paid(None, 1_250_000_000),
    ];
    shop.refund(Refund { paid: money, ..refund(1, 1, 2, vec![]) });
    shop.check(
        3,
        "all",
        &[
            // 1.00 + 50.00 + 0.06 + 12.50
            ("refunded:USD", "63.56"),
            ("refunded:JPY", "7"),
            ("refunded:EUR", "absent"),
            ("reversals:USD", "0.00"),
        ],
    );
}

#[test]
fn edits_are_booked_when_they_were_made() {
    let mut shop = Shop::new();
    shop.place(OrderSnapshot { lines: vec![line(1, 1, 1000)], ..order(1, 10) });
    let discounted = Line { discount_minor: 100, tax_minor: 50, ..line(1, 4, 1000) };
    let later = OrderSnapshot { lines: vec![discounted, line(2, 1, 700)], ..order(1, 10) };
    shop.order(30, later);
    shop.order(20, OrderSnapshot { lines: vec![line(1, 2, 1000)], ..order(1, 10) });
    let edited = |edit, at, quantity| OrderEdited {
        order: Id::Number(1),
        edit: Id::Number(edit),
        committed_at: day(at),
        additions: vec![QuantityDelta { line: Id::Number(1), quantity }],
    };
    shop.check(10, "24h", &[("units_sold", "1"), ("gross_sales:USD", "10.00")]);
    // Without edits: the snapshots that show the units, 20 for the first, 30 for the others.
    shop.check(20, "24h", &[("units_sold", "1"), ("gross_sales:USD", "10.00")]);
    shop.check(30, "24h", &[("units_sold", "3"), ("gross_sales:USD", "27.00")]);
    // With one: its two units are booked when it was committed.
    shop.send(15, Body::OrderEdited(edited(1, 15, 2)));
    shop.check(15, "24h", &[("units_sold", "2"), ("discounts:USD", "0.66")]);
    shop.check(20, "24h", &[("units_sold", "0")]);
    shop.check(30, "24h", &[("units_sold", "2"), ("discounts:USD", "0.34")]);
    shop.check(
        30,
        "all",
        &[
            ("units_sold", "5"),
            ("net_sales:USD", "46.00"),
            ("total_sales:USD", "46.50"),
            ("average_order_value/placement:USD", "10.00 = 10.00 / 1"),
            ("average_order_value/net:USD", "46.00 = 46.00 / 1"),
        ],
    );
}

#[test]
fn lowered_quantities_change_nothing() {
    let mut shop = Shop::new();
    shop.place(OrderSnapshot { lines: vec![line(1, 3, 1000)], ..order(1, 10) });
    shop.order(20, OrderSnapshot { lines: vec![line(1, 1, 900)], ..order(1, 10) });
    shop.check(30, "all", &[("units_sold", "3"), ("gross_sales:USD", "30.00")]);
}

#[test]
fn test_and_deleted_orders_never_were() {
    let mut shop = Shop::new();
    shop.place(simple(1, 1, 1, 1000)).place(simple(2, 1, 2, 1000));
    shop.refund(Refund {
        paid: vec![paid(None, 5)],
        shipping_minor: 3,
        ..refund(1, 1, 1, vec![super::shop::back(1, 1, 1000)])
    });
    shop.order(9, OrderSnapshot { test: true, ..simple(1, 1, 1, 1000) });
    shop.send(9, Body::OrderDeleted(OrderDeleted { order: Id::Number(2) }));
    // Flips count whenever they were made.
    shop.check(
        2,
        "all",
        &[
            ("orders", "0"),
            ("customers", "0"),
            ("reversals:USD", "0.00"),
            ("total_sales:USD", "0.00"),
            ("refunded:USD", "0.00"),
            ("returned_units#all", "0"),
        ],
    );
}

#[test]
fn a_shops_redaction_keeps_what_later_deliveries_carry() {
    let mut shop = Shop::new();
    shop.place(simple(1, 1, 1, 1000)).place(simple(2, 1, 2, 1000)).merge(1, 2);
    shop.order(
        9,
        OrderSnapshot {
            customer: Some(super::shop::customer(1)),
            lines: vec![line(1, 3, 1000)],
            ..order(1, 1)
        },
    );
    shop.place(simple(3, 8, 2, 1000));
    shop.send(0, Body::ShopRedacted(ShopRedacted { at: day(5) }));
    // Order 1 keeps its last snapshot only, also as placed; order 2 and the merge are gone.
    shop.check(
        20,
        "all",
        &[("orders", "2"), ("units_sold", "4"), ("customers", "2"), ("repeat_customers", "0")],
    );
    shop.check(1, "24h", &[("orders", "1"), ("gross_sales:USD", "30.00")]);
    // A redaction at a delivery's very time removes it.
    shop.send(0, Body::ShopRedacted(ShopRedacted { at: day(8) }));
    shop.check(20, "all", &[("orders", "1"), ("units_sold", "3")]);
    // An import counts from when it began.
    shop.place(simple(4, 2, 2, 1000));
    shop.check(20, "all", &[("orders", "1")]);
    shop.events.last_mut().expect("an event").imported_at = Some(day(10));
    shop.check(20, "all", &[("orders", "2")]);
}

#[test]
fn a_change_of_currency_leaves_the_last_snapshot() {
    let mut shop = Shop::new();
    shop.place(simple(1, 1, 1, 1000));
    let lines = vec![line(1, 2, 900)];
    shop.order(5, OrderSnapshot { currency: currency("EUR"), lines, ..order(1, 1) });
    shop.check(
        2,
        "all",
        &[("gross_sales:EUR", "18.00"), ("gross_sales:USD", "absent"), ("units_sold", "2")],
    );
}

#[test]
fn a_row_is_the_contracts_object() {
    let mut shop = Shop::new();
    for id in 0..3 {
        shop.place(simple(id, 1, 1, 1000));
    }
    let mode = Mode::AsOf(day(31));
    let rows = kpis(&shop.events, &domain(), &shop.settings, mode, &[Window::D90]);
    let row = rows.iter().find(|row| row.basis == Some("placement")).expect("a row");
    assert_eq!(
        serde_json::to_string(row).expect("encodes"),
        r#"{"kpi":"average_order_value","basis":"placement","window":"90d","from":"1969-11-03T00:00:00Z","to":"1970-02-01T00:00:00Z","value":"10.00","numerator":"30.00","denominator":"3","unit":"currency/order","currency":"USD"}"#
    );
    let all = kpis(&[], &domain(), &shop.settings, mode, &Window::EVERY);
    let sheets = all.chunk_by(|a, b| a.window == b.window).map(<[_]>::len).collect::<Vec<_>>();
    // Five windows with retention and churn; `all` without, but with four lifetime figures.
    assert_eq!(sheets, [28, 28, 28, 28, 28, 30]);
}
