//! What a member of the group does when the group changes.
//!
//! librdkafka waits for an answer to each change: `incremental_assign` or `incremental_unassign`. The
//! answer to a gift is an empty list, as nothing is to be read before the fold has said where to
//! begin; the partition is assigned when it does, together with its start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::refusal::{Refusal, Refusals};
use common::stranded::Stranded;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::client::{hear, tell};
use super::inbox::Inbox;
use crate::tenure::Tenure;

/// How long a change of the group waits for this member's fold.
const PATIENCE: Duration = Duration::from_secs(1);

/// A partition that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The start that its records belong to.
    pub(super) number: u64,
    /// The offset wanted next.
    pub(super) next: u64,
    /// How far the fold is.
    pub(super) folded: u64,
}

/// What the group has given, and what of it is being read.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) given: BTreeSet<u16>,
    pub(super) reading: BTreeMap<u16, Reading>,
}

/// The context of a group's member.
pub(super) struct Member {
    inbox: Arc<Inbox>,
    tenure: Arc<Tenure>,
    topic: String,
    refusals: Refusals,
    stranded: Stranded,
    fenced: AtomicBool,
    parts: Mutex<Parts>,
}

impl Member {
    pub(super) fn new(inbox: Arc<Inbox>, tenure: Arc<Tenure>, topic: &str) -> Self {
        let (refusals, stranded, fenced, parts) = Default::default();
        Self { inbox, tenure, topic: topic.to_owned(), refusals, stranded, fenced, parts }
    }

    /// The coordinator says that another process bears this member's name by now.
    pub(super) fn fence(&self) {
        self.fenced.store(true, Ordering::Release);
    }

    /// Whether another process was said to bear this member's name.
    pub(super) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    /// Whether the client has lost all brokers.
    pub(super) fn is_stranded(&self) -> bool {
        self.stranded.has_no_brokers()
    }

    /// Why a broker would not let this member in, if one did not.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusals.last()
    }

    pub(super) fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the fold that it has none of `partitions` any more; returns which were being read.
    pub(super) fn give_up(&self, partitions: Vec<u16>) -> Vec<u16> {
        // Before the fold hears of it, which may be busy for a while.
        self.tenure.take_back(&partitions);
        let mut parts = self.parts();
        let read = partitions.iter().copied().filter(|one| parts.reading.remove(one).is_some());
        let read = read.collect();
        parts.given.retain(|one| !partitions.contains(one));
        // Not held while the fold is waited for.
        drop(parts);
        if !partitions.is_empty() {
            self.inbox.revoked(partitions, PATIENCE);
        }
        read
    }

    fn list(&self, partitions: &[u16]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, i32::from(*partition));
        }
        list
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tell(&self.refusals, level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        hear(&self.refusals, &error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.stranded.read_statistics(statistics);
    }
}

impl ConsumerContext for Member {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        change: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let elements = list.elements();
        let named: Vec<u16> =
            elements.iter().filter_map(|one| u16::try_from(one.partition()).ok()).collect();
        if change == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            tracing::info!(partitions = ?named, "the group gave partitions");
            let answered = consumer.incremental_assign(&TopicPartitionList::new());
            tell_failure(answered, "accept partitions");
            self.parts().given.extend(&named);
            self.tenure.give(&named);
            if !named.is_empty() {
                self.inbox.assigned(named);
            }
        } else {
            tracing::info!(partitions = ?named, "the group takes partitions back");
            let read = self.give_up(named);
            // While the consumer goes, only taking away everything is allowed.
            let answered =
                consumer.incremental_unassign(&self.list(&read)).or_else(|_| consumer.unassign());
            tell_failure(answered, "give partitions back");
        }
    }
}

fn tell_failure(answered: KafkaResult<()>, what: &str) {
    if let Err(error) = answered {
        tracing::warn!(%error, "the consumer could not {what}");
    }
}
