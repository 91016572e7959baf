//! The feed of a fold: records, and which partitions are this fold's to read.
//!
//! A log in this process gives all its partitions once. A consumer group gives some, and takes them
//! back whenever the group changes. The fold answers each gift with the positions that its store
//! stands at, so where reading begins is never the feed's guess.
//!
//! # Contract
//!
//! - Nothing of a partition is fed before it was [`Fed::Assigned`] and [`Feed::start`] was called for
//!   it, and nothing after [`Fed::Revoked`]. Within a partition offsets follow each other from the
//!   started position on; what is missing in between was damaged or compacted away.
//! - A position before the log's start or beyond its end is an error that names the partition.
//! - [`Feed::start`] for a partition that is being read begins again at the new position: what was
//!   fetched before is dropped.

use std::time::Duration;

use common::log::{BatchLimit, Item, Log, ReadBatch as _, ReadError, SKIP_PARTITION, Subscribe};

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Fed {
    /// Records, each partition in the order of its offsets; none when the time is over.
    Items(Vec<Item>),
    /// These partitions are the fold's from now on, beside those that it has.
    Assigned(Vec<u16>),
    /// These partitions are no longer the fold's.
    Revoked(Vec<u16>),
}

/// Feeds a fold. It blocks, so it belongs on the fold's thread.
pub trait Feed: Send + 'static {
    /// How many partitions the log has, whoever reads them.
    fn partitions(&self) -> u16;

    /// What comes next; waits up to `timeout` if that is nothing.
    fn next(&mut self, limit: BatchLimit, timeout: Duration) -> Result<Fed, ReadError>;

    /// Begins to read assigned partitions, or begins again.
    fn start(&mut self, positions: &[(u16, u64)]) -> Result<(), ReadError>;

    /// Stands back while this fold may not write, so that others get its partitions, or comes again.
    fn rest(&mut self, resting: bool) {
        let _ = resting;
    }

    /// Whether a fold that is to stop folds what the log holds first: not where others go on with it.
    fn drains(&self) -> bool {
        true
    }

    /// The offset after each partition's last record, as far as is known without asking anybody.
    fn end_positions(&self) -> Result<Vec<u64>, ReadError>;
}

/// Knows how far a log reaches, for whoever asks about lag.
pub trait Ends: Send + Sync + 'static {
    /// The offset after each partition's last record; `None` where the log cannot say.
    fn end_positions(&self) -> Option<Vec<u64>>;

    /// Records that this process found damaged.
    fn corrupt_records(&self) -> u64 {
        0
    }
}

impl Ends for Log {
    fn end_positions(&self) -> Option<Vec<u64>> {
        Subscribe::end_positions(self).ok()
    }

    fn corrupt_records(&self) -> u64 {
        self.stats().corrupt_records
    }
}

/// A log of which one fold reads everything.
#[derive(Debug)]
pub struct Whole<L: Subscribe> {
    log: L,
    reader: Option<L::Reader>,
    assigned: bool,
}

impl<L: Subscribe> Whole<L> {
    /// All of `log`.
    #[must_use]
    pub const fn new(log: L) -> Self {
        Self { log, reader: None, assigned: false }
    }
}

impl<L: Subscribe> Feed for Whole<L> {
    fn partitions(&self) -> u16 {
        self.log.partitions()
    }

    fn next(&mut self, limit: BatchLimit, timeout: Duration) -> Result<Fed, ReadError> {
        if !self.assigned {
            self.assigned = true;
            return Ok(Fed::Assigned((0..self.log.partitions()).collect()));
        }
        match &mut self.reader {
            Some(reader) => reader.next_batch(limit, timeout).map(Fed::Items),
            None => Ok(Fed::Items(Vec::new())),
        }
    }

    fn start(&mut self, positions: &[(u16, u64)]) -> Result<(), ReadError> {
        let partitions = self.log.partitions();
        let mut wanted = vec![SKIP_PARTITION; usize::from(partitions)];
        for (partition, position) in positions {
            let given = usize::from(*partition) + 1;
            let place = wanted.get_mut(usize::from(*partition));
            *place.ok_or(ReadError::PositionCount { given, partitions })? = *position;
        }
        self.reader = Some(self.log.open_from(&wanted)?);
        Ok(())
    }

    fn end_positions(&self) -> Result<Vec<u64>, ReadError> {
        self.log.end_positions()
    }
}
