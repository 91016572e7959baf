//! Why a snapshot could not be made, found, trusted or restored.

use std::io;
use std::path::{Path, PathBuf};

use common::store::StoreError;
use thiserror::Error;

/// A failure about snapshots. Messages say what failed and what to do.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The state could not be read or written.
    #[error("the state cannot be read or written")]
    Store(#[from] StoreError),
    /// A file or directory could not be read or written.
    #[error("cannot {doing} {}; check snapshots.dir, its space and its permissions", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process makes one.
    #[error("another snapshot is being made in {}; try again when it is done", dir.display())]
    Busy {
        /// The directory.
        dir: PathBuf,
    },
    /// There is none.
    #[error("there is no {what} in {}; `tallyhook snapshot list` shows what there is", dir.display())]
    None {
        /// What was looked for.
        what: String,
        /// The directory.
        dir: PathBuf,
    },
    /// A newer program made it.
    #[error("snapshot {name} has the format {found}, this program reads {known}: use a newer one")]
    Format {
        /// The snapshot.
        name: String,
        /// Its format.
        found: u32,
        /// What can be read.
        known: u32,
    },
    /// It was signed under another key.
    #[error(
        "snapshot {name} was signed under another pseudonym key (fingerprint {signed}, this one is \
         {ours}); set privacy.pseudonym_key to the key of its state"
    )]
    OtherKey {
        /// The snapshot.
        name: String,
        /// The fingerprint that it names.
        signed: String,
        /// That of the configured key.
        ours: String,
    },
    /// It was changed after it was signed.
    #[error(
        "the signature of snapshot {name} does not fit its manifest: it was changed or damaged; use \
         another snapshot"
    )]
    Signature {
        /// The snapshot.
        name: String,
    },
    /// A file is not what the manifest says.
    #[error("{} is damaged: {what}; use another snapshot", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It is of a state with other settings.
    #[error(
        "snapshot {name} was made with {key} = {stored}, this configuration says {wanted}: set it \
         back, or use another snapshot"
    )]
    Settings {
        /// The snapshot.
        name: String,
        /// The setting.
        key: &'static str,
        /// What the snapshot was made with.
        stored: String,
        /// What the configuration says.
        wanted: String,
    },
    /// Somebody else wrote to the partition.
    #[error("partition {partition} was moved by another process while it was restored; try again")]
    Moved {
        /// The partition.
        partition: u16,
    },
    /// A partition stands in the middle of a restore.
    #[error(
        "partition {partition} holds a restore that was not finished; wait for it, or restore a \
         snapshot again"
    )]
    Unfinished {
        /// The partition.
        partition: u16,
    },
    /// The log cannot go on from where the snapshot stands.
    #[error(
        "snapshot {name} holds partition {partition} up to offset {position}, and the log goes from \
         {start} to {end}: use a snapshot of this log that is {remedy}"
    )]
    OutsideLog {
        /// The snapshot.
        name: String,
        /// The partition.
        partition: u16,
        /// Where the snapshot stands.
        position: u64,
        /// The first offset that is left in the log.
        start: u64,
        /// The offset after its last record.
        end: u64,
        /// `newer` or `older`.
        remedy: &'static str,
    },
}

impl SnapshotError {
    /// The error for a failure of the system.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path: path.clone(), source }
    }
}
