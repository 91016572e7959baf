//! How a dead letter lies on disk: envelope and body, each sealed with `XChaCha20-Poly1305`.
//!
//! ```text
//! "THDL1\n" | u32 length of the sealed envelope | nonce (24) | envelope | nonce (24) | body
//! ```
//! The letter's id and the part's name are authenticated with each part, so that neither files nor
//! parts can be swapped. The envelope comes first: a list reads no bodies.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::Mac as _;

use super::{DeadLetter, Envelope, KeepError};
use crate::verify::keyed;

const MAGIC: &[u8; 6] = b"THDL1\n";
const NONCE_LEN: usize = 24;
const HEAD_LEN: usize = MAGIC.len() + 4;

/// Separates this key from everything else that the pseudonym key is used for.
const KEY_DOMAIN: &[u8] = b"tallyhook/dead-letters/v1";

/// The largest envelope that is read.
const MAX_ENVELOPE_LEN: usize = 1 << 20;

/// Seals and opens letters.
#[derive(Clone)]
pub(super) struct Seal {
    cipher: XChaCha20Poly1305,
}

impl Seal {
    /// With a key derived from the pseudonym key.
    pub(super) fn new(pseudonym_key: &[u8]) -> Self {
        let mut mac = keyed(pseudonym_key);
        mac.update(KEY_DOMAIN);
        let key: [u8; 32] = mac.finalize().into_bytes().into();
        Self { cipher: XChaCha20Poly1305::new(&key.into()) }
    }

    /// The bytes of a letter's file.
    pub(super) fn seal(&self, id: &str, letter: &DeadLetter) -> Result<Vec<u8>, KeepError> {
        let envelope = serde_json::to_vec(&letter.envelope).map_err(|_| KeepError::Seal)?;
        let envelope = self.seal_part(id, "envelope", &envelope)?;
        let body = self.seal_part(id, "body", &letter.body)?;
        let length = u32::try_from(envelope.len()).map_err(|_| KeepError::Seal)?;
        let mut file = Vec::with_capacity(HEAD_LEN + envelope.len() + body.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&length.to_be_bytes());
        file.extend_from_slice(&envelope);
        file.extend_from_slice(&body);
        Ok(file)
    }

    /// Reads a whole file.
    pub(super) fn open(&self, id: &str, file: &[u8]) -> Option<DeadLetter> {
        let (head, rest) = file.split_at_checked(HEAD_LEN)?;
        let (envelope, body) = rest.split_at_checked(envelope_len(head)?)?;
        let envelope = self.open_envelope(id, envelope)?;
        Some(DeadLetter { envelope, body: self.open_part(id, "body", body)? })
    }

    /// Reads the envelope alone.
    pub(super) fn open_envelope(&self, id: &str, sealed: &[u8]) -> Option<Envelope> {
        serde_json::from_slice(&self.open_part(id, "envelope", sealed)?).ok()
    }

    fn seal_part(&self, id: &str, part: &str, plain: &[u8]) -> Result<Vec<u8>, KeepError> {
        let nonce = nonce();
        let aad = format!("{id}/{part}");
        let payload = Payload { msg: plain, aad: aad.as_bytes() };
        let sealed =
            self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| KeepError::Seal)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn open_part(&self, id: &str, part: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let aad = format!("{id}/{part}");
        let payload = Payload { msg: sealed, aad: aad.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()
    }
}

/// The length of a file's head, which tells that of the envelope.
pub(super) const fn head_len() -> usize {
    HEAD_LEN
}

/// The length of the sealed envelope that follows `head`.
pub(super) fn envelope_len(head: &[u8]) -> Option<usize> {
    let length = head.strip_prefix(MAGIC)?.first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (length <= MAX_ENVELOPE_LEN).then_some(length)
}

/// 24 random bytes: two version 4 UUIDs hold 244 random bits.
fn nonce() -> [u8; NONCE_LEN] {
    let (first, second) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let mut nonce = [0; NONCE_LEN];
    nonce[..16].copy_from_slice(first.as_bytes());
    nonce[16..].copy_from_slice(&second.as_bytes()[8..]);
    nonce
}
