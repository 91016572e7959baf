//! Folds events in memory and asks for figures, the way the program does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aggregator::fold::back::Back;
use aggregator::fold::field::Sums;
use aggregator::fold::shop::{ShopSetting, ShopSettings};
use aggregator::fold::watched::Watched;
use aggregator::fold::{Folded, Folder, digest};
use aggregator::kpi::as_of::Stopwatch;
use aggregator::kpi::live::{self, HourSums};
use aggregator::kpi::reader::{ReadError, ShopReader};
use aggregator::kpi::{as_of, catalogue};
use aggregator::window::{Asked, Window};
use common::books::{Books, Mode, Settings, Window as BookWindow};
use common::config::{Config, Inputs, Needs};
use common::currency::Currency;
use common::event::Event;
use common::id::Id;
use common::reason::Reason;
use common::shop::ShopDomain;
use common::store::{MemoryStore, Store};
use common::time::{DAY_MS, Timestamp};

pub const PARTITION: u16 = 3;

pub struct Untimed;

impl Stopwatch for Untimed {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

pub fn settings() -> Arc<ShopSettings> {
    let inputs = Inputs { file: None, environment: BTreeMap::new(), overrides: Vec::new() };
    Arc::new(ShopSettings::new(Config::load(&inputs, Needs::Nothing).expect("defaults load")))
}

/// Folds batches into a store of their own.
pub fn folded<'a>(batches: impl IntoIterator<Item = &'a [Event]>) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let mut folder = Folder::new(store.clone(), settings());
    let mut base = 0;
    for batch in batches {
        let events = batch.iter().cloned().map(Some).collect();
        match folder.fold(PARTITION, base, events).expect("folds") {
            Folded::Done(_) => base += batch.len() as u64,
            Folded::Conflict { stored } => panic!("conflict at {stored}"),
        }
    }
    store
}

pub fn digest_of(store: &MemoryStore) -> String {
    let snapshot = store.snapshot().expect("a snapshot");
    digest::of(&*snapshot, 32).expect("digests").digest
}

pub fn setting(shop: &ShopDomain) -> ShopSetting {
    settings().of(shop)
}

/// A figure by kpi, basis, window, currency and reason.
pub type Figures = BTreeMap<String, [Option<String>; 3]>;

/// Every KPI of every window, as text.
pub fn figures(store: &MemoryStore, shop: &ShopDomain, asked: Asked) -> Option<Figures> {
    let snapshot = store.snapshot().expect("a snapshot");
    let reader = ShopReader::new(&*snapshot, PARTITION, shop);
    let setting = setting(shop);
    let answer = match asked {
        Asked::Live { now } => {
            let doc = reader.shop().expect("reads")?;
            assert_eq!(doc.present(now), now, "no question is about a time before a receipt");
            let totals = doc.totals;
            let sums = HourSums::read(&reader, &totals, now.hour()).expect("reads");
            live::answer(&reader, &sums, &setting, &Window::EVERY, now, || {
                live::lifespan(&reader, now)
            })
        }
        Asked::AsOf(at) => as_of::answer(&reader, &setting, &Window::EVERY, at, &Untimed),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(ReadError::UnknownShop) => return None,
        Err(error) => panic!("{error}"),
    };
    let rows = catalogue::kpis(&answer);
    let named = rows.into_iter().map(|row| {
        let name = name([row.kpi, row.basis.unwrap_or("-"), row.window], row.currency, row.reason);
        (name, [row.value, row.numerator, row.denominator])
    });
    Some(named.collect())
}

/// What tells a figure from the others of an answer.
fn name(parts: [&str; 3], currency: Option<Currency>, reason: Option<&str>) -> String {
    let currency = currency.map(|currency| currency.to_string());
    let [kpi, basis, window] = parts;
    let (currency, reason) = (currency.unwrap_or_default(), reason.unwrap_or_default());
    format!("{kpi} {basis} {window} {currency} {reason}")
}

/// The same figures by the naive books.
pub fn by_the_books(events: &[Event], shop: &ShopDomain, asked: Asked) -> Figures {
    let mode = match asked {
        Asked::Live { now } => Mode::Live { now },
        Asked::AsOf(at) => Mode::AsOf(at),
    };
    let rows = Books::new(events, shop, &Settings::default()).kpis(mode, &BookWindow::EVERY);
    let named = rows.into_iter().map(|row| {
        let name = name([row.kpi, row.basis.unwrap_or("-"), row.window], row.currency, row.reason);
        (name, [row.value, row.numerator, row.denominator])
    });
    named.collect()
}

/// What is watched for return spikes, by the hour it stands at.
pub type WatchedCounts = BTreeMap<(i64, String), i128>;

/// What a state has of it.
pub fn watched(store: &MemoryStore, shop: &ShopDomain) -> WatchedCounts {
    let snapshot = store.snapshot().expect("a snapshot");
    let mut counts = WatchedCounts::new();
    let reader = ShopReader::new(&*snapshot, PARTITION, shop);
    let visit = |hour, sums: &Sums| {
        for (field, count) in sums.iter() {
            let watched = Watched::of(field).expect("a watched field");
            counts.insert((hour, format!("{watched:?}")), count);
        }
    };
    reader.watched(i64::MIN, i64::MAX, visit).expect("reads");
    counts
}

/// The same by the naive books: an order counts once for all, and once for each reason, whenever its
/// first such unit came back.
pub fn watched_by_the_books(events: &[Event], shop: &ShopDomain) -> WatchedCounts {
    let books = Books::new(events, shop, &Settings::default());
    let mut counts = WatchedCounts::new();
    let mut count = |hour: i64, watched: Watched| {
        *counts.entry((hour, format!("{watched:?}"))).or_default() += 1;
    };
    for order in books.placed_orders() {
        let placed_hour = order.placed_at.hour();
        count(placed_hour, Watched::Orders);
        let mut firsts: BTreeMap<Option<Reason>, i64> = BTreeMap::new();
        for (at, reason, _) in order.returned {
            for cause in [None, Some(reason)] {
                let first = firsts.entry(cause).or_insert(at.ms());
                *first = at.ms().min(*first);
            }
        }
        for (cause, first) in firsts {
            let (day, placed_day) = (first.div_euclid(DAY_MS), placed_hour.div_euclid(24));
            let lag = (day - placed_day).clamp(0, 60);
            count(first.div_euclid(DAY_MS / 24), Watched::Returns(cause));
            count(placed_day * 24, Watched::Lag(cause, u8::try_from(lag).expect("at most 60")));
        }
    }
    counts
}

/// Orders of each product by day.
pub type SoldByDay = BTreeMap<(i64, Id), u32>;

/// What a state has of it.
pub fn sold(store: &MemoryStore, shop: &ShopDomain) -> SoldByDay {
    let snapshot = store.snapshot().expect("a snapshot");
    let mut found = SoldByDay::new();
    let visit = |day, product: &Id, orders| {
        assert!(found.insert((day, product.clone()), orders).is_none() && orders > 0);
    };
    ShopReader::new(&*snapshot, PARTITION, shop).sold(i64::MIN, i64::MAX, visit).expect("reads");
    found
}

/// The same by the naive books.
pub fn sold_by_the_books(events: &[Event], shop: &ShopDomain) -> SoldByDay {
    let mut found = SoldByDay::new();
    for order in Books::new(events, shop, &Settings::default()).placed_orders() {
        for product in order.products {
            let day = order.placed_at.ms().div_euclid(DAY_MS);
            *found.entry((day, product)).or_default() += 1;
        }
    }
    found
}

/// What came back: the hour, when the order was placed, the product and why.
pub type CameBack = BTreeMap<(i64, Timestamp, Id, Reason), usize>;

/// What a state has of it.
pub fn came_back(store: &MemoryStore, shop: &ShopDomain) -> CameBack {
    let snapshot = store.snapshot().expect("a snapshot");
    let mut found = CameBack::new();
    let visit = |hour, _, back: Back| {
        for (product, reason) in back.products {
            *found.entry((hour, back.placed_at, product, reason)).or_default() += 1;
        }
    };
    ShopReader::new(&*snapshot, PARTITION, shop).back(i64::MIN, i64::MAX, visit).expect("reads");
    found
}

/// The same by the naive books: each order once for a product and a reason, when its first such unit did.
pub fn came_back_by_the_books(events: &[Event], shop: &ShopDomain) -> CameBack {
    let mut found = CameBack::new();
    for order in Books::new(events, shop, &Settings::default()).placed_orders() {
        let mut firsts: BTreeMap<(Id, Reason), i64> = BTreeMap::new();
        for (at, reason, product) in order.returned {
            let Some(product) = product else { continue };
            let first = firsts.entry((product, reason)).or_insert(at.ms());
            *first = at.ms().min(*first);
        }
        for ((product, reason), first) in firsts {
            let hour = first.div_euclid(DAY_MS / 24);
            *found.entry((hour, order.placed_at, product, reason)).or_default() += 1;
        }
    }
    found
}

/// Compares figures; the estimates, which are floats, to eight digits.
pub fn difference(ours: &Figures, books: &Figures) -> Option<String> {
    for name in ours.keys().chain(books.keys()) {
        let (one, other) = (ours.get(name), books.get(name));
        let close = match (one, other) {
            (Some([Some(one), ..]), Some([Some(other), ..]))
                if name.contains("lifespan") || name.contains("formula") =>
            {
                let parse = |text: &str| text.parse::<f64>().expect("a number");
                let (one, other) = (parse(one), parse(other));
                (one - other).abs() <= 1e-7 * one.abs().max(1.0)
            }
            (one, other) => one == other,
        };
        if !close {
            return Some(format!("{name}: the fold says {one:?}, the books {other:?}"));
        }
    }
    None
}
