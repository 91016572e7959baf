//! `tallyhook digest`: one number for the state, to be compared.

use std::sync::Arc;
use std::time::Duration;

use aggregator::fold::digest;
use anyhow::Context as _;
use common::config::Needs;
use common::store::Store as _;
use serde_json::Value;

use crate::args::Global;
use crate::node::Node;
use crate::node::claim::{Claim, claim_log};
use crate::node::shared::{Shared, is_shared};
use crate::output::Output;

/// How long a partition in Redis may move while it is digested.
const PATIENCE: Duration = Duration::from_mins(1);

/// The arguments: none of its own.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Digests the state, brought up to the log's end.
pub fn run(global: &Global, _: &Args) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Nothing)?;
    let output = global.output();
    if is_shared(&config) {
        let shared = Shared::connect(config, output)?;
        let store = shared.caught_up(output)?;
        let digest = digest::of_moving(&store, shared.config.log.partitions, PATIENCE)?;
        return print(output, &serde_json::to_string(&digest)?);
    }
    let claimed = claim_log(&config, output)?;
    let text = match claimed {
        Claim::There(remote) => {
            remote.catch_up(output)?;
            remote.get("/v1/digest", &[])?
        }
        Claim::Here(log) => {
            let node = Node::new(config, log)?;
            node.catch_up(|_| ())?;
            let snapshot = Arc::clone(&node.store).snapshot()?;
            serde_json::to_string(&digest::of(&*snapshot, node.config.log.partitions)?)?
        }
    };
    print(output, &text)
}

/// Prints a digest: its JSON as it is, or a table.
pub fn print(output: Output, text: &str) -> anyhow::Result<()> {
    if output.json {
        return output.line(text.trim_end());
    }
    let digest: Value = serde_json::from_str(text).context("the digest is not understood")?;
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    output.line(format_args!("digest {}", shown(&digest["digest"])))?;
    let partitions = digest["partitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |partition: &Value| {
        ["partition", "position", "digest"].map(|name| shown(&partition[name])).to_vec()
    };
    let rows: Vec<_> = partitions.iter().map(row).collect();
    output.table(&["partition", "position", "digest"], &rows)
}
