//! `tallyhook config check|print`.

use std::collections::BTreeMap;

use common::config::{Effective, Needs};
use ingest::receiver::{BadSource, Source};
use serde_json::Value;

use crate::args::Global;

/// What to do with the configuration.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Check that `serve` can run on it
    Check,
    /// Print the values in force with their origins, secrets redacted
    Print,
}

/// Checks or prints.
pub fn run(global: &Global, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Check => check(global),
        Command::Print => print(global),
    }
}

fn check(global: &Global) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Serve)?;
    for (name, source) in &config.sources {
        Source::new(name.as_str(), source)
            .map_err(|problem| BadSource { name: name.to_string(), problem })?;
    }
    let output = global.output();
    if output.json {
        return output.json(&serde_json::json!({ "ok": true }));
    }
    output.line("the configuration is good")
}

/// Printing asks for nothing that only a running process needs, so that a half-made configuration
/// can be looked at too.
fn print(global: &Global) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Nothing)?;
    let output = global.output();
    if !output.json {
        output.bytes(config.print().as_bytes())?;
        return output.flush();
    }
    let entry = |effective: &Effective| {
        let Effective { value, origin, .. } = effective;
        serde_json::json!({ "value": value, "origin": origin })
    };
    let effective = config.effective().iter();
    let values: BTreeMap<String, Value> =
        effective.map(|effective| (effective.key.to_string(), entry(effective))).collect();
    output.json(&values)
}
