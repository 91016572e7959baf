//! The log: what was acknowledged, in the order in which it was acknowledged.
//!
//! `ingest` appends, the aggregator reads, and neither knows what lies between. This module is
//! the port; [`file::FileLog`] and [`memory::MemoryLog`] are the embedded adapters, and
//! [`conformance`] is the suite that every adapter must pass.
//!
//! # Contract
//!
//! - A log has a fixed number of partitions. Each record belongs to one of them, and its offset
//!   counts 0, 1, 2, ... within that partition, in append order, without gaps.
//! - [`Append::append`] resolves to `Ok` only when the record survives the loss of power. An error
//!   means that the record must not be acknowledged; it may still show up later (a crash can strike
//!   between the write and the answer), so a retry may produce a duplicate, never a hole.
//! - A reader sees only durable records, each partition in the order of its offsets. Nothing is
//!   promised about the order between partitions.
//! - A record that can no longer be read keeps its offset and is reported as
//!   [`Item::Quarantined`] at its place in the order. It is never passed over in silence.
//! - A position is the offset wanted next. A position before the log's start or beyond its end is
//!   an error that names the partition; an adapter never guesses.

mod any;
pub mod conformance;
mod error;
pub mod file;
pub mod memory;

use std::{future::Future, time::Duration};

use bytes::Bytes;

pub use self::{
    any::{Log, LogReader},
    error::{AppendError, LogOp, ReadError},
};

/// The position of a partition that a reader does not want at all.
pub const SKIP_PARTITION: u64 = u64::MAX;

/// Takes records and makes them durable.
pub trait Append: Send + Sync + 'static {
    /// Appends one record and resolves once it is durable.
    ///
    /// Concurrent calls share one sync of the disk, so callers should have many appends in flight.
    /// Two appends to a partition that overlap in time may take either order. Dropping the future
    /// does not take the record back.
    fn append(
        &self,
        partition: u16,
        payload: Bytes,
    ) -> impl Future<Output = Result<Appended, AppendError>> + Send;
}

/// Opens readers and knows how far the log reaches.
pub trait Subscribe: Send + Sync + 'static {
    /// What [`Subscribe::open_from`] returns.
    type Reader: ReadBatch;

    /// How many partitions the log was created with.
    fn partitions(&self) -> u16;

    /// The first offset that each partition still holds.
    fn start_positions(&self) -> Result<Vec<u64>, ReadError>;

    /// The offset after each partition's last durable record.
    fn end_positions(&self) -> Result<Vec<u64>, ReadError>;

    /// Opens a reader at the offset wanted next in each partition, [`SKIP_PARTITION`] for none.
    fn open_from(&self, positions: &[u64]) -> Result<Self::Reader, ReadError>;
}

/// Reads a log forward. It blocks, so it belongs on a thread of its own.
pub trait ReadBatch: Send + 'static {
    /// Returns what is durable now, within `limit`; waits up to `timeout` if that is nothing.
    ///
    /// An empty batch means that the time is over. [`ReadError::Closed`] means that everything was
    /// read and that nothing can follow.
    fn next_batch(&mut self, limit: BatchLimit, timeout: Duration) -> Result<Vec<Item>, ReadError>;
}

/// How much one batch may hold. It always holds at least one item, however large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimit {
    /// Most items in one batch.
    pub max_records: usize,
    /// Most bytes of payload in one batch.
    pub max_bytes: usize,
}

/// Where an appended record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Appended {
    /// The record's partition.
    pub partition: u16,
    /// The record's offset in that partition.
    pub offset: u64,
}

/// One step of a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A record as it was appended.
    Record(Record),
    /// A record that was durable once and can no longer be read.
    Quarantined(Quarantined),
}

impl Item {
    /// The partition that this item belongs to.
    #[must_use]
    pub fn partition(&self) -> u16 {
        match self {
            Self::Record(record) => record.partition,
            Self::Quarantined(quarantined) => quarantined.partition,
        }
    }

    /// The offset that this item occupies.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match self {
            Self::Record(record) => record.offset,
            Self::Quarantined(quarantined) => quarantined.offset,
        }
    }

    /// The damage, if this is one.
    #[must_use]
    pub fn into_quarantined(self) -> Option<Quarantined> {
        match self {
            Self::Record(_) => None,
            Self::Quarantined(quarantined) => Some(quarantined),
        }
    }

    /// The bytes of payload that count towards [`BatchLimit::max_bytes`].
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Record(record) => record.payload.len(),
            Self::Quarantined(_) => 0,
        }
    }
}

/// A record as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The record's partition.
    pub partition: u16,
    /// The record's offset in that partition.
    pub offset: u64,
    /// The bytes given to [`Append::append`].
    pub payload: Bytes,
}

/// A record that can no longer be read. It keeps its offset, so positions stay true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The record's partition.
    pub partition: u16,
    /// The record's offset in that partition.
    pub offset: u64,
    /// Where the damage was met.
    pub place: Place,
}

/// A place on disk, for the people who look into a damage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The number in the segment's file name.
    pub segment: u64,
    /// The byte in that file.
    pub position: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "segment {} at byte {}", self.segment, self.position)
    }
}

/// What a log holds, for gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Durable records, quarantined ones included.
    pub records: u64,
    /// Bytes of the durable data with its headers.
    pub size_bytes: u64,
    /// Quarantined records that this process has met, while it opened the log or read it.
    pub corrupt_records: u64,
}

/// Receives what a log measures. Calls come from any thread and must be quick.
pub trait LogMetrics: Send + Sync + 'static {
    /// One append was acknowledged `duration` after it was asked for.
    fn appended(&self, duration: Duration) {
        let _ = duration;
    }

    /// The disk failed once, whatever number of callers had to hear of it.
    fn failed(&self, op: LogOp) {
        let _ = op;
    }
}

/// Measures nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl LogMetrics for NoMetrics {}
