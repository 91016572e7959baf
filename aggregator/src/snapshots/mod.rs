//! Snapshots: the state at a position of the log, partition by partition, as files of a directory.
//!
//! They hold what the state holds, pseudonyms only. A manifest names each file with its checksum, the
//! partition's position and its digest, and is signed under a key derived from the pseudonym key. A
//! snapshot is there whole or not at all: it is written beside, synced, and renamed (docs/adr/0013).

mod directory;
mod error;
mod file;
mod restore;
mod signed;

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::store::{Manifest, Store, StoreError, UNFINISHED};
use common::time::Timestamp;

pub use error::SnapshotError;
pub use restore::NotRescued;
pub use signed::{Body, Part, Signed};

use crate::fold::digest;
use directory::Draft;
use file::{Reader, Writer};
use signed::{FORMAT, SigningKey};

/// How long a partition may move while it is copied.
const PATIENCE: Duration = Duration::from_mins(5);

/// The snapshots of a directory.
#[derive(Clone, Debug)]
pub struct Snapshots {
    dir: PathBuf,
    key: Arc<SigningKey>,
    settings: Manifest,
}

impl Snapshots {
    /// Those in `dir`, signed under `pseudonym_key`, of states with these settings.
    #[must_use]
    pub fn new(dir: &Path, pseudonym_key: &[u8], settings: Manifest) -> Self {
        Self { dir: dir.to_owned(), key: Arc::new(SigningKey::new(pseudonym_key)), settings }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Copies the state, and leaves the newest `keep` snapshots; `done` hears of each partition.
    pub fn create<S: Store>(
        &self,
        store: &S,
        now: Timestamp,
        keep: usize,
        mut done: impl FnMut(u64),
    ) -> Result<Signed, SnapshotError> {
        let draft = Draft::begin(&self.dir)?;
        let mut parts = Vec::new();
        let whole = digest::of_each(self.settings.partitions, |partition| {
            let (part, file) = copy_still(store, partition, &draft)?;
            parts.extend(file);
            done(1);
            Ok::<_, SnapshotError>(part)
        })?;
        let body = Body {
            format: FORMAT,
            created_at: now.to_string(),
            settings: self.settings.clone(),
            digest: whole.digest,
            partitions: parts,
        };
        let signed = draft.finish(body, now, &self.key)?;
        directory::remove_old(&self.dir, keep)?;
        Ok(signed)
    }

    /// All snapshots in a directory, the newest first. Their signatures are not looked at.
    pub fn list(dir: &Path) -> Result<Vec<Signed>, SnapshotError> {
        let names = directory::names(dir)?;
        names.iter().rev().map(|name| Signed::read(dir, name)).collect()
    }

    /// How many partitions the state has.
    #[must_use]
    pub fn partitions(&self) -> u64 {
        u64::from(self.settings.partitions)
    }

    /// The snapshot of that name, or the newest, with its signature checked.
    pub fn signed(&self, name: Option<&str>) -> Result<Signed, SnapshotError> {
        let names = directory::names(&self.dir)?;
        let found = match name {
            Some(name) => names.iter().find(|one| *one == name),
            None => names.last(),
        };
        let missing = || SnapshotError::None {
            what: name.map_or_else(|| "snapshot".to_owned(), |name| format!("snapshot {name}")),
            dir: self.dir.clone(),
        };
        let signed = Signed::read(&self.dir, found.ok_or_else(missing)?)?;
        signed.check(&self.key, &self.settings)?;
        Ok(signed)
    }

    /// Refuses a snapshot of a state with other settings than these.
    pub fn refuse_other_settings(&self, signed: &Signed) -> Result<(), SnapshotError> {
        match signed.body.settings.difference(&self.settings) {
            None => Ok(()),
            Some((key, stored, wanted)) => {
                let name = signed.name.clone();
                Err(SnapshotError::Settings { name, key, stored, wanted })
            }
        }
    }

    /// Checks every file of a snapshot against its signed manifest, and the digest of its documents.
    pub fn verify(&self, signed: &Signed, mut done: impl FnMut(u64)) -> Result<(), SnapshotError> {
        for part in &signed.body.partitions {
            self.verify_part(signed, part)?;
            done(1);
        }
        Ok(())
    }

    /// Checks one file, and visits its documents if it is sound.
    fn verify_part(&self, signed: &Signed, part: &Part) -> Result<(), SnapshotError> {
        let path = self.path(signed, part);
        let damaged = |what: String| SnapshotError::Damaged { path: path.clone(), what };
        let (size_bytes, sha256) = file::sha256(&path)?;
        if (size_bytes, &sha256) != (part.size_bytes, &part.sha256) {
            return Err(damaged(format!(
                "it has {size_bytes} bytes and the SHA-256 {sha256}, the signed manifest says \
                 {} bytes and {}",
                part.size_bytes, part.sha256
            )));
        }
        let mut hash = digest::Hash::default();
        let mut documents = 0;
        let mut reader = self.open(signed, part)?;
        while let Some((key, value)) = reader.next()? {
            hash.add(&key, &value).map_err(SnapshotError::Store)?;
            documents += 1;
        }
        let found = format!("{:016x}", hash.part(part.position).digest);
        if found != part.digest || documents != part.documents {
            return Err(damaged(format!(
                "its {documents} documents have the digest {found}, the signed manifest says {} \
                 and {}",
                part.documents, part.digest
            )));
        }
        Ok(())
    }

    fn open(&self, signed: &Signed, part: &Part) -> Result<Reader<BufReader<File>>, SnapshotError> {
        Reader::open(&self.path(signed, part), part.partition)
    }

    fn path(&self, signed: &Signed, part: &Part) -> PathBuf {
        self.dir.join(&signed.name).join(&part.file)
    }
}

/// A partition's digest, and its file unless there is nothing.
type Copied = (digest::Part, Option<Part>);

/// Copies one partition, again and again until it stood still for long enough.
fn copy_still<S: Store>(store: &S, partition: u16, draft: &Draft) -> Result<Copied, SnapshotError> {
    let begun = Instant::now();
    loop {
        match copy(store, partition, draft) {
            Err(SnapshotError::Store(StoreError::Moved { .. })) if begun.elapsed() < PATIENCE => {}
            other => return other,
        }
    }
}

fn copy<S: Store>(store: &S, partition: u16, draft: &Draft) -> Result<Copied, SnapshotError> {
    let snapshot = store.snapshot()?;
    let position = snapshot.position(partition)?;
    if position >= UNFINISHED {
        return Err(SnapshotError::Unfinished { partition });
    }
    let mut hash = digest::Hash::default();
    if position == 0 {
        return Ok((hash.part(0), None));
    }
    let name = format!("p{partition:04}.snapshot");
    let mut writer = Writer::create(&draft.path(&name), partition)?;
    let mut failed = Ok(());
    snapshot.scan(partition, &[], &[0xff], &mut |key, value| {
        let added = hash.add(key, value).map_err(SnapshotError::Store);
        match added.and_then(|()| writer.add(key, value)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Err(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failed?;
    let written = writer.finish()?;
    let part = hash.part(position);
    let file = Part {
        partition,
        position,
        digest: format!("{:016x}", part.digest),
        documents: written.documents,
        file: name,
        size_bytes: written.size_bytes,
        sha256: written.sha256,
    };
    Ok((part, Some(file)))
}
