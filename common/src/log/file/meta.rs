//! What is fixed when a log is created, and the lock that keeps a second process out.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    OpenError,
    disk::Disk,
    format::{FORMAT_VERSION, MAX_PARTITIONS},
};

const META_FILE: &str = "log.json";
const META_TEMPORARY: &str = "log.json.tmp";
const LOCK_FILE: &str = "lock";

/// The content of the meta file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    /// Format of everything in the directory.
    pub format: u32,
    /// How many partitions the log has, for ever.
    pub partitions: u16,
    /// Differs from log to log; part of every checksum of a header.
    pub salt: u32,
}

impl Meta {
    /// Reads the meta file of a log that exists.
    pub(super) fn load(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(META_FILE);
        let text = fs::read(&path).map_err(|source| no_log(directory, &path, source))?;
        let meta: Self = serde_json::from_slice(&text)
            .map_err(|source| OpenError::Meta { path: path.clone(), source })?;
        if meta.format != FORMAT_VERSION {
            let (found, supported) = (meta.format, FORMAT_VERSION);
            return Err(OpenError::Format { path, found, supported });
        }
        Ok(meta)
    }

    /// Reads the meta file, or writes it if the log is new; refuses another number of partitions.
    pub(super) fn load_or_create(
        directory: &Path,
        partitions: u16,
        disk: &dyn Disk,
    ) -> Result<Self, OpenError> {
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            return Err(OpenError::PartitionCount { partitions });
        }
        match Self::load(directory) {
            Ok(meta) if meta.partitions == partitions => Ok(meta),
            Ok(meta) => Err(OpenError::Partitions {
                directory: directory.to_path_buf(),
                recorded: meta.partitions,
                configured: partitions,
            }),
            Err(OpenError::NoLog { .. }) => Self::create(directory, partitions, disk),
            Err(error) => Err(error),
        }
    }

    fn create(directory: &Path, partitions: u16, disk: &dyn Disk) -> Result<Self, OpenError> {
        // The salt only has to differ between logs, which the seed of a hash map gives for free.
        let salt = crc32fast::hash(&RandomState::new().build_hasher().finish().to_le_bytes());
        let meta = Self { format: FORMAT_VERSION, partitions, salt };
        let (temporary, path) = (directory.join(META_TEMPORARY), directory.join(META_FILE));
        let write = || -> io::Result<()> {
            let file = disk.create(&temporary)?;
            disk.write_at(&file, &serde_json::to_vec(&meta)?, 0)?;
            disk.sync_data(&file)?;
            disk.rename(&temporary, &path)
        };
        write().map_err(|source| OpenError::io(&path, source))?;
        Ok(meta)
    }
}

/// Creates a directory so that it survives the loss of power, as each file in it will.
pub(super) fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    create_directory(parent)?;
    fs::create_dir_all(directory)?;
    File::open(parent)?.sync_all()
}

fn no_log(directory: &Path, path: &Path, source: io::Error) -> OpenError {
    if source.kind() == io::ErrorKind::NotFound {
        OpenError::NoLog { directory: directory.to_path_buf() }
    } else {
        OpenError::io(path, source)
    }
}

/// Holds a log's directory as long as it lives.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the directory for writing; nobody else may have it open.
    pub(super) fn exclusive(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(LOCK_FILE);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| OpenError::io(&path, source))?;
        Self::check(file.try_lock(), file, path)
    }

    /// Takes the directory for reading; nobody may have it open for writing.
    pub(super) fn shared(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(LOCK_FILE);
        let file = File::open(&path).map_err(|source| no_log(directory, &path, source))?;
        Self::check(file.try_lock_shared(), file, path)
    }

    fn check(
        locked: Result<(), TryLockError>,
        file: File,
        path: PathBuf,
    ) -> Result<Self, OpenError> {
        match locked {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(OpenError::io(&path, source)),
        }
    }
}
