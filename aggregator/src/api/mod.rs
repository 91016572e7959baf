//! The admin listener: live page, metrics, health and the JSON API (CONTRACT, section 5).

mod assets;
mod auth;
mod handlers;
mod problem;
mod scrape;
mod series;
mod spikes;
mod steps;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{self, ServiceConfig};
use actix_web::{Route, guard};
use common::config::Secret;
use common::store::Store;
use prometheus::Registry;
use tokio::sync::{Mutex, Semaphore};

pub use auth::guard;
pub use handlers::livez;
pub use problem::Problem;
pub use scrape::exposition;

use crate::health::{Pulse, StatusReply};
use crate::metrics::AggregatorMetrics;
use crate::query::Query;

/// Questions about the past that may be answered at the same time.
const AS_OF_AT_ONCE: usize = 2;

/// Pages, and others, that may listen to the stream at the same time.
const MOST_LISTENERS: usize = 500;
/// How long what is asked for one listener will do for the others.
const PULSE: Duration = Duration::from_millis(200);

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
    listeners: Arc<Semaphore>,
    pulse: Mutex<Option<(Instant, Arc<Pulse>)>>,
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
        Self {
            query,
            registry,
            metrics,
            token,
            public_url,
            as_of: Semaphore::new(AS_OF_AT_ONCE),
            listeners: Arc::new(Semaphore::new(MOST_LISTENERS)),
            pulse: Mutex::default(),
        }
    }

    /// A status as it is shown, with the address that webhooks go to.
    fn shown(&self, status: &StatusReply) -> serde_json::Value {
        let mut shown = serde_json::to_value(status).unwrap_or_default();
        if let (Some(url), Some(shown)) = (&self.public_url, shown.as_object_mut()) {
            shown.insert("public_url".to_owned(), url.clone().into());
        }
        shown
    }

    /// How the process is doing, asked once for all listeners of the stream; `None` where it ends.
    async fn pulse(&self) -> Option<Arc<Pulse>> {
        let mut kept = self.pulse.lock().await;
        if let Some((at, pulse)) = &*kept
            && at.elapsed() < PULSE
        {
            return Some(pulse.clone());
        }
        let query = self.query.clone();
        let pulse = Arc::new(web::block(move || query.health().pulse()).await.ok()?);
        *kept = Some((Instant::now(), pulse.clone()));
        Some(pulse)
    }
}

/// `GET`, and `HEAD`, which answers without a body.
#[must_use]
pub fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// What is asked for is not of the form that it needs.
fn unreadable(error: &impl std::fmt::Display) -> actix_web::Error {
    Problem::BadRequest(error.to_string()).into()
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
        .app_data(web::QueryConfig::default().error_handler(|error, _| unreadable(&error)))
        .app_data(web::FormConfig::default().error_handler(|error, _| unreadable(&error)))
        .route("/", get().to(assets::page))
        .route("/assets/{name}", get().to(assets::asset))
        .route("/login", web::post().to(auth::login::<S>))
        .route("/livez", get().to(livez))
        .route("/readyz", get().to(handlers::readyz::<S>))
        .service(
            web::scope("")
                .wrap(actix_web::middleware::from_fn(move |request, next| {
                    guard(token.clone(), request, next)
                }))
                .route("/metrics", get().to(scrape::metrics::<S>))
                .route("/v1/openapi.json", get().to(assets::openapi))
                .route("/v1/status", get().to(handlers::status::<S>))
                .route("/v1/digest", get().to(handlers::digest::<S>))
                .route("/v1/stream", web::get().to(stream::stream::<S>))
                .route("/v1/shops", get().to(handlers::shops::<S>))
                .route("/v1/shops/{shop}/kpis", get().to(handlers::kpis::<S>))
                .route("/v1/shops/{shop}/returns", get().to(handlers::returns::<S>))
                .route("/v1/shops/{shop}/alarms", get().to(handlers::alarms::<S>))
                .route("/v1/shops/{shop}/comparison", get().to(handlers::comparison::<S>))
                .route("/v1/shops/{shop}/series", get().to(series::series::<S>))
                .route("/v1/shops/{shop}/customers", get().to(handlers::customer_by_id::<S>))
                .route("/v1/shops/{shop}/customers/{key}", get().to(handlers::customer::<S>))
                .configure(more),
        )
        .default_service(web::route().to(handlers::nothing_here));
}
