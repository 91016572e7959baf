//! `tallyhook ingest`: the receiver alone, in front of Kafka.

use std::sync::Arc;
use std::time::Duration;

use ::ingest::dead_letter::{DEFAULT_LIMIT_BYTES, DeadLetterDir, LetterPost};
use ::ingest::metrics::IngestMetrics;
use ::ingest::receiver::{Ports, Receiver};
use actix_web::middleware::from_fn;
use actix_web::rt;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use aggregator::api::{Problem, exposition, get, guard, livez};
use common::config::{Config, PseudonymKey, Secret};
use common::customer::Pseudonymizer;
use prometheus::Registry;
use serde_json::json;

use super::door::Door;
use super::listeners::{Answering, Listeners};
use super::purge;
use crate::node::clock;
use crate::node::layout::Layout;
use crate::output::Output;

/// How often dead letters that wait in the directory are sent to Kafka.
const FORWARD_EVERY: Duration = Duration::from_secs(2);

/// What the admin listener of a receiver answers from.
#[derive(Clone)]
struct Admin {
    registry: Registry,
    token: Option<Secret>,
    door: Door,
}

/// Runs until it is told to stop.
pub fn run(config: &Config, output: Output, listeners: Listeners) -> anyhow::Result<()> {
    let registry = Registry::new();
    let key = PseudonymKey::load_or_create(config)?;
    let path = Layout::new(&config.data.dir).dead_letters();
    let letters = DeadLetterDir::open(&path, key.expose(), DEFAULT_LIMIT_BYTES)?;
    let metrics = IngestMetrics::register(&registry)?;
    let door = Door::open(config, &registry)?;
    let post = LetterPost::new(Arc::new(door.clone()), letters.clone());
    let ports =
        Ports { log: door.log(), dead_letters: Arc::new(post.clone()), clock: clock(), metrics };
    let pseudonyms = Pseudonymizer::new(key.expose());
    let receiver = Data::new(Receiver::from_config(config, pseudonyms, ports)?);
    let admin = Admin { registry, token: config.admin.token.clone(), door: door.clone() };

    let addresses = (listeners.public()?, listeners.admin()?);
    let served = rt::System::new().block_on(async {
        let mut servers = listeners.serve(Answering {
            receiver: Some(receiver),
            workers: config.public.workers,
            admin: move |config: &mut ServiceConfig| routes(config, admin.clone()),
        })?;
        if let Some(public) = addresses.0 {
            output.line(format_args!("public http://{public}"))?;
        }
        output.line(format_args!("admin http://{}", addresses.1))?;
        rt::spawn(purge(letters));
        rt::spawn(forward(post));
        let ended = servers.until_stopped().await;
        servers.stop().await;
        ended
    });
    // Nobody waits for an answer any more; what is still on its way may as well arrive.
    door.close();
    served
}

/// Sends the dead letters of the directory to Kafka whenever it takes some.
async fn forward(post: LetterPost) {
    loop {
        match post.forward().await {
            Ok(0) => {}
            Ok(forwarded) => tracing::info!(forwarded, "sent dead letters to Kafka"),
            Err(error) => tracing::error!(%error, "dead letters could not be sent to Kafka"),
        }
        rt::time::sleep(FORWARD_EVERY).await;
    }
}

fn routes(config: &mut ServiceConfig, admin: Admin) {
    let token = admin.token.clone();
    config
        .app_data(Data::new(admin))
        .route("/livez", get().to(livez))
        .route("/readyz", get().to(readyz))
        .service(
            web::resource("/metrics")
                .wrap(from_fn(move |request, next| guard(token.clone(), request, next)))
                .route(get().to(metrics)),
        );
}

/// Kafka answers or the spool works. Without both every webhook is refused, so no more should be sent
/// here.
async fn readyz(admin: Data<Admin>) -> impl Responder {
    let door = admin.door.clone();
    match web::block(move || door.ready()).await {
        Ok((true, warnings)) => {
            HttpResponse::Ok().json(json!({ "ready": true, "warnings": warnings }))
        }
        Ok((false, warnings)) => {
            HttpResponse::ServiceUnavailable().json(json!({ "ready": false, "warnings": warnings }))
        }
        Err(_) => HttpResponse::ServiceUnavailable().json(json!({ "ready": false })),
    }
}

async fn metrics(admin: Data<Admin>) -> Result<HttpResponse, Problem> {
    admin.door.observe();
    exposition(&admin.registry.gather())
}
