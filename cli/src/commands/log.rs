//! `tallyhook log verify|dump`: the embedded log's health, and its events.

use anyhow::{Context as _, bail};
use common::config::Needs;
use common::log::file::FileLog;

use crate::args::Global;
use crate::log_view::{DumpLine, Health, dump};
use crate::node::claim::{Claim, claim};
use crate::output::{Output, message};

/// What is written at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What to look at.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Read the whole log and say what is wrong with it
    Verify,
    /// Print every event, one a line
    Dump,
}

/// Verifies or dumps.
pub fn run(global: &Global, command: &Command) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Nothing)?;
    let output = global.output();
    let claimed = claim(&config, output, |layout| {
        FileLog::open_read_only(&layout.log()).inspect(|_| layout.remove_instance())
    })?;
    match command {
        Command::Verify => verify(output, &claimed),
        Command::Dump => print(output, &claimed),
    }
}

fn verify(output: Output, claimed: &Claim<FileLog>) -> anyhow::Result<()> {
    let health = match claimed {
        Claim::Here(log) => Health::from(log.verify()?),
        Claim::There(remote) => serde_json::from_str(&remote.get("/v1/log/verify", &[])?)
            .context("the instance's answer is not understood")?,
    };
    if output.json {
        output.json(&health)?;
    } else {
        let Health { records, segments, size_bytes, .. } = health;
        output
            .line(format_args!("{records} records in {segments} segments, {size_bytes} bytes"))?;
        for lost in &health.corrupt {
            let (partition, offset) = (lost.partition, lost.offset);
            output.line(format_args!(
                "damaged: partition {partition}, offset {offset}, {}",
                lost.place
            ))?;
        }
        for segment in &health.damaged_headers {
            output.line(format_args!("damaged: the header of segment {segment}"))?;
        }
    }
    if !health.sound {
        bail!(
            "{} records of the log cannot be read; restore its segments from a backup, or import \
             what is missing again",
            health.corrupt.len()
        );
    }
    output.note("the log is sound");
    Ok(())
}

fn print(output: Output, claimed: &Claim<FileLog>) -> anyhow::Result<()> {
    let mut lines = Lines { output, text: String::new() };
    match claimed {
        Claim::Here(log) => {
            let mut printed = Ok(());
            dump(log, |line| {
                printed = lines.add(&line);
                printed.is_ok()
            })?;
            printed?;
        }
        Claim::There(remote) => remote.lines("/v1/log/dump", |line| {
            let line: DumpLine =
                serde_json::from_str(line).context("the instance's answer is not understood")?;
            lines.add(&line)
        })?,
    }
    lines.write()?;
    output.flush()
}

/// Lines on their way to stdout, many at a time.
struct Lines {
    output: Output,
    text: String,
}

impl Lines {
    /// Events are data; what cannot be read any more is a message.
    fn add(&mut self, line: &DumpLine) -> anyhow::Result<()> {
        if line.damage.is_some() {
            message(line.summary());
            return Ok(());
        }
        let json = self.output.json;
        self.text += &if json { serde_json::to_string(line)? } else { line.summary() };
        self.text.push('\n');
        if self.text.len() < PIECE_BYTES { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let text = std::mem::take(&mut self.text);
        self.output.bytes(text.as_bytes())
    }
}
