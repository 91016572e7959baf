//! `[data]`, `[log]`, `[spool]`, `[kafka]`, `[redis]` and `[snapshots]`: where events and state are kept.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Needs;
use super::error::{ConfigError, Problem};
use super::key::Key;
use super::login::{self, Login, Mechanism};
use super::parse;
use super::reader::{Reader, number};
use super::secret::{Secret, masked};
use super::tls::{Authorities, ClientCertificate, Tls, Transport};

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

/// `[spool]`: what `ingest` keeps in the data directory while Kafka is slow or down.
#[derive(Clone, Debug)]
pub struct Spool {
    /// `spool.max_bytes`: what the spool may take on the disk; beyond it webhooks are answered 503
    /// until Kafka is back. 1048576 (1 MiB) to 1125899906842624 (1 PiB), default 10737418240
    /// (10 GiB). `TALLYHOOK_SPOOL__MAX_BYTES`.
    pub max_bytes: u64,
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
    /// `kafka.allow_unsafe`: start although the topics may lose acknowledged events, or a password
    /// crosses the network in clear. Default `false`. `TALLYHOOK_KAFKA__ALLOW_UNSAFE`.
    pub allow_unsafe: bool,
    /// `kafka.session_timeout_ms`: how long an `aggregate` that is not heard of keeps its partitions.
    /// Shorter: a killed one is replaced sooner. Longer: a short outage of Kafka moves nothing. 6000
    /// to 1800000, which is what brokers allow unless told otherwise; default 10000.
    /// `TALLYHOOK_KAFKA__SESSION_TIMEOUT_MS`.
    pub session_timeout: Duration,
    /// `kafka.tls`: whether brokers are reached over TLS; a program built with `kafka-tls` can.
    /// Default `false`. `TALLYHOOK_KAFKA__TLS`.
    ///
    /// With it, each a PEM file and none by default: `kafka.tls_ca`, the authorities that may have
    /// signed the brokers' certificates (unset: the system's), `TALLYHOOK_KAFKA__TLS_CA`;
    /// `kafka.tls_cert` and `kafka.tls_key`, a certificate of ours and its private key for brokers
    /// that ask for one, `TALLYHOOK_KAFKA__TLS_CERT`, `TALLYHOOK_KAFKA__TLS_KEY`.
    pub transport: Transport,
    /// `kafka.sasl_mechanism`: `plain`, `scram-sha-256` or `scram-sha-512` for brokers that want a
    /// login; none by default. `TALLYHOOK_KAFKA__SASL_MECHANISM`. A program built with `kafka-tls`
    /// knows the latter two. `plain` without TLS is refused unless `kafka.allow_unsafe`.
    ///
    /// With it, both needed and both secrets: `kafka.sasl_username`,
    /// `TALLYHOOK_KAFKA__SASL_USERNAME`, and `kafka.sasl_password`,
    /// `TALLYHOOK_KAFKA__SASL_PASSWORD`.
    pub login: Option<Login>,
    /// A name that this member of the consumer group keeps over restarts, so that its partitions
    /// wait for it. No key of the file: the environment's variable `POD_NAME`, which Kubernetes'
    /// downward API sets; unset by default. It is never the host's name, which processes share.
    pub member: Option<String>,
    /// `kafka.retention_days`: how long Kafka keeps events, which `topics` sets. 1 to 36500; needs
    /// `snapshots.dir`, as a state can then no longer be built from the log alone. Default: for ever.
    /// `TALLYHOOK_KAFKA__RETENTION_DAYS`.
    pub retention_days: Option<u32>,
}

/// `[snapshots]`: copies of the state at a position of the log.
#[derive(Clone, Debug)]
pub struct Snapshots {
    /// `snapshots.dir`: where they are written, and where a process finds them whose state is lost and
    /// whose log no longer begins at its start; the same for all `aggregate`s. Default: none.
    /// `TALLYHOOK_SNAPSHOTS__DIR`.
    pub dir: Option<PathBuf>,
    /// `snapshots.keep`: the newest ones that `snapshot create` leaves. 1 to 10000, default 7.
    /// `TALLYHOOK_SNAPSHOTS__KEEP`.
    pub keep: usize,
}

/// `[redis]`: the state of the distributed shape.
#[derive(Clone, Debug)]
pub struct Redis {
    /// `redis.url`: also as `env:NAME` or `file:PATH`, as it may hold a password. Default
    /// `redis://127.0.0.1:6379`; `rediss://` is Redis over TLS. `TALLYHOOK_REDIS__URL`.
    pub url: RedisUrl,
    /// For `rediss://`, each a PEM file and none by default: `redis.tls_ca`, the authorities that may
    /// have signed the servers' certificates (unset: the system's), `TALLYHOOK_REDIS__TLS_CA`;
    /// `redis.tls_cert` and `redis.tls_key`, a certificate of ours and its private key for servers
    /// that ask for one, `TALLYHOOK_REDIS__TLS_CERT`, `TALLYHOOK_REDIS__TLS_KEY`.
    pub transport: Transport,
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

    fn is_tls(&self) -> bool {
        self.0.starts_with("rediss://")
    }

    fn parse(secret: &Secret) -> Result<Self, Problem> {
        let allowed = "use redis://HOST:PORT or rediss://HOST:PORT";
        let text =
            std::str::from_utf8(secret.expose()).map_err(|_| Problem::new("not UTF-8", allowed))?;
        let rest = text.strip_prefix("redis://").or_else(|| text.strip_prefix("rediss://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.contains(char::is_whitespace)) {
            return Err(Problem::new("not an address of Redis", allowed));
        }
        // Clients take `#insecure` for "check no certificate".
        if text.contains('#') {
            let allowed = "leave out # and what follows; in a password write it as %23";
            return Err(Problem::new("it holds a #", allowed));
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

impl Spool {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ConfigError> {
        Ok(Self { max_bytes: reader.number(&Key::dotted("spool.max_bytes"), 1 << 20, 1 << 50)? })
    }
}

impl Kafka {
    /// `None` where neither a layer nor the command asks for Kafka.
    pub(super) fn read(reader: &mut Reader<'_>, needs: Needs) -> Result<Option<Self>, ConfigError> {
        if !reader.has("kafka") && !needs.kafka() {
            return Ok(None);
        }
        let brokers = reader.list(&Key::dotted("kafka.brokers"), parse::brokers)?;
        let replication = reader.number(&Key::dotted("kafka.replication"), 1, 100)?;
        let allow_unsafe = reader.required(&Key::dotted("kafka.allow_unsafe"), parse::boolean)?;
        let tls = reader.required(&Key::dotted("kafka.tls"), parse::boolean)?;
        let off = (!tls).then_some("set kafka.tls = true, or leave this out");
        let transport = Transport::read(reader, "kafka", off)?;
        let login = Login::read(reader, tls || allow_unsafe)?;
        let member = login::member(reader)?;
        let session_timeout_ms =
            reader.number(&Key::dotted("kafka.session_timeout_ms"), 6_000, 1_800_000)?;
        let kafka = Self {
            brokers,
            replication,
            allow_unsafe,
            session_timeout: Duration::from_millis(session_timeout_ms),
            transport,
            login,
            member,
            retention_days: retention_days(reader)?,
        };
        if needs.kafka() {
            kafka.refuse_unbuilt(reader, cfg!(feature = "kafka-tls"))?;
        }
        Ok(Some(kafka))
    }

    /// Brokers of a cluster that is open to everybody and keeps one copy, as on a machine of one's
    /// own.
    #[must_use]
    pub fn open(brokers: Vec<String>) -> Self {
        Self {
            brokers,
            replication: 1,
            allow_unsafe: true,
            session_timeout: Duration::from_secs(10),
            transport: Transport::Plain,
            login: None,
            member: None,
            retention_days: None,
        }
    }

    /// How long every client of Kafka waits before it asks anew, in milliseconds and by librdkafka's names.
    /// By default it rests 10 s between attempts to connect, and gives a connection 30 s, its first answer
    /// 10 s and a request without a limit of its own 60 s: a broker that is back would stand idle, and one
    /// that hung has forgotten what it was asked.
    pub const CLIENT_LIMITS: [(&'static str, &'static str); 5] = [
        ("reconnect.backoff.max.ms", "1000"),
        ("socket.connection.setup.timeout.ms", "5000"),
        ("api.version.request.timeout.ms", "3000"),
        ("socket.timeout.ms", "5000"),
        // How often it tells of itself, none by default: see `common::stranded`.
        ("statistics.interval.ms", "2000"),
    ];

    /// What every client of Kafka is told so that it gets in, by librdkafka's names. Values may be
    /// secret.
    #[must_use]
    pub fn client_properties(&self) -> Vec<(&'static str, String)> {
        let protocol = match (&self.transport, &self.login) {
            (Transport::Plain, None) => "plaintext",
            (Transport::Plain, Some(_)) => "sasl_plaintext",
            (Transport::Tls(_), None) => "ssl",
            (Transport::Tls(_), Some(_)) => "sasl_ssl",
        };
        let mut all = vec![
            ("bootstrap.servers", self.brokers.join(",")),
            ("security.protocol", protocol.to_owned()),
        ];
        if let Transport::Tls(Tls { authorities, client }) = &self.transport {
            // The name too: any certificate of the authority would do otherwise.
            all.push(("ssl.endpoint.identification.algorithm", "https".to_owned()));
            match authorities {
                // OpenSSL inside the program does not know where this system keeps them.
                Authorities::System => all.push(("ssl.ca.location", "probe".to_owned())),
                Authorities::File(pem) => all.push(("ssl.ca.pem", pem.expose().to_owned())),
            }
            if let Some(ClientCertificate { chain, key }) = client {
                all.push(("ssl.certificate.pem", chain.expose().to_owned()));
                all.push(("ssl.key.pem", key.expose().to_owned()));
            }
        }
        if let Some(Login { mechanism, username, password }) = &self.login {
            all.push(("sasl.mechanism", mechanism.name().to_owned()));
            all.push(("sasl.username", username.expose().to_owned()));
            all.push(("sasl.password", password.expose().to_owned()));
        }
        all
    }

    /// What a careful operator should hear of at the start.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        match (&self.transport, &self.login) {
            (Transport::Plain, Some(Login { mechanism: Mechanism::Plain, .. })) => Some(
                "kafka.allow_unsafe is set, and the password crosses the network in clear: set kafka.tls = true",
            ),
            (Transport::Plain, Some(_)) => Some(
                "the login is not protected by TLS: who listens can read all events and guess at the password; set kafka.tls = true",
            ),
            (Transport::Plain, None) | (Transport::Tls(_), _) => None,
        }
    }

    /// Refuses what this program cannot do because it was built without OpenSSL.
    pub(super) fn refuse_unbuilt(
        &self,
        reader: &Reader<'_>,
        built: bool,
    ) -> Result<(), ConfigError> {
        let scram = self.login.as_ref().is_some_and(|login| login.mechanism != Mechanism::Plain);
        let (key, what) = match (&self.transport, scram) {
            _ if built => return Ok(()),
            (Transport::Plain, false) => return Ok(()),
            (Transport::Tls(_), _) => (Key::dotted("kafka.tls"), "TLS for Kafka"),
            (Transport::Plain, true) => (Key::dotted("kafka.sasl_mechanism"), "SCRAM"),
        };
        let place = reader.place(&key).to_string();
        Err(ConfigError::NotBuilt { key: key.to_string(), place, what })
    }
}

/// Refused without snapshots: what is deleted would be lost to every state that is built anew.
fn retention_days(reader: &mut Reader<'_>) -> Result<Option<u32>, ConfigError> {
    let snapshots = reader.names(&Key::dotted("snapshots.dir"));
    reader.optional(&Key::dotted("kafka.retention_days"), |text| {
        let days = number(text, 1, 36_500)?;
        if !snapshots {
            let allowed = "set snapshots.dir and have `tallyhook snapshot create` run more often \
                           than that, or leave it out: Kafka then keeps all events";
            return Err(Problem::new("events would be deleted that no snapshot holds", allowed));
        }
        Ok(days)
    })
}

impl Snapshots {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            dir: reader.optional(&Key::dotted("snapshots.dir"), parse::path)?,
            keep: reader.number(&Key::dotted("snapshots.keep"), 1, 10_000)?,
        })
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
        let off = (!url.is_tls()).then_some("write rediss:// in redis.url, or leave this out");
        let transport = Transport::read(reader, "redis", off)?;
        Ok(Some(Self { url, transport }))
    }
}
