//! The observed lifespan of customers: a Kaplan-Meier mean (KPI definitions, section 3).

use common::time::{DAY_MS, Timestamp};

/// After this long without a purchase a customer's lifetime has ended.
const HORIZON_MS: i64 = 365 * DAY_MS;
/// The length of a year in this KPI.
const YEAR_MS: f64 = (365 * DAY_MS) as f64;

/// Collects lifetimes and estimates their mean.
#[derive(Debug, Default)]
pub struct Lifespan {
    ended: Vec<i64>,
    censored: Vec<i64>,
    // The curve reaches as far as the oldest customer, whether lost or not.
    reach_ms: i64,
}

impl Lifespan {
    /// Adds a customer by first and last purchase, as of `at`.
    pub fn add(&mut self, first: Timestamp, last: Timestamp, at: Timestamp) {
        let age = at.ms() - first.ms();
        self.reach_ms = self.reach_ms.max(age);
        if at.ms() - last.ms() > HORIZON_MS {
            self.ended.push(last.ms() - first.ms());
        } else {
            self.censored.push(age);
        }
    }

    /// The area under the survival curve, in years; `None` without customers.
    #[must_use]
    pub fn years(mut self) -> Option<f64> {
        let mut at_risk = self.ended.len() + self.censored.len();
        if at_risk == 0 {
            return None;
        }
        self.ended.sort_unstable();
        self.censored.sort_unstable();
        let (mut area, mut survival, mut since) = (0.0, 1.0, 0i64);
        let mut censored = self.censored.iter().peekable();
        for run in self.ended.chunk_by(|a, b| a == b) {
            let at = run[0];
            // Ends come before censorings at equal times.
            while censored.next_if(|age| **age < at).is_some() {
                at_risk -= 1;
            }
            area += survival * (at - since) as f64;
            survival *= 1.0 - run.len() as f64 / at_risk as f64;
            at_risk -= run.len();
            since = at;
        }
        area += survival * (self.reach_ms - since) as f64;
        Some(area / YEAR_MS)
    }
}
