//! Who holds the data directory: this process from now on, or an instance that is asked instead.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use common::config::Config;
use common::log::file::{FileLog, OpenError};

use super::layout::Layout;
use super::open_log;
use crate::output::Output;
use crate::remote::Remote;

/// How long a command waits for another one to be done with the directory.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Who holds the data directory.
pub enum Claim<T> {
    /// This process: what was opened.
    Here(T),
    /// A running instance.
    There(Remote),
}

/// Opens the log that the directory holds, or finds the instance that has it open; a directory
/// without a log is an error, and nothing is made in it.
pub fn claim_log(config: &Config, output: Output) -> anyhow::Result<Claim<FileLog>> {
    claim(config, output, |layout| {
        existing(layout)?;
        open_log(config, layout, None)
    })
}

/// Opens the directory's log with `open`, or finds the instance that has it open.
pub fn claim<T>(
    config: &Config,
    output: Output,
    mut open: impl FnMut(&Layout) -> Result<T, OpenError>,
) -> anyhow::Result<Claim<T>> {
    let layout = Layout::new(&config.data.dir);
    let begun = Instant::now();
    loop {
        let path = match open(&layout) {
            Ok(opened) => {
                output.note(format_args!("using {}", layout.root().display()));
                return Ok(Claim::Here(opened));
            }
            Err(OpenError::Locked { path }) => path,
            Err(error) => return Err(error.into()),
        };
        let remote = Remote::of(config, &layout);
        if remote.is_alive() {
            output.note(format_args!(
                "{} is in use: asking the instance at {}",
                layout.root().display(),
                remote.address()
            ));
            return Ok(Claim::There(remote));
        }
        if begun.elapsed() > PATIENCE {
            bail!(
                "{} is locked by another process, and nothing answers at {}: wait for that \
                 process to end, or set admin.listen to the address of the running instance",
                path.display(),
                remote.address()
            );
        }
        // Another short command, or an instance that is about to listen.
        thread::sleep(PAUSE);
    }
}

/// Refuses to make a log where there is none, for commands that only look.
pub fn existing(layout: &Layout) -> Result<(), OpenError> {
    if layout.has_log() { Ok(()) } else { Err(OpenError::NoLog { directory: layout.log() }) }
}
