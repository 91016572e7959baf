//! Kafka and Redis as managed services are: over TLS, with logins; and what is said where they refuse.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::kill::numbered;
use crate::support::{Certificates, Home, SecuredCluster, SecuredKafka, SecuredRedis, Server};

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";
/// A refusal is named long before anybody would give up; the machine may be loaded.
const SECONDS: Duration = Duration::from_secs(30);

/// Whatever must not be seen anywhere.
const SECRETS: [&str; 4] =
    [SecuredKafka::PASSWORD, SecuredRedis::PASSWORD, "r3dis%2Fs3cret", "wr0ng-s3cret"];

/// A home with these lines below `[kafka]` and `[redis]`; the broker's password stands in a file.
fn home(kafka: &str, redis: &str) -> Home {
    let home = Home::with(&format!(
        "[privacy]\npseudonym_key = \"{KEY}\"\n\
         [kafka]\nreplication = 1\nallow_unsafe = true\n{kafka}\n[redis]\n{redis}\n"
    ));
    std::fs::write(home.path("password"), format!("{}\n", SecuredKafka::PASSWORD)).expect("a file");
    home
}

fn login(broker: &str, mechanism: &str) -> String {
    format!(
        "brokers = [\"{broker}\"]\nsasl_mechanism = \"{mechanism}\"\nsasl_username = \"tallyhook\"\n\
         sasl_password = \"file:password\"\n"
    )
}

fn assert_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is shown: {text}");
    }
}

/// Runs a command that must fail soon, with an error that says `expected`, and say no secret
/// although it tells everything else.
fn refused(home: &Home, arguments: &[&str], expected: &str) {
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
    let redis = SecuredRedis::start(&certificates);
    let (ca, stranger) = (certificates.path("ca.crt"), certificates.path("stranger.crt"));
    let check = |url: &str, more: &str, expected: &str| {
        let home = home("", &format!("url = \"{url}\"\n{more}"));
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
}

#[cfg(feature = "kafka-tls")]
#[test]
fn figures_arrive_over_tls_and_logins() {
    let certificates = Certificates::make();
    let kafka = SecuredKafka::start(&certificates);
    let (alone, cluster) =
        (SecuredRedis::start(&certificates), SecuredCluster::start(&certificates));
    let pem = |name: &str| certificates.path(name);
    let tls = format!("tls = true\ntls_ca = \"{}\"\n", pem("ca.crt"));
    let sure = |mechanism: &str| login(&kafka.login_over_tls(), mechanism) + &tls;

    alone.admin(&["config", "set", "tls-auth-clients", "yes"]);
    // Both read the same log; the second one from its start, into a cluster.
    for (number, mechanism, url) in [(0, "plain", alone.url()), (5, "scram-sha-512", cluster.url())]
    {
        let redis = format!(
            "url = \"{url}\"\ntls_ca = \"{}\"\ntls_cert = \"{}\"\ntls_key = \"{}\"",
            pem("ca.crt"),
            pem("client.crt"),
            pem("client.key")
        );
        let home = home(&sure(mechanism), &redis);
        home.stdout(&["topics", "apply"]);
        let ingest = home.process(&["ingest", "-vv"], "ingest", &["public", "admin"]);
        let aggregate = home.process(&["aggregate", "-vv"], "aggregate", &["admin"]);
        ingest.deliver(&[numbered(number)]);
        aggregate.settle();
        let orders = if number == 0 { "1" } else { "2" };
        aggregate.kpis("shop-0.example", None).check("all", &[("orders", orders)]);
        end(vec![ingest, aggregate]);
    }
    assert!(cluster.keys().iter().sum::<u64>() > 3, "{:?}", cluster.keys());

    home(&sure("scram-sha-256"), "").stdout(&["topics", "check"]);
    let certificate = format!(
        "brokers = [\"{}\"]\n{tls}tls_cert = \"{}\"\ntls_key = \"{}\"\n",
        kafka.certificate(),
        pem("client.crt"),
        pem("client.key")
    );
    home(&certificate, "").stdout(&["topics", "check"]);
    home(&login(&kafka.login_in_clear(), "scram-sha-256"), "").stdout(&["topics", "check"]);
    kafka_refuses(&kafka, &certificates, &tls);
}

/// What a broker refuses is named within seconds.
#[cfg(feature = "kafka-tls")]
fn kafka_refuses(kafka: &SecuredKafka, certificates: &Certificates, tls: &str) {
    let check = |lines: &str, expected: &str| {
        refused(&home(lines, ""), &["topics", "plan"], expected);
    };
    let listener = kafka.login_over_tls();
    for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
        let wrong = login(&listener, mechanism).replace("file:password", "wr0ng-s3cret");
        check(&(wrong + tls), "Kafka refuses the login (");
    }
    let right = login(&listener, "scram-sha-512");
    let wrong = right.replace("file:password", "wr0ng-s3cret") + tls;
    for command in ["ingest", "aggregate"] {
        let redis = SecuredRedis::start(certificates);
        let trusting =
            format!("url = \"{}\"\ntls_ca = \"{}\"", redis.url(), certificates.path("ca.crt"));
        refused(
            &home(&wrong, &trusting),
            &[command],
            "check kafka.sasl_mechanism, kafka.sasl_username",
        );
    }
    let stranger = format!("tls = true\ntls_ca = \"{}\"\n", certificates.path("stranger.crt"));
    check(&(right.clone() + &stranger), "no TLS connection to Kafka (");
    check(
        &(right.clone() + "tls = true\n"),
        "check kafka.tls_ca (unset: the system's authorities)",
    );
    check(&right, "Kafka hangs up (");
    let certificate = format!("brokers = [\"{}\"]\n{tls}", kafka.certificate());
    check(&certificate, "kafka.tls_cert and kafka.tls_key if the broker wants them");
}

/// Ends processes, which have told everything but secrets.
fn end(processes: Vec<Server>) {
    for process in processes {
        let messages = process.messages();
        assert!(!messages.is_empty());
        assert_no_secret(&messages);
        process.stop();
    }
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
