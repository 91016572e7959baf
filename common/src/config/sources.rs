//! `[sources.NAME]`: who may post webhooks, and with which secrets.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Needs;
use super::error::{ConfigError, Problem};
use super::key::Key;
use super::parse;
use super::reader::Reader;
use super::secret::Secret;
use crate::shop::ShopDomain;

/// A source's name, `[a-z0-9_]+`; the last part of its path: `/webhooks/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName(String);

/// `[sources.NAME]`.
#[derive(Clone, Debug)]
pub struct Source {
    /// `sources.NAME.platform`: how bodies are signed and shaped. Default: the source's own name,
    /// if it is a platform's. `TALLYHOOK_SOURCES__NAME__PLATFORM`.
    pub platform: Platform,
    /// `sources.NAME.secrets`: any of them may have signed; at least one, no default. Empty where
    /// the command does not receive webhooks. `TALLYHOOK_SOURCES__NAME__SECRETS=a,b`.
    pub secrets: Vec<Secret>,
    /// `sources.NAME.shops`: domains that may post here. Default `["*"]`, any.
    /// `TALLYHOOK_SOURCES__NAME__SHOPS=a.example,b.example`.
    pub shops: ShopList,
    /// `[sources.NAME.attributes]`.
    pub attributes: Attributes,
}

/// `[sources.NAME.attributes]`: the free-form fields that may enter events. All others are dropped
/// at the door, since they may hold personal data. Names are compared exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `line_properties`: names of properties of order lines. Default none.
    /// `TALLYHOOK_SOURCES__NAME__ATTRIBUTES__LINE_PROPERTIES=engraving,size`.
    pub line_properties: Vec<String>,
    /// `note_attributes`: names of attributes of orders. Default none.
    /// `TALLYHOOK_SOURCES__NAME__ATTRIBUTES__NOTE_ATTRIBUTES`.
    pub note_attributes: Vec<String>,
    /// `tags`: tags of orders. Default none. `TALLYHOOK_SOURCES__NAME__ATTRIBUTES__TAGS`.
    pub tags: Vec<String>,
}

/// The platforms that Tallyhook understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Platform {
    /// Shopify.
    Shopify,
    /// `WooCommerce`.
    WooCommerce,
    /// Stripe.
    Stripe,
    /// Standard Webhooks with event lines as bodies.
    Standard,
}

/// Which shops a source takes deliveries of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopList {
    /// Any, `["*"]`.
    Any,
    /// These; never empty.
    List(BTreeSet<ShopDomain>),
}

impl SourceName {
    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SourceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Platform {
    const ALL: [Self; 4] = [Self::Shopify, Self::WooCommerce, Self::Stripe, Self::Standard];

    /// The platform's name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shopify => "shopify",
            Self::WooCommerce => "woocommerce",
            Self::Stripe => "stripe",
            Self::Standard => "standard",
        }
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let found = Self::ALL.into_iter().find(|platform| platform.as_str() == text);
        found.ok_or_else(|| Problem::new("not a platform", PLATFORMS))
    }
}

const PLATFORMS: &str = "use shopify, woocommerce, stripe or standard";

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ShopList {
    /// Whether a shop may post.
    #[must_use]
    pub fn allows(&self, shop: &ShopDomain) -> bool {
        match self {
            Self::Any => true,
            Self::List(shops) => shops.contains(shop),
        }
    }

    /// The only listed shop: the one that a delivery without a shop means.
    #[must_use]
    pub fn only(&self) -> Option<&ShopDomain> {
        match self {
            Self::List(shops) if shops.len() == 1 => shops.first(),
            Self::Any | Self::List(_) => None,
        }
    }

    fn parse(texts: &[String]) -> Result<Self, Problem> {
        let allowed = "use [\"*\"] or a list of domains, for example [\"a.myshopify.com\"]";
        if texts == ["*"] {
            return Ok(Self::Any);
        }
        if texts.is_empty() {
            return Err(Problem::new("an empty list lets no shop in", allowed));
        }
        let shops: Result<BTreeSet<ShopDomain>, _> =
            texts.iter().map(|text| ShopDomain::parse(text)).collect();
        shops.map(Self::List).map_err(|_| Problem::new("not a list of domains", allowed))
    }
}

/// All sources. Secrets are resolved only for a command that verifies signatures, so that one
/// which reads the data needs none of them.
pub(super) fn read(
    reader: &mut Reader<'_>,
    needs: Needs,
) -> Result<BTreeMap<SourceName, Source>, ConfigError> {
    let section = Key::dotted("sources");
    let mut sources = BTreeMap::new();
    for name in reader.names_below("sources") {
        let key = section.child(&name);
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || !name.bytes().all(fits) {
            return Err(ConfigError::Invalid {
                place: reader.place(&key).to_string(),
                key: key.to_string(),
                found: format!("{name:?}"),
                problem: "not a source's name".into(),
                allowed: "use a-z, 0-9 and _, for example [sources.shopify]".into(),
            });
        }
        sources.insert(SourceName(name.clone()), source(reader, &key, &name, needs)?);
    }
    if sources.is_empty() && needs.sources() {
        return Err(ConfigError::NoSource);
    }
    Ok(sources)
}

fn source(
    reader: &mut Reader<'_>,
    key: &Key,
    name: &str,
    needs: Needs,
) -> Result<Source, ConfigError> {
    let platform_key = key.child("platform");
    let platform = match reader.optional(&platform_key, Platform::parse)? {
        Some(platform) => platform,
        None => Platform::parse(name)
            .map_err(|problem| reader.missing(&platform_key, problem.allowed))?,
    };
    let secrets_key = key.child("secrets");
    let secrets = if needs.sources() {
        let secrets = reader.secrets(&secrets_key)?;
        if secrets.is_empty() {
            let allowed = "list at least one, for example [\"env:SHOPIFY_SECRET\"]";
            return Err(reader.missing(&secrets_key, allowed));
        }
        secrets
    } else {
        reader.skip(&secrets_key)?;
        Vec::new()
    };
    let shops = reader.list(&key.child("shops"), ShopList::parse)?;
    let attributes = key.child("attributes");
    Ok(Source {
        platform,
        secrets,
        shops,
        attributes: Attributes {
            line_properties: reader.list(&attributes.child("line_properties"), parse::names)?,
            note_attributes: reader.list(&attributes.child("note_attributes"), parse::names)?,
            tags: reader.list(&attributes.child("tags"), parse::names)?,
        },
    })
}
