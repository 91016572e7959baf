//! The receiver under load, and beside it a handler that only verifies: what durability costs.
//!
//! Both stand in this process at the same time and are loaded in turns, so that whatever else the
//! machine does strikes both.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, PayloadConfig, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use anyhow::Context as _;
use common::clock::{Clock as _, SystemClock};
use common::config::{Attributes, Platform, Secret, ShopList};
use common::customer::Pseudonymizer;
use common::log::file::{FileLog, FileLogOptions};
use ingest::dead_letter::DeadLetterDir;
use ingest::metrics::IngestMetrics;
use ingest::notes::NoteRules;
use ingest::receiver::{EventLog, Limits, Ports, Receiver, Source, configure};
use ingest::verify::Verifier;
use prometheus::Registry;

use super::Scale;
use super::bodies::{self, Pool, SECRET, Size};
use super::load::{CONNECTIONS, Round, round};
use super::state::{KEY, PARTITIONS};
use super::table::{Table, median, ms};

const BODY_LIMIT_BYTES: usize = 8 << 20;
const BODY_TIMEOUT: Duration = Duration::from_secs(4);
const DEAD_LETTER_LIMIT_BYTES: u64 = 64 << 20;

/// Measures both at both sizes.
pub fn measure(
    directory: &Path,
    scale: Scale,
    synced: Option<Duration>,
    table: &mut Table,
) -> anyhow::Result<()> {
    let home = directory.join("doors");
    let log = FileLog::open(&home.join("log"), FileLogOptions::new(PARTITIONS))?;
    let durable = Door::open(receiver(Arc::new(log.clone()), &home)?)?;
    let bare = Door::open(bare()?)?;
    for size in [Size::Small, Size::Large] {
        let pool = Arc::new(bodies::pool(size, scale.bodies)?);
        table.part(&format!(
            "webhooks: orders/create of {} ({} bytes), {CONNECTIONS} connections, {} rounds in turns",
            size.name(),
            pool.body_bytes,
            scale.rounds
        ));
        let before = log.stats();
        let (bare, durable) = rounds(&bare, &durable, &pool, scale)?;
        let after = log.stats();
        report(&bare, &durable, synced, table);
        let records = after.records - before.records;
        let bytes = (after.size_bytes - before.size_bytes) / records.max(1);
        table.row("log, a webhook", bytes, "bytes");
    }
    durable.close()?;
    bare.close()?;
    log.close();
    std::fs::remove_dir_all(home).context("cannot remove the log")
}

fn rounds(
    bare: &Door,
    durable: &Door,
    pool: &Arc<Pool>,
    scale: Scale,
) -> anyhow::Result<(Vec<Round>, Vec<Round>)> {
    let warm_up = Duration::from_millis(scale.warm_up_ms);
    let length = Duration::from_millis(scale.round_ms);
    let mut both = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        both.0.push(round(bare.address, pool, CONNECTIONS, warm_up, length)?);
        both.1.push(round(durable.address, pool, CONNECTIONS, warm_up, length)?);
    }
    Ok(both)
}

fn report(bare: &[Round], durable: &[Round], synced: Option<Duration>, table: &mut Table) {
    let of = |rounds: &[Round], get: fn(&Round) -> f64| median(rounds.iter().map(get).collect());
    for (name, rounds) in [("bare, verifies only", bare), ("durable acknowledgement", durable)] {
        table.number(&format!("{name}: a second"), of(rounds, |r| r.per_second), 0, "webhooks/s");
        table.number(&format!("{name}: p50"), of(rounds, |r| ms(r.p50)), 2, "ms");
        table.number(&format!("{name}: p99"), of(rounds, |r| ms(r.p99)), 2, "ms");
        let processor = of(rounds, |r| r.processor_us);
        table.number(&format!("{name}: processor, load included"), processor, 1, "us/webhook");
    }
    let pairs = bare.iter().zip(durable);
    let ratios = pairs.map(|(bare, durable)| durable.per_second / bare.per_second.max(1.0));
    table.number("ratio of durable to bare", median(ratios.collect()), 2, "");
    if let Some(synced) = synced {
        let beyond = of(durable, |r| ms(r.p99)) - ms(synced);
        table.number("durable p99 beyond the raw 64 KiB p99", beyond, 2, "ms");
    }
}

/// Adds routes to a listener.
pub type Configure = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// The receiver as the program has it, in front of `log`.
pub fn receiver(log: Arc<dyn EventLog>, home: &Path) -> anyhow::Result<Configure> {
    let letters = DeadLetterDir::open(&home.join("dead-letters"), KEY, DEAD_LETTER_LIMIT_BYTES)?;
    let ports = Ports {
        log,
        dead_letters: Arc::new(letters),
        clock: Arc::new(SystemClock),
        metrics: IngestMetrics::register(&Registry::new())?,
    };
    let limits = Limits {
        body_limit_bytes: BODY_LIMIT_BYTES,
        body_timeout: BODY_TIMEOUT,
        partitions: PARTITIONS,
    };
    let secrets = [Secret::literal(SECRET).context("the secret is empty")?];
    let source =
        Source::of("shopify", Platform::Shopify, &secrets, ShopList::Any, Attributes::default())?;
    let sources = BTreeMap::from([("shopify".to_owned(), source)]);
    let receiver =
        Receiver::new(sources, Pseudonymizer::new(KEY), NoteRules::default(), limits, ports);
    let receiver = web::Data::new(receiver);
    Ok(Arc::new(move |config| configure(config, receiver.clone())))
}

/// The least that a receiver can do: the body, its signature, 200.
pub fn bare() -> anyhow::Result<Configure> {
    let verifier = web::Data::new(verifier()?);
    Ok(Arc::new(move |config| {
        config
            .app_data(verifier.clone())
            .app_data(PayloadConfig::new(BODY_LIMIT_BYTES))
            .route("/webhooks/shopify", web::post().to(only_verify));
    }))
}

/// Checks the signatures of the requests here.
pub fn verifier() -> anyhow::Result<Verifier> {
    let secrets = [Secret::literal(SECRET).context("the secret is empty")?];
    Ok(Verifier::new(Platform::Shopify, &secrets)?)
}

async fn only_verify(
    verifier: web::Data<Verifier>,
    request: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    if verified(&verifier, &request, &body) {
        HttpResponse::Ok().finish()
    } else {
        HttpResponse::Unauthorized().finish()
    }
}

/// Whether a request is signed.
pub fn verified(verifier: &Verifier, request: &HttpRequest, body: &[u8]) -> bool {
    let find = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    verifier.verify(&find, body, SystemClock.now()).is_ok()
}

/// A listener on loopback.
pub struct Door {
    /// Where it listens.
    pub address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Door {
    /// Starts to listen on a port of the system's choice.
    pub fn open(configure: Configure) -> anyhow::Result<Self> {
        let (tell, told) = mpsc::channel();
        let thread = std::thread::Builder::new().name("door".to_owned()).spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    let configure = configure.clone();
                    App::new().configure(move |config| configure(config))
                };
                let server = HttpServer::new(app).disable_signals().bind(("127.0.0.1", 0))?;
                let address = server.addrs().first().copied();
                let server = server.run();
                // Nobody hears it only where the measurement is over already.
                let _ = tell.send((address, server.handle()));
                server.await
            })
        })?;
        let (address, handle) = told.recv().context("the server did not start")?;
        let address = address.context("the server has no address")?;
        Ok(Self { address, handle, thread })
    }

    /// Ends it, whatever is under way.
    pub fn close(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.handle.stop(false));
        self.thread.join().map_err(|_| anyhow::anyhow!("the server panicked"))??;
        Ok(())
    }
}
