//! A step of the fold: what the feed gives is folded, and told once it is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::log::{BatchLimit, Item, ReadError};
use common::store::Store;

use super::{FoldError, Telling, WAIT};
use crate::batch::{self, Part, PartError, Workers};
use crate::feed::{Fed, Feed};
use crate::fold::shop::ShopSettings;
use crate::fold::{Folded, Folder, Report};
use crate::snapshots::Snapshots;

/// What is read at once: enough to make a commit cheap, little enough to answer within a second.
const BATCH: BatchLimit = BatchLimit { max_records: 16_384, max_bytes: 16 * 1024 * 1024 };
/// How often the store is made to survive a loss of power; the log is the truth in between.
const PERSIST_EVERY: Duration = Duration::from_secs(1);
/// The most partitions that are folded at the same time: beyond, whoever asks would wait for a core.
const MOST_THREADS: usize = 4;
/// How far behind a start may be without calling it a replay.
const REPLAY_EVENTS: u64 = 1_000;

/// A fold between its feed and its store.
pub(super) struct Folding<S, F> {
    pub(super) feed: F,
    pub(super) store: Arc<S>,
    pub(super) settings: Arc<ShopSettings>,
    pub(super) folder: Folder<S>,
    // Partitions that are folded at the same time.
    pub(super) workers: Workers,
    pub(super) telling: Telling,
    // Where states that were lost are found.
    pub(super) snapshots: Option<Snapshots>,
    // Positions up to which counters of what was first seen leave out what is replayed.
    pub(super) replayed: Vec<u64>,
    // What the feed has given and not taken back, whether or not it could be begun.
    pub(super) given: BTreeSet<u16>,
    // What of it cannot be read from where its state stands.
    pub(super) refused: BTreeMap<u16, FoldError>,
}

impl<S: Store, F: Feed> Folding<S, F> {
    pub(super) fn new(
        feed: F,
        store: Arc<S>,
        settings: Arc<ShopSettings>,
        telling: Telling,
    ) -> Self {
        let folder = Folder::new(store.clone(), settings.clone());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = if store.is_remote() {
            Workers::that_wait((2 * cores).min(MOST_THREADS))
        } else {
            Workers::new(cores.min(MOST_THREADS))
        };
        Self {
            feed,
            store,
            settings,
            folder,
            workers,
            telling,
            given: BTreeSet::new(),
            refused: BTreeMap::new(),
            snapshots: None,
            replayed: Vec::new(),
        }
    }

    /// Drops what is in memory of a partition.
    pub(super) fn drop_in_hand(&mut self, partition: u16) {
        self.folder.forget(partition);
        self.telling.views.forget(partition);
    }

    /// Lets go of partitions that another process folds from now on.
    pub(super) fn let_go(&mut self, partitions: &[u16]) {
        for partition in partitions {
            self.drop_in_hand(*partition);
            self.given.remove(partition);
            self.refused.remove(partition);
            self.telling.progress.let_go(*partition);
        }
    }

    pub(super) fn run(&mut self, stop: &AtomicBool) -> Result<(), FoldError> {
        let mut persisted = Instant::now();
        let mut dirty = false;
        loop {
            // Asked before the read: what was accepted before the stop is read after it.
            let stopping = stop.load(Ordering::Acquire);
            let folded = match self.step(WAIT) {
                Err(FoldError::Log(ReadError::Closed)) => break,
                other => other?,
            };
            dirty |= folded > 0;
            if self.telling.progress.replaying() && self.reached(&self.replayed) {
                self.telling.progress.set_replaying(false);
            }
            if persisted.elapsed() >= PERSIST_EVERY {
                if dirty {
                    self.store.persist()?;
                }
                self.follow_store()?;
                (persisted, dirty) = (Instant::now(), false);
            }
            if stopping && (folded == 0 || !self.feed.drains()) && self.may_end() {
                break;
            }
        }
        self.store.persist()?;
        Ok(())
    }

    /// Whether a fold that is told to stop has done what it should before.
    fn may_end(&self) -> bool {
        if !self.feed.drains() || self.telling.progress.owned().is_empty() {
            return true;
        }
        self.reached(&self.feed.end_positions().unwrap_or_default())
    }

    /// Whether every partition of this fold that can be read has come to `ends`; none is a fold that
    /// waits for its partitions.
    pub(super) fn reached(&self, ends: &[u64]) -> bool {
        let progress = &self.telling.progress;
        let mut owned = progress.owned().into_iter().peekable();
        owned.peek().is_some()
            && owned.all(|partition| {
                let at = usize::from(partition);
                ends.get(at).is_none_or(|end| progress.position(partition) >= *end)
            })
    }

    /// Reads and folds one batch; returns the number of records.
    pub(super) fn step(&mut self, wait: Duration) -> Result<u64, FoldError> {
        let items = match self.feed.next(BATCH, wait).map_err(FoldError::Log)? {
            Fed::Items(items) => items,
            Fed::Assigned(partitions) => {
                // Remembered first: what cannot be begun now is begun with the next try.
                self.given.extend(&partitions);
                self.begin(&partitions)?;
                self.replayed = self.feed.end_positions().map_err(FoldError::Log)?;
                self.telling.progress.set_replaying(self.behind() > REPLAY_EVENTS);
                return Ok(0);
            }
            Fed::Revoked(partitions) => {
                self.let_go(&partitions);
                return Ok(0);
            }
        };
        let count = items.len() as u64;
        // What is replayed is told apart from what is new, so no commit holds both.
        let (replayed, new) = items.into_iter().partition(|item: &Item| {
            let until = self.replayed.get(usize::from(item.partition()));
            until.is_some_and(|until| item.offset() < *until)
        });
        let elsewhere = self.fold(replayed)?;
        let goes_on = |item: &Item| !elsewhere.contains(&item.partition());
        self.fold(new.into_iter().filter(goes_on).collect())?;
        Ok(count)
    }

    /// Folds records, each partition into a commit of its own; returns those that begin elsewhere now,
    /// of which no record in hand is to be folded any more.
    fn fold(&mut self, items: Vec<Item>) -> Result<BTreeSet<u16>, FoldError> {
        let parts = batch::by_partition(items).into_iter().map(|(partition, items)| Part {
            fold: self.folder.take(partition),
            base: self.telling.progress.position(partition),
            items,
        });
        let (mut failed, mut elsewhere) = (Ok(()), BTreeSet::new());
        for done in self.workers.fold(parts.collect(), &self.telling.progress) {
            let partition = done.fold.partition();
            self.folder.put_back(done.fold);
            if matches!(done.folded, Ok(Folded::Conflict { .. })) {
                elsewhere.insert(partition);
            }
            let told = self.folded(partition, done.span, done.took, done.folded);
            failed = failed.and(told);
        }
        failed.map(|()| elsewhere)
    }

    /// Records of this fold's partitions that it has not folded yet.
    fn behind(&self) -> u64 {
        let (progress, ends) =
            (&self.telling.progress, self.feed.end_positions().unwrap_or_default());
        let behind = progress.owned().into_iter().map(|partition| {
            let end = ends.get(usize::from(partition)).copied().unwrap_or(0);
            end.saturating_sub(progress.position(partition))
        });
        behind.sum()
    }

    /// Tells what became of a partition's part of a batch.
    fn folded(
        &mut self,
        partition: u16,
        span: (u64, u64),
        took: Duration,
        folded: Result<Folded, PartError>,
    ) -> Result<(), FoldError> {
        match folded {
            Ok(Folded::Done(report)) => {
                self.telling.metrics.committed(took);
                self.tell(partition, span, &report);
                Ok(())
            }
            Ok(Folded::Conflict { stored }) => {
                self.telling.metrics.conflicted();
                self.begin_elsewhere(partition, stored)
            }
            Err(PartError::Store(error)) => {
                self.telling.metrics.failed();
                Err(error.into())
            }
            Err(PartError::Newer { partition, offset, source }) => {
                Err(FoldError::Newer { partition, offset, source })
            }
        }
    }

    fn tell(&self, partition: u16, (base, end): (u64, u64), report: &Report) {
        let Telling { progress, metrics, views } = &self.telling;
        views.committed(partition, base, end, report);
        progress.folded(partition, end);
        let replayed = self.replayed.get(usize::from(partition)).is_some_and(|until| end <= *until);
        metrics.applied(&report.applied, replayed);
        views.tell(report);
    }
}
