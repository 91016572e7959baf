//! A batch of records, partition by partition: each is decoded and folded on its own, so that more
//! than one core can work on a batch, and one partition's commit is waited for while others compute.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::event::{BadEvent, Event};
use common::log::{Item, Record};
use common::store::{Store, StoreError};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};
use thiserror::Error;

use crate::fold::{Folded, PartitionFold};
use crate::progress::Progress;

/// Smaller batches are folded where they are: another thread would cost more than it brings.
const WORTH_A_THREAD: usize = 512;

/// One partition's part of a batch.
pub struct Part<S> {
    /// The partition's fold, with what it has in hand.
    pub fold: PartitionFold<S>,
    /// The position that the records follow.
    pub base: u64,
    /// The records, in the order of their offsets.
    pub items: Vec<Item>,
}

/// What became of a part.
pub struct Done<S> {
    /// The partition's fold.
    pub fold: PartitionFold<S>,
    /// The positions before and after the part.
    pub span: (u64, u64),
    /// What the fold came to.
    pub folded: Result<Folded, PartError>,
    /// How long it took.
    pub took: Duration,
}

/// Why a part was not folded.
#[derive(Debug, Error)]
pub enum PartError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A newer program wrote a record.
    #[error("partition {partition}, offset {offset}")]
    Newer {
        /// The partition.
        partition: u16,
        /// The record.
        offset: u64,
        /// What is newer.
        source: BadEvent,
    },
}

/// The items of a batch by partition, each in order.
#[must_use]
pub fn by_partition(items: Vec<Item>) -> BTreeMap<u16, Vec<Item>> {
    let mut parts: BTreeMap<u16, Vec<Item>> = BTreeMap::new();
    for item in items {
        parts.entry(item.partition()).or_default().push(item);
    }
    parts
}

/// The threads that fold the parts of batches. They stay: a thread made for each batch would begin
/// with an empty share of the allocator's memory, and give back what it had at its end.
pub struct Workers {
    pool: Option<ThreadPool>,
    /// Batches of fewer records are folded by the caller.
    least_records: usize,
}

impl Workers {
    /// So many threads; none beside the caller's where that is one, or where none is to be had.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let least_records = WORTH_A_THREAD;
        if threads < 2 {
            return Self { pool: None, least_records };
        }
        let pool = ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.thread_name(|number| format!("fold-{number}")).build();
        if let Err(error) = &pool {
            tracing::warn!(%error, "no threads for the fold's partitions; it goes on with its own");
        }
        Self { pool: pool.ok(), least_records }
    }

    /// The same, at work for small batches too: for a store whose commits are waited for over a network.
    #[must_use]
    pub fn that_wait(threads: usize) -> Self {
        Self { least_records: 0, ..Self::new(threads) }
    }

    /// Folds parts beside each other; they come back in their order.
    pub fn fold<S: Store>(&self, parts: Vec<Part<S>>, progress: &Progress) -> Vec<Done<S>> {
        let records: usize = parts.iter().map(|part| part.items.len()).sum();
        match &self.pool {
            Some(pool) if parts.len() > 1 && records >= self.least_records => pool.install(|| {
                let parts = parts.into_par_iter().with_max_len(1);
                parts.map(|part| part.fold(progress)).collect()
            }),
            Some(_) | None => parts.into_iter().map(|part| part.fold(progress)).collect(),
        }
    }
}

impl<S: Store> Part<S> {
    fn fold(self, progress: &Progress) -> Done<S> {
        let Self { mut fold, base, items } = self;
        let begun = Instant::now();
        let (span, folded) = match decoded(base, items, progress) {
            Ok(events) => {
                let end = base + events.len() as u64;
                ((base, end), fold.fold(base, events).map_err(PartError::Store))
            }
            Err(error) => ((base, base), Err(error)),
        };
        Done { fold, span, folded, took: begun.elapsed() }
    }
}

/// The events of items after `base`, `None` for each offset that holds none.
fn decoded(
    base: u64,
    items: Vec<Item>,
    progress: &Progress,
) -> Result<Vec<Option<Event>>, PartError> {
    let mut events = Vec::with_capacity(items.len());
    for item in items {
        // A gap in the offsets is what damage left of records; each still takes its position.
        let expected = base + events.len() as u64;
        events.extend((expected..item.offset()).map(|_| None));
        events.push(match item {
            Item::Record(record) => decode(&record, progress)?,
            Item::Quarantined(lost) => {
                tracing::error!(?lost, "a damaged record of the log is passed over");
                progress.pass_over();
                None
            }
        });
    }
    Ok(events)
}

fn decode(record: &Record, progress: &Progress) -> Result<Option<Event>, PartError> {
    let (partition, offset) = (record.partition, record.offset);
    match Event::decode(&record.payload) {
        Ok(event) => Ok(Some(event)),
        Err(source @ BadEvent::Schema { .. }) => {
            Err(PartError::Newer { partition, offset, source })
        }
        Err(BadEvent::Syntax(error)) => {
            tracing::error!(partition, offset, %error, "a record that is no event is passed over");
            progress.pass_over();
            Ok(None)
        }
    }
}
