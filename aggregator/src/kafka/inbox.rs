//! What lies between the consumer's thread and the fold's: two lanes, both bounded.
//!
//! Changes of the group overtake records: a partition's records are worth nothing once it is gone.
//! Each start of a partition has a number, and records of an earlier start are dropped wherever they
//! are met.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::log::{BatchLimit, Item, ReadError, Record};

use crate::feed::Fed;

/// From here on the consumer's thread waits.
const FULL_RECORDS: usize = 16_384;
const FULL_BYTES: usize = 16 * 1024 * 1024;

/// Begin to read a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) position: u64,
    pub(super) number: u64,
}

/// A change that the fold must hear of before any more records.
#[derive(Debug)]
enum Notice {
    Assigned(Vec<u16>),
    Revoked(Vec<u16>),
    Failed(ReadError),
}

#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    notices: VecDeque<Notice>,
    records: VecDeque<Record>,
    bytes: usize,
    /// The number of the start that each partition's records must belong to.
    wanted: Vec<Option<u64>>,
    last_start: u64,
    starts: BTreeMap<u16, Start>,
    /// Revocations told, and those that the fold is done with.
    revoked: u64,
    settled: u64,
    /// Whether the last answer to the fold was a revocation.
    settling: bool,
    /// The positions after what the last answer held, and after all answers before it.
    fed: BTreeMap<u16, u64>,
    folded: BTreeMap<u16, u64>,
    /// Whether the fold wants no partitions for now.
    resting: bool,
    closed: bool,
}

impl Inbox {
    pub(super) fn new(partitions: u16) -> Self {
        let wanted = vec![None; usize::from(partitions)];
        let state = Mutex::new(State { wanted, ..State::default() });
        Self { state, changed: Condvar::new() }
    }

    /// The fold's next answer. Asking means that the fold is done with the one before.
    pub(super) fn next(&self, limit: BatchLimit, timeout: Duration) -> Result<Fed, ReadError> {
        let begun = Instant::now();
        let mut state = self.lock();
        state.done_with_last();
        self.changed.notify_all();
        loop {
            if let Some(notice) = state.notices.pop_front() {
                return state.take(notice);
            }
            if !state.records.is_empty() {
                let items = state.batch(limit);
                self.changed.notify_all();
                return Ok(Fed::Items(items));
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(Fed::Items(Vec::new()));
            }
            if state.closed {
                return Err(ReadError::Closed);
            }
            state = self.wait(state, left);
        }
    }

    /// The fold wants these partitions from these positions on.
    pub(super) fn start(&self, positions: &[(u16, u64)]) {
        let mut state = self.lock();
        for (partition, position) in positions {
            state.last_start += 1;
            let number = state.last_start;
            state.forget(&[*partition]);
            if let Some(wanted) = state.wanted.get_mut(usize::from(*partition)) {
                *wanted = Some(number);
            }
            state.starts.insert(*partition, Start { position: *position, number });
        }
    }

    /// The starts since the last call.
    pub(super) fn starts(&self) -> BTreeMap<u16, Start> {
        std::mem::take(&mut self.lock().starts)
    }

    /// How far the fold has come in what it was fed since the last call.
    pub(super) fn folded(&self) -> BTreeMap<u16, u64> {
        std::mem::take(&mut self.lock().folded)
    }

    pub(super) fn assigned(&self, partitions: Vec<u16>) {
        self.lock().notices.push_back(Notice::Assigned(partitions));
        self.changed.notify_all();
    }

    /// Tells of a revocation, and waits until the fold is done with it, or for `patience`: a fold
    /// that is stuck must not hold up the group, and its commit would be refused anyhow.
    pub(super) fn revoked(&self, partitions: Vec<u16>, patience: Duration) {
        let begun = Instant::now();
        let mut state = self.lock();
        state.forget(&partitions);
        state.notices.push_back(Notice::Revoked(partitions));
        state.revoked += 1;
        let mine = state.revoked;
        self.changed.notify_all();
        loop {
            let left = patience.saturating_sub(begun.elapsed());
            if state.settled >= mine || state.closed || left.is_zero() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    /// Tells of a failure, unless one waits to be heard already.
    pub(super) fn failed(&self, error: ReadError) {
        let mut state = self.lock();
        if !state.notices.iter().any(|notice| matches!(notice, Notice::Failed(_))) {
            state.notices.push_back(Notice::Failed(error));
            self.changed.notify_all();
        }
    }

    /// Takes records, each with the number of the start that it belongs to.
    pub(super) fn push(&self, records: impl IntoIterator<Item = (u64, Record)>) {
        let mut state = self.lock();
        for (number, record) in records {
            let wanted = state.wanted.get(usize::from(record.partition)).copied().flatten();
            if wanted == Some(number) {
                state.bytes += record.payload.len();
                state.records.push_back(record);
            }
        }
        self.changed.notify_all();
    }

    /// Waits for room for `patience` at most; whether there is any.
    pub(super) fn room(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            if state.closed || (state.records.len() < FULL_RECORDS && state.bytes < FULL_BYTES) {
                return true;
            }
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return false;
            }
            state = self.wait(state, left);
        }
    }

    pub(super) fn rest(&self, resting: bool) {
        self.lock().resting = resting;
        self.changed.notify_all();
    }

    pub(super) fn resting(&self) -> bool {
        self.lock().resting
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the end for `patience` at most; whether it has come.
    pub(super) fn closed(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            let left = patience.saturating_sub(begun.elapsed());
            if state.closed || left.is_zero() {
                return state.closed;
            }
            state = self.wait(state, left);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, left: Duration) -> MutexGuard<'a, State> {
        // No wait is longer, so that a timeout far away cannot overflow.
        let left = left.min(Duration::from_mins(1));
        self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn done_with_last(&mut self) {
        if self.settling {
            self.settling = false;
            self.settled += 1;
        }
        let fed = std::mem::take(&mut self.fed);
        self.folded.extend(fed);
    }

    fn take(&mut self, notice: Notice) -> Result<Fed, ReadError> {
        match notice {
            Notice::Assigned(partitions) => Ok(Fed::Assigned(partitions)),
            Notice::Revoked(partitions) => {
                self.settling = true;
                self.forget(&partitions);
                Ok(Fed::Revoked(partitions))
            }
            Notice::Failed(error) => Err(error),
        }
    }

    /// Drops what is there of these partitions, and what may still come of earlier starts.
    fn forget(&mut self, partitions: &[u16]) {
        for partition in partitions {
            if let Some(wanted) = self.wanted.get_mut(usize::from(*partition)) {
                *wanted = None;
            }
            self.starts.remove(partition);
            self.folded.remove(partition);
            self.fed.remove(partition);
        }
        self.records.retain(|record| !partitions.contains(&record.partition));
        self.bytes = self.records.iter().map(|record| record.payload.len()).sum();
    }

    fn batch(&mut self, limit: BatchLimit) -> Vec<Item> {
        let mut items = Vec::new();
        let mut size = 0;
        while let Some(record) = self.records.front() {
            size += record.payload.len();
            let full = items.len() >= limit.max_records || size > limit.max_bytes;
            if full && !items.is_empty() {
                break;
            }
            let Some(record) = self.records.pop_front() else { break };
            self.bytes -= record.payload.len();
            self.fed.insert(record.partition, record.offset + 1);
            items.push(Item::Record(record));
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const LIMIT: BatchLimit = BatchLimit { max_records: 10, max_bytes: 1 << 20 };

    fn record(partition: u16, offset: u64) -> Record {
        Record { partition, offset, payload: Bytes::from_static(b"x") }
    }

    fn next(inbox: &Inbox) -> Fed {
        inbox.next(LIMIT, Duration::ZERO).expect("no failure")
    }

    #[test]
    fn a_revocation_overtakes_records_and_drops_them() {
        let inbox = Inbox::new(2);
        inbox.assigned(vec![0, 1]);
        assert_eq!(next(&inbox), Fed::Assigned(vec![0, 1]));
        inbox.start(&[(0, 5), (1, 7)]);
        let starts = inbox.starts();
        inbox.push([(starts[&0].number, record(0, 5)), (starts[&1].number, record(1, 7))]);
        inbox.revoked(vec![0], Duration::ZERO);
        inbox.push([(starts[&0].number, record(0, 6))]);
        assert_eq!(next(&inbox), Fed::Revoked(vec![0]));
        assert_eq!(next(&inbox), Fed::Items(vec![Item::Record(record(1, 7))]));
        assert_eq!(next(&inbox), Fed::Items(vec![]));
        assert_eq!(inbox.folded(), BTreeMap::from([(1, 8)]));
    }

    #[test]
    fn a_new_start_drops_what_came_of_the_old_one() {
        let inbox = Inbox::new(1);
        inbox.start(&[(0, 5)]);
        let old = inbox.starts()[&0].number;
        inbox.push([(old, record(0, 5))]);
        inbox.start(&[(0, 2)]);
        inbox.push([(old, record(0, 6))]);
        assert_eq!(next(&inbox), Fed::Items(vec![]));
        inbox.push([(inbox.starts()[&0].number, record(0, 2))]);
        assert_eq!(next(&inbox), Fed::Items(vec![Item::Record(record(0, 2))]));
    }

    #[test]
    fn a_revocation_waits_until_the_fold_asks_again() {
        let inbox = std::sync::Arc::new(Inbox::new(1));
        let (fold, patience) = (inbox.clone(), Duration::from_secs(20));
        let thread = std::thread::spawn(move || {
            let first = fold.next(LIMIT, patience).expect("told");
            assert_eq!(first, Fed::Revoked(vec![0]));
            std::thread::sleep(Duration::from_millis(30));
            fold.next(LIMIT, Duration::ZERO).expect("nothing");
        });
        let begun = Instant::now();
        inbox.revoked(vec![0], patience);
        assert!(begun.elapsed() >= Duration::from_millis(30));
        assert!(begun.elapsed() < patience);
        thread.join().expect("no panic");
    }
}
