//! A log and a state in a directory, wired as the program wires them.

use std::path::Path;
use std::sync::Arc;

use aggregator::fold::FOLD_VERSION;
use aggregator::fold::shop::ShopSettings;
use aggregator::progress::Progress;
use aggregator::query::{Parts, Query};
use aggregator::views::Views;
use common::clock::FixedClock;
use common::config::{Config, Inputs, Needs};
use common::customer::Pseudonymizer;
use common::log::Log;
use common::log::file::{FileLog, FileLogOptions};
use common::store::{FileStore, Manifest};

use super::history::END;

/// The key of all pseudonyms.
pub const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
/// The default of the configuration.
pub const PARTITIONS: u16 = 32;

/// The log in `directory`.
pub fn log(directory: &Path) -> anyhow::Result<FileLog> {
    Ok(FileLog::open(&directory.join("log"), FileLogOptions::new(PARTITIONS))?)
}

/// The state in `directory`.
pub fn store(directory: &Path) -> anyhow::Result<Arc<FileStore>> {
    Ok(Arc::new(FileStore::open(&directory.join("state"), &manifest())?))
}

/// The settings that every state here depends on.
pub fn manifest() -> Manifest {
    Manifest {
        partitions: PARTITIONS,
        partitioner: "murmur2".to_owned(),
        fold_version: FOLD_VERSION,
        pseudonym_key: String::new(),
        shops: String::new(),
    }
}

/// The default settings of shops.
pub fn settings() -> anyhow::Result<Arc<ShopSettings>> {
    let config = Config::load(&Inputs::default(), Needs::Nothing)?;
    Ok(Arc::new(ShopSettings::new(config)))
}

/// Questions about a state, asked when its history ends.
pub fn query(log: Log, store: Arc<FileStore>) -> anyhow::Result<Query<FileStore>> {
    Ok(Query::new(Parts {
        store,
        ends: Arc::new(log),
        settings: settings()?,
        partitions: PARTITIONS,
        clock: Arc::new(FixedClock::at(END)),
        pseudonyms: Pseudonymizer::new(KEY),
        views: Arc::new(Views::default()),
        progress: Arc::new(Progress::new(PARTITIONS)),
        mode: "embedded",
    }))
}
