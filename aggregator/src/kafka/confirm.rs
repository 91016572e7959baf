//! Asks the group's coordinator again and again whether this process still is a member.
//!
//! The question is a commit of how far the fold is. Nothing reads that back, but the coordinator takes
//! it from a member only, and begins the member's session anew when it does. It is asked on a thread of
//! its own, as the client tells of the answer only to whoever waits for it.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::ConsumerSettings;
use super::client::at_offsets;
use super::context::Member;
use super::inbox::Inbox;
use crate::tenure::Tenure;

/// Some times in the shortest session, 6 s, and soon after a first gift of the group.
const EVERY: Duration = Duration::from_millis(500);
/// How much earlier than its session a member ceases to tell: what it is asked for takes a moment.
const MARGIN: Duration = Duration::from_millis(500);

/// What the questions need.
pub(super) struct Confirming {
    topic: String,
    /// For how long the coordinator takes this process for a member once it was asked.
    session: Duration,
    inbox: Arc<Inbox>,
    tenure: Arc<Tenure>,
}

impl Confirming {
    pub(super) fn new(settings: &ConsumerSettings, inbox: Arc<Inbox>, tenure: Arc<Tenure>) -> Self {
        let session = settings.session_timeout.saturating_sub(MARGIN);
        Self { topic: settings.topic.clone(), session, inbox, tenure }
    }

    /// Asks until the consumer is gone.
    pub(super) fn start(self, consumer: Weak<BaseConsumer<Member>>) {
        let thread = thread::Builder::new().name("kafka-confirm".into());
        let spawned = thread.spawn(move || {
            while let Some(consumer) = consumer.upgrade() {
                self.ask(&consumer);
                drop(consumer);
                thread::sleep(EVERY);
            }
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread to confirm the membership; no shop is shown");
        }
    }

    fn ask(&self, consumer: &BaseConsumer<Member>) {
        let folded = self.inbox.folded();
        let mut parts = consumer.context().parts();
        for (partition, reading) in &mut parts.reading {
            reading.folded = folded.get(partition).copied().unwrap_or(reading.folded);
        }
        let reading = parts.reading.iter();
        let ours: Vec<(u16, u64)> = reading.map(|(one, reading)| (*one, reading.folded)).collect();
        // Not held while the coordinator is waited for.
        drop(parts);
        if ours.is_empty() {
            return;
        }
        let asked = Instant::now();
        match consumer.commit(&at_offsets(&self.topic, &ours), CommitMode::Sync) {
            // An empty group takes a commit from anybody.
            Ok(()) if consumer.assignment_lost() => self.tenure.end(),
            Ok(()) => self.tenure.confirm(asked + self.session),
            Err(error) => {
                if is_no_member(&error) {
                    self.tenure.end();
                }
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::FencedInstanceId) {
                    consumer.context().fence();
                }
                tracing::debug!(%error, "the group's offsets were not committed");
            }
        }
    }
}

/// Whether the coordinator says that this process is no member, or one of an earlier time.
fn is_no_member(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let codes =
        [Code::UnknownMemberId, Code::IllegalGeneration, Code::FencedInstanceId, Code::Fenced];
    error.rdkafka_error_code().is_some_and(|code| codes.contains(&code))
}
