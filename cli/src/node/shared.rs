//! Kafka and Redis as commands use them: all of the log, and the state that the processes share.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use aggregator::fold::shop::ShopSettings;
use aggregator::kafka::KafkaTail;
use aggregator::progress::Progress;
use aggregator::query::{Parts, Query};
use aggregator::redis::{RedisStore, States};
use aggregator::run::positions;
use aggregator::views::Views;
use common::config::{Config, ConfigError, PseudonymKey};
use common::customer::Pseudonymizer;
use common::log::Subscribe as _;
use common::store::{Manifest, UNFINISHED};

use super::distributed::{kafka_tail, redis_states};
use super::layout::Layout;
use super::{clock, state};
use crate::output::Output;
use crate::remote::Remote;

/// How long a command waits for the folds to come to the end that the log had when it began.
const LONGEST_LAG: Duration = Duration::from_mins(1);
/// How long it waits for folds that do nothing.
const IDLE: Duration = Duration::from_secs(10);
/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(200);

/// The log in Kafka and the states in Redis.
pub struct Shared {
    /// The configuration.
    pub config: Config,
    /// The key of all pseudonyms.
    pub key: PseudonymKey,
    /// The generations of the state.
    pub states: States,
    /// The log.
    pub tail: KafkaTail,
}

/// Whether a command works on Kafka and Redis: where both are configured, unless an instance of the
/// embedded shape has the data directory.
pub fn is_shared(config: &Config) -> bool {
    let layout = Layout::new(&config.data.dir);
    let held = || layout.instance_address().is_some() && Remote::of(config, &layout).is_alive();
    config.kafka.is_some() && config.redis.is_some() && !held()
}

/// The key that all processes share. Unlike an embedded one it is never made up.
pub fn shared_key(config: &Config) -> anyhow::Result<PseudonymKey> {
    if config.privacy.pseudonym_key.is_none() {
        return Err(ConfigError::Missing {
            key: "privacy.pseudonym_key".to_owned(),
            place: "set nowhere".to_owned(),
            allowed: "[kafka] and [redis] are configured, and all of their processes share one \
                      key: name its file, \"file:PATH\""
                .into(),
        }
        .into());
    }
    Ok(PseudonymKey::load_or_create(config)?)
}

impl Shared {
    /// Connects to both.
    pub fn connect(config: Config, output: Output) -> anyhow::Result<Self> {
        let key = shared_key(&config)?;
        let states = redis_states(&config)?;
        let tail = kafka_tail(&config)?;
        let brokers = config.kafka.as_ref().map(|kafka| kafka.brokers.join(", "));
        let brokers = brokers.unwrap_or_default();
        output.note(format_args!("using Kafka at {brokers} and {}", states.place()));
        Ok(Self { config, key, states, tail })
    }

    /// The settings that the state depends on.
    pub fn manifest(&self) -> Manifest {
        state::manifest(&self.config, &self.key)
    }

    /// The shops' settings.
    pub fn settings(&self) -> Arc<ShopSettings> {
        Arc::new(ShopSettings::new(self.config.clone()))
    }

    /// The state in use, once the folds have come to where the log ends now. Where they do not, the
    /// command says how far they are behind.
    pub fn caught_up(&self, output: Output) -> anyhow::Result<RedisStore> {
        let store = self.states.open_existing(&self.manifest())?;
        let ends = self.tail.end_positions()?;
        let (begun, mut moved) = (Instant::now(), Instant::now());
        let mut last = u64::MAX;
        loop {
            let positions = positions(&store, self.config.log.partitions)?;
            // One that is being restored stands for nothing yet.
            let at = |at: u64| if at >= UNFINISHED { 0 } else { at };
            let behind = ends.iter().zip(positions).map(|(end, is)| end.saturating_sub(at(is)));
            let behind: u64 = behind.sum();
            if behind == 0 {
                return Ok(store);
            }
            if behind != last {
                (last, moved) = (behind, Instant::now());
            }
            if moved.elapsed() > IDLE || begun.elapsed() > LONGEST_LAG {
                output.note(format_args!(
                    "the state is {behind} events behind the log; is `tallyhook aggregate` running?"
                ));
                return Ok(store);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Answers questions from a state.
    pub fn query(&self, store: RedisStore) -> Query<RedisStore> {
        Query::new(Parts {
            store: Arc::new(store),
            ends: Arc::new(self.tail.clone()),
            settings: self.settings(),
            partitions: self.config.log.partitions,
            clock: clock(),
            pseudonyms: Pseudonymizer::new(self.key.expose()),
            views: Arc::new(Views::default()),
            progress: Arc::new(Progress::new(self.config.log.partitions)),
            mode: "distributed",
        })
    }
}
