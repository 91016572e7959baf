//! Partitions of a batch folded beside each other: the same state as one after the other.

use std::sync::Arc;

use aggregator::batch::{self, Part, Workers};
use aggregator::fold::{Folded, Folder};
use aggregator::progress::Progress;
use bytes::Bytes;
use common::event::{Body, Event, OrderDeleted};
use common::log::{Item, Place, Quarantined, Record};
use common::shop::ShopDomain;
use common::store::{MemoryStore, Store as _};
use common::time::Timestamp;

use crate::support::{digest_of, settings};

const PARTITIONS: u16 = 8;
/// Enough for more than one thread to be worth it.
const RECORDS: u64 = 800;
/// The offset of a record that cannot be read any more, and of two that are missing.
const DAMAGED: u64 = 7;
const MISSING: std::ops::Range<u64> = 20..22;

/// Partitions of one shop each, with records of different numbers.
fn items() -> Vec<Item> {
    let item = |partition: u16, offset: u64| {
        if offset == DAMAGED {
            return Item::Quarantined(Quarantined { partition, offset, place: Place::default() });
        }
        let shop = ShopDomain::parse(&format!("shop-{partition}.example")).expect("a shop");
        let at = Timestamp::from_seconds(1_767_607_200);
        let body = Body::OrderDeleted(OrderDeleted { order: (offset % 300).into() });
        let event = Event::new(shop, "shopify", at, None, at, body);
        let payload = Bytes::from(event.encode().expect("encodes"));
        Item::Record(Record { partition, offset, payload })
    };
    let of = |partition: u16| {
        let offsets = (0..RECORDS / u64::from(partition + 1)).filter(|one| !MISSING.contains(one));
        offsets.map(move |offset| item(partition, offset))
    };
    (0..PARTITIONS).flat_map(of).collect()
}

/// What so many threads make of the items, and how many records were passed over.
fn folded(threads: usize) -> (Arc<MemoryStore>, u64) {
    let store = Arc::new(MemoryStore::new());
    let mut folder = Folder::new(store.clone(), settings());
    let progress = Progress::new(PARTITIONS);
    let parts = batch::by_partition(items()).into_iter();
    let parts =
        parts.map(|(partition, items)| Part { fold: folder.take(partition), base: 0, items });
    let done = Workers::new(threads).fold(parts.collect(), &progress);
    assert_eq!(done.len(), usize::from(PARTITIONS));
    for done in done {
        assert!(matches!(done.folded, Ok(Folded::Done(_))), "{:?}", done.folded);
        assert_eq!(store.position(done.fold.partition()).expect("a position"), done.span.1);
        folder.put_back(done.fold);
    }
    (store, progress.passed_over())
}

#[test]
fn threads_change_nothing() {
    let (alone, passed_over) = folded(1);
    assert_eq!(passed_over, u64::from(PARTITIONS));
    for threads in [2, 3, 16] {
        let (store, passed_over) = folded(threads);
        assert_eq!(digest_of(&store), digest_of(&alone), "{threads} threads");
        assert_eq!(passed_over, u64::from(PARTITIONS));
        for partition in 0..PARTITIONS {
            let of = |store: &MemoryStore| store.position(partition).expect("a position");
            assert_eq!(of(&store), of(&alone));
            // The records that are missing and damaged take their places too.
            assert_eq!(of(&store), RECORDS / u64::from(partition + 1));
        }
    }
}
