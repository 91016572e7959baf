//! `tallyhook aggregate`: fold, API and live page alone, between Kafka and Redis.

use std::sync::Arc;

use actix_web::rt;
use actix_web::web::{Data, ServiceConfig};
use aggregator::api::Api;
use aggregator::fold::shop::ShopSettings;
use aggregator::metrics::AggregatorMetrics;
use aggregator::progress::Progress;
use aggregator::query::{Parts, Query};
use aggregator::run::{FoldError, Runner, Telling};
use aggregator::views::Views;
use anyhow::Context as _;
use common::config::{Config, PseudonymKey};
use common::customer::Pseudonymizer;
use prometheus::Registry;
use tokio::sync::oneshot;

use super::listeners::{Answering, Listeners, Servers};
use crate::node::{clock, distributed};
use crate::output::Output;
use crate::snapshots;

/// Runs until it is told to stop.
pub fn run(config: &Config, output: Output, listeners: Listeners) -> anyhow::Result<()> {
    let registry = Registry::new();
    let metrics = Arc::new(AggregatorMetrics::register(&registry)?);
    let key = PseudonymKey::load_or_create(config)?;
    let settings = Arc::new(ShopSettings::new(config.clone()));
    distributed::check_topic(config)?;
    let store = Arc::new(distributed::redis_store(config, &key)?);
    let feed = distributed::kafka_feed(config)?;
    let progress = Arc::new(Progress::shared(config.log.partitions, feed.tenure()));
    let views = Arc::new(Views::default());
    let telling =
        Telling { progress: progress.clone(), metrics: metrics.clone(), views: views.clone() };
    let query = Arc::new(Query::new(Parts {
        store: store.clone(),
        ends: feed.ends(),
        settings: settings.clone(),
        partitions: config.log.partitions,
        clock: clock(),
        pseudonyms: Pseudonymizer::new(key.expose()),
        views,
        progress,
        mode: "distributed",
    }));
    let snapshots = snapshots::configured(config, &key);
    let mut runner = Runner::start_with(feed, store, settings, &telling, snapshots)?;
    let displaced = runner.displaced();
    let api = Data::new(Api::new(query, registry, metrics, config.admin.token.clone(), None));

    let address = listeners.admin()?;
    let served = rt::System::new().block_on(async {
        let mut servers = listeners.serve(Answering {
            receiver: None,
            workers: None,
            admin: move |config: &mut ServiceConfig| {
                aggregator::api::configure(config, api.clone(), |_| {});
            },
        })?;
        output.line(format_args!("admin http://{address}"))?;
        let ended = until_ended(&mut servers, displaced).await;
        servers.stop().await;
        ended
    });
    runner.stop();
    served
}

/// Resolves when the process is told to stop, cannot go on, or another one has taken its place.
async fn until_ended(
    servers: &mut Servers,
    displaced: Option<oneshot::Receiver<FoldError>>,
) -> anyhow::Result<()> {
    let Some(displaced) = displaced else { return servers.until_stopped().await };
    tokio::select! {
        ended = servers.until_stopped() => ended,
        Ok(error) = displaced => Err(error).context("this fold ends"),
    }
}
