//! The log of the distributed shape: Kafka, and a spool on disk for when it is slow or down.
//!
//! A record goes to Kafka. If that is not acknowledged within a quarter of a second, it goes to the
//! spool too, and whichever is durable first answers. While Kafka is known to be down the
//! [`breaker`] sends everything to the spool at once. A thread of its own drains the spool into
//! Kafka; what was written twice, or in another order, changes nothing (law 2).

mod breaker;
mod drain;
mod metrics;
mod position;
mod store;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::event::Event;
use common::log::AppendError;
use common::partition::partition_of;
use futures_util::future::{BoxFuture, FutureExt as _, select_ok};

use breaker::Breaker;
use drain::{Drainer, Stop};

pub use metrics::LogSeries;
pub use store::{Spool, SpoolOptions, Waiting};

use crate::receiver::EventLog;

/// How long Kafka may take before the spool is asked too.
const PATIENCE: Duration = Duration::from_millis(250);

/// Kafka with a spool before it. Clones share both.
#[derive(Clone)]
pub struct SpooledLog {
    shared: Arc<Shared>,
    drainer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What may be sent to Kafka before its topics are known to be safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// All: they are.
    Open,
    /// Nothing, until [`SpooledLog::release`].
    Held,
}

/// What appends and drainer have in common.
struct Shared {
    kafka: Arc<dyn EventLog>,
    partitions: u16,
    spool: Arc<Spool>,
    breaker: Mutex<Breaker>,
    stop: Stop,
}

impl SpooledLog {
    /// Puts `spool` before `kafka`, whose log has so many partitions, and begins to drain it.
    pub fn start(
        kafka: Arc<dyn EventLog>,
        partitions: u16,
        spool: Arc<Spool>,
        begin: Begin,
    ) -> io::Result<Self> {
        let breaker = Mutex::new(match begin {
            Begin::Open => Breaker::closed(),
            Begin::Held => Breaker::held(),
        });
        let shared = Arc::new(Shared { kafka, partitions, spool, breaker, stop: Stop::default() });
        let drainer = Drainer::start(Arc::clone(&shared))?;
        Ok(Self { shared, drainer: Arc::new(Mutex::new(Some(drainer))) })
    }

    /// Lets records go to Kafka.
    pub fn release(&self) {
        self.shared.breaker().release();
    }

    /// Whether records go to Kafka, rather than to the spool at once.
    #[must_use]
    pub fn asks_kafka(&self) -> bool {
        self.shared.breaker().is_closed()
    }

    /// The spool.
    #[must_use]
    pub fn spool(&self) -> &Spool {
        &self.shared.spool
    }

    /// Ends the drainer and closes the spool; what is left in it is drained after the next start.
    /// Kafka stays open. It blocks.
    pub fn close(&self) {
        self.shared.stop.now();
        let drainer = self.drainer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if drainer.is_some_and(|drainer| drainer.join().is_err()) {
            tracing::error!("the spool's drainer panicked");
        }
        self.shared.spool.close();
    }
}

impl EventLog for SpooledLog {
    fn append_event(
        &self,
        partition: u16,
        event: &Event,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<(), AppendError>> {
        let shared = &*self.shared;
        if shared.breaker().is_closed() {
            let sent = shared.kafka.append_event(partition, event, payload.clone());
            shared.race(sent, payload).boxed()
        } else {
            shared.keep(payload).boxed()
        }
    }
}

impl Shared {
    /// Waits for Kafka, and after a while for Kafka or the spool.
    async fn race(
        &self,
        sent: BoxFuture<'_, Result<(), AppendError>>,
        payload: Bytes,
    ) -> Result<(), AppendError> {
        let mut sent = sent.inspect(|answer| self.answered(answer)).boxed();
        match tokio::time::timeout(PATIENCE, &mut sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if is_final(&error) => Err(error),
            Ok(Err(_)) => self.spool.append(payload).await,
            Err(_) => {
                if self.breaker().was_slow(Instant::now()) {
                    tracing::warn!("Kafka is slow: events go to the spool");
                }
                select_ok([sent, self.spool.append(payload).boxed()]).await.map(|_| ())
            }
        }
    }

    /// Spools a record; where the spool takes none, it may be the one that Kafka is tried with.
    async fn keep(&self, payload: Bytes) -> Result<(), AppendError> {
        let refused = match self.spool.append(payload.clone()).await {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        let Ok(event) = Event::decode(&payload) else { return Err(refused) };
        if !self.breaker().probe(Instant::now()) {
            return Err(refused);
        }
        let answer = self.send(&event, payload).await;
        self.probed(answer.is_ok() || answer.as_ref().is_err_and(is_final));
        answer.map_err(|error| if is_final(&error) { error } else { refused })
    }

    /// Sends an event to its partition of Kafka.
    fn send(&self, event: &Event, payload: Bytes) -> BoxFuture<'_, Result<(), AppendError>> {
        let partition = partition_of(&event.shop, self.partitions);
        self.kafka.append_event(partition, event, payload)
    }

    /// Notes what Kafka made of a record.
    fn answered(&self, answer: &Result<(), AppendError>) {
        match answer {
            Ok(()) => self.breaker().succeeded(),
            Err(error) if is_final(error) => {}
            Err(error) => {
                if self.breaker().failed(Instant::now()) {
                    tracing::warn!(%error, "Kafka takes no events: they go to the spool");
                }
            }
        }
    }

    /// Notes what became of a probe.
    fn probed(&self, taken: bool) {
        if self.breaker().probed(taken, Instant::now()) {
            let waiting = self.spool.waiting().records;
            tracing::info!(waiting, "Kafka takes events again");
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the record itself is the reason, so that sending it again, or another, tells nothing.
fn is_final(error: &AppendError) -> bool {
    match error {
        AppendError::TooLarge { .. }
        | AppendError::UnknownPartition { .. }
        | AppendError::Refused { .. } => true,
        AppendError::Busy
        | AppendError::Full(_)
        | AppendError::Io { .. }
        | AppendError::Unavailable { .. }
        | AppendError::Closed => false,
    }
}
