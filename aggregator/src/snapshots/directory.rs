//! The directory of snapshots: a draft becomes one with a rename, and old ones go.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use common::time::Timestamp;

use super::error::SnapshotError;
use super::signed::{Body, MANIFEST, SIGNATURE, Signed, SigningKey};

/// Held while a snapshot is made.
const LOCK: &str = ".lock";
/// A snapshot that is being made, or removed. Names that begin with a dot are not listed.
const DRAFT: &str = ".draft";
const GONE: &str = ".gone";

/// A snapshot that is being made.
pub(super) struct Draft {
    dir: PathBuf,
    path: PathBuf,
    // Given up with the value.
    _lock: File,
}

impl Draft {
    /// Begins one, after removing what a crash left of another.
    pub(super) fn begin(dir: &Path) -> Result<Self, SnapshotError> {
        let private = || DirBuilder::new().recursive(true).mode(0o700).create(dir);
        private().map_err(SnapshotError::io("make", dir))?;
        let lock = lock(dir)?;
        let draft = dir.join(DRAFT);
        for left in [&draft, &dir.join(GONE)] {
            remove(left).map_err(SnapshotError::io("remove", left))?;
        }
        let made = DirBuilder::new().mode(0o700).create(&draft);
        made.map_err(SnapshotError::io("make", &draft))?;
        Ok(Self { dir: dir.to_owned(), path: draft, _lock: lock })
    }

    /// The path of a file in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Signs the manifest and makes the draft a snapshot. Its files have been synced.
    pub(super) fn finish(
        self,
        body: Body,
        now: Timestamp,
        key: &SigningKey,
    ) -> Result<Signed, SnapshotError> {
        let path = self.path(MANIFEST);
        let text = serde_json::to_vec_pretty(&body)
            .map_err(|error| SnapshotError::io("write", &path)(error.into()))?;
        let signature = key.sign(&text);
        write(&path, &text)?;
        write(&self.path(SIGNATURE), format!("{signature}\n").as_bytes())?;
        sync(&self.path)?;
        let name = name_of(now, &body.digest);
        let path = self.dir.join(&name);
        fs::rename(&self.path, &path).map_err(SnapshotError::io("name", &path))?;
        sync(&self.dir)?;
        Ok(Signed::new(name, body, text, signature))
    }
}

/// The instant first and always as long, so that names sort as snapshots follow each other.
fn name_of(now: Timestamp, digest: &str) -> String {
    let second = Timestamp::from_seconds(now.ms().div_euclid(1_000)).to_string();
    let second = second.trim_end_matches('Z').replace(':', "-");
    let digest = digest.get(..8).unwrap_or_default();
    format!("{second}.{:03}Z-{digest}", now.ms().rem_euclid(1_000))
}

/// The names of all snapshots, the oldest first; none where there is no directory.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, SnapshotError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(SnapshotError::io("list", dir))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(SnapshotError::io("list", dir))?.file_name();
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with('.') && dir.join(&name).join(MANIFEST).is_file() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes all but the newest `keep`, each first out of sight.
pub(super) fn remove_old(dir: &Path, keep: usize) -> Result<(), SnapshotError> {
    let names = names(dir)?;
    for name in names.iter().take(names.len().saturating_sub(keep.max(1))) {
        let (path, gone) = (dir.join(name), dir.join(GONE));
        fs::rename(&path, &gone).map_err(SnapshotError::io("remove", &path))?;
        remove(&gone).map_err(SnapshotError::io("remove", &path))?;
    }
    sync(dir)
}

fn lock(dir: &Path) -> Result<File, SnapshotError> {
    let path = dir.join(LOCK);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(SnapshotError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SnapshotError::Busy { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(SnapshotError::io("lock", &path)(error)),
    }
}

fn write(path: &Path, text: &[u8]) -> Result<(), SnapshotError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text)?;
        file.sync_all()
    };
    write().map_err(SnapshotError::io("write", path))
}

fn sync(dir: &Path) -> Result<(), SnapshotError> {
    let sync = || File::open(dir)?.sync_all();
    sync().map_err(SnapshotError::io("sync", dir))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_their_instant() {
        let name = |ms| name_of(Timestamp::from_ms(ms), "0123456789abcdef");
        assert_eq!(name(1_700_000_000_000), "2023-11-14T22-13-20.000Z-01234567");
        assert!(name(1_700_000_000_999) < name(1_700_000_001_000));
        assert!(name(1_700_000_000_000) < name(1_700_000_000_001));
    }
}
