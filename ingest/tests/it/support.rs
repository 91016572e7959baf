//! What the tests share.

use std::path::{Path, PathBuf};

use common::config::Attributes;
use common::customer::Pseudonymizer;
use common::event::{Body, Event, OrderSnapshot, Refund};
use common::shop::ShopDomain;
use common::time::Timestamp;
use ingest::context::Context;
use ingest::notes::NoteRules;
use ingest::outcome::Outcome;
use ingest::shopify::translate;

/// The key of all pseudonyms here.
pub const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// When every delivery here is received.
pub const RECEIVED_AT: &str = "2026-06-01T12:00:00Z";

/// The directory of the fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/testdata/fixtures")
}

/// The bytes of a fixture.
pub fn fixture(path: &str) -> Vec<u8> {
    let path = fixtures().join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

pub fn shop(text: &str) -> ShopDomain {
    ShopDomain::parse(text).expect(text)
}

/// A context's owned parts.
pub struct Door {
    pub shop: ShopDomain,
    pub pseudonyms: Pseudonymizer,
    pub attributes: Attributes,
    pub notes: NoteRules,
    pub triggered_at: Option<Timestamp>,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            shop: shop("a.myshopify.com"),
            pseudonyms: Pseudonymizer::new(KEY),
            attributes: Attributes::default(),
            notes: NoteRules::default(),
            triggered_at: None,
        }
    }
}

impl Door {
    pub fn translate(&self, topic: &str, body: &[u8]) -> Outcome {
        let context = Context {
            source: "shopify",
            shop: &self.shop,
            received_at: at(RECEIVED_AT),
            triggered_at: self.triggered_at,
            delivery_id: None,
            imported_at: None,
            pseudonyms: &self.pseudonyms,
            attributes: &self.attributes,
            notes: &self.notes,
        };
        translate(topic, body, &context)
    }

    /// The one event of a body.
    pub fn event(&self, topic: &str, body: &str) -> Event {
        let outcome = self.translate(topic, body.as_bytes());
        let Outcome::Events(mut events) = outcome else { panic!("{topic}: {outcome:?}") };
        assert_eq!(events.len(), 1);
        events.remove(0)
    }
}

pub fn order(body: &str) -> OrderSnapshot {
    order_of(Door::default().event("orders/updated", body))
}

pub fn order_of(event: Event) -> OrderSnapshot {
    let Body::Order(order) = event.body else { panic!("{:?}", event.body) };
    *order
}

pub fn refund(body: &str) -> Refund {
    let event = Door::default().event("refunds/create", body);
    let Body::Refund(refund) = event.body else { panic!("{:?}", event.body) };
    *refund
}
