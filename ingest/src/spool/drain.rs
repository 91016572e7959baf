//! The drainer: reads the spool and sends it to Kafka, on a thread of its own.
//!
//! It has a bounded number of records under way, moves its position only behind what Kafka has
//! acknowledged, and rests for half as long as it worked, so that live deliveries come first. While
//! Kafka is down it sends one record at a time, as the breaker allows; if that is taken, Kafka is
//! back for everybody.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::event::Event;
use common::log::file::FileReader;
use common::log::{AppendError, BatchLimit, Item, ReadBatch as _, ReadError, Record};
use futures_util::future::join_all;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::store::PROOF;
use super::{Shared, is_final};

/// What may be under way at once: little beside what live deliveries have.
const WINDOW: BatchLimit = BatchLimit { max_records: 128, max_bytes: 1 << 20 };
/// How long it waits for records, and for the breaker.
const TICK: Duration = Duration::from_millis(50);
/// How often the position is made durable while there is much to drain.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// How long it waits after a failure of the disk, or where nothing but refused records is left.
const PAUSE: Duration = Duration::from_secs(5);

/// Tells the drainer to end.
#[derive(Default)]
pub(super) struct Stop {
    now: AtomicBool,
    told: Notify,
}

impl Stop {
    /// From now on.
    pub(super) fn now(&self) {
        self.now.store(true, Ordering::Release);
        self.told.notify_one();
    }

    fn is_now(&self) -> bool {
        self.now.load(Ordering::Acquire)
    }
}

/// Reads the spool and sends it to Kafka.
pub(super) struct Drainer {
    shared: Arc<Shared>,
    runtime: Runtime,
    reader: FileReader,
    /// Read and not acknowledged, by offset.
    pending: VecDeque<Pending>,
    /// The offset behind what was read.
    next: u64,
    /// The position that is durable.
    settled: u64,
    settled_at: Instant,
}

/// A record of the spool.
struct Pending {
    offset: u64,
    payload: Bytes,
    /// `None` if this program cannot read it.
    event: Option<Event>,
}

/// How many records may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    None,
    One,
    All,
}

/// What became of a record.
enum Fate {
    /// Kafka has it.
    Taken,
    /// To be sent again.
    Failed(AppendError),
    /// Kafka will not take it as things stand.
    Refused(String),
    /// This program cannot read it, so it was not sent.
    Unreadable,
}

impl Drainer {
    /// Starts it.
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let reader = shared.spool.reader().map_err(io::Error::other)?;
        let position = shared.spool.position();
        let drainer = Self {
            shared,
            runtime,
            reader,
            pending: VecDeque::new(),
            next: position,
            settled: position,
            settled_at: Instant::now(),
        };
        thread::Builder::new().name("spool-drain".into()).spawn(move || drainer.run())
    }

    fn run(mut self) {
        while !self.shared.stop.is_now() {
            if self.pending.is_empty() {
                self.read();
            }
            self.settle(self.pending.is_empty());
            if self.pending.is_empty() {
                continue;
            }
            match self.leave() {
                Leave::None => self.rest(TICK),
                Leave::One => self.send(1),
                Leave::All => self.send(self.pending.len()),
            }
        }
        self.settle(true);
    }

    /// How much the breaker lets through.
    fn leave(&self) -> Leave {
        let mut breaker = self.shared.breaker();
        if breaker.is_closed() {
            Leave::All
        } else if breaker.probe(Instant::now()) {
            Leave::One
        } else {
            Leave::None
        }
    }

    /// Takes what the spool has next, and waits a little for it.
    fn read(&mut self) {
        match self.reader.next_batch(WINDOW, TICK) {
            Ok(items) => {
                for item in items {
                    self.next = item.offset() + 1;
                    self.pending.extend(pending(item));
                }
                self.tell();
            }
            Err(ReadError::Closed) => self.shared.stop.now(),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot read the spool");
                self.rest(PAUSE);
            }
        }
    }

    /// Sends the first so many records at once, and waits for all answers.
    fn send(&mut self, count: usize) {
        let begun = Instant::now();
        let shared = Arc::clone(&self.shared);
        let sent = self.pending.iter().take(count).map(|record| fate(&shared, record));
        let all = join_all(sent);
        let fates = self.runtime.block_on(async {
            tokio::select! {
                fates = all => Some(fates),
                () = shared.stop.told.notified() => None,
            }
        });
        // What was under way when it was told to end is sent again after the next start.
        let Some(fates) = fates else { return };
        let (mut failed, mut refused, mut taken, mut asked) = (None, None, false, false);
        let records: Vec<Pending> = self.pending.drain(..count.min(fates.len())).collect();
        let mut left = VecDeque::new();
        for (record, fate) in records.into_iter().zip(fates) {
            asked |= !matches!(fate, Fate::Unreadable);
            match fate {
                Fate::Taken => taken = true,
                Fate::Failed(error) => {
                    failed = Some(error);
                    left.push_back(record);
                }
                Fate::Refused(why) => {
                    refused = Some(why);
                    left.extend(self.put_last(record));
                }
                Fate::Unreadable => {
                    let why = "this program cannot read it as an event; a newer one may";
                    refused = Some(why.to_owned());
                    left.extend(self.put_last(record));
                }
            }
        }
        left.append(&mut self.pending);
        self.pending = left;
        self.tell();
        if asked {
            self.judge(failed.as_ref());
        }
        if let Some(why) = refused {
            tracing::error!(why, "a record of the spool cannot be sent and stays in it");
        }
        if taken {
            self.rest(begun.elapsed() / 2);
        } else if failed.is_none() {
            self.rest(PAUSE);
        }
    }

    /// Tells the breaker what came of what was sent.
    fn judge(&self, failed: Option<&AppendError>) {
        if !self.shared.breaker().is_closed() {
            self.shared.probed(failed.is_none());
        } else if let Some(error) = failed {
            self.shared.answered(&Err(error.clone()));
        }
    }

    /// Puts a record behind all others, so that it is in nobody's way; gives it back if that fails.
    fn put_last(&self, record: Pending) -> Option<Pending> {
        let appended = self.runtime.block_on(self.shared.spool.append(record.payload.clone()));
        appended.is_err().then_some(record)
    }

    /// Tells the spool how far it is drained.
    fn tell(&self) {
        let first = self.pending.front();
        let position = first.map_or(self.next, |record| record.offset);
        let oldest = first.and_then(|record| record.event.as_ref()).map(|event| event.received_at);
        self.shared.spool.drained(position, self.reader.place(), oldest);
    }

    /// Makes the position durable: now and then, and `now` in any case.
    fn settle(&mut self, now: bool) {
        let position = self.shared.spool.position();
        if position == self.settled || !(now || self.settled_at.elapsed() >= SETTLE_EVERY) {
            return;
        }
        self.settled_at = Instant::now();
        match self.shared.spool.settle() {
            Ok(()) => self.settled = position,
            // More is sent again after a crash; that is all.
            Err(error) => tracing::warn!(%error, "cannot write down how far the spool is drained"),
        }
    }

    fn rest(&self, time: Duration) {
        let told = self.shared.stop.told.notified();
        // Told or not: whoever rests looks next whether it is to end.
        let _ = self.runtime.block_on(async { tokio::time::timeout(time, told).await });
    }
}

/// What is to be sent of an item: damaged records are gone, and a proof has done its work.
fn pending(item: Item) -> Option<Pending> {
    match item {
        Item::Record(Record { payload, .. }) if payload == PROOF => None,
        Item::Record(Record { offset, payload, .. }) => {
            let event = Event::decode(&payload).ok();
            Some(Pending { offset, payload, event })
        }
        Item::Quarantined(_) => None,
    }
}

async fn fate(shared: &Shared, record: &Pending) -> Fate {
    let Some(event) = &record.event else {
        return Fate::Unreadable;
    };
    match shared.send(event, record.payload.clone()).await {
        Ok(()) => Fate::Taken,
        Err(error) if is_final(&error) => Fate::Refused(error.to_string()),
        Err(error) => Fate::Failed(error),
    }
}
