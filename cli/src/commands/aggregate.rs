//! `tallyhook aggregate`: fold, API and live page, between Kafka and Redis.

use common::config::Needs;

use crate::args::Global;
use crate::instance::{self, Listeners};

/// The arguments: all are in the configuration.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs until it is told to stop.
pub fn run(global: &Global, _: &Args) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Aggregate)?;
    let listeners = Listeners::bind_admin(&config)?;
    instance::aggregate::run(&config, global.output(), listeners)
}
