//! How far the fold is: shared by the thread that folds and everybody who asks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use common::log::{Log, Subscribe};

/// Positions, lag and trouble of the fold.
#[derive(Debug)]
pub struct Progress {
    positions: Vec<AtomicU64>,
    replaying: AtomicBool,
    passed_over: AtomicU64,
    halted: Mutex<Option<String>>,
}

impl Progress {
    /// Of a fold that stands at `positions`.
    #[must_use]
    pub fn new(positions: &[u64]) -> Self {
        Self {
            positions: positions.iter().map(|position| AtomicU64::new(*position)).collect(),
            replaying: AtomicBool::new(false),
            passed_over: AtomicU64::new(0),
            halted: Mutex::new(None),
        }
    }

    /// The position of every partition.
    #[must_use]
    pub fn positions(&self) -> Vec<u64> {
        self.positions.iter().map(|position| position.load(Ordering::Acquire)).collect()
    }

    /// A partition was folded up to `position`.
    pub fn folded(&self, partition: u16, position: u64) {
        if let Some(known) = self.positions.get(usize::from(partition)) {
            known.store(position, Ordering::Release);
        }
    }

    /// Records of the log that are not folded yet, by partition; `None` where the log cannot say.
    #[must_use]
    pub fn lag(&self, log: &Log) -> Option<Vec<u64>> {
        let ends = log.end_positions().ok()?;
        let behind = ends.iter().zip(self.positions());
        Some(behind.map(|(end, position)| end.saturating_sub(position)).collect())
    }

    /// Whether history is being folded before the present.
    #[must_use]
    pub fn replaying(&self) -> bool {
        self.replaying.load(Ordering::Relaxed)
    }

    /// Says whether history is being folded.
    pub fn set_replaying(&self, replaying: bool) {
        self.replaying.store(replaying, Ordering::Relaxed);
    }

    /// Records that could not be read and were passed over.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.passed_over.load(Ordering::Relaxed)
    }

    /// Counts a record that was passed over.
    pub fn pass_over(&self) {
        self.passed_over.fetch_add(1, Ordering::Relaxed);
    }

    /// Why the fold stopped, if it did.
    #[must_use]
    pub fn halted(&self) -> Option<String> {
        self.halted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The fold stopped, or goes on.
    pub fn halt(&self, why: Option<String>) {
        *self.halted.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}
