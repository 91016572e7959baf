//! A running instance of the embedded shape: both listeners, the fold, and an end that loses nothing.

pub mod aggregate;
mod door;
pub mod ingest;
mod listeners;
mod stop;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::ingest::dead_letter::{DEFAULT_LIMIT_BYTES, DeadLetterDir};
use ::ingest::metrics::IngestMetrics;
use ::ingest::receiver::{Ports, Receiver};
use actix_web::rt;
use actix_web::web::{Data, ServiceConfig};
use aggregator::api::Api;
use aggregator::feed::Whole;
use aggregator::metrics::AggregatorMetrics;
use aggregator::run::{Runner, Telling};
use aggregator::views::Views;
use anyhow::Context as _;
use common::config::Config;
use common::customer::Pseudonymizer;
use common::log::{Log, LogMetrics};
use common::store::FileStore;
use prometheus::Registry;

pub use listeners::{Listeners, PortInUse};

use listeners::Answering;

use crate::admin_routes::{self, Admin};
use crate::node::layout::Layout;
use crate::node::{Node, clock, open_log};
use crate::output::{Output, chain};
use crate::remote::reachable;

/// How often letters that are too old are removed.
const PURGE_EVERY: Duration = Duration::from_hours(1);

/// What others may do with an instance while it runs.
#[derive(Clone)]
pub struct Running {
    /// The configuration.
    pub config: Arc<Config>,
    /// Its log.
    pub log: Log,
    /// Turns identities into pseudonyms.
    pub pseudonyms: Pseudonymizer,
    /// Where webhooks are posted.
    pub public: SocketAddr,
    /// Where the page is.
    pub admin: SocketAddr,
    /// Set when the instance is to end.
    pub stopping: Arc<AtomicBool>,
}

/// Everything that the listeners answer from.
struct Services {
    node: Node,
    runner: Runner,
    receiver: Data<Receiver>,
    api: Data<Api<FileStore>>,
    admin: Data<Admin>,
    letters: DeadLetterDir,
}

/// Runs an instance until it is told to stop; `beside` runs on a thread of its own meanwhile and
/// must return soon after `stopping` is set.
pub fn run(
    config: Config,
    output: Output,
    listeners: Listeners,
    beside: impl FnOnce(Running) -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    let public = listeners.public()?.context("a listener for webhooks is missing")?;
    let admin = listeners.admin()?;
    let mut services = Services::open(config, public)?;
    let running = Running {
        config: Arc::new(services.node.config.clone()),
        log: services.node.log.clone(),
        pseudonyms: services.node.pseudonyms(),
        public,
        admin,
        stopping: Arc::new(AtomicBool::new(false)),
    };
    let stopping = running.stopping.clone();
    let served = rt::System::new().block_on(async {
        let (api, routes) = (services.api.clone(), services.admin.clone());
        let mut servers = listeners.serve(Answering {
            receiver: Some(services.receiver.clone()),
            workers: services.node.config.public.workers,
            admin: move |config: &mut ServiceConfig| {
                let routes = routes.clone();
                aggregator::api::configure(config, api.clone(), |config| {
                    admin_routes::configure(config, routes);
                });
            },
        })?;
        let layout = &services.node.layout;
        layout.write_instance(admin).context("cannot write instance.json to the data directory")?;
        output.line(format_args!("public http://{public}"))?;
        output.line(format_args!("admin http://{admin}"))?;
        rt::spawn(purge(services.letters.clone()));
        let beside = rt::task::spawn_blocking(move || {
            beside(running).inspect_err(|error| tracing::error!("{}", chain(error.as_ref())))
        });
        let ended = servers.until_stopped().await;
        stopping.store(true, Ordering::Release);
        // It may be a sender to the listeners, which must not be left without an answer.
        let done = beside.await.context("a part of the program ended by a panic");
        servers.stop().await;
        ended.and(done?)
    });
    services.node.layout.remove_instance();
    // What was acknowledged is in the log; folding it now makes the next start a quick one.
    services.runner.stop();
    services.node.log.close();
    served
}

impl Services {
    /// Opens the data directory and starts the fold.
    fn open(config: Config, public: SocketAddr) -> anyhow::Result<Self> {
        let registry = Registry::new();
        let metrics = Arc::new(AggregatorMetrics::register(&registry)?);
        let ingest_metrics = IngestMetrics::register(&registry)?;
        let layout = Layout::new(&config.data.dir);
        let log_metrics: Arc<dyn LogMetrics> = metrics.clone();
        let log = open_log(&config, &layout, Some(log_metrics))?;
        let node = Node::new(config, log)?;

        let path = layout.dead_letters();
        let letters = DeadLetterDir::open(&path, node.key.expose(), DEFAULT_LIMIT_BYTES)?;
        let ports = Ports {
            log: Arc::new(node.log.clone()),
            dead_letters: Arc::new(letters.clone()),
            clock: clock(),
            metrics: ingest_metrics,
        };
        let receiver = Data::new(Receiver::from_config(&node.config, node.pseudonyms(), ports)?);

        let (views, progress) = (Arc::new(Views::default()), node.progress());
        let telling =
            Telling { progress: progress.clone(), metrics: metrics.clone(), views: views.clone() };
        let runner = Runner::start(
            Whole::new(node.log.clone()),
            node.store.clone(),
            node.settings.clone(),
            &telling,
        )?;
        let query = Arc::new(node.query(views, progress));
        let token = node.config.admin.token.clone();
        let public_url = Some(format!("http://{}", reachable(public)));
        let api = Data::new(Api::new(query, registry, metrics, token, public_url));
        let admin = Data::new(Admin::new(&node, receiver.clone().into_inner(), letters.clone()));
        Ok(Self { node, runner, receiver, api, admin, letters })
    }
}

/// Removes letters that are too old, now and every hour.
async fn purge(letters: DeadLetterDir) {
    loop {
        let letters = letters.clone();
        let now = clock().now();
        match rt::task::spawn_blocking(move || letters.purge(now)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(purged)) => tracing::info!(purged, "removed dead letters older than 30 days"),
            Ok(Err(error)) => tracing::error!(%error, "old dead letters could not be removed"),
            Err(_) => return,
        }
        rt::time::sleep(PURGE_EVERY).await;
    }
}
