//! The embedded adapters as one type, chosen where the process is wired together.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Append, AppendError, Appended, BatchLimit, Item, LogStats, ReadBatch, ReadError, Subscribe,
    file::{FileLog, FileReader},
    memory::{MemoryLog, MemoryReader},
};

/// A log inside this process.
#[derive(Clone, Debug)]
pub enum Log {
    /// Segments in a directory.
    File(FileLog),
    /// Nothing durable: for tests.
    Memory(MemoryLog),
}

impl Log {
    /// Writes what is queued, then refuses appends. It blocks until that is done.
    pub fn close(&self) {
        match self {
            Self::File(log) => log.close(),
            Self::Memory(log) => log.close(),
        }
    }

    /// What the log holds, for gauges.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        match self {
            Self::File(log) => log.stats(),
            Self::Memory(log) => log.stats(),
        }
    }
}

impl Append for Log {
    async fn append(&self, partition: u16, payload: Bytes) -> Result<Appended, AppendError> {
        match self {
            Self::File(log) => log.append(partition, payload).await,
            Self::Memory(log) => log.append(partition, payload).await,
        }
    }
}

impl Subscribe for Log {
    type Reader = LogReader;

    fn partitions(&self) -> u16 {
        match self {
            Self::File(log) => log.partitions(),
            Self::Memory(log) => log.partitions(),
        }
    }

    fn start_positions(&self) -> Result<Vec<u64>, ReadError> {
        match self {
            Self::File(log) => log.start_positions(),
            Self::Memory(log) => log.start_positions(),
        }
    }

    fn end_positions(&self) -> Result<Vec<u64>, ReadError> {
        match self {
            Self::File(log) => log.end_positions(),
            Self::Memory(log) => log.end_positions(),
        }
    }

    fn open_from(&self, positions: &[u64]) -> Result<LogReader, ReadError> {
        match self {
            Self::File(log) => Ok(LogReader::File(Box::new(log.open_from(positions)?))),
            Self::Memory(log) => Ok(LogReader::Memory(log.open_from(positions)?)),
        }
    }
}

/// A reader of a [`Log`].
#[derive(Debug)]
pub enum LogReader {
    /// Reads segments.
    File(Box<FileReader>),
    /// Reads memory.
    Memory(MemoryReader),
}

impl ReadBatch for LogReader {
    fn next_batch(&mut self, limit: BatchLimit, timeout: Duration) -> Result<Vec<Item>, ReadError> {
        match self {
            Self::File(reader) => reader.next_batch(limit, timeout),
            Self::Memory(reader) => reader.next_batch(limit, timeout),
        }
    }
}
