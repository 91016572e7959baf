//! Questions about shops, answered from a view of the store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::clock::Clock;
use common::customer::{CustomerKey, Identity, Pseudonymizer};
use common::partition::partition_of;
use common::shop::ShopDomain;
use common::store::{Snapshot, Store, StoreError, UNFINISHED};
use common::time::Timestamp;
use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::detect::budget::Thresholds;
use crate::feed::Ends;
use crate::fold::FOLD_VERSION;
use crate::fold::book::{Terms, book};
use crate::fold::digest::{self, Digest};
use crate::fold::field::{Counter, Field};
use crate::fold::shop::{ShopDoc, ShopSettings};
use crate::kpi::figures::Answer;
use crate::kpi::number::money;
use crate::kpi::reader::{ReadError, ShopReader, shops};
use crate::kpi::{Kpi, as_of, catalogue, live};
use crate::progress::Progress;
use crate::views::Views;
use crate::window::{Asked, Window};

/// A cheap answer is given anew each time; a dear one is kept for some times its cost, yet never so
/// long that an event would take a second to show.
const KEEP_FACTOR: u32 = 20;
/// How often a question is asked of a view that does not stand still.
const TRIES: u32 = 20;
/// How long a partition may move while it is digested.
const DIGEST_PATIENCE: Duration = Duration::from_secs(20);
/// The longest that an answer is kept.
const KEEP_MOST: Duration = Duration::from_millis(700);

/// Answers questions.
pub struct Query<S> {
    store: Arc<S>,
    ends: Arc<dyn Ends>,
    settings: Arc<ShopSettings>,
    partitions: u16,
    clock: Arc<dyn Clock>,
    pseudonyms: Pseudonymizer,
    views: Arc<Views>,
    progress: Arc<Progress>,
    mode: &'static str,
    lifespans: Mutex<FxHashMap<ShopDomain, KeptLifespan>>,
}

#[derive(Clone, Copy)]
struct KeptLifespan {
    years: Option<f64>,
    since: Instant,
    cost: Duration,
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
    /// The greatest version instant.
    pub last_event_at: Option<String>,
}

/// The reply of `/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusReply {
    version: &'static str,
    mode: &'static str,
    fold_version: u32,
    partitions: u16,
    lag_events: Option<u64>,
    replaying: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    halted: Option<String>,
}

/// The reply of `.../customers/{key}`.
#[derive(Debug, Serialize)]
pub struct CustomerReply {
    key: String,
    orders: u64,
    first_order_at: Option<String>,
    last_order_at: Option<String>,
    historic: Option<String>,
    currency: Option<String>,
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
        Self {
            store: parts.store,
            ends: parts.ends,
            settings: parts.settings,
            partitions: parts.partitions,
            clock: parts.clock,
            pseudonyms: parts.pseudonyms,
            views: parts.views,
            progress: parts.progress,
            mode: parts.mode,
            lifespans: Mutex::default(),
        }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
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
                let lifespan = || self.lifespan(shop, &reader, now);
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
            last_event_at: doc.last_event_at.map(|at| at.to_string()),
        })
    }

    /// What is known of a shop as a whole.
    pub fn shop_doc(&self, shop: &ShopDomain) -> Result<ShopDoc, ReadError> {
        self.viewed(|snapshot| {
            let reader = ShopReader::new(snapshot, self.partition(shop), shop);
            Ok(reader.shop()?.unwrap_or_default())
        })
    }

    /// A customer by any of its keys.
    pub fn customer(
        &self,
        shop: &ShopDomain,
        key: CustomerKey,
    ) -> Result<Option<CustomerReply>, ReadError> {
        self.viewed(|snapshot| self.customer_from(snapshot, shop, key))
    }

    fn customer_from(
        &self,
        snapshot: &dyn Snapshot,
        shop: &ShopDomain,
        key: CustomerKey,
    ) -> Result<Option<CustomerReply>, ReadError> {
        let reader = ShopReader::new(snapshot, self.partition(shop), shop);
        let setting = self.settings.of(shop);
        let doc = reader.shop()?.ok_or(ReadError::UnknownShop)?;
        let Some((root, class)) = reader.class(key)? else { return Ok(None) };
        let now = doc.present(self.now());
        let mut entries = class.purchases.entries(&mut reader.chunks())?;
        entries.retain(|entry| entry.placed_at <= now);
        let currencies = ShopReader::currencies(&doc);
        let whole = crate::kpi::figures::Whole::new(currencies, setting.currency);
        let currency = whole.value_currency.unwrap_or(setting.currency);
        let mut historic = 0;
        for entry in &entries {
            let Some(order) = reader.order(&entry.order)? else { continue };
            let terms = Terms {
                at: now,
                customer_redacted: class.redacted(),
                shop_currency: setting.currency,
            };
            let net = Field::money(Counter::PurchaseNet, currency);
            let bookings = book(&order, terms).bookings;
            historic +=
                bookings.iter().filter(|booking| booking.1 == net).map(|b| b.2).sum::<i128>();
        }
        Ok(Some(CustomerReply {
            key: root.to_string(),
            orders: entries.len() as u64,
            first_order_at: entries.first().map(|entry| entry.placed_at.to_string()),
            last_order_at: entries.last().map(|entry| entry.placed_at.to_string()),
            historic: Some(money(historic, currency)),
            currency: Some(currency.to_string()),
        }))
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

    /// How the process is doing.
    #[must_use]
    pub fn status(&self) -> StatusReply {
        StatusReply {
            version: env!("CARGO_PKG_VERSION"),
            mode: self.mode,
            fold_version: FOLD_VERSION,
            partitions: self.partitions,
            lag_events: self.lag().map(|lag| lag.iter().sum()),
            replaying: self.progress.replaying(),
            halted: self.halted(),
        }
    }

    /// Why a partition is not folded, or none is, if so.
    #[must_use]
    pub fn halted(&self) -> Option<String> {
        self.progress.halted()
    }

    /// Whether history is being folded.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.progress.replaying()
    }

    /// Records that nobody has folded yet, by partition; `None` where log or store cannot say.
    #[must_use]
    pub fn lag(&self) -> Option<Vec<u64>> {
        let ends = self.ends.end_positions()?;
        let behind = (0..).zip(ends).map(|(partition, end)| {
            let position = if self.progress.tells(partition) {
                self.progress.position(partition)
            } else {
                self.store.position(partition).ok()?
            };
            // A state that is being restored stands for nothing yet.
            let position = if position >= UNFINISHED { 0 } else { position };
            Some(end.saturating_sub(position))
        });
        behind.collect()
    }

    /// Whether this process folds the partition, and nobody else tells of it.
    #[must_use]
    pub fn tells(&self, partition: u16) -> bool {
        self.progress.tells(partition)
    }

    /// Warnings that do not make the process unready.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let passed = self.progress.passed_over().max(self.ends.corrupt_records());
        if passed > 0 {
            warnings.push(format!(
                "{passed} damaged records of the log were passed over; see `tallyhook log verify`"
            ));
        }
        warnings.extend(self.halted().map(|why| format!("the fold stopped: {why}")));
        warnings
    }

    /// Records in damaged parts of the log.
    #[must_use]
    pub fn corrupt_records(&self) -> u64 {
        self.progress.passed_over().max(self.ends.corrupt_records())
    }

    /// Whether the store answers.
    pub fn stored(&self) -> Result<(), StoreError> {
        self.store.position(0).map(|_| ())
    }

    /// Whether the log answers.
    #[must_use]
    pub fn logged(&self) -> bool {
        self.ends.end_positions().is_some()
    }

    /// The shops' settings.
    #[must_use]
    pub fn settings(&self) -> &ShopSettings {
        &self.settings
    }

    fn lifespan(
        &self,
        shop: &ShopDomain,
        reader: &ShopReader<'_>,
        now: Timestamp,
    ) -> Result<Option<f64>, StoreError> {
        let lock = || self.lifespans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = lock().get(shop)
            && kept.since.elapsed() < (kept.cost * KEEP_FACTOR).min(KEEP_MOST)
        {
            return Ok(kept.years);
        }
        let begun = Instant::now();
        let years = live::lifespan(reader, now)?;
        let kept = KeptLifespan { years, since: Instant::now(), cost: begun.elapsed() };
        lock().insert(shop.clone(), kept);
        Ok(years)
    }
}
