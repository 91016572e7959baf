//! Where a fold begins: at its state's position, again after a failure, and elsewhere once the state moved.

use std::collections::{BTreeMap, BTreeSet};

use common::log::ReadError;
use common::store::{Followed, Store, StoreError};

use super::{FoldError, Folding, chain};
use crate::feed::Feed;
use crate::fold::Folder;
use crate::snapshots::NotRescued;

impl<S: Store, F: Feed> Folding<S, F> {
    /// Begins again from what the store holds, which may be another generation by now.
    pub(super) fn begin_again(&mut self) -> Result<(), FoldError> {
        if self.store.follow()? == Followed::Another {
            self.refused.clear();
        }
        self.folder = Folder::new(self.store.clone(), self.settings.clone());
        // A refused partition stays so: by now another log may reach to where its state stands.
        let given = self.given.iter().filter(|one| !self.refused.contains_key(one));
        let given: Vec<u16> = given.copied().collect();
        self.begin(&given)?;
        self.feed.rest(false);
        Ok(())
    }

    /// Says why the fold stopped. Where the state in use is that of other settings, its partitions are
    /// left to others, who fold them until the state of these settings is put back.
    pub(super) fn stopped_by(&mut self, error: &FoldError) {
        let text = chain(error);
        tracing::error!(error = %text, "the fold stopped");
        self.telling.progress.halt(Some(text));
        if matches!(error, FoldError::Store(StoreError::Manifest { .. })) {
            self.feed.rest(true);
            self.let_go(&self.given());
        }
    }

    /// Partitions that are this fold's, whether or not they could be begun.
    fn given(&self) -> Vec<u16> {
        self.given.iter().copied().collect()
    }

    /// Begins to read partitions from where their state stands. One whose state does not fit the log,
    /// and that no snapshot brings back, is refused and named; the others go on.
    pub(super) fn begin(&mut self, partitions: &[u16]) -> Result<(), FoldError> {
        let mut positions = BTreeMap::new();
        for partition in partitions {
            positions.insert(*partition, self.store.position(*partition)?);
        }
        let mut rescued = BTreeSet::new();
        loop {
            let wanted: Vec<(u16, u64)> = positions.clone().into_iter().collect();
            let source = match self.feed.start(&wanted) {
                Ok(()) => break,
                Err(source) => source,
            };
            let (ReadError::BeforeStart { partition, .. } | ReadError::BeyondEnd { partition, .. }) =
                source
            else {
                return Err(FoldError::Log(source));
            };
            let error = match &self.snapshots {
                Some(snapshots) if rescued.insert(partition) => {
                    match snapshots.rescue(&*self.store, &source) {
                        Ok(position) => {
                            self.drop_in_hand(partition);
                            positions.insert(partition, position);
                            continue;
                        }
                        Err(NotRescued::Store(error)) => return Err(error.into()),
                        Err(NotRescued::NoSnapshot(why)) => {
                            FoldError::Lost { partition, why, source }
                        }
                    }
                }
                Some(_) | None => FoldError::Position { partition, source },
            };
            positions.remove(&partition);
            // It is not folded any more, so its figures are not shown as if it were.
            self.drop_in_hand(partition);
            self.telling.progress.let_go(partition);
            let text = chain(&error);
            tracing::error!(partition, error = %text, "a partition is not folded");
            self.telling.progress.halt_partition(partition, text);
            self.refused.insert(partition, error);
        }
        for (partition, position) in positions {
            self.telling.progress.begin(partition, position);
        }
        Ok(())
    }

    /// Begins again where a store of other processes no longer stands where this fold left it: another
    /// generation may be in use, or it may have been emptied, or have gone back to an older copy of
    /// itself, without anything to fold that would show it.
    pub(super) fn follow_store(&mut self) -> Result<(), FoldError> {
        if self.store.views_stand_still() {
            return Ok(());
        }
        if self.store.follow()? == Followed::Another {
            tracing::info!("another generation of the state is in use; going over to it");
            let before = self.telling.progress.positions();
            // What was counted when it was first seen is not counted again where that one is behind.
            self.replayed.resize(before.len(), 0);
            for (until, position) in self.replayed.iter_mut().zip(before) {
                *until = position.max(*until);
            }
            for partition in 0..self.feed.partitions() {
                self.drop_in_hand(partition);
            }
            self.refused.clear();
            return self.begin(&self.given());
        }
        let owned = self.telling.progress.owned();
        for (partition, stored) in owned.iter().copied().zip(self.store.positions(&owned)?) {
            if stored != self.telling.progress.position(partition) {
                self.begin_elsewhere(partition, stored)?;
            }
        }
        Ok(())
    }

    /// Another process moved the partition, or the store lost its tail: reads on from where it stands.
    pub(super) fn begin_elsewhere(&mut self, partition: u16, stored: u64) -> Result<(), FoldError> {
        let base = self.telling.progress.position(partition);
        tracing::warn!(partition, base, stored, "the state stands elsewhere; beginning there");
        self.drop_in_hand(partition);
        self.begin(&[partition])
    }
}
