//! How a process is doing: what it folds, how far it is, and what stands in its way.

use std::sync::Arc;

use common::store::{Store, StoreError, UNFINISHED};
use serde::Serialize;

use crate::feed::Ends;
use crate::fold::FOLD_VERSION;
use crate::progress::Progress;

/// Tells how the process is doing.
pub struct Health<S> {
    store: Arc<S>,
    ends: Arc<dyn Ends>,
    progress: Arc<Progress>,
    partitions: u16,
    mode: &'static str,
}

/// What moves by itself, for the stream: how the process is doing, and where each partition stands.
#[derive(Debug)]
pub struct Pulse {
    /// How the process is doing.
    pub status: StatusReply,
    /// The partitions' positions; `None` where the store cannot say.
    pub positions: Option<Vec<u64>>,
}

/// The reply of `/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusReply {
    version: &'static str,
    mode: &'static str,
    fold_version: u32,
    partitions: u16,
    lag_events: Option<u64>,
    replaying: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    halted: Option<String>,
}

impl<S: Store> Health<S> {
    pub(crate) const fn new(
        store: Arc<S>,
        ends: Arc<dyn Ends>,
        progress: Arc<Progress>,
        partitions: u16,
        mode: &'static str,
    ) -> Self {
        Self { store, ends, progress, partitions, mode }
    }

    /// How the process is doing.
    #[must_use]
    pub fn status(&self) -> StatusReply {
        self.pulse().status
    }

    /// How the process is doing, and where each partition stands.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        let positions = self.positions();
        let lag = positions.as_deref().and_then(|positions| self.lag_of(positions));
        let status = StatusReply {
            version: env!("CARGO_PKG_VERSION"),
            mode: self.mode,
            fold_version: FOLD_VERSION,
            partitions: self.partitions,
            lag_events: lag.map(|lag| lag.iter().sum()),
            replaying: self.progress.replaying(),
            halted: self.halted(),
        };
        Pulse { status, positions }
    }

    /// Why a partition is not folded, or none is, if so.
    #[must_use]
    pub fn halted(&self) -> Option<String> {
        self.progress.halted()
    }

    /// Whether history is being folded.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.progress.replaying()
    }

    /// Records that nobody has folded yet, by partition; `None` where log or store cannot say.
    #[must_use]
    pub fn lag(&self) -> Option<Vec<u64>> {
        self.lag_of(&self.positions()?)
    }

    fn lag_of(&self, positions: &[u64]) -> Option<Vec<u64>> {
        let ends = self.ends.end_positions()?;
        Some(
            ends.iter()
                .zip(positions)
                .map(|(end, position)| end.saturating_sub(*position))
                .collect(),
        )
    }

    /// Where each partition stands: those of this process as it knows, the others as they are stored.
    fn positions(&self) -> Option<Vec<u64>> {
        let (own, others): (Vec<u16>, Vec<u16>) =
            (0..self.partitions).partition(|partition| self.progress.tells(*partition));
        let mut positions = vec![0; usize::from(self.partitions)];
        for partition in own {
            positions[usize::from(partition)] = self.progress.position(partition);
        }
        if !others.is_empty() {
            for (partition, position) in others.iter().zip(self.store.positions(&others).ok()?) {
                // A state that is being restored stands for nothing yet.
                let stored = if position >= UNFINISHED { 0 } else { position };
                positions[usize::from(*partition)] = stored;
            }
        }
        Some(positions)
    }

    /// Whether this process folds the partition, and nobody else tells of it.
    #[must_use]
    pub fn tells(&self, partition: u16) -> bool {
        self.progress.tells(partition)
    }

    /// Warnings that do not make the process unready.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let passed = self.progress.passed_over().max(self.ends.corrupt_records());
        if passed > 0 {
            warnings.push(format!(
                "{passed} damaged records of the log were passed over; see `tallyhook log verify`"
            ));
        }
        warnings.extend(self.halted().map(|why| format!("the fold stopped: {why}")));
        warnings
    }

    /// Records in damaged parts of the log.
    #[must_use]
    pub fn corrupt_records(&self) -> u64 {
        self.progress.passed_over().max(self.ends.corrupt_records())
    }

    /// Whether the store answers.
    pub fn stored(&self) -> Result<(), StoreError> {
        self.store.position(0).map(|_| ())
    }

    /// Whether the log answers.
    #[must_use]
    pub fn logged(&self) -> bool {
        self.ends.end_positions().is_some()
    }
}
