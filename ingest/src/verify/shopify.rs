//! Shopify's signature: base64 of the HMAC-SHA256 of the raw body under the client secret's text.
//!
//! The digest covers the body alone. Topic, shop and times stand in unsigned headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{Headers, SignatureError, keyed, matches};

/// The header of webhooks, and that of their successor.
const HEADERS: [&str; 2] = ["x-shopify-hmac-sha256", "shopify-hmac-sha256"];

/// Shopify's scheme with the source's secrets.
#[derive(Clone)]
pub struct Scheme {
    keys: Vec<Hmac<Sha256>>,
}

impl Scheme {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Self {
        Self { keys: secrets.map(keyed).collect() }
    }

    pub(super) fn verify(&self, headers: &Headers<'_>, body: &[u8]) -> Result<(), SignatureError> {
        let header = HEADERS.iter().find_map(|name| headers(name)).unwrap_or_default();
        if header.is_empty() {
            return Err(SignatureError::Missing);
        }
        let digest = STANDARD.decode(header).map_err(|_| SignatureError::Undecodable)?;
        let digest: [u8; 32] = digest.try_into().map_err(|_| SignatureError::Undecodable)?;
        // Every key is tried, so that the time does not tell which one matched.
        let found =
            self.keys.iter().fold(false, |found, key| found | matches(key, &[body], &digest));
        if found { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

/// The signature header's value for `body` under `secret`.
#[must_use]
pub fn sign_shopify(secret: &[u8], body: &[u8]) -> String {
    let mut mac = keyed(secret);
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}
