//! Why a log's directory could not be opened.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::format::MAX_PARTITIONS;

/// Why a log's directory could not be opened. Every variant but `Io` and `Locked` is a matter of
/// configuration.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory holds no log, and the log was to be read only.
    #[error("{} holds no log; check data.dir", directory.display())]
    NoLog {
        /// The directory.
        directory: PathBuf,
    },
    /// Another process has the log open.
    #[error("{} is locked: another process has this log open; stop it first", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The number of partitions is none that a log can have.
    #[error("a log cannot have {partitions} partitions: 1 to {MAX_PARTITIONS} are possible")]
    PartitionCount {
        /// The number asked for.
        partitions: u16,
    },
    /// A log keeps the number of partitions that it was created with.
    #[error(
        "the log in {} was created with {recorded} partitions and the configuration says \
         log.partitions = {configured}: set it back to {recorded}, or move the events into a log \
         with {configured} partitions and run `tallyhook rebuild`",
        directory.display()
    )]
    Partitions {
        /// The log's directory.
        directory: PathBuf,
        /// What the log was created with.
        recorded: u16,
        /// What was asked for.
        configured: u16,
    },
    /// Another version of the program wrote the log.
    #[error("{} says format {found} and this program reads {supported}", path.display())]
    Format {
        /// The meta file.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The format that this program reads.
        supported: u32,
    },
    /// The meta file is damaged.
    #[error("{} is damaged; restore it from a backup", path.display())]
    Meta {
        /// The meta file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The oldest segment's header is damaged, so the offsets of its records are unknown.
    #[error("the header of {} is damaged; restore the file from a backup", path.display())]
    FirstSegment {
        /// The segment.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot open {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), source }
    }
}
