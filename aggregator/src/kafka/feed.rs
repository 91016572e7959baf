//! The feed of a fold that shares a topic with others.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use common::log::{BatchLimit, ReadError};

use super::close::await_end;
use super::consumer::Pump;
use super::inbox::Inbox;
use super::watermarks::Watermarks;
use super::{ConnectError, ConsumerSettings};
use crate::feed::{Ends, Fed, Feed};
use crate::tenure::Tenure;

/// How often the brokers are asked where the partitions end.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// A member of a consumer group as the feed of a fold.
///
/// Dropping it leaves the group; that waits for 1.5 s at most, even in the middle of a change.
pub struct KafkaFeed {
    inbox: Arc<Inbox>,
    tenure: Arc<Tenure>,
    watermarks: Arc<Watermarks>,
    ends: Arc<Mutex<Vec<u64>>>,
    /// Its sender goes when the consumer's thread has ended.
    ended: Receiver<()>,
}

impl KafkaFeed {
    /// Connects, checks that the topic is there with as many partitions as expected, and joins the
    /// group.
    pub fn connect(settings: ConsumerSettings) -> Result<Self, ConnectError> {
        let watermarks = Arc::new(Watermarks::connect(&settings)?);
        let partitions = watermarks.partitions();
        let inbox = Arc::new(Inbox::new(partitions));
        // Unknown ends count as none until the first answer.
        let known = watermarks.ends().unwrap_or_else(|_| vec![0; usize::from(partitions)]);
        let ends = Arc::new(Mutex::new(known));

        let (watched, asked, kept) = (inbox.clone(), watermarks.clone(), ends.clone());
        let thread = thread::Builder::new().name("kafka-ends".into());
        let watching = thread.spawn(move || watch(&watched, &asked, &kept));
        watching.map_err(ConnectError::Thread)?;

        let tenure = Arc::new(Tenure::default());
        let pump = Pump {
            settings,
            inbox: inbox.clone(),
            tenure: tenure.clone(),
            watermarks: watermarks.clone(),
        };
        let (running, ended) = channel();
        let thread = thread::Builder::new().name("kafka-consumer".into());
        let spawned = thread.spawn(move || {
            pump.run();
            drop(running);
        });
        if let Err(error) = spawned {
            inbox.close();
            return Err(ConnectError::Thread(error));
        }
        Ok(Self { inbox, tenure, watermarks, ends, ended })
    }
}

/// The ends of all partitions, asked of the brokers each time: what was acknowledged a moment ago
/// counts as not folded yet.
struct Asked(Arc<Watermarks>);

impl Ends for Asked {
    fn end_positions(&self) -> Option<Vec<u64>> {
        self.0.ends().ok()
    }
}

impl KafkaFeed {
    /// How far the topic reaches, for whoever asks about lag. It blocks for one answer.
    #[must_use]
    pub fn ends(&self) -> Arc<dyn Ends> {
        Arc::new(Asked(self.watermarks.clone()))
    }

    /// Which partitions this member may tell of.
    #[must_use]
    pub fn tenure(&self) -> Arc<Tenure> {
        self.tenure.clone()
    }
}

impl Feed for KafkaFeed {
    fn partitions(&self) -> u16 {
        self.watermarks.partitions()
    }

    fn next(&mut self, limit: BatchLimit, timeout: Duration) -> Result<Fed, ReadError> {
        self.inbox.next(limit, timeout)
    }

    fn start(&mut self, positions: &[(u16, u64)]) -> Result<(), ReadError> {
        self.watermarks.check(positions)?;
        self.inbox.start(positions);
        Ok(())
    }

    fn rest(&mut self, resting: bool) {
        self.inbox.rest(resting);
    }

    fn drains(&self) -> bool {
        false
    }

    fn end_positions(&self) -> Result<Vec<u64>, ReadError> {
        Ok(self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Drop for KafkaFeed {
    fn drop(&mut self) {
        self.inbox.close();
        await_end(&self.ended);
    }
}

/// Keeps the ends of all partitions, of those also that others read. On a thread and a client of
/// its own, so that a broker that hangs does not keep the consumer from the others.
fn watch(inbox: &Inbox, watermarks: &Watermarks, ends: &Mutex<Vec<u64>>) {
    while !inbox.closed(ASK_EVERY) {
        match watermarks.ends() {
            Ok(found) => *ends.lock().unwrap_or_else(PoisonError::into_inner) = found,
            Err(error) => tracing::debug!(%error, "the ends of the partitions are not known anew"),
        }
    }
}
