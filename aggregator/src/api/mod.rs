//! The admin listener: live page, metrics, health and the JSON API (CONTRACT, section 5).

mod assets;
mod auth;
mod handlers;
mod problem;
mod scrape;
mod series;
mod spikes;
mod stream;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};
use common::config::Secret;
use common::store::Store;
use prometheus::Registry;
use tokio::sync::Semaphore;

pub use auth::guard;
pub use handlers::livez;
pub use problem::Problem;
pub use scrape::exposition;

use crate::metrics::AggregatorMetrics;
use crate::query::Query;

/// Questions about the past that may be answered at the same time.
const AS_OF_AT_ONCE: usize = 2;

/// What the admin listener answers from.
pub struct Api<S> {
    /// Questions about shops.
    pub query: Arc<Query<S>>,
    /// Every metric of the process.
    pub registry: Registry,
    /// Gauges that are set when they are asked for.
    pub metrics: Arc<AggregatorMetrics>,
    /// The token that every path but health, the page's files and the login asks for.
    pub token: Option<Secret>,
    /// The public listener's address, which the page shows.
    pub public_url: Option<String>,
    as_of: Semaphore,
}

impl<S: Store> Api<S> {
    /// Of a query, a registry and a token.
    #[must_use]
    pub fn new(
        query: Arc<Query<S>>,
        registry: Registry,
        metrics: Arc<AggregatorMetrics>,
        token: Option<Secret>,
        public_url: Option<String>,
    ) -> Self {
        Self { query, registry, metrics, token, public_url, as_of: Semaphore::new(AS_OF_AT_ONCE) }
    }
}

/// The routes of the admin listener. `more` adds routes behind the same token.
pub fn configure<S: Store>(
    config: &mut ServiceConfig,
    api: web::Data<Api<S>>,
    more: impl FnOnce(&mut ServiceConfig),
) {
    let token = api.token.clone();
    config
        .app_data(api)
        .route("/", web::get().to(assets::page))
        .route("/assets/{name}", web::get().to(assets::asset))
        .route("/login", web::post().to(auth::login::<S>))
        .route("/livez", web::get().to(livez))
        .route("/readyz", web::get().to(handlers::readyz::<S>))
        .service(
            web::scope("")
                .wrap(actix_web::middleware::from_fn(move |request, next| {
                    guard(token.clone(), request, next)
                }))
                .route("/metrics", web::get().to(scrape::metrics::<S>))
                .route("/v1/openapi.json", web::get().to(assets::openapi))
                .route("/v1/status", web::get().to(handlers::status::<S>))
                .route("/v1/digest", web::get().to(handlers::digest::<S>))
                .route("/v1/stream", web::get().to(stream::stream::<S>))
                .route("/v1/shops", web::get().to(handlers::shops::<S>))
                .route("/v1/shops/{shop}/kpis", web::get().to(handlers::kpis::<S>))
                .route("/v1/shops/{shop}/returns", web::get().to(handlers::returns::<S>))
                .route("/v1/shops/{shop}/alarms", web::get().to(handlers::alarms::<S>))
                .route("/v1/shops/{shop}/comparison", web::get().to(handlers::comparison::<S>))
                .route("/v1/shops/{shop}/series", web::get().to(series::series::<S>))
                .route("/v1/shops/{shop}/customers", web::get().to(handlers::customer_by_id::<S>))
                .route("/v1/shops/{shop}/customers/{key}", web::get().to(handlers::customer::<S>))
                .configure(more),
        )
        .default_service(web::route().to(handlers::nothing_here));
}
