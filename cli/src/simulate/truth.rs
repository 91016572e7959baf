//! `--truth`: the exact KPIs that must result, worked out from the acknowledged deliveries alone.
//!
//! Nothing is kept while sending but ids: the plan makes the same deliveries again, shop by shop.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Context as _;
use common::books::{Books, Mode, Settings, Window};
use common::config::Attributes;
use common::customer::Pseudonymizer;
use common::event::Event;
use common::shop::ShopDomain;
use common::time::Timestamp;
use ingest::context::Context;
use ingest::notes::NoteRules;
use ingest::outcome::Outcome;
use ingest::shopify;
use serde_json::{Map, Value, json};

use super::Report;
use super::delivery::{Delivery, DeliveryId};
use super::history::{Plan, history_of};

/// Which pseudonyms come out is of no consequence for any figure.
const PSEUDONYM_KEY: &[u8] = b"simulate --truth needs no secret";

/// Writes the truth of a run to `path`, as of `as_of`.
pub(super) fn write(
    path: &Path,
    plan: &Plan,
    report: &Report,
    as_of: Timestamp,
) -> anyhow::Result<()> {
    let failed = report.refused.iter().chain(&report.unknown).copied().collect();
    let mut shops = Map::new();
    for (number, shop) in plan.shops.iter().enumerate() {
        shops.insert(shop.to_string(), kpis(plan, (number, shop), &failed, as_of)?);
    }
    let ids = |ids: &[DeliveryId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let truth = json!({
        "seed": plan.seed,
        "as_of": as_of.to_string(),
        "shops": shops,
        "acked": report.acked,
        "refused": ids(&report.refused),
        "unknown": ids(&report.unknown),
    });
    let text = serde_json::to_vec_pretty(&truth).context("the truth cannot be written as JSON")?;
    std::fs::write(path, text)
        .with_context(|| format!("cannot write {}: choose another --truth", path.display()))
}

/// Every KPI of every window of one shop.
fn kpis(
    plan: &Plan,
    (number, shop): (usize, &ShopDomain),
    failed: &HashSet<DeliveryId>,
    as_of: Timestamp,
) -> anyhow::Result<Value> {
    let translator = Translator::default();
    let acked = history_of(plan, number).filter(|delivery| !failed.contains(&delivery.webhook_id));
    let events: Vec<Event> = acked.flat_map(|delivery| translator.events(&delivery)).collect();
    let books = Books::new(&events, shop, &Settings::default());
    let rows = books.kpis(Mode::AsOf(as_of), &Window::EVERY);
    serde_json::to_value(rows).context("a KPI cannot be written as JSON")
}

/// What a receiver with the default configuration makes of a delivery.
pub(super) struct Translator {
    pseudonyms: Pseudonymizer,
    attributes: Attributes,
    notes: NoteRules,
}

impl Default for Translator {
    fn default() -> Self {
        Self {
            pseudonyms: Pseudonymizer::new(PSEUDONYM_KEY),
            attributes: Attributes::default(),
            notes: NoteRules::default(),
        }
    }
}

impl Translator {
    pub(super) fn outcome(&self, delivery: &Delivery) -> Outcome {
        let id = delivery.webhook_id.to_string();
        let context = Context {
            source: "shopify",
            shop: &delivery.shop,
            received_at: delivery.at,
            triggered_at: Some(delivery.triggered_at),
            delivery_id: Some(&id),
            imported_at: None,
            pseudonyms: &self.pseudonyms,
            attributes: &self.attributes,
            notes: &self.notes,
        };
        shopify::translate(delivery.topic, &delivery.body, &context)
    }

    pub(super) fn events(&self, delivery: &Delivery) -> Vec<Event> {
        match self.outcome(delivery) {
            Outcome::Events(events) => events,
            Outcome::Ignored(_) | Outcome::DeadLetter(_) => Vec::new(),
        }
    }
}
