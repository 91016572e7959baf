//! From a bad return to somebody who is told: real webhooks, a real Prometheus and Alertmanager with the
//! rules that we deploy, and back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::alarms::{Placed, SHOP, alarms, calm, serve, spoilt};
use crate::support::{Clock, Delivery, Home, Monitoring, line, order};

/// How long an alert may take to arrive on a loaded machine.
const LONG: Duration = Duration::from_mins(2);

/// The order's webhook once its return stands as `status`.
fn webhook(clock: Clock, placed: &Placed, status: &str, updated_at: &str) -> Delivery {
    let (hours_ago, reason) = placed.returned.expect("a return");
    let id = u64::try_from(placed.id).expect("an id");
    let at = clock.hours_ago(placed.hours_ago);
    let mut body = order(id, 0, &at, &[line(1, 2, "20.00")]);
    body["updated_at"] = json!(updated_at);
    body["returns"] = json!([{
        "id": placed.id, "status": status, "closed_at": clock.hours_ago(hours_ago),
        "return_line_items": [{"id": 70, "line_item_id": 1, "quantity": 2, "return_reason": reason}],
    }]);
    Delivery::new(SHOP, "orders/updated", &body)
}

/// Seconds from the epoch of an instant of the API.
fn seconds(text: &Value) -> i64 {
    let at: jiff::Timestamp = text.as_str().expect("an instant").parse().expect("an instant");
    at.as_second()
}

#[test]
fn a_spike_reaches_whoever_is_to_be_told_and_so_does_its_end() {
    let (home, clock, calm) = (Home::new(), Clock::now(), calm());
    let bad = spoilt(&calm);
    let server = serve(&home, clock, &calm);
    let monitoring = Monitoring::start(&server.admin);
    // Alerts arrive at all, and nothing is wrong with the shop.
    let watchdog = monitoring.wait_for("firing", &[("alertname", "TallyhookWatchdog")], LONG);
    assert_eq!(watchdog.path, "/dead-mans-switch");
    assert_eq!(monitoring.query("tallyhook:history_moves:bool")[0]["value"][1], "0");
    let score = monitoring.query("max(tallyhook_return_spike_score)");
    assert!(score[0]["value"][1].as_str().expect("a number").parse::<f64>().expect("one") < 9.0);

    let begun = Instant::now();
    for placed in &bad {
        let back = clock.hours_ago(placed.returned.expect("a return").0);
        server.deliver(&[webhook(clock, placed, "closed", &back)]);
    }
    let labels = [("alertname", "TallyhookReturnSpike"), ("shop", SHOP), ("reason", "all")];
    let told = monitoring.wait_for("firing", &labels, LONG);
    assert_eq!(told.path, "/merchants");
    assert_eq!(told.alert["labels"]["severity"], "critical");
    // The figures of the alarm stand in it.
    let reply = alarms(&server, "");
    let rows = reply["alarms"].as_array().expect("alarms");
    let all: Vec<&Value> =
        rows.iter().filter(|row| row["reason"] == "all" && row["active"] == json!(true)).collect();
    let text = told.alert["annotations"]["description"].as_str().expect("a text");
    let says = |row: &&&Value| {
        let expected = row["expected_orders"].as_f64().expect("a number");
        let returned = &row["returned_orders"];
        text.starts_with(&format!("{returned} orders came back where {expected:.1} were expected"))
    };
    let alarm = all.iter().find(says).unwrap_or_else(|| panic!("{text}: {reply:#}"));
    let first = clock.hours_ago(bad[0].returned.expect("a return").0);
    let hours = (seconds(&alarm["raised_at"]) - seconds(&json!(first))) / 3_600;
    let took = told.at - begun;
    println!("{text}");
    println!(
        "raised {hours} h after the first bad return; told {took:?} after {} webhooks",
        bad.len()
    );
    assert!((1..72).contains(&hours), "{hours} h");
    // Of one spike, nobody is told by reason as well.
    let by_reason = |alert: &Value| {
        alert["labels"]["alertname"] == "TallyhookReturnSpike" && alert["labels"]["reason"] != "all"
    };
    assert!(!monitoring.notices().iter().any(|notice| by_reason(&notice.alert)));
    let firing =
        "ALERTS{alertname=\"TallyhookReturnSpike\", alertstate=\"firing\", reason=\"defective\"}";
    assert_eq!(monitoring.query(firing).len(), 1, "Prometheus knows of it all the same");

    // The returns turn out to be none: they are cancelled, and there is no spike any more.
    let cancelled: Vec<Delivery> =
        bad.iter().map(|placed| webhook(clock, placed, "canceled", &clock.end())).collect();
    server.take(&cancelled);
    let ended = Instant::now();
    let over = monitoring.wait_for("resolved", &labels, LONG);
    assert_eq!(over.path, "/merchants");
    println!("told of its end {:?} after it", over.at - ended);
    let rows = alarms(&server, "")["alarms"].clone();
    let rows = rows.as_array().expect("alarms");
    assert!(rows.iter().all(|row| row["active"] == json!(false)), "{rows:#?}");
}
