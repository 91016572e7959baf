//! Tests of how Kafka and Redis are reached: TLS, logins, and the name of a group's member.

use std::fs;

use tempfile::TempDir;

use super::tests::{load, refused};
use super::*;

/// PEM files of a temporary directory. Nothing here looks into them further than their first line.
pub(super) struct Files {
    _dir: TempDir,
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) encrypted: String,
}

impl Files {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let file = |name: &str, label: &str| {
            let path = dir.path().join(name);
            let text = format!("-----BEGIN {label}-----\ns3cr3t\n-----END {label}-----\n");
            fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        Self {
            certificate: file("ca.pem", "CERTIFICATE"),
            key: file("key.pem", "PRIVATE KEY"),
            encrypted: file("locked.pem", "ENCRYPTED PRIVATE KEY"),
            _dir: dir,
        }
    }
}

/// Kafka's section with these lines, for a command that does not connect.
fn kafka(lines: &str, environment: &[(&str, &str)]) -> Kafka {
    let text = format!("[kafka]\n{lines}\n");
    let config = load(&text, environment, &[], Needs::Nothing).expect(lines);
    config.kafka.expect("a section")
}

fn properties(kafka: &Kafka) -> String {
    let texts =
        kafka.client_properties().into_iter().map(|(name, value)| format!("{name}={value}"));
    texts.collect::<Vec<_>>().join("\n")
}

const LOGIN: &str = "sasl_username = \"u\"\nsasl_password = \"s3cr3t\"\n";

#[test]
fn clients_of_kafka_are_told_all_that_is_configured() {
    let check = |lines: &str, expected: &str| {
        let found = kafka(lines, &[]);
        assert_eq!(properties(&found), format!("bootstrap.servers=127.0.0.1:9092\n{expected}"));
        assert!(!format!("{found:?}").contains("s3cr3t"), "{found:?}");
    };
    let files = Files::new();
    let pem = |path: &str| fs::read_to_string(path).expect("a file");
    check("", "security.protocol=plaintext");
    check(
        "tls = true",
        "security.protocol=ssl\nssl.endpoint.identification.algorithm=https\n\
         ssl.ca.location=probe",
    );
    check(
        &format!("tls = true\nsasl_mechanism = \"PLAIN\"\n{LOGIN}"),
        "security.protocol=sasl_ssl\nssl.endpoint.identification.algorithm=https\n\
         ssl.ca.location=probe\nsasl.mechanism=PLAIN\nsasl.username=u\nsasl.password=s3cr3t",
    );
    check(
        &format!("sasl_mechanism = \"scram-sha-256\"\n{LOGIN}"),
        "security.protocol=sasl_plaintext\nsasl.mechanism=SCRAM-SHA-256\nsasl.username=u\n\
         sasl.password=s3cr3t",
    );
    let (certificate, key) = (&files.certificate, &files.key);
    check(
        &format!(
            "tls = true\ntls_ca = \"{certificate}\"\ntls_cert = \"{certificate}\"\n\
             tls_key = \"{key}\"\nsasl_mechanism = \"scram-sha-512\"\n{LOGIN}"
        ),
        &format!(
            "security.protocol=sasl_ssl\nssl.endpoint.identification.algorithm=https\n\
             ssl.ca.pem={certificate}\nssl.certificate.pem={certificate}\nssl.key.pem={key}\n\
             sasl.mechanism=SCRAM-SHA-512\nsasl.username=u\nsasl.password=s3cr3t",
            certificate = pem(certificate),
            key = pem(key),
        ),
    );
}

#[test]
fn a_login_is_whole_or_not_there() {
    let check = |lines: &str, expected: &str| {
        let message = refused(&format!("[kafka]\n{lines}"), &[], Needs::Nothing);
        assert!(message.starts_with(expected), "{message}");
        assert!(!message.contains("s3cr3t"), "{message}");
    };
    let missing = "(tallyhook.toml, line 1):";
    check(
        "sasl_password = \"s3cr3t\"\n",
        &format!("kafka.sasl_mechanism is missing {missing} use plain, scram-sha-256 or"),
    );
    check("sasl_username = \"u\"\n", "kafka.sasl_mechanism is missing");
    check(
        "sasl_mechanism = \"scram-sha-256\"\nsasl_password = \"s3cr3t\"\n",
        &format!("kafka.sasl_username is missing {missing} name the user"),
    );
    check(
        "sasl_mechanism = \"scram-sha-256\"\nsasl_username = \"u\"\n",
        &format!("kafka.sasl_password is missing {missing} name the user's password"),
    );
    check(
        "sasl_mechanism = \"gssapi\"\n",
        "kafka.sasl_mechanism = \"gssapi\" (tallyhook.toml, line 2): not a mechanism; use plain, \
         scram-sha-256 or scram-sha-512",
    );
    check(
        &format!("sasl_mechanism = \"plain\"\n{LOGIN}"),
        "kafka.sasl_mechanism = \"plain\" (tallyhook.toml, line 2): the password would cross the \
         network in clear; set kafka.tls = true;",
    );
    check(
        "sasl_mechanism = \"scram-sha-256\"\nsasl_username = \"u\"\n\
         sasl_password = \"file:/no/such/s3\"\n",
        "kafka.sasl_password = file:/no/such/s3 (tallyhook.toml, line 4): cannot read the file",
    );
}

#[test]
fn a_password_in_clear_needs_more_than_a_mechanism() {
    let plain = format!("sasl_mechanism = \"plain\"\n{LOGIN}");
    let warning = |lines: &str| kafka(lines, &[]).warning().unwrap_or_default();
    assert!(warning(&format!("allow_unsafe = true\n{plain}")).contains("crosses the network"));
    let scram = format!("sasl_mechanism = \"scram-sha-512\"\n{LOGIN}");
    assert!(warning(&scram).contains("not protected by TLS"));
    for quiet in ["", "tls = true", &format!("tls = true\n{plain}")] {
        assert_eq!(warning(quiet), "", "{quiet}");
    }
}

#[test]
fn files_of_tls_are_read_at_the_start_and_only_with_tls() {
    let files = Files::new();
    let Files { certificate, key, encrypted, .. } = &files;
    let check = |text: &str, expected: &str| {
        let message = refused(text, &[], Needs::Nothing);
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("s3cr3t"), "{message}");
    };
    check(
        &format!("[kafka]\ntls_ca = \"{certificate}\"\n"),
        "(tallyhook.toml, line 2): this connection has no TLS; set kafka.tls = true",
    );
    check(
        &format!("[redis]\nurl = \"redis://u:s3cr3t@h:1\"\ntls_ca = \"{certificate}\"\n"),
        "(tallyhook.toml, line 3): this connection has no TLS; write rediss:// in redis.url",
    );
    let kafka = |lines: &str| format!("[kafka]\ntls = true\n{lines}\n");
    check(
        &kafka("tls_ca = \"/no/such/file\""),
        "kafka.tls_ca = \"/no/such/file\" (tallyhook.toml, line 3): cannot read the file: No such",
    );
    check(&kafka(&format!("tls_ca = \"{key}\"")), "the file holds no certificate; name a PEM file");
    check(&kafka(&format!("tls_cert = \"{certificate}\"")), "kafka.tls_key is missing");
    check(&kafka(&format!("tls_key = \"{key}\"")), "kafka.tls_cert is missing");
    let pair = |key: &str| kafka(&format!("tls_cert = \"{certificate}\"\ntls_key = \"{key}\""));
    check(&pair(certificate), "the file holds no private key");
    check(&pair(encrypted), "the key is encrypted; take its passphrase off");
    check("[redis]\nurl = \"rediss://h:1#insecure\"\n", "redis.url = <redacted> (tallyhook.toml");
    let text = format!("[redis]\nurl = \"rediss://h:1\"\ntls_ca = \"{certificate}\"\n");
    let config = load(&text, &[], &[], Needs::Nothing).expect("a configuration");
    let Some(Redis { transport: Transport::Tls(tls), .. }) = config.redis else {
        panic!("rediss is TLS")
    };
    assert!(matches!(tls.authorities, Authorities::File(pem) if pem.path().ends_with("ca.pem")));
    assert_eq!(tls.client, None);
}

#[test]
fn a_program_without_openssl_says_so_before_it_connects() {
    let environment = BTreeMap::new();
    let reader = reader::Reader::new(layers::Layers::default(), &environment);
    let check = |lines: &str, expected: Option<&str>| {
        let found = kafka(lines, &[]);
        found.refuse_unbuilt(&reader, true).expect("it has OpenSSL");
        let message = found.refuse_unbuilt(&reader, false).err().map(|error| error.to_string());
        let rest = "; build it with `cargo build --release -p tallyhook --features kafka-tls`, or \
                    take the container image";
        assert_eq!(message, expected.map(|expected| format!("{expected}{rest}")), "{lines}");
    };
    let login = |mechanism: &str| format!("sasl_mechanism = \"{mechanism}\"\n{LOGIN}");
    let tls = "kafka.tls (default): this tallyhook was built without TLS for Kafka";
    check("tls = true", Some(tls));
    check(&format!("tls = true\n{}", login("plain")), Some(tls));
    let scram = "kafka.sasl_mechanism (default): this tallyhook was built without SCRAM";
    check(&login("scram-sha-512"), Some(scram));
    check(&format!("allow_unsafe = true\n{}", login("plain")), None);
    check("", None);
}

#[test]
fn only_a_pod_has_a_name_that_stays() {
    let member = |name: &str| kafka("", &[("POD_NAME", name), ("HOSTNAME", "host")]).member;
    assert_eq!(member("tallyhook-aggregate-0").as_deref(), Some("tallyhook-aggregate-0"));
    assert_eq!(member(""), None);
    assert_eq!(kafka("", &[("HOSTNAME", "host")]).member, None);
    let message = refused("[kafka]\n", &[("POD_NAME", "a pod")], Needs::Nothing);
    assert_eq!(
        message,
        "POD_NAME = \"a pod\" (environment variable POD_NAME): not a name that a member of a \
         consumer group can have; use 1 to 249 of letters, digits, . _ and -, or unset it"
    );
}
