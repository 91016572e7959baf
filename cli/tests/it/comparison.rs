//! The comparison of a period with the one before it: each figure is the one that the same window has
//! as of the period's end, whatever went wrong on the way.

use serde_json::{Value, json};

use crate::simulate::simulate;
use crate::support::{Clock, Home, deliveries, line, order, within_an_hour};

/// Figures that ripen: those of the past count what came later. So do reasons, which a later return may
/// tell better.
const RIPENING: [(&str, &str); 3] = [
    ("customer_lifetime_value", "historic"),
    ("checkout_completion_ratio", "-"),
    ("return_ratio", "value_period"),
];

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or("-")
}

/// The last millisecond of a period that ends at this full hour.
fn last_instant(end: &Value) -> String {
    let end: jiff::Timestamp = end.as_str().expect("an instant").parse().expect("an instant");
    (end - jiff::SignedDuration::from_millis(1)).to_string()
}

fn same(one: &Value, other: &Value) -> bool {
    ["kpi", "basis", "currency", "reason"].iter().all(|name| text(one, name) == text(other, name))
}

#[test]
fn both_periods_equal_the_past() {
    let home = Home::new();
    let server = home.serve();
    let truth = simulate(&home, &server, "400", "5");
    server.settle();
    let mut compared = 0;
    for shop in truth["shops"].as_object().expect("shops").keys() {
        for window in ["24h", "7d", "30d", "90d", "365d"] {
            let reply = server.json(&format!("/v1/shops/{shop}/comparison?period={window}"));
            for side in ["current", "preceding"] {
                let part = &reply[side];
                let at = last_instant(&part["to"]);
                let kpis =
                    server.json(&format!("/v1/shops/{shop}/kpis?window={window},all&as_of={at}"));
                let kpis = kpis["kpis"].as_array().expect("KPIs");
                for row in reply["kpis"].as_array().expect("rows") {
                    let name = (text(row, "kpi"), text(row, "basis"));
                    if RIPENING.contains(&name) || !["-", "all"].contains(&text(row, "reason")) {
                        continue;
                    }
                    let of = if name.0 == "customer_lifetime_value" { "all" } else { window };
                    let known = kpis.iter().find(|kpi| kpi["window"] == of && same(kpi, row));
                    let known = known.unwrap_or_else(|| panic!("{name:?} is not known"));
                    for field in ["value", "numerator", "denominator"] {
                        let found = &row[side][field];
                        assert_eq!(found, &known[field], "{field} of {name:?} {side} {window}");
                    }
                    compared += 1;
                }
                let orders = row(&reply, "orders");
                let steps = orders[side]["steps"].as_array().expect("steps");
                let sum: u64 = steps.iter().map(number).sum();
                assert_eq!(sum, number(&orders[side]["value"]), "{window} {side}");
                assert_eq!(part["steps"].as_array().map(Vec::len), Some(steps.len() + 1));
            }
        }
    }
    assert_eq!(compared, 400, "20 figures of 2 shops, 5 windows and either period");
}

fn row<'a>(reply: &'a Value, kpi: &str) -> &'a Value {
    let rows = reply["kpis"].as_array().expect("rows");
    rows.iter().find(|row| row["kpi"] == kpi).unwrap_or_else(|| panic!("no {kpi}: {reply:#}"))
}

fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is none"))
}

/// An order of 10.00 in every hour of ten days, and another one of 30.00 in those of the last day.
#[test]
fn today_stands_beside_the_same_day_of_last_week() {
    within_an_hour();
    let (home, clock) = (Home::new(), Clock::now());
    let server = home.serve();
    let placed = |hour: i64| {
        let id = u64::try_from(hour).expect("positive");
        let usual = order(2 * id, 70, &clock.hours_ago(hour), &[line(1, 1, "10.00")]);
        let more = order(2 * id + 1, 71, &clock.hours_ago(hour), &[line(1, 1, "30.00")]);
        std::iter::once(usual).chain((hour < 25).then_some(more))
    };
    server.take(&deliveries("today.example", (1..240).flat_map(placed)));

    let reply = server.json("/v1/shops/today.example/comparison?period=today");
    let until: jiff::Timestamp = text(&reply["current"], "to").parse().expect("an instant");
    let hours = u64::from(until.to_zoned(jiff::tz::TimeZone::UTC).hour().unsigned_abs());
    let orders = row(&reply, "orders");
    assert_eq!(number(&orders["current"]["value"]), 2 * hours);
    assert_eq!(number(&orders["preceding"]["value"]), hours);
    assert_eq!(text(orders, "difference"), hours.to_string());
    let change = if hours == 0 { Value::Null } else { json!("1") };
    assert_eq!(orders["change"], change);
    let week = jiff::SignedDuration::from_hours(7 * 24);
    assert_eq!(text(&reply["preceding"], "to"), (until - week).to_string());
    // Last week's day is shown to its end.
    let steps = |side: &str| orders[side]["steps"].as_array().map_or(0, Vec::len);
    assert_eq!((steps("preceding"), steps("current") as u64), (24, hours));

    let average = row(&reply, "average_order_value");
    let expected =
        if hours == 0 { (Value::Null, Value::Null) } else { (json!("20.00"), json!("10.00")) };
    assert_eq!((&average["current"]["value"], &average["difference"]), (&expected.0, &expected.1));
    // Of customers there are two, of whom one is new.
    let reply = server.json("/v1/shops/today.example/comparison?period=24h");
    let customers = row(&reply, "customers");
    assert_eq!((number(&customers["current"]["value"]), &customers["change"]), (2, &json!("1")));
    assert_eq!(
        row(&reply, "customer_lifetime_value")["current"]["denominator"],
        json!("2"),
        "{reply:#}"
    );
    // Some of them, if asked for by name.
    let some = server.json("/v1/shops/today.example/comparison?period=24h&kpi=orders,customers");
    assert_eq!((row(&some, "orders"), row(&some, "customers")), (row(&reply, "orders"), customers));
    assert_eq!(some["kpis"].as_array().map(Vec::len), Some(2));
    let unknown = "/v1/shops/today.example/comparison?kpi=orders,happiness";
    server.get(unknown).assert_problem(404);
    let problem = server.get("/v1/shops/today.example/comparison?period=all");
    problem.assert_problem(400);
    server.get("/v1/shops/nobody.example/comparison").assert_problem(404);
}

#[test]
fn each_currency_is_compared_by_itself() {
    within_an_hour();
    let (home, clock) = (Home::new(), Clock::now());
    let server = home.serve();
    let placed = [(1, "EUR", "20.00"), (26, "EUR", "10.00"), (2, "USD", "5.00")];
    let orders = placed.map(|(hours_ago, currency, price)| {
        let id = u64::try_from(hours_ago).expect("positive");
        let mut order = order(id, id, &clock.hours_ago(hours_ago), &[line(1, 1, price)]);
        order["currency"] = json!(currency);
        order
    });
    server.take(&deliveries("two.example", orders));
    let reply = server.json("/v1/shops/two.example/comparison?period=24h&kpi=net_sales,orders");
    assert_eq!(row(&reply, "orders")["change"], json!("1"));
    let found = |currency: &str| {
        let rows = reply["kpis"].as_array().expect("rows").iter();
        let mut of_it = rows.filter(|row| row["kpi"] == "net_sales" && row["currency"] == currency);
        let row = of_it.next().expect("a row");
        assert!(of_it.next().is_none(), "{reply:#}");
        let side = |side: &str| row[side]["value"].clone();
        [side("current"), side("preceding"), row["difference"].clone(), row["change"].clone()]
    };
    assert_eq!(found("EUR"), [json!("20.00"), json!("10.00"), json!("10.00"), json!("1")]);
    assert_eq!(found("USD"), [json!("5.00"), json!("0.00"), json!("5.00"), Value::Null]);
}
