//! `GET /v1/stream`: server-sent events of what changes, at most a few a second.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use common::shop::ShopDomain;
use common::store::Store;
use futures_util::stream::unfold;
use rustc_hash::FxHashSet;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::Api;
use crate::query::{Query, StatusReply};
use crate::views::Happened;

/// How long what happens is collected before it is sent.
const COLLECT: Duration = Duration::from_millis(250);
/// A status is sent at least this often, so that silence means a broken connection.
const STATUS_EVERY: Duration = Duration::from_secs(15);
/// Deliveries shown in one collection; the ticker cannot be read faster.
const MOST_DELIVERIES: usize = 20;

struct Listening<S> {
    query: Arc<Query<S>>,
    happened: Receiver<Happened>,
    told: Option<StatusReply>,
    told_at: Instant,
}

/// `GET /v1/stream`.
pub async fn stream<S: Store>(api: web::Data<Api<S>>) -> HttpResponse {
    let listening = Listening {
        query: api.query.clone(),
        happened: api.query.views().listen(),
        told: None,
        told_at: Instant::now(),
    };
    let chunks = unfold(listening, |mut listening| async move {
        let text = listening.next().await?;
        Some((Ok::<_, actix_web::Error>(Bytes::from(text)), listening))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .streaming(chunks)
}

impl<S: Store> Listening<S> {
    /// The next piece of the stream; `None` ends it.
    async fn next(&mut self) -> Option<String> {
        loop {
            let mut text = String::new();
            let until = Instant::now() + COLLECT;
            let (mut changed, mut deliveries) = (FxHashSet::default(), VecDeque::new());
            loop {
                match timeout_at(until, self.happened.recv()).await {
                    Err(_) => break,
                    Ok(Ok(happened)) => collect(happened, &mut changed, &mut deliveries),
                    // Too slow a listener misses deliveries of the ticker; figures are asked for anew.
                    Ok(Err(RecvError::Lagged(_))) => {}
                    Ok(Err(RecvError::Closed)) => return None,
                }
            }
            for delivery in deliveries {
                write(&mut text, "delivery", &delivery);
            }
            for shop in changed {
                write(&mut text, "kpis", &serde_json::json!({ "shop": shop.as_str() }));
            }
            let query = self.query.clone();
            let Ok(status) = web::block(move || query.status()).await else { return None };
            if self.told.as_ref() != Some(&status) || self.told_at.elapsed() > STATUS_EVERY {
                write(&mut text, "status", &serde_json::to_value(&status).unwrap_or_default());
                (self.told, self.told_at) = (Some(status), Instant::now());
            }
            if !text.is_empty() {
                return Some(text);
            }
        }
    }
}

fn collect(
    happened: Happened,
    changed: &mut FxHashSet<ShopDomain>,
    deliveries: &mut VecDeque<serde_json::Value>,
) {
    match happened {
        Happened::Changed(shop) => {
            changed.insert(shop);
        }
        Happened::Delivery { shop, kind, topic, changed, at } => {
            if deliveries.len() == MOST_DELIVERIES {
                deliveries.pop_front();
            }
            deliveries.push_back(serde_json::json!({
                "shop": shop.as_str(),
                "topic": topic,
                "kind": kind,
                "effect": if changed { "changed" } else { "unchanged" },
                "at": at.to_string(),
            }));
        }
    }
}

fn write(text: &mut String, event: &str, data: &serde_json::Value) {
    for part in ["event: ", event, "\ndata: ", &data.to_string(), "\n\n"] {
        text.push_str(part);
    }
}
