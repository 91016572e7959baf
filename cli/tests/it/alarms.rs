//! A shop whose returns spike: the alarm in the API and in the metrics, with figures that can be
//! counted in the history, and what comes late counted in.

use serde_json::{Value, json};

use crate::metrics::OF_ALARMS;
use crate::support::{Clock, Delivery, Home, Server, order};

pub const SHOP: &str = "spike.example";
/// Days of history, and orders on each.
const DAYS: i64 = 200;
const ORDERS: i64 = 60;
/// Of six returns a day, one has each of these reasons.
const REASONS: [&str; 6] = ["defective", "fit", "unwanted", "color", "size_too_small", "other"];
/// The product that is spoilt.
const SPOILT: i64 = 1;
/// Hours since more come back, one order more every two of them.
const SPIKE_HOURS: i64 = 72;

/// An order, and when and why it came back; hours are counted back from now.
#[derive(Clone)]
pub struct Placed {
    pub id: i64,
    pub hours_ago: i64,
    pub returned: Option<(i64, &'static str)>,
}

impl Placed {
    /// What was ordered: one of three products.
    fn product(&self) -> i64 {
        self.id % 3
    }
}

/// Every tenth order of a day comes back within 25 days.
pub fn calm() -> Vec<Placed> {
    let mut orders = Vec::new();
    for day in 0..DAYS {
        for number in 0..ORDERS {
            let hours_ago = (DAYS - day) * 24 - number * 7 % 24;
            let lag = 24 * (3 + (number / 10 + day) % 23) + (number + day) % 24;
            let back = number % 10 == 3 && lag < hours_ago;
            let reason = REASONS[usize::try_from(number / 10 % 6).expect("below 6")];
            let returned = back.then_some((hours_ago - lag, reason));
            orders.push(Placed { id: 1 + day * ORDERS + number, hours_ago, returned });
        }
    }
    orders
}

/// Orders of one product of ten days before that come back as defective in the last days, the first one
/// first.
pub fn spoilt(calm: &[Placed]) -> Vec<Placed> {
    let mut kept: Vec<&Placed> = calm.iter().filter(|order| order.returned.is_none()).collect();
    let spoil = |hours_ago: i64| {
        let at = kept
            .iter()
            .position(|order| order.hours_ago <= hours_ago + 240 && order.product() == SPOILT);
        let order = kept.remove(at.expect("an order"));
        Placed { returned: Some((hours_ago, "defective")), ..order.clone() }
    };
    (1..=SPIKE_HOURS).rev().step_by(2).map(spoil).collect()
}

/// The history of a shop whose returns spike.
fn history() -> Vec<Placed> {
    let mut orders = calm();
    for spoilt in spoilt(&orders.clone()) {
        let order = orders.iter_mut().find(|order| order.id == spoilt.id);
        order.expect("of these").returned = spoilt.returned;
    }
    orders
}

/// Imports a history and serves it.
pub fn serve(home: &Home, clock: Clock, history: &[Placed]) -> Server {
    let lines: Vec<String> = history.iter().map(|one| line(clock, one).to_string()).collect();
    std::fs::write(home.path("history.jsonl"), lines.join("\n")).expect("a file");
    home.stdout(&["backfill", "events-jsonl", "history.jsonl"]);
    let server = home.serve();
    server.settle();
    server
}

/// The order as an event line.
fn line(clock: Clock, placed: &Placed) -> Value {
    let at = clock.hours_ago(placed.hours_ago);
    let returns = placed.returned.map(|(hours_ago, reason)| {
        json!([{"id": placed.id, "status": "closed", "at": clock.hours_ago(hours_ago),
                "lines": [{"id": 1, "line": 1, "quantity": 2, "reason": reason}]}])
    });
    json!({
        "type": "order", "shop": SHOP, "id": placed.id, "placed_at": at, "currency": "USD",
        "customer": {"id": placed.id % 997},
        "lines": [{"id": 1, "quantity": 2, "price": "20.00", "product": placed.product()}], "returns": returns.unwrap_or(json!([])),
    })
}

pub fn alarms(server: &Server, query: &str) -> Value {
    server.json(&format!("/v1/shops/{SHOP}/alarms{query}"))
}

/// The alarm of a reason by a scan that is under way.
fn under_way<'a>(reply: &'a Value, reason: &str, scan: &str) -> Option<&'a Value> {
    let alarms = reply["alarms"].as_array().expect("alarms");
    alarms.iter().find(|alarm| {
        let is_of = (&alarm["product"], &alarm["reason"], &alarm["scan"]);
        is_of == (&Value::Null, &json!(reason), &json!(scan)) && alarm["active"] == json!(true)
    })
}

/// Orders of the history that came back for a reason in an alarm's window.
fn counted(history: &[Placed], clock: Clock, reply: &Value, alarm: &Value, reason: &str) -> usize {
    let instant = |text: &Value| text.as_str().expect("an instant").to_owned();
    let (from, to) = (instant(&alarm["since"]), instant(&reply["evaluated_to"]));
    let within = |hours_ago: i64| {
        let at = clock.hours_ago(hours_ago);
        from <= at && at < to
    };
    let returned = history.iter().filter_map(|order| order.returned);
    let meant = |one: &str| reason == "all" || one == reason;
    returned.filter(|(hours_ago, one)| within(*hours_ago) && meant(one)).count()
}

#[test]
fn a_spike_is_told_with_figures_that_can_be_counted() {
    let (home, clock, history) = (Home::new(), Clock::now(), history());
    let server = serve(&home, clock, &history);

    let reply = alarms(&server, "");
    assert_eq!((&reply["shop"], &reply["threshold"]), (&json!(SHOP), &json!(9.0)));
    for reason in ["all", "defective"] {
        let alarm = under_way(&reply, reason, "period").unwrap_or_else(|| panic!("{reply:#}"));
        let returned = &alarm["returned_orders"];
        assert_eq!(returned, counted(&history, clock, &reply, alarm, reason), "{alarm:#}");
        let returned = returned.as_f64().expect("a number");
        let [ratio, low] =
            [&alarm["ratio"], &alarm["interval"][0]].map(|n| n.as_f64().expect("f64"));
        assert!(ratio > low && low > 1.0, "{alarm:#}");
        let expected = alarm["expected_orders"].as_f64().expect("a number");
        assert!((returned / expected - ratio).abs() < 1e-9, "{alarm:#}");
        let hours = alarm["window_hours"].as_i64().expect("hours");
        assert!((24..=168).contains(&hours), "about as long as it lasts: {alarm:#}");
        let product = &alarm["products"][0];
        let of_it: Vec<Placed> =
            history.iter().filter(|one| one.product() == SPOILT).cloned().collect();
        assert_eq!(product["product"], SPOILT.to_string(), "{alarm:#}");
        assert_eq!(
            product["returned_orders"],
            counted(&of_it, clock, &reply, alarm, reason),
            "{alarm:#}"
        );
        let due = product["expected_orders"].as_f64().expect("a number") / expected;
        // A third of all orders are of it; of these alone the usual ones come back as defective.
        let usual = if reason == "all" { 1.0 / 3.0 } else { 1.0 };
        assert!((due / usual - 1.0).abs() < 0.1, "{due}: {alarm:#}");
        let raised = alarm["raised_at"].as_str().expect("an instant");
        let begun = clock.hours_ago(SPIKE_HOURS);
        assert!(raised > begun.as_str(), "{raised} is before {begun}");
    }
    let all = under_way(&reply, "all", "period").expect("an alarm");
    let first = &all["reasons"][0];
    assert_eq!(first["reason"], "defective", "{all:#}");
    assert_eq!(first["returned_orders"], counted(&history, clock, &reply, all, "defective"));
    for reason in ["fit", "unwanted", "color", "size_too_small", "other", "wrong_item"] {
        assert!(under_way(&reply, reason, "period").is_none(), "{reason}: {reply:#}");
    }

    the_product_has_an_alarm_of_its_own(&reply, clock, &history);

    // Before it began there was none; nothing that is known later is left out.
    let before = alarms(&server, &format!("?as_of={}", clock.hours_ago(SPIKE_HOURS + 30)));
    assert_eq!(before["alarms"], json!([]), "{before:#}");
    let scores = before["scores"].as_array().expect("scores");
    assert_eq!(scores.len(), 15, "{before:#}");
    assert!(scores.iter().all(|one| one["score"].as_f64() < Some(9.0)), "{before:#}");

    let metrics = server.get("/metrics").body;
    for (name, kind) in OF_ALARMS {
        assert!(metrics.contains(&format!("\n# TYPE tallyhook_{name} {kind}\n")), "{name}");
    }
    let sample = |name: &str, reason: &str| -> f64 {
        let name = format!("tallyhook_{name}{{reason=\"{reason}\",shop=\"{SHOP}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
    };
    for (reason, raised) in [("all", true), ("defective", true), ("fit", false)] {
        assert_eq!(sample("return_spike_alarm", reason) > 0.0, raised, "{reason}");
        assert_eq!(sample("return_spike_score", reason) >= 9.0, raised, "{reason}");
    }

    assert!(metrics.contains(&format!("\ntallyhook_return_spike_products{{shop=\"{SHOP}\"}} 1\n")));

    late_ones_count(&server, clock, &history, &reply);
}

/// Of three products that are watched, the spoilt one.
fn the_product_has_an_alarm_of_its_own(reply: &Value, clock: Clock, history: &[Placed]) {
    let watched = reply["products"].as_array().expect("products").iter();
    let over = |one: &Value| one["score"].as_f64() >= reply["product_threshold"].as_f64();
    let scores: Vec<(&Value, bool)> = watched.map(|one| (&one["product"], over(one))).collect();
    assert_eq!(scores, [(&json!("0"), false), (&json!("1"), true), (&json!("2"), false)]);
    let alarms = reply["alarms"].as_array().expect("alarms").iter();
    let of_products: Vec<&Value> = alarms.filter(|alarm| !alarm["product"].is_null()).collect();
    assert!(of_products.iter().all(|alarm| alarm["product"] == "1"), "{of_products:#?}");
    let period = of_products
        .iter()
        .find(|one| (&one["scan"], &one["active"]) == (&json!("period"), &json!(true)));
    let period = period.unwrap_or_else(|| panic!("{reply:#}"));
    let of_it: Vec<Placed> =
        history.iter().filter(|one| one.product() == SPOILT).cloned().collect();
    let returned = counted(&of_it, clock, reply, period, "all");
    assert_eq!(period["returned_orders"], returned, "{period:#}");
    let expected = period["expected_orders"].as_f64().expect("a number");
    assert!(expected > 1.0 && returned as f64 > 3.0 * expected, "{period:#}");
}

/// An order of the week before of which a unit came back in an hour that was looked at already.
fn late_ones_count(server: &Server, clock: Clock, history: &[Placed], before: &Value) {
    let [placed_at, returned_at] = [240, 3].map(|hours| clock.hours_ago(hours));
    let id = history.len() as u64 + 1_000;
    let mut late = order(id, 0, &placed_at, &[json!({"id": 1, "quantity": 1, "price": "20.00"})]);
    late["refunds"] = json!([{
        "id": 5, "created_at": returned_at, "processed_at": returned_at, "transactions": [],
        "refund_line_items": [{"line_item_id": 1, "quantity": 1, "restock_type": "return",
                               "subtotal": "20.00", "total_tax": "0.00"}],
    }]);
    late["updated_at"] = json!(returned_at);
    server.take(&[Delivery::new(SHOP, "orders/updated", &late)]);
    let after = alarms(server, "");
    let returned = |reply: &Value| {
        let alarm = under_way(reply, "all", "period").expect("an alarm");
        (alarm["since"].clone(), alarm["returned_orders"].as_u64().expect("a count"))
    };
    if after["evaluated_to"] == before["evaluated_to"] {
        let ((since, were), (still, are)) = (returned(before), returned(&after));
        assert_eq!((since, were + 1), (still, are));
    }
}

#[test]
fn a_young_shop_is_not_watched_yet() {
    let (home, clock) = (Home::new(), Clock::now());
    let server = home.serve();
    let at = clock.days_ago(5);
    let young = order(1, 7, &at, &[json!({"id": 1, "quantity": 1, "price": "20.00"})]);
    server.take(&[Delivery::new(SHOP, "orders/create", &young)]);
    let reply = alarms(&server, "");
    assert_eq!(reply["watched_since"], Value::Null);
    assert_eq!((&reply["scores"], &reply["alarms"]), (&json!([]), &json!([])));
    assert!(!server.get("/metrics").body.contains("tallyhook_return_spike"));
    server.get("/v1/shops/nobody.example/alarms").assert_problem(404);
    let tomorrow = clock.days_ago(-1);
    server.get(&format!("/v1/shops/{SHOP}/alarms?as_of={tomorrow}")).assert_problem(400);
}
