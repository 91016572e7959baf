//! Standard Webhooks, version 1 (standardwebhooks.com): HMAC-SHA256 of `id.timestamp.body`.
//!
//! The key is the base64 after `whsec_`. A secret without that prefix counts as the raw bytes and,
//! where it is base64 of 24 to 64 bytes, as these: senders do both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::time::Timestamp;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{Headers, SignatureError, VerifierError, keyed, matches};

/// How far a delivery's timestamp may be from the present, either way.
const TOLERANCE_MS: u64 = 5 * 60 * 1000;

/// The most signatures of one header that are looked at.
const MAX_SIGNATURES: usize = 16;

/// The scheme with the source's secrets.
#[derive(Clone)]
pub struct Scheme {
    keys: Vec<Hmac<Sha256>>,
}

impl Scheme {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Result<Self, VerifierError> {
        let mut keys = Vec::new();
        for secret in secrets {
            if let Some(encoded) = secret.strip_prefix(b"whsec_") {
                let key = STANDARD.decode(encoded).map_err(|_| VerifierError::Secret)?;
                keys.push(keyed(&key));
                continue;
            }
            keys.push(keyed(secret));
            if let Ok(key) = STANDARD.decode(secret)
                && (24..=64).contains(&key.len())
            {
                keys.push(keyed(&key));
            }
        }
        Ok(Self { keys })
    }

    pub(super) fn verify(
        &self,
        headers: &Headers<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let header = |name| headers(name).filter(|value| !value.is_empty());
        let id = header("webhook-id").ok_or(SignatureError::Missing)?;
        let timestamp = header("webhook-timestamp").ok_or(SignatureError::Missing)?;
        let signatures = header("webhook-signature").ok_or(SignatureError::Missing)?;

        let seconds: i64 = timestamp.parse().map_err(|_| SignatureError::Undecodable)?;
        let signed_at_ms = seconds.checked_mul(1000).ok_or(SignatureError::Stale)?;
        if now.ms().abs_diff(signed_at_ms) > TOLERANCE_MS {
            return Err(SignatureError::Stale);
        }

        let parts: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let mut decoded = false;
        for signature in signatures.split(' ').take(MAX_SIGNATURES) {
            let Some(encoded) = signature.strip_prefix("v1,") else { continue };
            let digest = STANDARD.decode(encoded).ok();
            let Some(digest) = digest.and_then(|digest| <[u8; 32]>::try_from(digest).ok()) else {
                continue;
            };
            decoded = true;
            if self.keys.iter().any(|key| matches(key, &parts, &digest)) {
                return Ok(());
            }
        }
        Err(if decoded { SignatureError::Mismatch } else { SignatureError::Undecodable })
    }
}

/// The signature header's value for `body` under the key `key`, already decoded.
#[must_use]
pub fn sign_standard(key: &[u8], id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
    let mut mac = keyed(key);
    mac.update(format!("{id}.{timestamp_seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
