//! The disk as it is: a write and an fdatasync, one after the other.
//!
//! The file is written once before, as the log's segments are: what is measured then is the sync of
//! data, not of the file's growth.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::table::{Table, ms, quantile};

const KIB: usize = 1024;

/// Measures syncs of 4 and 64 KiB; returns the 99th percentile of the latter.
pub fn measure(directory: &Path, count: usize, table: &mut Table) -> anyhow::Result<Duration> {
    table.part("disk: write + fdatasync, nothing else");
    let mut slowest = Duration::ZERO;
    for size_kib in [4, 64] {
        let times = syncs(directory, size_kib * KIB, count)
            .with_context(|| format!("cannot write in {}", directory.display()))?;
        slowest = quantile(&times, 0.99);
        table.number(&format!("{size_kib} KiB, p50"), ms(quantile(&times, 0.5)), 3, "ms");
        table.number(&format!("{size_kib} KiB, p99"), ms(slowest), 3, "ms");
    }
    Ok(slowest)
}

fn syncs(directory: &Path, size_bytes: usize, count: usize) -> std::io::Result<Vec<Duration>> {
    let path = directory.join("sync");
    let mut file = File::create(&path)?;
    let block = vec![0x5a; size_bytes];
    for _ in 0..count {
        file.write_all(&vec![0; size_bytes])?;
    }
    file.sync_all()?;
    let mut times = Vec::with_capacity(count);
    let mut place = 0;
    for _ in 0..count {
        let begun = Instant::now();
        file.write_all_at(&block, place)?;
        file.sync_data()?;
        times.push(begun.elapsed());
        place += size_bytes as u64;
    }
    std::fs::remove_file(path)?;
    times.sort();
    Ok(times)
}
