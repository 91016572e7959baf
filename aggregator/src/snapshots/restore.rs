//! From a snapshot into a store: in pieces, fenced by positions that no log has.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::ControlFlow;

use common::log::ReadError;
use common::store::{Commit, Committed, Store, StoreError, UNFINISHED};
use thiserror::Error;

use super::Snapshots;
use super::error::SnapshotError;
use super::signed::{Part, Signed};
use crate::run::chain;

/// Each step has a position of its own, so that of two processes that restore the same partition one
/// notices. So many steps may follow each other.
const STEP_BITS: u32 = 24;
/// What one step writes at most.
const STEP_WRITES: usize = 1_000;
const STEP_BYTES: usize = 4 * 1024 * 1024;

/// Why a partition was not brought back.
#[derive(Debug, Error)]
pub enum NotRescued {
    /// The store failed, or another process was quicker: it may go better later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No snapshot will do.
    #[error("{0}")]
    NoSnapshot(String),
}

impl Snapshots {
    /// Puts all of a snapshot into an empty store; `done` hears of each partition.
    pub fn restore<S: Store>(
        &self,
        signed: &Signed,
        store: &S,
        mut done: impl FnMut(u64),
    ) -> Result<(), SnapshotError> {
        self.refuse_other_settings(signed)?;
        for part in &signed.body.partitions {
            self.verify_part(signed, part)?;
            restore_part(self, signed, part, store)?;
            done(1);
        }
        Ok(())
    }

    /// Refuses a snapshot that a log from `starts` to `ends` does not go on from.
    pub fn refuse_outside_log(
        &self,
        signed: &Signed,
        starts: &[u64],
        ends: &[u64],
    ) -> Result<(), SnapshotError> {
        for (partition, (&start, &end)) in (0..).zip(starts.iter().zip(ends)) {
            let part = signed.body.partitions.iter().find(|part| part.partition == partition);
            let position = part.map_or(0, |part| part.position);
            if (start..=end).contains(&position) {
                continue;
            }
            let remedy = if position < start { "newer" } else { "older" };
            let name = signed.name.clone();
            return Err(SnapshotError::OutsideLog {
                name,
                partition,
                position,
                start,
                end,
                remedy,
            });
        }
        Ok(())
    }

    /// Brings back a partition whose state the log cannot go on from, as `refused` says, from the newest
    /// snapshot that will do: the position.
    pub fn rescue<S: Store>(&self, store: &S, refused: &ReadError) -> Result<u64, NotRescued> {
        let (partition, from) = match *refused {
            ReadError::BeforeStart { partition, start, .. } => (partition, start),
            ReadError::BeyondEnd { partition, wanted, .. } if wanted >= UNFINISHED => {
                (partition, 0)
            }
            ReadError::BeyondEnd { .. }
            | ReadError::PositionCount { .. }
            | ReadError::Io { .. }
            | ReadError::Unavailable { .. }
            | ReadError::Displaced { .. }
            | ReadError::Closed => {
                return Err(NotRescued::NoSnapshot("a snapshot does not mend that".to_owned()));
            }
        };
        let names = super::directory::names(self.dir());
        let names = names.map_err(|error| NotRescued::NoSnapshot(chain(&error)))?;
        let mut why = None;
        for name in names.iter().rev() {
            match self.rescue_from(store, name, partition, from) {
                Ok(position) => return Ok(position),
                Err(SnapshotError::Store(error)) => return Err(error.into()),
                Err(SnapshotError::Moved { partition }) => {
                    return Err(StoreError::Moved { partition }.into());
                }
                // The newest one's fault is the one to mend.
                Err(error) => why = why.or_else(|| Some(chain(&error))),
            }
        }
        let none = || format!("there is no snapshot in {}", self.dir().display());
        Err(NotRescued::NoSnapshot(why.unwrap_or_else(none)))
    }

    fn rescue_from<S: Store>(
        &self,
        store: &S,
        name: &str,
        partition: u16,
        from: u64,
    ) -> Result<u64, SnapshotError> {
        let signed = self.signed(Some(name))?;
        self.refuse_other_settings(&signed)?;
        let part = signed.body.partitions.iter().find(|part| part.partition == partition);
        let position = part.map_or(0, |part| part.position);
        let Some(part) = part.filter(|part| part.position >= from) else {
            let (name, start, end, remedy) = (name.to_owned(), from, u64::MAX, "newer");
            return Err(SnapshotError::OutsideLog {
                name,
                partition,
                position,
                start,
                end,
                remedy,
            });
        };
        self.verify_part(&signed, part)?;
        restore_part(self, &signed, part, store)?;
        tracing::warn!(partition, position, snapshot = name, "the partition's state was restored");
        Ok(position)
    }
}

/// Replaces a partition's documents by those of a file, which was verified.
fn restore_part<S: Store>(
    snapshots: &Snapshots,
    signed: &Signed,
    part: &Part,
    store: &S,
) -> Result<(), SnapshotError> {
    let mut steps = Steps::begin(store, part.partition)?;
    steps.clear()?;
    let mut reader = snapshots.open(signed, part)?;
    let (mut writes, mut size_bytes) = (Vec::new(), 0);
    while let Some((key, value)) = reader.next()? {
        size_bytes += key.len() + value.len();
        writes.push((key, Some(value)));
        if writes.len() >= STEP_WRITES || size_bytes >= STEP_BYTES {
            steps.write(std::mem::take(&mut writes))?;
            size_bytes = 0;
        }
    }
    steps.commit(part.position, writes)
}

/// The steps of a restore of one partition.
struct Steps<'a, S> {
    store: &'a S,
    partition: u16,
    // Where the partition stands.
    at: u64,
    // Where the next step will put it.
    next: u64,
}

impl<'a, S: Store> Steps<'a, S> {
    fn begin(store: &'a S, partition: u16) -> Result<Self, SnapshotError> {
        let at = store.position(partition)?;
        // Not of the fold: a number that no other restore has, nothing is computed from it.
        let own = RandomState::new().hash_one(std::process::id());
        let next = UNFINISHED | (own << STEP_BITS) & (UNFINISHED - 1);
        Ok(Self { store, partition, at, next })
    }

    /// Removes what is there.
    fn clear(&mut self) -> Result<(), SnapshotError> {
        loop {
            let mut writes = Vec::new();
            let snapshot = self.store.snapshot()?;
            snapshot.scan(self.partition, &[], &[0xff], &mut |key, _| {
                writes.push((key.to_vec(), None));
                if writes.len() < STEP_WRITES {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
            let done = writes.is_empty();
            // The first step also takes the partition, so that nobody folds on from what is left.
            self.write(writes)?;
            if done {
                return Ok(());
            }
        }
    }

    fn write(&mut self, writes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), SnapshotError> {
        self.commit(self.next, writes)?;
        self.next += 1;
        Ok(())
    }

    fn commit(
        &mut self,
        end: u64,
        writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), SnapshotError> {
        let (partition, base) = (self.partition, self.at);
        match self.store.commit(Commit { partition, base, end, writes }) {
            // Nobody else has these positions: an earlier try was done.
            Ok(Committed::Done | Committed::Already) => {
                self.at = end;
                Ok(())
            }
            Ok(Committed::Conflict { .. }) | Err(StoreError::Moved { .. }) => {
                Err(SnapshotError::Moved { partition })
            }
            Err(error) => Err(error.into()),
        }
    }
}
