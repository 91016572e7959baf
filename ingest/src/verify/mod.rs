//! Signature schemes: one pure file each. A body can be used only once it is [`Verified`].

mod shopify;
mod standard;

use common::config::{Platform, Secret};
use common::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

pub use shopify::sign_shopify;
pub use standard::sign_standard;

/// Finds a header by its lower-case name; a value that is not ASCII counts as absent.
pub type Headers<'h> = dyn Fn(&str) -> Option<&'h str> + 'h;

/// A body whose signature was right. Only [`Verifier::verify`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a>(&'a [u8]);

impl<'a> Verified<'a> {
    /// The raw bytes.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }
}

/// Checks the signatures of one source.
#[derive(Clone)]
pub enum Verifier {
    /// HMAC-SHA256 of the body, base64.
    Shopify(shopify::Scheme),
    /// Standard Webhooks v1: HMAC-SHA256 of `id.timestamp.body`, base64.
    Standard(standard::Scheme),
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shopify(_) => f.write_str("Verifier::Shopify(<redacted>)"),
            Self::Standard(_) => f.write_str("Verifier::Standard(<redacted>)"),
        }
    }
}

/// Why signatures of a source cannot be checked at all.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum VerifierError {
    /// The platform is known by name only.
    #[error("webhooks of the platform {0} cannot be verified yet: use shopify or standard")]
    Unsupported(Platform),
    /// A secret that starts with `whsec_` goes on with something else than base64.
    #[error("a secret that starts with whsec_ must go on with base64")]
    Secret,
}

/// Why a signature was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SignatureError {
    /// A header of the scheme is missing or empty.
    #[error("the signature is missing")]
    Missing,
    /// The header is not what the scheme says.
    #[error("the signature cannot be decoded")]
    Undecodable,
    /// None of the secrets made it.
    #[error("the signature does not match")]
    Mismatch,
    /// Signed too long ago, or in the future.
    #[error("the signature's timestamp is too far from the present")]
    Stale,
}

impl Verifier {
    /// For a platform with any of `secrets`.
    pub fn new(platform: Platform, secrets: &[Secret]) -> Result<Self, VerifierError> {
        let secrets = secrets.iter().map(Secret::expose);
        match platform {
            Platform::Shopify => Ok(Self::Shopify(shopify::Scheme::new(secrets))),
            Platform::Standard => Ok(Self::Standard(standard::Scheme::new(secrets)?)),
            Platform::WooCommerce | Platform::Stripe => Err(VerifierError::Unsupported(platform)),
        }
    }

    /// Checks the signature over the raw bytes of `body`, in constant time.
    pub fn verify<'a>(
        &self,
        headers: &Headers<'_>,
        body: &'a [u8],
        now: Timestamp,
    ) -> Result<Verified<'a>, SignatureError> {
        match self {
            Self::Shopify(scheme) => scheme.verify(headers, body)?,
            Self::Standard(scheme) => scheme.verify(headers, body, now)?,
        }
        Ok(Verified(body))
    }
}

/// A keyed HMAC, made once per secret and cloned per request.
pub(crate) fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so the fallback is never reached.
    Hmac::new_from_slice(secret)
        .unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()))
}

/// Whether `mac` made `digest` over `parts`; constant time.
fn matches(mac: &Hmac<Sha256>, parts: &[&[u8]], digest: &[u8; 32]) -> bool {
    let mut mac = mac.clone();
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(digest).is_ok()
}
