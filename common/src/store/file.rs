//! The store on disk: fjall, an embedded log-structured merge tree (docs/adr/0002).

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use super::{Commit, Committed, Manifest, Snapshot, Store, StoreError, Visit};

/// Block cache: what is read again soon stays in memory.
const CACHE_BYTES: u64 = 48 * 1024 * 1024;
/// A large journal makes a slow start (crates.md), a small one flushes too often.
const JOURNAL_BYTES: u64 = 96 * 1024 * 1024;
/// One sorted buffer of recent writes.
const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;
/// The key of the manifest.
const MANIFEST: &[u8] = b"manifest";

/// A store in a directory, held by one process.
pub struct FileStore {
    path: PathBuf,
    database: Database,
    state: Keyspace,
    meta: Keyspace,
    // The compare-and-set of a position and its write must not interleave with another's.
    commits: Mutex<()>,
}

impl FileStore {
    /// Opens or creates the store in `path`; refuses one that was made with another manifest.
    pub fn open(path: &Path, manifest: &Manifest) -> Result<Self, StoreError> {
        let store = Self::open_any(path)?;
        let stored = store.meta.get(MANIFEST).map_err(|error| store.failed(&error))?;
        let Some(stored) = stored else {
            let text = serde_json::to_vec(manifest).unwrap_or_default();
            store.meta.insert(MANIFEST, text).map_err(|error| store.failed(&error))?;
            store.persist()?;
            return Ok(store);
        };
        let place = path.display().to_string();
        let unreadable = |error: serde_json::Error| StoreError::Engine {
            place: place.clone(),
            message: error.to_string(),
        };
        let stored: Manifest = serde_json::from_slice(&stored).map_err(unreadable)?;
        match stored.difference(manifest) {
            None => Ok(store),
            Some((key, stored, wanted)) => Err(StoreError::Manifest { place, key, stored, wanted }),
        }
    }

    fn open_any(path: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(path)
            .map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
        let place = path.display().to_string();
        let failed = |error: fjall::Error| StoreError::Engine {
            place: place.clone(),
            message: error.to_string(),
        };
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(2)
            .open()
            .map_err(&failed)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let state = database.keyspace("state", options).map_err(&failed)?;
        let meta = database.keyspace("meta", KeyspaceCreateOptions::default).map_err(&failed)?;
        Ok(Self { path: path.to_owned(), database, state, meta, commits: Mutex::new(()) })
    }

    /// Bytes of state on disk.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.state.disk_space()
    }

    /// Merges everything into as few files as there can be; for measuring sizes.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.state.rotate_memtable_and_wait().map_err(|error| self.failed(&error))?;
        self.state.major_compact().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &fjall::Error) -> StoreError {
        engine_failed(&self.path, error)
    }
}

fn engine_failed(path: &Path, error: &fjall::Error) -> StoreError {
    StoreError::Engine { place: path.display().to_string(), message: error.to_string() }
}

impl Store for FileStore {
    fn position(&self, partition: u16) -> Result<u64, StoreError> {
        let stored = self.meta.get(position_key(partition)).map_err(|error| self.failed(&error))?;
        Ok(decode_position(stored.as_deref()))
    }

    fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        let _one_at_a_time = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.position(commit.partition)?;
        if stored != commit.base {
            return Ok(if stored == commit.end {
                Committed::Already
            } else {
                Committed::Conflict { stored }
            });
        }
        let mut batch = self.database.batch();
        for (key, value) in commit.writes {
            let key = state_key(commit.partition, &key);
            match value {
                Some(value) => batch.insert(&self.state, key, value),
                None => batch.remove(&self.state, key),
            }
        }
        let end = commit.end.to_be_bytes();
        batch.insert(&self.meta, position_key(commit.partition), end.as_slice());
        batch.commit().map_err(|error| self.failed(&error))?;
        Ok(Committed::Done)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(FileSnapshot {
            path: self.path.clone(),
            snapshot: self.database.snapshot(),
            state: self.state.clone(),
            meta: self.meta.clone(),
        }))
    }

    fn persist(&self) -> Result<(), StoreError> {
        self.database.persist(PersistMode::SyncData).map_err(|error| self.failed(&error))
    }
}

struct FileSnapshot {
    path: PathBuf,
    snapshot: fjall::Snapshot,
    state: Keyspace,
    meta: Keyspace,
}

impl Snapshot for FileSnapshot {
    fn get(&self, partition: u16, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.snapshot.get(&self.state, state_key(partition, key));
        let found = found.map_err(|error| engine_failed(&self.path, &error))?;
        Ok(found.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        partition: u16,
        from: &[u8],
        to: &[u8],
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        let (from, to) = (state_key(partition, from), state_key(partition, to));
        for item in self.snapshot.range(&self.state, from..to) {
            let (key, value) =
                item.into_inner().map_err(|error| engine_failed(&self.path, &error))?;
            if visit(&key[2..], &value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn position(&self, partition: u16) -> Result<u64, StoreError> {
        let found = self.snapshot.get(&self.meta, position_key(partition));
        let found = found.map_err(|error| engine_failed(&self.path, &error))?;
        Ok(decode_position(found.as_deref()))
    }
}

fn state_key(partition: u16, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len() + 2);
    full.extend_from_slice(&partition.to_be_bytes());
    full.extend_from_slice(key);
    full
}

fn position_key(partition: u16) -> [u8; 3] {
    let [high, low] = partition.to_be_bytes();
    [b'p', high, low]
}

fn decode_position(stored: Option<&[u8]>) -> u64 {
    stored.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            partitions: 32,
            partitioner: "murmur2".into(),
            fold_version: 1,
            pseudonym_key: "00".into(),
            shops: String::new(),
        }
    }

    #[test]
    fn conforms() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut number = 0;
        super::super::conformance::run(|| {
            number += 1;
            let path = directory.path().join(number.to_string());
            FileStore::open(&path, &manifest()).expect("opens")
        });
    }

    /// A journal is made of zeros, so what a killed process wrote by half goes on with zeros.
    #[test]
    fn what_was_written_by_half_is_discarded() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let commit = |base: u64, value: &[u8]| Commit {
            partition: 3,
            base,
            end: base + 1,
            writes: vec![(b"key".to_vec(), Some(value.to_vec()))],
        };
        let open = || FileStore::open(path, &manifest()).expect("opens");
        assert!(matches!(open().commit(commit(0, b"whole")), Ok(Committed::Done)));
        let files = std::fs::read_dir(path).expect("a directory");
        let mut paths = files.map(|file| file.expect("a file").path());
        let journal = paths.find(|path| path.extension().is_some_and(|one| one == "jnl"));
        let journal = journal.expect("a journal");
        let mut bytes = std::fs::read(&journal).expect("readable");
        let end = 1 + bytes.iter().rposition(|byte| *byte != 0).expect("a commit");
        // A batch of one item, of which the key's and the value's length are there and no more.
        let batch = [&[1, 1, 0, 0, 0][..], &99_u64.to_le_bytes()].concat();
        let item = [&[2, 0, 0][..], &1_u64.to_le_bytes(), &[3, 0, 6, 0, 0, 0]].concat();
        let torn = [batch, item].concat();
        bytes.resize(bytes.len().max(end + 1_024), 0);
        bytes[end..end + torn.len()].copy_from_slice(&torn);
        std::fs::write(&journal, bytes).expect("written");
        let store = open();
        assert_eq!(store.position(3).expect("readable"), 1);
        assert!(matches!(store.commit(commit(1, b"more")), Ok(Committed::Done)));
        drop(store);
        assert_eq!(open().position(3).expect("readable"), 2);
    }

    #[test]
    fn keeps_state_and_refuses_another_manifest() {
        let directory = tempfile::tempdir().expect("a directory");
        let commit = Commit {
            partition: 3,
            base: 0,
            end: 2,
            writes: vec![(b"k".to_vec(), Some(b"v".to_vec()))],
        };
        {
            let store = FileStore::open(directory.path(), &manifest()).expect("opens");
            assert_eq!(store.commit(commit).expect("commits"), Committed::Done);
        }
        {
            let store = FileStore::open(directory.path(), &manifest()).expect("opens again");
            assert_eq!(store.position(3).expect("reads"), 2);
            let snapshot = store.snapshot().expect("a snapshot");
            assert_eq!(snapshot.get(3, b"k").expect("reads"), Some(b"v".to_vec()));
        }
        let other = Manifest { partitions: 16, ..manifest() };
        let error = FileStore::open(directory.path(), &other).err().expect("refused").to_string();
        assert!(error.contains("log.partitions = 32"), "{error}");
        assert!(error.contains("says 16"), "{error}");
        assert!(error.contains("tallyhook rebuild"), "{error}");
    }
}
