//! Kafka killed, hung and back again before a receiver with a spool: everything is answered, nothing
//! is lost, and the figures are those of a process that never had any Kafka.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kill::numbered;
use crate::load::{Load, p99};
use crate::simulate::assert_equals_truth;
use crate::support::{Delivery, Home, Kafka, Redis, SECRET, Server, asked_for, wait_until};

/// Shared by all processes of the shape, and by the `serve` that they are compared with.
const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";
/// Webhooks a second while Kafka is away.
const RATE: u32 = 500;
/// The slowest of a hundred answers while Kafka is away, and once everything is as it was.
const BOUNDS: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(50)];
/// How long what is after an outage is looked at, and how often at most: as soon as one such time is
/// within its bound, things are as they were.
const SETTLED: (Duration, usize) = (Duration::from_secs(5), 12);
/// How long anything else may take on a loaded machine.
const LONG: Duration = Duration::from_mins(2);

/// Kafka, Redis and the configuration of a receiver and a fold.
pub struct Shape {
    pub home: Home,
    pub kafka: Kafka,
    // Dropped after the processes that use it.
    _redis: Redis,
}

impl Shape {
    pub fn start(more: &str) -> Self {
        let (kafka, redis) = (Kafka::start(), Redis::start());
        let home = Home::with(&format!(
            "[privacy]\npseudonym_key = \"{KEY}\"\n\
             [kafka]\nbrokers = [\"{}\"]\nreplication = 1\nallow_unsafe = true\n\
             [redis]\nurl = \"{}\"\n{more}\n",
            kafka.broker(1),
            redis.url()
        ));
        home.stdout(&["topics", "apply"]);
        Self { home, kafka, _redis: redis }
    }

    pub fn ingest(&self) -> Server {
        self.home.process(&["ingest"], "ingest", &["public", "admin"])
    }

    pub fn aggregate(&self) -> Server {
        self.home.process(&["aggregate"], "aggregate", &["admin"])
    }
}

/// A gauge of a receiver.
fn gauge(server: &Server, name: &str) -> f64 {
    let text = server.get("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("tallyhook_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}

fn drained(server: &Server) {
    wait_until("the spool to be drained", LONG, || gauge(server, "spool_records") == 0.0);
    assert!(
        gauge(server, "spool_bytes") == 0.0 && gauge(server, "spool_oldest_age_seconds") == 0.0
    );
}

/// What the readiness of a receiver says, which must be `status`.
fn warnings(server: &Server, status: u16) -> String {
    let reply = server.get("/readyz");
    assert_eq!(reply.status, status, "{reply:?}\n{}", server.messages());
    assert_eq!(reply.json()["ready"], json!(status == 200));
    reply.json()["warnings"].to_string()
}

fn numbers(range: impl Iterator<Item = u64>) -> Vec<Delivery> {
    range.map(numbered).collect()
}

/// The digest of a fold that has taken everything.
pub fn digest(fold: &Server) -> Value {
    fold.settle();
    fold.json("/v1/digest")["digest"].clone()
}

/// The digest that `serve` has after the same deliveries under the same key.
pub fn alone(deliveries: &[Delivery]) -> Value {
    let home = Home::with(&format!("[privacy]\npseudonym_key = \"{KEY}\"\n"));
    let server = home.serve();
    server.take(deliveries);
    server.json("/v1/digest")["digest"].clone()
}

#[test]
fn an_outage_of_kafka_is_nobodys_business() {
    let seconds = asked_for("TALLYHOOK_TEST_KAFKA_OUTAGE_SECONDS", 30);
    let shape = Shape::start("");
    let (ingest, fold) = (shape.ingest(), shape.aggregate());
    let load = Load::start(&ingest.public, RATE);
    // A broker that has just started may be slow for a while.
    wait_until("Kafka to keep up", LONG, || {
        warnings(&ingest, 200) == "[]" && gauge(&ingest, "spool_records") == 0.0
    });
    std::thread::sleep(Duration::from_secs(3));

    let killed = load.mark();
    shape.kafka.kill(1);
    std::thread::sleep(Duration::from_secs(seconds.into()));
    assert!(warnings(&ingest, 200).contains("Kafka"), "{}", warnings(&ingest, 200));
    let taken = load.times(killed, load.mark()).len();
    let waiting = gauge(&ingest, "spool_records");
    assert!(taken > 0 && waiting > 0.8 * taken as f64, "{waiting} wait of {taken}");
    assert!(gauge(&ingest, "spool_oldest_age_seconds") > 0.8 * f64::from(seconds));
    shape.kafka.up();
    drained(&ingest);
    let back = load.mark();

    let mut after = Vec::new();
    for _ in 0..SETTLED.1 {
        let from = load.mark();
        std::thread::sleep(SETTLED.0);
        after.push(p99(load.times(from, load.mark())));
        if after.last() < Some(&BOUNDS[1]) {
            break;
        }
    }
    let sent = load.stop();
    let during = p99(sent.times(killed, back));
    println!("of {} answers p99 {during:?} in the outage, {after:?} after it", sent.count());
    assert_eq!(sent.other_statuses(), [0; 0], "answered with something else than 200");
    assert!(during < BOUNDS[0], "p99 of {during:?} in the outage");
    assert!(after.last() < Some(&BOUNDS[1]), "p99 of {after:?} after it");

    drained(&ingest);
    assert_eq!(digest(&fold), alone(&numbers(1..=sent.count())));
    ingest.stop();
}

#[test]
fn a_kafka_that_hangs_holds_nobody_up() {
    let shape = Shape::start("");
    let (ingest, fold) = (shape.ingest(), shape.aggregate());
    let load = Load::start(&ingest.public, RATE);
    // About when the fold joins its group: what it was promised then must not be waited for.
    std::thread::sleep(Duration::from_secs(2));
    let hung = load.mark();
    shape.kafka.signal("-STOP");
    // Longer than a member's session.
    std::thread::sleep(Duration::from_secs(
        asked_for("TALLYHOOK_TEST_KAFKA_HANG_SECONDS", 12).into(),
    ));
    assert!(gauge(&ingest, "spool_records") > f64::from(RATE));
    shape.kafka.signal("-CONT");
    drained(&ingest);
    let back = load.mark();
    let sent = load.stop();
    assert_eq!(sent.other_statuses(), [0; 0], "answered with something else than 200");
    let during = p99(sent.times(hung, back));
    assert!(during < BOUNDS[0], "p99 of {during:?} while it hung");
    drained(&ingest);
    assert_eq!(digest(&fold), alone(&numbers(1..=sent.count())));
    // Now and then a broker that is back names no broker at all, and the client forgets them all.
    let lost = |process: &Server| process.messages().matches("lost all brokers").count();
    println!("clients that lost all brokers: {} and {}", lost(&ingest), lost(&fold));
}

#[test]
fn what_is_spooled_outlives_the_process() {
    let shape = Shape::start("");
    let mut ingest = shape.ingest();
    ingest.deliver(&numbers(1..100));
    shape.kafka.kill(1);
    ingest.deliver(&numbers(100..700));
    ingest.kill_now();
    drop(ingest);

    // It starts without Kafka, since it has a spool that works.
    let ingest = shape.ingest();
    assert!(warnings(&ingest, 200).contains("Kafka did not"), "{}", warnings(&ingest, 200));
    assert!(gauge(&ingest, "spool_records") >= 600.0);
    ingest.deliver(&numbers(700..800));
    ingest.stop();
    let ingest = shape.ingest();
    assert!(gauge(&ingest, "spool_records") >= 700.0);

    shape.kafka.up();
    drained(&ingest);
    wait_until("no more warnings", LONG, || warnings(&ingest, 200) == "[]");
    let fold = shape.aggregate();
    assert_eq!(digest(&fold), alone(&numbers(1..800)));
    // What was drained is not sent again.
    ingest.stop();
    let before = fold.json("/v1/digest")["partitions"].clone();
    let ingest = shape.ingest();
    drained(&ingest);
    fold.settle();
    assert_eq!(fold.json("/v1/digest")["partitions"], before);
}

#[test]
fn a_spool_that_is_full_refuses_and_the_truth_says_what() {
    let shape = Shape::start("[spool]\nmax_bytes = 2097152\n");
    let (ingest, fold) = (shape.ingest(), shape.aggregate());
    shape.kafka.kill(1);
    let truth = shape.home.path("truth.json");
    let url = format!("{}/webhooks/shopify", ingest.public);
    let mut simulate = shape.home.command(&["simulate", "--url", &url, "--secret", SECRET]);
    simulate.args(["--shops", "2", "--orders", "220", "--seed", "31", "--connections", "256"]);
    simulate.args(["--faults", "dup,reorder,late,retry", "--truth"]).arg(&truth);
    let ended = simulate.stdout(Stdio::null()).output().expect("it starts");
    assert!(!ended.status.success(), "some were refused");
    let truth = read(&truth);
    let refused = truth["refused"].as_array().expect("ids").len();
    println!("{} acknowledged, {refused} refused", truth["acked"]);
    assert!(refused > 20 && truth["acked"].as_u64() > Some(500), "{refused}, {}", truth["acked"]);
    assert_eq!(truth["unknown"], json!([]));

    let reply = ingest.try_deliver(&numbered(1));
    reply.assert_problem(503);
    assert_eq!(reply.header("retry-after"), "5");
    assert!(warnings(&ingest, 503).contains("spool.max_bytes"));
    assert!(gauge(&ingest, "spool_bytes") <= 2_097_152.0);

    shape.kafka.up();
    drained(&ingest);
    fold.settle();
    assert_equals_truth(&fold, &truth);
    wait_until("webhooks to be taken again", LONG, || {
        ingest.try_deliver(&numbered(1)).status == 200 && warnings(&ingest, 200) == "[]"
    });
}

fn read(truth: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(truth).expect("the truth")).expect("json")
}

#[test]
fn without_a_spool_an_outage_is_answered_503() {
    let shape = Shape::start("");
    // Where the spool's directory should be is a file.
    std::fs::create_dir_all(shape.home.path("data")).expect("a directory");
    std::fs::write(shape.home.path("data/spool"), "").expect("a file");
    let ingest = shape.ingest();
    assert!(warnings(&ingest, 200).contains("there is no spool"));
    assert!(ingest.messages().contains("there is no spool"), "{}", ingest.messages());
    // With nothing beside it, a broker that has just started may be too slow.
    let is_taken = || ingest.try_deliver(&numbered(1)).status == 200;
    wait_until("Kafka to take a webhook", LONG, is_taken);
    shape.kafka.kill(1);
    let reply = ingest.try_deliver(&numbered(2));
    reply.assert_problem(503);
    assert_eq!(reply.header("retry-after"), "5");
    warnings(&ingest, 503);
    ingest.stop();

    // Nor does it start without Kafka, as there is nowhere to put anything.
    let mut refused = shape.home.command(&["ingest"]).stderr(Stdio::piped()).spawn().expect("runs");
    let mut status = None;
    wait_until("it to end", LONG, || {
        status = refused.try_wait().expect("a child of ours");
        status.is_some()
    });
    assert!(!status.expect("waited for").success());
}

#[test]
fn topics_that_turn_out_unfit_later_are_told_and_not_written_to() {
    // A broker without any topic, which is not there at the start.
    let kafka = Kafka::start();
    kafka.kill(1);
    let home = |allow_unsafe: bool| {
        Home::with(&format!(
            "[privacy]\npseudonym_key = \"{KEY}\"\n\
             [kafka]\nbrokers = [\"{}\"]\nreplication = 1\nallow_unsafe = {allow_unsafe}\n",
            kafka.broker(1)
        ))
    };
    let homes = [home(false), home(true)];
    let ingest = |home: &Home| home.process(&["ingest"], "ingest", &["public", "admin"]);
    let [strict, lenient] = homes.each_ref().map(ingest);
    for ingest in [&strict, &lenient] {
        ingest.deliver(&numbers(1..50));
    }
    kafka.up();
    let says = |ingest: &Server, what: &str| {
        wait_until(what, LONG, || warnings(ingest, 200).contains(what));
    };
    says(&strict, "tallyhook.events.v1 does not exist");
    says(&lenient, "needs 32: see `tallyhook topics plan`");
    for ingest in [&strict, &lenient] {
        ingest.deliver(&numbers(50..60));
        assert!(gauge(ingest, "spool_records") >= 59.0);
        assert!(ingest.messages().contains("events stay in the spool until this is mended"));
    }
    homes[1].stdout(&["topics", "apply"]);
    drained(&lenient);
    says(&strict, "tallyhook.events.v1 has one copy");
    assert!(gauge(&strict, "spool_records") >= 59.0);
}
