//! What a receiver of the distributed shape appends to: Kafka, and the spool where there is one.

use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ::ingest::dead_letter::{LetterLog, Sealed};
use ::ingest::kafka::KafkaLog;
use ::ingest::receiver::EventLog;
use ::ingest::spool::{Begin, LogSeries, Spool, SpoolOptions, SpooledLog};
use anyhow::Context as _;
use common::config::Config;
use common::log::AppendError;
use futures_util::future::BoxFuture;
use prometheus::Registry;

use crate::node::clock;
use crate::node::distributed::{Refusal, accept_topics, kafka_log};
use crate::node::layout::Layout;
use crate::output::chain;

/// How long a question about readiness waits for Kafka, where everything depends on it.
const ASK: Duration = Duration::from_secs(2);
/// The same where the spool takes over: whoever asks for readiness often waits for a second only.
const ASK_BRIEFLY: Duration = Duration::from_millis(800);
/// How often a Kafka that did not answer at the start is asked for its topics.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Kafka and the spool of a process. Clones share them.
#[derive(Clone)]
pub(super) struct Door {
    kafka: KafkaLog,
    /// `Err` says why there is none.
    spooled: Result<SpooledLog, String>,
    series: LogSeries,
    /// Why the topics are not accepted; nothing is sent to Kafka as long as there is a reason.
    topics: Arc<Mutex<Option<String>>>,
    closed: Arc<AtomicBool>,
}

impl Door {
    /// Opens both. Kafka must answer that its topics are safe; where it does not answer at all, a
    /// spool that works lets the start go on, and the question is asked again later.
    pub(super) fn open(config: &Config, registry: &Registry) -> anyhow::Result<Self> {
        let series = LogSeries::register(registry)?;
        let kafka = kafka_log(config, series.of("kafka"))?;
        let spool = open_spool(config, &series);
        let works = |spool: &Spool| matches!(spool.trouble(), None | Some(AppendError::Full(_)));
        let mut unknown = None;
        match accept_topics(config, &kafka) {
            Ok(()) => {}
            Err(Refusal::Silent(error)) if spool.as_ref().is_ok_and(works) => {
                let why = chain(error.as_ref());
                tracing::warn!(why, "Kafka does not answer: events go to the spool");
                unknown = Some(why);
            }
            Err(Refusal::Silent(error) | Refusal::Unfit(error)) => return Err(error),
        }
        let begin = if unknown.is_some() { Begin::Held } else { Begin::Open };
        let spooled = match spool {
            Ok(spool) => {
                let (kafka, spool) = (Arc::new(kafka.clone()), Arc::new(spool));
                let spooled = SpooledLog::start(kafka, config.log.partitions, spool, begin);
                Ok(spooled.context("cannot drain the spool")?)
            }
            Err(why) => Err(why),
        };
        let (topics, closed) = (Arc::new(Mutex::new(unknown)), Arc::default());
        let door = Self { kafka, spooled, series, topics, closed };
        if begin == Begin::Held {
            door.clone().accept_later(config.clone())?;
        }
        Ok(door)
    }

    /// What the receiver appends to.
    pub(super) fn log(&self) -> Arc<dyn EventLog> {
        match &self.spooled {
            Ok(spooled) => Arc::new(spooled.clone()),
            Err(_) => Arc::new(self.kafka.clone()),
        }
    }

    /// Whether a webhook would be taken now, and what people should know. It blocks.
    pub(super) fn ready(&self) -> (bool, Vec<String>) {
        let unaccepted = self.topics.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut warnings: Vec<String> = unaccepted.into_iter().collect();
        let spooled = match &self.spooled {
            Ok(spooled) => spooled,
            Err(why) => {
                warnings.push(format!("there is no spool: {why}"));
                let asked = self.kafka.ask(ASK);
                warnings.extend(asked.as_ref().err().map(ToString::to_string));
                return (asked.is_ok(), warnings);
            }
        };
        let waiting = spooled.spool().waiting();
        let asked = if spooled.asks_kafka() {
            self.kafka.ask(ASK_BRIEFLY).map_err(|error| error.to_string())
        } else {
            Err("Kafka takes no events".to_owned())
        };
        if let Err(why) = &asked {
            warnings.push(format!("{why}; in the spool wait {}", waiting.records));
        }
        let trouble = spooled.spool().trouble();
        if let Some(why) = &trouble {
            warnings.push(format!("the spool takes no events: {}", chain(why)));
        }
        if waiting.corrupt_records > 0 {
            let lost = waiting.corrupt_records;
            warnings.push(format!("{lost} records of the spool were damaged on the disk"));
        }
        (asked.is_ok() || trouble.is_none(), warnings)
    }

    /// Sets the gauges of the spool.
    pub(super) fn observe(&self) {
        if let Ok(spooled) = &self.spooled {
            self.series.observe(&spooled.spool().waiting(), clock().now());
        }
    }

    /// Ends the drainer, and delivers what is on its way to Kafka. It blocks.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Ok(spooled) = &self.spooled {
            spooled.close();
        }
        self.kafka.close();
    }

    /// Asks for the topics until they are accepted, on a thread that nobody waits for.
    fn accept_later(self, config: Config) -> anyhow::Result<()> {
        let ask = move || {
            while !self.closed.load(Ordering::Acquire) {
                let accepted = accept_topics(&config, &self.kafka);
                if self.note(accepted) {
                    return;
                }
                thread::sleep(ASK_AGAIN);
            }
        };
        thread::Builder::new().name("kafka-topics".into()).spawn(ask)?;
        Ok(())
    }

    /// Notes what Kafka said of its topics; whether nothing is left to ask.
    fn note(&self, accepted: Result<(), Refusal>) -> bool {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let why = match accepted {
            Ok(()) => {
                *topics = None;
                tracing::info!("Kafka answers and its topics are safe");
                if let Ok(spooled) = &self.spooled {
                    spooled.release();
                }
                return true;
            }
            Err(Refusal::Silent(error)) => chain(error.as_ref()),
            Err(Refusal::Unfit(error)) => {
                let why = chain(error.as_ref());
                if topics.as_ref() != Some(&why) {
                    tracing::error!(why, "events stay in the spool until this is mended");
                }
                why
            }
        };
        *topics = Some(why);
        false
    }
}

impl LetterLog for Door {
    /// A letter has a directory to wait in, so Kafka is not asked while it is known to be down.
    fn append_letter(&self, letter: &Sealed) -> BoxFuture<'_, Result<(), AppendError>> {
        if self.spooled.as_ref().is_ok_and(|spooled| !spooled.asks_kafka()) {
            let why = "Kafka takes no events".to_owned();
            return Box::pin(ready(Err(AppendError::Unavailable { why })));
        }
        self.kafka.append_letter(letter)
    }
}

/// Opens the spool, or says why there is none.
fn open_spool(config: &Config, series: &LogSeries) -> Result<Spool, String> {
    let (limit, segment) = (config.spool.max_bytes, config.log.segment_bytes);
    let options = SpoolOptions::new(limit, segment, series.of("spool"));
    let opened = Spool::open(&Layout::new(&config.data.dir).spool(), options);
    opened.map_err(|error| {
        let why = chain(&error);
        tracing::error!(why, "there is no spool: while Kafka is down, webhooks are refused");
        why
    })
}
