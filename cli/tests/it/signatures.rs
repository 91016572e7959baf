//! Only a right signature over the raw bytes is let in, and nothing of a forgery is kept.

use serde_json::{Value, json};

use crate::support::{Client, Delivery, Home, SECRET, Server, golden, hex, line, mac, order, sign};

const SHOP: &str = "example.myshopify.com";

/// Posts `body` with that signature, or with none.
fn post(server: &Server, body: &[u8], signature: Option<&str>) -> crate::support::Reply {
    let mut headers = vec![
        ("content-type", "application/json"),
        ("x-shopify-topic", "orders/create"),
        ("x-shopify-shop-domain", SHOP),
    ];
    headers.extend(signature.map(|signature| ("x-shopify-hmac-sha256", signature)));
    let url = format!("{}/webhooks/shopify", server.public);
    Client::new().post(&url, &headers, body).expect("an answer")
}

fn body() -> Vec<u8> {
    let lines = [line(1, 1, "10.00")];
    order(1, 7, "2025-06-01T00:00:00Z", &lines).to_string().into_bytes()
}

#[test]
fn the_vectors_are_taken() {
    let home = Home::new();
    let server = home.serve();
    let vectors: Vec<Value> =
        serde_json::from_str(&golden("fixtures/signatures/vectors.json")).expect("json");
    let mut taken = 0;
    for vector in vectors.iter().filter(|vector| vector["scheme"] == "shopify") {
        assert_eq!(vector["secret"], SECRET, "the configured secret");
        let signature = vector["headers"]["X-Shopify-Hmac-Sha256"].as_str().expect("a signature");
        let body = vector["body_utf8"].as_str().expect("a body").as_bytes();
        assert_eq!(sign(SECRET, body), signature, "{vector}");
        assert_eq!(post(&server, body, Some(signature)).status, 200, "{vector}");
        // The same signature over another body.
        let changed = [body, b" "].concat();
        assert_eq!(post(&server, &changed, Some(signature)).status, 401, "{vector}");
        taken += 1;
    }
    assert_eq!(taken, 3);
}

#[test]
fn forgeries_are_refused_and_leave_nothing() {
    let home = Home::new();
    let server = home.serve();
    let body = body();
    let right = sign(SECRET, &body);
    let hex = hex(&mac(SECRET, &body));
    let value: Value = serde_json::from_slice(&body).expect("json");
    let reserialised = serde_json::to_vec_pretty(&value).expect("json");
    let flipped = |position: usize| {
        let mut flipped = body.clone();
        flipped[position] ^= 1;
        flipped
    };
    let (first, middle, last) = (flipped(0), flipped(body.len() / 2), flipped(body.len() - 1));
    let wrong_secret = sign("Hush", &body);
    let forgeries: [(&str, &[u8], Option<&str>); 10] = [
        ("wrong secret", &body, Some(&wrong_secret)),
        ("flipped first byte", &first, Some(&right)),
        ("flipped byte within", &middle, Some(&right)),
        ("flipped last byte", &last, Some(&right)),
        ("cut body", &body[..body.len() - 1], Some(&right)),
        ("re-serialised body", &reserialised, Some(&right)),
        ("hex instead of base64", &body, Some(&hex)),
        ("cut signature", &body, Some(&right[..20])),
        ("empty header", &body, Some("")),
        ("missing header", &body, None),
    ];
    for (name, body, signature) in forgeries {
        let reply = post(&server, body, signature);
        assert_eq!(reply.status, 401, "{name}: {reply:?}");
        reply.assert_problem(401);
        assert!(!reply.body.contains(SECRET) && !reply.body.contains("line_items"), "{reply:?}");
    }
    server.settle();
    assert_eq!(server.json("/v1/shops"), json!({"shops": []}));
    let refused = "tallyhook_webhooks_total{outcome=\"bad_signature\",source=\"shopify\",\
                   topic=\"orders/create\"} 10";
    let metrics = server.get("/metrics").body;
    assert!(metrics.lines().any(|line| line == refused), "{metrics}");
    server.stop();
    assert!(home.events().is_empty());
    assert_eq!(home.stdout(&["dead-letter", "list"]).matches("orders/create").count(), 0);

    // The very same body is let in with its own signature.
    let server = home.serve();
    assert_eq!(post(&server, &body, Some(&right)).status, 200);
    server.settle();
    assert_eq!(server.json("/v1/shops")["shops"][0]["shop"], SHOP);
    server.stop();
    assert_eq!(home.events().len(), 1);
}

#[test]
fn any_of_several_secrets_will_do() {
    let home = Home::with(
        "[sources.other]\nplatform = \"shopify\"\nsecrets = [\"old\", \"new\"]\nshops = [\"a.example\"]",
    );
    let server = home.serve();
    let url = format!("{}/webhooks/other", server.public);
    let check = |secret: &str, shop: &str, status: u16| {
        let (body, client) = (body(), Client::new());
        let signature = sign(secret, &body);
        let headers = [
            ("x-shopify-topic", "orders/create"),
            ("x-shopify-shop-domain", shop),
            ("x-shopify-hmac-sha256", &signature),
        ];
        let reply = client.post(&url, &headers, &body).expect("an answer");
        assert_eq!(reply.status, status, "{secret} {shop}: {reply:?}");
    };
    check("old", "a.example", 200);
    check("new", "a.example", 200);
    // Another source's secret, and a shop that is not listed.
    check(SECRET, "a.example", 401);
    check("new", "b.example", 403);
}

#[test]
fn only_sources_are_posted_to() {
    let home = Home::new();
    let server = home.serve();
    let delivery = Delivery::raw(SHOP, "orders/create", body());
    assert_eq!(server.try_deliver(&delivery).status, 200);
    let client = Client::new();
    let unknown = client.post(&format!("{}/webhooks/nobody", server.public), &[], b"{}");
    unknown.expect("an answer").assert_problem(404);
    let got = client.get(&format!("{}/webhooks/shopify", server.public), &[]);
    got.expect("an answer").assert_problem(405);
}
