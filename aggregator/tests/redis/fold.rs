//! The fold on Redis: random shops give the state that they give in memory.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use aggregator::fold::shop::ShopSettings;
use aggregator::fold::{Folded, Folder, digest};
use common::config::{Config, Inputs, Needs};
use common::event::Event;
use common::store::{MemoryStore, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};

use super::server::Server;
use super::shops::events;
use super::support::open;

#[test]
fn the_state_has_the_same_digest_as_in_memory() {
    let server = Server::alone();
    let mut runner =
        TestRunner::new(Cases { cases: 60, failure_persistence: None, ..Cases::default() });
    let number = Cell::new(0);
    let held = runner.run(&(events(60), 1..20_usize), |(events, batch)| {
        number.set(number.get() + 1);
        let store = Arc::new(open(&server.url(), &format!("fold{}", number.get())));
        let memory = Arc::new(MemoryStore::new());
        fold(&store, &events.0, batch);
        fold(&memory, &events.0, batch);
        prop_assert_eq!(digest_of(&*store), digest_of(&*memory));
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

fn fold<S: Store>(store: &Arc<S>, events: &[Event], batch: usize) {
    let inputs = Inputs { file: None, environment: BTreeMap::new(), overrides: Vec::new() };
    let config = Config::load(&inputs, Needs::Nothing).expect("defaults load");
    let mut folder = Folder::new(store.clone(), Arc::new(ShopSettings::new(config)));
    let mut base = 0;
    for events in events.chunks(batch) {
        let count = events.len() as u64;
        let events = events.iter().cloned().map(Some).collect();
        match folder.fold(3, base, events).expect("folds") {
            Folded::Done(_) => base += count,
            Folded::Conflict { stored } => panic!("conflict at {stored}"),
        }
    }
}

fn digest_of<S: Store>(store: &S) -> String {
    let snapshot = store.snapshot().expect("a snapshot");
    digest::of(&*snapshot, 4).expect("digests").digest
}
