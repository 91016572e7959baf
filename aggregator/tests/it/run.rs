//! The fold at work: it outlives a store that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aggregator::feed::Whole;
use aggregator::metrics::AggregatorMetrics;
use aggregator::progress::Progress;
use aggregator::run::{Runner, Telling};
use aggregator::views::Views;
use common::event::{Body, Event, OrderDeleted};
use common::log::memory::MemoryLog;
use common::log::{Append, Log};
use common::store::{Commit, Committed, MemoryStore, Snapshot, Store, StoreError};
use common::time::Timestamp;

use crate::shops::shop;
use crate::support::{PARTITION, digest_of, folded, settings};

/// Fails as often as it is told to, then works.
struct Flaky {
    inner: MemoryStore,
    failures: AtomicU32,
}

impl Store for Flaky {
    fn position(&self, partition: u16) -> Result<u64, StoreError> {
        self.inner.position(partition)
    }

    fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        let left = self.failures.load(Ordering::Relaxed);
        if left > 0 {
            self.failures.store(left - 1, Ordering::Relaxed);
            return Err(StoreError::Engine { place: "memory".into(), message: "no space".into() });
        }
        self.inner.commit(commit)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.inner.snapshot()
    }

    fn persist(&self) -> Result<(), StoreError> {
        self.inner.persist()
    }
}

#[test]
fn goes_on_after_the_store_failed() {
    let events: Vec<Event> = (0..20u64)
        .map(|order| {
            let at = Timestamp::from_seconds(1_767_607_200);
            let body = Body::OrderDeleted(OrderDeleted { order: order.into() });
            Event::new(shop(), "shopify", at, None, at, body)
        })
        .collect();
    let log = Log::Memory(MemoryLog::new(32));
    let store = Arc::new(Flaky { inner: MemoryStore::new(), failures: AtomicU32::new(2) });
    let telling = Telling {
        progress: Arc::new(Progress::new(32)),
        metrics: Arc::new(AggregatorMetrics::unregistered()),
        views: Arc::new(Views::default()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut runner = Runner::start(Whole::new(log.clone()), store.clone(), settings(), &telling)
        .expect("starts");
    for event in &events {
        let bytes = event.encode().expect("encodes").into();
        runtime.block_on(log.append(PARTITION, bytes)).expect("appends");
    }
    let begun = Instant::now();
    while telling.progress.position(PARTITION) < events.len() as u64 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", telling.progress.halted());
        std::thread::sleep(Duration::from_millis(20));
    }
    runner.stop();
    assert_eq!(store.failures.load(Ordering::Relaxed), 0);
    assert_eq!(telling.progress.halted(), None);
    assert_eq!(digest_of(&store.inner), digest_of(&folded([&events[..]])));
}
