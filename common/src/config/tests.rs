//! Tests of the whole configuration: layers, errors, redaction, the pseudonym key.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::access_tests::Files;
use super::*;
use crate::reason::Reason;

const LEAST: &str = "[sources.shopify]\nsecrets = [\"s3cr3t-one\"]\n";
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Loads a file's text with variables and flags; the file is named `tallyhook.toml` in messages.
pub(super) fn load(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str, &str)],
    needs: Needs,
) -> Result<Config, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("tallyhook.toml");
    fs::write(&file, text).expect("written");
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let flag = |(key, value, flag): &(&str, &str, &str)| Override {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
        flag: (*flag).to_owned(),
    };
    let inputs = Inputs {
        file: Some(file),
        environment: environment.iter().map(pair).collect(),
        overrides: flags.iter().map(flag).collect(),
    };
    let prefix = format!("{}/", dir.path().display());
    Config::load(&inputs, needs).map_err(|error| error.to_string().replace(&prefix, ""))
}

pub(super) fn refused(text: &str, environment: &[(&str, &str)], needs: Needs) -> String {
    load(text, environment, &[], needs).map(|_| ()).expect_err(text)
}

/// The error of a file without anything else.
fn check(text: &str, expected: &str) {
    assert_eq!(refused(text, &[], Needs::Nothing), expected);
}

#[test]
fn events_are_not_deleted_without_snapshots() {
    let kafka = "[kafka]\nretention_days = 20\n";
    check(
        kafka,
        "kafka.retention_days = 20 (tallyhook.toml, line 2): events would be deleted that no \
         snapshot holds; set snapshots.dir and have `tallyhook snapshot create` run more often than \
         that, or leave it out: Kafka then keeps all events",
    );
    let text = format!("{kafka}[snapshots]\ndir = \"snapshots\"\n");
    let config = load(&text, &[], &[], Needs::Nothing).expect("loads");
    assert_eq!(config.kafka.and_then(|kafka| kafka.retention_days), Some(20));
    assert_eq!(config.snapshots.keep, 7);
}

#[test]
fn values_are_refused_with_key_place_and_remedy() {
    check(
        "# a comment\n[public]\nlisten = \"nonsense\"\n",
        "public.listen = \"nonsense\" (tallyhook.toml, line 3): not an address; use HOST:PORT, \
         for example 127.0.0.1:8080",
    );
    check(
        "[public]\nbody_limit_bytes = 12\n",
        "public.body_limit_bytes = 12 (tallyhook.toml, line 2): out of range; use a whole number \
         from 1024 to 268435456",
    );
    check(
        "public.body_timeout_ms = \"4s\"\n",
        "public.body_timeout_ms = \"4s\" (tallyhook.toml, line 1): a text; write a number",
    );
    check(
        "log = { partitions = 32.5 }\n",
        "log.partitions = 32.5 (tallyhook.toml, line 1): not a whole number; use a whole number \
         from 1 to 1024",
    );
    check(
        "spool.max_bytes = 100\n",
        "spool.max_bytes = 100 (tallyhook.toml, line 1): out of range; use a whole number from \
         1048576 to 1125899906842624",
    );
    check(
        "log.partitions = -1\n",
        "log.partitions = -1 (tallyhook.toml, line 1): out of range; use a whole number from 1 \
         to 1024",
    );
    check(
        "[shops.default]\ntime_zone = \"Mars/Base\"\n",
        "shops.default.time_zone = \"Mars/Base\" (tallyhook.toml, line 2): not a time zone; use \
         an IANA name, for example UTC or Europe/Paris",
    );
    check(
        "[shops.\"a.example\"]\ncurrency = \"QQQ\"\n",
        "shops.\"a.example\".currency = \"QQQ\" (tallyhook.toml, line 2): not a currency; use an \
         ISO 4217 code, for example USD",
    );
    check(
        "[shops.default]\nclv_lifespan_years = 0\n",
        "shops.default.clv_lifespan_years = 0 (tallyhook.toml, line 2): not a number of years; \
         use a decimal above 0 and at most 100, for example 3 or 2.5",
    );
    check(
        "[kafka]\nbrokers = []\n",
        "kafka.brokers = [] (tallyhook.toml, line 2): no broker; list at least one HOST:PORT, for \
         example [\"127.0.0.1:9092\"]",
    );
    check(
        "[kafka]\nallow_unsafe = \"yes\"\n",
        "kafka.allow_unsafe = \"yes\" (tallyhook.toml, line 2): a text; write true or false",
    );
    check(
        "[data]\ndir = \"\"\n",
        "data.dir = \"\" (tallyhook.toml, line 2): empty; name a directory, for example \
         ./tallyhook-data",
    );
}

#[test]
fn sources_and_reasons_are_checked() {
    check(
        "[sources.shopify]\nplatform = \"shopware\"\n",
        "sources.shopify.platform = \"shopware\" (tallyhook.toml, line 2): not a platform; use \
         shopify, woocommerce, stripe or standard",
    );
    check(
        "\n[sources.mine]\n",
        "sources.mine.platform is missing (tallyhook.toml, line 2): use shopify, woocommerce, \
         stripe or standard",
    );
    check(
        "[sources.Shop-One]\nplatform = \"shopify\"\n",
        "sources.Shop-One = \"Shop-One\" (tallyhook.toml, line 1): not a source's name; use a-z, \
         0-9 and _, for example [sources.shopify]",
    );
    check(
        "[sources.shopify]\nshops = [\"*\", \"a.example\"]\n",
        "sources.shopify.shops = [\"*\", \"a.example\"] (tallyhook.toml, line 2): not a list of \
         domains; use [\"*\"] or a list of domains, for example [\"a.myshopify.com\"]",
    );
    check(
        "[reasons]\nbroken = [\"broken\"]\n",
        "reasons.broken = [\"broken\"] (tallyhook.toml, line 2): not a reason; use one of \
         size_too_small, size_too_large, fit, color, style, not_as_described, wrong_item, \
         defective, quality, damaged_in_transit, delivery, unwanted, other",
    );
}

#[test]
fn unknown_keys_are_refused_and_their_values_not_shown() {
    check(
        "[public]\nlistn = \"x\"\n",
        "public.listn (tallyhook.toml, line 2): no such key; did you mean listen?",
    );
    check("[publik]\n", "publik (tallyhook.toml, line 1): no such key; did you mean public?");
    check(
        "[sources.shopify]\nsecret = \"s3cr3t\"\n",
        "sources.shopify.secret (tallyhook.toml, line 2): no such key; did you mean secrets?",
    );
    check(
        "[admin]\nport = 1\n",
        "admin.port (tallyhook.toml, line 2): no such key; the keys here are listen, token",
    );
    check(
        "[shops]\na.myshopify.com.currency = \"USD\"\n",
        "shops.a.myshopify.com.currency (tallyhook.toml, line 2): no such key; a shop's domain \
         stands in quotes: [shops.\"a.myshopify.com\"]",
    );
    check(
        "admin = \"s3cr3t\"\n",
        "admin (tallyhook.toml, line 1): a value, but admin is a section; write its keys under \
         [admin]",
    );
    check(
        "[public.listen]\n",
        "public.listen = {..} (tallyhook.toml, line 1): a table; write a text in quotes",
    );
    let text = refused(LEAST, &[("TALLYHOOK_PUBLIC__LISTN", "s3cr3t")], Needs::Serve);
    assert_eq!(
        text,
        "public.listn (environment variable TALLYHOOK_PUBLIC__LISTN): no such key; did you mean \
         listen?"
    );
    let text = refused(LEAST, &[("TALLYHOOK_LISTEN", "s3cr3t")], Needs::Serve);
    assert_eq!(
        text,
        "environment variable TALLYHOOK_LISTEN: names no key; write TALLYHOOK_SECTION__KEY with \
         two underscores, for example TALLYHOOK_PUBLIC__LISTEN, or unset it"
    );
}

#[test]
fn secrets_never_show_in_errors() {
    let source = |secret: &str| format!("[sources.shopify]\nsecrets = {secret}\n");
    let check = |text: &str, environment: &[(&str, &str)], expected: &str| {
        let message = refused(text, environment, Needs::Serve);
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("s3cr3t"), "{message}");
    };
    check(
        &source("[\"env:SHOPIFY_SECRET\"]"),
        &[],
        "sources.shopify.secrets = env:SHOPIFY_SECRET (tallyhook.toml, line 2): this environment \
         variable is not set",
    );
    check(
        &source("[\"env:SHOPIFY_SECRET\"]"),
        &[("SHOPIFY_SECRET", "")],
        "this environment variable is empty",
    );
    check(
        &source("[\"file:/no/such/file\"]"),
        &[],
        "sources.shopify.secrets = file:/no/such/file (tallyhook.toml, line 2): cannot read the \
         file: No such file",
    );
    check(&source("[\"s3cr3t\", \"\"]"), &[], "= <redacted> (tallyhook.toml, line 2): empty;");
    check(&source("[]"), &[], "sources.shopify.secrets is missing (tallyhook.toml, line 1)");
    check(&source("\"s3cr3t\""), &[], "= <redacted> (tallyhook.toml, line 2): a text;");
    check(&source("[\"s3cr3t\"\n"), &[], "tallyhook.toml, line 2: not valid TOML:");
    check(
        &format!("{LEAST}[privacy]\npseudonym_key = \"s3cr3t\"\n").replace("s3cr3t-one", "x"),
        &[],
        "privacy.pseudonym_key = <redacted> (tallyhook.toml, line 4): the key has 6 bytes, fewer \
         than 32; use 32 bytes or more",
    );
    check(
        &format!("{LEAST}[redis]\nurl = \"http://u:s3cr3t@h\"\n").replace("s3cr3t-one", "x"),
        &[],
        "redis.url = <redacted> (tallyhook.toml, line 4): not an address of Redis; use redis://",
    );
}

#[test]
fn commands_refuse_what_they_lack() {
    let check = |text: &str, needs: Needs, expected: &str| {
        let message = refused(text, &[], needs);
        assert!(message.starts_with(expected), "{message}");
    };
    check("", Needs::Serve, "sources: none is configured; add at least one");
    check("", Needs::Aggregate, "privacy.pseudonym_key is missing (set nowhere): all processes");
    check(LEAST, Needs::Ingest, "privacy.pseudonym_key is missing");
    check(
        &format!("{LEAST}[admin]\nlisten = \"0.0.0.0:1\"\n"),
        Needs::Serve,
        "admin.listen = \"0.0.0.0:1\" (tallyhook.toml, line 4): not a loopback address, and \
         admin.token is not set; set admin.token",
    );
    let unresolved = "[sources.shopify]\nsecrets = [\"env:UNSET\"]\n";
    let config = load(unresolved, &[], &[], Needs::Nothing).expect("secrets are not looked up");
    assert!(config.sources["shopify"].secrets.is_empty());
    let key = format!("[privacy]\npseudonym_key = \"{KEY}\"\n");
    let config = load(&key, &[], &[], Needs::Aggregate).expect("a configuration");
    assert_eq!(config.kafka.expect("Kafka").brokers, ["127.0.0.1:9092"]);
    assert_eq!(config.redis.expect("Redis").url.expose(), "redis://127.0.0.1:6379");
}

#[test]
fn a_named_file_must_exist() {
    let file = Some("/no/such/tallyhook.toml".into());
    let message = |inputs: Inputs| Config::load(&inputs, Needs::Nothing).map(|_| ()).expect_err("");
    let expected = "cannot read the configuration /no/such/tallyhook.toml: No such file";
    let inputs = Inputs { file, ..Inputs::default() };
    assert!(message(inputs).to_string().starts_with(expected));
    let variable = ("TALLYHOOK_CONFIG".to_owned(), "/no/such/tallyhook.toml".to_owned());
    let inputs = Inputs { environment: BTreeMap::from([variable]), ..Inputs::default() };
    assert!(message(inputs).to_string().starts_with(expected));
}

#[test]
fn defaults_are_the_contract() {
    let config = load(LEAST, &[], &[], Needs::Serve).expect("a configuration");
    assert_eq!(config.public.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.public.body_limit_bytes, 8_388_608);
    assert_eq!(config.public.body_timeout.as_millis(), 4000);
    assert_eq!(config.public.workers, None);
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:8081");
    assert!(config.admin.token.is_none());
    assert_eq!(config.data.dir, Path::new("./tallyhook-data"));
    assert!(config.privacy.pseudonym_key.is_none());
    let source = &config.sources["shopify"];
    assert_eq!((source.platform, &source.shops), (Platform::Shopify, &ShopList::Any));
    assert_eq!(source.attributes, Attributes::default());
    let shop = config.shop(&ShopDomain::parse("any.example").expect("a domain"));
    assert_eq!((shop.currency.code(), shop.time_zone.iana_name()), ("USD", Some("UTC")));
    assert_eq!(shop.clv_lifespan_years, None);
    assert!(config.reasons.is_empty());
    assert_eq!((config.log.partitions, config.log.segment_bytes), (32, 67_108_864));
    assert_eq!(config.spool.max_bytes, 10 << 30);
    assert_eq!(config.alarms.months_between_false, 132);
    assert!(config.kafka.is_none() && config.redis.is_none());
}

#[test]
fn every_key_can_be_set_in_the_file() {
    let text = r#"
[public]
workers = 2
[sources.main]
platform = "standard"
secrets = ["one", "env:TWO"]
shops = ["A.example"]
[sources.main.attributes]
line_properties = ["engraving"]
[shops.default]
clv_lifespan_years = 2.50
[shops."A.Example"]
currency = "EUR"
time_zone = "Europe/Paris"
[reasons]
defective = ["Broken"]
"#;
    let config = load(text, &[("TWO", "2")], &[], Needs::Serve).expect("a configuration");
    let source = &config.sources["main"];
    let shop = ShopDomain::parse("a.example").expect("a domain");
    let secrets: Vec<&[u8]> = source.secrets.iter().map(Secret::expose).collect();
    assert_eq!(secrets, [b"one" as &[u8], b"2"]);
    assert_eq!(source.shops.only(), Some(&shop));
    assert!(source.shops.allows(&shop));
    assert!(!source.shops.allows(&ShopDomain::parse("b.example").expect("a domain")));
    assert_eq!(source.attributes.line_properties, ["engraving"]);
    let shop = config.shop(&shop);
    assert_eq!((shop.currency.code(), shop.time_zone.iana_name()), ("EUR", Some("Europe/Paris")));
    assert_eq!(shop.clv_lifespan_years.as_deref(), Some("2.50"));
    assert_eq!(config.reasons[&Reason::Defective], ["broken"]);
    assert_eq!(config.public.workers, Some(2));
}

#[test]
fn flags_win_over_environment_and_environment_over_file() {
    let text = format!("{LEAST}[data]\ndir = \"file\"\n");
    let dir = |environment: &[(&str, &str)], flags: &[(&str, &str, &str)]| {
        load(&text, environment, flags, Needs::Serve).expect("a configuration").data.dir
    };
    let variable: &[_] = &[("TALLYHOOK_DATA__DIR", "environment")];
    assert_eq!(dir(&[], &[]), Path::new("file"));
    assert_eq!(dir(variable, &[]), Path::new("environment"));
    assert_eq!(dir(variable, &[("data.dir", "flag", "data-dir")]), Path::new("flag"));
    let error = load(&text, variable, &[("data.dir", "", "data-dir")], Needs::Serve);
    assert!(error.expect_err("empty").starts_with("data.dir = \"\" (flag --data-dir): empty"));
}

/// A value for every key, none of them the default.
fn values(files: &Files) -> Vec<(&'static str, &str)> {
    let (certificate, private) = (&*files.certificate, &*files.key);
    vec![
        ("public.listen", "localhost:1"),
        ("public.body_limit_bytes", "2048"),
        ("public.body_timeout_ms", "100"),
        ("public.workers", "3"),
        ("admin.listen", "127.0.0.1:2"),
        ("admin.token", "env:TALLYHOOK_TOKEN"),
        ("data.dir", "elsewhere"),
        ("privacy.pseudonym_key", KEY),
        ("sources.*.platform", "stripe"),
        ("sources.*.secrets", "a, b"),
        ("sources.*.shops", "a.example,b.example"),
        ("sources.*.attributes.line_properties", "p,q"),
        ("sources.*.attributes.note_attributes", "n"),
        ("sources.*.attributes.tags", "vip"),
        ("shops.default.currency", "EUR"),
        ("shops.default.time_zone", "Asia/Tokyo"),
        ("shops.default.clv_lifespan_years", "3"),
        ("reasons.*", "torn,broken"),
        ("log.partitions", "8"),
        ("log.segment_bytes", "65536"),
        ("spool.max_bytes", "1048576"),
        ("kafka.brokers", "a:1,b:2"),
        ("kafka.replication", "1"),
        ("kafka.allow_unsafe", "true"),
        ("kafka.session_timeout_ms", "45000"),
        ("kafka.retention_days", "20"),
        ("kafka.tls", "true"),
        ("kafka.tls_ca", certificate),
        ("kafka.tls_cert", certificate),
        ("kafka.tls_key", private),
        ("kafka.sasl_mechanism", "scram-sha-512"),
        ("kafka.sasl_username", "kafka-us3r"),
        ("kafka.sasl_password", "kafka-s3cr3t"),
        ("redis.url", "rediss://:s3cr3t@cache:6379"),
        ("redis.tls_ca", certificate),
        ("redis.tls_cert", certificate),
        ("redis.tls_key", private),
        ("snapshots.dir", "/snapshots"),
        ("snapshots.keep", "9"),
        ("alarms.months_between_false", "60"),
    ]
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    let files = Files::new();
    let values = values(&files);
    let mut environment = BTreeMap::from([("TALLYHOOK_TOKEN".to_owned(), "t0ken".to_owned())]);
    let named =
        |pattern: &str| pattern.replace("reasons.*", "reasons.defective").replace('*', "my_shop");
    for known in key::KEYS.iter().filter(|known| !known.pattern.starts_with("shops.*")) {
        let value = values.iter().find(|(pattern, _)| *pattern == known.pattern);
        let (pattern, value) = value.expect(known.pattern);
        let variable = named(pattern).replace('.', "__").to_uppercase();
        environment.insert(format!("TALLYHOOK_{variable}"), (*value).to_owned());
    }
    let inputs = Inputs { environment, ..Inputs::default() };
    let config = Config::load(&inputs, Needs::Serve).expect("a configuration");
    for (pattern, _) in &values {
        let effective = config.effective().iter().find(|e| e.key == Key::dotted(&named(pattern)));
        let origin = &effective.expect(pattern).origin;
        assert!(origin.starts_with("environment variable TALLYHOOK_"), "{pattern}: {origin}");
    }
    assert_eq!(config.public.listen.to_string(), "127.0.0.1:1");
    assert_eq!(config.admin.token.as_ref().map(Secret::expose), Some(b"t0ken" as &[u8]));
    assert_eq!(config.sources["my_shop"].secrets.len(), 2);
    assert_eq!(config.sources["my_shop"].secrets[1].expose(), b"b");
    assert_eq!(config.kafka.as_ref().map(|kafka| kafka.brokers.len()), Some(2));
    assert_eq!(config.kafka.as_ref().map(|kafka| kafka.allow_unsafe), Some(true));
    assert_eq!(config.reasons[&Reason::Defective], ["torn", "broken"]);
    let shown = format!("{config:?}{}", config.print());
    for secret in ["t0ken", "s3cr3t", "us3r", KEY] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("rediss://<redacted>@cache:6379"), "{shown}");
}

#[test]
fn a_shop_of_its_own_cannot_be_set_by_a_variable() {
    let variable = ("TALLYHOOK_SHOPS__A_EXAMPLE__CURRENCY", "EUR");
    let text = refused("", &[variable], Needs::Nothing);
    assert!(text.contains("CURRENCY): not settable by a variable; use the file"), "{text}");
}

#[test]
fn what_is_printed_is_redacted_and_reads_back() {
    let text = "[sources.shopify]\nsecrets = [\"s3cr3t\", \"env:TALLYHOOK_X\"]\n\
                [shops.\"a.example\"]\ntime_zone = \"UTC\"\n[log]\npartitions = 0x10\n";
    let config = load(text, &[("TALLYHOOK_X", "v4lue")], &[], Needs::Serve);
    let config = config.expect("a configuration");
    let printed = config.print();
    let debugged = format!("{config:?}");
    assert!(!printed.contains("s3cr3t") && !printed.contains("v4lue"), "{printed}");
    assert!(!debugged.contains("s3cr3t") && !debugged.contains("v4lue"), "{debugged}");
    let has = |line: &str| assert!(printed.contains(line), "{line}\n{printed}");
    has("[public]\nlisten = \"127.0.0.1:8080\"  # default\n");
    has("secrets = [\"<redacted>\", \"<redacted>\"]  # ");
    has(": <redacted>, env:TALLYHOOK_X\n");
    has("\n[shops.\"a.example\"]\ntime_zone = \"UTC\"  # ");
    has("partitions = 16  # ");
    let again = load(&printed, &[], &[], Needs::Serve).expect("the printed text is valid");
    assert_eq!(again.log.partitions, 16);
}

#[test]
fn the_pseudonym_key_is_made_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let flags = [("data.dir", data.to_str().expect("UTF-8"), "data-dir")];
    let config = load(LEAST, &[], &flags, Needs::Serve).expect("a configuration");
    let first = PseudonymKey::load_or_create(&config).expect("a key");
    let second = PseudonymKey::load_or_create(&config).expect("a key");
    assert_eq!(first.expose(), second.expose());
    assert_eq!(first.expose().len(), 64);
    let names: Vec<_> = fs::read_dir(&data).expect("listed").collect();
    assert_eq!(names.len(), 1, "no draft is left");
    let file = data.join("pseudonym.key");
    let mode = fs::metadata(&file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = format!("{LEAST}[privacy]\npseudonym_key = \"file:{}\"\n", file.display());
    let sharing = load(&text, &[], &[], Needs::Ingest).expect("a configuration");
    let third = PseudonymKey::load_or_create(&sharing).expect("a key");
    assert_eq!(third.expose(), first.expose(), "the file can be named on other machines");
    fs::write(&file, "short\n").expect("written");
    let error = PseudonymKey::load_or_create(&config).expect_err("short").to_string();
    assert!(error.contains("the key has 5 bytes, fewer than 32"), "{error}");
}

#[test]
fn the_fingerprint_is_stable() {
    let text = format!("[privacy]\npseudonym_key = \"{KEY}\"\n");
    let config = load(&text, &[], &[], Needs::Nothing).expect("a configuration");
    let key = PseudonymKey::load_or_create(&config).expect("a key");
    assert_eq!(key.fingerprint(), "433765243477b962");
    assert_eq!(format!("{key:?}"), "PseudonymKey(433765243477b962)");
}
