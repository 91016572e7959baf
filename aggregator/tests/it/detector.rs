//! The detector against the figures it must reach: false alarms and delays on simulated shops
//! (`detector-acceptance.json`, whose `simulator` is repeated here). `make soak` runs more of them.

use aggregator::detect::cohort;
use aggregator::detect::glr::Excess;
use aggregator::detect::laws::MOST_LAG_DAYS;
use aggregator::detect::period::{DAY_HOURS, PeriodScan};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand_distr::{Distribution as _, Gamma, LogNormal, Poisson};
use serde_json::Value;

const ACCEPTANCE: &str = include_str!("../../../common/testdata/detector/detector-acceptance.json");
/// Days before anything is monitored, days that are, and the day a spike begins.
const WARM_UP: usize = 120;
const MONITORED: usize = 360;
pub const SPIKE: usize = 130;
/// Days in which a spike has to be found.
pub const FOUND_WITHIN: usize = 28;
/// Hours without a second alarm, and of a month.
const SILENCE_HOURS: usize = 7 * 24;
const MONTH_HOURS: f64 = 30.4 * 24.0;
/// The thresholds of the hourly period scan, and of the daily scans of orders that are spoilt.
const HOURLY: f64 = 9.0;
const DAILY: f64 = 8.0;
const DAILY_WINDOWS: [usize; 6] = [24, 48, 96, 168, 336, 672];

/// How many simulated shops a figure rests on.
pub fn runs(usual: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "`make soak` asks for more")]
    let times = std::env::var("TALLYHOOK_TEST_DETECTOR_TIMES");
    usual * times.map_or(1, |times| times.parse::<usize>().expect("a number"))
}

/// The laws of the simulated shops.
#[derive(Clone)]
pub struct World {
    order_days: Vec<f64>,
    pub return_days: Vec<f64>,
    pub hours: Vec<f64>,
    /// The lags by which returns really come, and those that the detector expects.
    pub lags: Vec<f64>,
    expected_lags: Vec<f64>,
    expected_return_days: Vec<f64>,
    day_effect: f64,
    surge: bool,
}

/// A shop and its spike.
#[derive(Clone, Copy)]
pub struct Shop {
    pub orders_per_day: f64,
    pub base_rate: f64,
    pub ratio: f64,
}

pub fn acceptance() -> Value {
    serde_json::from_str(ACCEPTANCE).expect("json")
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

pub fn lags(mean: f64, deviation: f64) -> Vec<f64> {
    let (scale, shape) = (deviation * deviation / mean, (mean / deviation).powi(2));
    let weight = |lag: usize| match lag {
        0 | 1 => 0.0,
        _ => (lag as f64).powf(shape - 1.0) * (-(lag as f64) / scale).exp(),
    };
    let all: f64 = (0..=MOST_LAG_DAYS).map(weight).sum();
    (0..=MOST_LAG_DAYS).map(|lag| weight(lag) / all).collect()
}

impl World {
    pub fn usual() -> Self {
        let simulator = &acceptance()["simulator"];
        let list = |name: &str| -> Vec<f64> {
            simulator[name].as_array().expect("a list").iter().map(number).collect()
        };
        let return_days = list("weekday_return_factors");
        Self {
            order_days: list("weekday_order_factors"),
            expected_return_days: return_days.clone(),
            return_days,
            hours: list("hour_shares"),
            lags: lags(14.0, 8.0),
            expected_lags: lags(14.0, 8.0),
            day_effect: 0.0,
            surge: false,
        }
    }

    /// Orders of each day.
    pub fn orders(&self, shop: Shop, days: usize, rng: &mut StdRng) -> Vec<f64> {
        let surge = |day: usize| match day {
            _ if !self.surge => 1.0,
            200..204 => 5.0,
            204..218 => 0.7,
            _ => 1.0,
        };
        let mean = |day: usize| shop.orders_per_day * self.order_days[day % 7] * surge(day);
        (0..days).map(|day| poisson(mean(day), rng)).collect()
    }

    /// Returns and exposure of each hour.
    fn hours(&self, shop: Shop, days: usize, rng: &mut StdRng) -> Vec<(f64, f64)> {
        let orders = self.orders(shop, days, rng);
        let mut hours = Vec::with_capacity(days * DAY_HOURS);
        for day in 0..days {
            let due = |lags: &[f64], factors: &[f64]| {
                let by_lag = (0..=day.min(MOST_LAG_DAYS)).map(|lag| orders[day - lag] * lags[lag]);
                by_lag.sum::<f64>() * factors[day % 7]
            };
            let (real, expected) = (
                due(&self.lags, &self.return_days),
                due(&self.expected_lags, &self.expected_return_days),
            );
            let factor = if day >= SPIKE { shop.ratio } else { 1.0 };
            let rate = shop.base_rate * factor * self.effect(rng);
            for share in &self.hours {
                hours.push((poisson(rate * real * share, rng), expected * share));
            }
        }
        hours
    }

    /// What a day's rate is multiplied by.
    fn effect(&self, rng: &mut StdRng) -> f64 {
        if self.day_effect == 0.0 {
            return 1.0;
        }
        let variance = self.day_effect.powi(2);
        Gamma::new(1.0 / variance, variance).expect("valid").sample(rng)
    }
}

pub fn poisson(mean: f64, rng: &mut StdRng) -> f64 {
    if mean <= 0.0 { 0.0 } else { Poisson::new(mean).expect("valid").sample(rng) }
}

/// The rate that is believed in beforehand: more or less the true one.
fn prior(shop: Shop, rng: &mut StdRng) -> f64 {
    shop.base_rate * LogNormal::new(0.0, 0.4).expect("valid").sample(rng)
}

pub fn shops(ratio: f64) -> Vec<Shop> {
    let of = |orders_per_day| {
        [0.02, 0.05, 0.1, 0.2].map(|base_rate| Shop { orders_per_day, base_rate, ratio })
    };
    [5.0, 50.0, 500.0, 5_000.0].into_iter().flat_map(of).collect()
}

fn is_over(excess: Option<Excess>, threshold: f64) -> bool {
    excess.is_some_and(|excess| excess.statistic >= threshold)
}

/// False alarms a month of calm shops: the mean over all, and the most of one kind.
fn false_alarms(world: &World, runs: usize) -> (f64, f64) {
    let months = (MONITORED * DAY_HOURS) as f64 / MONTH_HOURS * runs as f64;
    let mut rates = Vec::new();
    for (kind, shop) in shops(1.0).into_iter().enumerate() {
        let mut alarms = 0;
        for run in 0..runs {
            let rng = &mut StdRng::seed_from_u64((kind * 100_000 + run) as u64);
            let prior = prior(shop, rng);
            let scan = PeriodScan::new(prior, world.hours(shop, WARM_UP + MONITORED, rng));
            let mut silent_until = 0;
            for (hour, excess) in scan.series(WARM_UP * DAY_HOURS..scan.hours()) {
                if hour >= silent_until && is_over(excess, HOURLY) {
                    alarms += 1;
                    silent_until = hour + SILENCE_HOURS;
                }
            }
        }
        rates.push(f64::from(alarms) / months);
    }
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    (mean, rates.into_iter().fold(0.0, f64::max))
}

#[test]
fn calm_shops_raise_few_false_alarms() {
    let limit = acceptance()["false_alarms_per_stream_month"]["limit"].clone();
    let (mean, most) = false_alarms(&World::usual(), runs(60));
    println!("poisson: {mean:.4} false alarms a month, {most:.4} at most");
    assert!(mean <= number(&limit["mean_poisson"]), "{mean}");
    assert!(most <= number(&limit["max_poisson"]), "{most}");
    assert!(mean > 0.002, "too few to be true: {mean}");
}

#[test]
fn what_the_detector_does_not_know_raises_few_false_alarms() {
    let usual = World::usual();
    let worlds = [
        ("day effect cv 0.15", World { day_effect: 0.15, ..usual.clone() }),
        ("day effect cv 0.25", World { day_effect: 0.25, ..usual.clone() }),
        ("surge", World { surge: true, ..usual.clone() }),
        ("cv 0.15 and surge", World { day_effect: 0.15, surge: true, ..usual.clone() }),
        ("lag law wrong", World { lags: lags(10.0, 6.0), ..usual.clone() }),
        ("weekday factors wrong", World { return_days: vec![1.0; 7], ..usual }),
    ];
    let limit = acceptance()["false_alarms_per_stream_month"]["limit"].clone();
    for (name, world) in worlds {
        let (mean, most) = false_alarms(&world, runs(20));
        println!("{name}: {mean:.4} false alarms a month, {most:.4} at most");
        assert!(mean <= number(&limit["mean_any_listed"]), "{name}: {mean}");
        assert!(most <= number(&limit["max_any_listed"]), "{name}: {most}");
    }
}

/// How the delays of a row of a table are judged.
pub struct Judging<'a> {
    /// The median's name, and what its limit adds, in the unit of the table.
    pub median: (&'a str, f64),
    /// By how many deviations of chance, beside a tenth, the share that is found may be below the measured
    /// one.
    pub chance: f64,
    /// The longest delay.
    pub most: f64,
    /// How many shops a row rests on.
    pub runs: usize,
}

/// Checks the delays of rows of a table: `delay` finds the spike in one simulated shop.
pub fn check_delays(
    rows: &[Value],
    judging: &Judging<'_>,
    delay: impl Fn(Shop, &mut StdRng) -> Option<usize>,
) {
    let Judging { median: (median, slack), chance, most, runs } = *judging;
    for (number_of_row, row) in rows.iter().enumerate() {
        let field = |name: &str| number(&row[name]);
        let shop = Shop {
            orders_per_day: field("orders_per_day"),
            base_rate: field("base_rate"),
            ratio: field("ratio"),
        };
        let mut delays: Vec<f64> = (0..runs)
            .map(|run| {
                let rng = &mut StdRng::seed_from_u64((number_of_row * 100_000 + run) as u64);
                delay(shop, rng).map_or(f64::INFINITY, |delay| delay as f64)
            })
            .collect();
        delays.sort_by(f64::total_cmp);
        let found = delays.iter().filter(|delay| delay.is_finite()).count() as f64 / runs as f64;
        let middle = f64::midpoint(delays[(runs - 1) / 2], delays[runs / 2]);
        let measured = field("detected_28d");
        let by_chance = chance * (measured * (1.0 - measured) / runs as f64).sqrt();
        assert!(found >= measured - 0.10 - by_chance, "{found} found: {row}");
        if let Some(measured) = row[median].as_f64() {
            // What is found in half of the runs only just has no middle to compare.
            let limit = 1.25 * measured + slack;
            assert!(middle <= limit || limit > most, "{middle} is over {limit}: {row}");
        }
    }
}

pub fn rows(table: &Value) -> Vec<Value> {
    let rows = table.as_array().expect("rows");
    assert_eq!(rows.len(), 48);
    rows.clone()
}

#[test]
fn spikes_of_all_returns_are_found_in_time() {
    let (world, table) = (World::usual(), rows(&acceptance()["return_side_hourly"]));
    let (spike, days) = (SPIKE * DAY_HOURS, SPIKE + FOUND_WITHIN);
    let most = (FOUND_WITHIN * DAY_HOURS) as f64;
    let judging = Judging { median: ("median_h", 2.0), chance: 0.0, most, runs: runs(300) };
    check_delays(&table, &judging, |shop, rng| {
        let prior = prior(shop, rng);
        let scan = PeriodScan::new(prior, world.hours(shop, days, rng));
        let found = scan.series(spike..days * DAY_HOURS).find(|one| is_over(one.1, HOURLY));
        found.map(|(hour, _)| hour - spike + 1)
    });
}

#[test]
fn spoilt_orders_are_found_in_time() {
    let (world, table) = (World::usual(), rows(&acceptance()["order_side_daily_cohort"]["table"]));
    let most = FOUND_WITHIN as f64;
    let judging = Judging { median: ("median_d", 1.0), chance: 0.0, most, runs: runs(300) };
    check_delays(&table, &judging, |shop, rng| spoilt(&world, shop, rng));
}

/// The day after a spike's beginning on which orders that come back more often are noticed.
fn spoilt(world: &World, shop: Shop, rng: &mut StdRng) -> Option<usize> {
    let days = SPIKE + FOUND_WITHIN;
    let prior = prior(shop, rng);
    let orders = world.orders(shop, days, rng);
    // Returns by the day they come and the age of their orders, and what is due without a rate.
    let mut returns = vec![vec![0.0; MOST_LAG_DAYS + 1]; days];
    let mut by_day = vec![(0.0, 0.0); days];
    let due =
        |day: usize, lag: usize| orders[day - lag] * world.lags[lag] * world.return_days[day % 7];
    for day in 0..days {
        for (lag, returned) in returns[day].iter_mut().enumerate().take(day + 1) {
            let ratio = if day - lag >= SPIKE { shop.ratio } else { 1.0 };
            *returned = poisson(shop.base_rate * ratio * due(day, lag), rng);
            by_day[day].0 += *returned;
            by_day[day].1 += due(day, lag);
        }
    }
    // A day is looked at as a whole, so all of it may lie in one hour.
    let hours = by_day
        .iter()
        .flat_map(|day| (0..DAY_HOURS).map(move |hour| if hour == 0 { *day } else { (0.0, 0.0) }));
    let scan = PeriodScan::new(prior, hours);
    let found = (SPIKE..days).find(|&day| {
        let baseline = scan.baseline(day);
        let by_age: Vec<(f64, f64)> = (0..28)
            .map(|age| {
                let placed = day - age;
                let so_far =
                    (0..=age).map(|lag| (returns[placed + lag][lag], due(placed + lag, lag)));
                so_far.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
            })
            .collect();
        let hour = (day + 1) * DAY_HOURS - 1;
        is_over(scan.at(hour, &baseline, &DAILY_WINDOWS), DAILY)
            || is_over(cohort::scan(baseline.belief, &by_age), DAILY)
    });
    found.map(|day| day - SPIKE + 1)
}

/// An alarm by the rule that everybody writes first: returns of the last day over orders of the last day
/// above a fixed rate.
fn naive_hours<'a>(
    hours: &'a [(f64, f64)],
    orders: &'a [f64],
    threshold: f64,
) -> impl Iterator<Item = usize> + 'a {
    (WARM_UP * DAY_HOURS..hours.len()).filter(move |&hour| {
        let returned: f64 = hours[hour + 1 - DAY_HOURS..=hour].iter().map(|one| one.0).sum();
        let placed = orders[hour / DAY_HOURS - 1];
        placed > 0.0 && returned / placed > threshold
    })
}

/// Alarms with a week of silence after each.
fn silenced(hours: impl Iterator<Item = usize>) -> usize {
    let mut silent_until = 0;
    hours
        .filter(|&hour| {
            let is_heard = hour >= silent_until;
            if is_heard {
                silent_until = hour + SILENCE_HOURS;
            }
            is_heard
        })
        .count()
}

/// The table of `docs/ALERTING.md`: false alarms of a calm year with a sale in it, and hours until
/// returns that doubled are noticed, by the naive rule and by the detector, on the same shops.
#[test]
fn the_naive_rule_beside_the_detector() {
    let world = World { surge: true, ..World::usual() };
    let runs = runs(40);
    let months = (MONITORED * DAY_HOURS) as f64 / MONTH_HOURS * runs as f64;
    let (base_rate, spike) = (0.1, SPIKE * DAY_HOURS);
    for orders_per_day in [50.0, 500.0, 5_000.0] {
        let mut false_alarms = [0; 3];
        let mut delays = [const { Vec::new() }; 3];
        for run in 0..runs {
            for ratio in [1.0, 2.0] {
                let shop = Shop { orders_per_day, base_rate, ratio };
                let days = if ratio > 1.0 { SPIKE + FOUND_WITHIN } else { WARM_UP + MONITORED };
                let seed = run as u64;
                let orders = world.orders(shop, days, &mut StdRng::seed_from_u64(seed));
                // The same orders: they are drawn first.
                let hours = world.hours(shop, days, &mut StdRng::seed_from_u64(seed));
                let scan = PeriodScan::new(base_rate, hours.clone());
                let detected = scan.series(WARM_UP * DAY_HOURS..scan.hours());
                let detected: Vec<usize> =
                    detected.filter(|one| is_over(one.1, HOURLY)).map(|one| one.0).collect();
                let naive = [1.5, 2.0].map(|factor| {
                    naive_hours(&hours, &orders, factor * base_rate).collect::<Vec<usize>>()
                });
                for (rule, found) in naive.into_iter().chain([detected]).enumerate() {
                    if ratio > 1.0 {
                        let first = found.into_iter().find(|hour| *hour >= spike);
                        delays[rule]
                            .push(first.map_or(f64::INFINITY, |hour| (hour + 1 - spike) as f64));
                    } else {
                        false_alarms[rule] += silenced(found.into_iter());
                    }
                }
            }
        }
        let rules = ["rate over 15 %", "rate over 20 %", "detector"];
        let mut rates = Vec::new();
        for (rule, (alarms, delays)) in rules.iter().zip(false_alarms.iter().zip(&mut delays)) {
            delays.sort_by(f64::total_cmp);
            rates.push(*alarms as f64 / months);
            let (rate, middle) = (*alarms as f64 / months, delays[runs / 2]);
            println!("{orders_per_day} orders/day, {rule}: {rate:.3} false a month, {middle} h");
        }
        assert!(rates[2] < 0.06 && rates[2] < rates[0] / 10.0, "{rates:?}");
    }
}
