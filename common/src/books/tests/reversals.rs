//! Refunds and cancellations in the sales view.

use super::shop::{Shop, back, line, order, paid, refund, simple};
use crate::event::{Body, Line, OrderEdited, OrderSnapshot, QuantityDelta, Refund, RefundLine};
use crate::id::Id;

#[test]
fn reversals_count_on_their_own_day() {
    let mut shop = Shop::new();
    let placed = OrderSnapshot { shipping_minor: 500, tax_minor: 300, ..simple(1, 10, 1, 3000) };
    shop.place(placed);
    let lines = vec![RefundLine { tax_minor: 100, ..back(1, 1, 1000) }];
    let (shipping_minor, tax_minor) = (500, 20);
    let money = vec![paid(Some("USD"), 1620)];
    shop.refund(Refund { shipping_minor, tax_minor, paid: money, ..refund(1, 1, 20, lines) });
    shop.check(10, "24h", &[("net_sales:USD", "30.00"), ("total_sales:USD", "38.00")]);
    shop.check(
        20,
        "24h",
        &[
            ("orders", "0"),
            ("reversals:USD", "10.00"),
            ("net_sales:USD", "-10.00"),
            ("total_sales:USD", "-16.20"),
            ("refunded:USD", "16.20"),
            ("average_order_value/simple:USD", "null = -16.20 / 0"),
        ],
    );
    shop.check(
        20,
        "30d",
        &[
            ("average_order_value/placement:USD", "30.00 = 30.00 / 1"),
            ("average_order_value/net:USD", "20.00 = 20.00 / 1"),
            ("customer_lifetime_value/historic:USD", "absent"),
        ],
    );
}

/// 40.00 of goods, 4.00 tax and 5.00 shipping; refunded on day 20, cancelled on day 30.
fn cancelled() -> Shop {
    let mut shop = Shop::new();
    let lines = vec![Line { discount_minor: 1000, ..line(1, 5, 1000) }];
    let sold = OrderSnapshot { lines, shipping_minor: 500, tax_minor: 400, ..order(1, 10) };
    let cancelled_at = Some(super::shop::day(30));
    shop.order(30, OrderSnapshot { cancelled_at, ..sold.clone() }).place(sold);
    let lines = vec![RefundLine { tax_minor: 1000, ..back(1, 1, 1500) }];
    shop.refund(refund(1, 1, 20, lines));
    shop
}

#[test]
fn the_remainder_is_reversed_on_the_day_of_cancellation() {
    let shop = cancelled();
    // Before the cancellation the refund stands as it is, tax beyond the order's too.
    shop.check(20, "24h", &[("reversals:USD", "15.00"), ("total_sales:USD", "-25.00")]);
    shop.check(
        30,
        "24h",
        // What is left: 25.00 of goods, no tax, 5.00 shipping.
        &[("orders", "0"), ("reversals:USD", "25.00"), ("total_sales:USD", "-30.00")],
    );
    shop.check(
        30,
        "all",
        &[
            ("orders", "1"),
            ("net_sales:USD", "0.00"),
            ("total_sales:USD", "0.00"),
            ("average_order_value/placement:USD", "40.00 = 40.00 / 1"),
            ("average_order_value/net:USD", "0.00 = 0.00 / 1"),
        ],
    );
}

#[test]
fn nothing_is_reversed_twice() {
    let mut shop = cancelled();
    // After the cancellation: takes its part of the remainder, and no more than there is.
    shop.refund(refund(2, 1, 40, vec![back(1, 4, 9900)]));
    shop.check(30, "24h", &[("reversals:USD", "25.00")]);
    shop.check(40, "24h", &[("reversals:USD", "25.00"), ("total_sales:USD", "-25.00")]);
    shop.check(40, "30d", &[("reversals:USD", "40.00"), ("total_sales:USD", "-49.00")]);
    shop.check(40, "all", &[("net_sales:USD", "0.00"), ("total_sales:USD", "0.00")]);
}

#[test]
fn a_cancellation_takes_additions_along() {
    let mut shop = cancelled();
    let lines = vec![Line { discount_minor: 1000, ..line(1, 5, 1000) }, line(2, 1, 700)];
    let (shipping_minor, tax_minor) = (500, 400);
    let cancelled_at = Some(super::shop::day(30));
    let last = OrderSnapshot { cancelled_at, lines, shipping_minor, tax_minor, ..order(1, 10) };
    shop.order(31, last);
    let additions = vec![QuantityDelta { line: Id::Number(2), quantity: 1 }];
    let (order, edit, committed_at) = (Id::Number(1), Id::Number(1), super::shop::day(12));
    shop.send(12, Body::OrderEdited(OrderEdited { order, edit, committed_at, additions }));
    shop.check(30, "24h", &[("reversals:USD", "32.00")]);
    shop.check(30, "all", &[("gross_sales:USD", "57.00"), ("net_sales:USD", "0.00")]);
}

#[test]
fn the_greatest_version_of_a_refund_wins() {
    let mut shop = Shop::new();
    shop.place(simple(1, 1, 1, 3000));
    shop.refund(refund(1, 1, 5, vec![back(1, 1, 1000)]));
    let newer = refund(1, 1, 6, vec![back(1, 1, 1200)]);
    shop.order(7, OrderSnapshot { refunds: vec![newer], ..simple(1, 1, 1, 3000) });
    shop.check(9, "all", &[("reversals:USD", "12.00"), ("returned_units#all", "1")]);
    shop.check(5, "all", &[("reversals:USD", "0.00")]);
    // The refund was in an older snapshot only: it stays.
    shop.order(8, simple(1, 1, 1, 3000));
    shop.check(9, "all", &[("reversals:USD", "12.00")]);
}

#[test]
fn refunds_of_unknown_orders_count_in_period_figures() {
    let mut shop = Shop::new();
    let lines = vec![back(1, 7, 1_005_000_000)];
    let nameless = Refund { currency: None, shipping_minor: 100_000_000, ..refund(1, 1, 5, lines) };
    shop.refund(nameless);
    let unknown = [
        ("orders", "0"),
        // 10.05 in units of 10^-8, and 1.00 for shipping, in the configured currency.
        ("reversals:USD", "10.05"),
        ("total_sales:USD", "-11.05"),
        ("returned_units#all", "7"),
        ("return_ratio/units_period", "null = 7 / 0"),
        ("return_ratio/units_cohort", "null = 0 / 0"),
        ("return_ratio/value_period:USD", "null = 10.05 / 0.00"),
        ("return_ratio/value_cohort:USD", "null = 0.00 / 0.00"),
    ];
    shop.check(9, "30d", &unknown);
    // The order arrives: its currency has no digits, and one unit is all that can come back.
    let yen = OrderSnapshot { currency: super::shop::currency("JPY"), ..simple(1, 1, 1, 3000) };
    shop.place(yen);
    let known = [
        ("orders", "1"),
        ("reversals:USD", "absent"),
        ("reversals:JPY", "10"),
        ("returned_units#all", "1"),
        ("return_ratio/value_period:JPY", "0.00033333 = 1 / 3000"),
    ];
    shop.check(9, "30d", &known);
}

#[test]
fn nothing_of_an_order_exists_before_it_is_placed() {
    let mut shop = Shop::new();
    shop.place(simple(1, 10, 1, 3000));
    shop.refund(refund(1, 1, 5, vec![back(1, 1, 1000)]));
    shop.check(9, "all", &[("reversals:USD", "0.00"), ("returned_units#all", "0")]);
    shop.check(10, "all", &[("reversals:USD", "10.00"), ("returned_units#all", "1")]);
    shop.check(10, "24h", &[("reversals:USD", "0.00"), ("net_sales:USD", "30.00")]);
}

#[test]
fn gift_cards_are_no_goods() {
    let mut shop = Shop::new();
    let lines = vec![line(1, 1, 1000), Line { gift_card: true, ..line(2, 1, 5000) }];
    shop.place(OrderSnapshot { lines, ..order(1, 1) });
    shop.refund(refund(1, 1, 2, vec![back(2, 1, 5000)]));
    shop.check(
        3,
        "all",
        &[("gross_sales:USD", "10.00"), ("reversals:USD", "0.00"), ("returned_units#all", "0")],
    );
}
