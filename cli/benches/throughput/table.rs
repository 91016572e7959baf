//! The table on stdout: rows as soon as they are measured, so that a long run shows where it is.

use std::io::{Stdout, Write as _, stdout};
use std::time::{Duration, Instant};

/// Width of the first column.
const NAME: usize = 52;
/// Width of the second column.
const VALUE: usize = 12;

/// Prints rows.
pub struct Table {
    begun: Instant,
    out: Stdout,
}

impl Default for Table {
    fn default() -> Self {
        Self { begun: Instant::now(), out: stdout() }
    }
}

impl Table {
    /// Begins a part.
    pub fn part(&mut self, name: &str) {
        self.line(format_args!("\n{name}\n{}", "-".repeat(NAME + VALUE + 14)));
    }

    /// A row: what, how much, in which unit.
    pub fn row(&mut self, name: &str, value: impl std::fmt::Display, unit: &str) {
        self.line(format_args!("{name:<NAME$}{value:>VALUE$}  {unit}"));
    }

    /// A row with a number of `digits` decimals.
    pub fn number(&mut self, name: &str, value: f64, digits: usize, unit: &str) {
        self.row(name, format_args!("{:>VALUE$}", format!("{value:.digits$}")), unit);
    }

    /// Tells how long it all took.
    pub fn end(&mut self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.line(format_args!("\nmeasured in {seconds:.0} s"));
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // A closed pipe ends the reader's interest, not the measurement.
        let _ = writeln!(self.out, "{text}");
    }
}

/// A duration in milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The middle of some values; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The value that `part` of all stay below; zero of none.
pub fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index within the list"
    )]
    let index = ((sorted.len() as f64 * part) as usize).min(last);
    sorted.get(index).copied().unwrap_or_default()
}

/// A count as a float, for ratios.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub fn count(number: u64) -> f64 {
    number as f64
}
