//! The records that wait for the writer.

use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    super::{AppendError, Appended},
    format::RECORD_HEADER_BYTES,
};

/// How long the writer waits for those whom it has just answered: little beside a sync.
const GATHER: Duration = Duration::from_micros(50);

/// A record that waits, and the one who waits for it.
pub(super) struct Request {
    /// The record's partition.
    pub partition: u16,
    /// Checksum of the payload, computed by the caller: the writer has less time.
    pub payload_crc: u32,
    /// The payload.
    pub payload: Bytes,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Appended, AppendError>>,
}

impl Request {
    /// Bytes of the record on disk.
    pub(super) fn size_bytes(&self) -> usize {
        RECORD_HEADER_BYTES + self.payload.len()
    }
}

/// A queue with a limit in records and one in bytes.
pub(super) struct Queue {
    max_records: usize,
    max_bytes: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    bytes: usize,
    last_taken: usize,
    closed: bool,
    waiting: bool,
}

impl Queue {
    /// Makes an empty queue.
    pub(super) fn new(max_records: usize, max_bytes: usize) -> Self {
        let state = Mutex::new(State::default());
        Self { max_records, max_bytes, state, arrived: Condvar::new() }
    }

    /// Puts a request at the end, if there is room.
    pub(super) fn push(&self, request: Request) -> Result<(), AppendError> {
        let mut state = self.lock();
        if state.closed {
            return Err(AppendError::Closed);
        }
        let bytes = state.bytes + request.size_bytes();
        let full = state.requests.len() >= self.max_records || bytes > self.max_bytes;
        if full && !state.requests.is_empty() {
            return Err(AppendError::Busy);
        }
        state.bytes = bytes;
        state.requests.push(request);
        // The writer is seldom asleep under load, and waking nobody would be a system call.
        if mem::take(&mut state.waiting) {
            drop(state);
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Swaps all requests into `taken`, which is empty; waits for the first one. `false` once the
    /// queue is closed and empty.
    pub(super) fn take(&self, taken: &mut Vec<Request>) -> bool {
        let mut state = self.lock();
        while state.requests.is_empty() {
            if state.closed {
                return false;
            }
            state.waiting = true;
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state = self.gather(state);
        state.last_taken = state.requests.len();
        state.bytes = 0;
        mem::swap(&mut state.requests, taken);
        true
    }

    /// Waits for a moment if the last group was more than twice what is here now. Those who were just
    /// answered come back together; syncing for the first of them alone would make all the others
    /// wait for a second sync. A single caller never waits here.
    fn gather<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let enough = state.last_taken / 2;
        let mut deadline = None;
        while state.requests.len() < enough && !state.closed {
            let now = Instant::now();
            if now >= *deadline.get_or_insert(now + GATHER) {
                break;
            }
            drop(state);
            thread::yield_now();
            state = self.lock();
        }
        state
    }

    /// Refuses further requests; those that wait are still taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Refuses further requests and drops those that wait, whose callers hear that it is closed.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.requests.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
