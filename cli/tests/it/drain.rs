//! SIGTERM under load: what was taken in is answered, nothing answered is lost, and the end is clean.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crate::kill::{orders_in_log, post_until_gone};
use crate::support::{Home, wait_until};

#[test]
fn a_terminated_server_drains() {
    let home = Home::new();
    let (next, acked) = (AtomicU64::new(1), Mutex::new(HashSet::new()));
    for _ in 0..3 {
        let mut server = home.serve();
        let mut started = Instant::now();
        let before = acked.lock().expect("no panic").len();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| post_until_gone(&server.public, &next, &acked));
            }
            wait_until("load", Duration::from_secs(20), || {
                acked.lock().expect("no panic").len() > before + 200
            });
            started = Instant::now();
            server.terminate();
        });
        let status = server.wait(Duration::from_secs(10));
        assert_eq!(status.code(), Some(0), "{status}: {}", server.messages());
        let took = started.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    let acked = acked.into_inner().expect("no panic");
    let kept = orders_in_log(&home);
    let lost: Vec<&u64> = acked.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged orders lost", lost.len(), acked.len());

    // What is on disk needs no second life to be whole.
    let digest = home.assert_rebuilds();
    let server = home.serve();
    server.settle();
    assert_eq!(server.json("/v1/digest")["digest"], digest);
}
