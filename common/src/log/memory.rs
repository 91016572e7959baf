//! A log in memory: the contract without the disk, for tests and for trying things out.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Append, AppendError, Appended, BatchLimit, Item, LogStats, ReadBatch, ReadError, Record,
    Subscribe,
};

/// Keeps a wild timeout from overflowing the clock.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// A log that lives as long as its handles and readers. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

impl MemoryLog {
    /// The largest payload that is taken, the same as a file log's default.
    pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;

    /// Makes an empty log.
    #[must_use]
    pub fn new(partitions: u16) -> Self {
        let state = State { ends: vec![0; usize::from(partitions)], ..State::default() };
        let shared = Shared { partitions, state: Mutex::new(state), changed: Condvar::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Makes every append fail with a clone of `fault` until `None` is set.
    pub fn set_fault(&self, fault: Option<AppendError>) {
        self.shared.lock().fault = fault;
    }

    /// Refuses further appends; readers end once they have read everything.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }

    /// What the log holds.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        let state = self.shared.lock();
        let size: usize = state.records.iter().map(|record| record.payload.len()).sum();
        LogStats {
            records: state.records.len() as u64,
            size_bytes: size as u64,
            corrupt_records: 0,
        }
    }
}

impl Append for MemoryLog {
    async fn append(&self, partition: u16, payload: Bytes) -> Result<Appended, AppendError> {
        if payload.len() > Self::MAX_PAYLOAD_BYTES {
            let (size_bytes, limit_bytes) = (payload.len(), Self::MAX_PAYLOAD_BYTES);
            return Err(AppendError::TooLarge { size_bytes, limit_bytes });
        }
        let mut state = self.shared.lock();
        if state.closed {
            return Err(AppendError::Closed);
        }
        if let Some(fault) = &state.fault {
            return Err(fault.clone());
        }
        let partitions = self.shared.partitions;
        let Some(end) = state.ends.get_mut(usize::from(partition)) else {
            return Err(AppendError::UnknownPartition { partition, partitions });
        };
        let offset = *end;
        *end += 1;
        state.records.push(Record { partition, offset, payload });
        self.shared.changed.notify_all();
        Ok(Appended { partition, offset })
    }
}

impl Subscribe for MemoryLog {
    type Reader = MemoryReader;

    fn partitions(&self) -> u16 {
        self.shared.partitions
    }

    fn start_positions(&self) -> Result<Vec<u64>, ReadError> {
        Ok(vec![0; usize::from(self.shared.partitions)])
    }

    fn end_positions(&self) -> Result<Vec<u64>, ReadError> {
        Ok(self.shared.lock().ends.clone())
    }

    fn open_from(&self, positions: &[u64]) -> Result<MemoryReader, ReadError> {
        ReadError::check(positions, &self.start_positions()?, &self.end_positions()?)?;
        let shared = Arc::clone(&self.shared);
        Ok(MemoryReader { shared, wanted: positions.to_vec(), next: 0 })
    }
}

/// Reads a [`MemoryLog`].
#[derive(Debug)]
pub struct MemoryReader {
    shared: Arc<Shared>,
    wanted: Vec<u64>,
    /// Index of the next record to look at, over all partitions.
    next: usize,
}

impl ReadBatch for MemoryReader {
    fn next_batch(&mut self, limit: BatchLimit, timeout: Duration) -> Result<Vec<Item>, ReadError> {
        let deadline = Instant::now() + timeout.min(LONGEST_WAIT);
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            let batch = self.take(&state.records, limit);
            if !batch.is_empty() {
                return Ok(batch);
            }
            if state.closed {
                return Err(ReadError::Closed);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(batch);
            }
            let waited = shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl MemoryReader {
    fn take(&mut self, records: &[Record], limit: BatchLimit) -> Vec<Item> {
        let mut batch = Vec::new();
        let mut size = 0;
        while let Some(record) = records.get(self.next) {
            if record.offset >= self.wanted[usize::from(record.partition)] {
                size += record.payload.len();
                let full = batch.len() >= limit.max_records || size > limit.max_bytes;
                if full && !batch.is_empty() {
                    break;
                }
                batch.push(Item::Record(record.clone()));
            }
            self.next += 1;
        }
        batch
    }
}

#[derive(Debug)]
struct Shared {
    partitions: u16,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    ends: Vec<u64>,
    records: Vec<Record>,
    fault: Option<AppendError>,
    closed: bool,
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    #[tokio::test]
    async fn conforms() {
        conformance::run(MemoryLog::new).await;
    }

    #[tokio::test]
    async fn a_fault_reaches_the_caller_and_leaves_no_record() {
        let log = MemoryLog::new(1);
        log.set_fault(Some(AppendError::Busy));
        let refused = log.append(0, Bytes::from_static(b"a")).await;
        assert!(matches!(refused, Err(AppendError::Busy)));
        log.set_fault(None);
        let taken = log.append(0, Bytes::from_static(b"b")).await.expect("no fault any more");
        assert_eq!(taken.offset, 0);
    }
}
