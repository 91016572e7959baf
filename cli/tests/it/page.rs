//! The live page in a real Chromium: what it shows is what the API says, it keeps up by itself, and
//! everybody can use it.

use common::decimal::div_half_even;
use serde_json::{Value, json};

use crate::alarms::{SHOP, alarms, calm, serve, spoilt};
use crate::support::{
    Browser, Clock, Delivery, Home, Server, deliveries, line, order, within_an_hour,
};

/// A shop whose returns spike, beside a new one with a handful of orders in two currencies.
fn two_shops(home: &Home) -> Server {
    let (clock, mut history) = (Clock::now(), calm());
    for spoilt in spoilt(&history.clone()) {
        let at = history.iter_mut().find(|order| order.id == spoilt.id);
        at.expect("of these").returned = spoilt.returned;
    }
    let server = serve(home, clock, &history);
    let few = [("USD", 1), ("EUR", 2), ("EUR", 3)].map(|(currency, id)| {
        let mut order = order(id, id, &clock.seconds_ago(2), &[line(1, 1, "1234.50")]);
        order["currency"] = json!(currency);
        order
    });
    server.take(&deliveries(FEW, few));
    server
}

const FEW: &str = "few.example";
/// What moves on a figure that changes.
const FLASH: &str = "(() => { const value = document.querySelector('#tiles .value'); \
    value.classList.add('changed'); return getComputedStyle(value).animationName; })()";
const WIDTHS: [u32; 3] = [390, 1280, 1920];
const TILES: [(&str, Option<&str>, &str); 8] = [
    ("net_sales", None, "money"),
    ("orders", None, "count"),
    ("average_order_value", Some("placement"), "money"),
    ("customers", None, "count"),
    ("repeat_purchase_ratio", None, "ratio"),
    ("customer_lifetime_value", Some("historic"), "money"),
    ("return_ratio", Some("units_period"), "ratio"),
    ("checkout_completion_ratio", None, "ratio"),
];

/// A number times `factor`, half to even, in steps of the last of its decimals.
fn rounded(value: &str, factor: i128, decimals: u32) -> i128 {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let number: i128 = [whole, fraction].concat().parse().expect("a number");
    let digits = u32::try_from(fraction.len()).expect("few");
    div_half_even(number * factor * 10i128.pow(decimals), 10i128.pow(digits))
}

/// In steps of the last of its decimals, with groups of three digits.
fn grouped(steps: i128, decimals: usize) -> String {
    let width = decimals + 1;
    let digits = format!("{:0>width$}", steps.abs());
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let mut text = String::from(if steps < 0 { "-" } else { "" });
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if decimals > 0 {
        text.extend([".", fraction]);
    }
    text
}

fn percent(value: &str) -> String {
    format!("{}%", grouped(rounded(value, 100, 1), 1))
}

/// As the page writes a figure of dollars, orders or units.
fn written(value: &str, format: &str) -> String {
    match format {
        "money" => format!("${}", grouped(rounded(value, 1, 2), 2)),
        "ratio" => percent(value),
        _ => grouped(rounded(value, 1, 0), 0),
    }
}

fn find<'a>(reply: &'a Value, kpi: &str, basis: Option<&str>, window: &str) -> &'a Value {
    let rows = reply["kpis"].as_array().expect("KPIs").iter();
    let mut fits = rows.filter(|row| {
        row["kpi"] == kpi
            && row["basis"] == json!(basis)
            && (row["window"].is_null() || row["window"] == window)
            && (row["currency"].is_null() || row["currency"] == "USD")
    });
    fits.next().unwrap_or_else(|| panic!("no {kpi}"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value:#}"))
}

fn figure_of(kpi: &str) -> String {
    format!("#tiles [data-kpi={kpi}] .value")
}

#[test]
fn figures_are_those_of_the_api() {
    within_an_hour();
    let home = Home::new();
    let server = two_shops(&home);
    let mut browser = Browser::start();
    browser.open(&format!("{}/", server.admin), 1280, "light");
    for window in ["30d", "7d", "all"] {
        browser.check(&format!("[name=window][value='{window}']"));
        let of = |kpi: &str| if kpi == "customer_lifetime_value" { "all" } else { window };
        let reply = server.json(&format!("/v1/shops/{SHOP}/kpis?window={window},all"));
        let orders = find(&reply, "orders", None, window);
        browser.wait_for(&figure_of("orders"), &written(text(orders, "value"), "count"));
        for (kpi, basis, format) in TILES {
            let row = find(&reply, kpi, basis, of(kpi));
            let expected = match row["value"].as_str() {
                Some(value) => written(value, format),
                // No checkout was ever started.
                None => "Too few checkouts".to_owned(),
            };
            assert_eq!(browser.text(&figure_of(kpi)), expected, "{window} {row:#}");
        }
        if window == "all" {
            assert_eq!(browser.text("#tiles [data-kpi=orders] .moved"), "");
            continue;
        }
        let compared = server.json(&format!("/v1/shops/{SHOP}/comparison?period={window}"));
        changes_are_those_of_the_api(&mut browser, &compared);
        returns_are_those_of_the_api(&mut browser, &server, window);
    }
    today_is_that_of_the_api(&mut browser, &server);
    alarms_are_those_of_the_api(&mut browser, &server);
    assert_eq!(browser.problems(), json!([]));
}

fn changes_are_those_of_the_api(browser: &mut Browser, compared: &Value) {
    browser.wait("document.querySelector('#tiles [data-kpi=orders] .change') !== null");
    for (kpi, basis, format) in TILES {
        let row = find(compared, kpi, basis, "");
        let expected = match (format, row["change"].as_str(), row["difference"].as_str()) {
            _ if kpi == "checkout_completion_ratio" => "too few to compare".to_owned(),
            ("ratio", _, Some(by)) => signed(by, " points"),
            ("ratio", ..) | (_, None, _) => panic!("{row:#}"),
            (_, Some(by), _) => signed(by, "%"),
        };
        let shown = browser.text(&format!("#tiles [data-kpi={kpi}] .change"));
        let shown = shown.trim_start_matches(['▲', '▼', ' ']);
        assert_eq!(shown.split(" on ").next(), Some(&*expected), "{row:#}");
    }
}

fn signed(by: &str, unit: &str) -> String {
    let steps = rounded(by, 100, 1);
    let sign = if steps > 0 { "+" } else { "" };
    if steps == 0 { "no change".to_owned() } else { format!("{sign}{}{unit}", grouped(steps, 1)) }
}

fn returns_are_those_of_the_api(browser: &mut Browser, server: &Server, window: &str) {
    let reply = server.json(&format!("/v1/shops/{SHOP}/returns?window={window}"));
    let mut reasons = reply["reasons"].as_array().expect("reasons").clone();
    let units = |row: &Value| text(row, "returned_units").parse::<u64>().expect("a count");
    reasons.sort_by_key(|row| std::cmp::Reverse(units(row)));
    let first = format!(
        "document.querySelector('#returns tbody td')?.innerText === '{}'",
        units(&reasons[0])
    );
    browser.wait(&first);
    let shown = browser.rows("#returns");
    assert_eq!(shown.len(), reasons.len());
    for (shown, reason) in shown.iter().zip(&reasons) {
        let share = percent(text(reason, "share"));
        assert!(shown[0].ends_with(&share), "{shown:?}: {reason:#}");
        assert_eq!(shown[1], units(reason).to_string());
        assert_eq!(shown[2], percent(text(reason, "ratio")));
    }
    assert!(shown[0][0].starts_with("Defective"), "{shown:?}");
}

fn today_is_that_of_the_api(browser: &mut Browser, server: &Server) {
    let compared = server.json(&format!("/v1/shops/{SHOP}/comparison?period=today"));
    let series = |kpi: &str| {
        let reply = server.json(&format!("/v1/shops/{SHOP}/series?kpi={kpi}&step=1d"));
        let points = reply["points"].as_array().expect("points").clone();
        text(points.last().expect("today"), "value").to_owned()
    };
    browser.wait_for("#today [data-kpi=net_sales]", &written(&series("net_sales"), "money"));
    browser.wait_for("#today [data-kpi=orders]", &series("orders"));
    // The table has each hour of last week's day, and of today those that are over or under way.
    browser.evaluate("document.querySelector('#today details').open = true");
    browser.wait("document.querySelector('#today tbody tr') !== null");
    let mut rows = browser.rows("#today");
    rows.reverse();
    let sales = find(&compared, "net_sales", None, "");
    let steps = |side: &str| sales[side]["steps"].as_array().expect("steps").clone();
    assert_eq!(rows.len(), steps("preceding").len());
    for (side, column) in [("current", 1), ("preceding", 2)] {
        let mut sum = 0;
        for (row, step) in rows.iter().zip(steps(side)) {
            sum += rounded(step.as_str().expect("an amount"), 1, 2);
            assert_eq!(row[column], format!("${}", grouped(sum, 2)), "{side}: {row:?}");
        }
    }
}

fn alarms_are_those_of_the_api(browser: &mut Browser, server: &Server) {
    let reply = alarms(server, "");
    let found = reply["alarms"].as_array().expect("alarms");
    let active: Vec<&Value> = found.iter().filter(|alarm| alarm["active"] == json!(true)).collect();
    assert!(active.iter().any(|alarm| alarm["reason"] == "defective"), "{reply:#}");
    let named = browser.text("#alarm");
    let (what, which) = named.split_once(": ").expect("what spikes");
    let mut which: Vec<&str> = which.split(", ").collect();
    which.sort_unstable();
    assert_eq!((what, which), ("Returns spike", vec!["defective", "product 1"]));
    let shown = browser.text("#alarms");
    for alarm in active {
        let count = format!("{} orders", alarm["returned_orders"]);
        let expected = alarm["expected_orders"].as_f64().expect("a number");
        let expected = format!("{expected:.1} were expected").replace(".0 ", " ");
        assert!(shown.contains(&count) && shown.contains(&expected), "{shown}\n{alarm:#}");
        if alarm["product"] == "1" {
            assert!(shown.contains("Product 1\n"), "{shown}");
        }
    }
    // Of both scans of a reason, the one that exceeds more says which products stand out.
    let ratio = |alarm: &&Value| alarm["ratio"].as_f64().expect("a number");
    let defective = found.iter().filter(|one| one["reason"] == "defective");
    let strongest = defective.max_by(|a, b| ratio(a).total_cmp(&ratio(b))).expect("an alarm");
    let standout = format!("product 1 ({},", strongest["products"][0]["returned_orders"]);
    assert!(shown.contains(&standout), "{shown}\n{strongest:#}");
}

#[test]
fn it_keeps_up_by_itself_even_with_a_restart() {
    let home = Home::new();
    let server = home.serve();
    let clock = Clock::now();
    let placed = |id: u64| {
        let order = order(id, id, &clock.hours_ago(1), &[line(1, 1, "10.00")]);
        [Delivery::new(FEW, "orders/create", &order)]
    };
    let mut browser = Browser::start();
    browser.open(&format!("{}/", server.admin), 1280, "light");
    // A page without figures says what to do, and finds the first shop by itself.
    browser.wait("!document.querySelector('#empty').hidden");
    assert_eq!(browser.text("#webhook-address"), format!("{}/webhooks/shopify", server.public));
    browser.evaluate("window.opened = true");
    server.take(&placed(1));
    browser.wait_for(&figure_of("orders"), "1");
    server.take(&placed(2));
    browser.wait_for(&figure_of("orders"), "2");
    browser.wait_for("#activity li .what", "Order");
    let topic = browser.text("#activity li code");
    assert_eq!(topic, "orders/create");
    assert_eq!(browser.text("#connection"), "Live");
    assert!(browser.text("#lag").starts_with("Up to date, last event"));

    let address = server.admin.trim_start_matches("http://").to_owned();
    server.stop();
    browser.wait_for("#connection", "Reconnecting");
    let again = [("TALLYHOOK_ADMIN__LISTEN", &*address)];
    let server = home.process_with(&again, &["serve"], "again", &["public", "admin"]);
    browser.wait_for("#connection", "Live");
    server.take(&placed(3));
    browser.wait_for(&figure_of("orders"), "3");
    assert_eq!(browser.text(&figure_of("net_sales")), "$30.00");
    assert_eq!(browser.evaluate("window.opened"), json!(true), "it was not loaded anew");
}

#[test]
fn everybody_can_use_it_at_every_width() {
    let home = Home::new();
    let server = two_shops(&home);
    let mut browser = Browser::start();
    for (width, scheme) in WIDTHS.into_iter().flat_map(|width| [(width, "light"), (width, "dark")])
    {
        browser.open(&format!("{}/", server.admin), width, scheme);
        browser.wait("document.querySelector('#alarm').innerText.includes('defective')");
        browser.wait("document.querySelectorAll('#tiles .spark path').length >= 7");
        browser.wait("document.querySelectorAll('.uplot canvas').length === 3");
        // Nothing moves while it is judged: a figure that flashes has another colour.
        browser.wait("document.getAnimations().every((one) => one.playState !== 'running')");
        assert_eq!(browser.hindrances(), json!([]), "{width} {scheme}");
        let wider = browser.evaluate("document.documentElement.scrollWidth - window.innerWidth");
        assert!(wider.as_i64().is_some_and(|px| px <= 0), "{width}: {wider} px too wide");
        let spills = browser.evaluate(
            "[...document.querySelectorAll('.card, .card li, .card h3, .tile')]\
             .filter((one) => one.getBoundingClientRect().right > one.parentElement.getBoundingClientRect().right + 1)\
             .map((one) => one.outerHTML.slice(0, 80))",
        );
        assert_eq!(spills, json!([]), "{width}");
        assert_eq!(browser.problems(), json!([]), "{width} {scheme}");
        let ground = browser.evaluate("getComputedStyle(document.body).backgroundColor");
        let dark = ground.as_str().is_some_and(|ground| ground.starts_with("rgb(15"));
        assert_eq!(dark, scheme == "dark", "{ground}");
    }
    assert_eq!(browser.evaluate(FLASH), "changed");
}

#[test]
fn keys_read_the_charts_and_few_orders_are_said_to_be_few() {
    within_an_hour();
    let home = Home::new();
    let server = two_shops(&home);
    let mut browser = Browser::start();
    browser.open_still(&format!("{}/?shop={FEW}", server.admin));
    browser.wait_for(&figure_of("orders"), "3");
    // Of two currencies the one with more orders, until the reader chooses.
    assert_eq!(browser.text(&figure_of("net_sales")), "€2,469.00");
    browser.choose("#currency", "USD");
    browser.wait_for(&figure_of("net_sales"), "$1,234.50");
    // Nobody of three came back, which says nothing about a rate.
    assert_eq!(browser.text(&figure_of("repeat_purchase_ratio")), "Too few customers");
    assert_eq!(browser.text("#tiles [data-kpi=return_ratio] .value"), "Too few units");
    browser.wait_for("#tiles [data-kpi=orders] .change", "nothing before");
    assert!(browser.text("#alarms").contains("Not watched yet"), "{}", browser.text("#alarms"));

    browser.evaluate("document.querySelector('#trend .chart').focus()");
    // Unless one is chosen, the newest day that is over; today stands in the last column.
    let newest = browser.text("#trend .readout");
    browser.press("End");
    let today = browser.text("#trend .readout");
    assert!(today.contains("(part): Net sales") && !newest.contains("(part)"), "{today} {newest}");
    // An hour ago may have been yesterday.
    assert!([&newest, &today].iter().any(|day| day.contains("Net sales $1,234.50")), "{today}");
    browser.press("ArrowLeft");
    browser.press("ArrowLeft");
    let read = browser.text("#trend .readout");
    assert!(read != newest && read.contains("Net sales $0.00"), "{read}");
    browser.press("Escape");
    assert_eq!(browser.text("#trend .readout"), newest);
    browser.press("Tab");
    browser.press("Enter");
    browser.wait("document.querySelectorAll('#trend tbody tr').length > 29");
    // What a figure means opens by key and closes with Escape.
    browser.evaluate("document.querySelector('#tiles [data-kpi=net_sales] .info').focus()");
    let tip = "#tiles [data-kpi=net_sales] .tip";
    assert!(
        browser.text(tip).contains("What it does not tell you: Profit"),
        "{}",
        browser.text(tip)
    );
    let shown = format!("getComputedStyle(document.querySelector('{tip}')).display");
    assert_eq!(browser.evaluate(&shown), "block");
    browser.press("Escape");
    assert_eq!(browser.evaluate(&shown), "none");
    assert_eq!(browser.evaluate(FLASH), "none", "less motion");
}

#[test]
fn a_replay_and_a_token_are_said() {
    let home = Home::configured("listen = \"127.0.0.1:0\"\ntoken = \"open sesame\"", "");
    let mut server = home.serve();
    server.token = Some("open sesame".to_owned());
    let at = Clock::now().hours_ago(1);
    server.take(&deliveries(FEW, [order(1, 1, &at, &[line(1, 1, "10.00")])]));
    let mut browser = Browser::start();
    browser.open(&format!("{}/", server.admin), 1280, "light");
    browser.wait("!document.querySelector('#login').hidden");
    browser.wait("document.activeElement.id === 'token'");
    assert_eq!(browser.hindrances(), json!([]));
    browser.enter("open");
    browser.press("Enter");
    browser.wait_for("#login-error", "This token is not accepted.");
    browser.enter("open sesame");
    browser.press("Enter");
    browser.wait_for(&figure_of("orders"), "1");
    let cookie = &browser.cookies()[0];
    assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Strict")));

    // A replay of so little would be over at once, so its status is made up.
    let home = Home::new();
    let server = home.serve();
    let mut status = server.json("/v1/status");
    status["replaying"] = json!(true);
    status["lag_events"] = json!(12_345);
    let answers = json!({"/v1/stream**": null, "/v1/status": status});
    browser.open_with(&format!("{}/", server.admin), &answers);
    browser.wait("!document.querySelector('#replay').hidden");
    let said = browser.text("#replay");
    assert!(said.contains("Replaying") && said.contains("12,345 events to go"), "{said}");
    browser.wait_for("#lag", "12,345 events behind");

    // Nobody knows how far it is while the log does not answer, and why it stands still is said.
    status["replaying"] = json!(false);
    status["lag_events"] = Value::Null;
    status["halted"] = json!("the disk is full");
    let answers = json!({"/v1/stream**": null, "/v1/status": status});
    browser.open_with(&format!("{}/", server.admin), &answers);
    browser.wait_for("#lag", "Lag unknown");
    browser.wait_for("#halted-why", "the disk is full");
}

/// Nothing of one shop may stand under the name of another, whatever is late or fails.
#[test]
fn another_shop_begins_empty() {
    let home = Home::new();
    let server = two_shops(&home);
    let mut browser = Browser::start();
    let of_few = |resource: &str| format!("/v1/shops/{FEW}/{resource}**");
    let broken =
        json!({ of_few("series"): null, of_few("comparison"): null, of_few("returns"): null });
    browser.open_with(&format!("{}/?shop={SHOP}", server.admin), &broken);
    browser.wait("document.querySelectorAll('.uplot canvas').length === 3");
    browser.wait("document.querySelector('#returns tbody tr') !== null");
    browser.wait("document.querySelector('#tiles .change') !== null");
    browser.choose("#shop", FEW);
    browser.wait_for(&figure_of("orders"), "3");
    browser.wait("!document.querySelector('#trouble').hidden");
    let left =
        "document.querySelectorAll('.uplot, #returns tbody tr, #tiles .change, .legend li').length";
    assert_eq!(browser.evaluate(left), json!(0));
    assert_eq!(browser.text("#trend .readout"), "");
    assert_eq!(browser.text("#today [data-kpi=net_sales]"), "–");
    browser.choose("#shop", SHOP);
    browser.wait("document.querySelectorAll('.uplot canvas').length === 3");
}
