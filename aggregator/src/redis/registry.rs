//! The register of generations in Redis: one key that says which is in use, changed by comparing.

use common::store::{Manifest, StoreError};
use redis::{ParsingError, Value, from_redis_value};
use thiserror::Error;

use super::generation::{Generation, Generations, Origin};
use super::link::Links;
use super::{names, sweep};

/// Sets the key to the second argument if it still is the first.
const COMPARE_AND_SET: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
                               redis.call('SET', KEYS[1], ARGV[2]) return 1 end return 0";
/// How often a change is tried anew because another one came first.
const ATTEMPTS: u32 = 10;

/// Why the generations could not be changed.
#[derive(Debug, Error)]
pub enum GenerationError {
    /// Redis failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is none before the present one.
    #[error("there is no generation before the present one, {current}, to go back to")]
    NoPrevious {
        /// The one in use.
        current: Generation,
    },
    /// The generation that was filled is no longer the next one.
    #[error(
        "generation {generation} was given up while it was filled: another rebuild or restore began, \
         or Redis was emptied; begin again"
    )]
    GivenUp {
        /// The one that was filled.
        generation: Generation,
    },
    /// Others change them all the time.
    #[error("the generations in {place} change all the time; try again")]
    Busy {
        /// Where Redis is.
        place: String,
    },
}

/// The generations of the states whose keys begin with `base`.
#[derive(Clone, Copy)]
pub struct Register<'a> {
    /// The connections.
    pub links: &'a Links,
    /// What all keys begin with.
    pub base: &'a str,
}

impl Register<'_> {
    /// What is there; `None` in an empty Redis.
    pub fn read(&self) -> Result<Option<Generations>, StoreError> {
        Ok(self.read_text()?.map(|(_, known)| known))
    }

    /// What is there, after `generation` was made the only one if nothing was.
    pub fn claim(&self, generation: &Generation) -> Result<Generations, StoreError> {
        let text = self.encode(&Generations::only(generation.clone()))?;
        self.ask(redis::cmd("SETNX").arg(self.name()).arg(text))?;
        let lost = || self.failed("the generations vanished right after they were written");
        self.read()?.ok_or_else(lost)
    }

    /// Whether a generation was made with these settings; its manifest is written where it is missing.
    pub fn compare(&self, generation: &Generation, manifest: &Manifest) -> Result<(), StoreError> {
        let name = names::manifest(&generation.prefix(self.base));
        if generation.is_of(manifest) {
            self.ask(redis::cmd("SETNX").arg(&name).arg(self.encode(manifest)?))?;
        }
        let stored: Option<Vec<u8>> = self.parsed(self.ask(redis::cmd("GET").arg(&name))?)?;
        let Some(stored) = stored else {
            let text = format!(
                "generation {generation} was made with other settings and says no longer with \
                 which; build the state anew with `tallyhook rebuild`"
            );
            return Err(self.failed(&text));
        };
        let stored: Manifest = self.decode(&stored)?;
        match stored.difference(manifest) {
            None if generation.is_of(manifest) => Ok(()),
            None => Err(self.failed(&format!(
                "generation {generation} is laid out in another way than this version lays it out; build \
                 the state anew with `tallyhook rebuild`"
            ))),
            Some((key, stored, wanted)) => {
                let place = format!("{}, generation {generation}", self.links.place());
                Err(StoreError::Manifest { place, key, stored, wanted })
            }
        }
    }

    /// Begins to fill a generation, or goes on with one: its name. The one before the present one,
    /// and what else is left over, is deleted first.
    pub fn begin(&self, manifest: &Manifest, from: Origin) -> Result<Generation, GenerationError> {
        self.claim(&Generation::new(1, manifest))?;
        let known = self.change(|known| Ok(known.begin(manifest, from)))?;
        sweep::sweep(self, &known)?;
        let Some(next) = known.next else {
            let generation = known.current;
            return Err(GenerationError::GivenUp { generation });
        };
        self.compare(&next.name, manifest)?;
        Ok(next.name)
    }

    /// Puts a filled generation into use.
    pub fn flip(&self, to: &Generation) -> Result<Generations, GenerationError> {
        let given_up = || GenerationError::GivenUp { generation: to.clone() };
        self.change(|known| known.flip(to).ok_or_else(given_up))
    }

    /// Puts the generation before back into use.
    pub fn roll_back(&self) -> Result<Generations, GenerationError> {
        self.change(|known| {
            let current = known.current.clone();
            known.roll_back().ok_or(GenerationError::NoPrevious { current })
        })
    }

    /// Deletes the generation before, and what else is left over: how many keys.
    pub fn drop_previous(&self) -> Result<u64, GenerationError> {
        let known = self.change(|known| Ok(Generations { previous: None, ..known }))?;
        Ok(sweep::sweep(self, &known)?)
    }

    /// Changes what is there, compared with what the change was computed from.
    fn change(
        &self,
        change: impl Fn(Generations) -> Result<Generations, GenerationError>,
    ) -> Result<Generations, GenerationError> {
        for _ in 0..ATTEMPTS {
            let Some((text, known)) = self.read_text()? else {
                return Err(self.failed(NOTHING).into());
            };
            let next = change(known)?;
            let mut command = redis::cmd("EVAL");
            command.arg(COMPARE_AND_SET).arg(1).arg(self.name());
            let answer = self.ask(command.arg(&text).arg(self.encode(&next)?))?;
            if self.parsed::<u64>(answer)? == 1 {
                return Ok(next);
            }
        }
        Err(GenerationError::Busy { place: self.links.place().to_owned() })
    }

    /// The error of an engine that holds something odd, or nothing.
    pub fn failed(&self, message: &str) -> StoreError {
        let place = self.links.place().to_owned();
        StoreError::Engine { place, message: message.to_owned() }
    }

    fn read_text(&self) -> Result<Option<(Vec<u8>, Generations)>, StoreError> {
        let stored = self.ask(redis::cmd("GET").arg(self.name()))?;
        let Some(text) = self.parsed::<Option<Vec<u8>>>(stored)? else { return Ok(None) };
        let known = self.decode(&text)?;
        Ok(Some((text, known)))
    }

    fn name(&self) -> String {
        names::generations(self.base)
    }

    fn ask(&self, command: &redis::Cmd) -> Result<Value, StoreError> {
        self.links.read(command)
    }

    fn parsed<T: redis::FromRedisValue>(&self, answer: Value) -> Result<T, StoreError> {
        from_redis_value(answer).map_err(|error: ParsingError| self.links.failed(&error.into()))
    }

    fn encode(&self, value: &impl serde::Serialize) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(value).map_err(|error| self.failed(&error.to_string()))
    }

    fn decode<T: serde::de::DeserializeOwned>(&self, text: &[u8]) -> Result<T, StoreError> {
        serde_json::from_slice(text).map_err(|error| self.failed(&error.to_string()))
    }
}

/// What is said of an empty Redis.
pub const NOTHING: &str = "it holds no state yet: start `tallyhook aggregate`, or fold the log with \
                           `tallyhook rebuild`";
