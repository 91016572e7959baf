//! What the logs of the distributed shape measure: Kafka's appends and the spool's.

use std::sync::Arc;
use std::time::Duration;

use common::log::{LogMetrics, LogOp};
use common::time::Timestamp;
use prometheus::{Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

use super::store::Waiting;

/// Seconds of an append.
const SECONDS: [f64; 12] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// The series of the logs behind a receiver, each under the prefix `tallyhook_`.
#[derive(Clone, Debug)]
pub struct LogSeries {
    appends: HistogramVec,
    errors: IntCounterVec,
    corrupt_records: IntGauge,
    records: IntGauge,
    size_bytes: IntGauge,
    oldest_age: Gauge,
}

impl LogSeries {
    /// Registers them on `registry`.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| IntGauge::new(format!("tallyhook_{name}"), help);
        let series = Self {
            appends: HistogramVec::new(
                HistogramOpts::new(
                    "tallyhook_log_append_duration_seconds",
                    "Time until an appended record is durable, by what took it.",
                )
                .buckets(SECONDS.to_vec()),
                &["backend"],
            )?,
            errors: IntCounterVec::new(
                Opts::new(
                    "tallyhook_log_errors_total",
                    "Failures of Kafka and of the spool, by operation.",
                ),
                &["op"],
            )?,
            corrupt_records: gauge(
                "log_corrupt_records",
                "Damaged records of the spool that were met and passed over.",
            )?,
            records: gauge("spool_records", "Records that wait in the spool for Kafka.")?,
            size_bytes: gauge("spool_bytes", "Bytes that wait in the spool for Kafka.")?,
            oldest_age: Gauge::new(
                "tallyhook_spool_oldest_age_seconds",
                "Time since the receiver took the oldest record in the spool.",
            )?,
        };
        registry.register(Box::new(series.appends.clone()))?;
        registry.register(Box::new(series.errors.clone()))?;
        registry.register(Box::new(series.corrupt_records.clone()))?;
        registry.register(Box::new(series.records.clone()))?;
        registry.register(Box::new(series.size_bytes.clone()))?;
        registry.register(Box::new(series.oldest_age.clone()))?;
        for backend in ["kafka", "spool"] {
            series.appends.with_label_values(&[backend]);
        }
        for op in [LogOp::Append, LogOp::Fsync, LogOp::Read] {
            series.errors.with_label_values(&[op.as_str()]);
        }
        Ok(series)
    }

    /// What measures the appends of `backend`.
    #[must_use]
    pub fn of(&self, backend: &'static str) -> Arc<dyn LogMetrics> {
        Arc::new(Backend { backend, series: self.clone() })
    }

    /// Sets the gauges to what waits in the spool at `now`.
    pub fn observe(&self, waiting: &Waiting, now: Timestamp) {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.corrupt_records.set(count(waiting.corrupt_records));
        self.records.set(count(waiting.records));
        self.size_bytes.set(count(waiting.size_bytes));
        let age_ms = waiting.oldest.map_or(0, |oldest| now.ms().saturating_sub(oldest.ms()).max(0));
        self.oldest_age.set(Duration::from_millis(age_ms.unsigned_abs()).as_secs_f64());
    }
}

/// One of the logs.
struct Backend {
    backend: &'static str,
    series: LogSeries,
}

impl LogMetrics for Backend {
    fn appended(&self, duration: Duration) {
        let appends = self.series.appends.with_label_values(&[self.backend]);
        appends.observe(duration.as_secs_f64());
    }

    fn failed(&self, op: LogOp) {
        self.series.errors.with_label_values(&[op.as_str()]).inc();
    }
}
