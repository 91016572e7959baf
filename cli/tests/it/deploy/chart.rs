//! The chart: what it renders in both modes runs, counts webhooks and answers its own probes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::container::{Container, Localized, TOKEN, assert_counts};
use super::image::Image;
use super::{list, rendered, text};
use crate::support::{Kafka, Redis, SECRET, Server};

/// A pod's one container, and where its kubelet would ask.
struct Pod {
    container: Container,
    /// Paths on the admin listener.
    probes: Vec<String>,
}

/// Objects of a release, and what it expects to find: values by name and key of a Secret
/// or `ConfigMap`.
struct Release {
    objects: Vec<Value>,
    given: BTreeMap<(String, String), String>,
}

impl Release {
    fn render(arguments: &[&str], given: &[(&str, &str, &str)]) -> Self {
        let given = given
            .iter()
            .map(|(name, key, value)| ((name.to_string(), key.to_string()), value.to_string()));
        Self { objects: rendered(arguments), given: given.collect() }
    }

    /// The pods of the one object of that kind and name.
    fn pods(&self, kind: &str, name: &str) -> Vec<Pod> {
        let object = self.object(kind, name);
        let replicas = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        (0..replicas).map(|number| self.pod(object, &format!("{name}-{number}"))).collect()
    }

    fn object(&self, kind: &str, name: &str) -> &Value {
        let fits = |o: &&Value| o["kind"] == kind && o["metadata"]["name"] == name;
        self.objects.iter().find(fits).unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    fn pod(&self, object: &Value, name: &str) -> Pod {
        let job = object.pointer("/spec/jobTemplate").unwrap_or(object);
        let spec = job.pointer("/spec/template/spec").expect("a pod");
        let [container] = list(spec, "/containers") else { panic!("one container: {spec:#}") };
        let image = Image::read();
        let mut made = Container::of_image(name, &image);
        let words = |field: &str, default: &[String]| match list(container, field) {
            [] => default.to_vec(),
            words => words.iter().map(|word| text(word, "").to_owned()).collect(),
        };
        made.command =
            [words("/command", &image.entrypoint), words("/args", &image.command)].concat();
        for variable in list(container, "/env") {
            let value = self.value(variable, name);
            made.environment.insert(text(variable, "/name").to_owned(), value);
        }
        let mounts = list(container, "/volumeMounts").iter();
        made.mounts = mounts
            .map(|mount| {
                let files = self.volume(object, spec, text(mount, "/name"));
                (text(mount, "/mountPath").to_owned(), files)
            })
            .collect();
        let probes = probes(container);
        Pod { container: made, probes }
    }

    fn value(&self, variable: &Value, pod: &str) -> String {
        if let Some(value) = variable.get("value") {
            return text(value, "").to_owned();
        }
        let source = &variable["valueFrom"];
        if let Some(field) = source.get("fieldRef") {
            assert_eq!(field["fieldPath"], "metadata.name");
            return pod.to_owned();
        }
        let reference = &source["secretKeyRef"];
        self.given(text(reference, "/name"), text(reference, "/key")).to_owned()
    }

    fn given(&self, name: &str, key: &str) -> &str {
        let found = self.given.get(&(name.to_owned(), key.to_owned()));
        found.unwrap_or_else(|| panic!("nobody was told to make {key} of {name}"))
    }

    /// The files that a volume comes with.
    fn volume(&self, object: &Value, spec: &Value, name: &str) -> BTreeMap<String, String> {
        let claims = list(object, "/spec/volumeClaimTemplates");
        if claims.iter().any(|claim| claim["metadata"]["name"] == name) {
            return BTreeMap::new();
        }
        let volume = list(spec, "/volumes").iter().find(|volume| volume["name"] == name);
        let volume = volume.unwrap_or_else(|| panic!("no volume {name}"));
        if volume.get("emptyDir").or(volume.get("persistentVolumeClaim")).is_some() {
            return BTreeMap::new();
        }
        if let Some(secret) = volume.get("secret") {
            let file = |item: &Value| {
                let value = self.given(text(secret, "/secretName"), text(item, "/key"));
                (text(item, "/path").to_owned(), value.to_owned())
            };
            return list(secret, "/items").iter().map(file).collect();
        }
        let name = text(volume, "/configMap/name");
        let ours = |o: &&Value| o["kind"] == "ConfigMap" && o["metadata"]["name"] == name;
        let Some(map) = self.objects.iter().find(ours) else {
            let files = self.given.iter().filter(|((given, _), _)| given == name);
            return files.map(|((_, key), value)| (key.clone(), value.clone())).collect();
        };
        let data = map["data"].as_object().expect("files").iter();
        data.map(|(name, file)| (name.clone(), text(file, "").to_owned())).collect()
    }
}

/// The paths that are asked for on the port named `admin`; a kubelet knows ports by these names.
fn probes(container: &Value) -> Vec<String> {
    let probes = ["startupProbe", "livenessProbe", "readinessProbe"].iter();
    let found = probes.filter_map(|name| container.pointer(&format!("/{name}/httpGet")));
    found
        .map(|get| {
            assert_eq!(get["port"], "admin");
            text(get, "/path").to_owned()
        })
        .collect()
}

/// Starts a pod; every probe must be answered 200.
fn start(localized: &mut Localized, pod: &Pod) -> Server {
    let server = localized.start(&pod.container);
    assert_eq!(pod.probes.len(), 3, "{}", pod.container.name);
    for path in &pod.probes {
        assert_eq!(server.get(path).status, 200, "{path} of {}", pod.container.name);
    }
    assert_eq!(server.get("/metrics").status, 200);
    server
}

#[test]
fn the_chart_runs_embedded() {
    let values = super::repository().join("helm/tallyhook/ci/embedded-values.yaml");
    let values = values.to_str().expect("text");
    let release = Release::render(
        &["--values", values],
        &[
            ("tallyhook", "admin-token", TOKEN),
            ("tallyhook", "pseudonym-key", "0123456789abcdef0123456789abcdef"),
            ("tallyhook", "shopify-secret", "of tomorrow"),
            ("tallyhook", "shopify-secret-before", SECRET),
            ("tallyhook", "till-secret", "another one"),
        ],
    );
    let pods = release.pods("StatefulSet", "shop-tallyhook");
    assert_eq!(pods.len(), 1, "the log has one writer");
    let mut localized = Localized::new();
    let server = start(&mut localized, &pods[0]);
    let shop = "a.myshopify.com";
    assert_counts(&[&server], &[&server], shop);
    // What the values add to the file is in force: the shop's own zone over the default's.
    let reply = server.json(&format!("/v1/shops/{shop}/kpis"));
    assert_eq!(reply["time_zone"], "UTC");
    server.stop();
}

#[test]
fn the_chart_runs_distributed() {
    let (kafka, redis) = (Kafka::start(), Redis::start());
    let brokers = format!("kafka.brokers={{{}}}", kafka.broker(1));
    let release = Release::render(
        &[
            "--set",
            "mode=distributed,kafka.replication=1,kafka.allowUnsafe=true",
            "--set",
            &brokers,
        ],
        &[
            ("tallyhook", "admin-token", TOKEN),
            ("tallyhook", "pseudonym-key", "0123456789abcdef0123456789abcdef"),
            ("tallyhook", "shopify-secret", SECRET),
            ("tallyhook", "redis-url", &redis.url()),
        ],
    );
    let mut localized = Localized::new();
    let [topics] = &*release.pods("Job", "shop-tallyhook-topics") else { panic!("one pod") };
    let output = localized.run(&topics.container);
    assert!(output.status.success(), "{output:?}");

    let mut started = |name| -> Vec<Server> {
        let pods = release.pods("StatefulSet", name);
        pods.iter().map(|pod| start(&mut localized, pod)).collect()
    };
    let (receivers, folds) =
        (started("shop-tallyhook-ingest"), started("shop-tallyhook-aggregate"));
    assert_eq!((receivers.len(), folds.len()), (2, 2));
    let receivers: Vec<&Server> = receivers.iter().collect();
    let folds: Vec<&Server> = folds.iter().collect();
    assert_counts(&receivers, &folds, "a.myshopify.com");
}

/// TLS, a login and snapshots need servers of their own; here the program takes every key and every
/// file that the chart hands it, and would refuse one that it does not know.
#[test]
fn the_chart_s_options_are_the_program_s() {
    const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
    let values = super::repository().join("helm/tallyhook/ci/distributed-values.yaml");
    let release = Release::render(
        &["--values", values.to_str().expect("text")],
        &[
            ("shop-secrets", "token", TOKEN),
            ("shop-secrets", "pseudonyms", "0123456789abcdef0123456789abcdef"),
            ("shop-secrets", "shopify-secret", SECRET),
            ("shop-secrets", "kafka-username", "tallyhook"),
            ("shop-secrets", "kafka-password", "of kafka"),
            ("shop-secrets", "kafka-authority", AUTHORITY),
            ("shop-secrets", "redis-authority", AUTHORITY),
            ("kafka-user", "password", "of another"),
            ("kafka-authority", "ca.pem", AUTHORITY),
        ],
    );
    let mut localized = Localized::new();
    let kinds = [
        ("Job", "topics", &["topics", "apply"][..]),
        ("StatefulSet", "ingest", &["ingest"]),
        ("StatefulSet", "aggregate", &["aggregate"]),
        ("CronJob", "snapshots", &["snapshot", "create"]),
    ];
    for (kind, name, expected) in kinds {
        let mut pod = release.pods(kind, &format!("shop-tallyhook-{name}")).remove(0).container;
        assert_eq!(&pod.command[1..], expected);
        // The command itself would wait for the servers: that it exists shows in its help.
        pod.command.push("--help".to_owned());
        let output = localized.run(&pod);
        assert!(output.status.success(), "{name}: {output:?}");
        pod.command = ["tallyhook", "config", "print", "--json"].map(str::to_owned).to_vec();
        let output = localized.run(&pod);
        assert!(output.status.success(), "{name}: {output:?}");
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        // Values are shown as TOML.
        let value = |key: &str| {
            let shown = shown[key]["value"].as_str().unwrap_or_default();
            shown.trim_matches('"').to_owned()
        };
        assert_eq!(value("kafka.sasl_mechanism"), "scram-sha-512", "{shown:#}");
        assert!(value("kafka.tls_ca").ends_with("/kafka.pem"), "{shown:#}");
        if matches!(name, "aggregate" | "snapshots") {
            assert!(value("redis.tls_ca").ends_with("/redis.pem"), "{shown:#}");
            assert!(value("snapshots.dir").ends_with("/snapshots"), "{shown:#}");
        }
    }
}
