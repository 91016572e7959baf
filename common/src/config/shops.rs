//! `[shops.default]` and `[shops."DOMAIN"]`: what documents do not say about their shop.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::error::{ConfigError, Place};
use super::key::Key;
use super::parse;
use super::reader::Reader;
use crate::currency::Currency;
use crate::shop::ShopDomain;

/// `[shops]`: the defaults, and what single shops have of their own. A shop needs no entry.
#[derive(Clone, Debug)]
pub struct Shops {
    /// `[shops.default]`.
    pub default: Shop,
    /// `[shops."a.myshopify.com"]`, not settable by the environment.
    pub by_domain: BTreeMap<ShopDomain, ShopOverride>,
}

/// The settings of a shop.
#[derive(Clone, Debug, PartialEq)]
pub struct Shop {
    /// `shops.default.currency`: ISO 4217, only where a document names none. Default `USD`.
    /// `TALLYHOOK_SHOPS__DEFAULT__CURRENCY`.
    pub currency: Currency,
    /// `shops.default.time_zone`: IANA name; local days are counted in it. Default `UTC`.
    /// `TALLYHOOK_SHOPS__DEFAULT__TIME_ZONE`.
    pub time_zone: TimeZone,
    /// `shops.default.clv_lifespan_years`: declared lifespan of a customer, a decimal above 0 and
    /// at most 100, as it was written. Default none: observed.
    /// `TALLYHOOK_SHOPS__DEFAULT__CLV_LIFESPAN_YEARS`.
    pub clv_lifespan_years: Option<String>,
}

/// What one shop has of its own; the rest is the default's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShopOverride {
    /// Instead of [`Shop::currency`].
    pub currency: Option<Currency>,
    /// Instead of [`Shop::time_zone`].
    pub time_zone: Option<TimeZone>,
    /// Instead of [`Shop::clv_lifespan_years`].
    pub clv_lifespan_years: Option<String>,
}

impl Shops {
    /// What holds for a shop.
    #[must_use]
    pub fn shop(&self, shop: &ShopDomain) -> Shop {
        let Shop { currency, time_zone, clv_lifespan_years } = self.default.clone();
        let own = self.by_domain.get(shop).cloned().unwrap_or_default();
        Shop {
            currency: own.currency.unwrap_or(currency),
            time_zone: own.time_zone.unwrap_or(time_zone),
            clv_lifespan_years: own.clv_lifespan_years.or(clv_lifespan_years),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ConfigError> {
        let section = Key::dotted("shops");
        let default = section.child("default");
        let default = Shop {
            currency: reader.required(&default.child("currency"), parse::currency)?,
            time_zone: reader.required(&default.child("time_zone"), parse::time_zone)?,
            clv_lifespan_years: reader
                .optional(&default.child("clv_lifespan_years"), parse::years)?,
        };
        let mut by_domain = BTreeMap::new();
        for name in reader.names_below("shops").into_iter().filter(|name| name != "default") {
            let key = section.child(&name);
            let place = reader.place(&key);
            let problem = match ShopDomain::parse(&name) {
                // A variable's name holds no domain; what it holds is a mistake for one.
                _ if matches!(place, Place::Environment(_)) => "not settable by a variable",
                Err(_) => "not a shop's domain",
                Ok(shop) if by_domain.contains_key(&shop) => "there twice",
                Ok(shop) => {
                    by_domain.insert(shop, shop_override(reader, &key)?);
                    continue;
                }
            };
            return Err(ConfigError::Invalid {
                place: place.to_string(),
                key: key.to_string(),
                found: format!("{name:?}"),
                problem: problem.into(),
                allowed: "use the file, once a domain: [shops.\"a.myshopify.com\"]".into(),
            });
        }
        Ok(Self { default, by_domain })
    }
}

fn shop_override(reader: &mut Reader<'_>, key: &Key) -> Result<ShopOverride, ConfigError> {
    Ok(ShopOverride {
        currency: reader.optional(&key.child("currency"), parse::currency)?,
        time_zone: reader.optional(&key.child("time_zone"), parse::time_zone)?,
        clv_lifespan_years: reader.optional(&key.child("clv_lifespan_years"), parse::years)?,
    })
}
