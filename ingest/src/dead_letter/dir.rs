//! The embedded home of dead letters: a directory with one sealed file each.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use common::time::Timestamp;
use futures_util::future::BoxFuture;

use super::sealed::{Seal, envelope_len, head_len};
use super::{DeadLetter, KeepError, KeepLetter, RETENTION_MS, Sealed, Summary};

const EXTENSION: &str = "letter";
const DRAFT: &str = ".draft-";

/// A letter's id: the milliseconds at which it was taken, and a random part. Sorts by age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId(String);

impl LetterId {
    fn new(received_at: Timestamp) -> Self {
        Self(format!("{:014}-{}", received_at.ms().max(0), uuid::Uuid::new_v4().simple()))
    }

    /// Reads an id; `None` for what cannot be one, a path above all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (ms, random) = text.split_once('-')?;
        let fits = ms.len() >= 14
            && ms.bytes().all(|b| b.is_ascii_digit())
            && random.len() == 32
            && random.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| Self(text.to_owned()))
    }

    /// When the letter was taken.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        let ms = self.0.split('-').next().and_then(|ms| ms.parse().ok());
        Timestamp::from_ms(ms.unwrap_or(0))
    }
}

impl LetterId {
    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A directory of dead letters. Clones share it. Its methods block, [`KeepLetter::keep`] aside.
#[derive(Clone)]
pub struct DeadLetterDir {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    seal: Seal,
    limit_bytes: u64,
    /// Bytes of all letters.
    used_bytes: Mutex<u64>,
}

impl fmt::Debug for DeadLetterDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DeadLetterDir").field(&self.shared.path).finish()
    }
}

impl DeadLetterDir {
    /// Opens or makes the directory `path`, mode 0700. The letters are sealed with a key derived
    /// from `pseudonym_key`; all of them together hold at most `limit_bytes`.
    pub fn open(path: &Path, pseudonym_key: &[u8], limit_bytes: u64) -> Result<Self, KeepError> {
        Self::open_with(path, pseudonym_key, limit_bytes, true)
    }

    /// The same beside a process that may be writing letters to it.
    pub fn open_beside(
        path: &Path,
        pseudonym_key: &[u8],
        limit_bytes: u64,
    ) -> Result<Self, KeepError> {
        Self::open_with(path, pseudonym_key, limit_bytes, false)
    }

    fn open_with(
        path: &Path,
        pseudonym_key: &[u8],
        limit_bytes: u64,
        tidy: bool,
    ) -> Result<Self, KeepError> {
        let failed = io_error("open");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let mut used_bytes = 0;
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(DRAFT) {
                // What a crash left behind was never acknowledged.
                if tidy {
                    fs::remove_file(entry.path()).map_err(failed)?;
                }
            } else if id_of(&entry.path()).is_some() {
                used_bytes += entry.metadata().map_err(failed)?.len();
            }
        }
        let (path, seal) = (path.to_owned(), Seal::new(pseudonym_key));
        let used_bytes = Mutex::new(used_bytes);
        Ok(Self { shared: Arc::new(Shared { path, seal, limit_bytes, used_bytes }) })
    }

    /// Keeps a letter durably and returns its id.
    pub fn keep_blocking(&self, letter: &DeadLetter) -> Result<LetterId, KeepError> {
        let sealed = self.seal(letter)?;
        self.keep_sealed(&sealed)?;
        Ok(sealed.id)
    }

    /// Gives a letter its id and seals it.
    pub(super) fn seal(&self, letter: &DeadLetter) -> Result<Sealed, KeepError> {
        let id = LetterId::new(letter.envelope.received_at);
        let bytes = self.shared.seal.seal(&id.0, letter)?;
        Ok(Sealed { id, envelope: letter.envelope.clone(), bytes: bytes.into() })
    }

    /// Keeps a sealed letter durably.
    pub(super) fn keep_sealed(&self, letter: &Sealed) -> Result<(), KeepError> {
        let size_bytes = letter.bytes.len() as u64;
        self.reserve(size_bytes)?;
        self.write(&letter.id, &letter.bytes).map_err(|error| {
            self.release(size_bytes);
            io_error("write")(error)
        })
    }

    /// A letter as it was sealed; `None` if there is none of that id, or it cannot be opened.
    pub(super) fn sealed(&self, id: &LetterId) -> Result<Option<Sealed>, KeepError> {
        let bytes = match fs::read(self.file(id)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read")(error)),
        };
        let envelope = self.shared.seal.open(&id.0, &bytes).map(|letter| letter.envelope);
        let id = id.clone();
        Ok(envelope.map(|envelope| Sealed { id, envelope, bytes: bytes.into() }))
    }

    /// What a sealed letter of another place holds; `None` if it cannot be opened.
    #[must_use]
    pub fn unseal(&self, id: &LetterId, bytes: &[u8]) -> Option<DeadLetter> {
        self.shared.seal.open(&id.0, bytes)
    }

    /// All letters, the oldest first. Bodies are not read.
    pub fn list(&self) -> Result<Vec<Summary>, KeepError> {
        let mut ids = self.ids()?;
        ids.sort_unstable();
        let summaries = ids.into_iter().map(|id| self.summary(id));
        // A letter that was removed meanwhile is simply not there.
        summaries.filter_map(Result::transpose).collect()
    }

    /// One letter with its body; `None` if there is none of that id.
    pub fn show(&self, id: &LetterId) -> Result<Option<DeadLetter>, KeepError> {
        match fs::read(self.file(id)) {
            Ok(file) => {
                let letter = self.shared.seal.open(&id.0, &file);
                letter.map(Some).ok_or_else(|| KeepError::Unsealed { id: id.0.clone() })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read")(error)),
        }
    }

    /// Removes a letter, for example after a retry; whether there was one.
    pub fn remove(&self, id: &LetterId) -> Result<bool, KeepError> {
        let path = self.file(id);
        let size_bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        match fs::remove_file(&path) {
            Ok(()) => {
                self.release(size_bytes);
                self.sync_dir().map_err(io_error("remove"))?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io_error("remove")(error)),
        }
    }

    /// Removes what is older than 30 days at `now`; how many. To be called at start and hourly.
    pub fn purge(&self, now: Timestamp) -> Result<usize, KeepError> {
        let oldest = now.plus_ms(-RETENTION_MS);
        let mut purged = 0;
        for id in self.ids()?.into_iter().filter(|id| id.received_at() < oldest) {
            purged += usize::from(self.remove(&id)?);
        }
        Ok(purged)
    }

    pub(super) fn ids(&self) -> Result<Vec<LetterId>, KeepError> {
        let failed = io_error("list");
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.shared.path).map_err(failed)? {
            ids.extend(id_of(&entry.map_err(failed)?.path()));
        }
        Ok(ids)
    }

    fn summary(&self, id: LetterId) -> Result<Option<Summary>, KeepError> {
        let read = || -> io::Result<_> {
            let mut file = File::open(self.file(&id))?;
            let size_bytes = file.metadata()?.len();
            let mut head = vec![0; head_len()];
            file.read_exact(&mut head)?;
            let mut envelope = vec![0; envelope_len(&head).unwrap_or(0)];
            file.read_exact(&mut envelope)?;
            Ok((size_bytes, envelope))
        };
        match read() {
            Ok((size_bytes, sealed)) => {
                let envelope = self.shared.seal.open_envelope(&id.0, &sealed);
                Ok(Some(Summary { id, envelope, size_bytes }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Ok(Some(Summary { id, envelope: None, size_bytes: 0 }))
            }
            Err(error) => Err(io_error("read")(error)),
        }
    }

    fn file(&self, id: &LetterId) -> PathBuf {
        self.shared.path.join(format!("{id}.{EXTENSION}"))
    }

    /// Writes a letter whole or not at all.
    fn write(&self, id: &LetterId, sealed: &[u8]) -> io::Result<()> {
        let draft = self.shared.path.join(format!("{DRAFT}{id}"));
        let written = || {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(sealed)?;
            file.sync_all()?;
            fs::rename(&draft, self.file(id))?;
            self.sync_dir()
        };
        written().inspect_err(|_| {
            // Nothing was acknowledged; whichever of the two files there is goes.
            let _ = fs::remove_file(&draft);
            let _ = fs::remove_file(self.file(id));
        })
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.shared.path)?.sync_all()
    }

    fn reserve(&self, size_bytes: u64) -> Result<(), KeepError> {
        let mut used = self.shared.used_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let limit_bytes = self.shared.limit_bytes;
        if used.saturating_add(size_bytes) > limit_bytes {
            return Err(KeepError::Full { limit_bytes });
        }
        *used += size_bytes;
        Ok(())
    }

    fn release(&self, size_bytes: u64) {
        let mut used = self.shared.used_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.saturating_sub(size_bytes);
    }
}

impl KeepLetter for DeadLetterDir {
    fn keep(&self, letter: DeadLetter) -> BoxFuture<'_, Result<(), KeepError>> {
        let this = self.clone();
        Box::pin(async move {
            let kept = tokio::task::spawn_blocking(move || this.keep_blocking(&letter)).await;
            let stopped = |_| io_error("write")(io::Error::other("the write was stopped"));
            kept.map_err(stopped)?.map(|_| ())
        })
    }
}

fn id_of(path: &Path) -> Option<LetterId> {
    let is_letter = path.extension().is_some_and(|extension| extension == EXTENSION);
    is_letter.then(|| LetterId::parse(path.file_stem()?.to_str()?)).flatten()
}

fn io_error(action: &'static str) -> impl Fn(io::Error) -> KeepError + Copy {
    move |source| KeepError::Io { action, source }
}
