//! The receiver over real sockets: every row of the contract's table of answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{App, HttpServer, web};
use common::clock::FixedClock;
use common::config::{Attributes, Platform, Secret, ShopList};
use common::customer::Pseudonymizer;
use common::event::Event;
use common::log::memory::MemoryLog;
use common::log::{AppendError, BatchLimit, Item, ReadBatch as _, Subscribe as _};
use common::partition::partition_of;
use ingest::dead_letter::DeadLetterDir;
use ingest::metrics::IngestMetrics;
use ingest::notes::NoteRules;
use ingest::receiver::{Limits, Ports, Receiver, Retried, Source, configure};
use ingest::verify::{sign_shopify, sign_standard};
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{KEY, RECEIVED_AT, at, shop};

const SECRET: &[u8] = b"hush";
const ORDER: &[u8] = br#"{"id":1,"currency":"USD","created_at":"2026-01-01T00:00:00Z","line_items":[{"id":1,"quantity":1,"price":"1.00"}],"url":"https:\/\/x"}"#;
const LIMIT: usize = 4096;

/// A running receiver.
struct Running {
    address: std::net::SocketAddr,
    log: MemoryLog,
    dead_letters: DeadLetterDir,
    registry: Registry,
    receiver: web::Data<Receiver>,
    _dir: tempfile::TempDir,
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

fn sources() -> BTreeMap<String, Source> {
    let source = |name: &str, platform, secret: &str, shops| {
        let secrets = [Secret::literal(secret).expect("a secret")];
        let source = Source::of(name, platform, &secrets, shops, Attributes::default());
        (name.to_owned(), source.expect("a source"))
    };
    let list = |shops: &[&str]| ShopList::List(shops.iter().map(|text| shop(text)).collect());
    BTreeMap::from([
        source("open", Platform::Shopify, "hush", ShopList::Any),
        source("one", Platform::Shopify, "hush", list(&["a.myshopify.com"])),
        source("lines", Platform::Standard, "raw key", list(&["r.example"])),
    ])
}

fn start() -> Running {
    start_with(Duration::from_secs(10))
}

fn start_with(body_timeout: Duration) -> Running {
    let dir = tempfile::tempdir().expect("a directory");
    let log = MemoryLog::new(32);
    let dead_letters = DeadLetterDir::open(dir.path(), KEY, 1 << 20).expect("opens");
    let registry = Registry::new();
    let ports = Ports {
        log: Arc::new(log.clone()),
        dead_letters: Arc::new(dead_letters.clone()),
        clock: Arc::new(FixedClock::at(at(RECEIVED_AT))),
        metrics: IngestMetrics::register(&registry).expect("registered"),
    };
    let limits = Limits { body_limit_bytes: LIMIT, body_timeout, partitions: 32 };
    let receiver =
        Receiver::new(sources(), Pseudonymizer::new(KEY), NoteRules::default(), limits, ports);
    let receiver = web::Data::new(receiver);
    let shared = receiver.clone();
    let server =
        HttpServer::new(move || App::new().configure(|config| configure(config, shared.clone())))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .expect("bound");
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    Running { address, log, dead_letters, registry, receiver, _dir: dir }
}

impl Running {
    async fn send(&self, head: &str, body: &[u8]) -> Reply {
        let mut socket = TcpStream::connect(self.address).await.expect("connected");
        socket.write_all(head.as_bytes()).await.expect("sent");
        socket.write_all(body).await.expect("sent");
        reply(&mut socket).await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head = format!("{head}{name}: {value}\r\n");
        }
        self.send(&format!("{head}\r\n"), body).await
    }

    async fn shopify(&self, source: &str, topic: &str, shop: &str, body: &[u8]) -> Reply {
        let signature = sign_shopify(SECRET, body);
        let headers = [
            ("X-Shopify-Hmac-Sha256", signature.as_str()),
            ("X-Shopify-Topic", topic),
            ("X-Shopify-Shop-Domain", shop),
            ("X-Shopify-Webhook-Id", "d-1"),
            ("X-Shopify-Triggered-At", "2026-06-01T11:59:58.5Z"),
        ];
        self.post(&format!("/webhooks/{source}"), &headers, body).await
    }

    fn events(&self) -> Vec<(u16, Event)> {
        let mut reader = self.log.open_from(&[0; 32]).expect("a reader");
        let limit = BatchLimit { max_records: 1000, max_bytes: 1 << 20 };
        let items = reader.next_batch(limit, Duration::ZERO).expect("a batch");
        let event = |item| match item {
            Item::Record(record) => {
                (record.partition, Event::decode(&record.payload).expect("an event"))
            }
            Item::Quarantined(_) => panic!("memory does not rot"),
        };
        items.into_iter().map(event).collect()
    }

    fn nothing_kept(&self) {
        assert!(self.events().is_empty());
        assert!(self.dead_letters.list().expect("a list").is_empty());
    }

    fn last_reason(&self) -> String {
        let list = self.dead_letters.list().expect("a list");
        list.last()
            .and_then(|letter| letter.envelope.as_ref())
            .expect("a letter")
            .reason
            .label()
            .to_owned()
    }

    fn metrics(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("encoded");
        String::from_utf8(text).expect("text")
    }
}

async fn reply(socket: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length =
                length.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
                let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
                return Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned() };
            }
        }
        match tokio::time::timeout(Duration::from_secs(8), socket.read(&mut chunk)).await {
            Ok(Ok(read)) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
            other => panic!("no answer: {other:?} after {text}"),
        }
    }
}

fn is_problem(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.body);
    assert!(reply.head.contains("content-type: application/problem+json"), "{}", reply.head);
    let problem: serde_json::Value = serde_json::from_str(&reply.body).expect("json");
    assert_eq!(
        (problem["type"].as_str(), problem["status"].as_u64()),
        (Some("about:blank"), Some(status.into()))
    );
    assert!(problem["title"].is_string() && problem["detail"].is_string());
    assert!(!reply.body.contains("hush") && !reply.body.contains("myshopify"));
}

#[actix_web::test]
async fn a_signed_delivery_is_durable_before_its_answer() {
    let running = start();
    let reply = running.shopify("open", "orders/create", "A.myshopify.com", ORDER).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    let events = running.events();
    assert_eq!(events.len(), 1);
    let (partition, event) = &events[0];
    assert_eq!(*partition, partition_of(&shop("a.myshopify.com"), 32));
    assert_eq!((event.body.kind(), event.source.as_ref()), ("order", "open"));
    assert_eq!(event.delivery_id.as_deref(), Some("d-1"));
    assert_eq!(event.received_at, at(RECEIVED_AT));
    assert_eq!(event.version.triggered_at, Some(at("2026-06-01T11:59:58.5Z")));
    let metrics = running.metrics();
    let counted =
        r#"tallyhook_webhooks_total{outcome="accepted",source="open",topic="orders/create"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    assert!(
        metrics.contains(r#"tallyhook_webhook_delivery_lag_seconds_sum{source="open"} 1.5"#),
        "{metrics}"
    );
}

#[actix_web::test]
async fn wrong_signatures_leave_nothing_behind() {
    let running = start();
    let right = sign_shopify(SECRET, ORDER);
    let hex = "e3".repeat(32);
    let mut flipped = ORDER.to_vec();
    flipped[6] ^= 1;
    let reserialised = String::from_utf8_lossy(ORDER).replace("\\/", "/").into_bytes();
    let other = sign_shopify(b"other", ORDER);
    let cases: [(Option<&str>, &[u8]); 7] = [
        (None, ORDER),
        (Some(""), ORDER),
        (Some(&hex), ORDER),
        (Some("?"), ORDER),
        (Some(&other), ORDER),
        (Some(&right), &flipped),
        (Some(&right), &reserialised),
    ];
    for (signature, body) in cases {
        let mut headers = vec![
            ("X-Shopify-Topic", "orders/create"),
            ("X-Shopify-Shop-Domain", "a.myshopify.com"),
        ];
        headers.extend(signature.map(|signature| ("X-Shopify-Hmac-Sha256", signature)));
        is_problem(&running.post("/webhooks/open", &headers, body).await, 401);
    }
    running.nothing_kept();
    assert!(
        running
            .metrics()
            .contains(r#"outcome="bad_signature",source="open",topic="orders/create"} 7"#)
    );
}

#[actix_web::test]
async fn paths_and_methods() {
    let running = start();
    is_problem(&running.post("/webhooks/nobody", &[], ORDER).await, 404);
    is_problem(&running.post("/elsewhere", &[], ORDER).await, 404);
    let get = "GET /webhooks/open HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let reply = running.send(get, b"").await;
    is_problem(&reply, 405);
    assert!(reply.head.contains("allow: post"), "{}", reply.head);
    let get = "GET /webhooks/nobody HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    is_problem(&running.send(get, b"").await, 404);
    assert!(!running.metrics().contains("nobody"));
}

#[actix_web::test]
async fn shops() {
    let running = start();
    is_problem(&running.shopify("one", "orders/create", "b.myshopify.com", ORDER).await, 403);
    running.nothing_kept();
    // Without a header the source's only shop is meant.
    assert_eq!(running.shopify("one", "orders/create", "", ORDER).await.status, 200);
    assert_eq!(running.events().len(), 1);
    assert_eq!(running.shopify("open", "orders/create", "", ORDER).await.status, 200);
    assert_eq!(running.last_reason(), "no_shop");
    assert_eq!(running.events().len(), 1);
}

#[actix_web::test]
async fn what_cannot_be_translated_is_kept_and_can_be_retried() {
    let running = start();
    let answers = [
        (running.shopify("open", "orders/create", "{shop}", ORDER).await, "bad_shop"),
        (running.shopify("open", "", "a.myshopify.com", ORDER).await, "no_topic"),
        (running.shopify("open", "orders/create", "a.myshopify.com", b"{}").await, "incomplete"),
        (running.shopify("open", "orders/create", "a.myshopify.com", b"[").await, "invalid_json"),
    ];
    let mut expected: Vec<_> = answers.iter().map(|(_, reason)| *reason).collect();
    expected.sort_unstable();
    assert!(answers.iter().all(|(reply, _)| reply.status == 200 && reply.body.is_empty()));
    let list = running.dead_letters.list().expect("a list");
    let reason = |letter: &ingest::dead_letter::Summary| {
        letter.envelope.as_ref().expect("opened").reason.label()
    };
    let mut reasons: Vec<_> = list.iter().map(reason).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, expected);
    assert!(running.events().is_empty());
    assert!(running.metrics().contains(r#"tallyhook_dead_letters_total{reason="bad_shop"} 1"#));

    let id = &list.iter().find(|letter| reason(letter) == "bad_shop").expect("a letter").id;
    let letter = running.dead_letters.show(id).expect("shown").expect("there");
    let retried = running.receiver.retry(&letter, None).await.expect("retried");
    assert!(matches!(retried, Retried::StillDead(_)));
    let named = shop("a.myshopify.com");
    let retried = running.receiver.retry(&letter, Some(&named)).await.expect("retried");
    assert_eq!(retried, Retried::Appended(1));
    assert_eq!(running.events()[0].1.received_at, at(RECEIVED_AT));
}

#[actix_web::test]
async fn other_topics_are_ignored() {
    let running = start();
    assert_eq!(
        running.shopify("open", "products/update", "a.myshopify.com", b"{}").await.status,
        200
    );
    running.nothing_kept();
    assert!(running.metrics().contains(r#"{outcome="ignored",source="open",topic="other"} 1"#));
}

#[actix_web::test]
async fn large_bodies_see_their_answer() {
    let running = start_with(Duration::from_secs(2));
    let fits = vec![b' '; LIMIT];
    assert_eq!(running.shopify("open", "x/y", "a.myshopify.com", &fits).await.status, 200);
    for size in [LIMIT + 1, 2 * LIMIT] {
        let body = vec![b'x'; size];
        is_problem(&running.shopify("open", "orders/create", "a.myshopify.com", &body).await, 413);
    }
    // Much larger and unfinished: the answer comes although most of it was never read.
    let head = "POST /webhooks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n";
    is_problem(&running.send(head, &vec![b'x'; 3 * LIMIT]).await, 413);
    // The same without a length.
    let chunk = format!("{:x}\r\n{}\r\n", 3 * LIMIT, "x".repeat(3 * LIMIT));
    let head = "POST /webhooks/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    is_problem(&running.send(head, chunk.as_bytes()).await, 413);
    running.nothing_kept();
    assert!(running.metrics().contains(r#"outcome="too_large""#));
}

#[actix_web::test]
async fn slow_bodies_are_timed_out() {
    let running = start_with(Duration::from_millis(400));
    let began = Instant::now();
    let head = "POST /webhooks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n";
    is_problem(&running.send(head, b"{\"id\":").await, 408);
    assert!(
        began.elapsed() >= Duration::from_millis(400) && began.elapsed() < Duration::from_secs(3)
    );
    // A trickle does not keep the body alive either.
    let mut socket = TcpStream::connect(running.address).await.expect("connected");
    socket.write_all(head.as_bytes()).await.expect("sent");
    let (mut read, mut write) = socket.split();
    let trickle = async {
        loop {
            let _ = write.write_all(b" ").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let mut first = [0; 12];
    tokio::select! {
        () = trickle => unreachable!("it never ends"),
        answered = tokio::time::timeout(Duration::from_secs(5), read.read_exact(&mut first)) => {
            answered.expect("in time").expect("an answer");
        }
    }
    assert_eq!(&first, b"HTTP/1.1 408");
    running.nothing_kept();
}

#[actix_web::test]
async fn nothing_durable_is_a_503() {
    let running = start();
    running.log.set_fault(Some(AppendError::Busy));
    let reply = running.shopify("open", "orders/create", "a.myshopify.com", ORDER).await;
    is_problem(&reply, 503);
    assert!(reply.head.contains("retry-after: 5"), "{}", reply.head);
    running.log.set_fault(None);
    running.nothing_kept();
    assert_eq!(
        running.shopify("open", "orders/create", "a.myshopify.com", ORDER).await.status,
        200
    );
}

#[actix_web::test]
async fn standard_sources_take_event_lines() {
    let running = start();
    let seconds = at(RECEIVED_AT).ms() / 1000;
    let post = async |body: &str| {
        let signature = sign_standard(b"raw key", "msg_1", seconds, body.as_bytes());
        let timestamp = seconds.to_string();
        let headers = [
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", signature.as_str()),
        ];
        running.post("/webhooks/lines", &headers, body.as_bytes()).await.status
    };
    let line = r#"{"type":"order_deleted","order":1,"at":"2024-01-01T00:00:00Z"}"#;
    assert_eq!(post(&format!("{line}\n{line}")).await, 200);
    assert_eq!(running.events().len(), 2);
    assert_eq!(running.events()[0].1.shop, shop("r.example"));
    assert_eq!(post(&line.replace("\"order\":1", "\"shop\":\"x.example\",\"order\":1")).await, 403);
    assert_eq!(post(r#"{"type":"order"}"#).await, 200);
    assert_eq!(running.last_reason(), "bad_line");
    assert_eq!(running.events().len(), 2);
    assert!(running.metrics().contains(r#"source="lines",topic="order_deleted"} 1"#));
}
