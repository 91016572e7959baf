//! `GET /v1/stream`: server-sent events of what changes, at most a few a second.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use common::shop::ShopDomain;
use common::store::Store;
use futures_util::stream::unfold;
use rustc_hash::FxHashSet;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::{Api, Problem};
use crate::health::{Pulse, StatusReply};
use crate::views::{Happened, MOST_DELIVERIES};

/// How long what happens is collected before it is sent.
const COLLECT: Duration = Duration::from_millis(250);
/// A status is sent at least this often, so that silence means a broken connection.
const STATUS_EVERY: Duration = Duration::from_secs(15);

/// What is asked for.
#[derive(Debug, Deserialize)]
pub struct Asking {
    shop: Option<String>,
}

struct Listening<S> {
    api: web::Data<Api<S>>,
    happened: Receiver<Happened>,
    /// A shop that is told of whoever folds it, and where its partition was seen.
    watched: Option<(ShopDomain, Seen)>,
    told: Option<StatusReply>,
    told_at: Instant,
    _turn: OwnedSemaphorePermit,
}

/// Where a partition was seen, and whether this process told of it.
#[derive(Clone, Copy)]
struct Seen {
    position: Option<u64>,
    is_told: bool,
}

/// What happened while it was collected.
#[derive(Default)]
struct Collected {
    changed: FxHashSet<ShopDomain>,
    deliveries: VecDeque<serde_json::Value>,
    /// Some of it was missed.
    is_lost: bool,
}

/// `GET /v1/stream`.
pub async fn stream<S: Store>(
    api: web::Data<Api<S>>,
    asking: web::Query<Asking>,
) -> Result<HttpResponse, Problem> {
    let turn = api.listeners.clone().try_acquire_owned();
    let turn = turn.map_err(|_| Problem::Unavailable("too many listen already".to_owned()))?;
    let watched = asking.shop.as_deref().map(super::handlers::shop).transpose()?;
    let happened = api.query.views().listen();
    // Before the answer begins, upon which figures are asked for: whatever comes after is told.
    let pulse = api.pulse().await.ok_or(Problem::Internal)?;
    let watched = watched.map(|shop| {
        let seen = seen(&api, &shop, &pulse);
        (shop, seen)
    });
    let listening =
        Listening { happened, api, watched, told: None, told_at: Instant::now(), _turn: turn };
    let chunks = unfold(listening, |mut listening| async move {
        let text = listening.next().await?;
        Some((Ok::<_, actix_web::Error>(Bytes::from(text)), listening))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .streaming(chunks))
}

impl<S: Store> Listening<S> {
    /// The next piece of the stream; `None` ends it.
    async fn next(&mut self) -> Option<String> {
        loop {
            let mut text = String::new();
            let mut collected = self.collect().await?;
            let pulse = self.api.pulse().await?;
            if self.moved(&pulse) {
                collected.changed.extend(self.watched.as_ref().map(|(shop, _)| shop.clone()));
            }
            if collected.is_lost {
                // Who missed something is told of every shop.
                let query = self.api.query.clone();
                let shops = web::block(move || query.shop_names()).await.ok()?;
                collected.changed.extend(shops.ok()?);
            }
            for delivery in collected.deliveries {
                write(&mut text, "delivery", &delivery);
            }
            for shop in collected.changed {
                write(&mut text, "kpis", &serde_json::json!({ "shop": shop.as_str() }));
            }
            let status = &pulse.status;
            if self.told.as_ref() != Some(status) || self.told_at.elapsed() > STATUS_EVERY {
                write(&mut text, "status", &self.api.shown(status));
                (self.told, self.told_at) = (Some(status.clone()), Instant::now());
            }
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    /// What this process folds meanwhile; `None` where it ends.
    async fn collect(&mut self) -> Option<Collected> {
        let until = Instant::now() + COLLECT;
        let mut collected = Collected::default();
        loop {
            match timeout_at(until, self.happened.recv()).await {
                Err(_) => return Some(collected),
                Ok(Ok(happened)) => collected.add(happened),
                Ok(Err(RecvError::Lagged(_))) => collected.is_lost = true,
                Ok(Err(RecvError::Closed)) => return None,
            }
        }
    }

    /// Whether another process folded something of the watched shop's partition.
    fn moved(&mut self, pulse: &Pulse) -> bool {
        let Some((shop, before)) = &mut self.watched else { return false };
        let now = seen(&self.api, shop, pulse);
        let before = std::mem::replace(before, now);
        before.position != now.position && !(before.is_told && now.is_told)
    }
}

fn seen<S: Store>(api: &Api<S>, shop: &ShopDomain, pulse: &Pulse) -> Seen {
    let partition = api.query.partition(shop);
    let position = pulse.positions.as_ref().and_then(|all| all.get(usize::from(partition)));
    Seen { position: position.copied(), is_told: api.query.health().tells(partition) }
}

impl Collected {
    fn add(&mut self, happened: Happened) {
        match happened {
            Happened::Changed(shop) => {
                self.changed.insert(shop);
            }
            Happened::Delivery { shop, kind, topic, changed, at } => {
                if self.deliveries.len() == MOST_DELIVERIES {
                    self.deliveries.pop_front();
                }
                self.deliveries.push_back(serde_json::json!({
                    "shop": shop.as_str(),
                    "topic": topic,
                    "kind": kind,
                    "effect": if changed { "changed" } else { "unchanged" },
                    "at": at.to_string(),
                }));
            }
        }
    }
}

fn write(text: &mut String, event: &str, data: &serde_json::Value) {
    for part in ["event: ", event, "\ndata: ", &data.to_string(), "\n\n"] {
        text.push_str(part);
    }
}
