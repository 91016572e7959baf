//! The embedded shape: one process, one data directory, log and state as files in it.

pub mod claim;
pub mod distributed;
pub mod generations;
pub mod layout;
pub mod shared;
pub mod state;

use std::sync::Arc;

use aggregator::fold::shop::ShopSettings;
use aggregator::progress::Progress;
use aggregator::query::{Parts, Query};
use aggregator::run::fold_all;
use aggregator::views::Views;
use anyhow::Context as _;
use common::clock::{Clock, SystemClock};
use common::config::{Config, PseudonymKey};
use common::customer::Pseudonymizer;
use common::log::file::{FileLog, FileLogOptions, OpenError};
use common::log::{Log, LogMetrics, NoMetrics};
use common::store::FileStore;

use self::layout::Layout;

/// Everything of the embedded shape but what runs.
pub struct Node {
    /// The configuration.
    pub config: Config,
    /// Where things lie.
    pub layout: Layout,
    /// The key of all pseudonyms.
    pub key: PseudonymKey,
    /// The shops' settings.
    pub settings: Arc<ShopSettings>,
    /// The state. Dropped before the log, whose lock guards both.
    pub store: Arc<FileStore>,
    /// The log.
    pub log: Log,
}

impl Node {
    /// With a log that is open for appending.
    pub fn new(config: Config, log: FileLog) -> anyhow::Result<Self> {
        let layout = Layout::new(&config.data.dir);
        let key = PseudonymKey::load_or_create(&config)?;
        let store = Arc::new(state::open(&config, &layout, &key)?);
        let settings = Arc::new(ShopSettings::new(config.clone()));
        Ok(Self { config, layout, key, settings, store, log: Log::File(log) })
    }

    /// Turns identities into pseudonyms.
    pub fn pseudonyms(&self) -> Pseudonymizer {
        Pseudonymizer::new(self.key.expose())
    }

    /// Folds what the log holds beyond the state.
    pub fn catch_up(&self, done: impl FnMut(u64)) -> anyhow::Result<()> {
        fold_all(&self.log, self.store.clone(), self.settings.clone(), done)
            .context("cannot bring the state up to date")
    }

    /// How far the state is, for whoever asks while it moves.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::new(Progress::new(self.config.log.partitions))
    }

    /// Answers questions from the state.
    pub fn query(&self, views: Arc<Views>, progress: Arc<Progress>) -> Query<FileStore> {
        Query::new(Parts {
            store: self.store.clone(),
            ends: Arc::new(self.log.clone()),
            settings: self.settings.clone(),
            partitions: self.config.log.partitions,
            clock: clock(),
            pseudonyms: self.pseudonyms(),
            views,
            progress,
            mode: "embedded",
        })
    }
}

/// The system's clock, as everybody takes it.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Opens the log of a data directory for appending, and makes it if there is none.
pub fn open_log(
    config: &Config,
    layout: &Layout,
    metrics: Option<Arc<dyn LogMetrics>>,
) -> Result<FileLog, OpenError> {
    let mut options = FileLogOptions::new(config.log.partitions);
    options.segment_bytes = config.log.segment_bytes;
    options.metrics = metrics.unwrap_or_else(|| Arc::new(NoMetrics));
    let log = FileLog::open(&layout.log(), options)?;
    // An instance that was killed left an address where by now anybody may listen.
    layout.remove_instance();
    Ok(log)
}
