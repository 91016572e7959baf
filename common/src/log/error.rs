//! What can go wrong with a log, and what the caller should do about it.

use std::{io, sync::Arc};

use thiserror::Error;

use super::SKIP_PARTITION;

/// Why a record was not made durable. Sources are shared: one failure answers a whole group.
#[derive(Clone, Debug, Error)]
pub enum AppendError {
    /// The record can never be taken; the caller must refuse it or set it aside.
    #[error("the payload has {size_bytes} bytes and the log takes at most {limit_bytes}")]
    TooLarge {
        /// Size of the payload.
        size_bytes: usize,
        /// The log's limit.
        limit_bytes: usize,
    },
    /// The caller and the log disagree about the number of partitions.
    #[error("partition {partition} does not exist: the log has {partitions}, counted from 0")]
    UnknownPartition {
        /// The partition asked for.
        partition: u16,
        /// How many the log has.
        partitions: u16,
    },
    /// Too much waits to be written already; the sender should retry after a pause.
    #[error("too many records wait to be written; retry after a pause")]
    Busy,
    /// The disk is full; appends work again as soon as there is room.
    #[error("the disk of the log is full; free some space, appends then go on by themselves")]
    Full(#[source] Arc<io::Error>),
    /// The disk failed; each later append tries again in a fresh segment.
    #[error("the log could not {op}; check the disk and the system's journal")]
    Io {
        /// What was tried.
        op: LogOp,
        /// What the system answered.
        source: Arc<io::Error>,
    },
    /// The log's servers did not acknowledge the record; they may still have written it.
    #[error("the record was not acknowledged: {why}")]
    Unavailable {
        /// What the servers, or their client, said.
        why: String,
    },
    /// The log's servers will not take this record, however often it is sent.
    #[error("the log refuses the record for good: {why}")]
    Refused {
        /// What the servers said.
        why: String,
    },
    /// The log was closed, or opened for reading only.
    #[error("the log takes no records: it is closed or open for reading only")]
    Closed,
}

impl AppendError {
    /// Sorts a failure of the disk: a full one mends itself when there is room again.
    pub(super) fn from_io(op: LogOp, source: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        if [QuotaExceeded, StorageFull].contains(&source.kind()) {
            Self::Full(Arc::new(source))
        } else {
            Self::Io { op, source: Arc::new(source) }
        }
    }
}

/// The operation that failed; the label `op` of `log_errors_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogOp {
    /// Writing records or starting a segment.
    Append,
    /// Making written records durable.
    Fsync,
    /// Reading records back.
    Read,
}

impl LogOp {
    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Fsync => "fsync",
            Self::Read => "read",
        }
    }
}

impl std::fmt::Display for LogOp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a log could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The positions do not fit the log.
    #[error("{given} positions were given for a log of {partitions} partitions")]
    PositionCount {
        /// How many positions were given.
        given: usize,
        /// How many partitions the log has.
        partitions: u16,
    },
    /// The records wanted were deleted; restore a snapshot that is new enough.
    #[error(
        "partition {partition} starts at offset {start} and {wanted} was wanted: \
         restore a newer snapshot"
    )]
    BeforeStart {
        /// The partition.
        partition: u16,
        /// The offset wanted next.
        wanted: u64,
        /// The first offset that is left.
        start: u64,
    },
    /// The state is ahead of the log, so it belongs to another log or the log lost its tail.
    #[error(
        "partition {partition} ends at offset {end} and {wanted} was wanted: the state does not \
         belong to this log; run `tallyhook rebuild`"
    )]
    BeyondEnd {
        /// The partition.
        partition: u16,
        /// The offset wanted next.
        wanted: u64,
        /// The offset after the last durable record.
        end: u64,
    },
    /// The storage failed; the same call may work later.
    #[error("cannot read {what}; check the disk and the system's journal")]
    Io {
        /// What was read.
        what: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The log's servers failed, or did not answer in time; the same call may work later.
    #[error("cannot read {what}: {why}")]
    Unavailable {
        /// What was read.
        what: String,
        /// What the servers, or their client, said.
        why: String,
    },
    /// Another process reads in the place of this one; it goes on, and this one has to end.
    #[error(
        "another process is the member {member} of the consumer group now; give every process a \
         POD_NAME of its own, or none"
    )]
    Displaced {
        /// The name that both bear.
        member: String,
    },
    /// Everything was read, and the log is closed.
    #[error("the log is closed and everything in it was read")]
    Closed,
}

impl ReadError {
    /// Refuses positions that a log from `starts` to `ends` cannot serve.
    pub fn check(positions: &[u64], starts: &[u64], ends: &[u64]) -> Result<(), Self> {
        let partitions = u16::try_from(ends.len()).unwrap_or(u16::MAX);
        if positions.len() != ends.len() {
            return Err(Self::PositionCount { given: positions.len(), partitions });
        }
        for (partition, ((&wanted, &start), &end)) in
            (0..).zip(positions.iter().zip(starts).zip(ends))
        {
            if wanted == SKIP_PARTITION {
                continue;
            }
            if wanted < start {
                return Err(Self::BeforeStart { partition, wanted, start });
            }
            if wanted > end {
                return Err(Self::BeyondEnd { partition, wanted, end });
            }
        }
        Ok(())
    }
}
