//! The gauges of return spikes.

use prometheus::{GaugeVec, Opts, Registry};

use crate::alarms::name;
use crate::detect::detection::Detection;

/// What the detector makes of shops, as gauges.
pub struct SpikeGauges {
    score: GaugeVec,
    alarm: GaugeVec,
    returned: GaugeVec,
    expected: GaugeVec,
    products: GaugeVec,
}

impl SpikeGauges {
    /// Registers them.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let gauge = GaugeVec::new(Opts::new(name, help).namespace("tallyhook"), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let reason = ["shop", "reason"];
        Ok(Self {
            score: gauge(
                "return_spike_score",
                "How far returned orders exceed what is expected, by reason; an alarm is raised at 9, \
                 or as alarms.months_between_false says.",
                &reason,
            )?,
            alarm: gauge(
                "return_spike_alarm",
                "1 while an alarm of a return spike is under way, by reason.",
                &reason,
            )?,
            returned: gauge(
                "return_spike_returned_orders",
                "While an alarm is under way: orders that came back in its window or cohort.",
                &reason,
            )?,
            expected: gauge(
                "return_spike_expected_orders",
                "While an alarm is under way: orders that were expected to.",
                &reason,
            )?,
            products: gauge(
                "return_spike_products",
                "Products of which an alarm is under way; /v1/shops/{shop}/alarms names them.",
                &["shop"],
            )?,
        })
    }

    /// Sets those of a shop.
    pub fn set(&self, shop: &str, detection: &Detection) {
        if detection.watched_since.is_some() {
            let products = detection.products_in_alarm() as f64;
            self.products.with_label_values(&[shop]).set(products);
        }
        for (cause, score) in &detection.scores {
            let labels = [shop, name(*cause)];
            let excess = detection.excess(*cause);
            self.score.with_label_values(&labels).set(*score);
            self.alarm.with_label_values(&labels).set(excess.map_or(0.0, |_| 1.0));
            if let Some(excess) = excess {
                self.returned.with_label_values(&labels).set(excess.returns);
                self.expected.with_label_values(&labels).set(excess.expected);
            }
        }
    }
}
