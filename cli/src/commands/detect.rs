//! `tallyhook detect FILE.csv`: the period scan of the return-spike detector on hours of a file.

use std::path::PathBuf;

use aggregator::detect::budget::THRESHOLD;
use aggregator::detect::period::PeriodScan;
use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::args::Global;

/// Hours of a century: what is later than that is no number of an hour.
const MOST_HOURS: usize = 24 * 36_525;

/// The columns of a file.
const COLUMNS: [&str; 3] = ["hour", "returns", "exposure"];

/// The arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A CSV file with the columns hour (0, 1, 2, ...), returns and exposure; others are ignored
    file: PathBuf,
    /// Returns per exposure that are believed in before there is any history
    #[arg(long, value_name = "RATE", default_value_t = 0.08, value_parser = positive)]
    prior_rate: f64,
    /// The first hour that may raise an alarm
    #[arg(long, value_name = "HOUR", default_value_t = 0)]
    from_hour: usize,
    /// The statistic that raises an alarm
    #[arg(long, value_name = "STATISTIC", default_value_t = THRESHOLD, value_parser = positive)]
    threshold: f64,
}

/// A line of the file.
#[derive(Deserialize)]
struct Row {
    hour: usize,
    returns: f64,
    exposure: f64,
}

/// What is printed.
#[derive(Serialize)]
struct Reply {
    /// The first hour whose statistic is at the threshold or above.
    first_alarm_hour: Option<usize>,
    max_stat: f64,
    last_stat: f64,
}

/// Scans the file.
pub fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let place = args.file.display();
    let hours = read(args).with_context(|| format!("cannot read {place}"))?;
    if hours.is_empty() {
        bail!("{place} has no hours: there is no line after its header");
    }
    if args.from_hour >= hours.len() {
        bail!("{place} ends before hour {}: choose another --from-hour", args.from_hour);
    }
    let scan = PeriodScan::new(args.prior_rate, hours);
    let mut reply = Reply { first_alarm_hour: None, max_stat: 0.0, last_stat: 0.0 };
    for (hour, excess) in scan.series(args.from_hour..scan.hours()) {
        reply.last_stat = excess.map_or(0.0, |excess| excess.statistic);
        if !reply.last_stat.is_finite() {
            bail!(
                "{place}: returns or exposure are too large or too small to count with at hour {hour}"
            );
        }
        reply.max_stat = reply.max_stat.max(reply.last_stat);
        if reply.last_stat >= args.threshold && reply.first_alarm_hour.is_none() {
            reply.first_alarm_hour = Some(hour);
        }
    }
    let output = global.output();
    if output.json {
        return output.json(&reply);
    }
    let first = reply.first_alarm_hour.map_or_else(|| "-".to_owned(), |hour| hour.to_string());
    let row = vec![first, format!("{:.3}", reply.max_stat), format!("{:.3}", reply.last_stat)];
    output.table(&["first_alarm_hour", "max_stat", "last_stat"], &[row])
}

/// Returns and exposure of every hour of the file.
fn read(args: &Args) -> anyhow::Result<Vec<(f64, f64)>> {
    let mut hours = Vec::new();
    let mut rows = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(&args.file)?;
    let header = rows.headers()?;
    let missing = COLUMNS.iter().find(|column| !header.iter().any(|name| name == **column));
    if let Some(column) = missing {
        bail!("its first line names no column {column}: it needs {}", COLUMNS.join(", "));
    }
    for (row, line) in rows.deserialize::<Row>().zip(2..) {
        let Row { hour, returns, exposure } = row?;
        if hour != hours.len() {
            bail!(
                "line {line} has hour {hour} where hour {} belongs: hours count from 0, and each needs \
                 a line, also one without returns",
                hours.len()
            );
        }
        if hour >= MOST_HOURS {
            bail!("line {line} has hour {hour}; {MOST_HOURS} hours are the most");
        }
        let is_amount = |amount: f64| amount.is_finite() && amount >= 0.0;
        if !is_amount(returns) || !is_amount(exposure) {
            bail!("line {line}: returns and exposure must be numbers of 0 or more");
        }
        hours.push((returns, exposure));
    }
    Ok(hours)
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "a number above 0".to_owned())
}
