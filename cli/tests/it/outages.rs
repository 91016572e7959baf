//! Redis is killed, goes back in time, is emptied and is full: the folds come to the right state by
//! themselves, from the log.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{
    Proxy, Redis, Server, Shape, asked_for, converges, digest, embedded, numbered, wait_until,
};

/// How long a fold may take to be right again on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longer than a killed fold's session and the change of the group that follows.
const INHERITANCE: Duration = Duration::from_secs(9);
/// Webhooks before anything fails, and for each failure.
const BEFORE: u64 = 600;
const EACH: u64 = 200;

/// A shape and the one process that is given the same webhooks.
struct Pair {
    ingest: Server,
    folds: [Server; 2],
    alone: Server,
    next: u64,
    /// A table of times.
    took: Vec<String>,
}

impl Pair {
    /// Posts webhooks to both; the digest that must come of all so far.
    fn post(&mut self, count: u64) -> Value {
        let deliveries: Vec<_> = (self.next..self.next + count).map(numbered).collect();
        self.next += count;
        self.ingest.deliver_again(&deliveries);
        self.alone.take(&deliveries);
        digest(&self.alone)
    }

    /// Waits until both folds are right.
    fn settle(&self, expected: &Value) {
        for fold in &self.folds {
            converges(fold, expected, PATIENCE);
        }
    }

    /// The same, and notes how long that took.
    fn converge(&mut self, what: &str, expected: &Value) {
        let begun = Instant::now();
        self.settle(expected);
        self.note(what, begun);
    }

    fn note(&mut self, what: &str, begun: Instant) {
        self.took.push(format!("| {what} | {:.1} s |", begun.elapsed().as_secs_f64()));
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// What a fold tells while there is no state to read.
fn tells_of_itself(fold: &Server) {
    let metrics = fold.get("/metrics");
    assert_eq!(metrics.status, 200, "{metrics:?}");
    for line in ["commits_total{outcome=\"error\"} ", "shops_exported 0\n", "state_readable 0\n"] {
        assert!(metrics.body.contains(&format!("\ntallyhook_{line}")), "{line}");
    }
}

#[test]
fn whatever_redis_loses_is_folded_again() {
    let mut redis = Redis::start();
    let proxy = Proxy::before(redis.port());
    let shape = Shape::start(&format!("redis://127.0.0.1:{}", proxy.port()));
    let reference = embedded();
    let mut pair = Pair {
        ingest: shape.ingest(1),
        folds: [shape.aggregate(1), shape.aggregate(2)],
        alone: reference.serve(),
        next: 0,
        took: Vec::new(),
    };
    let expected = pair.post(BEFORE);
    pair.settle(&expected);

    for round in 0..asked_for("TALLYHOOK_TEST_FAULT_ROUNDS", 1) {
        redis.kill();
        let expected = pair.post(EACH);
        for fold in &pair.folds {
            tells_of_itself(fold);
        }
        redis.restart();
        pair.converge("killed and started again", &expected);

        // A fold inherits partitions whose state it cannot read yet.
        redis.kill();
        pair.folds[0].kill_now();
        let expected = pair.post(EACH);
        std::thread::sleep(INHERITANCE);
        redis.restart();
        let begun = Instant::now();
        converges(&pair.folds[1], &expected, PATIENCE);
        pair.note("killed together with a fold, which was replaced meanwhile", begun);
        pair.folds[0] = shape.aggregate(u8::try_from(3 + round).expect("few"));

        let older = shape.home.path(&format!("older-{round}"));
        copy(&redis.append_only_dir(), &older);
        let expected = pair.post(EACH);
        pair.settle(&expected);
        redis.kill();
        std::fs::remove_dir_all(redis.append_only_dir()).expect("removed");
        copy(&older, &redis.append_only_dir());
        redis.restart();
        pair.converge("restarted from an older append-only file", &expected);

        let replica = stale_replica(&redis, || {
            let expected = pair.post(EACH);
            pair.settle(&expected);
        });
        redis.kill();
        assert_eq!(replica.command(&["replicaof", "no", "one"]), "OK");
        proxy.lead_to(replica.port());
        let expected = digest(&pair.alone);
        pair.converge("a stale replica promoted", &expected);
        redis = replica;

        assert_eq!(redis.command(&["flushall"]), "OK");
        pair.converge("FLUSHALL", &expected);

        assert_eq!(redis.command(&["script", "flush"]), "OK");
        let expected = pair.post(EACH);
        pair.converge("SCRIPT FLUSH", &expected);

        assert_eq!(redis.command(&["config", "set", "maxmemory", "1mb"]), "OK");
        let expected = pair.post(EACH);
        wait_until("the folds to say that memory is out", PATIENCE, || {
            let halted = |fold: &Server| fold.json("/v1/status")["halted"].to_string();
            pair.folds.iter().all(|fold| halted(fold).contains("OOM"))
        });
        assert_eq!(redis.command(&["config", "set", "maxmemory", "0"]), "OK");
        pair.converge("out of memory, then room again", &expected);
    }

    eprintln!("{}", pair.took.join("\n"));
    for fold in &pair.folds {
        assert_eq!(fold.json("/v1/status")["halted"], Value::Null);
    }
}

/// A replica whose link was cut before `meanwhile`.
fn stale_replica(master: &Redis, meanwhile: impl FnOnce()) -> Redis {
    let link = Proxy::before(master.port());
    let port = link.port().to_string();
    let replica = Redis::with(&["--appendonly", "yes", "--replicaof", "127.0.0.1", &port]);
    let info = || replica.command(&["info", "replication"]);
    wait_until("the replica to have everything", PATIENCE, || {
        info().contains("master_link_status:up")
    });
    // Nobody listens there.
    link.lead_to(1);
    wait_until("the link to be cut", PATIENCE, || info().contains("master_link_status:down"));
    meanwhile();
    replica
}
