//! The state on Redis is built anew while the old one serves, put into use, and taken back.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::distributed::mixed;
use crate::support::{Home, Redis, Server, Shape, alone_with, wait_until};

/// How long processes may take to notice a change on a loaded machine.
const NOTICE: Duration = Duration::from_mins(1);

fn digest(server: &Server) -> Value {
    server.json("/v1/digest")["digest"].clone()
}

/// The generations as Redis holds them.
fn generations(redis: &Redis) -> Value {
    serde_json::from_str(&redis.command(&["get", "tallyhook:generations"])).expect("JSON")
}

fn keys(redis: &Redis, generation: &Value) -> usize {
    let name = generation.as_str().expect("a name");
    let found = redis.command(&["--scan", "--pattern", &format!("tallyhook:{name}:*")]);
    found.lines().filter(|line| !line.is_empty()).count()
}

/// Waits until a fold has everything and shows this digest.
fn settles_at(server: &Server, expected: &Value) {
    wait_until("the digest of all deliveries", NOTICE, || {
        server.json("/v1/status")["lag_events"] == 0 && digest(server) == *expected
    });
}

/// Sums a counter over all shops.
fn counted(server: &Server, name: &str) -> f64 {
    let text = server.get("/metrics").body;
    let samples = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let value = |line: &str| line.rsplit(' ').next().expect("a value").parse::<f64>();
    samples.map(|line| value(line).expect("a number")).sum()
}

#[test]
fn a_rebuild_takes_over_under_running_folds_and_is_taken_back() {
    let redis = &Redis::start();
    let shape = Shape::with(&redis.url(), "");
    let home = &shape.home;
    let ingest = shape.ingest(1);
    let folds = [shape.aggregate(1), shape.aggregate(2)];
    let deliveries = mixed();
    ingest.deliver_again(&deliveries[..150]);
    folds[0].settle();
    let first = generations(redis)["current"].clone();

    // Deliveries go on while the state is built and put into use.
    let rebuilt = std::thread::scope(|scope| {
        let rebuild = scope.spawn(|| home.json(&["rebuild", "--json"]));
        for chunk in deliveries[150..300].chunks(5) {
            ingest.deliver_again(chunk);
            std::thread::sleep(Duration::from_millis(50));
        }
        rebuild.join().expect("a digest")
    });
    assert!(rebuilt["digest"].as_str().is_some_and(|digest| digest.len() == 16), "{rebuilt}");
    ingest.deliver_again(&deliveries[300..]);
    let truth = alone_with("", &deliveries);
    for fold in &folds {
        settles_at(fold, &truth);
    }
    let known = generations(redis);
    let second = known["current"].clone();
    assert_ne!(second, first);
    assert_eq!(known["previous"], first);
    // Commits go where the pointer says, and each order was counted as new by one fold, once.
    assert!(keys(redis, &second) > 0);
    let seen: f64 = folds.iter().map(|fold| counted(fold, "tallyhook_orders_seen_total")).sum();
    assert!(seen > 0.0 && seen <= 300.0, "{seen} orders were counted as new");

    // The commands without a process to ask give the same answers.
    let read = home.json(&["digest", "--json"]);
    assert_eq!(read["digest"], truth);
    let as_of = "2024-01-01T00:00:00Z";
    let shown =
        home.json(&["kpi", "shop-1.example", "--window", "all", "--as-of", as_of, "--json"]);
    let path = format!("/v1/shops/shop-1.example/kpis?window=all&as_of={as_of}");
    assert_eq!(shown, folds[0].json(&path));
    assert_eq!(shown, folds[1].json(&path));

    // Back, and what came meanwhile is folded there too.
    home.stdout(&["rebuild", "--rollback"]);
    assert_eq!(generations(redis)["current"], first);
    for fold in &folds {
        settles_at(fold, &truth);
    }
    let dropped = home.json(&["rebuild", "--drop-previous", "--json"]);
    assert!(dropped["deleted_keys"].as_u64().is_some_and(|keys| keys > 0), "{dropped}");
    wait_until("the dropped generation to be gone", NOTICE, || keys(redis, &second) == 0);
    let none = home.run(&["rebuild", "--rollback"]);
    assert!(!none.status.success() && text(&none).contains("no generation before"), "{none:?}");

    // An emptied Redis is claimed again by those who were in use, and filled from the log.
    assert_eq!(redis.command(&["flushall"]), "OK");
    for fold in &folds {
        settles_at(fold, &truth);
    }
    wait_until("the generation to be claimed again", NOTICE, || {
        redis.command(&["exists", "tallyhook:generations"]) == "1"
    });
    // Whoever claims first may not have heard of the last change yet; the others go over to it.
    let claimed = generations(redis)["current"].clone();
    assert!([&first, &second].contains(&&claimed), "{claimed}");
    wait_until("the claimed generation to be filled", NOTICE, || keys(redis, &claimed) > 0);
    for fold in &folds {
        settles_at(fold, &truth);
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Panics unless the command is refused because the state was made with another time zone.
fn refused(home: &Home, arguments: &[&str], stored: &str, wanted: &str) {
    let output = home.run(arguments);
    let errors = text(&output);
    assert_eq!(output.status.code(), Some(78), "{errors}");
    let parts = [&format!("shops = default USD {stored}"), wanted, "tallyhook rebuild"];
    assert!(parts.iter().all(|part| errors.contains(*part)), "{errors}");
}

fn warnings(server: &Server) -> String {
    let reply = server.get("/readyz");
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["warnings"].to_string()
}

#[test]
fn other_settings_fold_beside_the_state_that_serves() {
    let tokyo = "[shops.default]\ntime_zone = \"Asia/Tokyo\"\n";
    let redis = Redis::start();
    let shape = Shape::with(&redis.url(), "");
    let (old, new) = (&shape.home, shape.other_home(tokyo));
    let ingest = shape.ingest(1);
    let before = shape.aggregate(1);
    let deliveries = mixed();
    ingest.deliver_again(&deliveries[..200]);
    before.settle();
    let served = digest(&before);

    // Until the state is built, the new settings are refused, and the old state serves.
    refused(&new, &["aggregate"], "UTC", "Asia/Tokyo");
    refused(&new, &["digest"], "UTC", "Asia/Tokyo");
    let rebuilt = new.json(&["rebuild", "--json"]);
    assert_ne!(rebuilt["digest"], served, "local days differ");

    // From then on it is the other way round: the old process says so, and answers from what it has.
    refused(old, &["aggregate"], "Asia/Tokyo", "UTC");
    wait_until("the old fold to stop", NOTICE, || warnings(&before).contains("Asia/Tokyo"));
    let warned = warnings(&before);
    assert!(warned.contains("generation 2-") && warned.contains("tallyhook rebuild"), "{warned}");
    let after = new.process(&["aggregate"], "aggregate-new", &["admin"]);
    ingest.deliver_again(&deliveries[200..]);
    settles_at(&after, &alone_with(tokyo, &deliveries));
    assert_eq!(digest(&before), served);
    wait_until("the old series to be gone", NOTICE, || {
        !before.get("/metrics").body.contains("tallyhook_orders{")
    });
    wait_until("the new series", NOTICE, || {
        after.get("/metrics").body.contains("tallyhook_orders{")
    });

    // Back: the old one goes on by itself with what it has not seen.
    new.stdout(&["rebuild", "--rollback"]);
    settles_at(&before, &alone_with("", &deliveries));
    wait_until("the warning to be gone", NOTICE, || warnings(&before) == "[]");
    wait_until("the new fold to stop", NOTICE, || warnings(&after).contains("default USD UTC"));
}

#[test]
fn history_is_imported_through_kafka() {
    let redis = Redis::start();
    let shape = Shape::with(&redis.url(), "");
    let line = |number: u64| {
        format!(
            r#"{{"type":"order","shop":"r-{}.example","id":{number},"placed_at":"2024-01-01T00:50:45Z","currency":"USD","customer":{{"id":{}}},"lines":[{{"id":1,"quantity":2,"price":"10.00"}}]}}"#,
            number % 3,
            number % 40
        )
    };
    let lines: Vec<String> = (1..=500).map(line).collect();
    let import = |home: &Home, more: &[&str]| {
        let file = home.path("events.jsonl");
        std::fs::write(&file, lines.join("\n")).expect("written");
        let arguments = ["backfill", "events-jsonl", file.to_str().expect("text"), "--json"];
        let output = home.run(&[&arguments[..], more].concat());
        assert!(output.status.success(), "{output:?}");
        let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((&summary["imported"], &summary["errors"]), (&500.into(), &0.into()));
        text(&output)
    };
    let fold = shape.aggregate(1);
    import(&shape.home, &["--dry-run"]);
    fold.settle();
    assert_eq!(fold.json("/v1/shops")["shops"], Value::Array(Vec::new()));
    let notes = import(&shape.home, &[]);
    assert!(notes.contains(&format!("using Kafka at {}", shape.kafka.broker(1))), "{notes}");
    // Once more: what is there changes nothing.
    import(&shape.home, &[]);
    fold.settle();

    let key = crate::support::KEY;
    let alone = Home::with(&format!("[privacy]\npseudonym_key = \"{key}\"\n"));
    import(&alone, &[]);
    let expected = alone.json(&["digest", "--json"])["digest"].clone();
    assert_eq!(digest(&fold), expected);
    assert_eq!(shape.home.json(&["digest", "--json"])["digest"], expected);
}
