//! How far the fold is: shared by the thread that folds and everybody who asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::tenure::Tenure;

/// Positions, ownership and trouble of the fold.
#[derive(Debug)]
pub struct Progress {
    partitions: Vec<Partition>,
    /// `None` for a fold that shares its log with nobody.
    tenure: Option<Arc<Tenure>>,
    replaying: AtomicBool,
    passed_over: AtomicU64,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Partition {
    owned: AtomicBool,
    position: AtomicU64,
}

#[derive(Debug, Default)]
struct Trouble {
    whole: Option<String>,
    partitions: BTreeMap<u16, String>,
}

impl Progress {
    /// Of a fold that owns none of so many partitions yet.
    #[must_use]
    pub fn new(partitions: u16) -> Self {
        Self {
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            tenure: None,
            replaying: AtomicBool::new(false),
            passed_over: AtomicU64::new(0),
            trouble: Mutex::default(),
        }
    }

    /// Of a fold that shares its log with others.
    #[must_use]
    pub fn shared(partitions: u16, tenure: Arc<Tenure>) -> Self {
        Self { tenure: Some(tenure), ..Self::new(partitions) }
    }

    /// The position of every partition, 0 where it is not this fold's.
    #[must_use]
    pub fn positions(&self) -> Vec<u64> {
        self.partitions.iter().map(|known| known.position.load(Ordering::Acquire)).collect()
    }

    /// The position of a partition.
    #[must_use]
    pub fn position(&self, partition: u16) -> u64 {
        self.of(partition).map_or(0, |known| known.position.load(Ordering::Acquire))
    }

    /// The partitions that are this fold's.
    #[must_use]
    pub fn owned(&self) -> Vec<u16> {
        let numbered = (0..).zip(&self.partitions);
        numbered
            .filter(|known| known.1.owned.load(Ordering::Acquire))
            .map(|known| known.0)
            .collect()
    }

    /// Whether a partition is this fold's.
    #[must_use]
    pub fn owns(&self, partition: u16) -> bool {
        self.of(partition).is_some_and(|known| known.owned.load(Ordering::Acquire))
    }

    /// Whether a partition is this fold's for certain, so that nobody else tells of it now. The fold
    /// itself need not know: a commit of what is no longer its own is refused.
    #[must_use]
    pub fn tells(&self, partition: u16) -> bool {
        let holds = |tenure: &Arc<Tenure>| tenure.holds(partition, Instant::now());
        self.owns(partition) && self.tenure.as_ref().is_none_or(holds)
    }

    /// A partition is this fold's, which begins at `position`.
    pub fn begin(&self, partition: u16, position: u64) {
        if let Some(known) = self.of(partition) {
            known.position.store(position, Ordering::Release);
            known.owned.store(true, Ordering::Release);
        }
        self.trouble().partitions.remove(&partition);
    }

    /// A partition is another fold's.
    pub fn let_go(&self, partition: u16) {
        if let Some(known) = self.of(partition) {
            known.owned.store(false, Ordering::Release);
            known.position.store(0, Ordering::Release);
        }
        self.trouble().partitions.remove(&partition);
    }

    /// A partition was folded up to `position`.
    pub fn folded(&self, partition: u16, position: u64) {
        if let Some(known) = self.of(partition) {
            known.position.store(position, Ordering::Release);
        }
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

    /// Why the fold, or the fold of some partitions, stopped, if it did.
    #[must_use]
    pub fn halted(&self) -> Option<String> {
        let trouble = self.trouble();
        let all: Vec<&str> =
            trouble.whole.iter().chain(trouble.partitions.values()).map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// The fold stopped, or goes on.
    pub fn halt(&self, why: Option<String>) {
        self.trouble().whole = why;
    }

    /// A partition is this fold's and is not folded.
    pub fn halt_partition(&self, partition: u16, why: String) {
        self.trouble().partitions.insert(partition, why);
    }

    fn of(&self, partition: u16) -> Option<&Partition> {
        self.partitions.get(usize::from(partition))
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
