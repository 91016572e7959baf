//! Customer identity: who an order belongs to, as a keyed pseudonym and never as a person.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;

use crate::shop::ShopDomain;

/// A customer's pseudonym: the first 128 bits of an HMAC-SHA256 over shop and identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerKey([u8; 16]);

impl CustomerKey {
    /// From its 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Parses 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|value| Self(value.to_be_bytes()))
    }
}

impl fmt::Display for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for CustomerKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CustomerKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let parse =
                |text: &str| Self::parse(text).ok_or("a customer key is 32 hexadecimal digits");
            return crate::text::parsed(deserializer, "32 hexadecimal digits", parse);
        }
        <[u8; 16]>::deserialize(deserializer).map(Self)
    }
}

/// What a platform knows a customer by; lives only inside `ingest` and the query for one customer.
#[derive(Clone, Copy)]
pub enum Identity<'a> {
    /// The platform's customer id.
    Id(&'a str),
    /// An e-mail address, as written.
    Email(&'a str),
    /// A phone number, as written.
    Phone(&'a str),
}

/// Turns identities into pseudonyms with a secret key.
#[derive(Clone)]
pub struct Pseudonymizer {
    keyed: Hmac<Sha256>,
}

impl fmt::Debug for Pseudonymizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonymizer(<redacted>)")
    }
}

impl Pseudonymizer {
    /// With `key`, which must be the same on every process that shares a log or a store.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let keyed = Hmac::new_from_slice(key)
            .unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
        Self { keyed }
    }

    /// The pseudonym of `identity` in `shop`; `None` where the identity is empty once normalised.
    ///
    /// The message is `shop + "\0id:" + id`, `"\0email:"` or `"\0phone:"` (CONTRACT, section 5).
    #[must_use]
    pub fn key(&self, shop: &ShopDomain, identity: Identity<'_>) -> Option<CustomerKey> {
        let (kind, value) = match identity {
            Identity::Id(id) => ("\0id:", id.trim().to_owned()),
            Identity::Email(email) => ("\0email:", normalise_email(email)),
            Identity::Phone(phone) => ("\0phone:", normalise_phone(phone)),
        };
        if value.is_empty() {
            return None;
        }
        let mut mac = self.keyed.clone();
        mac.update(shop.as_str().as_bytes());
        mac.update(kind.as_bytes());
        mac.update(value.as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Some(CustomerKey(key))
    }
}

/// Trimmed, NFC, lower case; no dot or plus folding.
fn normalise_email(email: &str) -> String {
    email.trim().nfc().collect::<String>().to_lowercase()
}

/// Digits only.
fn normalise_phone(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(identity: Identity<'_>) -> Option<CustomerKey> {
        let shop = ShopDomain::parse("a.example").expect("a shop");
        Pseudonymizer::new(&[7; 32]).key(&shop, identity)
    }

    #[test]
    fn normalises_before_hashing() {
        assert_eq!(key(Identity::Email(" Ann@X.example ")), key(Identity::Email("ann@x.example")));
        assert_eq!(key(Identity::Email("e\u{301}@x")), key(Identity::Email("\u{e9}@x")));
        assert_ne!(key(Identity::Email("a.b@x")), key(Identity::Email("ab@x")));
        assert_eq!(key(Identity::Phone("+49 (30) 1")), key(Identity::Phone("49301")));
        assert_ne!(key(Identity::Id("1")), key(Identity::Phone("1")));
        assert_eq!(key(Identity::Phone("n/a")), None);
        assert_eq!(key(Identity::Email("  ")), None);
    }

    /// Computed with `openssl dgst -sha256 -mac HMAC`.
    #[test]
    fn is_the_contracts_hmac() {
        let shop = ShopDomain::parse("r.example").expect("a shop");
        let key =
            Pseudonymizer::new(b"0123456789abcdef0123456789abcdef").key(&shop, Identity::Id("72"));
        assert_eq!(key.expect("a key").to_string(), "3736dc51213a6f37a147f83e83317fe2");
    }
}
