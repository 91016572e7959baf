//! `[privacy]`: the key that turns customers into pseudonyms.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::ConfigError;
use super::key::Key;
use super::reader::Reader;
use super::secret::{self, Secret};
use super::{Config, Needs};

/// The key file in the data directory.
const FILE: &str = "pseudonym.key";

const MIN_BYTES: usize = 32;

/// Keeps the fingerprint apart from anything else that the key is hashed for.
const FINGERPRINT_DOMAIN: &[u8] = b"tallyhook/pseudonym-key/fingerprint/v1\0";

/// `[privacy]`.
#[derive(Clone, Debug)]
pub struct Privacy {
    /// `privacy.pseudonym_key`: a [`Secret`] of 32 bytes or more, the same on all processes that
    /// share a log. Default: made in `data.dir`; needed by `ingest` and `aggregate`.
    /// `TALLYHOOK_PRIVACY__PSEUDONYM_KEY`.
    pub pseudonym_key: Option<Secret>,
}

/// The key of all pseudonyms: 32 bytes or more. `Debug` shows its fingerprint only.
#[derive(Clone)]
pub struct PseudonymKey(Vec<u8>);

impl Privacy {
    pub(super) fn read(reader: &mut Reader<'_>, needs: Needs) -> Result<Self, ConfigError> {
        let key = Key::dotted("privacy.pseudonym_key");
        let secret = reader.secrets(&key)?.pop();
        let place = reader.place(&key);
        match &secret {
            Some(secret) => long_enough(secret, &place.to_string())?,
            None if needs.shared_key() => {
                let allowed = "all processes share one key: write 32 random bytes or more to a \
                               file and name it, \"file:PATH\"";
                return Err(reader.missing(&key, allowed));
            }
            None => {}
        }
        Ok(Self { pseudonym_key: secret })
    }
}

impl PseudonymKey {
    /// The configured key, else the one in the data directory, which is made on first use: 64
    /// hexadecimal digits, readable by its owner only.
    ///
    /// # Errors
    /// [`ConfigError::KeyFile`] if it cannot be made or read, [`ConfigError::Secret`] if it is
    /// shorter than 32 bytes.
    pub fn load_or_create(config: &Config) -> Result<Self, ConfigError> {
        if let Some(secret) = &config.privacy.pseudonym_key {
            return Ok(Self(secret.expose().to_vec()));
        }
        let dir = &config.data.dir;
        let path = dir.join(FILE);
        if !path.exists() {
            create(dir, &path).map_err(|source| ConfigError::KeyFile {
                action: "make",
                path: path.clone(),
                source,
            })?;
        }
        load(&path)
    }

    /// The bytes for the HMAC. Keep them out of messages.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// 16 hexadecimal digits that tell keys apart without giving them away: recorded with the
    /// state, since pseudonyms of different keys must never meet in it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest =
            Sha256::new().chain_update(FINGERPRINT_DOMAIN).chain_update(&self.0).finalize();
        hex(&digest[..8])
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PseudonymKey({})", self.fingerprint())
    }
}

fn load(path: &Path) -> Result<PseudonymKey, ConfigError> {
    let key_file = |source| ConfigError::KeyFile { action: "read", path: path.to_owned(), source };
    let bytes = secret::from_file(path).map_err(key_file)?;
    if bytes.len() < MIN_BYTES {
        let short = format!("{}; restore the file from a copy", too_short(bytes.len()));
        return Err(key_file(io::Error::new(ErrorKind::InvalidData, short)));
    }
    Ok(PseudonymKey(bytes))
}

/// Makes the key file whole or not at all: a crash leaves no short key behind, and of two
/// processes that start at once the second takes the first one's key.
fn create(dir: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut random = [0; MIN_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let draft: PathBuf = dir.join(format!(".{FILE}.{}", std::process::id()));
    let written = write(&draft, &random).and_then(|()| match fs::hard_link(&draft, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // Some mounted file systems have no links; a rename is whole too, only not exclusive.
        Err(_) => fs::rename(&draft, path),
    });
    let _ = fs::remove_file(&draft);
    written?;
    File::open(dir)?.sync_all()
}

fn write(draft: &Path, random: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    // Digits, since a raw key that ends in a newline's byte would lose it on reading.
    writeln!(file, "{}", hex(random))?;
    file.sync_all()
}

fn long_enough(secret: &Secret, place: &str) -> Result<(), ConfigError> {
    let length = secret.expose().len();
    if length >= MIN_BYTES {
        return Ok(());
    }
    Err(ConfigError::Secret {
        key: "privacy.pseudonym_key".to_owned(),
        place: place.to_owned(),
        reference: secret.reference().to_string(),
        problem: too_short(length),
        allowed: "use 32 bytes or more; one newline at a file's end does not count".into(),
    })
}

fn too_short(length: usize) -> String {
    format!("the key has {length} bytes, fewer than {MIN_BYTES}")
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
