//! Repeat, returning, retention, lifespan and lifetime value.

use super::shop::{Shop, back, day, order, refund, simple};
use crate::books::Mode;
use crate::customer::CustomerKey;
use crate::event::{Line, OrderSnapshot};
use crate::time::HOUR_MS;

/// Orders on the given days of customers `range`, 10.00 each.
fn buy(shop: &mut Shop, range: std::ops::Range<u16>, days: &[i64]) {
    for buyer in range {
        for &placed_day in days {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&buyer.to_be_bytes());
            let id = shop.events.len() as u64;
            let customer = Some(CustomerKey::from_bytes(bytes));
            shop.place(OrderSnapshot { customer, ..simple(id, placed_day, 1, 1000) });
        }
    }
}

#[test]
fn repeat_purchase_rate_of_the_definitions() {
    let mut shop = Shop::new();
    buy(&mut shop, 0..300, &[10, 20]);
    buy(&mut shop, 300..500, &[15]);
    shop.check(
        30,
        "365d",
        &[
            ("customers", "500"),
            ("repeat_customers", "300"),
            ("purchases", "800"),
            ("repeat_purchase_ratio", "0.6 = 300 / 500"),
            ("purchase_frequency", "1.6 = 800 / 500"),
        ],
    );
}

#[test]
fn returning_customer_rate_of_the_definitions() {
    let mut shop = Shop::new();
    buy(&mut shop, 0..150, &[10, 100]);
    buy(&mut shop, 150..500, &[100]);
    shop.check(
        110,
        "30d",
        &[
            ("repeat_purchase_ratio", "0 = 0 / 500"),
            ("returning_customer_ratio", "0.3 = 150 / 500"),
        ],
    );
    // A purchase after T does not exist yet.
    buy(&mut shop, 150..500, &[120]);
    shop.check(110, "30d", &[("returning_customer_ratio", "0.3 = 150 / 500")]);
}

#[test]
fn retention_of_the_definitions() {
    let mut shop = Shop::new();
    buy(&mut shop, 0..300, &[10, 40]);
    buy(&mut shop, 300..500, &[10]);
    buy(&mut shop, 500..600, &[40]);
    shop.check(
        60,
        "30d",
        &[("retention_ratio", "0.6 = 300 / 500"), ("churn_ratio", "0.4 = 200 / 500")],
    );
    shop.check(60, "all", &[("retention_ratio", "absent"), ("churn_ratio", "absent")]);
    shop.check(60, "365d", &[("retention_ratio", "null = 0 / 0")]);
    // (T - 2W, T - W]: day 10 is exactly 2W before day 70, so out; day 40 is in.
    shop.check(70, "30d", &[("retention_ratio", "0 = 0 / 400")]);
}

#[test]
fn lifetime_value_of_the_definitions_end_to_end() {
    let mut shop = Shop::new();
    for (id, placed_day) in (0..).zip([0, 183, 366, 548, 731, 913]) {
        shop.place(simple(id, placed_day, 1, 35_000));
    }
    let figures = [
        ("customer_lifetime_value/formula:USD", "2100.00"),
        ("customer_lifetime_value/historic:USD", "2100.00 = 2100.00 / 1"),
        ("customer_lifetime_value/historic_gross:USD", "2100.00 = 2100.00 / 1"),
    ];
    shop.check(1095, "all", &figures);
    shop.check(1095, "all", &[("customer_lifespan/observed", "3")]);
    shop.check(1095, "365d", &[("purchase_frequency", "2 = 2 / 1")]);
    shop.settings.declared_lifespan_years = Some(3.0);
    shop.check(1095, "all", &figures);
    shop.check(
        1095,
        "all",
        &[("customer_lifespan/declared", "3"), ("customer_lifespan/observed", "absent")],
    );
    shop.settings.declared_lifespan_years = Some(2.35);
    shop.check(1095, "all", &[("customer_lifetime_value/formula:USD", "1645.00")]);
}

#[test]
fn reversals_lower_historic_value_when_booked() {
    let mut shop = Shop::new();
    shop.place(simple(1, 10, 1, 3000)).place(simple(2, 10, 2, 1000));
    shop.refund(refund(1, 1, 20, vec![back(1, 1, 500)]));
    shop.check(19, "all", &[("customer_lifetime_value/historic:USD", "20.00 = 40.00 / 2")]);
    shop.check(
        20,
        "all",
        &[
            ("customer_lifetime_value/historic:USD", "17.50 = 35.00 / 2"),
            ("customer_lifetime_value/historic_gross:USD", "20.00 = 40.00 / 2"),
        ],
    );
}

#[test]
fn empty_shops_have_no_lifetime_value() {
    Shop::new().check(
        5,
        "all",
        &[
            ("customers", "0"),
            ("repeat_purchase_ratio", "null = 0 / 0"),
            ("customer_lifespan/observed", "null"),
            ("customer_lifetime_value/formula:USD", "null"),
            ("customer_lifetime_value/historic:USD", "null = 0.00 / 0"),
        ],
    );
}

#[test]
fn cancelled_and_free_orders_are_no_purchases() {
    let mut shop = Shop::new();
    shop.place(simple(1, 10, 1, 3000));
    shop.order(50, OrderSnapshot { cancelled_at: Some(day(50)), ..simple(1, 10, 1, 3000) });
    // Free, though its shipping is charged; and a gift card, which is a purchase.
    shop.place(OrderSnapshot { shipping_minor: 900, ..simple(2, 10, 2, 0) });
    let mut voucher = simple(3, 10, 3, 2000);
    voucher.lines[0] = Line { gift_card: true, ..voucher.lines[0].clone() };
    shop.place(voucher);
    // Paid in full by a discount: a purchase.
    let mut discounted = simple(4, 10, 4, 2000);
    discounted.lines[0].discount_minor = 2000;
    shop.place(discounted);
    // Anonymous.
    shop.place(OrderSnapshot { customer: None, ..simple(5, 10, 5, 100) });
    // The cancellation of day 50 withdraws the purchase for the past too, the order never.
    shop.check(
        20,
        "30d",
        &[("orders", "5"), ("customers", "2"), ("purchases", "2"), ("reversals:USD", "0.00")],
    );
}

#[test]
fn the_live_form_is_exact_to_the_hour() {
    let mut shop = Shop::new();
    shop.place(simple(1, 10, 1, 1000));
    let live = |ms: i64| Mode::Live { now: day(11).plus_ms(ms) };
    // In the last hour before the day is over the window begins at the order's instant.
    shop.check_in(live(-1), "24h", &[("orders", "1"), ("customers", "1")]);
    shop.check_in(live(0), "24h", &[("orders", "0"), ("customers", "0")]);
    shop.check_in(Mode::Live { now: day(10).plus_ms(-1) }, "24h", &[("orders", "0")]);
    shop.check_in(Mode::Live { now: day(10) }, "24h", &[("orders", "1")]);
    shop.check_in(live(HOUR_MS), "24h", &[("retention_ratio", "0 = 0 / 1")]);
}

#[test]
fn orders_without_lines_are_anonymous_to_customers() {
    let mut shop = Shop::new();
    shop.place(OrderSnapshot { customer: Some(super::shop::customer(1)), ..order(1, 1) });
    shop.check(2, "all", &[("orders", "1"), ("customers", "0")]);
}
