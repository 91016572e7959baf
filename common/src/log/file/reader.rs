//! Reads the durable records of a log, in batches.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    super::{BatchLimit, Item, LogOp, Place, ReadBatch, ReadError},
    shared::{Shared, Waited},
    walk::{Walk, describe},
};

/// Keeps a wild timeout from overflowing the clock.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Reads a [`super::FileLog`]. It does not keep the log open for writing.
pub struct FileReader {
    shared: Arc<Shared>,
    walk: Walk,
    wanted: Vec<u64>,
    ready: VecDeque<Item>,
}

impl FileReader {
    /// Opens a reader at positions that the log can serve.
    pub(super) fn open(shared: Arc<Shared>, positions: &[u64]) -> Result<Self, ReadError> {
        ReadError::check(positions, &shared.starts(), &shared.ends())?;
        let (segment, header) = shared.segment_for(positions).ok_or(ReadError::Closed)?;
        let walk = Walk::begin(shared.ground.clone(), &segment, &header).map_err(|source| {
            failed(&shared, describe(&shared.ground.path(segment.number)), source)
        })?;
        Ok(Self { shared, walk, wanted: positions.to_vec(), ready: VecDeque::new() })
    }

    /// How far it has read; a damaged stretch before it included.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { segment: self.walk.number(), position: self.walk.position() }
    }

    /// Moves items into the batch until it is full; `false` if the data ends before.
    fn fill(&mut self, batch: &mut Vec<Item>, limit: BatchLimit) -> io::Result<bool> {
        let mut size = 0;
        loop {
            while let Some(item) = self.ready.front() {
                size += item.size_bytes();
                let full = batch.len() >= limit.max_records || size > limit.max_bytes;
                if full && !batch.is_empty() {
                    return Ok(true);
                }
                if let Item::Quarantined(lost) = item {
                    self.shared.quarantine(lost);
                }
                batch.extend(self.ready.pop_front());
            }
            if batch.len() >= limit.max_records.max(1) {
                return Ok(true);
            }
            if !self.walk.step(&self.wanted, &mut self.ready)? && !self.go_on()? {
                return Ok(false);
            }
        }
    }

    /// Goes on behind the limit that the walk has come to; `false` if there is nothing yet.
    fn go_on(&mut self) -> io::Result<bool> {
        let extent = self.shared.extent(self.walk.number());
        if let Some(end) = extent.end
            && end > self.walk.position()
        {
            if self.walk.extend(end)? {
                return Ok(true);
            }
            if extent.next.is_none() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        match extent.next {
            Some(next) => {
                self.walk.enter(&next, &self.wanted, &mut self.ready)?;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

impl ReadBatch for FileReader {
    fn next_batch(&mut self, limit: BatchLimit, timeout: Duration) -> Result<Vec<Item>, ReadError> {
        let deadline = Instant::now() + timeout.min(LONGEST_WAIT);
        let mut batch = Vec::new();
        loop {
            if let Err(source) = self.fill(&mut batch, limit) {
                // What was read before the failure is sound; the next call meets it again.
                if !batch.is_empty() {
                    return Ok(batch);
                }
                return Err(failed(&self.shared, describe(&self.walk.path()), source));
            }
            if !batch.is_empty() {
                return Ok(batch);
            }
            match self.shared.wait(self.walk.number(), self.walk.position(), deadline) {
                Waited::Changed => {}
                Waited::TimedOut => return Ok(batch),
                Waited::Closed => return Err(ReadError::Closed),
            }
        }
    }
}

impl std::fmt::Debug for FileReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FileReader").field("walk", &self.walk).finish_non_exhaustive()
    }
}

fn failed(shared: &Shared, what: String, source: io::Error) -> ReadError {
    shared.metrics.failed(LogOp::Read);
    ReadError::Io { what, source }
}
