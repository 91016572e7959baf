//! The sender: posts signed deliveries over many kept-alive connections and tells what became of each.

mod http;
mod target;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::delivery::{Delivery, DeliveryId};
pub use target::Target;
use worker::Worker;

/// How often [`send`] tells that time passes.
const TICK: Duration = Duration::from_millis(100);
/// How much of a delay in sending is made up for by sending faster.
const CATCH_UP: Duration = Duration::from_secs(1);

/// How fast and over how many connections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Deliveries a second; `None` is as fast as the receiver answers.
    pub per_second: Option<f64>,
    /// Connections; each has one delivery on its way.
    pub connections: usize,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with 2xx.
    Acked,
    /// Answered with another status for good.
    Refused(u16),
    /// Not answered, or not in every try: the receiver may have it.
    Unknown,
}

/// Posts `deliveries` until they end or `stop` is set; blocks. `told` hears of each on the calling
/// thread, and of nothing ten times a second.
pub fn send<I>(
    deliveries: I,
    (target, secret): (&Target, &[u8]),
    pace: Pace,
    stop: &AtomicBool,
    mut told: impl FnMut(Option<(DeliveryId, Outcome)>),
) where
    I: Iterator<Item = Delivery> + Send,
{
    let source = Mutex::new(Source::new(deliveries, pace.per_second));
    let (results, outcomes) = channel();
    thread::scope(|scope| {
        for _ in 0..pace.connections.max(1) {
            let results = results.clone();
            let source = &source;
            scope.spawn(move || {
                let mut worker = Worker::new(target, secret);
                while let Some(delivery) = next(source, stop) {
                    let outcome = worker.deliver(&delivery);
                    if results.send((delivery.webhook_id, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        loop {
            match outcomes.recv_timeout(TICK) {
                Ok(result) => told(Some(result)),
                Err(RecvTimeoutError::Timeout) => told(None),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    });
}

/// Whether anything listens at `target`.
pub fn reach(target: &Target) -> std::io::Result<()> {
    let mut pause = TICK;
    loop {
        match target.connect() {
            Ok(_) => return Ok(()),
            Err(error) if pause > 8 * TICK => return Err(error),
            Err(_) => thread::sleep(pause),
        }
        pause *= 2;
    }
}

/// The deliveries and their pace. Whoever holds it waits for the next one's turn, so a live stream is
/// asked for a delivery only when that is to be sent.
struct Source<I> {
    deliveries: I,
    interval: Option<Duration>,
    due: Instant,
}

impl<I: Iterator<Item = Delivery>> Source<I> {
    fn new(deliveries: I, per_second: Option<f64>) -> Self {
        let rate = per_second.filter(|rate| rate.is_finite() && *rate > 0.0);
        let interval = rate.map(|rate| Duration::from_secs_f64(1.0 / rate.max(1e-3)));
        Self { deliveries, interval, due: Instant::now() }
    }
}

fn next<I: Iterator<Item = Delivery>>(
    source: &Mutex<Source<I>>,
    stop: &AtomicBool,
) -> Option<Delivery> {
    let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(interval) = source.interval {
        let now = Instant::now();
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
        source.due = source.due.max(earliest) + interval;
        while !stop.load(Ordering::Relaxed) && Instant::now() < source.due {
            thread::sleep(source.due.duration_since(Instant::now()).min(TICK));
        }
    }
    if stop.load(Ordering::Relaxed) {
        return None;
    }
    source.deliveries.next()
}
