//! The consumer on its thread: takes starts from the fold, reads, and hands on.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::log::{ReadError, Record};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use super::ConsumerSettings;
use super::client::{at_offsets, made, member};
use super::confirm::Confirming;
use super::context::{Member, Reading};
use super::inbox::{Inbox, Start};
use super::tail::{Trouble, record_of};
use super::watermarks::{Watermarks, unavailable};
use crate::tenure::Tenure;

/// How long a poll waits: a start waits as long for its turn.
const POLL: Duration = Duration::from_millis(20);
/// How many records are handed on at once.
const MOST: usize = 512;
/// How long a full inbox holds up the thread before the partitions are paused, which throws away
/// what was fetched ahead; without polls nothing is heard of the group.
const FULL_PATIENCE: Duration = Duration::from_secs(1);
/// How long a consumer that goes waits for the last answer to the question whether it is a member.
const LAST_ANSWER: Duration = Duration::from_millis(300);
/// How long after a fatal error the next consumer is made.
const REST: Duration = Duration::from_secs(1);

/// Reads for one feed.
pub(super) struct Pump {
    pub(super) settings: ConsumerSettings,
    pub(super) inbox: Arc<Inbox>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) watermarks: Arc<Watermarks>,
}

/// What a poll came to.
enum Polled {
    Record(u64, Record),
    Nothing,
    Stale,
    Fatal,
    Displaced,
}

/// Why a consumer reads no more.
enum Last {
    Closed,
    Failed,
    Displaced,
}

impl Pump {
    /// Reads until the inbox is closed. A fatal error ends a consumer, and so does a fold that wants
    /// to rest; the next begins afresh, unless another process has taken this one's place: two would
    /// displace each other for ever.
    pub(super) fn run(&self) {
        loop {
            if self.inbox.resting() {
                if self.inbox.closed(REST) {
                    return;
                }
                continue;
            }
            match self.join() {
                Ok(consumer) => {
                    let last = self.read(&consumer);
                    let context = consumer.context();
                    let given = context.parts().given.iter().copied().collect();
                    context.give_up(given);
                    let_be_alone(&consumer);
                    if let Last::Displaced = last {
                        let member = self.settings.member.clone().unwrap_or_default();
                        self.inbox.failed(ReadError::Displaced { member });
                        return;
                    }
                }
                Err(error) => self.inbox.failed(unavailable(&self.settings.topic, &error)),
            }
            if self.inbox.closed(REST) {
                return;
            }
            if !self.inbox.resting() {
                tracing::warn!("the consumer is made anew");
            }
        }
    }

    fn join(&self) -> KafkaResult<Arc<BaseConsumer<Member>>> {
        let topic = &self.settings.topic;
        let context = Member::new(self.inbox.clone(), self.tenure.clone(), topic);
        let consumer = made::<_, BaseConsumer<Member>>(&member(&self.settings), context)?;
        consumer.subscribe(&[topic])?;
        let (inbox, tenure) = (self.inbox.clone(), self.tenure.clone());
        let consumer = Arc::new(consumer);
        Confirming::new(&self.settings, inbox, tenure).start(Arc::downgrade(&consumer));
        Ok(consumer)
    }

    /// Reads until the inbox is closed, the fold wants to rest, or the consumer is done for.
    fn read(&self, consumer: &BaseConsumer<Member>) -> Last {
        while !self.inbox.closed(Duration::ZERO) && !self.inbox.resting() {
            // Heard by whoever asks whether this still is a member, or by the client itself.
            if consumer.context().is_fenced() || is_fenced(consumer) {
                return Last::Displaced;
            }
            if consumer.context().is_stranded() {
                tracing::error!("the consumer has lost all brokers");
                return Last::Failed;
            }
            self.start(consumer);
            let mut records = Vec::new();
            let mut wait = POLL;
            while records.len() < MOST {
                match self.poll(consumer, wait) {
                    Polled::Record(number, record) => records.push((number, record)),
                    Polled::Stale => {}
                    Polled::Nothing => break,
                    Polled::Fatal => return Last::Failed,
                    Polled::Displaced => return Last::Displaced,
                }
                wait = Duration::ZERO;
            }
            if !records.is_empty() {
                self.inbox.push(records);
                self.wait_for_room(consumer);
            }
        }
        Last::Closed
    }

    fn poll(&self, consumer: &BaseConsumer<Member>, wait: Duration) -> Polled {
        let message = match consumer.poll(wait) {
            None => return Polled::Nothing,
            Some(Ok(message)) => message,
            Some(Err(error)) => return self.fail(consumer, &error),
        };
        let Some(record) = record_of(&message) else { return Polled::Stale };
        let mut parts = consumer.context().parts();
        match parts.reading.get_mut(&record.partition) {
            Some(reading) if record.offset >= reading.next => {
                reading.next = record.offset + 1;
                Polled::Record(reading.number, record)
            }
            Some(_) | None => Polled::Stale,
        }
    }

    fn fail(&self, consumer: &BaseConsumer<Member>, error: &KafkaError) -> Polled {
        let topic = &self.settings.topic;
        match Trouble::of(error) {
            Trouble::Passing => tracing::debug!(%error, "kafka client"),
            Trouble::Lasting => {
                let refusal = consumer.context().refusal();
                self.inbox.failed(refusal.map_or_else(
                    || unavailable(topic, error),
                    |refusal| ReadError::Unavailable {
                        what: format!("the topic {topic}"),
                        why: refusal.to_string(),
                    },
                ));
            }
            Trouble::Position => {
                let parts = consumer.context().parts();
                let positions: Vec<_> =
                    parts.reading.iter().map(|(partition, one)| (*partition, one.next)).collect();
                drop(parts);
                let named = self.watermarks.check(&positions).err();
                self.inbox.failed(named.unwrap_or_else(|| unavailable(topic, error)));
            }
            Trouble::Fatal if is_displaced(consumer, error) => return Polled::Displaced,
            Trouble::Fatal => {
                self.inbox.failed(unavailable(topic, error));
                return Polled::Fatal;
            }
        }
        Polled::Nothing
    }

    /// Assigns what the fold has said where to begin. What was being read begins again.
    fn start(&self, consumer: &BaseConsumer<Member>) {
        let mut starts = self.inbox.starts();
        if starts.is_empty() {
            return;
        }
        let mut parts = consumer.context().parts();
        starts.retain(|partition, _| parts.given.contains(partition));
        let again: Vec<(u16, u64)> = starts
            .keys()
            .filter_map(|partition| Some((*partition, parts.reading.remove(partition)?.next)))
            .collect();
        for (partition, Start { position, number }) in &starts {
            let (number, position) = (*number, *position);
            let reading = Reading { number, next: position, folded: position };
            parts.reading.insert(*partition, reading);
        }
        drop(parts);
        let topic = &self.settings.topic;
        let positions: Vec<_> =
            starts.iter().map(|(partition, start)| (*partition, start.position)).collect();
        let assigned = if again.is_empty() {
            Ok(())
        } else {
            consumer.incremental_unassign(&at_offsets(topic, &again))
        };
        let assigned =
            assigned.and_then(|()| consumer.incremental_assign(&at_offsets(topic, &positions)));
        if let Err(error) = assigned {
            self.inbox.failed(unavailable(topic, &error));
        }
    }

    /// Waits until the fold has taken enough. After a while the partitions are paused, so that
    /// polls bring no records and the group is heard all the same.
    fn wait_for_room(&self, consumer: &BaseConsumer<Member>) {
        if self.inbox.room(FULL_PATIENCE) {
            return;
        }
        tracing::debug!("the fold is slow; reading is paused");
        while !self.inbox.room(Duration::ZERO) && !self.inbox.resting() {
            self.start(consumer);
            tell(consumer.pause(&self.reading(consumer)));
            match self.poll(consumer, POLL) {
                Polled::Record(number, record) => self.inbox.push([(number, record)]),
                Polled::Nothing | Polled::Stale => {}
                // The next poll says so again.
                Polled::Fatal | Polled::Displaced => break,
            }
        }
        tell(consumer.resume(&self.reading(consumer)));
    }

    fn reading(&self, consumer: &BaseConsumer<Member>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in consumer.context().parts().reading.keys() {
            list.add_partition(&self.settings.topic, i32::from(*partition));
        }
        list
    }
}

/// Waits a moment until nobody else uses the consumer, so that it leaves the group when it is dropped.
fn let_be_alone(consumer: &Arc<BaseConsumer<Member>>) {
    let begun = Instant::now();
    while Arc::strong_count(consumer) > 1 && begun.elapsed() < LAST_ANSWER {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a fatal error means that another member of the group bears this one's name.
fn is_displaced(consumer: &BaseConsumer<Member>, error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::FencedInstanceId) || is_fenced(consumer)
}

/// Whether the client met that as a fatal error.
fn is_fenced(consumer: &BaseConsumer<Member>) -> bool {
    let cause = consumer.client().fatal_error().map(|(code, _)| code);
    cause == Some(RDKafkaErrorCode::FencedInstanceId)
}

fn tell(result: KafkaResult<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "kafka client");
    }
}
