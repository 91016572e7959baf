//! The simulator: a platform's shops, their customers and all that happens to their orders, as signed
//! webhooks with the faults of a real network, and the exact KPIs that must come of them.
//!
//! [`history`] makes a span of the past, the same for the same [`Plan`]; [`live`] goes on from it
//! without end; [`send`] posts either; [`run`] is the command `simulate`.

mod basket;
mod body;
mod calendar;
mod chance;
mod comeback;
mod customers;
mod delivery;
mod engine;
mod faults;
mod history;
mod life;
mod order;
mod people;
mod purchases;
mod reasons;
mod sender;
mod shop;
#[cfg(test)]
mod tests;
mod truth;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use common::clock::{Clock, SystemClock};
use common::shop::ShopDomain;
use common::time::DAY_MS;

pub use delivery::{Delivery, DeliveryId};
pub use faults::Faults;
pub use history::{Plan, history, live};
pub use sender::{Outcome, Pace, Target, reach, send};

/// The shop of the demo.
pub const DEMO_SHOP: &str = "tallyhook-demo.myshopify.com";

/// How long the history of `simulate` is.
const HISTORY_DAYS: i64 = 365;

/// What `simulate` does.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to post; `http://` only.
    pub url: String,
    /// The source's secret.
    pub secret: Vec<u8>,
    /// How many shops.
    pub shops: usize,
    /// Orders of each shop.
    pub orders: usize,
    /// Deliveries a second; `None` or 0 is as fast as possible.
    pub rate: Option<f64>,
    /// The seed; the same seed gives the same shops.
    pub seed: u64,
    /// What goes wrong on the way.
    pub faults: Faults,
    /// Where to write the KPIs that must result.
    pub truth: Option<PathBuf>,
    /// Connections to post over.
    pub connections: usize,
    /// Begin of the shops' domains, which go on with seed and number.
    pub domain_prefix: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            url: String::new(),
            secret: Vec::new(),
            shops: 1,
            orders: 1000,
            rate: None,
            seed: 1,
            faults: Faults::default(),
            truth: None,
            connections: 16,
            domain_prefix: "sim".to_owned(),
        }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Deliveries answered with 2xx at least once, each id counted once.
    pub acked: u64,
    /// Deliveries that were refused for good.
    pub refused: Vec<DeliveryId>,
    /// The statuses of these refusals, with how often each was seen.
    pub statuses: Vec<(u16, u64)>,
    /// Deliveries without an answer: the receiver may have them or not.
    pub unknown: Vec<DeliveryId>,
    /// Deliveries posted, copies among them.
    pub posted: u64,
    /// How long the sending took.
    pub seconds: f64,
    /// The shops.
    pub shops: Vec<ShopDomain>,
}

/// Runs the command: `progress` hears how many deliveries are done and how many there may be in all,
/// which is an estimate until the last order is placed.
pub fn run(options: &Options, progress: impl Fn(u64, u64)) -> anyhow::Result<Report> {
    let target = Target::parse(&options.url).with_context(|| format!("--url {}", options.url))?;
    reach(&target).with_context(|| {
        format!("nothing listens at {}: start `tallyhook serve` first", options.url)
    })?;
    let plan = plan(options)?;
    let placed = AtomicU64::new(0);
    let pulled = AtomicU64::new(0);
    let deliveries = history(&plan).inspect(|delivery| {
        pulled.fetch_add(1, Ordering::Relaxed);
        if delivery.topic == "orders/create" {
            placed.fetch_add(1, Ordering::Relaxed);
        }
    });
    let deliveries = faults::Faulty::new(deliveries, options.faults, options.seed);
    let orders = (plan.orders * plan.shops.len()) as u64;
    let estimate = || {
        let (placed, pulled) = (placed.load(Ordering::Relaxed), pulled.load(Ordering::Relaxed));
        (pulled * orders).checked_div(placed).unwrap_or(orders)
    };

    let started = Instant::now();
    let mut tally = Tally::default();
    let pace = Pace { per_second: options.rate, connections: options.connections };
    let never = AtomicBool::new(false);
    send(deliveries, (&target, &options.secret), pace, &never, |result| match result {
        Some((id, outcome)) => tally.add(id, outcome),
        None => progress(tally.posted, estimate().max(tally.posted)),
    });
    let report = tally.report(started.elapsed().as_secs_f64(), &plan);
    progress(report.posted, report.posted);
    if let Some(path) = &options.truth {
        truth::write(path, &plan, &report, SystemClock.now())?;
    }
    Ok(report)
}

/// The plan of the options: a year that ends now.
fn plan(options: &Options) -> anyhow::Result<Plan> {
    let to = SystemClock.now();
    let domain = |number: usize| {
        let text = format!("{}-{}-{number}.myshopify.com", options.domain_prefix, options.seed);
        ShopDomain::parse(&text).with_context(|| format!("{text} is no domain"))
    };
    let shops = (0..options.shops).map(domain).collect::<anyhow::Result<_>>()?;
    let from = to.plus_ms(-HISTORY_DAYS * DAY_MS);
    Ok(Plan { seed: options.seed, shops, from, to, orders: options.orders, spoilt: None })
}

/// Outcomes by delivery; an id that was acknowledged once is acknowledged, whatever its copies met.
#[derive(Default)]
struct Tally {
    posted: u64,
    acked: HashSet<DeliveryId>,
    failed: HashMap<DeliveryId, Outcome>,
}

impl Tally {
    fn add(&mut self, id: DeliveryId, outcome: Outcome) {
        self.posted += 1;
        match outcome {
            Outcome::Acked => {
                self.acked.insert(id);
            }
            // Of two copies, one unknown and one refused, the first may have been stored.
            Outcome::Unknown => {
                self.failed.insert(id, outcome);
            }
            Outcome::Refused(_) => {
                self.failed.entry(id).or_insert(outcome);
            }
        }
    }

    fn report(self, seconds: f64, plan: &Plan) -> Report {
        let mut report = Report {
            acked: self.acked.len() as u64,
            posted: self.posted,
            seconds,
            shops: plan.shops.clone(),
            ..Report::default()
        };
        let mut statuses: HashMap<u16, u64> = HashMap::new();
        for (id, outcome) in self.failed.into_iter().filter(|(id, _)| !self.acked.contains(id)) {
            match outcome {
                Outcome::Refused(status) => {
                    *statuses.entry(status).or_default() += 1;
                    report.refused.push(id);
                }
                Outcome::Unknown | Outcome::Acked => report.unknown.push(id),
            }
        }
        report.statuses = statuses.into_iter().collect();
        report.statuses.sort_unstable();
        report.refused.sort_unstable();
        report.unknown.sort_unstable();
        report
    }
}
