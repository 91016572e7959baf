//! `tallyhook rebuild`: the state built anew from the log, and put in the old one's place.

use std::sync::Arc;

use aggregator::fold::digest;
use aggregator::fold::shop::ShopSettings;
use aggregator::run::fold_all;
use anyhow::{Context as _, bail};
use common::config::{Config, Needs, PseudonymKey};
use common::log::file::FileLog;
use common::log::{Log, Subscribe as _};
use common::store::Store as _;

use crate::args::Global;
use crate::meter::Meter;
use crate::node::claim::{Claim, claim_log};
use crate::node::layout::Layout;
use crate::node::shared::{Shared, is_shared};
use crate::node::{generations, state};
use crate::output::Output;

/// The arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Kafka and Redis: put the generation of the state before the present one back in its place
    #[arg(long, conflicts_with = "drop_previous")]
    rollback: bool,
    /// Kafka and Redis: delete the generation before the present one
    #[arg(long)]
    drop_previous: bool,
}

/// Builds the state and prints its digest. A running instance keeps its own state: it builds another
/// one beside it, for comparison. Processes on Kafka and Redis go over to the one that was built.
pub fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Nothing)?;
    let output = global.output();
    if is_shared(&config) {
        let shared = Shared::connect(config, output)?;
        return match args {
            Args { rollback: true, .. } => generations::roll_back(&shared, output),
            Args { drop_previous: true, .. } => generations::drop_previous(&shared, output),
            Args { .. } => {
                let digest = generations::rebuild(&shared, output)?;
                super::digest::print(output, &serde_json::to_string(&digest)?)
            }
        };
    }
    if args.rollback || args.drop_previous {
        bail!(
            "a data directory keeps one generation of the state; --rollback and --drop-previous are \
             for Kafka and Redis"
        );
    }
    let text = match claim_log(&config, output)? {
        Claim::There(remote) => remote.post("/v1/rebuild", &[], &[])?,
        Claim::Here(log) => rebuild(&config, output, log)?,
    };
    super::digest::print(output, &text)
}

fn rebuild(config: &Config, output: Output, log: FileLog) -> anyhow::Result<String> {
    let layout = Layout::new(&config.data.dir);
    let key = PseudonymKey::load_or_create(config)?;
    let log = Log::File(log);
    let records: u64 = log.end_positions()?.iter().sum();
    let mut meter = Meter::new(output, "events folded", records);
    let store = Arc::new(state::next(config, &layout, &key)?);
    let settings = Arc::new(ShopSettings::new(config.clone()));
    fold_all(&log, store.clone(), settings, |done| meter.add(done))
        .context("cannot build the state; the old one is untouched")?;
    let digest = digest::of(&*store.snapshot()?, config.log.partitions)?;
    store.persist()?;
    meter.end();
    // The engine must be done with its files before they change their place.
    drop(store);
    state::replace(&layout)?;
    Ok(serde_json::to_string(&digest)?)
}
