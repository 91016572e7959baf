//! Every counter, gauge and histogram of the aggregator, on a registry of its own.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::log::{LogMetrics, LogOp};
use common::reason::Reason;
use common::shop::ShopDomain;
use common::time::Timestamp;
use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use rustc_hash::FxHashSet;

use crate::fold::field::Field;
use crate::fold::report::Applied;

/// Shops with series of their own.
pub const MOST_SHOPS: usize = 200;
/// The prefix of every name.
const PREFIX: &str = "tallyhook";
/// Seconds of a commit or an append.
const SECONDS: [f64; 12] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// What the aggregator counts and measures.
pub struct AggregatorMetrics {
    events_applied: IntCounterVec,
    events_imported: IntCounter,
    commits: IntCounterVec,
    commit_duration: Histogram,
    orders_seen: IntCounterVec,
    refunds_seen: IntCounterVec,
    returned_units_seen: IntCounterVec,
    checkouts_seen: IntCounterVec,
    last_event: Gauge,
    log_append_duration: HistogramVec,
    log_errors: IntCounterVec,
    /// Records in damaged parts of the log.
    pub log_corrupt_records: IntGauge,
    /// Records behind, by partition.
    pub consumer_lag: IntGaugeVec,
    /// 1 while the state answers.
    pub state_readable: IntGauge,
    /// 1 while a partition is not folded, or none is, until somebody does something about it.
    pub fold_halted: IntGauge,
    /// 1 while history is folded.
    pub replaying: IntGauge,
    /// Shops in the state.
    pub shops_tracked: IntGauge,
    /// Shops that have series of their own.
    pub shops_exported: IntGauge,
    spool: [IntGauge; 3],
    build_info: IntGaugeVec,
    // A shop is named by an unsigned header: without a bound, anybody could make series without end.
    shops_seen: Mutex<FxHashSet<ShopDomain>>,
}

impl AggregatorMetrics {
    /// On `registry`.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self::try_new()?;
        for collector in metrics.collectors() {
            registry.register(collector)?;
        }
        metrics.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        for outcome in ["ok", "conflict", "error"] {
            metrics.commits.with_label_values(&[outcome]);
        }
        for op in [LogOp::Append, LogOp::Fsync, LogOp::Read] {
            metrics.log_errors.with_label_values(&[op.as_str()]);
        }
        Ok(metrics)
    }

    /// On no registry: for work on the side.
    ///
    /// # Panics
    ///
    /// Never: the names are constants that every test constructs.
    #[must_use]
    #[expect(clippy::expect_used, reason = "names are constants; a wrong one fails every test")]
    pub fn unregistered() -> Self {
        Self::try_new().expect("the names of metrics are valid")
    }

    #[expect(clippy::too_many_lines, reason = "one line a metric: the whole list in one place")]
    fn try_new() -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| IntGauge::with_opts(opts(name, help));
        let counters =
            |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(opts(name, help), labels);
        let seconds = |name: &str, help: &str| {
            HistogramOpts::from(opts(name, help)).buckets(SECONDS.to_vec())
        };
        Ok(Self {
            events_applied: counters(
                "events_applied_total",
                "Events folded, by kind and whether they changed anything.",
                &["kind", "effect"],
            )?,
            events_imported: IntCounter::with_opts(opts(
                "events_imported_total",
                "Events of imports folded by this process: while it grows, history moves the figures.",
            ))?,
            commits: counters(
                "commits_total",
                "Commits of a partition's state, by outcome.",
                &["outcome"],
            )?,
            commit_duration: Histogram::with_opts(seconds(
                "commit_duration_seconds",
                "Time to fold and commit a batch of one partition.",
            ))?,
            orders_seen: counters(
                "orders_seen_total",
                "Orders first seen by this process, without replay and imports.",
                &["shop"],
            )?,
            refunds_seen: counters(
                "refunds_seen_total",
                "Refunds first seen by this process, without replay and imports.",
                &["shop"],
            )?,
            returned_units_seen: counters(
                "returned_units_seen_total",
                "Returned units first seen by this process, without replay and imports.",
                &["shop", "reason"],
            )?,
            checkouts_seen: counters(
                "checkouts_seen_total",
                "Checkouts first seen by this process, without replay and imports.",
                &["shop", "stage"],
            )?,
            last_event: Gauge::with_opts(opts(
                "last_event_timestamp_seconds",
                "When the latest event happened that this process folded, in Unix seconds.",
            ))?,
            log_append_duration: HistogramVec::new(
                seconds("log_append_duration_seconds", "Time until an appended record is durable."),
                &["backend"],
            )?,
            log_errors: counters(
                "log_errors_total",
                "Failures of the log, by operation.",
                &["op"],
            )?,
            log_corrupt_records: gauge(
                "log_corrupt_records",
                "Damaged records of the log that were met and passed over.",
            )?,
            consumer_lag: IntGaugeVec::new(
                opts("consumer_lag_events", "Records of the log that are not folded yet."),
                &["partition"],
            )?,
            state_readable: gauge(
                "state_readable",
                "1 while the state answers; while it does not, no figure of any shop is told.",
            )?,
            fold_halted: gauge(
                "fold_halted",
                "1 while a partition is not folded, or none is; /v1/status says why.",
            )?,
            replaying: gauge("replaying", "1 while history is folded before the present.")?,
            shops_tracked: gauge("shops_tracked", "Shops in the state.")?,
            shops_exported: gauge("shops_exported", "Shops with series of their own.")?,
            spool: [
                gauge("spool_records", "Records waiting in the spool; 0 in the embedded shape.")?,
                gauge("spool_bytes", "Bytes waiting in the spool; 0 in the embedded shape.")?,
                gauge(
                    "spool_oldest_age_seconds",
                    "Age of the oldest record in the spool; 0 in the embedded shape.",
                )?,
            ],
            shops_seen: Mutex::default(),
            build_info: IntGaugeVec::new(
                opts("build_info", "1, with the program's version."),
                &["version"],
            )?,
        })
    }

    fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let [records, bytes, age] = self.spool.clone();
        vec![
            Box::new(self.events_applied.clone()),
            Box::new(self.events_imported.clone()),
            Box::new(self.commits.clone()),
            Box::new(self.commit_duration.clone()),
            Box::new(self.orders_seen.clone()),
            Box::new(self.refunds_seen.clone()),
            Box::new(self.returned_units_seen.clone()),
            Box::new(self.checkouts_seen.clone()),
            Box::new(self.last_event.clone()),
            Box::new(self.log_append_duration.clone()),
            Box::new(self.log_errors.clone()),
            Box::new(self.log_corrupt_records.clone()),
            Box::new(self.consumer_lag.clone()),
            Box::new(self.state_readable.clone()),
            Box::new(self.fold_halted.clone()),
            Box::new(self.replaying.clone()),
            Box::new(self.shops_tracked.clone()),
            Box::new(self.shops_exported.clone()),
            Box::new(records),
            Box::new(bytes),
            Box::new(age),
            Box::new(self.build_info.clone()),
        ]
    }

    /// A batch was folded and committed.
    pub fn committed(&self, took: Duration) {
        self.commits.with_label_values(&["ok"]).inc();
        self.commit_duration.observe(took.as_secs_f64());
    }

    /// A commit found the partition elsewhere.
    pub fn conflicted(&self) {
        self.commits.with_label_values(&["conflict"]).inc();
    }

    /// A commit failed.
    pub fn failed(&self) {
        self.commits.with_label_values(&["error"]).inc();
    }

    /// Events were folded, `replayed` ones for the second time in the log's life.
    pub fn applied(&self, applied: &[Applied], replayed: bool) {
        let mut latest = self.last_event.get();
        for event in applied {
            let effect = if event.changed { "changed" } else { "unchanged" };
            self.events_applied.with_label_values(&[event.kind, effect]).inc();
            latest = latest.max(event.at.ms() as f64 / 1000.0);
            if event.imported {
                self.events_imported.inc();
            }
            if !replayed && !event.imported {
                self.seen(event);
            }
        }
        self.last_event.set(latest);
    }

    /// When the latest event happened that the state knows of.
    pub fn saw(&self, latest: Timestamp) {
        let latest = latest.ms() as f64 / 1000.0;
        self.last_event.set(self.last_event.get().max(latest));
    }

    fn seen(&self, event: &Applied) {
        let shop = event.shop.as_str();
        let mut shops = self.shops_seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !shops.contains(&event.shop) {
            if shops.len() >= MOST_SHOPS {
                return;
            }
            shops.insert(event.shop.clone());
        }
        drop(shops);
        if event.seen.order {
            self.orders_seen.with_label_values(&[shop]).inc();
        }
        if event.seen.refunds > 0 {
            self.refunds_seen.with_label_values(&[shop]).inc_by(event.seen.refunds);
        }
        for (stage, seen) in
            [("started", event.seen.checkout_started), ("completed", event.seen.checkout_completed)]
        {
            if seen {
                self.checkouts_seen.with_label_values(&[shop, stage]).inc();
            }
        }
        for reason in Reason::ALL {
            if let Ok(units @ 1..) = u64::try_from(event.seen.returned.get(Field::returned(reason)))
            {
                self.returned_units_seen.with_label_values(&[shop, reason.name()]).inc_by(units);
            }
        }
    }
}

impl LogMetrics for AggregatorMetrics {
    fn appended(&self, duration: Duration) {
        self.log_append_duration.with_label_values(&["file"]).observe(duration.as_secs_f64());
    }

    fn failed(&self, op: LogOp) {
        self.log_errors.with_label_values(&[op.as_str()]).inc();
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(PREFIX)
}
