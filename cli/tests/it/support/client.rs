//! A small blocking HTTP client, and webhooks signed with it.
//!
//! The signature is worked out here and not with the receiver's own function, so that a mistake in
//! the one does not hide in the other.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// The secret of the source `shopify` in every test.
pub const SECRET: &str = "hush";

/// The signature of a body: base64 of its HMAC-SHA256.
pub fn sign(secret: &str, body: &[u8]) -> String {
    STANDARD.encode(mac(secret, body))
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("below 16");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The raw HMAC-SHA256 of a body.
pub fn mac(secret: &str, body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// The first header of that name, empty without one.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Panics unless this is an error of that status as problem details.
    pub fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        let kind = self.header("content-type");
        assert!(kind.starts_with("application/problem+json"), "{self:?}");
        assert_eq!(self.json()["status"], status, "{self:?}");
        assert!(self.json()["title"].is_string(), "{self:?}");
    }
}

/// The data of the next event of a name in a stream of server-sent events.
pub fn heard(stream: &mut impl std::io::BufRead, name: &str) -> Value {
    let (mut line, mut is_it) = (String::new(), false);
    loop {
        line.clear();
        let read = stream.read_line(&mut line).unwrap_or_else(|error| panic!("no {name}: {error}"));
        assert!(read > 0, "the stream ended before {name}");
        if let Some(event) = line.strip_prefix("event: ") {
            is_it = event.trim_end() == name;
        } else if let Some(data) = line.strip_prefix("data: ").filter(|_| is_it) {
            return serde_json::from_str(data).expect("json");
        }
    }
}

/// A keep-alive client; an error is a connection that failed, never a status.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
}

impl Client {
    pub fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Servers close what idled for 5 s, maybe just when it is used again.
            .max_idle_age(Duration::from_secs(2))
            .timeout_global(Some(Duration::from_mins(1)))
            .build();
        Self { agent: config.new_agent() }
    }

    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Reply, ureq::Error> {
        let request = headers.iter().fold(self.agent.get(url), |r, (name, v)| r.header(*name, *v));
        read(request.call()?)
    }

    /// An answer of 200 that goes on.
    pub fn open(&self, url: &str) -> impl std::io::BufRead + use<> {
        let response = self.agent.get(url).call().expect("an answer");
        assert_eq!(response.status().as_u16(), 200, "{url}");
        std::io::BufReader::new(response.into_body().into_reader())
    }

    pub fn head(&self, url: &str) -> Result<Reply, ureq::Error> {
        read(self.agent.head(url).call()?)
    }

    pub fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply, ureq::Error> {
        let request = headers.iter().fold(self.agent.post(url), |r, (name, v)| r.header(*name, *v));
        read(request.send(body)?)
    }

    /// Posts a webhook to the receiver at `public`.
    pub fn deliver(&self, public: &str, delivery: &Delivery) -> Result<Reply, ureq::Error> {
        let signature = sign(SECRET, &delivery.body);
        let mut headers = vec![
            ("content-type", "application/json"),
            ("x-shopify-topic", delivery.topic.as_str()),
            ("x-shopify-shop-domain", delivery.shop.as_str()),
            ("x-shopify-hmac-sha256", signature.as_str()),
        ];
        if let Some(id) = &delivery.id {
            headers.push(("x-shopify-webhook-id", id));
        }
        if let Some(at) = &delivery.triggered_at {
            headers.push(("x-shopify-triggered-at", at));
        }
        self.post(&format!("{public}/webhooks/shopify"), &headers, &delivery.body)
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Reply, ureq::Error> {
    let status = response.status().as_u16();
    let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
    let headers = response.headers().iter().map(|(name, v)| (name.to_string(), text(v))).collect();
    let body = response.body_mut().with_config().limit(256 << 20).read_to_string()?;
    Ok(Reply { status, headers, body })
}

/// A webhook to post.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub shop: String,
    pub topic: String,
    pub body: Vec<u8>,
    pub triggered_at: Option<String>,
    pub id: Option<String>,
}

impl Delivery {
    pub fn new(shop: &str, topic: &str, body: &Value) -> Self {
        Self::raw(shop, topic, body.to_string().into_bytes())
    }

    pub fn raw(shop: &str, topic: &str, body: Vec<u8>) -> Self {
        let (shop, topic) = (shop.to_owned(), topic.to_owned());
        Self { shop, topic, body, triggered_at: None, id: None }
    }

    /// Triggered at that instant.
    pub fn at(mut self, instant: &str) -> Self {
        self.triggered_at = Some(instant.to_owned());
        self
    }

    /// With that delivery id.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
}
