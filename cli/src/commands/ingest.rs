//! `tallyhook ingest`: the receiver, with Kafka behind it.

use common::config::Needs;

use crate::args::Global;
use crate::instance::{self, Listeners, PortInUse};

/// The arguments: all are in the configuration.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs until it is told to stop.
pub fn run(global: &Global, _: &Args) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Ingest)?;
    let listeners = Listeners::bind(&config, PortInUse::Refuse)?;
    instance::ingest::run(&config, global.output(), listeners)
}
