//! The dead letters of the distributed shape: those in Kafka's topic, and those that still wait in the
//! directory of a receiver on this machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use common::config::{Config, PseudonymKey};
use common::log::NoMetrics;
use common::shop::ShopDomain;
use ingest::dead_letter::{DEFAULT_LIMIT_BYTES, DeadLetter, DeadLetterDir, LetterId, Summary};
use ingest::kafka::{KafkaLog, LetterTopic};

use super::{Letters, Retry, RetryFailure, listed, receiver, translate_anew};
use crate::node::distributed::{Refusal, accept_topics, kafka_log};
use crate::node::layout::Layout;

/// The letters in Kafka and in a directory beside it.
pub struct KafkaLetters {
    topic: LetterTopic,
    directory: DeadLetterDir,
    config: Config,
    key: PseudonymKey,
}

impl KafkaLetters {
    /// Makes the client. Nobody is asked yet.
    pub fn open(config: Config) -> anyhow::Result<Self> {
        if config.privacy.pseudonym_key.is_none() {
            bail!("privacy.pseudonym_key is not configured: dead letters are sealed under it");
        }
        let key = PseudonymKey::load_or_create(&config)?;
        let kafka = config.kafka.as_ref().context("kafka.brokers is not configured")?;
        let topic = LetterTopic::new(kafka, config.log.partitions)?;
        let path = Layout::new(&config.data.dir).dead_letters();
        let directory = DeadLetterDir::open_beside(&path, key.expose(), DEFAULT_LIMIT_BYTES)?;
        Ok(Self { topic, directory, config, key })
    }

    /// All of them, the oldest first.
    pub fn list(&self) -> anyhow::Result<Letters> {
        let look = |id: &LetterId, bytes: &[u8]| Summary {
            id: id.clone(),
            envelope: self.directory.unseal(id, bytes).map(|letter| letter.envelope),
            size_bytes: bytes.len() as u64,
        };
        let mut all: BTreeMap<LetterId, Summary> = self.topic.list(look)?;
        all.extend(self.directory.list()?.into_iter().map(|summary| (summary.id.clone(), summary)));
        Ok(listed(all.into_values().collect()))
    }

    /// One of them; `None` if there is none of that id.
    pub fn find(&self, id: &LetterId) -> anyhow::Result<Option<DeadLetter>> {
        if let Some(letter) = self.directory.show(id)? {
            return Ok(Some(letter));
        }
        let Some(bytes) = self.topic.get(id)? else { return Ok(None) };
        let letter = self.directory.unseal(id, &bytes).with_context(|| {
            format!("the dead letter {id} was sealed with another pseudonym key, or damaged")
        })?;
        Ok(Some(letter))
    }

    /// Translates some anew, appends their events to Kafka, and removes those that are done.
    pub fn retry(
        &self,
        ids: &[LetterId],
        shop: Option<&ShopDomain>,
    ) -> anyhow::Result<Vec<anyhow::Result<Retry>>> {
        let log = kafka_log(&self.config, Arc::new(NoMetrics))?;
        match accept_topics(&self.config, &log) {
            Ok(()) => {}
            Err(Refusal::Silent(error) | Refusal::Unfit(error)) => return Err(error),
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let retry = |id| runtime.block_on(self.retry_one(&log, id, shop));
        let retried = ids.iter().map(retry).collect();
        log.close();
        Ok(retried)
    }

    async fn retry_one(
        &self,
        log: &KafkaLog,
        id: &LetterId,
        shop: Option<&ShopDomain>,
    ) -> anyhow::Result<Retry> {
        let letter = self.find(id)?.ok_or(RetryFailure::Unknown)?;
        let events = Arc::new(log.clone());
        let receiver = receiver(&self.config, &self.key, &self.directory, events)?;
        let retried = translate_anew(&receiver, id, &letter, shop).await?;
        if retried.done {
            // First where it could be forwarded from.
            self.directory.remove(id)?;
            log.remove_letter(id).await.context("the letter could not be removed from Kafka")?;
        }
        Ok(retried)
    }
}
