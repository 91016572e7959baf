//! The configuration: typed, checked once at the start, and in one file format.
//!
//! Later layers win: defaults, then the file (`--config FILE`, else `TALLYHOOK_CONFIG`, else
//! `./tallyhook.toml` if it exists), then the environment (`TALLYHOOK_SECTION__KEY`, see
//! [`Config::load`]), then flags. A key that does not exist is an error. Every error names the
//! key, where its value stands, and what is allowed; none holds a secret.
//!
//! ```toml
//! [public]
//! listen = "127.0.0.1:8080"
//! [sources.shopify]
//! platform = "shopify"
//! secrets = ["env:SHOPIFY_SECRET"]
//! [sources.shopify.attributes]
//! line_properties = ["engraving"]
//! [shops."a.myshopify.com"]
//! time_zone = "Europe/Paris"
//! [reasons]
//! defective = ["broken"]
//! ```

#[cfg(test)]
mod access_tests;
mod alarms;
mod environment;
mod error;
mod key;
mod layers;
mod listen;
mod login;
mod parse;
mod print;
mod privacy;
mod reader;
mod reasons;
mod secret;
mod shops;
mod sources;
mod stores;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeMap;

pub use alarms::Alarms;
pub use error::{ConfigError, Place};
pub use key::Key;
pub use layers::{DEFAULT_FILE, Inputs, Override};
pub use listen::{Admin, Public};
pub use login::{Login, Mechanism, SecretText};
pub use print::Effective;
pub use privacy::{Privacy, PseudonymKey};
pub use reasons::Reasons;
pub use secret::{Reference, Secret};
pub use shops::{Shop, ShopOverride, Shops};
pub use sources::{Attributes, Platform, ShopList, Source, SourceName};
pub use stores::{Data, Kafka, Log, Redis, RedisUrl, Snapshots, Spool};
pub use tls::{Authorities, ClientCertificate, Pem, Tls, Transport};

use crate::shop::ShopDomain;

/// All settings of a process. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[public]`: the listener for webhooks.
    pub public: Public,
    /// `[admin]`: the listener for people and Prometheus.
    pub admin: Admin,
    /// `[data]`: the data directory.
    pub data: Data,
    /// `[privacy]`: the key of the pseudonyms.
    pub privacy: Privacy,
    /// `[sources.NAME]`: who may post webhooks.
    pub sources: BTreeMap<SourceName, Source>,
    /// `[shops]`: currency and time zone of shops.
    pub shops: Shops,
    /// `[reasons]`: rules for the notes of refunds.
    pub reasons: Reasons,
    /// `[log]`: partitions and segments.
    pub log: Log,
    /// `[spool]`: how much `ingest` keeps while Kafka is down.
    pub spool: Spool,
    /// `[kafka]`, if configured or needed.
    pub kafka: Option<Kafka>,
    /// `[redis]`, if configured or needed.
    pub redis: Option<Redis>,
    /// `[snapshots]`: where copies of the state go.
    pub snapshots: Snapshots,
    /// `[alarms]`: how easily an alarm is raised.
    pub alarms: Alarms,
    effective: Vec<Effective>,
}

/// What a command needs of the configuration beyond correct values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it reads a data directory or asks a running process. The sources' secrets are not
    /// even looked up.
    Nothing,
    /// `serve`, `demo`, `config check`: at least one source, an admin token where others can
    /// connect.
    Serve,
    /// `ingest`: as `serve`, and Kafka and a configured pseudonym key.
    Ingest,
    /// `aggregate`: an admin token as above, Kafka, Redis and a configured pseudonym key.
    Aggregate,
    /// `topics`: Kafka.
    Topics,
}

impl Needs {
    fn sources(self) -> bool {
        matches!(self, Self::Serve | Self::Ingest)
    }

    fn listener(self) -> bool {
        matches!(self, Self::Serve | Self::Ingest | Self::Aggregate)
    }

    fn kafka(self) -> bool {
        matches!(self, Self::Ingest | Self::Aggregate | Self::Topics)
    }

    fn redis(self) -> bool {
        matches!(self, Self::Aggregate)
    }

    fn shared_key(self) -> bool {
        matches!(self, Self::Ingest | Self::Aggregate)
    }
}

impl Config {
    /// Reads all layers.
    ///
    /// In the environment, two underscores part the levels of a key, names are lower-cased, lists
    /// are separated by commas: `TALLYHOOK_SOURCES__SHOPIFY__SECRETS=a,b`. A shop's own section
    /// cannot be set there, since a variable's name cannot hold a domain. A variable with the
    /// prefix that names no key is an error, except `TALLYHOOK_CONFIG`, `TALLYHOOK_TOKEN`, those
    /// that a secret names by `env:`, `TALLYHOOK_TEST_*`, and what Kubernetes sets for services
    /// (`TALLYHOOK_SERVICE_HOST`, `TALLYHOOK_PORT_8080_TCP` and the like).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn load(inputs: &Inputs, needs: Needs) -> Result<Self, ConfigError> {
        let reader = &mut reader::Reader::new(layers::Layers::gather(inputs)?, &inputs.environment);
        let mut config = Self {
            public: Public::read(reader)?,
            admin: Admin::read(reader)?,
            data: Data::read(reader)?,
            privacy: Privacy::read(reader, needs)?,
            sources: sources::read(reader, needs)?,
            shops: Shops::read(reader)?,
            reasons: reasons::read(reader)?,
            log: Log::read(reader)?,
            spool: Spool::read(reader)?,
            kafka: Kafka::read(reader, needs)?,
            redis: Redis::read(reader, needs)?,
            snapshots: Snapshots::read(reader)?,
            alarms: Alarms::read(reader)?,
            effective: Vec::new(),
        };
        config.effective = reader.finish();
        if needs.listener() {
            config.admin.check()?;
        }
        Ok(config)
    }

    /// What holds for a shop: its own section over the default.
    #[must_use]
    pub fn shop(&self, shop: &ShopDomain) -> Shop {
        self.shops.shop(shop)
    }

    /// The values in force as TOML, each with its origin, secrets as `"<redacted>"`.
    #[must_use]
    pub fn print(&self) -> String {
        print::document(&self.effective)
    }

    /// The values in force with their origins, secrets redacted.
    #[must_use]
    pub fn effective(&self) -> &[Effective] {
        &self.effective
    }
}
