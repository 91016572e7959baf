//! This process as the system sees it, and other processes that measure for it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The unit of processor time in `/proc`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// Where user and system time stand in `/proc/PID/stat`, counted after the name.
const USER_TIME: usize = 11;

/// Seconds of processor time that this process has used, all threads together.
pub fn processor_seconds() -> anyhow::Result<f64> {
    processor_seconds_of(std::process::id())
}

/// The same of another process.
pub fn processor_seconds_of(process: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    let stat = stat.context("cannot read /proc")?;
    let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat has no name")?;
    let times = fields.split_ascii_whitespace().skip(USER_TIME).take(2);
    let ticks: f64 = times.map_while(|ticks| ticks.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}

/// Megabytes of memory that this process has in use.
pub fn resident_mb() -> anyhow::Result<f64> {
    status_mb("VmRSS:")
}

/// The most that [`resident_mb`] ever was.
pub fn peak_mb() -> anyhow::Result<f64> {
    status_mb("VmHWM:")
}

fn status_mb(key: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next());
    let kilobytes: f64 = kilobytes.with_context(|| format!("no {key} in /proc"))?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// Which processors another process may use.
#[derive(Clone, Copy)]
pub enum Cores {
    /// The first one, where `taskset` is there to say so.
    One,
    /// All.
    All,
}

/// Has another process of this program measure `part` in `directory`.
pub fn ask<T: DeserializeOwned>(part: &str, directory: &Path, cores: Cores) -> anyhow::Result<T> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = match cores {
        Cores::One if can_pin() => {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(program);
            command
        }
        Cores::One | Cores::All => Command::new(program),
    };
    let output = command.arg(part).arg(directory).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot measure {part}"))?;
    if !output.status.success() {
        bail!("measuring {part} failed: {}", output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("what {part} said"))
}

/// Whether a process can be held to one core here.
pub fn can_pin() -> bool {
    let tried = Command::new("taskset").args(["-c", "0", "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

/// Hands figures to the process that asked.
pub fn answer<T: Serialize>(figures: &T) -> anyhow::Result<()> {
    serde_json::to_writer(std::io::stdout(), figures).context("cannot answer")
}
