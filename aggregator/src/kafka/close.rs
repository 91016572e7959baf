//! Letting go of a consumer: in the middle of a change of its group it may take seconds.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// How long anybody waits for a consumer to go.
pub(super) const DEADLINE: Duration = Duration::from_millis(1_500);

/// Drops `consumer` on a thread of its own, and waits for it for [`DEADLINE`] at most.
pub(super) fn let_go<C: Send + 'static>(consumer: C) {
    let (gone, wait) = channel::<()>();
    let thread = thread::Builder::new().name("kafka-close".into());
    let spawned = thread.spawn(move || {
        drop(consumer);
        drop(gone);
    });
    if spawned.is_ok() {
        await_end(&wait);
    }
}

/// Waits until the sender of `ended` is gone, for [`DEADLINE`] at most.
pub(super) fn await_end(ended: &Receiver<()>) {
    use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
    match ended.recv_timeout(DEADLINE) {
        Ok(()) | Err(Disconnected) => {}
        Err(Timeout) => tracing::warn!("a consumer of Kafka is still closing and is left to it"),
    }
}
