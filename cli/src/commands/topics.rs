//! `tallyhook topics`: the Kafka topics that are needed, and how they should be set.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use common::config::Needs;
use ingest::kafka::topics::{Difference, Topics};
use serde_json::json;

use crate::args::Global;
use crate::output::Output;

/// What to do about the topics.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what is not as it should be, and whether `apply` can change it
    Plan,
    /// Make missing topics and change what can be changed
    Apply,
    /// Fail if anything is not as it should be
    Check,
}

/// Looks at the topics, and changes them only where that was asked for.
pub fn run(global: &Global, command: &Command) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Topics)?;
    let kafka = config.kafka.as_ref().context("kafka.brokers is not configured")?;
    let topics = Topics::new(kafka, config.log.partitions)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let differing = runtime.block_on(async {
        match command {
            Command::Plan | Command::Check => topics.plan().await,
            Command::Apply => topics.apply().await,
        }
    })?;
    print(global.output(), &differing)?;
    if !differing.is_empty() && !matches!(command, Command::Plan) {
        bail!("{} of the topics' settings are not as they should be", differing.len());
    }
    Ok(())
}

fn print(output: Output, differing: &[Difference]) -> anyhow::Result<()> {
    if output.json {
        let rows: Vec<_> = differing.iter().map(ToString::to_string).collect();
        return output.json(&json!({ "differences": rows }));
    }
    if differing.is_empty() {
        output.note("the topics are as they should be");
    }
    for difference in differing {
        output.line(difference)?;
    }
    Ok(())
}
