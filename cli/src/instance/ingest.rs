//! `tallyhook ingest`: the receiver alone, in front of Kafka.

use std::sync::Arc;
use std::time::Duration;

use ::ingest::dead_letter::{DEFAULT_LIMIT_BYTES, DeadLetterDir};
use ::ingest::kafka::KafkaLog;
use ::ingest::metrics::IngestMetrics;
use ::ingest::receiver::{Ports, Receiver};
use actix_web::middleware::from_fn;
use actix_web::rt;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use aggregator::api::{Problem, exposition, guard, livez};
use common::config::{Config, PseudonymKey, Secret};
use common::customer::Pseudonymizer;
use prometheus::Registry;
use serde_json::json;

use super::listeners::{Answering, Listeners};
use super::purge;
use crate::node::clock;
use crate::node::distributed::kafka_log;
use crate::node::layout::Layout;
use crate::output::Output;

/// How long a question about readiness waits for Kafka.
const ASK: Duration = Duration::from_secs(2);

/// What the admin listener of a receiver answers from.
#[derive(Clone)]
struct Admin {
    registry: Registry,
    token: Option<Secret>,
    log: KafkaLog,
}

/// Runs until it is told to stop.
pub fn run(config: &Config, output: Output, listeners: Listeners) -> anyhow::Result<()> {
    let registry = Registry::new();
    let key = PseudonymKey::load_or_create(config)?;
    let log = kafka_log(config)?;
    let path = Layout::new(&config.data.dir).dead_letters();
    let letters = DeadLetterDir::open(&path, key.expose(), DEFAULT_LIMIT_BYTES)?;
    let ports = Ports {
        log: Arc::new(log.clone()),
        dead_letters: Arc::new(letters.clone()),
        clock: clock(),
        metrics: IngestMetrics::register(&registry)?,
    };
    let pseudonyms = Pseudonymizer::new(key.expose());
    let receiver = Data::new(Receiver::from_config(config, pseudonyms, ports)?);
    let admin = Admin { registry, token: config.admin.token.clone(), log: log.clone() };

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
        let ended = servers.until_stopped().await;
        servers.stop().await;
        ended
    });
    // Nobody waits for an answer any more; what is still on its way may as well arrive.
    log.close();
    served
}

fn routes(config: &mut ServiceConfig, admin: Admin) {
    let token = admin.token.clone();
    config
        .app_data(Data::new(admin))
        .route("/livez", web::get().to(livez))
        .route("/readyz", web::get().to(readyz))
        .service(
            web::resource("/metrics")
                .wrap(from_fn(move |request, next| guard(token.clone(), request, next)))
                .route(web::get().to(metrics)),
        );
}

/// Kafka answers. Without it every webhook is refused, so no more should be sent here.
async fn readyz(admin: Data<Admin>) -> impl Responder {
    let log = admin.log.clone();
    match web::block(move || log.ask(ASK)).await {
        Ok(Ok(())) => HttpResponse::Ok().json(json!({ "ready": true, "warnings": [] })),
        Ok(Err(error)) => HttpResponse::ServiceUnavailable()
            .json(json!({ "ready": false, "warnings": [error.to_string()] })),
        Err(_) => HttpResponse::ServiceUnavailable().json(json!({ "ready": false })),
    }
}

async fn metrics(admin: Data<Admin>) -> Result<HttpResponse, Problem> {
    exposition(&admin.registry.gather())
}
