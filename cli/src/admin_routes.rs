//! What the admin listener answers besides the API: the commands that need the data directory while
//! an instance holds it. Behind the same token.

mod dump;
mod import;
mod letters;
mod rebuild;
mod snapshots;

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use actix_web::http::uri::Authority;
use actix_web::web::{self, Data, PayloadConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use aggregator::api::Problem;
use aggregator::fold::shop::ShopSettings;
use common::config::{Config, PseudonymKey};
use common::customer::Pseudonymizer;
use common::log::Log;
use common::log::file::FileLog;
use common::store::FileStore;
use ingest::dead_letter::DeadLetterDir;
use ingest::receiver::Receiver;
use tokio::sync::Semaphore;

use crate::import::chunks::longest_chunk_bytes;
use crate::import::translate::MAX_LINE_BYTES;
use crate::log_view::Health;
use crate::node::Node;
use crate::node::layout::Layout;
use crate::output::chain;

/// The longest body of an import: whatever `backfill` sends at once.
const MAX_IMPORT_BYTES: usize = longest_chunk_bytes(MAX_LINE_BYTES);

/// What the routes work on.
pub struct Admin {
    config: Config,
    layout: Layout,
    key: PseudonymKey,
    pseudonyms: Pseudonymizer,
    settings: Arc<ShopSettings>,
    log: Log,
    store: Arc<FileStore>,
    receiver: Arc<Receiver>,
    letters: DeadLetterDir,
    /// One at a time: each reads the whole log.
    whole_log: Semaphore,
}

impl Admin {
    /// Of a running node.
    pub fn new(node: &Node, receiver: Arc<Receiver>, letters: DeadLetterDir) -> Self {
        Self {
            config: node.config.clone(),
            layout: node.layout.clone(),
            key: node.key.clone(),
            pseudonyms: node.pseudonyms(),
            settings: node.settings.clone(),
            log: node.log.clone(),
            store: node.store.clone(),
            receiver,
            letters,
            whole_log: Semaphore::new(1),
        }
    }

    /// The log as files, which is what an embedded instance has.
    fn file_log(&self) -> Result<FileLog, Problem> {
        match &self.log {
            Log::File(log) => Ok(log.clone()),
            Log::Memory(_) => Err(Problem::NotFound("this log is no file".to_owned())),
        }
    }
}

/// Adds the routes.
pub fn configure(config: &mut ServiceConfig, admin: Data<Admin>) {
    config
        .app_data(admin)
        .service(
            web::resource("/v1/import")
                .app_data(PayloadConfig::new(MAX_IMPORT_BYTES))
                .route(web::post().to(import::import)),
        )
        .route("/v1/dead-letters", web::get().to(letters::list))
        .route("/v1/dead-letters/{id}", web::get().to(letters::show))
        .route("/v1/dead-letters/{id}/retry", web::post().to(letters::retry))
        .route("/v1/log/verify", web::get().to(verify))
        .route("/v1/log/dump", web::get().to(dump::dump))
        .route("/v1/rebuild", web::post().to(rebuild::rebuild))
        .route("/v1/snapshots", web::post().to(snapshots::create));
}

/// `GET /v1/log/verify`.
async fn verify(admin: Data<Admin>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    not_foreign(&admin, &request)?;
    let _turn = turn(&admin)?;
    let log = admin.file_log()?;
    let report = web::block(move || log.verify()).await?.map_err(|error| failed(&error))?;
    Ok(HttpResponse::Ok().json(Health::from(report)))
}

/// Refuses what a page of another site made a browser send: on a loopback address there may be no
/// token that would stop it.
fn not_foreign(admin: &Admin, request: &HttpRequest) -> Result<(), Problem> {
    let header = |name: HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok());
    let host = header(HOST);
    // A site may let its own name resolve to the loopback address; then its origin is the host.
    if admin.config.admin.token.is_none() && !host.is_some_and(is_loopback) {
        let text = "without admin.token only a loopback host may be asked, such as 127.0.0.1";
        return Err(Problem::BadRequest(text.to_owned()));
    }
    let Some(origin) = header(ORIGIN) else { return Ok(()) };
    if host == Some(origin.split_once("://").map_or(origin, |(_, host)| host)) {
        return Ok(());
    }
    Err(Problem::BadRequest("another site's page may not do this".to_owned()))
}

/// Whether a `Host` header names this machine and nothing that a name server could redirect.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The turn to read the whole log.
fn turn(admin: &Admin) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
    let busy = |_| Problem::Unavailable("the whole log is being read already; retry later".into());
    admin.whole_log.try_acquire().map_err(busy)
}

/// A failure whose cause is for the process's log.
fn failed(error: &dyn std::error::Error) -> Problem {
    let text = chain(error);
    tracing::error!(error = text, "an admin request failed");
    Problem::Unavailable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_loopback_hosts() {
        let check = |host: &str, expected: bool| assert_eq!(is_loopback(host), expected, "{host}");
        for host in ["127.0.0.1:8081", "127.0.0.1", "127.8.9.1:1", "[::1]:8081", "[::1]"] {
            check(host, true);
        }
        check("localhost:8081", true);
        check("LocalHost", true);
        for host in ["", "evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example"] {
            check(host, false);
        }
        for host in ["10.0.0.1:8081", "0.0.0.0:8081", "[2001:db8::1]:8081"] {
            check(host, false);
        }
    }
}
