//! Law 2 (order and repetition do not matter) and law 5 (equal to the books) on random shops.

use aggregator::window::Asked;
use common::event::Event;
use common::time::Timestamp;
use proptest::prelude::*;

use crate::shops::{asked_at, events, shop};
use crate::support::{
    by_the_books, came_back, came_back_by_the_books, difference, digest_of, figures, folded, sold,
    sold_by_the_books, watched, watched_by_the_books,
};

/// Cases of each law in `make test`.
const CASES: u32 = 10_000;

/// Another delivery of the same events: permuted, some twice, split into batches.
fn redelivered(events: &[Event], seed: u64) -> Vec<Vec<Event>> {
    let mut state = seed | 1;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).expect("below a length")
    };
    let mut again: Vec<Event> = events.to_vec();
    for _ in 0..next(events.len() + 1) {
        again.push(events[next(events.len())].clone());
    }
    for at in (1..again.len()).rev() {
        again.swap(at, next(at + 1));
    }
    let mut batches = Vec::new();
    while !again.is_empty() {
        let rest = again.split_off((1 + next(7)).min(again.len()));
        batches.push(std::mem::replace(&mut again, rest));
    }
    batches
}

/// How far receipts are apart: all at once, within a day, over months.
fn apart() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![0, 1_200_000, 7_200_000, 200_000_000])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, max_shrink_iters: 40_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn law_2_order_and_repetition_do_not_matter(events in events(40), seed in any::<u64>()) {
        let events = events.0;
        let straight = folded([&events[..]]);
        let batches = redelivered(&events, seed);
        let other = folded(batches.iter().map(Vec::as_slice));
        prop_assert_eq!(digest_of(&straight), digest_of(&other));
    }

    /// When an import began matters to a shop's redaction alone, never to the digest.
    #[test]
    fn law_2_holds_across_imports(events in events(30), seed in any::<u64>(), later in asked_at()) {
        let redacted = |event: &Event| matches!(event.body, common::event::Body::ShopRedacted(_));
        let events: Vec<Event> = events.0.into_iter().filter(|event| !redacted(event)).collect();
        prop_assume!(!events.is_empty());
        let mut again = redelivered(&events, seed);
        for event in again.iter_mut().flatten() {
            event.imported_at = Some(later);
            event.received_at = later;
        }
        let straight = folded([&events[..]]);
        let imported = folded(again.iter().map(Vec::as_slice));
        prop_assert_eq!(digest_of(&straight), digest_of(&imported));
    }

    #[test]
    fn law_5_equal_to_the_books(events in events(40), at in asked_at(), live in any::<bool>(), seed in any::<u64>(), every in apart()) {
        let events = events.0;
        let mut batches = redelivered(&events, seed);
        // Received one after the other, the last one at the question.
        let at = at.max(Timestamp::default());
        for (event, number) in batches.iter_mut().rev().flat_map(|batch| batch.iter_mut().rev()).zip(0..) {
            event.received_at = at.plus_ms(-every * number);
        }
        let store = folded(batches.iter().map(Vec::as_slice));
        let asked = if live { Asked::Live { now: at } } else { Asked::AsOf(at) };
        let books = by_the_books(&events, &shop(), asked);
        if let Some(ours) = figures(&store, &shop(), asked) {
            let different = difference(&ours, &books);
            prop_assert!(different.is_none(), "{asked:?}: {}", different.unwrap_or_default());
        }
    }

    /// What the detector sees is in the books as well.
    #[test]
    fn law_5_equal_to_the_books_in_what_is_watched(events in events(40), seed in any::<u64>()) {
        let batches = redelivered(&events.0, seed);
        let store = folded(batches.iter().map(Vec::as_slice));
        prop_assert_eq!(watched(&store, &shop()), watched_by_the_books(&events.0, &shop()));
        prop_assert_eq!(came_back(&store, &shop()), came_back_by_the_books(&events.0, &shop()));
        prop_assert_eq!(sold(&store, &shop()), sold_by_the_books(&events.0, &shop()));
    }
}
