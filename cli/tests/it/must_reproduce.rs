//! The acceptance examples of the KPI definitions, end to end: signed webhooks in, figures out.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::support::{Clock, Delivery, Home, Server, deliveries, line, order, with};

/// An order of one line.
fn plain(id: u64, customer: u64, at: &str, price: &str) -> Value {
    order(id, customer, at, &[line(id, 1, price)])
}

/// One order for each customer of a range, spread over the days from `newest` to `newest + 19`.
fn purchases(customers: RangeInclusive<u64>, first_id: u64, newest: i64) -> Vec<Value> {
    let order = |(index, customer): (u64, u64)| {
        let days = newest + i64::try_from(index % 20).expect("small");
        plain(first_id + index, customer, &Clock::fixed().days_ago(days), "20.00")
    };
    (0..).zip(customers).map(order).collect()
}

/// Posts the orders to a new `serve` and returns it with what keeps it alive.
fn serve(shop: &str, orders: Vec<Value>) -> (Home, Server) {
    let home = Home::new();
    let server = home.serve();
    server.take(&deliveries(shop, orders));
    (home, server)
}

#[test]
fn average_order_value() {
    let clock = Clock::fixed();
    let check = |orders: u64, prices: [&str; 2], average: &str| {
        let placed = |index: u64| {
            let days = i64::try_from(index % 25).expect("small");
            let price = prices[usize::from(index % 2 == 1)];
            plain(index + 1, index % 90, &clock.days_ago(days), price)
        };
        let mut all: Vec<Value> = (0..orders).map(placed).collect();
        // Exactly 30 days ago is out of the window of 30 days, a second later is in that of 90.
        all.push(plain(9000, 1, &clock.days_ago(30), "7000.00"));
        all.push(plain(9001, 1, &clock.seconds_ago(90 * 86_400 - 1), "3000.00"));
        let (_home, server) = serve("shop.example", all);
        let kpis = server.kpis("shop.example", Some(&clock.end()));
        let shown = format!("{average} = 10000.00/{orders}");
        kpis.check(
            "30d",
            &[
                ("orders", &orders.to_string()),
                ("gross_sales USD", "10000.00"),
                ("total_sales USD", "10000.00"),
                ("average_order_value placement", &shown),
                ("average_order_value simple", &shown),
                ("average_order_value net", &shown),
            ],
        );
        kpis.check(
            "90d",
            &[("orders", &(orders + 2).to_string()), ("gross_sales USD", "20000.00")],
        );
    };
    check(200, ["40.00", "60.00"], "50.00");
    check(500, ["15.00", "25.00"], "20.00");
}

#[test]
fn the_variants_of_the_average_differ_by_tax_and_shipping() {
    let at = Clock::fixed().days_ago(1);
    let goods = with(
        line(1, 2, "10.00"),
        &serde_json::json!({
            "discount_allocations": [{"amount": "1.00"}], "tax_lines": [{"price": "1.90"}],
        }),
    );
    let extras = serde_json::json!({"shipping_lines": [{"price": "5.00", "tax_lines": []}]});
    let (_home, server) = serve("a.example", vec![with(order(1, 1, &at, &[goods]), &extras)]);
    server.kpis("a.example", Some(&Clock::fixed().end())).check(
        "7d",
        &[
            ("gross_sales", "20.00"),
            ("discounts", "1.00"),
            ("net_sales", "19.00"),
            ("total_sales", "25.90"),
            ("average_order_value placement", "19.00 = 19.00/1"),
            ("average_order_value simple", "25.90 = 25.90/1"),
            ("units_sold", "2"),
        ],
    );
}

#[test]
fn repeat_purchase_ratio() {
    let mut orders = purchases(1..=500, 1000, 5);
    orders.extend(purchases(1..=300, 2000, 200));
    // A second purchase before the window makes nobody repeat in it, and nobody is anonymous.
    orders.extend(purchases(301..=350, 3000, 370));
    let anonymous = |id| plain(id, 0, &Clock::fixed().days_ago(3), "20.00");
    orders.extend((4000..4010).map(anonymous));
    let (_home, server) = serve("a.example", orders);
    let kpis = server.kpis("a.example", Some(&Clock::fixed().end()));
    kpis.check(
        "365d",
        &[
            ("repeat_purchase_ratio", "0.6 = 300/500"),
            ("returning_customer_ratio", "0.7 = 350/500"),
            ("customers", "500"),
            ("repeat_customers", "300"),
            ("purchases", "800"),
            ("orders", "810"),
            ("purchase_frequency", "1.6 = 800/500"),
        ],
    );
    let interval = &kpis.row("365d", "repeat_purchase_ratio")["interval"];
    assert_eq!(*interval, serde_json::json!(["0.55645412", "0.64202101"]), "95 % by Wilson");
    kpis.check("all", &[("repeat_purchase_ratio", "0.7 = 350/500"), ("purchases", "850")]);
}

#[test]
fn returning_customer_ratio() {
    let mut orders = purchases(1..=500, 1000, 3);
    orders.extend(purchases(101..=250, 2000, 60));
    // Who bought before but not in the window is in neither part of the fraction.
    orders.extend(purchases(501..=600, 3000, 60));
    let (_home, server) = serve("a.example", orders);
    server.kpis("a.example", Some(&Clock::fixed().end())).check(
        "30d",
        &[
            ("returning_customer_ratio", "0.3 = 150/500"),
            ("repeat_purchase_ratio", "0 = 0/500"),
            ("customers", "500"),
        ],
    );
}

#[test]
fn period_retention() {
    let mut orders = purchases(1..=500, 1000, 35);
    orders.extend(purchases(201..=500, 2000, 5));
    // New customers are in neither part of the fraction.
    orders.extend(purchases(501..=570, 3000, 5));
    let (_home, server) = serve("a.example", orders);
    let kpis = server.kpis("a.example", Some(&Clock::fixed().end()));
    kpis.check(
        "30d",
        &[
            ("retention_ratio", "0.6 = 300/500"),
            ("churn_ratio", "0.4 = 200/500"),
            ("customers", "370"),
        ],
    );
    let retention = |row: &&Value| row["kpi"] == "retention_ratio" && row["window"] == "all";
    assert_eq!(kpis.rows().iter().find(retention), None, "there is nothing before everything");
}

#[test]
fn customer_lifetime_value() {
    let clock = Clock::fixed();
    let days = [0, 183, 366, 548, 731, 913];
    let orders: Vec<Value> = (1..)
        .zip(days)
        .map(|(id, day)| plain(id, 72, &clock.days_ago(1095 - day), "350.00"))
        .collect();
    let formula = [
        ("customer_lifetime_value formula", "2100.00"),
        ("customer_lifetime_value historic", "2100.00 = 2100.00/1"),
        ("customer_lifetime_value historic_gross", "2100.00 = 2100.00/1"),
    ];

    let home = Home::new();
    let server = home.serve();
    server.take(&deliveries("a.example", orders.clone()));
    let kpis = server.kpis("a.example", Some(&clock.end()));
    kpis.check("all", &formula);
    kpis.check("all", &[("customer_lifespan observed", "3")]);
    kpis.check("365d", &[("purchase_frequency", "2 = 2/1")]);
    // A day less, and the same customer has been observed a day less.
    let earlier = server.kpis("a.example", Some(&clock.days_ago(1)));
    let observed = earlier.number("all", "customer_lifespan observed");
    assert!((observed - 1094.0 / 365.0).abs() < 1e-7, "{observed}");

    let home = Home::with("[shops.default]\nclv_lifespan_years = 3");
    let server = home.serve();
    server.take(&deliveries("a.example", orders));
    let kpis = server.kpis("a.example", Some(&clock.end()));
    kpis.check("all", &formula);
    kpis.check("all", &[("customer_lifespan declared", "3")]);
    // What is declared holds on every day, here on day 1000: days 731 and 913 are in (635, 1000].
    let kpis = server.kpis("a.example", Some(&clock.days_ago(95)));
    kpis.check("all", &[("customer_lifetime_value formula", "2100.00")]);
}

#[test]
fn a_lost_customer_ends_a_lifetime() {
    let clock = Clock::fixed();
    // One was lost after 100 days; the other's 730 days go on. Survival is 1 for 100 days, then a
    // half up to the longest age: (100 + 630 / 2) / 365 years.
    let orders = vec![
        plain(1, 1, &clock.days_ago(700), "10.00"),
        plain(2, 1, &clock.days_ago(600), "10.00"),
        plain(3, 2, &clock.days_ago(730), "30.00"),
        plain(4, 2, &clock.days_ago(10), "50.00"),
    ];
    let (_home, server) = serve("a.example", orders);
    let kpis = server.kpis("a.example", Some(&clock.end()));
    let close = |words: &str, expected: f64| {
        let found = kpis.number("all", words);
        assert!((found - expected).abs() < 1e-7, "{words}: {found} instead of {expected}");
    };
    close("customer_lifespan observed", 415.0 / 365.0);
    // 50.00 in the last year of one customer, once.
    close("customer_lifetime_value formula", 50.0 * 415.0 / 365.0);
    kpis.check("all", &[("customer_lifetime_value historic", "50.00 = 100.00/2")]);
}

#[test]
fn live_figures_are_those_of_now() {
    let clock = Clock::now();
    let orders = vec![
        plain(1, 1, &clock.hours_ago(2), "40.00"),
        plain(2, 1, &clock.hours_ago(3), "60.00"),
        plain(3, 2, &clock.days_ago(3), "50.00"),
        plain(4, 2, &clock.days_ago(60), "50.00"),
        // Dated tomorrow: it waits until now reaches it.
        plain(5, 3, &clock.days_ago(-1), "1000.00"),
    ];
    let home = Home::new();
    let server = home.serve();
    server.take(&deliveries("a.example", orders));
    // The newest of them turns into a test.
    let flipped = serde_json::json!({"test": true, "updated_at": clock.hours_ago(1)});
    let flipped = with(plain(4, 2, &clock.days_ago(60), "50.00"), &flipped);
    server.take(&[Delivery::new("a.example", "orders/updated", &flipped)]);
    let kpis = server.kpis("a.example", None);
    kpis.check(
        "24h",
        &[
            ("orders", "2"),
            ("average_order_value placement", "50.00 = 100.00/2"),
            ("repeat_purchase_ratio", "1 = 1/1"),
        ],
    );
    kpis.check("7d", &[("orders", "3"), ("customers", "2"), ("repeat_customers", "1")]);
    kpis.check("90d", &[("orders", "3"), ("gross_sales", "150.00")]);
    kpis.check("all", &[("orders", "3"), ("customers", "2")]);
}
