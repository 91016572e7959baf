//! Reading a partition's strings as they stand at one position.
//!
//! Every read asks for the position in the same command, `MGET`, which is atomic: what comes back
//! belongs to the position that came with it.

use std::sync::Arc;

use common::store::StoreError;
use redis::{Value, from_redis_value};

use super::at::At;
use super::cache::{Cache, Content};
use super::entry::Damaged;
use super::frame;
use super::link::Links;
use super::names::Names;

/// Names asked for at once: some megabytes of nodes.
const NAMES: usize = 1_000;

/// Why strings could not be read.
#[derive(Debug)]
pub enum ReadFailure {
    /// The partition stands elsewhere by now.
    Moved(At),
    /// Redis failed.
    Store(StoreError),
}

impl From<StoreError> for ReadFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Whether what is read goes to the cache.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It is asked for again, by a commit perhaps.
    Yes,
    /// It is one of many, and would push out the rest.
    No,
}

/// One partition.
pub struct Reader<'a> {
    /// The connections.
    pub links: &'a Links,
    /// Strings in memory.
    pub cache: &'a Cache,
    /// The partition.
    pub partition: u16,
    /// Its names.
    pub names: Names,
}

impl Reader<'_> {
    /// The contents of `wanted` at `at`, in that order.
    pub fn fetch(
        &self,
        at: &At,
        wanted: &[Vec<u8>],
        keep: Keep,
    ) -> Result<Vec<Content>, ReadFailure> {
        let known = self.cache.get(self.partition, at, wanted);
        let missing = wanted.iter().zip(&known).filter(|(_, known)| known.is_none());
        let missing: Vec<Vec<u8>> = missing.map(|(name, _)| name.clone()).collect();
        let mut found = Vec::with_capacity(missing.len());
        for names in missing.chunks(NAMES) {
            let (stands, contents) = self.ask(names)?;
            if stands != *at {
                return Err(ReadFailure::Moved(stands));
            }
            found.extend(contents);
        }
        if keep == Keep::Yes {
            self.cache.keep(self.partition, at, missing.iter().zip(&found));
        }
        let mut found = found.into_iter();
        Ok(known.into_iter().map(|known| known.unwrap_or_else(|| found.next().flatten())).collect())
    }

    /// Where the partition stands, and some contents there.
    pub fn ask(&self, names: &[Vec<u8>]) -> Result<(At, Vec<Content>), StoreError> {
        let mut command = redis::cmd("MGET");
        command.arg(self.names.position());
        for name in names {
            command.arg(name.as_slice());
        }
        let answer = self.links.read(&command)?;
        let answer: Vec<Option<Vec<u8>>> = from_redis_value::<Vec<Option<Vec<u8>>>>(answer)
            .map_err(|error| self.links.failed(&error.into()))?;
        let mut answer = answer.into_iter();
        let at = self.parse(answer.next().flatten().as_deref())?;
        let contents: Vec<Content> = answer
            .map(|stored| stored.map(|stored| frame::decode(&stored).map(Arc::from)).transpose())
            .collect::<Result<_, Damaged>>()
            .map_err(|damaged| self.damaged(damaged))?;
        if contents.len() != names.len() {
            return Err(self.damaged(Damaged));
        }
        Ok((at, contents))
    }

    /// Where the partition stands.
    pub fn at(&self) -> Result<At, StoreError> {
        Ok(self.ask(&[])?.0)
    }

    /// Where a script says that the partition stands.
    pub fn answered(&self, answer: &Value) -> Result<At, StoreError> {
        let text: Vec<u8> = from_redis_value(answer.clone())
            .map_err(|error: redis::ParsingError| self.links.failed(&error.into()))?;
        self.parse(Some(&text))
    }

    /// The error for a damaged string.
    #[must_use]
    pub fn damaged(&self, damaged: Damaged) -> StoreError {
        let place = format!("{}, partition {}", self.links.place(), self.partition);
        StoreError::Engine { place, message: damaged.to_string() }
    }

    /// What stands at the partition's position.
    pub fn parse(&self, stored: Option<&[u8]>) -> Result<At, StoreError> {
        At::parse(stored).ok_or_else(|| self.damaged(Damaged))
    }
}
