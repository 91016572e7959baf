//! The adapters of both halves, against a real broker.
//!
//! A broker takes seconds to start, and nextest gives each test a process: so what can share a
//! broker is one test, and its parts say their names when they fail.

mod broker;
mod feed;
mod log;
mod member;
mod outage;
mod topics;

use std::sync::Mutex;
use std::thread;

use crate::broker::Broker;

type Part = (&'static str, fn(&Broker));

const PARTS: [Part; 13] = [
    ("the log's conformance suite", log::conforms),
    ("a record says what it is", log::a_record_says_what_it_is),
    ("other partitions are refused", log::other_partitions_than_expected_are_refused),
    ("begins in the middle", feed::begins_in_the_middle_and_reads_exactly_the_rest),
    ("a group shares partitions", feed::a_group_shares_partitions_and_inherits_them),
    ("never starts", feed::a_feed_that_never_starts_holds_nobody_up),
    ("rests", feed::a_feed_that_rests_leaves_its_partitions_to_others),
    ("a slow fold", feed::a_slow_fold_misses_nothing),
    ("positions outside of the log", feed::a_position_outside_of_the_log_is_named),
    ("a record without payload", feed::a_record_without_payload_keeps_its_place),
    ("a restarted member", member::a_restarted_member_gets_its_partitions_back),
    ("two with one name", member::of_two_with_one_name_the_elder_ends),
    ("topics", topics::differences_are_shown_and_mended),
];

#[test]
fn the_adapters_keep_their_contracts() {
    let broker = Broker::start("shared");
    let waiting = Mutex::new(PARTS.to_vec());
    let failed = Mutex::new(Vec::new());
    let shared = &broker;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let part = waiting.lock().expect("no panic").pop();
                    let Some((name, run)) = part else { return };
                    let thread = thread::Builder::new().name(name.to_owned());
                    let ended = thread.spawn_scoped(scope, move || run(shared)).expect("a thread");
                    if ended.join().is_err() {
                        failed.lock().expect("no panic").push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic");
    assert!(failed.is_empty(), "failed: {failed:?}");
}
