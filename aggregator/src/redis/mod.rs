//! The store port on Redis or Redis Cluster (docs/adr/0008).
//!
//! Documents are packed into pages, since a key of Redis costs a hundred bytes beside its value. A
//! partition's keys share a hash tag, and one script a commit compares the position and writes.

mod access;
mod address;
mod at;
mod cache;
mod checks;
mod frame;
mod link;
mod names;
mod options;
mod page;
mod plan;
mod reader;
mod scan;
mod script;
mod snapshot;

pub use checks::Warning;
pub use options::{RedisOptions, Topology};

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::store::{Commit, Committed, Manifest, Snapshot, Store, StoreError};
use redis::from_redis_value;

use at::At;
use cache::Cache;
use link::Links;
use names::Names;
use plan::Writes;
use reader::{ReadFailure, Reader};

/// How often a commit is computed anew because pages were laid out otherwise meanwhile.
const ATTEMPTS: u32 = 3;

/// A store in Redis, shared by any number of processes.
pub struct RedisStore {
    shared: Arc<Shared>,
    warnings: Vec<Warning>,
    writer: String,
    commits: AtomicU64,
}

/// What the store and its snapshots share.
struct Shared {
    links: Links,
    cache: Cache,
    prefix: String,
}

impl Shared {
    fn reader(&self, partition: u16) -> Reader<'_> {
        let names = Names::new(&self.prefix, partition);
        Reader { links: &self.links, cache: &self.cache, partition, names }
    }
}

impl RedisStore {
    /// Connects, checks the servers' settings, and claims `prefix` or compares its manifest.
    ///
    /// All keys begin with `prefix`; several states may share a Redis under different ones.
    pub fn open(
        options: &RedisOptions,
        prefix: &str,
        manifest: &Manifest,
    ) -> Result<Self, StoreError> {
        let links = Links::open(options)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(plain) {
            let message = format!(
                "the key prefix {prefix:?} cannot be used; take 1 to 64 of letters, digits, _ - . :"
            );
            return Err(StoreError::Engine { place: links.place().to_owned(), message });
        }
        let warnings = checks::check(&links)?;
        access::check(&links, prefix).map_err(|error| links.failed(&error))?;
        claim(&links, prefix, manifest)?;
        let cache = Cache::new(options.cache_bytes);
        Ok(Self {
            shared: Arc::new(Shared { links, cache, prefix: prefix.to_owned() }),
            warnings,
            // Not of the fold: a name that no other process has, nothing is computed from it.
            writer: format!("{:016x}", RandomState::new().hash_one(std::process::id())),
            commits: AtomicU64::new(0),
        })
    }

    /// What about the servers is not as it should be.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// One attempt; `None` where pages were laid out anew at the same position.
    fn attempt(
        &self,
        commit: &Commit,
        writes: &Writes<'_>,
    ) -> Result<Option<Committed>, StoreError> {
        let reader = self.shared.reader(commit.partition);
        let known = self.shared.cache.at(commit.partition);
        let base = match known.filter(|at| at.position() == commit.base) {
            Some(at) => at,
            None => reader.at()?,
        };
        if base.position() != commit.base {
            return Ok(Some(self.refused(commit, &base)));
        }
        let contents = match plan::plan(&reader, &base, writes) {
            Ok(contents) => contents,
            Err(ReadFailure::Moved(stands)) => return Ok(self.moved(commit, &stands)),
            Err(ReadFailure::Store(error)) => return Err(error),
        };
        let count = self.commits.fetch_add(1, Ordering::Relaxed);
        let next = At::new(commit.end, &format!("{}.{count}", self.writer));
        let answer = script::run(&self.shared.links, &reader.names, (&base, &next), &contents);
        let stands = match answer {
            Ok(answer) => reader.answered(&answer)?,
            Err(error) => {
                self.shared.cache.forget(commit.partition);
                // The answer may be lost and the commit done: the position knows.
                match reader.at() {
                    Ok(stands) if stands != base => stands,
                    Ok(_) | Err(_) => return Err(self.shared.links.failed(&error)),
                }
            }
        };
        if stands == next {
            let written = contents.into_iter().map(|(name, made)| (name, plan::shared(made)));
            self.shared.cache.advance(commit.partition, &base, next, written);
            return Ok(Some(Committed::Done));
        }
        Ok(self.moved(commit, &stands))
    }

    /// The partition stands elsewhere than was believed; `None` where only pages differ.
    fn moved(&self, commit: &Commit, stands: &At) -> Option<Committed> {
        self.shared.cache.forget(commit.partition);
        (stands.position() != commit.base).then(|| self.refused(commit, stands))
    }

    fn refused(&self, commit: &Commit, stands: &At) -> Committed {
        self.shared.cache.forget(commit.partition);
        if stands.position() == commit.end {
            Committed::Already
        } else {
            Committed::Conflict { stored: stands.position() }
        }
    }
}

impl Store for RedisStore {
    fn position(&self, partition: u16) -> Result<u64, StoreError> {
        Ok(self.shared.reader(partition).at()?.position())
    }

    /// One command; the client for a cluster asks each node for its own.
    fn positions(&self, partitions: &[u16]) -> Result<Vec<u64>, StoreError> {
        let mut command = redis::cmd("MGET");
        for partition in partitions {
            command.arg(Names::new(&self.shared.prefix, *partition).position());
        }
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let links = &self.shared.links;
        let answer: Vec<Option<Vec<u8>>> = from_redis_value(links.read(&command)?)
            .map_err(|error: redis::ParsingError| links.failed(&error.into()))?;
        let stands = partitions.iter().zip(answer).map(|(partition, stored)| {
            Ok(self.shared.reader(*partition).parse(stored.as_deref())?.position())
        });
        stands.collect()
    }

    fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        let writes = commit.writes.iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
        let writes: Writes<'_> = writes.collect();
        for _ in 0..ATTEMPTS {
            if let Some(committed) = self.attempt(&commit, &writes)? {
                return Ok(committed);
            }
        }
        Err(StoreError::Moved { partition: commit.partition })
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(snapshot::RedisSnapshot::new(self.shared.clone())))
    }

    /// Nothing to do: Redis syncs its file by its own settings, and the log is the truth.
    fn persist(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn views_stand_still(&self) -> bool {
        false
    }
}

/// Writes the manifest where there is none, compares it where there is one.
fn claim(links: &Links, prefix: &str, manifest: &Manifest) -> Result<(), StoreError> {
    let place = format!("{} under {prefix}", links.place());
    let unreadable = |error: serde_json::Error| StoreError::Engine {
        place: place.clone(),
        message: error.to_string(),
    };
    let name = names::manifest(prefix);
    let text = serde_json::to_vec(manifest).map_err(unreadable)?;
    links.read(redis::cmd("SETNX").arg(&name).arg(text))?;
    let stored = links.read(redis::cmd("GET").arg(&name))?;
    let stored: Vec<u8> = from_redis_value(stored)
        .map_err(|error: redis::ParsingError| links.failed(&error.into()))?;
    let stored: Manifest = serde_json::from_slice(&stored).map_err(unreadable)?;
    match stored.difference(manifest) {
        None => Ok(()),
        Some((key, stored, wanted)) => Err(StoreError::Manifest { place, key, stored, wanted }),
    }
}
