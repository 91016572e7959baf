//! Questions about shops, answered from a view of the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::clock::Clock;
use common::customer::{CustomerKey, Identity, Pseudonymizer};
use common::partition::partition_of;
use common::shop::ShopDomain;
use common::store::{Snapshot, Store, StoreError, UNFINISHED};
use common::time::Timestamp;
use serde::Serialize;

use crate::detect::budget::Thresholds;
use crate::feed::Ends;
use crate::fold::digest::{self, Digest};
use crate::fold::field::Counter;
use crate::fold::shop::{ShopDoc, ShopSettings};
use crate::health::Health;
use crate::kept::Kept;
use crate::kpi::compared::{Compared, Wanted};
use crate::kpi::figures::Answer;
use crate::kpi::periods::Periods;
use crate::kpi::reader::{ReadError, ShopReader, shops};
use crate::kpi::{Kpi, as_of, catalogue, live};
use crate::progress::Progress;
use crate::views::Views;
use crate::window::{Asked, Window};

/// How often a question is asked of a view that does not stand still.
const TRIES: u32 = 20;
/// How long a partition may move while it is digested.
const DIGEST_PATIENCE: Duration = Duration::from_secs(20);
/// The longest that a lifespan is kept: an event never takes a second to show.
const LIFESPAN_KEPT: Duration = Duration::from_millis(700);

/// The longest that a comparison is kept, and what is read so fast that it is read each time.
const COMPARISON_KEPT: Duration = Duration::from_mins(5);
const CHEAP: Duration = Duration::from_millis(100);

/// Answers questions.
pub struct Query<S> {
    store: Arc<S>,
    settings: Arc<ShopSettings>,
    partitions: u16,
    clock: Arc<dyn Clock>,
    pseudonyms: Pseudonymizer,
    views: Arc<Views>,
    health: Health<S>,
    lifespans: Kept<ShopDomain, Option<f64>>,
    /// By shop, hours and KPIs.
    pub(crate) comparisons: Kept<(ShopDomain, Periods, Wanted), Arc<Compared>>,
}

/// What a query is made of.
pub struct Parts<S> {
    /// The state.
    pub store: Arc<S>,
    /// How far the log reaches, for what is not folded yet.
    pub ends: Arc<dyn Ends>,
    /// The shops' settings.
    pub settings: Arc<ShopSettings>,
    /// The number of partitions.
    pub partitions: u16,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// For questions by platform id.
    pub pseudonyms: Pseudonymizer,
    /// Live sums.
    pub views: Arc<Views>,
    /// How far the fold is.
    pub progress: Arc<Progress>,
    /// The shape of the whole: `embedded` or `distributed`.
    pub mode: &'static str,
}

/// The reply of `.../kpis`.
#[derive(Debug, Serialize)]
pub struct KpisReply {
    /// The shop.
    pub shop: String,
    /// The instant asked for.
    pub as_of: Option<String>,
    /// The shop's time zone.
    pub time_zone: String,
    /// The figures.
    pub kpis: Vec<Kpi>,
}

/// A shop in `/v1/shops`.
#[derive(Debug, Serialize)]
pub struct ShopRow {
    /// Its domain.
    pub shop: String,
    /// The currencies of its documents.
    pub currencies: Vec<String>,
    /// Its time zone.
    pub time_zone: String,
    /// Orders until now.
    pub orders: i64,
    /// Customers until now.
    pub customers: i64,
    /// The greatest version instant, none later than what was received last.
    pub last_event_at: Option<String>,
}

struct Watch(Instant);

impl as_of::Stopwatch for Watch {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl<S: Store> Query<S> {
    /// Of its parts.
    #[must_use]
    pub fn new(parts: Parts<S>) -> Self {
        let store = Arc::clone(&parts.store);
        Self {
            health: Health::new(store, parts.ends, parts.progress, parts.partitions, parts.mode),
            store: parts.store,
            settings: parts.settings,
            partitions: parts.partitions,
            clock: parts.clock,
            pseudonyms: parts.pseudonyms,
            views: parts.views,
            lifespans: Kept::new(Duration::ZERO, LIFESPAN_KEPT),
            comparisons: Kept::new(CHEAP, COMPARISON_KEPT),
        }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How the process is doing.
    #[must_use]
    pub const fn health(&self) -> &Health<S> {
        &self.health
    }

    /// The stream and the live sums.
    #[must_use]
    pub const fn views(&self) -> &Arc<Views> {
        &self.views
    }

    /// How many partitions the log has.
    #[must_use]
    pub const fn partitions(&self) -> u16 {
        self.partitions
    }

    /// The partition of a shop.
    #[must_use]
    pub fn partition(&self, shop: &ShopDomain) -> u16 {
        partition_of(shop, self.partitions)
    }

    /// The KPIs of a shop.
    pub fn kpis(
        &self,
        shop: &ShopDomain,
        windows: &[Window],
        as_of: Option<Timestamp>,
    ) -> Result<KpisReply, ReadError> {
        let asked = as_of.map_or_else(|| Asked::Live { now: self.now() }, Asked::AsOf);
        let answer = self.answer(shop, windows, asked)?;
        let zone = self.settings.of(shop).time_zone;
        Ok(KpisReply {
            shop: shop.to_string(),
            as_of: as_of.map(|at| at.to_string()),
            time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
            kpis: catalogue::kpis(&answer),
        })
    }

    /// The sums behind the KPIs of a shop. The present of a live answer is never before the latest
    /// receipt, so it may be later than the one asked for.
    pub fn answer(
        &self,
        shop: &ShopDomain,
        windows: &[Window],
        asked: Asked,
    ) -> Result<Answer, ReadError> {
        self.viewed(|snapshot| self.answer_from(snapshot, shop, windows, asked))
    }

    /// What `ask` makes of a view. A view that does not stand still is taken anew a few times; the
    /// fold commits at most some times a second, and most questions are quicker.
    pub fn viewed<T>(
        &self,
        ask: impl Fn(&dyn Snapshot) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let mut tries = TRIES;
        loop {
            let snapshot = self.store.snapshot()?;
            match ask(&*snapshot) {
                Err(ReadError::Store(StoreError::Moved { .. })) if tries > 1 => tries -= 1,
                other => return other,
            }
        }
    }

    fn answer_from(
        &self,
        snapshot: &dyn Snapshot,
        shop: &ShopDomain,
        windows: &[Window],
        asked: Asked,
    ) -> Result<Answer, ReadError> {
        let (partition, position) = self.place(snapshot, shop)?;
        let reader = ShopReader::new(snapshot, partition, shop);
        let setting = self.settings.of(shop);
        match asked {
            Asked::AsOf(at) => {
                as_of::answer(&reader, &setting, windows, at, &Watch(Instant::now()))
            }
            Asked::Live { now } => {
                let now = reader.shop()?.unwrap_or_default().present(now);
                let sums = self.views.sums((partition, position), shop, &reader, now.hour())?;
                let lifespan = || self.lifespans.get(shop.clone(), || live::lifespan(&reader, now));
                live::answer(&reader, &sums, &setting, windows, now, lifespan)
            }
        }
    }

    /// The partition of a shop, and the position that it stands at in a view.
    pub(crate) fn place(
        &self,
        snapshot: &dyn Snapshot,
        shop: &ShopDomain,
    ) -> Result<(u16, u64), StoreError> {
        let partition = self.partition(shop);
        let position = snapshot.position(partition)?;
        if position >= UNFINISHED {
            // What is being restored is not there yet.
            return Err(StoreError::Moved { partition });
        }
        Ok((partition, position))
    }

    /// The scores at which alarms are raised.
    pub(crate) fn alarm_thresholds(&self) -> Thresholds {
        Thresholds::of(self.settings.alarms())
    }

    /// Every shop.
    pub fn shop_names(&self) -> Result<Vec<ShopDomain>, ReadError> {
        self.viewed(|snapshot| Ok(shops(snapshot, self.partitions)?))
    }

    /// Every shop with what is known of it as a whole.
    pub fn shops(&self) -> Result<Vec<ShopRow>, ReadError> {
        self.shop_names()?.iter().map(|shop| self.shop_row(shop)).collect()
    }

    fn shop_row(&self, shop: &ShopDomain) -> Result<ShopRow, ReadError> {
        let setting = self.settings.of(shop);
        let doc = self.shop_doc(shop)?;
        let answer = self.answer(shop, &[], Asked::Live { now: self.now() })?;
        let currencies = answer.whole.currencies.iter().map(ToString::to_string).collect();
        Ok(ShopRow {
            shop: shop.to_string(),
            currencies,
            time_zone: setting.time_zone.iana_name().unwrap_or("UTC").to_owned(),
            orders: i64::try_from(answer.all.sums.total(Counter::Orders)).unwrap_or(i64::MAX),
            customers: i64::try_from(answer.all.customers).unwrap_or(i64::MAX),
            last_event_at: doc.last_event().map(|at| at.to_string()),
        })
    }

    /// What is known of a shop as a whole.
    pub fn shop_doc(&self, shop: &ShopDomain) -> Result<ShopDoc, ReadError> {
        self.viewed(|snapshot| {
            let reader = ShopReader::new(snapshot, self.partition(shop), shop);
            Ok(reader.shop()?.unwrap_or_default())
        })
    }

    /// The key of a customer by the platform's id.
    #[must_use]
    pub fn customer_key(&self, shop: &ShopDomain, platform_id: &str) -> Option<CustomerKey> {
        self.pseudonyms.key(shop, Identity::Id(platform_id))
    }

    /// The digest of the state.
    pub fn digest(&self) -> Result<Digest, ReadError> {
        Ok(digest::of_moving(&*self.store, self.partitions, DIGEST_PATIENCE)?)
    }

    /// The shops' settings.
    #[must_use]
    pub fn settings(&self) -> &ShopSettings {
        &self.settings
    }
}
