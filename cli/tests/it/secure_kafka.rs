//! All of the distributed shape over TLS and with logins, and what is said where Kafka refuses.

use crate::kill::numbered;
use crate::secure::{assert_no_secret, home, login, refused};
use crate::support::{Certificates, SecuredCluster, SecuredKafka, SecuredRedis, Server};

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
        ingest.deliver_again(&[numbered(number)]);
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
    check(
        &format!("brokers = [\"{listener}\"]\n{tls}"),
        "compare kafka.tls and kafka.sasl_mechanism",
    );
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
