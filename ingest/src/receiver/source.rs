//! One configured source: who may post there and how bodies are signed and shaped.

use common::config::{self, Attributes, Platform, Secret, ShopList};

use crate::verify::{Verifier, VerifierError};

/// How the bodies of a source are shaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Shopify's documents.
    Shopify,
    /// Event lines.
    Lines,
}

/// One configured source.
#[derive(Clone, Debug)]
pub struct Source {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) verifier: Verifier,
    pub(super) shops: ShopList,
    pub(super) attributes: Attributes,
}

impl Source {
    /// As configured under `name`.
    pub fn new(name: &str, configured: &config::Source) -> Result<Self, VerifierError> {
        let config::Source { platform, secrets, shops, attributes } = configured;
        Self::of(name, *platform, secrets, shops.clone(), attributes.clone())
    }

    /// From its parts.
    pub fn of(
        name: &str,
        platform: Platform,
        secrets: &[Secret],
        shops: ShopList,
        attributes: Attributes,
    ) -> Result<Self, VerifierError> {
        let verifier = Verifier::new(platform, secrets)?;
        let shape = match &verifier {
            Verifier::Shopify(_) => Shape::Shopify,
            Verifier::Standard(_) => Shape::Lines,
        };
        Ok(Self { name: name.to_owned(), shape, verifier, shops, attributes })
    }
}
