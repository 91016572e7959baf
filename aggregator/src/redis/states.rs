//! The states in one Redis: opening the generation in use, filling another, and changing them.

use std::sync::Arc;

use common::store::{Manifest, StoreError};

use super::RedisStore;
use super::access;
use super::checks::{self, Warning};
use super::generation::{Generation, Generations, Origin};
use super::link::Links;
use super::options::RedisOptions;
use super::registry::{self, GenerationError, Register};

/// The generations whose keys begin with one base, and the way to them.
pub struct States {
    pub(super) links: Arc<Links>,
    pub(super) base: String,
    pub(super) cache_bytes: usize,
    pub(super) warnings: Vec<Warning>,
}

impl States {
    /// Connects and checks the servers' settings.
    pub fn connect(options: &RedisOptions, base: &str) -> Result<Self, StoreError> {
        let links = Links::open(options)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if base.is_empty() || base.len() > 64 || !base.bytes().all(plain) {
            let message = format!(
                "the key prefix {base:?} cannot be used; take 1 to 64 of letters, digits, _ - . :"
            );
            return Err(StoreError::Engine { place: links.place().to_owned(), message });
        }
        let warnings = checks::check(&links)?;
        access::check(&links, base).map_err(|error| links.failed(&error))?;
        let (links, base) = (Arc::new(links), base.to_owned());
        Ok(Self { links, base, cache_bytes: options.cache_bytes, warnings })
    }

    /// Where Redis is, without user and password.
    #[must_use]
    pub fn place(&self) -> &str {
        self.links.place()
    }

    /// What about the servers is not as it should be.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Which generations are there; `None` in an empty Redis.
    pub fn known(&self) -> Result<Option<Generations>, StoreError> {
        self.register().read()
    }

    /// The generation in use; in an empty Redis it makes the first one.
    pub fn open(&self, manifest: &Manifest) -> Result<RedisStore, StoreError> {
        let known = self.register().claim(&Generation::new(1, manifest))?;
        self.opened(known, manifest)
    }

    /// The generation in use; an empty Redis is an error.
    pub fn open_existing(&self, manifest: &Manifest) -> Result<RedisStore, StoreError> {
        let register = self.register();
        let known = register.read()?.ok_or_else(|| register.failed(registry::NOTHING))?;
        self.opened(known, manifest)
    }

    /// A generation to be filled and then put into use; one from the log that was interrupted is gone
    /// on with. What is there beside it and the one in use is deleted.
    pub fn begin(&self, manifest: &Manifest, from: Origin) -> Result<RedisStore, GenerationError> {
        let generation = self.register().begin(manifest, from)?;
        Ok(RedisStore::of(self, generation, manifest))
    }

    /// Puts a filled generation into use; the one in use so far is kept.
    pub fn flip(&self, to: &Generation) -> Result<Generations, GenerationError> {
        self.register().flip(to)
    }

    /// Puts the generation before back into use; the one in use so far is kept.
    pub fn roll_back(&self) -> Result<Generations, GenerationError> {
        self.register().roll_back()
    }

    /// Deletes the generation before the one in use: how many keys.
    pub fn drop_previous(&self) -> Result<u64, GenerationError> {
        self.register().drop_previous()
    }

    fn register(&self) -> Register<'_> {
        Register { links: &self.links, base: &self.base }
    }

    fn opened(&self, known: Generations, manifest: &Manifest) -> Result<RedisStore, StoreError> {
        self.register().compare(&known.current, manifest)?;
        Ok(RedisStore::of(self, known.current, manifest))
    }
}
