//! The store port on Redis or Redis Cluster (docs/adr/0008, 0016).
//!
//! A partition's documents stand in a tree of nodes of some KiB, since a key of Redis costs a hundred
//! bytes beside its value. Its keys share a hash tag, and one script a commit compares the position
//! and writes.
//! Several generations of the state may be there, of which one is in use (docs/adr/0012).

mod access;
mod at;
mod cache;
mod checks;
mod cut;
mod entry;
mod frame;
mod generation;
mod link;
mod names;
mod node;
mod options;
mod plan;
mod reader;
mod registry;
mod scan;
mod script;
mod snapshot;
mod states;
mod sweep;

pub use checks::Warning;
pub use generation::{Generation, Generations, Origin};
pub use options::{RedisOptions, Topology};
pub use registry::GenerationError;
pub use states::States;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use common::store::{Commit, Committed, Followed, Manifest, Snapshot, Store, StoreError};
use redis::from_redis_value;

use at::At;
use cache::Cache;
use link::Links;
use names::Names;
use plan::Writes;
use reader::{ReadFailure, Reader};
use registry::Register;

/// How often a commit is computed anew because the tree was cut otherwise meanwhile.
const ATTEMPTS: u32 = 3;

/// The longest key: a node above the leaves holds several.
const KEY_BYTES: usize = 1024;

/// A store in Redis, shared by any number of processes.
pub struct RedisStore {
    links: Arc<Links>,
    base: String,
    manifest: Manifest,
    cache_bytes: usize,
    shared: RwLock<Arc<Shared>>,
    // Whether the generation in use was made with other settings when it was last looked at.
    superseded: AtomicBool,
    warnings: Vec<Warning>,
    writer: String,
    commits: AtomicU64,
}

/// What the store and its snapshots share of one generation.
struct Shared {
    links: Arc<Links>,
    cache: Cache,
    generation: Generation,
    prefix: String,
}

impl Shared {
    fn new(
        links: &Arc<Links>,
        generation: Generation,
        base: &str,
        cache_bytes: usize,
    ) -> Arc<Self> {
        let prefix = generation.prefix(base);
        Arc::new(Self { links: links.clone(), cache: Cache::new(cache_bytes), generation, prefix })
    }

    fn reader(&self, partition: u16) -> Reader<'_> {
        let names = Names::new(&self.prefix, partition);
        Reader { links: &self.links, cache: &self.cache, partition, names }
    }

    /// The partition stands elsewhere than was believed; `None` where only nodes differ.
    fn moved(&self, commit: &Commit, stands: &At) -> Option<Committed> {
        self.cache.forget(commit.partition);
        (stands.position() != commit.base).then(|| self.refused(commit, stands))
    }

    fn refused(&self, commit: &Commit, stands: &At) -> Committed {
        self.cache.forget(commit.partition);
        if stands.position() == commit.end {
            Committed::Already
        } else {
            Committed::Conflict { stored: stands.position() }
        }
    }
}

impl RedisStore {
    /// Connects, checks the servers' settings, and takes the generation in use; in an empty Redis it
    /// makes the first one. One that was made with another manifest is refused.
    ///
    /// All keys begin with `base`; several states may share a Redis under different ones.
    pub fn open(
        options: &RedisOptions,
        base: &str,
        manifest: &Manifest,
    ) -> Result<Self, StoreError> {
        States::connect(options, base)?.open(manifest)
    }

    /// What about the servers is not as it should be.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The generation in hand.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.shared().generation.clone()
    }

    fn of(states: &States, generation: Generation, manifest: &Manifest) -> Self {
        let (links, cache_bytes) = (states.links.clone(), states.cache_bytes);
        let shared = Shared::new(&links, generation, &states.base, cache_bytes);
        Self {
            links,
            base: states.base.clone(),
            manifest: manifest.clone(),
            cache_bytes,
            shared: RwLock::new(shared),
            superseded: AtomicBool::new(false),
            warnings: states.warnings.clone(),
            // Not of the fold: a name that no other process has, nothing is computed from it.
            writer: format!("{:016x}", RandomState::new().hash_one(std::process::id())),
            commits: AtomicU64::new(0),
        }
    }

    fn shared(&self) -> Arc<Shared> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One attempt; `None` where the tree was made anew at the same position.
    fn attempt(
        &self,
        shared: &Shared,
        commit: &Commit,
        writes: &Writes<'_>,
    ) -> Result<Option<Committed>, StoreError> {
        let reader = shared.reader(commit.partition);
        let known = shared.cache.at(commit.partition);
        let base = match known.filter(|at| at.position() == commit.base) {
            Some(at) => at,
            None => reader.at()?,
        };
        if base.position() != commit.base {
            return Ok(Some(shared.refused(commit, &base)));
        }
        let contents = match plan::plan(&reader, &base, writes) {
            Ok(contents) => contents,
            Err(ReadFailure::Moved(stands)) => return Ok(shared.moved(commit, &stands)),
            Err(ReadFailure::Store(error)) => return Err(error),
        };
        let count = self.commits.fetch_add(1, Ordering::Relaxed);
        let next = At::new(commit.end, &format!("{}.{count}", self.writer));
        let answer = script::run(&shared.links, &reader.names, (&base, &next), &contents);
        let stands = match answer {
            Ok(answer) => reader.answered(&answer)?,
            Err(error) => {
                shared.cache.forget(commit.partition);
                // The answer may be lost and the commit done: the position knows.
                match reader.at() {
                    Ok(stands) if stands != base => stands,
                    Ok(_) | Err(_) => return Err(shared.links.failed(&error)),
                }
            }
        };
        if stands == next {
            let written = contents.into_iter().map(|(name, made)| (name, plan::shared(made)));
            shared.cache.advance(commit.partition, &base, next, written);
            return Ok(Some(Committed::Done));
        }
        Ok(shared.moved(commit, &stands))
    }
}

impl Store for RedisStore {
    fn position(&self, partition: u16) -> Result<u64, StoreError> {
        Ok(self.shared().reader(partition).at()?.position())
    }

    /// One command; the client for a cluster asks each node for its own.
    fn positions(&self, partitions: &[u16]) -> Result<Vec<u64>, StoreError> {
        let shared = self.shared();
        let mut command = redis::cmd("MGET");
        for partition in partitions {
            command.arg(shared.reader(*partition).names.position());
        }
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let links = &shared.links;
        let answer: Vec<Option<Vec<u8>>> = from_redis_value(links.read(&command)?)
            .map_err(|error: redis::ParsingError| links.failed(&error.into()))?;
        let stands = partitions.iter().zip(answer).map(|(partition, stored)| {
            Ok(shared.reader(*partition).parse(stored.as_deref())?.position())
        });
        stands.collect()
    }

    fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        let writes = commit.writes.iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
        let writes: Writes<'_> = writes.collect();
        if let Some(longest) = writes.keys().map(|key| key.len()).max().filter(|n| *n > KEY_BYTES) {
            let message = format!("a key of {longest} bytes; {KEY_BYTES} are the most");
            return Err(StoreError::Engine { place: self.links.place().to_owned(), message });
        }
        let shared = self.shared();
        for _ in 0..ATTEMPTS {
            if let Some(committed) = self.attempt(&shared, &commit, &writes)? {
                return Ok(committed);
            }
        }
        Err(StoreError::Moved { partition: commit.partition })
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(snapshot::RedisSnapshot::new(self.shared())))
    }

    /// Nothing to do: Redis syncs its file by its own settings, and the log is the truth.
    fn persist(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn follow(&self) -> Result<Followed, StoreError> {
        let register = Register { links: &self.links, base: &self.base };
        let hand = self.shared();
        let known = match register.read()? {
            Some(known) => known,
            // Whoever was refused must not take an emptied Redis for those that were not.
            None if self.superseded.load(Ordering::Acquire) => {
                return Err(register.failed(registry::NOTHING));
            }
            None => register.claim(&hand.generation)?,
        };
        let compared = register.compare(&known.current, &self.manifest);
        self.superseded.store(compared.is_err(), Ordering::Release);
        compared?;
        if known.current == hand.generation {
            return Ok(Followed::Same);
        }
        let next = Shared::new(&self.links, known.current, &self.base, self.cache_bytes);
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(Followed::Another)
    }

    fn views_stand_still(&self) -> bool {
        false
    }

    fn is_remote(&self) -> bool {
        true
    }
}
