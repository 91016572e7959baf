//! What the writer tells the readers: how far the durable data reaches.

use std::{
    collections::BTreeSet,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{
    super::{LogMetrics, LogStats, Place, Quarantined},
    format::SegmentHeader,
    recover::Tail,
    segments::Segment,
    walk::Ground,
};

/// More damage than this is beyond counting.
const MAX_CORRUPT_COUNTED: usize = 100_000;

/// Shared by a log's handles, its writer and its readers.
pub(super) struct Shared {
    /// Where the log lies.
    pub ground: Ground,
    /// Receives what is measured.
    pub metrics: Arc<dyn LogMetrics>,
    state: Mutex<State>,
    changed: Condvar,
    corrupt: Mutex<BTreeSet<(u16, u64)>>,
}

struct State {
    segments: Vec<Segment>,
    ends: Vec<u64>,
    closed: bool,
    waiting: usize,
}

impl State {
    fn starts(&self) -> Vec<u64> {
        let header = self.segments.first().and_then(|first| first.header.as_ref());
        header.map_or_else(|| vec![0; self.ends.len()], |header| header.bases.clone())
    }
}

/// How the log goes on from a segment.
pub(super) struct Extent {
    /// Where the segment's durable data ends; `None` if the segment was trimmed away.
    pub end: Option<u64>,
    /// The segment after it.
    pub next: Option<Segment>,
}

/// What became of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// There is more to read.
    Changed,
    /// The time is over.
    TimedOut,
    /// There is no more to read, and there will not be.
    Closed,
}

impl Shared {
    /// Starts from what recovery found.
    pub(super) fn new(ground: Ground, metrics: Arc<dyn LogMetrics>, tail: Tail) -> Self {
        let Tail { segments, tracker, lost, .. } = tail;
        let ends = tracker.expected().to_vec();
        let state = State { segments, ends, closed: false, waiting: 0 };
        let corrupt = Mutex::new(BTreeSet::new());
        let state = Mutex::new(state);
        let shared = Self { ground, metrics, state, changed: Condvar::new(), corrupt };
        for lost in &lost {
            shared.quarantine(lost);
        }
        shared
    }

    /// Makes records visible that became durable.
    pub(super) fn publish(&self, end: u64, ends: &[u64]) {
        let mut state = self.lock();
        if let Some(last) = state.segments.last_mut() {
            last.end = end;
        }
        state.ends.clone_from_slice(ends);
        self.wake(&state);
    }

    /// Makes a new segment visible.
    pub(super) fn push_segment(&self, segment: Segment) {
        let mut state = self.lock();
        state.segments.push(segment);
        self.wake(&state);
    }

    /// Says that nothing will follow.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.wake(&state);
    }

    /// The first offset that each partition still holds.
    pub(super) fn starts(&self) -> Vec<u64> {
        self.lock().starts()
    }

    /// The offset after each partition's last durable record.
    pub(super) fn ends(&self) -> Vec<u64> {
        self.lock().ends.clone()
    }

    /// All segments, oldest first.
    pub(super) fn segments(&self) -> Vec<Segment> {
        self.lock().segments.clone()
    }

    /// How the log goes on from segment `number`.
    pub(super) fn extent(&self, number: u64) -> Extent {
        let state = self.lock();
        let index = state.segments.partition_point(|segment| segment.number < number);
        let this = state.segments.get(index).filter(|segment| segment.number == number);
        let next = state.segments.get(index + usize::from(this.is_some())).cloned();
        Extent { end: this.map(|segment| segment.end), next }
    }

    /// The latest segment from which nothing wanted is missed.
    pub(super) fn segment_for(&self, wanted: &[u64]) -> Option<(Segment, Arc<SegmentHeader>)> {
        let state = self.lock();
        let known = state.segments.iter().rev();
        let mut known = known.filter_map(|segment| Some((segment, segment.header.as_ref()?)));
        let (segment, header) = known.find(|(_, header)| {
            header.bases.iter().zip(wanted).all(|(base, wanted)| base <= wanted)
        })?;
        Some((segment.clone(), Arc::clone(header)))
    }

    /// Waits until there is data after `position` of segment `number`.
    pub(super) fn wait(&self, number: u64, position: u64, deadline: Instant) -> Waited {
        let mut state = self.lock();
        loop {
            let more = |last: &Segment| (last.number, last.end) > (number, position);
            if state.segments.last().is_some_and(more) {
                return Waited::Changed;
            }
            if state.closed {
                return Waited::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Waited::TimedOut;
            }
            state.waiting += 1;
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
    }

    /// Forgets the segments of which nothing from `wanted` on is needed; the number of the first one
    /// that is left, and whether any was forgotten.
    pub(super) fn trim(&self, wanted: &[u64]) -> (u64, bool) {
        let mut state = self.lock();
        let keep = state.segments.iter().rposition(|segment| {
            segment.header.as_ref().is_some_and(|header| {
                header.bases.iter().zip(wanted).all(|(base, wanted)| base <= wanted)
            })
        });
        let keep = keep.unwrap_or(0);
        state.segments.drain(..keep);
        (state.segments.first().map_or(0, |first| first.number), keep > 0)
    }

    /// The bytes of records behind a place.
    pub(super) fn bytes_after(&self, place: Place) -> u64 {
        let header_bytes = SegmentHeader::size_bytes(self.ground.meta.partitions) as u64;
        let state = self.lock();
        let left = state.segments.iter().filter(|segment| segment.number >= place.segment);
        left.map(|segment| {
            let from = if segment.number == place.segment { place.position } else { header_bytes };
            segment.end.saturating_sub(from)
        })
        .sum()
    }

    /// Counts a quarantined record, and logs it the first time that it is met.
    pub(super) fn quarantine(&self, lost: &Quarantined) {
        let Quarantined { partition, offset, place } = *lost;
        let mut corrupt = self.corrupt.lock().unwrap_or_else(PoisonError::into_inner);
        if corrupt.len() < MAX_CORRUPT_COUNTED && corrupt.insert((partition, offset)) {
            let Place { segment, position } = place;
            tracing::error!(partition, offset, segment, position, "record of the log is damaged");
        }
    }

    /// What the log holds.
    pub(super) fn stats(&self) -> LogStats {
        let corrupt = self.corrupt.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        let state = self.lock();
        let starts: u64 = state.starts().iter().sum();
        LogStats {
            records: state.ends.iter().sum::<u64>().saturating_sub(starts),
            size_bytes: state.segments.iter().map(|segment| segment.end).sum(),
            corrupt_records: corrupt,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, state: &State) {
        // Waking nobody is still a system call, once per group.
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }
}
