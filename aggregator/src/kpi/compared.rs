//! KPIs of a period beside those of the one before it, and of the steps of both.
//!
//! Every figure is that of its hours by all that is known now. What would have more time to ripen in
//! the earlier period, as returns of the orders placed in it have, is left out: it cannot be compared.
//! Three that ripen a little are in; `docs/KPIS.md` names them.

use std::ops::Range;

use common::store::StoreError;
use common::time::Timestamp;

use super::catalogue::{self, OF_CUSTOMERS};
use super::figures::{Answer, Figures, Whole};
use super::periods::{Part, Periods};
use super::reader::{ReadError, ShopReader};
use super::row::Kpi;
use crate::fold::book::Booking;
use crate::fold::customer::CustomerDoc;
use crate::fold::field::Sums;
use crate::fold::keys::Kind;
use crate::fold::shop::ShopSetting;
use crate::kpi::live;
use crate::window::{Asked, Window};

/// What is compared.
const COMPARED: [(&str, Option<&str>); 23] = [
    ("orders", None),
    ("units_sold", None),
    ("gross_sales", None),
    ("discounts", None),
    ("reversals", None),
    ("net_sales", None),
    ("total_sales", None),
    ("refunded", None),
    ("average_order_value", Some("placement")),
    ("average_order_value", Some("simple")),
    ("customers", None),
    ("repeat_customers", None),
    ("purchases", None),
    ("repeat_purchase_ratio", None),
    ("returning_customer_ratio", None),
    ("purchase_frequency", None),
    ("return_ratio", Some("units_period")),
    ("return_ratio", Some("value_period")),
    ("returned_units", None),
    ("return_reason_ratio", None),
    ("checkout_completion_ratio", None),
    ("customer_lifetime_value", Some("historic")),
    ("customer_lifetime_value", Some("historic_gross")),
];

/// Which KPIs are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted(Vec<&'static str>);

impl Wanted {
    /// Those of some names, or all; an error names one that is not compared.
    pub fn parse(names: Option<&str>) -> Result<Self, String> {
        let every = || COMPARED.iter().map(|(kpi, _)| *kpi);
        let Some(names) = names else { return Ok(Self(every().collect())) };
        let known = |name: &str| every().find(|kpi| *kpi == name).ok_or_else(|| name.to_owned());
        names.split(',').map(|name| known(name.trim())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether every customer has to be read.
    #[must_use]
    pub fn of_customers(&self) -> bool {
        self.0.iter().any(|kpi| *kpi == "customer_lifetime_value" || OF_CUSTOMERS.contains(kpi))
    }
}

/// The figures of one period.
#[derive(Debug)]
pub struct Side {
    /// Of the whole of it.
    pub whole: Vec<Kpi>,
    /// Of each of its steps.
    pub steps: Vec<Vec<Kpi>>,
}

/// Both periods of a shop.
#[derive(Debug)]
pub struct Compared {
    /// The present one.
    pub current: Side,
    /// The one before it.
    pub preceding: Side,
}

/// What the hours of a run of buckets add up to.
#[derive(Clone, Debug, Default)]
struct Run {
    figures: Figures,
    /// Everything up to its end.
    until: Figures,
}

/// Reads both periods of a shop, of which `now` is the present.
pub fn read(
    reader: &ShopReader<'_>,
    setting: &ShopSetting,
    (periods, wanted): (&Periods, &Wanted),
    now: Timestamp,
) -> Result<Compared, ReadError> {
    let doc = reader.shop()?.ok_or(ReadError::UnknownShop)?;
    let whole = Whole::new(ShopReader::currencies(&doc), setting.currency);
    let mut sums = vec![Sums::default(); periods.buckets()];
    reader.hours(i64::MIN, periods.last_hour(), |hour, bucket| {
        if let Some(at) = periods.bucket(hour) {
            sums[at].add_all(bucket);
        }
    })?;
    live::each_later(reader, setting, now, |all, known| {
        let mut add = |bookings: &[Booking], sign: i128| {
            for (at, field, amount) in bookings {
                if let Some(at) = periods.bucket(at.hour()) {
                    sums[at].add(*field, sign * amount);
                }
            }
        };
        add(all, -1);
        add(known, 1);
    })?;
    let mut customers = Customers::new(periods);
    if wanted.of_customers() {
        customers.read(reader, periods)?;
    }
    let until = running(&sums, &customers.firsts);
    let rows = |buckets: Range<usize>, counts: &Counts| {
        let until = until[buckets.end - 1].clone();
        rows(&Run { figures: figures(&sums[buckets], counts), until }, &whole, wanted)
    };
    let side = |part: &Part, counts: &Counts| Side {
        whole: rows(part.whole.clone(), counts),
        steps: part.steps.clone().map(|at| rows(at..at + 1, &customers.buckets[at])).collect(),
    };
    let [current, preceding] = &customers.wholes;
    Ok(Compared {
        current: side(&periods.current, current),
        preceding: side(&periods.preceding, preceding),
    })
}

/// What some buckets add up to.
fn figures(buckets: &[Sums], counts: &Counts) -> Figures {
    let mut sums = Sums::default();
    for bucket in buckets {
        sums.add_all(bucket);
    }
    let Counts { customers, repeat, returning } = *counts;
    Figures { sums, customers, repeat, returning, ..Figures::default() }
}

/// What each bucket and all before it add up to.
fn running(sums: &[Sums], firsts: &[i128]) -> Vec<Figures> {
    let mut all = Figures::default();
    let until = sums.iter().zip(firsts).map(|(sums, firsts)| {
        all.sums.add_all(sums);
        all.customers += firsts;
        all.clone()
    });
    until.collect()
}

/// The rows of the catalogue that are compared.
fn rows(run: &Run, whole: &Whole, wanted: &Wanted) -> Vec<Kpi> {
    let answer = Answer {
        // Lifetime value is a figure of everything until then.
        windows: vec![(Window::H24, run.figures.clone()), (Window::All, Figures::default())],
        whole: whole.clone(),
        year: Figures::default(),
        all: run.until.clone(),
        asked: Asked::AsOf(Timestamp::MAX),
    };
    let is_compared = |row: &Kpi| {
        let of_everything = row.kpi == "customer_lifetime_value";
        of_everything == (row.window == Window::All.name())
            && COMPARED.contains(&(row.kpi, row.basis))
            && wanted.0.contains(&row.kpi)
    };
    catalogue::kpis(&answer).into_iter().filter(is_compared).collect()
}

/// Customers of a run of buckets.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    customers: i128,
    repeat: i128,
    returning: i128,
}

impl Counts {
    /// Counts a customer with some purchases in the run and some until its end.
    fn add(&mut self, inside: usize, until: usize) {
        self.customers += i128::from(inside > 0);
        self.repeat += i128::from(inside > 1);
        self.returning += i128::from(inside > 0 && until > 1);
    }
}

/// The customers of every bucket and of both periods.
struct Customers {
    buckets: Vec<Counts>,
    /// By their first purchase.
    firsts: Vec<i128>,
    /// Of the present period and of the one before.
    wholes: [Counts; 2],
}

impl Customers {
    fn new(periods: &Periods) -> Self {
        Self {
            buckets: vec![Counts::default(); periods.buckets()],
            firsts: vec![0; periods.buckets()],
            wholes: [Counts::default(); 2],
        }
    }

    fn read(&mut self, reader: &ShopReader<'_>, periods: &Periods) -> Result<(), StoreError> {
        let mut failed = Ok(());
        let mut places = Vec::new();
        reader.each(Kind::Customer, |_, doc: CustomerDoc| {
            let CustomerDoc::Class(class) = doc else { return true };
            match class.purchases.entries(&mut reader.chunks()) {
                Ok(entries) => {
                    places.clear();
                    let place = |hour: i64| periods.bucket(hour);
                    places.extend(entries.iter().map_while(|entry| place(entry.placed_at.hour())));
                    self.add(&places, periods);
                }
                Err(error) => failed = Err(error),
            }
            failed.is_ok()
        })?;
        failed
    }

    /// Adds a customer by the buckets of its purchases, in order of time.
    fn add(&mut self, places: &[usize], periods: &Periods) {
        let Some(first) = places.first() else { return };
        self.firsts[*first] += 1;
        let mut until = 0;
        for run in places.chunk_by(|a, b| a == b) {
            until += run.len();
            self.buckets[run[0]].add(run.len(), until);
        }
        let parts = [&periods.current, &periods.preceding];
        for (counts, part) in self.wholes.iter_mut().zip(parts) {
            let before = |end: usize| places.partition_point(|place| *place < end);
            let until = before(part.whole.end);
            counts.add(until - before(part.whole.start), until);
        }
    }
}
