//! Shop domains: the tenant key of every event and every state key.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A shop's domain in lower case, for example `a.myshopify.com`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShopDomain(Arc<str>);

/// A text that cannot be a shop's domain.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a shop is 1 to 253 letters, digits, dots, hyphens or underscores")]
pub struct BadShop;

impl ShopDomain {
    /// Parses and lower-cases a domain.
    pub fn parse(text: &str) -> Result<Self, BadShop> {
        let text = text.trim();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if text.is_empty() || text.len() > 253 || !text.bytes().all(allowed) {
            return Err(BadShop);
        }
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        Ok(Self(text.into()))
    }

    /// The domain's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShopDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ShopDomain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ShopDomain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::parsed(deserializer, "a shop's domain", Self::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_cases_and_refuses() {
        assert_eq!(
            ShopDomain::parse(" A.MyShopify.com ").expect("a domain").as_str(),
            "a.myshopify.com"
        );
        for text in ["", "a b", "a/b", "{shop}.myshopify.com", "ü.example"] {
            assert_eq!(ShopDomain::parse(text), Err(BadShop), "{text}");
        }
    }
}
