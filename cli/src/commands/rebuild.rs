//! `tallyhook rebuild`: the state built anew from the log, and put in the old one's place.

use std::sync::Arc;

use aggregator::fold::digest;
use aggregator::fold::shop::ShopSettings;
use aggregator::run::fold_all;
use anyhow::Context as _;
use common::config::{Config, Needs, PseudonymKey};
use common::log::file::FileLog;
use common::log::{Log, Subscribe as _};
use common::store::Store as _;
use indicatif::ProgressBar;

use crate::args::Global;
use crate::node::claim::{Claim, claim_log};
use crate::node::layout::Layout;
use crate::node::state;

/// The arguments: none of its own.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Builds the state and prints its digest. A running instance keeps its own state: it builds another
/// one beside it, for comparison.
pub fn run(global: &Global, _: &Args) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Nothing)?;
    let output = global.output();
    let claimed = claim_log(&config, output)?;
    let text = match claimed {
        Claim::There(remote) => remote.post("/v1/rebuild", &[], &[])?,
        Claim::Here(log) => rebuild(&config, log)?,
    };
    super::digest::print(output, &text)
}

fn rebuild(config: &Config, log: FileLog) -> anyhow::Result<String> {
    let layout = Layout::new(&config.data.dir);
    let key = PseudonymKey::load_or_create(config)?;
    let log = Log::File(log);
    let records: u64 = log.end_positions()?.iter().sum();
    let bar = ProgressBar::new(records);
    let store = Arc::new(state::next(config, &layout, &key)?);
    let settings = Arc::new(ShopSettings::new(config.clone()));
    fold_all(&log, store.clone(), settings, |done| bar.inc(done))
        .context("cannot build the state; the old one is untouched")?;
    let digest = digest::of(&*store.snapshot()?, config.log.partitions)?;
    store.persist()?;
    bar.finish_and_clear();
    // The engine must be done with its files before they change their place.
    drop(store);
    state::replace(&layout)?;
    Ok(serde_json::to_string(&digest)?)
}
