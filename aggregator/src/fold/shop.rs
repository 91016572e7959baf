//! The shop's own document, and the settings of shops that the fold depends on.

use common::config::{Alarms, Config};
use common::currency::Currency;
use common::shop::ShopDomain;
use common::time::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::field::Sums;

/// What is known of a shop as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShopDoc {
    /// Up to when everything is forgotten that no later delivery carries.
    pub redacted: Option<Timestamp>,
    /// The sums of all buckets.
    pub totals: Sums,
    /// The greatest version instant of any event.
    pub last_event_at: Option<Timestamp>,
    /// When the event folded last was received: the present is never before that. Not the greatest
    /// such instant, so that a receiver whose clock was wrong once does no lasting harm.
    pub received_at: Timestamp,
}

impl ShopDoc {
    /// The present by a clock, which may be behind that of the receiver.
    #[must_use]
    pub fn present(&self, now: Timestamp) -> Timestamp {
        now.max(self.received_at)
    }

    /// When something happened last: what is dated ahead did by the time it was heard of.
    #[must_use]
    pub fn last_event(&self) -> Option<Timestamp> {
        self.last_event_at.map(|at| at.min(self.received_at))
    }
}

/// The settings of shops.
#[derive(Clone, Debug)]
pub struct ShopSettings {
    config: Config,
}

/// One shop's settings.
#[derive(Clone, Debug)]
pub struct ShopSetting {
    /// The currency of documents that name none.
    pub currency: Currency,
    /// The zone of its calendar.
    pub time_zone: TimeZone,
    /// The declared lifespan of a customer.
    pub lifespan_years: Option<f64>,
}

impl ShopSettings {
    /// The settings that a configuration gives.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self { config }
    }

    /// The settings of `shop`.
    #[must_use]
    pub fn of(&self, shop: &ShopDomain) -> ShopSetting {
        let found = self.config.shop(shop);
        ShopSetting {
            currency: found.currency,
            time_zone: found.time_zone,
            lifespan_years: found.clv_lifespan_years.and_then(|years| years.parse().ok()),
        }
    }

    /// How easily an alarm is raised; the fold does not depend on it.
    #[must_use]
    pub const fn alarms(&self) -> Alarms {
        self.config.alarms
    }
}

impl ShopSetting {
    /// The shop-local day that contains `at`, counted from the epoch.
    #[must_use]
    pub fn day(&self, at: Timestamp) -> i64 {
        let Ok(instant) = jiff::Timestamp::from_millisecond(at.ms()) else {
            return at.ms().div_euclid(common::time::DAY_MS);
        };
        let offset = i64::from(self.time_zone.to_offset(instant).seconds()) * 1000;
        at.ms().saturating_add(offset).div_euclid(common::time::DAY_MS)
    }
}
