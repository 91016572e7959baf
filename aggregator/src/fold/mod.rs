//! The fold: events into documents, documents into counters, a batch into one commit a partition.
//!
//! The fold has no clock, no randomness and no floats (law 6). Its state is a function of the set of
//! events alone (law 2): documents are join-semilattices, counters are images of documents.

mod additions;
mod apply;
pub mod back;
pub mod book;
mod buckets;
mod caches;
pub mod carried;
pub mod checkout;
pub mod content;
pub mod customer;
pub mod digest;
pub mod docs;
pub mod field;
pub mod hours;
pub mod keys;
pub mod list;
pub mod order;
mod parts;
mod prefetch;
mod redact;
pub mod report;
mod retention;
mod return_index;
mod returned;
pub mod returns;
pub mod shop;
pub mod sold;
pub mod watched;
mod work;
pub mod young;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::event::{Body, Event};
use common::shop::ShopDomain;
use common::store::{Commit, Committed, Snapshot, Store, StoreError};
use common::time::Timestamp;

use buckets::finish;
use caches::Caches;
use docs::Source;
use keys::Keys;
use redact::Survivors;
use report::{Applied, Seen};
use shop::ShopSettings;
pub use work::Counted;
use work::Work;

/// The fold's version: a state of another version is built anew.
pub const FOLD_VERSION: u32 = 3;

/// The most documents that are kept in memory between batches, over all partitions.
const KEPT: usize = 25_000;

/// Folds the events of partitions into a store.
pub struct Folder<S> {
    store: Arc<S>,
    settings: Arc<ShopSettings>,
    caches: BTreeMap<u16, Caches>,
}

/// The fold of one partition, with the documents that it has in hand.
pub struct PartitionFold<S> {
    store: Arc<S>,
    settings: Arc<ShopSettings>,
    partition: u16,
    caches: Caches,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Folded {
    /// It is in the store.
    Done(Report),
    /// The partition stands elsewhere: read on from there.
    Conflict {
        /// The position found.
        stored: u64,
    },
}

/// What a batch did.
#[derive(Debug, Default)]
pub struct Report {
    /// Event by event.
    pub applied: Vec<Applied>,
    /// Counters by shop; `None` for a shop that was redacted and must be read anew.
    pub counted: Vec<(ShopDomain, Option<Counted>)>,
}

impl<S: Store> Folder<S> {
    /// A fold into `store`.
    #[must_use]
    pub fn new(store: Arc<S>, settings: Arc<ShopSettings>) -> Self {
        Self { store, settings, caches: BTreeMap::new() }
    }

    /// Drops what is in hand of a partition.
    pub fn forget(&mut self, partition: u16) {
        self.caches.remove(&partition);
    }

    /// Hands out a partition, to be folded beside others; it comes back with [`Folder::put_back`].
    pub fn take(&mut self, partition: u16) -> PartitionFold<S> {
        let caches = self.caches.remove(&partition).unwrap_or_default();
        let (store, settings) = (self.store.clone(), self.settings.clone());
        PartitionFold { store, settings, partition, caches }
    }

    /// Takes a partition back. What is in hand of all of them together stays within its limit.
    pub fn put_back(&mut self, fold: PartitionFold<S>) {
        self.caches.insert(fold.partition, fold.caches);
        if self.caches.values().map(Caches::len).sum::<usize>() > KEPT {
            self.caches.clear();
        }
    }

    /// Folds a batch of one partition.
    pub fn fold(
        &mut self,
        partition: u16,
        base: u64,
        events: Vec<Option<Event>>,
    ) -> Result<Folded, StoreError> {
        let mut fold = self.take(partition);
        let folded = fold.fold(base, events);
        self.put_back(fold);
        folded
    }
}

impl<S: Store> PartitionFold<S> {
    /// The partition.
    #[must_use]
    pub const fn partition(&self) -> u16 {
        self.partition
    }

    /// Folds `events`, which stand at positions from `base`, and moves the partition to `end`.
    ///
    /// `None` stands for a record that cannot be read: it is passed over and takes its position.
    pub fn fold(&mut self, base: u64, events: Vec<Option<Event>>) -> Result<Folded, StoreError> {
        let mut report = Report::default();
        let mut base = base;
        let mut batch = Vec::with_capacity(events.len());
        let mut length = 0;
        for event in events {
            length += 1;
            let redaction = event.as_ref().and_then(redaction_of);
            batch.extend(event);
            if let Some(until) = redaction {
                // A redaction rewrites its shop and stands in a commit of its own.
                let last = batch.pop();
                let before = base + length - 1;
                match self.commit(base, before, batch, &mut report)? {
                    Committed::Conflict { stored } => return Ok(Folded::Conflict { stored }),
                    Committed::Done | Committed::Already => {}
                }
                if let Some(event) = last {
                    let committed = self.redact(before, &event, until, &mut report)?;
                    if let Committed::Conflict { stored } = committed {
                        return Ok(Folded::Conflict { stored });
                    }
                }
                (base, batch, length) = (before + 1, Vec::new(), 0);
            }
        }
        match self.commit(base, base + length, batch, &mut report)? {
            Committed::Conflict { stored } => Ok(Folded::Conflict { stored }),
            Committed::Done | Committed::Already => Ok(Folded::Done(report)),
        }
    }

    fn commit(
        &mut self,
        base: u64,
        end: u64,
        events: Vec<Event>,
        report: &mut Report,
    ) -> Result<Committed, StoreError> {
        if base == end {
            return Ok(Committed::Done);
        }
        let snapshot = self.store.snapshot()?;
        let source = Source { snapshot: &*snapshot, partition: self.partition, blank: false };
        let mut by_shop: BTreeMap<ShopDomain, Vec<Event>> = BTreeMap::new();
        for event in events {
            by_shop.entry(event.shop.clone()).or_default().push(event);
        }
        let mut writes = Vec::new();
        let caches = &mut self.caches;
        prefetch::load(&by_shop, caches, source)?;
        for (shop, events) in by_shop {
            let mut work = begin(&shop, &self.settings, caches, source)?;
            for event in events {
                report.applied.push(apply(&mut work, event)?);
            }
            finish(work, &mut writes, report)?;
        }
        self.write(base, end, writes)
    }

    fn redact(
        &mut self,
        base: u64,
        event: &Event,
        until: Timestamp,
        report: &mut Report,
    ) -> Result<Committed, StoreError> {
        let snapshot = self.store.snapshot()?;
        let source = Source { snapshot: &*snapshot, partition: self.partition, blank: false };
        let mut writes = Vec::new();
        let caches = &mut self.caches;
        let mut work = begin(&event.shop, &self.settings, caches, source)?;
        let known = work.doc.redacted.is_some_and(|known| until <= known);
        let mut applied = Applied {
            shop: event.shop.clone(),
            kind: event.body.kind(),
            topic: event.topic.clone(),
            at: event.version.at.min(event.received_at),
            changed: !known,
            imported: event.imported_at.is_some(),
            seen: Seen::default(),
        };
        work.doc.last_event_at = work.doc.last_event_at.max(Some(event.version.at));
        work.doc.received_at = event.received_at;
        if known {
            finish(work, &mut writes, report)?;
        } else {
            let (last_event_at, received_at) = (work.doc.last_event_at, work.doc.received_at);
            drop(work);
            let survivors = Survivors::of(&Keys::new(&event.shop), source, until)?;
            writes.extend(survivors.keys.iter().map(|key| (key.clone(), None)));
            *caches = Caches::default();
            let blank = Source { blank: true, ..source };
            let mut work = begin(&event.shop, &self.settings, caches, blank)?;
            work.doc.redacted = Some(until);
            work.doc.last_event_at = last_event_at;
            work.doc.received_at = received_at;
            survivors.put_into(&mut work)?;
            finish(work, &mut writes, report)?;
            if let Some(counted) = report.counted.last_mut() {
                counted.1 = None;
            }
            applied.seen = Seen::default();
        }
        report.applied.push(applied);
        self.write(base, base + 1, writes)
    }

    fn write(
        &mut self,
        base: u64,
        end: u64,
        mut writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<Committed, StoreError> {
        // The last word on a key counts; sorted, a store finds each key's place near the one before.
        writes.reverse();
        writes.sort_by(|a, b| a.0.cmp(&b.0));
        writes.dedup_by(|later, earlier| later.0 == earlier.0);
        let commit = Commit { partition: self.partition, base, end, writes };
        let committed = self.store.commit(commit);
        if !matches!(committed, Ok(Committed::Done)) {
            // What is in hand no longer is what the store holds.
            self.caches = Caches::default();
        }
        committed
    }
}

fn redaction_of(event: &Event) -> Option<Timestamp> {
    match &event.body {
        Body::ShopRedacted(redacted) => Some(redacted.at),
        Body::Order(_)
        | Body::OrderDeleted(_)
        | Body::OrderEdited(_)
        | Body::Refund(_)
        | Body::Return(_)
        | Body::ReturnUpdated(_)
        | Body::Checkout(_)
        | Body::CheckoutDeleted(_)
        | Body::CustomersMerged(_)
        | Body::CustomerRedacted(_) => None,
    }
}

fn begin<'a>(
    shop: &ShopDomain,
    settings: &ShopSettings,
    caches: &'a mut Caches,
    source: Source<'a>,
) -> Result<Work<'a>, StoreError> {
    let keys = Keys::new(shop);
    let doc = caches.shops.take(&keys.shop(), source)?.unwrap_or_default();
    Ok(Work {
        shop: shop.clone(),
        keys,
        setting: settings.of(shop),
        began_at: doc.received_at,
        doc,
        caches,
        source,
        counted: Counted::default(),
        indices: Vec::new(),
        completed: false,
    })
}

fn apply(work: &mut Work<'_>, mut event: Event) -> Result<Applied, StoreError> {
    let (shop, kind) = (event.shop.clone(), event.body.kind());
    let at = event.version.at.min(event.received_at);
    let imported = event.imported_at.is_some();
    let topic = event.topic.take();
    let mut seen = Seen::default();
    let changed = work.apply(event, &mut seen)?;
    seen.checkout_completed = std::mem::take(&mut work.completed);
    Ok(Applied { shop, kind, topic, at, changed, imported, seen })
}

/// The position that every partition of a view stands at.
pub fn positions(snapshot: &dyn Snapshot, partitions: u16) -> Result<Vec<u64>, StoreError> {
    (0..partitions).map(|partition| snapshot.position(partition)).collect()
}
