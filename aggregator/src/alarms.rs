//! The alarms of a shop as the API tells them.

use std::sync::Arc;

use common::id::Id;
use common::shop::ShopDomain;
use common::store::{Snapshot, Store};
use common::time::{HOUR_MS, Timestamp};
use serde::Serialize;

use crate::detect::alarm::{Alarm, Scan, Standout};
use crate::detect::by_product;
use crate::detect::came_back::CameBack;
use crate::detect::counts::Counts;
use crate::detect::detection::{Detection, ProductSeries};
use crate::detect::glr::Excess;
use crate::fold::watched::Cause;
use crate::kpi::reader::{ReadError, ShopReader};
use crate::query::Query;

/// The reply of `.../alarms`.
#[derive(Debug, Serialize)]
pub struct AlarmsReply {
    shop: String,
    as_of: Option<String>,
    /// Up to when orders and returns took part: the end of the last hour that is over.
    evaluated_to: String,
    /// Since when the shop is watched; null while it is too young.
    watched_since: Option<String>,
    /// The score at which an alarm is raised.
    threshold: f64,
    scores: Vec<ScoreRow>,
    /// The score at which an alarm of a product is raised.
    product_threshold: f64,
    /// The products that are watched.
    products: Vec<ProductScoreRow>,
    alarms: Vec<AlarmRow>,
}

#[derive(Debug, Serialize)]
struct ScoreRow {
    reason: &'static str,
    score: f64,
}

#[derive(Debug, Serialize)]
struct ProductScoreRow {
    product: String,
    score: f64,
}

#[derive(Debug, Serialize)]
struct AlarmRow {
    /// The product, in an alarm of one.
    product: Option<String>,
    reason: &'static str,
    scan: &'static str,
    active: bool,
    /// Since when more come back: the beginning of the window that exceeds most.
    since: String,
    raised_at: String,
    ended_at: Option<String>,
    peak_at: String,
    peak_statistic: f64,
    #[serde(flatten)]
    excess: ExcessRow,
    window_hours: Option<usize>,
    cohort_days: Option<usize>,
    reasons: Vec<ReasonRow>,
    /// The products that stand out among what came back; in the alarm of a product that one alone.
    products: Vec<ProductRow>,
}

#[derive(Debug, Serialize)]
struct ProductRow {
    /// Its id, or the article number where the platform gives none.
    product: String,
    returned_orders: u64,
    /// How many are due, in an alarm of the shop by its usual share of what comes back.
    expected_orders: f64,
}

#[derive(Debug, Serialize)]
struct ReasonRow {
    reason: &'static str,
    #[serde(flatten)]
    excess: ExcessRow,
}

#[derive(Debug, Serialize)]
struct ExcessRow {
    statistic: f64,
    returned_orders: u64,
    expected_orders: f64,
    ratio: f64,
    interval: [f64; 2],
}

impl<S: Store> Query<S> {
    /// What the detector makes of a shop: live, or as of an instant by all that is known now.
    pub fn alarms(
        &self,
        shop: &ShopDomain,
        as_of: Option<Timestamp>,
    ) -> Result<AlarmsReply, ReadError> {
        let hour = |hour: i64| Timestamp::from_ms(hour.saturating_mul(HOUR_MS)).to_string();
        let detection = self.viewed(|snapshot| self.detection(snapshot, shop, as_of))?;
        let score =
            |(cause, score): &(Cause, f64)| ScoreRow { reason: name(*cause), score: *score };
        let product_score = |series: &ProductSeries| ProductScoreRow {
            product: series.product.to_string(),
            score: series.score,
        };
        let thresholds = self.alarm_thresholds();
        Ok(AlarmsReply {
            shop: shop.to_string(),
            as_of: as_of.map(|at| at.to_string()),
            evaluated_to: hour(detection.last_hour + 1),
            watched_since: detection.watched_since.map(hour),
            threshold: thresholds.series,
            scores: detection.scores.iter().map(score).collect(),
            product_threshold: thresholds.product,
            products: detection.products.iter().map(product_score).collect(),
            alarms: detection.every_alarm().into_iter().map(|alarm| row(alarm, hour)).collect(),
        })
    }

    /// What the detector makes of a shop now.
    pub fn detected(&self, shop: &ShopDomain) -> Result<Arc<Detection>, ReadError> {
        self.viewed(|snapshot| self.detection(snapshot, shop, None))
    }

    /// The same, or what it made of the shop an hour before if that is at hand.
    pub fn detected_lately(&self, shop: &ShopDomain) -> Result<Arc<Detection>, ReadError> {
        let last = self.views().last_detection(self.partition(shop), shop);
        let is_late = |last: &Arc<Detection>| last.last_hour + 2 >= self.now().hour();
        last.filter(is_late).map_or_else(|| self.detected(shop), Ok)
    }

    fn detection(
        &self,
        snapshot: &dyn Snapshot,
        shop: &ShopDomain,
        as_of: Option<Timestamp>,
    ) -> Result<Arc<Detection>, ReadError> {
        let at = self.place(snapshot, shop)?;
        let reader = ShopReader::new(snapshot, at.0, shop);
        let doc = reader.shop()?.ok_or(ReadError::UnknownShop)?;
        let last_hour = as_of.unwrap_or_else(|| doc.present(self.now())).hour() - 1;
        let detect = || {
            let counts = Counts::read(&reader, last_hour)?;
            let came_back = CameBack::read(&reader, last_hour)?;
            let products = by_product::read(&reader, &came_back, last_hour)?;
            let thresholds = self.alarm_thresholds();
            Ok(Arc::new(Detection::of(&counts, &products, &came_back, thresholds)))
        };
        match as_of {
            Some(_) => detect(),
            None => self.views().detection(at, shop, last_hour, detect),
        }
    }
}

fn row((product, alarm): (Option<&Id>, &Alarm), hour: impl Fn(i64) -> String) -> AlarmRow {
    let Alarm { cause, scan, episode, since, until: _, excess, reasons, standouts } = alarm;
    let length = |of: Scan| (*scan == of).then_some(excess.length);
    let reason = |(cause, excess): &(Cause, Excess)| ReasonRow {
        reason: name(*cause),
        excess: excess.into(),
    };
    let excess_row = ExcessRow::from(excess);
    // An alarm of a product is of nothing else.
    let own = product.map(|product| ProductRow {
        product: product.to_string(),
        returned_orders: excess_row.returned_orders,
        expected_orders: excess_row.expected_orders,
    });
    AlarmRow {
        product: product.map(ToString::to_string),
        reason: name(*cause),
        scan: scan.name(),
        active: episode.ended.is_none(),
        since: hour(*since),
        // An hour raises an alarm, or ends one, when it is over.
        raised_at: hour(episode.raised + 1),
        ended_at: episode.ended.map(|ended| hour(ended + 1)),
        peak_at: hour(episode.peak.0 + 1),
        peak_statistic: episode.peak.1.statistic,
        excess: excess_row,
        window_hours: length(Scan::Period),
        cohort_days: length(Scan::Cohort),
        reasons: reasons.iter().map(reason).collect(),
        products: own.into_iter().chain(standouts.iter().map(product_row)).collect(),
    }
}

fn product_row(standout: &Standout) -> ProductRow {
    let Standout { product, returned_orders, expected_orders } = standout;
    ProductRow {
        product: product.to_string(),
        returned_orders: *returned_orders as u64,
        expected_orders: *expected_orders,
    }
}

impl From<&Excess> for ExcessRow {
    fn from(excess: &Excess) -> Self {
        Self {
            statistic: excess.statistic,
            // Counts are whole; only their sums in a scan are floats.
            returned_orders: format!("{:.0}", excess.returns).parse().unwrap_or_default(),
            expected_orders: excess.expected,
            ratio: excess.ratio(),
            interval: excess.interval(),
        }
    }
}

/// A cause's name in the API and in labels.
#[must_use]
pub fn name(cause: Cause) -> &'static str {
    cause.map_or("all", common::reason::Reason::name)
}
