//! The fold at work: reads the log on a thread of its own, folds batch by batch, then tells.

mod begin;
mod folding;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::log::{Log, ReadError};
use common::store::{Store, StoreError};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::feed::{Feed, Whole};
use crate::fold::shop::ShopSettings;
use crate::metrics::AggregatorMetrics;
use crate::progress::Progress;
use crate::snapshots::Snapshots;
use crate::views::Views;

use folding::Folding;

/// How long a read waits for something new before it looks whether to stop.
const WAIT: Duration = Duration::from_millis(100);
/// The first wait before a failed fold is tried again, and the longest.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MOST: Duration = Duration::from_secs(5);

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

/// An error with everything that caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
