//! `GET /metrics`: counters of the process, and the KPIs of every shop as gauges.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use common::reason::Reason;
use common::shop::ShopDomain;
use common::store::{Store, StoreError};
use common::time::Timestamp;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};

use super::handlers::blocking;
use super::spikes::SpikeGauges;
use super::{Api, Problem};
use crate::fold::field::Counter;
use crate::kpi::Kpi;
use crate::kpi::reader::ReadError;
use crate::metrics::MOST_SHOPS;
use crate::query::Query;
use crate::window::{Asked, Window};

/// KPIs that are gauges by shop and window.
const BY_WINDOW: [(&str, &str); 10] = [
    ("orders", "Orders placed in the window."),
    ("customers", "Distinct customers with a purchase in the window."),
    ("repeat_customers", "Customers with two or more purchases in the window."),
    ("units_sold", "Units sold in the window."),
    ("repeat_purchase_ratio", "Repeat customers by customers."),
    ("returning_customer_ratio", "Customers of the window with an earlier purchase, by customers."),
    ("retention_ratio", "Customers of the preceding window who bought again."),
    ("purchase_frequency", "Purchases by customer."),
    ("checkout_completion_ratio", "Checkouts started in the window that were completed."),
    ("return_ratio", "Returned units, orders or value by what was sold; see basis."),
];
/// KPIs that are gauges by shop, currency and window, in major units.
const MONEY: [(&str, &str); 5] = [
    ("gross_sales", "Gross sales in major units."),
    ("discounts", "Discounts on them in major units."),
    ("net_sales", "Net sales in major units."),
    ("total_sales", "Total sales in major units."),
    ("refunded", "Money paid back in major units."),
];

/// How long shops are looked at for return spikes before a scrape makes do with what is known of the
/// others: when an hour ends all of them are to be looked at anew.
const LOOKING: Duration = Duration::from_millis(500);

/// `GET /metrics`. Where the state cannot be read, what the process knows of itself is told all the
/// same: that is when it is looked at.
pub async fn metrics<S: Store>(api: web::Data<Api<S>>) -> Result<HttpResponse, Problem> {
    let asked = blocking(&api.query, |query| {
        // A store that fails is in the log already; one that only moved is read with the next scrape.
        Ok((gather(query).ok(), query.health().lag().unwrap_or_default()))
    });
    let (kpis, lags) = asked.await?;
    api.metrics.state_readable.set(i64::from(kpis.is_some()));
    let kpis = kpis.unwrap_or_default();
    let (metrics, query, health) = (&api.metrics, &api.query, api.query.health());
    for (partition, lag) in (0..).zip(&lags) {
        let label = [u16::to_string(&partition)];
        if !health.tells(partition) {
            // Whoever folds it tells; there may be no such series to remove.
            let _ = metrics.consumer_lag.remove_label_values(&label);
            continue;
        }
        let lag = i64::try_from(*lag).unwrap_or(i64::MAX);
        metrics.consumer_lag.with_label_values(&label).set(lag);
    }
    if let Some(latest) = kpis.latest {
        metrics.saw(latest);
    }
    metrics.fold_halted.set(i64::from(health.halted().is_some()));
    metrics.replaying.set(i64::from(health.is_replaying()));
    metrics.log_corrupt_records.set(i64::try_from(health.corrupt_records()).unwrap_or(i64::MAX));
    metrics.shops_tracked.set(i64::try_from(kpis.tracked).unwrap_or(i64::MAX));
    metrics.shops_exported.set(i64::try_from(kpis.exported).unwrap_or(i64::MAX));
    let mut families = api.registry.gather();
    let told: Vec<bool> = (0..query.partitions()).map(|one| health.tells(one)).collect();
    let is_told = |shop: &ShopDomain| told.get(usize::from(query.partition(shop))) == Some(&true);
    families.extend(kpis.registry.gather().into_iter().filter_map(|family| ours(family, is_told)));
    exposition(&families)
}

/// What of a family is still this process's to tell: gathering takes a while, in which a partition
/// may go to another one, or this process may stand still.
fn ours(mut family: MetricFamily, is_told: impl Fn(&ShopDomain) -> bool) -> Option<MetricFamily> {
    family.mut_metric().retain(|metric| {
        let shop = metric.get_label().iter().find(|label| label.name() == "shop");
        shop.and_then(|label| ShopDomain::parse(label.value()).ok())
            .is_none_or(|shop| is_told(&shop))
    });
    (!family.get_metric().is_empty()).then_some(family)
}

/// Metrics in Prometheus's text format.
pub fn exposition(families: &[MetricFamily]) -> Result<HttpResponse, Problem> {
    let mut text = Vec::new();
    TextEncoder::new().encode(families, &mut text).map_err(|_| Problem::Internal)?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

#[derive(Default)]
struct Gathered {
    registry: Registry,
    tracked: usize,
    exported: usize,
    latest: Option<Timestamp>,
}

fn gather<S: Store>(query: &Query<S>) -> Result<Gathered, Problem> {
    let gauges = Gauges::new().map_err(|_| Problem::Internal)?;
    let mut shops = query.shop_names()?;
    shops.retain(|shop| query.health().tells(query.partition(shop)));
    let tracked = shops.len();
    let (mut sized, mut latest) = (Vec::with_capacity(tracked), None);
    for shop in shops {
        let doc = query.shop_doc(&shop)?;
        let last = doc.last_event();
        latest = latest.max(last);
        sized.push((doc.totals.total(Counter::Orders), shop, last));
    }
    sized.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    sized.truncate(MOST_SHOPS);
    let exported = sized.len();
    let until = Instant::now() + LOOKING;
    for (_, shop, last) in sized {
        match export(query, &gauges, &shop, until) {
            Ok(()) => {
                if let Some(last) = last {
                    let gauge = gauges.last_event.with_label_values(&[shop.as_str()]);
                    gauge.set(last.ms() as f64 / 1000.0);
                }
            }
            // A shop that moves under every try is told of by the next scrape.
            Err(ReadError::Store(StoreError::Moved { .. })) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Gathered { registry: gauges.registry, tracked, exported, latest })
}

/// Sets the gauges of a shop.
fn export<S: Store>(
    query: &Query<S>,
    gauges: &Gauges,
    shop: &ShopDomain,
    until: Instant,
) -> Result<(), ReadError> {
    let asked = Asked::Live { now: query.now() };
    let answer = query.answer(shop, &Window::EVERY, asked)?;
    for row in crate::kpi::catalogue::kpis(&answer) {
        gauges.set(shop.as_str(), &row);
    }
    // While history is folded it changes with each commit, and nobody is to be told of it.
    if !query.health().is_replaying() {
        let in_time = Instant::now() < until;
        let found = if in_time { query.detected(shop)? } else { query.detected_lately(shop)? };
        gauges.spikes.set(shop.as_str(), &found);
    }
    Ok(())
}

struct Gauges {
    registry: Registry,
    by_window: Vec<(&'static str, GaugeVec)>,
    money: Vec<(&'static str, GaugeVec)>,
    average_order_value: GaugeVec,
    lifetime_value: GaugeVec,
    returned_units: GaugeVec,
    return_reason_ratio: GaugeVec,
    spikes: SpikeGauges,
    last_event: GaugeVec,
}

impl Gauges {
    fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let gauge = GaugeVec::new(Opts::new(name, help).namespace("tallyhook"), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            prometheus::Result::Ok(gauge)
        };
        let labels = |name: &str| -> &'static [&'static str] {
            if name == "return_ratio" { &["shop", "window", "basis"] } else { &["shop", "window"] }
        };
        let by_window = BY_WINDOW.map(|(name, help)| Ok((name, gauge(name, help, labels(name))?)));
        let money = MONEY
            .map(|(name, help)| Ok((name, gauge(name, help, &["shop", "currency", "window"])?)));
        let by_window: prometheus::Result<Vec<_>> = by_window.into_iter().collect();
        let money: prometheus::Result<Vec<_>> = money.into_iter().collect();
        let basis = ["shop", "currency", "window", "basis"];
        let reason = ["shop", "window", "reason"];
        Ok(Self {
            by_window: by_window?,
            money: money?,
            average_order_value: gauge(
                "average_order_value",
                "Average order value in major units; see basis.",
                &basis,
            )?,
            lifetime_value: gauge(
                "customer_lifetime_value",
                "Customer lifetime value in major units; see basis.",
                &["shop", "currency", "basis"],
            )?,
            returned_units: gauge(
                "returned_units",
                "Returned units of the window, by reason; all is their sum.",
                &reason,
            )?,
            return_reason_ratio: gauge(
                "return_reason_ratio",
                "Returned units of a reason by units sold.",
                &reason,
            )?,
            last_event: gauge(
                "shop_last_event_timestamp_seconds",
                "When something happened in the shop last, in Unix seconds.",
                &["shop"],
            )?,
            spikes: SpikeGauges::new(&registry)?,
            registry,
        })
    }

    /// Sets the gauge of a figure; an undefined figure has no sample.
    fn set(&self, shop: &str, row: &Kpi) {
        let Some(value) = row.value.as_deref().and_then(|text| text.parse::<f64>().ok()) else {
            return;
        };
        let currency = row.currency.map(|currency| currency.to_string()).unwrap_or_default();
        let basis = row.basis.unwrap_or_default();
        let (window, currency) = (row.window, currency.as_str());
        let reason = row.reason.filter(|reason| {
            *reason == "all" || Reason::ALL.iter().any(|known| known.name() == *reason)
        });
        match (row.kpi, reason) {
            ("average_order_value", _) => {
                self.average_order_value
                    .with_label_values(&[shop, currency, window, basis])
                    .set(value);
            }
            ("customer_lifetime_value", _) => {
                self.lifetime_value.with_label_values(&[shop, currency, basis]).set(value);
            }
            ("returned_units", Some(reason)) => {
                self.returned_units.with_label_values(&[shop, window, reason]).set(value);
            }
            ("return_reason_ratio", Some(reason)) => {
                self.return_reason_ratio.with_label_values(&[shop, window, reason]).set(value);
            }
            (kpi, _) => {
                let find = |gauges: &[(&'static str, GaugeVec)]| {
                    gauges.iter().find(|(name, _)| *name == kpi).map(|(_, gauge)| gauge.clone())
                };
                if let Some(gauge) = find(&self.money) {
                    gauge.with_label_values(&[shop, currency, window]).set(value);
                } else if let Some(gauge) = find(&self.by_window) {
                    if kpi == "return_ratio" {
                        gauge.with_label_values(&[shop, window, basis]).set(value);
                    } else {
                        gauge.with_label_values(&[shop, window]).set(value);
                    }
                }
            }
        }
    }
}
