//! The commands: what they print, how they end, and what they do where they are interrupted.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Client, Delivery, Home, SECRET, wait_until};

const SHOP: &str = "a.example";

/// The exit code and what stands on stderr.
fn ended(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn check(home: &Home, arguments: &[&str], code: i32, told: &[&str]) {
    let (found, text) = ended(&home.run(arguments));
    assert_eq!(found, Some(code), "{arguments:?}: {text}");
    for told in told {
        assert!(text.contains(told), "{arguments:?}: {text}");
    }
}

/// Order lines of distinct orders, of a few customers, a minute apart.
fn lines(count: u64) -> String {
    let line = |number: u64| {
        let at = 1_700_000_000 + i64::try_from(number).expect("small") * 60;
        let at = jiff::Timestamp::from_second(at).expect("an instant");
        format!(
            "{{\"type\":\"order\",\"shop\":\"{SHOP}\",\"id\":{number},\"placed_at\":\"{at}\",\
             \"currency\":\"USD\",\"customer\":{{\"id\":{}}},\
             \"lines\":[{{\"id\":1,\"quantity\":1,\"price\":\"10.00\"}}]}}\n",
            number % 97
        )
    };
    (1..=count).map(line).collect()
}

#[test]
fn exit_codes_tell_usage_from_configuration_from_failure() {
    let home = Home::new();
    check(&home, &["no-such-command"], 2, &["no-such-command"]);
    check(&home, &["kpi", "not a shop"], 2, &["1 to 253 letters"]);
    check(&home, &["kpi", SHOP, "--window", "2d"], 2, &["24h, 7d, 30d"]);
    check(&home, &["backfill", "shopify-jsonl", "x"], 2, &["--shop"]);
    check(&home, &["digest"], 1, &["holds no log", "data.dir"]);
    check(&home, &["dead-letter", "list"], 1, &["holds no log", "data.dir"]);
    check(&home, &["dead-letter", "retry", "--all"], 1, &["holds no log", "data.dir"]);
    assert!(!home.path("data").exists(), "who only looks makes nothing");
    check(&home, &["healthcheck"], 1, &["readyz"]);
    check(&home, &["backfill", "events-jsonl", "no-such-file"], 1, &["no-such-file"]);

    let broken = Home::with("secret = \"x\"");
    check(&broken, &["digest"], 78, &["sources.shopify.secret", "line"]);
    let open = Home::configured("listen = \"0.0.0.0:0\"", "");
    check(&open, &["serve"], 78, &["admin.token", "admin.listen"]);
    check(&open, &["config", "check"], 78, &["admin.token"]);
    let unsupported = Home::with("[sources.stripe]\nsecrets = [\"x\"]");
    check(&unsupported, &["config", "check"], 78, &["sources.stripe"]);
    let none = Home::new();
    std::fs::write(none.path("tallyhook.toml"), "").expect("the configuration");
    check(&none, &["serve"], 78, &["sources"]);
}

#[test]
fn the_configuration_is_shown_without_secrets() {
    let home = Home::new();
    let printed = home.stdout(&["config", "print"]);
    assert!(printed.contains("[sources.shopify]") && printed.contains("<redacted>"), "{printed}");
    assert!(!printed.contains(SECRET), "{printed}");
    let values = home.json(&["config", "print", "--json"]);
    assert_eq!(values["log.partitions"]["value"], "32");
    assert_eq!(home.json(&["config", "check", "--json"])["ok"], true);
    assert!(home.stdout(&["completions", "bash"]).contains("dead-letter"));
}

#[test]
fn payloads_are_sent_and_refusals_told() {
    let home = Home::new();
    let server = home.serve();
    check(&home, &["healthcheck"], 0, &["is ready"]);
    let body = "{\"id\":1,\"currency\":\"USD\",\"created_at\":\"2024-01-01T00:00:00Z\",\
                \"line_items\":[{\"id\":1,\"quantity\":1,\"price\":\"10.00\"}]}";
    std::fs::write(home.path("order.json"), body).expect("a payload");
    let send = |secret: &str, url: &str| {
        let topic = ["--topic", "orders/create", "--shop", SHOP, "--json"];
        let arguments = ["send", "order.json", "--url", url, "--secret", secret];
        home.run(&[&arguments[..], &topic[..]].concat())
    };
    let answered = send(SECRET, &server.public);
    assert!(answered.status.success(), "{answered:?}");
    let answer: Value = serde_json::from_slice(&answered.stdout).expect("JSON");
    assert_eq!(answer["status"], 200);
    server.settle();
    assert_eq!(server.json("/v1/shops")["shops"][0]["orders"], 1);

    let (code, text) = ended(&send("wrong", &format!("{}/webhooks/shopify", server.public)));
    assert!(code == Some(1) && text.contains("401"), "{code:?} {text}");
    let (code, text) = ended(&send(SECRET, "http://127.0.0.1:1"));
    assert!(code == Some(1) && text.contains("no answer"), "{code:?} {text}");
}

#[test]
fn a_directory_has_one_instance() {
    let home = Home::new();
    let server = home.serve();
    let (code, text) = ended(&home.command(&["serve"]).output().expect("the binary starts"));
    assert!(code == Some(1) && text.contains("another process"), "{code:?} {text}");
    server.stop();
    assert!(!home.path("data/instance.json").exists());
}

#[test]
fn an_interrupted_import_goes_on() {
    let count = 60_000;
    let home = Home::new();
    std::fs::write(home.path("orders.jsonl"), lines(count)).expect("the file");
    let import = ["backfill", "events-jsonl", "orders.jsonl", "--json"];

    // A check leaves nothing behind.
    let checked = home.json(&[&import[..], &["--dry-run"]].concat());
    assert_eq!((&checked["lines"], &checked["errors"]), (&count.into(), &0.into()));
    assert!(!home.path("data").exists());

    let mut child = home.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child.as_mut().expect("the binary starts");
    let imports = home.path("data/imports");
    let noted = || std::fs::read_dir(&imports).is_ok_and(|mut files| files.next().is_some());
    wait_until("a checkpoint", Duration::from_secs(20), noted);
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");

    let done = home.json(&import);
    assert_eq!(done["lines"], count, "{done}");
    assert_eq!(done["imported"], count, "{done}");
    assert!(!noted(), "a finished import begins anew");
    home.assert_rebuilds();
    let ask = ["kpi", SHOP, "--window", "all", "--as-of", "2024-02-01T00:00:00Z", "--json"];
    let kpis = home.json(&ask);
    let orders = kpis["kpis"].as_array().expect("kpis").iter().find(|kpi| kpi["kpi"] == "orders");
    assert_eq!(orders.expect("orders")["value"], count.to_string());

    // Again, and through an instance: nothing changes.
    let server = home.serve();
    assert_eq!(home.json(&import)["imported"], count);
    assert_eq!(home.json(&ask), kpis);
    assert_eq!(home.json(&["digest", "--json"]), home.json(&["rebuild", "--json"]));
    server.stop();
}

#[test]
fn changed_settings_ask_for_a_rebuild() {
    let home = Home::new();
    std::fs::write(home.path("orders.jsonl"), lines(50)).expect("the file");
    home.stdout(&["backfill", "events-jsonl", "orders.jsonl"]);
    home.assert_rebuilds();
    let path = home.path("tallyhook.toml");
    let config = std::fs::read_to_string(&path).expect("the configuration");
    let zone = "[shops.default]\ntime_zone = \"Europe/Paris\"\n";
    std::fs::write(&path, format!("{config}{zone}")).expect("the configuration");
    check(&home, &["kpi", SHOP], 78, &["tallyhook rebuild", "Europe/Paris"]);
    check(&home, &["serve"], 78, &["tallyhook rebuild"]);
    home.stdout(&["rebuild"]);
    let kpis = home.json(&["kpi", SHOP, "--json"]);
    assert_eq!(kpis["time_zone"], "Europe/Paris");
    let tags = "[sources.shopify.attributes]\ntags = [\"vip\", \"b2b\"]\n";
    std::fs::write(&path, format!("{config}{zone}{tags}")).expect("the configuration");
    let told = ["tallyhook rebuild", "shopify.tags {\"b2b\", \"vip\"}"];
    check(&home, &["kpi", SHOP], 78, &told);

    std::fs::write(&path, format!("{config}[log]\npartitions = 8\n")).expect("the configuration");
    check(&home, &["serve"], 78, &["log.partitions", "32"]);
}

#[test]
fn dead_letters_are_listed_shown_and_retried() {
    let home = Home::new();
    let server = home.serve();
    let delivery =
        Delivery::raw(SHOP, "orders/create", b"{\"id\":7,\"email\":\"x@y.example\"}".to_vec());
    assert_eq!(server.try_deliver(&delivery).status, 200);
    let by_instance = home.json(&["dead-letter", "list", "--json"]);
    server.stop();
    let listed = home.json(&["dead-letter", "list", "--json"]);
    assert_eq!(listed, by_instance);
    let letter = &listed["dead_letters"][0];
    assert_eq!(letter["reason"], "incomplete");
    assert!(!listed.to_string().contains("x@y.example"), "{listed}");
    let id = letter["id"].as_str().expect("an id");
    let shown = home.stdout(&["dead-letter", "show", id]);
    assert!(shown.contains("x@y.example"), "{shown}");
    check(&home, &["dead-letter", "retry", id], 1, &["kept"]);
    check(&home, &["dead-letter", "retry", "--all"], 1, &["kept"]);
    check(&home, &["dead-letter", "show", "../../etc/passwd"], 2, &["no id"]);
    check(&home, &["dead-letter", "retry"], 2, &["<ID>"]);
}

#[test]
fn pages_of_other_sites_may_not_import() {
    let home = Home::new();
    let server = home.serve();
    let url = format!("{}/v1/import?kind=events-jsonl", server.admin);
    let client = Client::new();
    let foreign = [("origin", "https://evil.example")];
    let reply = client.post(&url, &foreign, lines(1).as_bytes()).expect("an answer");
    reply.assert_problem(400);
    let own = [("origin", server.admin.as_str())];
    let reply = client.post(&url, &own, lines(1).as_bytes()).expect("an answer");
    assert_eq!((reply.status, &reply.json()["imported"]), (200, &1.into()));
    let reply = client.post(&url, &[], b"{}\n\nno\n").expect("an answer");
    assert_eq!(reply.json()["errors"][1]["line"], 3, "{reply:?}");

    // A name of another site's that resolves to this machine.
    let port = server.admin.rsplit_once(':').expect("a port").1;
    let rebound = format!("evil.example:{port}");
    let foreign = [("host", rebound.as_str())];
    client.post(&url, &foreign, lines(1).as_bytes()).expect("an answer").assert_problem(400);
    let letters = format!("{}/v1/dead-letters", server.admin);
    client.get(&letters, &foreign).expect("an answer").assert_problem(400);
    let own = format!("localhost:{port}");
    assert_eq!(client.get(&letters, &[("host", own.as_str())]).expect("an answer").status, 200);
}

#[test]
fn a_missing_file_is_told_once() {
    let home = Home::new();
    for arguments in [&["--config", "nofile.toml", "digest"][..], &["send", "nofile.json"]] {
        let more = ["--url", "http://x", "--secret", "x", "--topic", "x", "--shop", SHOP];
        let more = if arguments[0] == "send" { &more[..] } else { &[] };
        let mut command = Command::new(env!("CARGO_BIN_EXE_tallyhook"));
        let command = command.current_dir(home.path("")).args(arguments).args(more);
        let (_, text) = ended(&command.output().expect("the binary starts"));
        assert_eq!(text.matches("No such file").count(), 1, "{text}");
    }
}

#[test]
fn the_longest_lines_go_through_an_instance() {
    let home = Home::new();
    let server = home.serve();
    let order = |id: u8, bytes: usize| {
        let order = format!(
            "{{\"id\":{id},\"currency\":\"USD\",\"created_at\":\"2024-01-01T00:00:00Z\",\
             \"line_items\":[{{\"id\":1,\"quantity\":1,\"price\":\"10.00\"}}],\"note\":\""
        );
        let filler = "x".repeat(bytes - order.len() - 2);
        format!("{order}{filler}\"}}\n")
    };
    // A chunk that is not full by a byte, and the longest line behind.
    let text = order(1, (1 << 20) - 2) + &order(2, 8 << 20);
    std::fs::write(home.path("orders.jsonl"), text).expect("the file");
    let done = home.json(&["backfill", "shopify-jsonl", "orders.jsonl", "--shop", SHOP, "--json"]);
    assert_eq!((&done["imported"], &done["errors"]), (&2.into(), &0.into()));
    server.stop();
}

#[test]
fn the_demo_shows_a_shop_and_leaves_nothing() {
    let home = Home::new();
    let temporary = home.path("tmp");
    std::fs::create_dir(&temporary).expect("a directory");
    let mut command = home.command(&["demo"]);
    let command = command.env("TMPDIR", &temporary).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut demo = Demo(command.spawn().expect("the binary starts"));
    let lines = BufReader::new(demo.0.stdout.take().expect("a pipe")).lines();
    let mut lines = lines.map_while(Result::ok);
    let admin = lines.find_map(|line| line.strip_prefix("admin ").map(ToOwned::to_owned));
    let (admin, client) = (admin.expect("an address"), Client::new());
    let get = |path: &str| client.get(&format!("{admin}{path}"), &[]).expect("an answer");
    wait_until("two years", Duration::from_mins(3), || {
        get("/v1/shops").json()["shops"][0]["orders"].as_u64().is_some_and(|orders| orders > 39_000)
    });
    wait_until("the spoilt batch to be found", Duration::from_mins(1), || {
        let reply = get("/v1/shops/tallyhook-demo.myshopify.com/alarms").json();
        let alarms = reply["alarms"].as_array().cloned().unwrap_or_default();
        let is_found = |reason: &str| {
            alarms
                .iter()
                .any(|alarm| alarm["reason"] == reason && alarm["active"] == Value::Bool(true))
        };
        is_found("all") && is_found("defective") && !is_found("unwanted")
    });
    wait_until("live traffic", Duration::from_secs(30), || {
        get("/metrics").body.contains("outcome=\"accepted\"")
    });
    let interrupt = format!("kill -INT {}", demo.0.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().is_ok_and(|sent| sent.success()));
    wait_until("the end", Duration::from_secs(10), || {
        demo.0.try_wait().expect("a child of ours").is_some_and(|status| status.success())
    });
    let left = std::fs::read_dir(&temporary).expect("a directory").count();
    assert_eq!(left, 0, "the demo's data is still there");
}

/// A running demo, killed when it is dropped.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
