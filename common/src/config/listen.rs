//! `[public]` and `[admin]`: the two listeners.

use std::net::SocketAddr;
use std::time::Duration;

use super::error::{ConfigError, Place};
use super::key::Key;
use super::parse;
use super::reader::{Reader, number};
use super::secret::Secret;

/// `[public]`: where platforms post their webhooks.
#[derive(Clone, Debug)]
pub struct Public {
    /// `public.listen`: address; port 0 lets the system choose. Default `127.0.0.1:8080`.
    /// `TALLYHOOK_PUBLIC__LISTEN`.
    pub listen: SocketAddr,
    /// `public.body_limit_bytes`: larger bodies are answered 413. 1024 to 268435456 (256 MiB),
    /// default 8388608. `TALLYHOOK_PUBLIC__BODY_LIMIT_BYTES`.
    pub body_limit_bytes: usize,
    /// `public.body_timeout_ms`: slower bodies are answered 408. 100 to 60000, default 4000.
    /// `TALLYHOOK_PUBLIC__BODY_TIMEOUT_MS`.
    pub body_timeout: Duration,
    /// `public.workers`: threads that serve requests. 1 to 256, default: as many as processors.
    /// `TALLYHOOK_PUBLIC__WORKERS`.
    pub workers: Option<usize>,
}

/// `[admin]`: the API, the metrics and the live page.
#[derive(Clone, Debug)]
pub struct Admin {
    /// `admin.listen`: address; port 0 lets the system choose. Default `127.0.0.1:8081`.
    /// `TALLYHOOK_ADMIN__LISTEN`.
    pub listen: SocketAddr,
    /// `admin.token`: the bearer token, a [`Secret`]. Needed unless the address is loopback;
    /// default none. `TALLYHOOK_ADMIN__TOKEN`.
    pub token: Option<Secret>,
    /// Where `listen` stands, for the error of [`Admin::check`].
    place: Place,
}

impl Public {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ConfigError> {
        let section = Key::dotted("public");
        let timeout_ms = section.child("body_timeout_ms");
        Ok(Self {
            listen: reader.required(&section.child("listen"), parse::address)?,
            body_limit_bytes: reader.number(&section.child("body_limit_bytes"), 1024, 256 << 20)?,
            body_timeout: Duration::from_millis(reader.number(&timeout_ms, 100, 60_000)?),
            workers: reader.optional(&section.child("workers"), |text| number(text, 1, 256))?,
        })
    }
}

impl Admin {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ConfigError> {
        let section = Key::dotted("admin");
        let listen = section.child("listen");
        Ok(Self {
            listen: reader.required(&listen, parse::address)?,
            token: reader.secrets(&section.child("token"))?.pop(),
            place: reader.place(&listen),
        })
    }

    /// Refuses a listener that other machines can reach without a token.
    ///
    /// # Errors
    /// [`ConfigError::AdminWithoutToken`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.token.is_some() || self.listen.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        Err(ConfigError::AdminWithoutToken { listen: self.listen, place: self.place.to_string() })
    }
}
