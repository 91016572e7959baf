//! The fold at work: reads the log on a thread of its own, folds batch by batch, then tells.

mod begin;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::log::{BatchLimit, Log, ReadError};
use common::store::{Store, StoreError};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::batch::{self, Part, PartError};
use crate::feed::{Fed, Feed, Whole};
use crate::fold::shop::ShopSettings;
use crate::fold::{Folded, Folder, Report};
use crate::metrics::AggregatorMetrics;
use crate::progress::Progress;
use crate::snapshots::Snapshots;
use crate::views::Views;

/// What is read at once: enough to make a commit cheap, little enough to answer within a second.
const BATCH: BatchLimit = BatchLimit { max_records: 16_384, max_bytes: 16 * 1024 * 1024 };
/// How long a read waits for something new before it looks whether to stop.
const WAIT: Duration = Duration::from_millis(100);
/// How often the store is made to survive a loss of power; the log is the truth in between.
const PERSIST_EVERY: Duration = Duration::from_secs(1);
/// The first wait before a failed fold is tried again, and the longest.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MOST: Duration = Duration::from_secs(5);
/// The most partitions that are folded at the same time: beyond, whoever asks would wait for a core.
const MOST_THREADS: usize = 4;
/// How far behind a start may be without calling it a replay.
const REPLAY_EVENTS: u64 = 1_000;

/// Why folding stopped.
#[derive(Debug, Error)]
pub enum FoldError {
    /// The state of a partition stands beyond or before what the log holds.
    #[error("the state of partition {partition} and the log do not fit together")]
    Position {
        /// The partition.
        partition: u16,
        /// What does not fit.
        source: ReadError,
    },
    /// The log no longer holds what would bring the state of a partition up to date.
    #[error("no snapshot brings back the state of partition {partition} ({why})")]
    Lost {
        /// The partition.
        partition: u16,
        /// What is wrong with the newest snapshot.
        why: String,
        /// Where the log stands.
        source: ReadError,
    },
    /// The log could not be read.
    #[error("the log cannot be read")]
    Log(#[source] ReadError),
    /// The store failed.
    #[error("the state cannot be read or written")]
    Store(#[from] StoreError),
    /// A newer program wrote to the log.
    #[error("partition {partition}, offset {offset}")]
    Newer {
        /// The partition.
        partition: u16,
        /// The record.
        offset: u64,
        /// What is newer.
        source: common::event::BadEvent,
    },
    /// The thread could not be started.
    #[error("no thread for the fold")]
    Thread(#[source] std::io::Error),
}

/// What the fold tells of its work.
#[derive(Clone)]
pub struct Telling {
    /// How far it is.
    pub progress: Arc<Progress>,
    /// Counters and histograms.
    pub metrics: Arc<AggregatorMetrics>,
    /// Live sums and the stream.
    pub views: Arc<Views>,
}

/// The fold on its thread.
pub struct Runner {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    displaced: Option<oneshot::Receiver<FoldError>>,
}

impl Runner {
    /// Starts to fold what `feed` gives beyond the store's positions.
    pub fn start<S: Store, F: Feed>(
        feed: F,
        store: Arc<S>,
        settings: Arc<ShopSettings>,
        telling: &Telling,
    ) -> Result<Self, FoldError> {
        Self::start_with(feed, store, settings, telling, None)
    }

    /// The same; where the log no longer begins at its start, a state that was lost is brought back
    /// from a snapshot.
    pub fn start_with<S: Store, F: Feed>(
        feed: F,
        store: Arc<S>,
        settings: Arc<ShopSettings>,
        telling: &Telling,
        snapshots: Option<Snapshots>,
    ) -> Result<Self, FoldError> {
        let mut work = Folding::new(feed, store, settings, telling.clone());
        work.snapshots = snapshots;
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = std::thread::Builder::new().name("fold".into());
        let (tell, displaced) = oneshot::channel();
        let thread = thread.spawn(move || {
            if let Some(error) = keep_folding(work, &stopping) {
                // Whoever has no use for it does not listen.
                let _ = tell.send(error);
            }
        });
        let thread = thread.map_err(FoldError::Thread)?;
        Ok(Self { stop, thread: Some(thread), displaced: Some(displaced) })
    }

    /// Hears that another process folds in the place of this one, which then has to end. Nothing
    /// comes of it where the fold ends otherwise; only the first call gets it.
    pub fn displaced(&mut self) -> Option<oneshot::Receiver<FoldError>> {
        self.displaced.take()
    }

    /// Folds what the log holds by now, makes it durable and ends the thread.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the fold's thread ended by a panic");
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Folds until it is told to stop. A store or a log that fails is tried again from what the store
/// holds; only what no retry can mend ends the fold. The error is returned where the whole process
/// has to end.
fn keep_folding<S: Store, F: Feed>(
    mut work: Folding<S, F>,
    stop: &AtomicBool,
) -> Option<FoldError> {
    let mut wait = RETRY_FIRST;
    loop {
        let before = work.telling.progress.positions();
        let error = match work.run(stop) {
            Ok(()) => return None,
            Err(error) => error,
        };
        work.stopped_by(&error);
        match error {
            FoldError::Log(ReadError::Displaced { .. }) => return Some(error),
            FoldError::Store(_) | FoldError::Log(_) => {}
            FoldError::Position { .. }
            | FoldError::Lost { .. }
            | FoldError::Newer { .. }
            | FoldError::Thread(_) => return None,
        }
        if work.telling.progress.positions() != before {
            wait = RETRY_FIRST;
        }
        loop {
            if stop.load(Ordering::Acquire) {
                return None;
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(RETRY_MOST);
            match work.begin_again() {
                Ok(()) => break,
                Err(error) => work.stopped_by(&error),
            }
        }
        work.telling.progress.halt(None);
        tracing::info!("the fold goes on");
    }
}

/// Folds what `log` holds beyond the store's positions, and returns; `done` hears how many records.
pub fn fold_all<S: Store>(
    log: &Log,
    store: Arc<S>,
    settings: Arc<ShopSettings>,
    done: impl FnMut(u64),
) -> Result<(), FoldError> {
    fold_to_end(Whole::new(log.clone()), store, settings, done)
}

/// Folds what a feed that gives every partition holds by now, and returns.
pub fn fold_to_end<S: Store, F: Feed>(
    feed: F,
    store: Arc<S>,
    settings: Arc<ShopSettings>,
    mut done: impl FnMut(u64),
) -> Result<(), FoldError> {
    let telling = Telling {
        progress: Arc::new(Progress::new(feed.partitions())),
        metrics: Arc::new(AggregatorMetrics::unregistered()),
        views: Arc::new(Views::default()),
    };
    let ends = feed.end_positions().map_err(FoldError::Log)?;
    let mut work = Folding::new(feed, store, settings, telling);
    while !work.reached(&ends) {
        done(work.step(WAIT)?);
        if let Some((_, refused)) = work.refused.pop_first() {
            return Err(refused);
        }
    }
    work.store.persist()?;
    Ok(())
}

/// The positions that a store stands at.
pub fn positions<S: Store>(store: &S, partitions: u16) -> Result<Vec<u64>, StoreError> {
    (0..partitions).map(|partition| store.position(partition)).collect()
}

struct Folding<S, F> {
    feed: F,
    store: Arc<S>,
    settings: Arc<ShopSettings>,
    folder: Folder<S>,
    // Partitions that are folded at the same time.
    threads: usize,
    telling: Telling,
    // Where states that were lost are found.
    snapshots: Option<Snapshots>,
    // Positions up to which counters of what was first seen leave out what is replayed.
    replayed: Vec<u64>,
    // What the feed has given and not taken back, whether or not it could be begun.
    given: BTreeSet<u16>,
    // What of it cannot be read from where its state stands.
    refused: BTreeMap<u16, FoldError>,
}

impl<S: Store, F: Feed> Folding<S, F> {
    fn new(feed: F, store: Arc<S>, settings: Arc<ShopSettings>, telling: Telling) -> Self {
        let folder = Folder::new(store.clone(), settings.clone());
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        Self {
            feed,
            store,
            settings,
            folder,
            threads,
            telling,
            given: BTreeSet::new(),
            refused: BTreeMap::new(),
            snapshots: None,
            replayed: Vec::new(),
        }
    }

    /// Drops what is in memory of a partition.
    fn drop_in_hand(&mut self, partition: u16) {
        self.folder.forget(partition);
        self.telling.views.forget(partition);
    }

    /// Lets go of partitions that another process folds from now on.
    fn let_go(&mut self, partitions: &[u16]) {
        for partition in partitions {
            self.drop_in_hand(*partition);
            self.given.remove(partition);
            self.refused.remove(partition);
            self.telling.progress.let_go(*partition);
        }
    }

    fn run(&mut self, stop: &AtomicBool) -> Result<(), FoldError> {
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
    fn reached(&self, ends: &[u64]) -> bool {
        let progress = &self.telling.progress;
        let mut owned = progress.owned().into_iter().peekable();
        owned.peek().is_some()
            && owned.all(|partition| {
                let at = usize::from(partition);
                ends.get(at).is_none_or(|end| progress.position(partition) >= *end)
            })
    }

    /// Reads and folds one batch; returns the number of records.
    fn step(&mut self, wait: Duration) -> Result<u64, FoldError> {
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
        let parts = batch::by_partition(items).into_iter().map(|(partition, items)| Part {
            fold: self.folder.take(partition),
            base: self.telling.progress.position(partition),
            items,
        });
        let mut failed = Ok(());
        for done in batch::fold(parts.collect(), self.threads, &self.telling.progress) {
            let partition = done.fold.partition();
            self.folder.put_back(done.fold);
            let told = self.folded(partition, done.span, done.took, done.folded);
            failed = failed.and(told);
        }
        failed.map(|()| count)
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

/// An error with everything that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
