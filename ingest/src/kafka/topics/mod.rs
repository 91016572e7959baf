//! The topics: what is, what should be, and making it so.

mod difference;

use std::collections::BTreeMap;
use std::time::Duration;

use common::config;
use common::refusal::{Refusal, Refusals, Unanswered};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use thiserror::Error;

pub use difference::{Aspect, Difference, Remedy};
use difference::{Found, Wanted, differences, unsafe_of};

use super::settings::{Logged, base, made};

/// How long the brokers may take to answer, unless somebody has less time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at the topics and makes them.
pub struct Topics {
    admin: AdminClient<Logged>,
    /// Asks for what is there. Unlike the admin client it hears why a broker would not have us.
    asking: BaseConsumer<Logged>,
    refusals: Refusals,
    kafka: config::Kafka,
    partitions: u16,
    names: Vec<String>,
    patience: Duration,
}

/// Why the topics could not be looked at, made or accepted.
#[derive(Debug, Error)]
pub enum TopicsError {
    /// The client could not be made.
    #[error("cannot make a client for Kafka; check kafka.brokers")]
    Client(#[source] KafkaError),
    /// The brokers would not let us in.
    #[error(transparent)]
    NotLetIn(Refusal),
    /// The brokers did not answer.
    #[error("Kafka did not {what}; check that kafka.brokers can be reached")]
    Unreachable {
        /// What was asked.
        what: &'static str,
        /// What the client said.
        source: KafkaError,
    },
    /// The brokers refused.
    #[error("Kafka did not {what} {topic}: {code}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The topic.
        topic: String,
        /// What they said.
        code: RDKafkaErrorCode,
    },
    /// Something is not as it should be.
    #[error("the topics are not as they should be: {}", listed(.0))]
    Differ(Vec<Difference>),
}

impl Topics {
    /// For the topics of a configuration. Nobody is asked yet.
    pub fn new(kafka: &config::Kafka, partitions: u16) -> Result<Self, TopicsError> {
        let names = [common::topic::EVENTS, common::topic::DEAD_LETTERS].map(str::to_owned);
        let (client, refusals) = (base(kafka), Refusals::default());
        let admin = made(&client, &Logged::default()).map_err(TopicsError::Client)?;
        let asking = made(&client, &Logged::new(&refusals)).map_err(TopicsError::Client)?;
        let kafka = kafka.clone();
        let (names, patience) = (names.into(), PATIENCE);
        Ok(Self { admin, asking, refusals, kafka, partitions, names, patience })
    }

    /// What brokers and topics there are. It blocks, for the time of one answer; only commands and a
    /// start ask.
    fn metadata(&self, what: &'static str) -> Result<Metadata, TopicsError> {
        let answer = self.refusals.ask(self.patience, |wait| {
            let answer = self.asking.fetch_metadata(None, wait);
            // Takes errors and log lines off the client's queue.
            while self.asking.poll(Duration::ZERO).is_some() {}
            answer
        });
        answer.map_err(|unanswered| match unanswered {
            Unanswered::Refused(refusal) => TopicsError::NotLetIn(refusal),
            Unanswered::Failed(source) => TopicsError::Unreachable { what, source },
        })
    }

    /// Waits for the brokers' list of topics no longer than that.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// What differs from what should be, topic after topic.
    pub async fn plan(&self) -> Result<Vec<Difference>, TopicsError> {
        let mut all = Vec::new();
        for (wanted, found) in self.look().await? {
            all.extend(differences(&wanted, found.as_ref()));
        }
        Ok(all)
    }

    /// Changes what can be changed; returns what still differs.
    pub async fn apply(&self) -> Result<Vec<Difference>, TopicsError> {
        for (wanted, found) in self.look().await? {
            let differing = differences(&wanted, found.as_ref());
            match found {
                None => self.create(&wanted).await?,
                Some(found) if differing.iter().any(|one| one.remedy == Remedy::Apply) => {
                    self.alter(&wanted, &found).await?;
                }
                Some(_) => {}
            }
        }
        // Brokers hear of a change one by one, and any of them may be asked.
        let mut left = self.plan().await?;
        for _ in 0..50 {
            if left.iter().all(|one| one.remedy != Remedy::Apply) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            left = self.plan().await?;
        }
        Ok(left)
    }

    /// Refuses topics that differ in anything.
    pub async fn check(&self) -> Result<(), TopicsError> {
        let differing = self.plan().await?;
        if differing.is_empty() { Ok(()) } else { Err(TopicsError::Differ(differing)) }
    }

    /// What of the topics may lose acknowledged events, or refuse large ones; a start should be
    /// refused for any unless `kafka.allow_unsafe` is set.
    pub async fn unsafe_settings(&self) -> Result<Vec<String>, TopicsError> {
        let looked = self.look().await?;
        Ok(looked.iter().flat_map(|(wanted, found)| unsafe_of(wanted, found.as_ref())).collect())
    }

    /// Each topic as it should be, and as it is if it exists.
    async fn look(&self) -> Result<Vec<(Wanted, Option<Found>)>, TopicsError> {
        let metadata = self.metadata("list its topics")?;
        let brokers = metadata.brokers().len();
        let mut all = Vec::new();
        for name in &self.names {
            let wanted = Wanted::of(name, &self.kafka, self.partitions, brokers);
            let topic = metadata.topics().iter().find(|topic| topic.name() == name);
            let found = match topic {
                None => None,
                Some(topic) => Some(Found {
                    partitions: topic.partitions().len(),
                    replication: topic.partitions().iter().map(|one| one.replicas().len()).min(),
                    settings: self.settings(name).await?,
                }),
            };
            all.push((wanted, found));
        }
        Ok(all)
    }

    /// A topic's settings: the value, and whether the topic has it of its own.
    async fn settings(&self, name: &str) -> Result<BTreeMap<String, (String, bool)>, TopicsError> {
        let what = "describe a topic";
        let topic = ResourceSpecifier::Topic(name);
        let described = self.admin.describe_configs([&topic], &options()).await;
        let described =
            described.map_err(|source| TopicsError::Unreachable { what, source })?.pop();
        let refused = |code| TopicsError::Refused { what, topic: name.to_owned(), code };
        let resource = match described {
            Some(resource) => resource.map_err(refused)?,
            None => return Ok(BTreeMap::new()),
        };
        let entries = resource.entries.into_iter().filter_map(|entry| {
            let own = entry.source == ConfigSource::DynamicTopic;
            entry.value.map(|value| (entry.name, (value, own)))
        });
        Ok(entries.collect())
    }

    async fn create(&self, wanted: &Wanted) -> Result<(), TopicsError> {
        let what = "create the topic";
        let replication = TopicReplication::Fixed(i32::from(wanted.replication));
        let mut topic = NewTopic::new(&wanted.name, i32::from(wanted.partitions), replication);
        for (key, value) in &wanted.settings {
            topic = topic.set(key, value);
        }
        let created = self.admin.create_topics([&topic], &options()).await;
        let created = created.map_err(|source| TopicsError::Unreachable { what, source })?;
        for one in created {
            if let Err((topic, code)) = one
                && code != RDKafkaErrorCode::TopicAlreadyExists
            {
                return Err(TopicsError::Refused { what, topic, code });
            }
        }
        self.wait_for(&wanted.name).await
    }

    /// Waits until brokers tell of a topic that was just made: they learn of it one by one.
    async fn wait_for(&self, name: &str) -> Result<(), TopicsError> {
        let what = "make the topic known";
        for _ in 0..100 {
            let metadata = self.metadata(what)?;
            if metadata.topics().iter().any(|topic| topic.name() == name) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let code = RDKafkaErrorCode::UnknownTopicOrPartition;
        Err(TopicsError::Refused { what, topic: name.to_owned(), code })
    }

    /// Sets what differs. The request replaces all settings that the topic has of its own, so
    /// those are sent along; what it refuses shows in the next plan.
    async fn alter(&self, wanted: &Wanted, found: &Found) -> Result<(), TopicsError> {
        let what = "change a topic";
        let mut config = AlterConfig::new(ResourceSpecifier::Topic(&wanted.name));
        for (key, (value, own)) in &found.settings {
            if *own {
                config = config.set(key, value);
            }
        }
        for one in differences(wanted, Some(found)) {
            if let (Aspect::Setting(key), Remedy::Apply) = (one.aspect, one.remedy)
                && let Some((_, value)) = wanted.settings.iter().find(|(name, _)| *name == key)
            {
                config = config.set(key, value);
            }
        }
        let altered = self.admin.alter_configs([&config], &options()).await;
        let altered = altered.map_err(|source| TopicsError::Unreachable { what, source })?;
        for one in altered {
            if let Err((_, code)) = one {
                let topic = wanted.name.clone();
                return Err(TopicsError::Refused { what, topic, code });
            }
        }
        Ok(())
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

fn listed(differences: &[Difference]) -> String {
    let texts: Vec<String> = differences.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
