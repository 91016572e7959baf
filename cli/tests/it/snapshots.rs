//! Snapshots of both shapes: made while the state is in use, checked, and brought back, with what came
//! later folded from the log.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::distributed::mixed;
use crate::support::{Home, KEY, Kafka, Redis, Server, Shape, alone_with, wait_until};

/// How long a state may take to be whole again on a loaded machine.
const WHOLE: Duration = Duration::from_mins(1);

fn names(home: &Home) -> Vec<String> {
    let listed = home.json(&["snapshot", "list", "--json"]);
    let name = |one: &Value| one["name"].as_str().expect("a name").to_owned();
    listed["snapshots"].as_array().expect("a list").iter().map(name).collect()
}

/// The error of a command that fails.
fn error(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments);
    assert!(!output.status.success(), "{arguments:?} should fail");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file of a partition in a snapshot.
fn a_file(snapshot: &Path) -> PathBuf {
    let files = std::fs::read_dir(snapshot).expect("a directory");
    let mut paths = files.map(|file| file.expect("a file").path());
    paths.find(|path| path.extension().is_some_and(|end| end == "snapshot")).expect("one")
}

#[test]
fn an_embedded_state_comes_back_and_takes_the_tail_along() {
    let home = Home::with("[snapshots]\ndir = \"snapshots\"\nkeep = 2\n");
    let server = home.serve();
    let deliveries = mixed();
    server.take(&deliveries[..200]);
    let at_half = server.json("/v1/digest")["digest"].clone();
    for _ in 0..3 {
        let made = home.json(&["snapshot", "create", "--json"]);
        assert_eq!(made["digest"], at_half);
    }
    assert_eq!(names(&home).len(), 2, "old ones go");
    let running = error(&home, &["snapshot", "restore"]);
    assert!(running.contains("stop it"), "{running}");
    server.take(&deliveries[200..]);
    let all = server.json("/v1/digest")["digest"].clone();
    server.stop();

    let newest = names(&home)[0].clone();
    let verified = home.json(&["snapshot", "verify", "--json"]);
    assert_eq!((&verified["name"], &verified["digest"]), (&json!(newest), &at_half));
    assert_eq!(home.json(&["snapshot", "restore", "--json"])["digest"], at_half);
    let server = home.serve();
    server.settle();
    assert_eq!(server.json("/v1/digest")["digest"], all);
    server.stop();
    assert_eq!(home.assert_rebuilds(), all);

    // What was tampered with is named, and nothing is replaced by it.
    let directory = home.path("snapshots").join(&newest);
    let file = a_file(&directory);
    let sound = std::fs::read(&file).expect("a file");
    let mut bytes = sound.clone();
    *bytes.last_mut().expect("bytes") ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let name = file.file_name().expect("a name").to_string_lossy().into_owned();
    for command in ["verify", "restore"] {
        let damaged = error(&home, &["snapshot", command]);
        assert!(damaged.contains(&name) && damaged.contains("damaged"), "{damaged}");
    }
    std::fs::remove_file(&file).expect("gone");
    assert!(error(&home, &["snapshot", "verify", &newest]).contains(&name));
    std::fs::write(&file, sound).expect("written");
    home.stdout(&["snapshot", "verify", &newest]);
    assert!(error(&home, &["snapshot", "verify", "other"]).contains("no snapshot other"));

    let dir = home.path("snapshots");
    let other = Home::with(&format!(
        "[privacy]\npseudonym_key = \"{KEY}\"\n[snapshots]\ndir = \"{}\"\n",
        dir.display()
    ));
    let key = error(&other, &["snapshot", "verify"]);
    assert!(key.contains("another pseudonym key") && key.contains("fingerprint"), "{key}");
    assert_eq!(home.json(&["digest", "--json"])["digest"], all);
}

/// Deletes the records before these positions, as a short retention would.
fn delete_before(kafka: &Kafka, home: &Home, partitions: &Value) {
    let offsets: Vec<Value> = partitions
        .as_array()
        .expect("partitions")
        .iter()
        .map(|part| {
            json!({
                "topic": "tallyhook.events.v1", "partition": part["partition"],
                "offset": part["position"],
            })
        })
        .collect();
    let file = home.path("offsets.json");
    let text = json!({ "partitions": offsets, "version": 1 }).to_string();
    std::fs::write(&file, text).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/dev/kafka.sh");
    let mut command = Command::new("bash");
    command.arg(script).args(["tool", "org.apache.kafka.tools.DeleteRecordsCommand"]);
    command.args(["--bootstrap-server", &kafka.broker(1), "--offset-json-file"]).arg(&file);
    let output = command.output().expect("bash runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("low_watermark"), "{output:?}");
}

fn whole(server: &Server, digest: &Value) {
    wait_until("the state to be whole", WHOLE, || {
        server.json("/v1/status")["lag_events"] == 0
            && server.json("/v1/digest")["digest"] == *digest
    });
}

#[test]
fn a_shared_state_comes_back_where_the_log_does_not_begin_at_its_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let configured = format!(
        "[snapshots]\ndir = \"{}\"\n[shops.\"x.example\"]\ncurrency = \"EUR\"\n",
        dir.path().display()
    );
    let redis = Redis::start();
    let shape = Shape::with(&redis.url(), &configured);
    let home = &shape.home;
    let ingest = shape.ingest(1);
    let folds = [shape.aggregate(1), shape.aggregate(2)];
    let deliveries = mixed();
    ingest.deliver_again(&deliveries[..200]);
    folds[0].settle();
    let made = std::thread::scope(|scope| {
        let made = scope.spawn(|| home.json(&["snapshot", "create", "--json"]));
        ingest.deliver_again(&deliveries[200..250]);
        made.join().expect("made")
    });
    ingest.deliver_again(&deliveries[250..]);
    let truth = alone_with("[shops.\"x.example\"]\ncurrency = \"EUR\"\n", &deliveries);
    whole(&folds[0], &truth);

    // A generation from the snapshot, into which the running folds put the tail.
    assert_eq!(home.json(&["snapshot", "restore", "--json"])["digest"], made["digest"]);
    for fold in &folds {
        whole(fold, &truth);
    }

    // Kafka no longer has what the snapshot holds; then the state is lost.
    delete_before(&shape.kafka, home, &made["partitions"]);
    let rebuild = error(home, &["rebuild"]);
    assert!(rebuild.contains("was deleted") && rebuild.contains("snapshot restore"), "{rebuild}");
    assert_eq!(redis.command(&["flushall"]), "OK");
    for fold in &folds {
        whole(fold, &truth);
    }
    assert_eq!(home.json(&["digest", "--json"])["digest"], truth);
    for fold in folds {
        fold.stop();
    }

    // Without snapshots the partitions are halted, by name.
    assert_eq!(redis.command(&["flushall"]), "OK");
    let bare = shape.other_home("[shops.\"x.example\"]\ncurrency = \"EUR\"\n");
    let halted = bare.process(&["aggregate"], "aggregate-bare", &["admin"]);
    wait_until("the halt", WHOLE, || halted.json("/v1/status")["halted"].is_string());
    let readiness = halted.get("/readyz");
    let warned = readiness.json()["warnings"].to_string();
    let part = &made["partitions"][0];
    for expected in [
        format!("state of partition {} and the log do not fit together", part["partition"]),
        format!("starts at offset {} and 0 was wanted", part["position"]),
        "restore a newer snapshot".to_owned(),
    ] {
        assert!(warned.contains(&expected), "{expected} in {warned}");
    }
    assert_eq!(readiness.status, 200);
    halted.stop();

    // And where none fits, that is named too.
    std::fs::remove_dir_all(dir.path()).expect("gone");
    let empty = shape.aggregate(3);
    wait_until("the halt", WHOLE, || {
        let status = empty.json("/v1/status");
        status["halted"].as_str().is_some_and(|why| why.contains("there is no snapshot in"))
    });
}

#[test]
fn retention_is_refused_without_snapshots() {
    let kafka = "[kafka]\nbrokers = [\"127.0.0.1:1\"]\nretention_days = 20\n";
    let home = Home::with(kafka);
    let output = home.run(&["topics", "plan"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{errors}");
    for part in ["kafka.retention_days = 20", "snapshots.dir", "snapshot create"] {
        assert!(errors.contains(part), "{errors}");
    }
    let home = Home::with(&format!("{kafka}[snapshots]\ndir = \"snapshots\"\n"));
    home.stdout(&["config", "check"]);
}
