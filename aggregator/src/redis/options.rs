//! How Redis is reached.

use std::fmt;
use std::time::Duration;

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
    /// Alone or a cluster.
    pub topology: Topology,
    /// How long a connection or an answer may take.
    pub timeout: Duration,
    /// Memory for pages of the partitions that this process commits to.
    pub cache_bytes: usize,
}

impl RedisOptions {
    /// The defaults: asks whether it is a cluster, 5 s, 64 MiB.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            urls: vec![url.to_owned()],
            topology: Topology::Detect,
            timeout: Duration::from_secs(5),
            cache_bytes: 64 * 1024 * 1024,
        }
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("topology", &self.topology)
            .field("timeout", &self.timeout)
            .field("cache_bytes", &self.cache_bytes)
            .finish_non_exhaustive()
    }
}
