//! How far long work is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::output::Output;

/// How often a line is written where there is no terminal.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// Counts work that is done.
pub struct Meter {
    output: Output,
    what: &'static str,
    bar: Option<ProgressBar>,
    total: u64,
    done: u64,
    noted: Instant,
}

impl Meter {
    /// Of so many pieces, `what` in words.
    pub fn new(output: Output, what: &'static str, total: u64) -> Self {
        let bar = (stderr().is_terminal() && !output.quiet).then(|| ProgressBar::new(total));
        Self { output, what, bar, total, done: 0, noted: Instant::now() }
    }

    /// More is done.
    pub fn add(&mut self, count: u64) {
        self.done += count;
        // What came meanwhile is done too.
        self.total = self.total.max(self.done);
        if let Some(bar) = &self.bar {
            bar.set_length(self.total);
            bar.set_position(self.done);
        } else if self.noted.elapsed() >= NOTE_EVERY {
            self.noted = Instant::now();
            self.output.note(format_args!("{} of {} {}", self.done, self.total, self.what));
        }
    }

    /// All is done.
    pub fn end(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
