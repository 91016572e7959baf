//! What `ingest` and `aggregate` refuse to start with, and what halts a partition: each by an error
//! that names what is wrong and says what to do.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::support::{
    Delivery, Home, KEY, Redis, Server, Shape, converges, digest, embedded, numbered, readiness,
    wait_until,
};

const TOPIC: &str = "tallyhook.events.v1";
/// Bad configuration, as in `sysexits.h`.
const CONFIGURATION: i32 = 78;
const PATIENCE: Duration = Duration::from_mins(1);

/// Panics unless a command refuses to start with that code and those words.
fn check(home: &Home, commands: &[&str], environment: &[(&str, &str)], code: i32, words: &[&str]) {
    for command in commands {
        let refused = home.refused(&[command], environment);
        assert_eq!(refused.code, Some(code), "{command} {environment:?}: {refused:?}");
        for words in words {
            assert!(refused.says(words), "{command} {environment:?}: no {words:?} in {refused:?}");
        }
        assert!(!refused.says(KEY), "the key: {refused:?}");
    }
}

#[test]
fn a_shared_key_is_asked_for() {
    let home = Home::new();
    let words = ["privacy.pseudonym_key", "all processes share one key"];
    check(&home, &["ingest", "aggregate"], &[], CONFIGURATION, &words);
}

#[test]
fn services_that_are_away_or_unsafe_are_refused() {
    let both = ["ingest", "aggregate"];
    let redis = Redis::start();
    let shape = Shape::without_topics(&redis.url());
    let home = &shape.home;

    let nowhere = ("TALLYHOOK_KAFKA__BROKERS", "127.0.0.1:1");
    let words = ["Kafka did not list its topics; check that kafka.brokers can be reached"];
    // A receiver starts all the same: it has its spool.
    check(home, &["aggregate"], &[nowhere], 1, &words);
    let missing = format!("{TOPIC} does not exist: run `tallyhook topics apply`");
    check(home, &both, &[], 1, &[&missing]);
    home.stdout(&["topics", "apply"]);

    let safe = ("TALLYHOOK_KAFKA__ALLOW_UNSAFE", "false");
    shape.kafka.set(TOPIC, "max.message.bytes=1000000");
    let copies = format!("{TOPIC} has one copy: what its broker loses is lost");
    let in_sync = format!("{TOPIC}: min.insync.replicas is below 2");
    let size = format!("{TOPIC}: max.message.bytes is 1000000, below 10485760");
    let words = ["Kafka may lose acknowledged events", &copies, &in_sync, &size];
    check(home, &both, &[safe], 1, &words);

    let fewer = ("TALLYHOOK_LOG__PARTITIONS", "16");
    check(home, &["ingest"], &[fewer], 1, &["has 32 partitions and needs 16", "topics plan"]);
    let words = ["has 32 partitions and log.partitions is 16: make them equal"];
    check(home, &["aggregate"], &[fewer], 1, &words);

    let nowhere = ("TALLYHOOK_REDIS__URL", "redis://127.0.0.1:1");
    check(home, &["aggregate"], &[nowhere], 1, &["Redis at 127.0.0.1:1"]);
    redis.command(&["config", "set", "maxmemory-policy", "allkeys-lru"]);
    let words = ["maxmemory-policy is allkeys-lru", "set `maxmemory-policy noeviction`"];
    check(home, &["aggregate"], &[], CONFIGURATION, &words);
    redis.command(&["config", "set", "maxmemory-policy", "noeviction"]);
    // None of them has left anything behind that the right settings would meet.
    assert_eq!(redis.command(&["dbsize"]), "0");

    // Allowed is what is said to be, and warned of.
    redis.command(&["config", "set", "appendonly", "no"]);
    let warned = |server: &Server, words: &[&str]| {
        let messages = server.messages();
        for words in words {
            assert!(messages.contains(words), "no {words:?} in {messages}");
        }
    };
    let unsafe_topic = ["kafka.allow_unsafe is set", &copies, &in_sync, &size];
    warned(&shape.ingest(1), &unsafe_topic);
    let fold = shape.aggregate(1);
    warned(&fold, &unsafe_topic);
    warned(&fold, &["Redis keeps nothing on disk", "set `appendonly yes`"]);
}

#[test]
fn a_state_of_other_settings_is_refused() {
    let redis = Redis::start();
    let shape = Shape::start(&redis.url());
    shape.aggregate(1).stop();
    let way_out = "or build the state anew with `tallyhook rebuild`";
    let refused = |environment: &[(&str, &str)], words: &[&str]| {
        let words = [words, &[way_out]].concat();
        check(&shape.home, &["aggregate"], environment, CONFIGURATION, &words);
    };
    let key = ("TALLYHOOK_PRIVACY__PSEUDONYM_KEY", "another key of thirty-two bytes or more");
    refused(&[key], &["privacy.pseudonym_key (fingerprint)"]);
    let elsewhere = ("TALLYHOOK_SHOPS__DEFAULT__TIME_ZONE", "Asia/Tokyo");
    refused(&[elsewhere], &["shops = default USD UTC", "default USD Asia/Tokyo"]);

    // What another version of the program, or a topic of other partitions, has left.
    let name = redis.command(&["--scan", "--pattern", "*manifest*"]);
    let manifest: Value = serde_json::from_str(&redis.command(&["get", &name])).expect("json");
    let changes = [
        ("partitions", Value::from(16), "log.partitions = 16, this configuration says 32"),
        ("partitioner", "crc32".into(), "partitioner = crc32, this configuration says murmur2"),
        ("fold_version", Value::from(1_000), "fold version = 1000, this configuration says"),
    ];
    for (field, value, words) in changes {
        let mut other = manifest.clone();
        assert_ne!(other[field], Value::Null, "{field} in {manifest}");
        other[field] = value;
        redis.command(&["set", &name, &other.to_string()]);
        refused(&[], &[words]);
    }
    redis.command(&["set", &name, &manifest.to_string()]);
    shape.aggregate(2).stop();
}

/// The position of each partition that holds anything.
fn positions(server: &Server) -> BTreeMap<u16, u64> {
    let digest = server.json("/v1/digest");
    let partitions = digest["partitions"].as_array().expect("partitions");
    let stands = |one: &Value| {
        let partition = one["partition"].as_u64().and_then(|number| u16::try_from(number).ok());
        Some((partition?, one["position"].as_u64()?))
    };
    partitions.iter().filter_map(stands).filter(|(_, position)| *position > 0).collect()
}

fn posted(numbers: std::ops::Range<u64>) -> Vec<Delivery> {
    numbers.map(numbered).collect()
}

/// Panics unless a fold says so in its status, in its readiness and in its log, and is ready.
fn assert_halted(fold: &Server, words: &[String]) {
    let halted = || fold.json("/v1/status")["halted"].to_string();
    wait_until("the partitions to be halted", PATIENCE, || {
        words.iter().all(|words| halted().contains(words))
    });
    let (ready, warnings) = readiness(fold);
    let messages = fold.messages();
    assert!(ready, "{warnings}");
    for words in words {
        assert!(warnings.contains(words), "no {words} in {warnings}");
        assert!(messages.contains(words), "no {words} in {messages}");
    }
    assert!(fold.get("/metrics").body.contains("\ntallyhook_fold_halted 1\n"));
}

#[test]
fn a_position_outside_of_the_log_halts_its_partition() {
    let redis = Redis::start();
    let shape = Shape::start(&redis.url());
    let reference = embedded();
    let alone = reference.serve();
    let ingest = shape.ingest(1);
    let fold = shape.aggregate(1);
    ingest.deliver_again(&posted(0..200));
    alone.take(&posted(0..200));
    converges(&fold, &digest(&alone), PATIENCE);
    let stood = positions(&fold);
    fold.stop();

    // Records that one partition's state does not hold yet are removed from the log.
    ingest.deliver_again(&posted(200..400));
    let (&lost, &position) = stood.first_key_value().expect("partitions");
    shape.kafka.delete_before(TOPIC, lost, position + 1);
    let fold = shape.aggregate(2);
    let words = [
        format!("the state of partition {lost} and the log do not fit together"),
        format!("partition {lost} starts at offset {} and {position} was wanted", position + 1),
        "restore a newer snapshot".to_owned(),
    ];
    assert_halted(&fold, &words);
    alone.take(&posted(200..400));
    let expected = |except: u16| {
        let all = positions(&alone).into_iter();
        all.filter(|(partition, _)| *partition != except).collect::<BTreeMap<_, _>>()
    };
    wait_until("the other partitions to go on", PATIENCE, || {
        let stands = positions(&fold);
        // What the spool and Kafka both took lies in the topic twice.
        let goes_on = |(one, at): (&u16, &u64)| stands.get(one).is_some_and(|stands| stands >= at);
        stands.get(&lost) == Some(&position) && expected(lost).iter().all(goes_on)
    });

    // The topic is made anew under a fold at work, and reaches less far than the state.
    let stood = positions(&fold);
    shape.kafka.delete(TOPIC);
    wait_until("the fold to miss its topic", PATIENCE, || {
        fold.json("/v1/status")["halted"].to_string().contains(TOPIC)
    });
    shape.home.stdout(&["topics", "apply"]);
    let beyond = stood.iter().filter(|(partition, _)| **partition != lost);
    let words: Vec<String> = beyond
        .map(|(one, at)| format!("partition {one} ends at offset 0 and {at} was wanted"))
        .collect();
    assert_halted(&fold, &words);
    // A shop of a partition that holds nothing yet.
    let shop = (0..1_000).map(|number| format!("new-{number}.example")).find(|shop| {
        let shop = common::shop::ShopDomain::parse(shop).expect("a shop");
        !stood.contains_key(&common::partition::partition_of(&shop, 32))
    });
    let delivery = Delivery { shop: shop.expect("a free partition"), ..numbered(1) };
    wait_until("the receiver to find the topic", PATIENCE, || {
        ingest.try_deliver(&delivery).status == 200
    });
    wait_until("the other partitions to go on", PATIENCE, || {
        let shops = fold.get("/v1/shops").body;
        shops.contains(&delivery.shop)
    });
}
