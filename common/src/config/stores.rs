//! `[data]`, `[log]`, `[kafka]` and `[redis]`: where events and state are kept.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Needs;
use super::error::{ConfigError, Problem};
use super::key::Key;
use super::parse;
use super::reader::Reader;
use super::secret::{Secret, masked};

/// `[data]`.
#[derive(Clone, Debug)]
pub struct Data {
    /// `data.dir`: the directory of log, store, spool and pseudonym key. Default
    /// `./tallyhook-data`. `TALLYHOOK_DATA__DIR`, `--data-dir`.
    pub dir: PathBuf,
}

/// `[log]`.
#[derive(Clone, Debug)]
pub struct Log {
    /// `log.partitions`: fixed when the log is made. 1 to 1024, default 32.
    /// `TALLYHOOK_LOG__PARTITIONS`.
    pub partitions: u16,
    /// `log.segment_bytes`: size of a file of the embedded log and the spool. 65536 to 4294967296
    /// (4 GiB), default 67108864. `TALLYHOOK_LOG__SEGMENT_BYTES`.
    pub segment_bytes: u64,
}

/// `[kafka]`: the log of the distributed shape.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// `kafka.brokers`: HOST:PORT of at least one. Default `["127.0.0.1:9092"]`.
    /// `TALLYHOOK_KAFKA__BROKERS=a:9092,b:9092`.
    pub brokers: Vec<String>,
    /// `kafka.replication`: copies of each partition that `topics` makes. 1 to 100, default 3.
    /// `TALLYHOOK_KAFKA__REPLICATION`.
    pub replication: u16,
    /// `kafka.allow_unsafe`: start although the topics may lose acknowledged events. Default
    /// `false`. `TALLYHOOK_KAFKA__ALLOW_UNSAFE`.
    pub allow_unsafe: bool,
    /// `kafka.session_timeout_ms`: how long an `aggregate` that is not heard of keeps its partitions.
    /// Shorter: a killed one is replaced sooner. Longer: a short outage of Kafka moves nothing. 6000
    /// to 1800000, which is what brokers allow unless told otherwise; default 10000.
    /// `TALLYHOOK_KAFKA__SESSION_TIMEOUT_MS`.
    pub session_timeout: Duration,
}

/// `[redis]`: the state of the distributed shape.
#[derive(Clone, Debug)]
pub struct Redis {
    /// `redis.url`: also as `env:NAME` or `file:PATH`, as it may hold a password. Default
    /// `redis://127.0.0.1:6379`. `TALLYHOOK_REDIS__URL`.
    pub url: RedisUrl,
}

/// An address of Redis; `Debug` and `Display` leave out user, password and query.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The whole address. Keep it out of messages.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn parse(secret: &Secret) -> Result<Self, Problem> {
        let allowed = "use redis://HOST:PORT or rediss://HOST:PORT";
        let text =
            std::str::from_utf8(secret.expose()).map_err(|_| Problem::new("not UTF-8", allowed))?;
        let rest = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.contains(char::is_whitespace)) {
            return Err(Problem::new("not an address of Redis", allowed));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl Data {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ConfigError> {
        Ok(Self { dir: reader.required(&Key::dotted("data.dir"), parse::path)? })
    }
}

impl Log {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            partitions: reader.number(&Key::dotted("log.partitions"), 1, 1024)?,
            segment_bytes: reader.number(&Key::dotted("log.segment_bytes"), 65_536, 4 << 30)?,
        })
    }
}

impl Kafka {
    /// `None` where neither a layer nor the command asks for Kafka.
    pub(super) fn read(reader: &mut Reader<'_>, needs: Needs) -> Result<Option<Self>, ConfigError> {
        if !reader.has("kafka") && !needs.kafka() {
            return Ok(None);
        }
        Ok(Some(Self {
            brokers: reader.list(&Key::dotted("kafka.brokers"), parse::brokers)?,
            replication: reader.number(&Key::dotted("kafka.replication"), 1, 100)?,
            allow_unsafe: reader.required(&Key::dotted("kafka.allow_unsafe"), parse::boolean)?,
            session_timeout: Duration::from_millis(reader.number(
                &Key::dotted("kafka.session_timeout_ms"),
                6_000,
                1_800_000,
            )?),
        }))
    }
}

impl Redis {
    /// `None` where neither a layer nor the command asks for Redis.
    pub(super) fn read(reader: &mut Reader<'_>, needs: Needs) -> Result<Option<Self>, ConfigError> {
        if !reader.has("redis") && !needs.redis() {
            return Ok(None);
        }
        let key = Key::dotted("redis.url");
        let Some(secret) = reader.secrets(&key)?.pop() else {
            return Err(reader.missing(&key, "use redis://HOST:PORT"));
        };
        let url = RedisUrl::parse(&secret).map_err(|problem| ConfigError::Secret {
            key: key.to_string(),
            place: reader.place(&key).to_string(),
            reference: secret.reference().to_string(),
            problem: problem.what.into_owned(),
            allowed: problem.allowed,
        })?;
        Ok(Some(Self { url }))
    }
}
