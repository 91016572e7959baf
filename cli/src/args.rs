//! The command line: global flags and one variant a subcommand.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use common::config::{Config, Inputs, Needs, Override};

use crate::commands::{
    aggregate, backfill, completions, config, dead_letter, demo, detect, digest, healthcheck,
    ingest, kpi, log, rebuild, send, serve, simulate, snapshot, topics,
};
use crate::output::Output;

/// Signed shop webhooks in, exact KPIs out.
#[derive(Debug, Parser)]
#[command(name = "tallyhook", version, about, max_term_width = 100)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Configuration file [default: ./tallyhook.toml if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory; wins over file and environment
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Log more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log errors only and print no notes
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run receiver, aggregator, API and live page in one process
    Serve(serve::Args),
    /// Run the receiver alone, in front of Kafka
    Ingest(ingest::Args),
    /// Run fold, API and live page alone, between Kafka and Redis
    Aggregate(aggregate::Args),
    /// Run `serve` on two years of a simulated shop, then live traffic
    Demo(demo::Args),
    /// Look at the Kafka topics, or make them
    #[command(subcommand)]
    Topics(topics::Command),
    /// Send the signed webhooks of simulated shops
    Simulate(simulate::Args),
    /// Sign one payload and post it
    Send(send::Args),
    /// Import history from a file through the log
    #[command(subcommand)]
    Backfill(backfill::Command),
    /// Show a shop's KPIs
    Kpi(kpi::Args),
    /// Look for return spikes in the hours of a file
    Detect(detect::Args),
    /// Show the digest of the state
    Digest(digest::Args),
    /// Build the state anew from the log
    Rebuild(rebuild::Args),
    /// Copy the state to a directory, check copies, and bring one back
    Snapshot(snapshot::Args),
    /// Look at the embedded log
    #[command(subcommand)]
    Log(log::Command),
    /// Look at deliveries that could not be translated
    #[command(subcommand)]
    DeadLetter(dead_letter::Command),
    /// Check or print the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Ask a running instance whether it is ready
    Healthcheck(healthcheck::Args),
    /// Print a shell's completions
    Completions(completions::Args),
}

impl Global {
    /// Where data and messages go.
    pub fn output(&self) -> Output {
        Output { json: self.json, quiet: self.quiet }
    }

    /// The configuration that a command with these `needs` runs on.
    pub fn configuration(&self, needs: Needs) -> anyhow::Result<Config> {
        self.configuration_with(needs, Vec::new())
    }

    /// The same with what the command itself sets, over which only flags win.
    pub fn configuration_with(
        &self,
        needs: Needs,
        mut overrides: Vec<Override>,
    ) -> anyhow::Result<Config> {
        overrides.extend(self.data_dir.iter().map(|dir| Override {
            key: "data.dir".to_owned(),
            value: dir.clone(),
            flag: "data-dir".to_owned(),
        }));
        Ok(Config::load(&Inputs::of_process(self.config.clone(), overrides), needs)?)
    }
}
