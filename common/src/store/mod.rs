//! The store port: where a partition's state lives, and how state and position move together.
//!
//! # Contract
//!
//! * A partition is the unit of commit. [`Store::commit`] writes all of a commit's keys and moves the
//!   partition's position in one atomic step, or does nothing (law 4).
//! * The position compares and sets: a commit whose `base` is not the stored position changes nothing
//!   and reports a [`Committed::Conflict`], except where the stored position already is the commit's
//!   `end`, which is the retry of an ambiguous reply and reports [`Committed::Already`].
//! * A [`Snapshot`] never changes: it shows every commit that returned before it was taken, and none
//!   that began after. An engine without such views says so ([`Store::views_stand_still`]): its view
//!   shows each partition as it stood when the view was first asked for it, and once the partition
//!   has moved, every read either still shows that state or fails with [`StoreError::Moved`]. It
//!   never mixes two states of a partition.
//! * Positions from [`UNFINISHED`] on are none of a log: they stand for a state that is being put in
//!   place in several commits, and means nothing yet.
//! * Keys sort as bytes within a partition. Partitions never see each other's keys.
//! * An engine may hold several generations of the state, of which one is in use. A store reads and
//!   writes one of them until [`Store::follow`] takes it to another.
//! * Nothing expires. What was committed survives a crash of the process; after a power loss the
//!   store may be older, never torn: the log is the truth and is folded again from the position.
//!
//! Every adapter passes [`conformance::run`].

pub mod conformance;
mod file;
mod memory;

pub use file::FileStore;
pub use memory::MemoryStore;

use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// From here on, a position stands for a state that is not whole.
pub const UNFINISHED: u64 = 1 << 63;

/// Writes of one partition and the move of its position.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// The partition.
    pub partition: u16,
    /// The position that the writes were computed from.
    pub base: u64,
    /// The position after them.
    pub end: u64,
    /// Keys with their new values; `None` removes.
    pub writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It was written.
    Done,
    /// It had been written before.
    Already,
    /// Somebody else moved the partition to `stored`; drop what was cached and start from there.
    Conflict {
        /// The position found.
        stored: u64,
    },
}

/// Why a store could not answer.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The engine failed.
    #[error("the state store in {place} failed: {message}")]
    Engine {
        /// Where it lives.
        place: String,
        /// The engine's own words.
        message: String,
    },
    /// The store was made with other settings.
    #[error(
        "the state in {place} was made with {key} = {stored}, this configuration says {wanted}; \
         set it back, or build the state anew with `tallyhook rebuild`"
    )]
    Manifest {
        /// Where it lives.
        place: String,
        /// The setting.
        key: &'static str,
        /// What the state was made with.
        stored: String,
        /// What the configuration says.
        wanted: String,
    },
    /// The engine is set up so that it would lose state.
    #[error("the state store in {place} is not safe: {setting} is {found}; {remedy}")]
    Unsafe {
        /// Where it lives.
        place: String,
        /// The engine's setting.
        setting: &'static str,
        /// What it is set to.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A view could not be held still.
    #[error("partition {partition} of the state moved while it was read; ask again")]
    Moved {
        /// The partition.
        partition: u16,
    },
    /// Its files could not be read or written.
    #[error("cannot use the state directory {path}: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// The settings that a state depends on; a change of any asks for a rebuild.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The number of partitions.
    pub partitions: u16,
    /// The partitioner's name.
    pub partitioner: String,
    /// The fold's version.
    pub fold_version: u32,
    /// The pseudonym key's fingerprint.
    pub pseudonym_key: String,
    /// Time zones and default currencies, as canonical text.
    pub shops: String,
}

impl Manifest {
    /// The first setting in which `self`, as stored, differs from `wanted`.
    #[must_use]
    pub fn difference(&self, wanted: &Self) -> Option<(&'static str, String, String)> {
        let pairs = [
            ("log.partitions", self.partitions.to_string(), wanted.partitions.to_string()),
            ("partitioner", self.partitioner.clone(), wanted.partitioner.clone()),
            ("fold version", self.fold_version.to_string(), wanted.fold_version.to_string()),
            (
                "privacy.pseudonym_key (fingerprint)",
                self.pseudonym_key.clone(),
                wanted.pseudonym_key.clone(),
            ),
            ("shops", self.shops.clone(), wanted.shops.clone()),
        ];
        pairs.into_iter().find(|(_, stored, wanted)| stored != wanted)
    }
}

/// A visitor of a scan: key and value; `Break` ends the scan.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// What [`Store::follow`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// The generation in hand is the one in use.
    Same,
    /// Another one was in use; it is in hand from now on, and stands at positions of its own.
    Another,
}

/// The state of all partitions. See the module's contract.
pub trait Store: Send + Sync + 'static {
    /// The position that the partition's state stands for; 0 where nothing was committed.
    fn position(&self, partition: u16) -> Result<u64, StoreError>;

    /// The positions of many partitions, in their order, each as it was at some instant of the call:
    /// one round trip where the engine is far away.
    fn positions(&self, partitions: &[u16]) -> Result<Vec<u64>, StoreError> {
        partitions.iter().map(|partition| self.position(*partition)).collect()
    }

    /// Writes a commit, all or nothing.
    fn commit(&self, commit: Commit) -> Result<Committed, StoreError>;

    /// A view of all partitions.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// Makes everything committed so far survive a loss of power.
    fn persist(&self) -> Result<(), StoreError>;

    /// Goes over to the generation in use. One that was made with other settings is an error, and the
    /// one in hand stays.
    fn follow(&self) -> Result<Followed, StoreError> {
        Ok(Followed::Same)
    }

    /// Whether views stand still whatever is committed; else they say [`StoreError::Moved`].
    fn views_stand_still(&self) -> bool {
        true
    }

    /// Whether it is reached over a network: whoever waits for its answer leaves a core to others.
    fn is_remote(&self) -> bool {
        false
    }
}

/// A view of the state that stands still, or says that it could not.
pub trait Snapshot: Send {
    /// The value of a key.
    fn get(&self, partition: u16, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The values of many keys, in their order: few round trips where the engine is far away.
    fn get_many(&self, partition: u16, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        keys.iter().map(|key| self.get(partition, key)).collect()
    }

    /// Visits keys from `from` (included) to `to` (excluded) in order.
    fn scan(
        &self,
        partition: u16,
        from: &[u8],
        to: &[u8],
        visit: Visit<'_>,
    ) -> Result<(), StoreError>;

    /// The partition's position in this view.
    fn position(&self, partition: u16) -> Result<u64, StoreError>;
}

/// The least key greater than every key that starts with `prefix`.
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // Nothing is greater than a prefix of 0xff alone; no key of ours starts so.
    vec![u8::MAX; prefix.len() + 1]
}
