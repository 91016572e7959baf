//! The manifest of a snapshot: what its files are, signed.

use std::fs;
use std::path::Path;

use common::store::Manifest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::error::SnapshotError;

/// The format that this program writes and reads.
pub(super) const FORMAT: u32 = 1;
/// Keeps the signing key apart from anything else that the pseudonym key is used for.
const KEY_DOMAIN: &[u8] = b"tallyhook/snapshot/signature/v1";
/// The manifest and its signature.
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SIGNATURE: &str = "manifest.hmac-sha256";

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The format of manifest and files.
    pub format: u32,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// The settings that its state depends on.
    pub settings: Manifest,
    /// The digest of the whole state, 16 hexadecimal digits.
    pub digest: String,
    /// The partitions that hold anything.
    pub partitions: Vec<Part>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number.
    pub partition: u16,
    /// The position of the log that it stands for.
    pub position: u64,
    /// The digest of its documents, 16 hexadecimal digits.
    pub digest: String,
    /// How many documents there are.
    pub documents: u64,
    /// The file's name.
    pub file: String,
    /// The file's size.
    pub size_bytes: u64,
    /// The file's SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// A snapshot's manifest as it lies there.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The snapshot's name: that of its directory.
    pub name: String,
    /// What the manifest says; to be trusted after a check.
    pub body: Body,
    text: Vec<u8>,
    signature: Vec<u8>,
}

/// What every format has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Signs manifests. `Debug` shows nothing of it.
pub(super) struct SigningKey([u8; 32]);

impl SigningKey {
    pub(super) fn new(pseudonym_key: &[u8]) -> Self {
        let digest = mac(pseudonym_key, KEY_DOMAIN).finalize().into_bytes();
        Self(digest.into())
    }

    pub(super) fn sign(&self, text: &[u8]) -> String {
        hex(&mac(&self.0, text).finalize().into_bytes())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl Signed {
    /// Of a manifest that was just written.
    pub(super) fn new(name: String, body: Body, text: Vec<u8>, signature: String) -> Self {
        Self { name, body, text, signature: signature.into_bytes() }
    }

    /// Reads the manifest of a snapshot; nothing is checked yet.
    pub(super) fn read(dir: &Path, name: &str) -> Result<Self, SnapshotError> {
        let path = dir.join(name).join(MANIFEST);
        let text = fs::read(&path).map_err(SnapshotError::io("read", &path))?;
        let damaged = |error: serde_json::Error| SnapshotError::Damaged {
            path: path.clone(),
            what: error.to_string(),
        };
        // The number alone first: the rest may look otherwise in another format.
        let Format { format: found } = serde_json::from_slice(&text).map_err(damaged)?;
        if found != FORMAT {
            let name = name.to_owned();
            return Err(SnapshotError::Format { name, found, known: FORMAT });
        }
        let body = serde_json::from_slice(&text).map_err(damaged)?;
        let path = dir.join(name).join(SIGNATURE);
        let signature = fs::read(&path).map_err(SnapshotError::io("read", &path))?;
        let signature = signature.trim_ascii().to_vec();
        Ok(Self { name: name.to_owned(), body, text, signature })
    }

    /// Refuses a manifest that this key did not sign.
    pub(super) fn check(&self, key: &SigningKey, settings: &Manifest) -> Result<(), SnapshotError> {
        let signature = unhex(&self.signature).unwrap_or_default();
        if mac(&key.0, &self.text).verify_slice(&signature).is_ok() {
            return Ok(());
        }
        let (name, signed) = (self.name.clone(), self.body.settings.pseudonym_key.clone());
        let ours = settings.pseudonym_key.clone();
        // Not to be trusted, yet the likeliest cause.
        if signed == ours {
            Err(SnapshotError::Signature { name })
        } else {
            Err(SnapshotError::OtherKey { name, signed, ours })
        }
    }
}

fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so the fallback is never reached.
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
    mac.update(text);
    mac
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() % 2 == 0)?;
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
