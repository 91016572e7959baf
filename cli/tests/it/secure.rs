//! Redis and Kafka as managed services are, and what is said where they refuse. What needs OpenSSL is
//! in `secure_kafka.rs`.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::support::{Certificates, Home, Kafka, SecuredCluster, SecuredKafka, SecuredRedis};

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";
/// A refusal is named long before anybody would give up; the machine may be loaded.
const SECONDS: Duration = Duration::from_secs(30);

/// Whatever must not be seen anywhere.
const SECRETS: [&str; 4] =
    [SecuredKafka::PASSWORD, SecuredRedis::PASSWORD, "r3dis%2Fs3cret", "wr0ng-s3cret"];

/// A home with these lines below `[kafka]` and `[redis]`; the broker's password stands in a file.
pub fn home(kafka: &str, redis: &str) -> Home {
    let home = Home::with(&format!(
        "[privacy]\npseudonym_key = \"{KEY}\"\n\
         [kafka]\nreplication = 1\nallow_unsafe = true\n{kafka}\n[redis]\n{redis}\n"
    ));
    std::fs::write(home.path("password"), format!("{}\n", SecuredKafka::PASSWORD)).expect("a file");
    home
}

pub fn login(broker: &str, mechanism: &str) -> String {
    format!(
        "brokers = [\"{broker}\"]\nsasl_mechanism = \"{mechanism}\"\nsasl_username = \"tallyhook\"\n\
         sasl_password = \"file:password\"\n"
    )
}

pub fn assert_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is shown: {text}");
    }
}

/// Runs a command that must fail soon, with an error that says `expected`, and say no secret
/// although it tells everything else.
pub fn refused(home: &Home, arguments: &[&str], expected: &str) {
    let begun = Instant::now();
    let Output { status, stdout, stderr } = home.run(&[arguments, &["-vv"]].concat());
    let took = begun.elapsed();
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let error = text.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert_eq!(status.code(), Some(1), "{arguments:?}: {text}");
    assert!(error.contains(expected), "{arguments:?}: {error}\ninstead of {expected}\n{text}");
    assert!(took < SECONDS, "{arguments:?} took {took:?}");
    assert_no_secret(&text);
}

#[test]
fn redis_says_what_it_refuses() {
    let certificates = Certificates::make();
    // The topics are looked at first, so that a fold without any writes nothing to Redis.
    let kafka = Kafka::start();
    let brokers = format!("brokers = [{}]\n", kafka.brokers());
    home(&brokers, "").stdout(&["topics", "apply"]);
    let redis = SecuredRedis::start(&certificates);
    let (ca, stranger) = (certificates.path("ca.crt"), certificates.path("stranger.crt"));
    let check = |url: &str, more: &str, expected: &str| {
        let home = home(&brokers, &format!("url = \"{url}\"\n{more}"));
        refused(&home, &["aggregate"], expected);
    };
    let trusting = format!("tls_ca = \"{ca}\"");
    let host = redis.host();
    check(&redis.url(), "", "UnknownIssuer; no authority that is trusted signed the server's");
    check(&redis.url(), &format!("tls_ca = \"{stranger}\""), "set redis.tls_ca to the PEM file");
    let wrong = format!("rediss://tallyhook:wr0ng-s3cret@{host}");
    check(&wrong, &trusting, "check user and password in redis.url");
    check(
        &format!("rediss://{host}"),
        &trusting,
        "Redis wants a login: redis.url = \"rediss://USER",
    );
    let plain = redis.url().replacen("rediss", "redis", 1);
    check(&plain, "", "if TLS is spoken there, write rediss://");

    let user = |rule: &str| assert_eq!(redis.admin(&["acl", "setuser", "tallyhook", rule]), "OK");
    for command in ["evalsha", "eval", "mget", "setnx"] {
        user(&format!("-{command}"));
        check(&redis.url(), &trusting, "ACL SETUSER USER ~tallyhook:* +@all -@dangerous +info");
        user(&format!("+{command}"));
    }
    // Only the script of a commit needs it.
    user("-del");
    check(
        &redis.url(),
        &trusting,
        "allow the user what Tallyhook does: ACL SETUSER USER ~tallyhook",
    );
    user("+del");

    redis.admin(&["config", "set", "tls-auth-clients", "yes"]);
    check(&redis.url(), &trusting, "Redis asks who we are: set redis.tls_cert and redis.tls_key");

    let cluster = SecuredCluster::start(&certificates);
    check(&cluster.url(), "", "UnknownIssuer; no authority that is trusted signed the server's");
    let wrong = cluster.url().replace("r3dis%2Fs3cret", "wr0ng-s3cret");
    check(&wrong, &trusting, "check user and password in redis.url");
    assert_eq!(cluster.keys(), [0, 0, 0]);
}

/// The program that `cargo build` makes needs no perl, and says what it cannot do.
#[cfg(not(feature = "kafka-tls"))]
#[test]
fn a_program_without_openssl_refuses_tls_for_kafka() {
    let check = |lines: &str, key: &str| {
        let output = home(lines, "").run(&["topics", "plan"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert!(text.starts_with(&format!("error: {key} (")), "{text}");
        assert!(text.contains("--features kafka-tls"), "{text}");
    };
    check("tls = true\n", "kafka.tls");
    check(&login("127.0.0.1:1", "scram-sha-512"), "kafka.sasl_mechanism");
}

/// A login by PLAIN needs no OpenSSL; without TLS it must have been allowed.
#[test]
fn a_password_in_clear_has_to_be_allowed() {
    let certificates = Certificates::make();
    let kafka = SecuredKafka::start(&certificates);
    let lines = login(&kafka.login_in_clear(), "plain");
    let home = home(&lines, "");
    home.stdout(&["topics", "apply"]);
    let config = home.path("tallyhook.toml");
    let text = std::fs::read_to_string(&config).expect("a file");
    std::fs::write(&config, text.replace("allow_unsafe = true\n", "")).expect("written");
    let output = home.run(&["topics", "check"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{text}");
    assert!(text.contains("the password would cross the network in clear"), "{text}");
    assert_no_secret(&text);
}
