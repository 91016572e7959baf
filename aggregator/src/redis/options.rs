//! How Redis is reached.

use std::fmt;
use std::time::Duration;

use common::config::{self, Tls, Transport};

/// Whether Redis runs alone or as a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Topology {
    /// Redis is asked (`cluster_enabled`).
    #[default]
    Detect,
    /// One server, perhaps with replicas.
    Standalone,
    /// Redis Cluster.
    Cluster,
}

/// How Redis is reached. `Debug` leaves the addresses out: they may hold a password.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[USER:PASSWORD@]HOST:PORT`; for a cluster any of its nodes, better several.
    pub urls: Vec<String>,
    /// For `rediss://`: whom to trust and who we are; the system's authorities without it.
    pub tls: Option<Tls>,
    /// Alone or a cluster.
    pub topology: Topology,
    /// How long a connection or an answer may take.
    pub timeout: Duration,
    /// Memory for nodes of the partitions that this process commits to.
    pub cache_bytes: usize,
}

impl RedisOptions {
    /// The defaults: asks whether it is a cluster, 5 s, 64 MiB.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            urls: vec![url.to_owned()],
            tls: None,
            topology: Topology::Detect,
            timeout: Duration::from_secs(5),
            cache_bytes: 64 * 1024 * 1024,
        }
    }

    /// The defaults for what is configured.
    #[must_use]
    pub fn of(redis: &config::Redis) -> Self {
        let tls = match &redis.transport {
            Transport::Plain => None,
            Transport::Tls(tls) => Some(tls.clone()),
        };
        Self { tls, ..Self::new(redis.url.expose()) }
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("tls", &self.tls)
            .field("topology", &self.topology)
            .field("timeout", &self.timeout)
            .field("cache_bytes", &self.cache_bytes)
            .finish_non_exhaustive()
    }
}
