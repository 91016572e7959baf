//! The objects of the chart fit each other and the program: what names a thing by a label, a port or a
//! number names one that is there.

use serde_json::Value;

use super::{list, rendered, repository, text};

/// What the program may take to end, and the kubelet must leave it.
const STOP_SECONDS: u64 = 10;

const DISTRIBUTED: &[&str] = &["--set", "mode=distributed,kafka.brokers={kafka:9092}"];

/// Both modes with all that is optional.
fn releases() -> Vec<Vec<Value>> {
    let monitor = &["--set", "serviceMonitor.enabled=true"];
    let embedded = repository().join("helm/tallyhook/ci/embedded-values.yaml");
    let embedded = ["--values", embedded.to_str().expect("text")];
    let snapshots = &["--set", "snapshots.enabled=true,snapshots.existingClaim=copies"];
    vec![
        rendered(&[monitor, &embedded[..]].concat()),
        rendered(&[monitor, &snapshots[..], DISTRIBUTED].concat()),
    ]
}

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// The pods that long-running sets make.
fn pods(objects: &[Value]) -> impl Iterator<Item = &Value> {
    of_kind(objects, "StatefulSet").map(|set| &set["spec"]["template"])
}

/// The pods that do one thing and end.
fn ending(objects: &[Value]) -> impl Iterator<Item = &Value> {
    let jobs = of_kind(objects, "Job").map(|job| &job["spec"]["template"]);
    let later = of_kind(objects, "CronJob");
    jobs.chain(later.map(|job| &job["spec"]["jobTemplate"]["spec"]["template"]))
}

/// Whether all of `selector` is in `labels`.
fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().expect("a selector");
    !selector.is_empty() && selector.iter().all(|(name, value)| labels[name] == *value)
}

#[test]
fn selectors_find_pods_and_ports_have_names() {
    for objects in releases() {
        for service in of_kind(&objects, "Service") {
            let selector = &service["spec"]["selector"];
            let found: Vec<&Value> = pods(&objects)
                .filter(|pod| selects(selector, &pod["metadata"]["labels"]))
                .collect();
            assert!(!found.is_empty(), "{service:#}");
            for port in list(service, "/spec/ports") {
                let has = |pod: &&&Value| {
                    let ports = list(pod, "/spec/containers/0/ports").iter();
                    ports.into_iter().any(|named| named["name"] == port["targetPort"])
                };
                assert_eq!(found.iter().filter(has).count(), found.len(), "{service:#}");
            }
        }
        for budget in of_kind(&objects, "PodDisruptionBudget") {
            let selector = &budget["spec"]["selector"]["matchLabels"];
            let found = pods(&objects).filter(|pod| selects(selector, &pod["metadata"]["labels"]));
            assert_eq!(found.count(), 1, "{budget:#}");
        }
        for set in of_kind(&objects, "StatefulSet") {
            let labels = set.pointer("/spec/template/metadata/labels").expect("labels");
            assert!(selects(&set["spec"]["selector"]["matchLabels"], labels), "{set:#}");
            let governing = &set["spec"]["serviceName"];
            let service =
                of_kind(&objects, "Service").find(|s| s["metadata"]["name"] == *governing);
            assert_eq!(service.expect("a service")["spec"]["clusterIP"], "None");
        }
        // A pod that ends is nobody to send requests to.
        for job in ending(&objects) {
            let labels = &job["metadata"]["labels"];
            let mut services = of_kind(&objects, "Service");
            assert!(services.all(|service| !selects(&service["spec"]["selector"], labels)));
        }
    }
}

#[test]
fn ingress_and_monitor_name_services_that_are_there() {
    let mut seen = 0;
    for objects in releases() {
        for ingress in of_kind(&objects, "Ingress") {
            let backend = ingress.pointer("/spec/rules/0/http/paths/0/backend/service");
            let backend = backend.expect("a backend");
            let mut services = of_kind(&objects, "Service");
            let service = services.find(|s| s["metadata"]["name"] == backend["name"]).expect("it");
            let mut ports = list(service, "/spec/ports").iter();
            assert!(ports.any(|port| port["name"] == backend["port"]["name"]), "{ingress:#}");
            seen += 1;
        }
        for monitor in of_kind(&objects, "ServiceMonitor") {
            let selector = monitor.pointer("/spec/selector/matchLabels").expect("a selector");
            let services: Vec<&Value> = of_kind(&objects, "Service")
                .filter(|service| selects(selector, &service["metadata"]["labels"]))
                .collect();
            let [service] = &*services else { panic!("each pod is scraped once: {services:#?}") };
            let port = &monitor["spec"]["endpoints"][0]["port"];
            assert!(list(service, "/spec/ports").iter().any(|named| named["name"] == *port));
            // All pods, of whichever part.
            let selector = &service["spec"]["selector"];
            assert!(pods(&objects).all(|pod| selects(selector, &pod["metadata"]["labels"])));
            seen += 1;
        }
    }
    assert_eq!(seen, 3, "an ingress and two monitors");
}

#[test]
fn pods_may_do_nothing_that_they_need_not() {
    for objects in releases() {
        for pod in pods(&objects).chain(ending(&objects)) {
            let spec = &pod["spec"];
            assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
            assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
            assert_eq!(spec["automountServiceAccountToken"], false);
            let container = &spec["containers"][0];
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], true);
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["capabilities"]["drop"][0], "ALL");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{container:#}");
        }
    }
}

#[test]
fn pods_listen_where_they_say_and_have_time_to_end() {
    for objects in releases() {
        for pod in pods(&objects) {
            let container = &pod["spec"]["containers"][0];
            let variables = list(container, "/env");
            for port in list(container, "/ports") {
                let name = format!("TALLYHOOK_{}__LISTEN", text(port, "/name").to_uppercase());
                let listen = variables.iter().find(|variable| variable["name"] == name.as_str());
                let expected = format!("0.0.0.0:{}", port["containerPort"]);
                assert_eq!(listen.expect("an address")["value"], expected.as_str());
            }
            let sleep = container.pointer("/lifecycle/preStop/sleep/seconds");
            let sleep = sleep.and_then(Value::as_u64).expect("seconds");
            let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64().expect("seconds");
            assert!(grace >= sleep + STOP_SECONDS, "{grace} s for {sleep} s and the end");
        }
    }
}

#[test]
fn another_configuration_is_another_pod() {
    const SOURCES: &str = r#"sources=[{"name":"a","platform":"standard","secretKeys":["a"]}]"#;
    let checksum = |more: &[&str]| {
        let objects = rendered(&[DISTRIBUTED, more].concat());
        let sums: Vec<String> = pods(&objects)
            .map(|pod| text(pod, "/metadata/annotations/checksum~1config").to_owned())
            .collect();
        assert_eq!(sums.len(), 2);
        sums[0].clone()
    };
    let before = checksum(&[]);
    assert_eq!(before, checksum(&["--set", "ingest.replicas=3"]));
    assert_ne!(before, checksum(&["--set", "config=[log]\nsegment_bytes = 65536"]));
    assert_ne!(before, checksum(&["--set-json", SOURCES]));
}

#[test]
fn everything_is_of_the_program_s_version() {
    let version = env!("CARGO_PKG_VERSION");
    let read = |file: &str| std::fs::read_to_string(repository().join(file)).expect("a file");
    let chart = read("helm/tallyhook/Chart.yaml");
    assert!(chart.contains(&format!("\nappVersion: \"{version}\"\n")), "{chart}");
    assert!(read("deploy/compose.yaml").contains(&format!("image: tallyhook:{version}\n")));
    for objects in [rendered(DISTRIBUTED), rendered(&[])] {
        for pod in pods(&objects) {
            let image = text(pod, "/spec/containers/0/image");
            assert_eq!(image, format!("tallyhook:{version}"));
        }
    }
}
