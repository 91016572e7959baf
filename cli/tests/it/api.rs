//! The admin listener: errors as problem details, windows, series, customers, the stream and
//! the token.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Client, Clock, Delivery, Home, Server, deliveries, heard, hex, line, mac, order, wait_until,
};

pub const SHOP: &str = "a.example";
const PSEUDONYM_KEY: &str = "a key of thirty-two bytes or more";

/// A shop with an order on each of the last days of June.
pub fn orders() -> Vec<Delivery> {
    let clock = Clock::fixed();
    let placed = |day: u64| {
        let at = clock.hours_ago(24 * i64::try_from(day).expect("small") - 12);
        order(day, 70 + day % 3, &at, &[line(day, 1, "10.00")])
    };
    deliveries(SHOP, (1..=9).map(placed))
}

pub fn serve(home: &Home) -> Server {
    let server = home.serve();
    server.take(&orders());
    server
}

#[test]
fn mistakes_are_named() {
    let home = Home::new();
    let server = serve(&home);
    let check = |path: &str, status: u16| server.get(path).assert_problem(status);
    let shop = format!("/v1/shops/{SHOP}");
    check("/v1/shops/nobody.example/kpis", 404);
    check("/v1/shops/nobody.example/kpis?as_of=2025-07-01T00:00:00Z", 404);
    check("/v1/shops/nobody.example/returns", 404);
    check("/v1/shops/nobody.example/series?kpi=orders", 404);
    check("/v1/nothing", 404);
    check("/nothing", 404);
    check(&format!("{shop}/series?kpi=happiness"), 404);
    check(&format!("{shop}/kpis?window=31d"), 400);
    check(&format!("{shop}/kpis?window=7d,soon"), 400);
    check(&format!("{shop}/kpis?as_of=yesterday"), 400);
    check(&format!("{shop}/kpis?as_of=2025-07-01"), 400);
    let tomorrow = Clock::now().days_ago(-1);
    check(&format!("{shop}/kpis?as_of={tomorrow}"), 400);
    check(&format!("{shop}/returns?window=1y"), 400);
    check(&format!("{shop}/series?kpi=orders&step=1y"), 400);
    check(&format!("{shop}/series?kpi=orders&from=yesterday"), 400);
    check(&format!("{shop}/customers/0123456789abcdef0123456789abcdef"), 404);
    // What cannot be read at all is named in the same way.
    check(&format!("{shop}/kpis?window=7d&window=30d"), 400);
    let client = Client::new();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for headers in [&form[..], &[]] {
        let login = client.post(&format!("{}/login", server.admin), headers, b"pass=word");
        login.expect("an answer").assert_problem(400);
    }
    // Whoever only looks whether it is there gets the head of the answer.
    for path in ["/", "/livez", "/readyz", "/metrics", "/v1/shops"] {
        let reply = client.head(&format!("{}{path}", server.admin)).expect("an answer");
        assert_eq!(reply.status, 200, "{path}");
    }
}

#[test]
fn windows_and_instants() {
    let home = Home::new();
    let server = serve(&home);
    // An offset of time is as good as UTC.
    let reply = server
        .json(&format!("/v1/shops/{SHOP}/kpis?window=24h,7d&as_of=2025-07-01T02:00:00%2B02:00"));
    assert_eq!((&reply["shop"], &reply["time_zone"]), (&json!(SHOP), &json!("UTC")));
    assert_eq!(reply["as_of"], "2025-07-01T00:00:00Z");
    let rows = reply["kpis"].as_array().expect("KPIs");
    let windows: Vec<&str> = rows.iter().filter_map(|row| row["window"].as_str()).collect();
    assert!(windows.contains(&"24h") && windows.contains(&"7d"));
    assert!(windows.iter().all(|window| ["24h", "7d"].contains(window)), "{windows:?}");
    let orders = rows.iter().find(|row| row["kpi"] == "orders" && row["window"] == "7d");
    let orders = orders.expect("orders");
    assert_eq!(orders["value"], "7");
    assert_eq!(orders["from"], "2025-06-24T00:00:00Z");
    assert_eq!(orders["to"], "2025-07-01T00:00:00Z");
    assert_eq!(orders["unit"], "orders");
    // 30 days unless asked otherwise, and live unless asked otherwise.
    let reply = server.json(&format!("/v1/shops/{SHOP}/kpis"));
    assert_eq!(reply["as_of"], Value::Null);
    assert!(
        reply["kpis"].as_array().is_some_and(|rows| {
            !rows.is_empty() && rows.iter().all(|row| row["window"] == "30d")
        })
    );
    // Every figure of the catalogue is there for an empty window.
    let empty = server.kpis(SHOP, Some("2020-01-01T00:00:00Z"));
    empty.check(
        "24h",
        &[
            ("orders", "0"),
            ("gross_sales USD", "0.00"),
            ("average_order_value placement", "null = 0.00/0"),
            ("repeat_purchase_ratio", "null = 0/0"),
            ("purchase_frequency", "null = 0/0"),
            ("returned_units all", "0"),
            ("return_reason_ratio all", "null = 0/0"),
            ("checkout_completion_ratio", "null = 0/0"),
        ],
    );
    empty.check("all", &[("customer_lifetime_value historic", "null = 0.00/0")]);
    assert_eq!(empty.row("all", "customer_lifespan observed")["value"], Value::Null);
}

#[test]
fn shops_series_and_customers() {
    let home = Home::with(&format!("[privacy]\npseudonym_key = \"{PSEUDONYM_KEY}\""));
    let server = serve(&home);
    let shops = server.json("/v1/shops");
    let shop = &shops["shops"][0];
    assert_eq!(shops["shops"].as_array().map(Vec::len), Some(1));
    assert_eq!((&shop["shop"], &shop["orders"]), (&json!(SHOP), &json!(9)));
    assert_eq!((&shop["customers"], &shop["currencies"]), (&json!(3), &json!(["USD"])));
    assert_eq!(
        (&shop["time_zone"], &shop["last_event_at"]),
        (&json!("UTC"), &json!("2025-06-30T12:00:00Z"))
    );

    let series = server.json(&format!(
        "/v1/shops/{SHOP}/series?kpi=average_order_value&basis=placement&step=1d\
         &from=2025-06-20T00:00:00Z&to=2025-06-30T23:00:00Z"
    ));
    assert_eq!((&series["kpi"], &series["step"]), (&json!("average_order_value"), &json!("1d")));
    let points = series["points"].as_array().expect("points");
    assert_eq!(points.len(), 11);
    assert_eq!(points[0]["value"], Value::Null);
    let last = &points[10];
    assert_eq!(
        (&last["from"], &last["to"]),
        (&json!("2025-06-30T00:00:00Z"), &json!("2025-07-01T00:00:00Z"))
    );
    assert_eq!(
        (&last["value"], &last["numerator"], &last["denominator"]),
        (&json!("10.00"), &json!("10.00"), &json!("1"))
    );

    let customer = server.json(&format!("/v1/shops/{SHOP}/customers?platform_id=71"));
    assert_eq!((&customer["orders"], &customer["historic"]), (&json!(3), &json!("30.00")));
    assert_eq!(customer["first_order_at"], "2025-06-24T12:00:00Z");
    assert_eq!(customer["last_order_at"], "2025-06-30T12:00:00Z");
    let key = customer["key"].as_str().expect("a key");
    // As the contract names it: whoever has the key can work it out.
    let message = format!("{SHOP}\0id:71");
    assert_eq!(hex(&mac(PSEUDONYM_KEY, message.as_bytes()))[..32], *key);
    assert_eq!(server.json(&format!("/v1/shops/{SHOP}/customers/{key}")), customer);
}

#[test]
fn health_and_description() {
    let home = Home::new();
    let server = home.serve();
    assert_eq!(server.get("/livez").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    let status = server.json("/v1/status");
    assert_eq!((&status["mode"], &status["partitions"]), (&json!("embedded"), &json!(32)));
    assert_eq!((&status["lag_events"], &status["replaying"]), (&json!(0), &json!(false)));
    assert!(status["version"].is_string() && status["fold_version"].is_u64(), "{status}");
    let description = server.json("/v1/openapi.json");
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    let paths = description["paths"].as_object().expect("paths");
    for path in [
        "/",
        "/login",
        "/metrics",
        "/livez",
        "/readyz",
        "/v1/openapi.json",
        "/v1/status",
        "/v1/digest",
        "/v1/shops",
        "/v1/shops/{shop}/kpis",
        "/v1/shops/{shop}/series",
        "/v1/shops/{shop}/returns",
        "/v1/shops/{shop}/customers",
        "/v1/shops/{shop}/customers/{key}",
        "/v1/stream",
    ] {
        assert!(paths.contains_key(path), "{path} is not described");
    }
}

#[test]
fn the_token_guards_what_is_worth_it() {
    let home = Home::configured("listen = \"127.0.0.1:0\"\ntoken = \"open sesame\"", "");
    let mut server = home.serve();
    let guarded = [
        "/metrics",
        "/v1/status",
        "/v1/digest",
        "/v1/shops",
        "/v1/stream",
        "/v1/openapi.json",
        "/v1/shops/a.example/kpis",
        "/v1/log/dump",
    ];
    for path in guarded {
        server.get(path).assert_problem(401);
    }
    // Health needs none, and the page asks for it itself.
    for path in ["/livez", "/readyz", "/"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    for wrong in ["open", "open sesame!", "Open sesame"] {
        server.token = Some(wrong.to_owned());
        server.get("/v1/shops").assert_problem(401);
    }

    let bearer = [("authorization", "bearer open sesame")];
    let reply = Client::new().get(&format!("{}/v1/status", server.admin), &bearer);
    assert_eq!(reply.expect("an answer").status, 200, "schemes know no case");

    // The page's login: the right token buys a cookie that scripts cannot read.
    let client = Client::new();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let login = |body: &[u8]| client.post(&format!("{}/login", server.admin), &form, body);
    login(b"token=open").expect("an answer").assert_problem(401);
    let reply = login(b"token=open+sesame").expect("an answer");
    assert!((200..400).contains(&reply.status), "{reply:?}");
    let cookie = reply.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a pair");
    let with_cookie = client.get(&format!("{}/v1/shops", server.admin), &[("cookie", cookie)]);
    assert_eq!(with_cookie.expect("an answer").status, 200);

    server.token = Some("open sesame".to_owned());
    server.take(&orders());
    assert_eq!(server.json("/v1/shops")["shops"][0]["orders"], 9);
    assert_eq!(server.get("/metrics").status, 200);
    // The commands find the instance and its token in the same configuration.
    assert_eq!(home.events().len(), 9);
}

#[test]
fn the_stream_tells_what_changes() {
    let home = Home::new();
    let server = home.serve();
    let mut stream = Client::new().open(&format!("{}/v1/stream", server.admin));
    server.deliver(&orders()[..1]);
    let delivery = heard(&mut stream, "delivery");
    assert_eq!(heard(&mut stream, "kpis")["shop"], SHOP);
    assert_eq!((&delivery["shop"], &delivery["kind"]), (&json!(SHOP), &json!("order")));
    assert_eq!(
        (&delivery["effect"], &delivery["at"]),
        (&json!("changed"), &json!("2025-06-30T12:00:00Z"))
    );
    // No ids of orders, customers or deliveries.
    let fields: Vec<&String> = delivery.as_object().expect("an object").keys().collect();
    let known = |field: &&String| ["shop", "topic", "kind", "effect", "at"].contains(&&***field);
    assert!(fields.iter().all(known), "{fields:?}");
    let status = heard(&mut stream, "status");
    assert!(status["lag_events"].is_u64() && status["public_url"] == server.public, "{status}");
}

/// Whoever opens streams without end leaves the rest of the API alone.
#[test]
fn so_many_listen_and_no_more() {
    let home = Home::new();
    let server = home.serve();
    let url = format!("{}/v1/stream", server.admin);
    let mut listeners: Vec<_> = (0..500).map(|_| Client::new().open(&url)).collect();
    let refused = server.get("/v1/stream");
    refused.assert_problem(503);
    assert!(refused.body.contains("too many listen already"), "{refused:?}");
    assert_eq!(server.json("/v1/status")["mode"], "embedded");
    server.deliver(&orders()[..1]);
    for listener in &mut listeners {
        assert_eq!(heard(listener, "kpis")["shop"], SHOP);
    }
    // Whoever left makes room, once the second piece has not reached him.
    drop(listeners);
    for order in &orders()[1..4] {
        server.deliver(std::slice::from_ref(order));
        std::thread::sleep(Duration::from_millis(500));
    }
    let agent = ureq::agent();
    wait_until("room", Duration::from_secs(45), || agent.get(&url).call().is_ok());
}

/// A clock that is years ahead somewhere must not make a shop look alive for ever.
#[test]
fn nothing_happened_later_than_it_was_heard_of() {
    let home = Home::new();
    let server = home.serve();
    let mut ahead = order(1, 70, "2062-01-01T00:00:00Z", &[line(1, 1, "10.00")]);
    ahead["updated_at"] = json!("2062-01-01T00:00:00Z");
    let before = jiff::Timestamp::now();
    server.take(&deliveries(SHOP, [ahead]));
    let shops = server.json("/v1/shops");
    let last = shops["shops"][0]["last_event_at"].as_str().expect("an instant");
    let last: jiff::Timestamp = last.parse().expect("an instant");
    assert!(last <= jiff::Timestamp::now() && last.as_second() >= before.as_second(), "{last}");
    for name in ["shop_last_event_timestamp_seconds", "last_event_timestamp_seconds"] {
        let body = server.get("/metrics").body;
        let line = body.lines().find(|line| line.starts_with(&format!("tallyhook_{name}")));
        let shown: f64 = line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).expect(name);
        assert!(shown < jiff::Timestamp::now().as_second() as f64 + 1.0, "{name} {shown}");
    }
}
