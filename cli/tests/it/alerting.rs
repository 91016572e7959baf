//! From a bad return to somebody who is told: real webhooks, a real Prometheus and Alertmanager with the
//! rules that we deploy, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::alarms::{Placed, SHOP, alarms, calm, serve, spoilt};
use crate::boards::every_panel_has_data;
use crate::support::{Client, Clock, Delivery, Home, Monitoring, Server, line, order, wait_until};

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

/// What the boards show beside orders and returns: a refund with money, a checkout, a dead letter and a
/// webhook whose signature is wrong.
fn something_of_everything(server: &Server, clock: Clock, calm: &[Placed]) {
    let kept = calm.iter().rev().find(|order| order.returned.is_none()).expect("an order");
    let at = clock.hours_ago(1);
    let placed_at = clock.hours_ago(kept.hours_ago);
    let id = u64::try_from(kept.id).expect("an id");
    let mut refunded = order(id, id % 997, &placed_at, &[line(1, 2, "20.00")]);
    refunded["updated_at"] = json!(at);
    refunded["refunds"] = json!([{
        "id": 9, "created_at": at, "refund_line_items": [],
        "transactions": [{"kind": "refund", "status": "success", "amount": "5.00", "currency": "USD"}],
    }]);
    let checkout = json!({
        "token": "t", "created_at": clock.hours_ago(2), "updated_at": at, "completed_at": at,
    });
    let told = clock.end();
    server.take(&[
        Delivery::new(SHOP, "orders/updated", &refunded).at(&told),
        Delivery::new(SHOP, "checkouts/create", &checkout).at(&told),
        Delivery::new(SHOP, "orders/create", &json!({"id": 5})).at(&told),
    ]);
    let url = format!("{}/webhooks/shopify", server.public);
    let forged = [
        ("x-shopify-topic", "orders/create"),
        ("x-shopify-shop-domain", SHOP),
        ("x-shopify-hmac-sha256", "Zm9yZ2Vk"),
    ];
    let reply = Client::new().post(&url, &forged, b"{}").expect("an answer");
    assert_eq!(reply.status, 401, "{reply:?}");
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
    // The watchdog needs no scrape, the others do.
    let shown = |query: &str| {
        wait_until(query, LONG, || !monitoring.query(query).is_empty());
        monitoring.query(query)
    };
    let score = shown("max(tallyhook_return_spike_score)");
    assert_eq!(shown("tallyhook:history_moves:bool")[0]["value"][1], "0");
    assert!(score[0]["value"][1].as_str().expect("a number").parse::<f64>().expect("one") < 9.0);

    something_of_everything(&server, clock, &calm);

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
    let all: Vec<&Value> = all.into_iter().filter(|row| row["product"].is_null()).collect();
    let text = told.alert["annotations"]["description"].as_str().expect("a text");
    let figure = |place: usize| -> f64 {
        text.split(' ').nth(place).and_then(|word| word.parse().ok()).expect("a figure")
    };
    // It is told as soon as it is an alarm, and the rest of the returns come after.
    let (returned, expected) = (figure(0), figure(5));
    let last = |row: &&&Value| row["returned_orders"].as_f64() >= Some(returned);
    let alarm = all.iter().find(last).unwrap_or_else(|| panic!("{text}: {reply:#}"));
    assert!(text.contains(" orders came back where ") && returned >= 10.0, "{text}");
    assert!(returned > 1.2 * expected && expected > 0.0, "{text}");
    let first = clock.hours_ago(bad[0].returned.expect("a return").0);
    let hours = (seconds(&alarm["raised_at"]) - seconds(&json!(first))) / 3_600;
    let took = told.at - begun;
    println!("{text}");
    println!(
        "raised {hours} h after the first bad return; told {took:?} after {} webhooks",
        bad.len()
    );
    assert!((30..48).contains(&hours), "{hours} h");
    // Of one spike, nobody is told by reason as well.
    let by_reason = |alert: &Value| {
        alert["labels"]["alertname"] == "TallyhookReturnSpike" && alert["labels"]["reason"] != "all"
    };
    assert!(!monitoring.notices().iter().any(|notice| by_reason(&notice.alert)));
    let firing =
        "ALERTS{alertname=\"TallyhookReturnSpike\", alertstate=\"firing\", reason=\"defective\"}";
    wait_until("Prometheus to know of it", LONG, || monitoring.query(firing).len() == 1);

    something_of_everything(&server, clock, &calm);
    every_panel_has_data(&monitoring, SHOP);

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

/// What is told of beside a worse alert: nothing of these, each by one rule.
#[test]
fn what_another_alert_explains_keeps_quiet() {
    let nowhere = "http://127.0.0.1:9";
    let monitoring = Monitoring::start(nowhere);
    let clock = Clock::now();
    let (later, past) = (clock.hours_ago(-1), clock.hours_ago(1));
    let of_shop = |name: &str, reason: &str, shop: &str| json!({"alertname": name, "scope": "shop", "reason": reason, "shop": shop});
    let of_pipeline = |name: &str, instance: &str| json!({"alertname": name, "scope": "pipeline", "instance": instance});
    let by_reason = of_shop("TallyhookReturnSpike", "fit", "a");
    let product = of_shop("TallyhookProductReturnSpike", "", "e");
    let refunds = of_shop("TallyhookRefundSurge", "", "b");
    let silent = of_shop("TallyhookShopSilent", "", "c");
    let growing = of_pipeline("TallyhookSpoolGrowing", "i");
    let others =
        [of_shop("TallyhookReturnSpike", "fit", "d"), of_pipeline("TallyhookSpoolGrowing", "j")];
    for quiet in [&by_reason, &product, &refunds, &silent, &growing, &others[0], &others[1]] {
        monitoring.post(quiet, &later);
    }
    let causes = [
        (of_shop("TallyhookReturnSpike", "all", "a"), vec![&by_reason]),
        (of_shop("TallyhookReturnSpike", "fit", "e"), vec![&product]),
        (of_shop("TallyhookReturnSpike", "all", "b"), vec![&refunds]),
        (of_shop("TallyhookReturnedUnitsSurge", "", "b"), vec![&refunds]),
        (of_pipeline("TallyhookConsumerLag", "x"), vec![&silent]),
        (of_pipeline("TallyhookCommitFailures", "x"), vec![&silent]),
        (of_pipeline("TallyhookFoldHalted", "x"), vec![&silent]),
        (of_pipeline("TallyhookStateUnreadable", "x"), vec![&silent]),
        (of_pipeline("TallyhookTargetDown", "x"), vec![&silent]),
        (of_pipeline("TallyhookNoAggregator", "x"), vec![&silent]),
        (of_pipeline("TallyhookSpoolOld", "i"), vec![&silent, &growing]),
    ];
    for (cause, explained) in causes {
        let expected: BTreeSet<String> = explained.iter().map(|one| without_empty(one)).collect();
        monitoring.post(&cause, &later);
        wait_until(&format!("{cause} to explain {expected:?}"), LONG, || {
            let found = monitoring.inhibited();
            found.iter().map(without_empty).collect::<BTreeSet<_>>() == expected
        });
        monitoring.post(&cause, &past);
        wait_until(&format!("{cause} to end"), LONG, || monitoring.inhibited().is_empty());
    }
}

/// The labels as Alertmanager has them: it knows no empty ones.
fn without_empty(labels: &Value) -> String {
    let labels = labels.as_object().expect("labels").iter();
    let kept: BTreeMap<_, _> = labels.filter(|(_, value)| **value != "").collect();
    json!(kept).to_string()
}
