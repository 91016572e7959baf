//! Folds events in memory and asks for figures, the way the program does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aggregator::fold::shop::{ShopSetting, ShopSettings};
use aggregator::fold::{Folded, Folder, digest};
use aggregator::kpi::as_of::Stopwatch;
use aggregator::kpi::live::{self, HourSums};
use aggregator::kpi::reader::{ReadError, ShopReader};
use aggregator::kpi::{as_of, catalogue};
use aggregator::window::{Asked, Window};
use common::config::{Config, Inputs, Needs};
use common::currency::Currency;
use common::event::Event;
use common::shop::ShopDomain;
use common::store::{MemoryStore, Store};

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
    use common::books::{Books, Mode, Settings, Window as BookWindow};
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
