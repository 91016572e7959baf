//! The few calls by which a log changes its disk, so that tests can make them fail.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

/// A disk that works. A test overrides what should fail.
pub trait Disk: Send + Sync + 'static {
    /// Creates a file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
    }

    /// Writes all of `bytes` at `position`.
    fn write_at(&self, file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
        file.write_all_at(bytes, position)
    }

    /// Makes the written data durable, and as much metadata as is needed to read it back.
    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Cuts a file off.
    fn truncate(&self, file: &File, size_bytes: u64) -> io::Result<()> {
        file.set_len(size_bytes)
    }

    /// Gives a file its final name, durably.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        to.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }

    /// Removes a file, durably.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)?;
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }
}

/// The system's disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {}
