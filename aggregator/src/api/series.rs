//! `GET /v1/shops/{shop}/series`: a KPI over time, hour by hour or by the shop's calendar.

use actix_web::{HttpResponse, web};
use common::currency::Currency;
use common::shop::ShopDomain;
use common::store::{Snapshot, Store, StoreError};
use common::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::handlers::{blocking, shop};
use super::steps::{Step, spans};
use super::{Api, Problem};
use crate::fold::customer::CustomerDoc;
use crate::fold::field::Sums;
use crate::fold::keys::Kind;
use crate::kpi::Kpi;
use crate::kpi::catalogue::{self, OF_CUSTOMERS};
use crate::kpi::figures::{Answer, Figures, Whole};
use crate::kpi::live;
use crate::kpi::reader::{ReadError, ShopReader};
use crate::query::Query;
use crate::window::{Asked, Span, Window};

/// KPIs that have no meaning for a period of the calendar.
const NOT_A_SERIES: [&str; 5] = [
    "retention_ratio",
    "churn_ratio",
    "customer_lifespan",
    "customer_lifetime_value",
    "checkout_abandonment_ratio",
];

/// What is asked for.
#[derive(Debug, Deserialize)]
pub struct Asking {
    kpi: Option<String>,
    basis: Option<String>,
    from: Option<String>,
    to: Option<String>,
    step: Option<String>,
    currency: Option<String>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Reply {
    kpi: String,
    basis: Option<String>,
    step: &'static str,
    points: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    from: String,
    to: String,
    value: Option<String>,
    numerator: Option<String>,
    denominator: Option<String>,
}

/// `GET /v1/shops/{shop}/series`.
pub async fn series<S: Store>(
    api: web::Data<Api<S>>,
    path: web::Path<String>,
    asking: web::Query<Asking>,
) -> Result<HttpResponse, Problem> {
    let shop = shop(&path)?;
    let asking = asking.into_inner();
    let reply = blocking(&api.query, move |query| answer(query, &shop, &asking)).await?;
    Ok(HttpResponse::Ok().json(reply))
}

/// Why there is no series: what was asked, or what was read, which may be worth another try.
enum Failure {
    Asked(Problem),
    Read(ReadError),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Asked(problem)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Read(error.into())
    }
}

fn answer<S: Store>(
    query: &Query<S>,
    shop: &ShopDomain,
    asking: &Asking,
) -> Result<Reply, Problem> {
    query.viewed(|snapshot| match answer_from(snapshot, query, shop, asking) {
        Ok(reply) => Ok(Ok(reply)),
        Err(Failure::Asked(problem)) => Ok(Err(problem)),
        Err(Failure::Read(error)) => Err(error),
    })?
}

fn answer_from<S: Store>(
    snapshot: &dyn Snapshot,
    query: &Query<S>,
    shop: &ShopDomain,
    asking: &Asking,
) -> Result<Reply, Failure> {
    let setting = query.settings().of(shop);
    let step = Step::parse(asking.step.as_deref())?;
    let reader = ShopReader::new(snapshot, query.partition(shop), shop);
    let doc = reader.shop()?.ok_or(ReadError::UnknownShop)?;
    let now = doc.present(query.now());
    let to = instant("to", asking.to.as_deref())?.unwrap_or(now).min(now);
    let default = to.plus_ms(-30 * common::time::DAY_MS);
    let from = instant("from", asking.from.as_deref())?.unwrap_or(default);
    let kpi = asking.kpi.as_deref().unwrap_or("net_sales");
    if NOT_A_SERIES.contains(&kpi) {
        return Err(Problem::parameter("kpi", "has no series; ask for its value with as_of").into());
    }
    if from > to {
        return Err(Problem::parameter("from", "must not be later than to, or than now").into());
    }
    let spans = spans(from, to, step, &setting.time_zone)?;
    let mut figures = vec![Figures::default(); spans.len()];
    let day = |at: Timestamp| setting.day(at);
    sums(&reader, step, &spans, &mut figures, day)?;
    live::each_later(&reader, &setting, now, |all, known| {
        for (bookings, sign) in [(all, -1), (known, 1)] {
            for (at, field, amount) in bookings {
                let index = spans.partition_point(|span| span.to < *at);
                if spans.get(index).is_some_and(|span| span.contains(*at)) {
                    figures[index].sums.add(*field, sign * amount);
                }
            }
        }
    })?;
    if OF_CUSTOMERS.contains(&kpi) {
        customers(&reader, &spans, now, &mut figures)?;
    }
    let whole = Whole::new(ShopReader::currencies(&doc), setting.currency);
    let wanted = Wanted::new(asking, kpi, &whole)?;
    let points: Result<Vec<Point>, Problem> = spans
        .iter()
        .zip(figures)
        .map(|(span, figures)| wanted.point(*span, figures, &whole))
        .collect();
    Ok(Reply {
        kpi: kpi.to_owned(),
        basis: asking.basis.clone(),
        step: step.name(),
        points: points?,
    })
}

/// Which row of the catalogue is asked for.
struct Wanted<'a> {
    kpi: &'a str,
    basis: Option<&'a str>,
    currency: Option<Currency>,
    reason: &'a str,
}

impl<'a> Wanted<'a> {
    fn new(asking: &'a Asking, kpi: &'a str, whole: &Whole) -> Result<Self, Problem> {
        let parse = |code: &str| {
            Currency::parse(code)
                .map_err(|error| Problem::parameter("currency", &error.to_string()))
        };
        let currency = asking.currency.as_deref().map(parse).transpose()?.or(whole.value_currency);
        let basis = asking.basis.as_deref().filter(|basis| !basis.is_empty() && *basis != "-");
        let reason = asking.reason.as_deref().unwrap_or("all");
        Ok(Self { kpi, basis, currency, reason })
    }

    fn point(&self, span: Span, figures: Figures, whole: &Whole) -> Result<Point, Problem> {
        let answer = Answer {
            windows: vec![(Window::H24, figures)],
            whole: whole.clone(),
            year: Figures::default(),
            all: Figures::default(),
            asked: Asked::AsOf(span.to),
        };
        let rows = catalogue::kpis(&answer);
        let named: Vec<Kpi> = rows.into_iter().filter(|row| row.kpi == self.kpi).collect();
        if named.is_empty() {
            return Err(Problem::NotFound(format!("no KPI of the name {}", self.kpi)));
        }
        let of_basis = |row: &Kpi| self.basis.is_none_or(|basis| row.basis == Some(basis));
        if !named.iter().any(of_basis) {
            return Err(Problem::parameter("basis", "not one of this KPI"));
        }
        let row = named.into_iter().find(|row| {
            of_basis(row)
                && (row.currency.is_none() || row.currency == self.currency)
                && row.reason.is_none_or(|reason| reason == self.reason)
        });
        let (value, numerator, denominator) =
            row.map(|row| (row.value, row.numerator, row.denominator)).unwrap_or_default();
        let to = span.to.plus_ms(1);
        Ok(Point { from: span.from.to_string(), to: to.to_string(), value, numerator, denominator })
    }
}

/// Adds the buckets of every period up.
fn sums(
    reader: &ShopReader<'_>,
    step: Step,
    spans: &[Span],
    figures: &mut [Figures],
    day: impl Fn(Timestamp) -> i64,
) -> Result<(), StoreError> {
    let number = |at: Timestamp| match step {
        Step::Hour => at.hour(),
        Step::Day | Step::Week | Step::Month => day(at),
    };
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Ok(()) };
    let ends: Vec<i64> = spans.iter().map(|span| number(span.to)).collect();
    let (from, to) = (number(first.from), number(last.to));
    let add = |bucket: i64, sums: &Sums| {
        let at = ends.partition_point(|end| *end < bucket);
        if let Some(figures) = figures.get_mut(at) {
            figures.sums.add_all(sums);
        }
    };
    match step {
        Step::Hour => reader.hours(from, to, add)?,
        Step::Day | Step::Week | Step::Month => reader.days(from, to, add)?,
    }
    Ok(())
}

/// Counts the customers of every period.
fn customers(
    reader: &ShopReader<'_>,
    spans: &[Span],
    now: Timestamp,
    figures: &mut [Figures],
) -> Result<(), Problem> {
    let mut failed = Ok(());
    reader.each(Kind::Customer, |_, doc: CustomerDoc| {
        let CustomerDoc::Class(class) = doc else { return true };
        let entries = match class.purchases.entries(&mut reader.chunks()) {
            Ok(entries) => entries,
            Err(error) => {
                failed = Err(error);
                return false;
            }
        };
        let known = entries.partition_point(|entry| entry.placed_at <= now);
        let mut counted: Vec<(usize, i128)> = Vec::new();
        for entry in &entries[..known] {
            let at = spans.partition_point(|span| span.to < entry.placed_at);
            if spans.get(at).is_some_and(|span| span.contains(entry.placed_at)) {
                match counted.last_mut() {
                    Some((known, count)) if *known == at => *count += 1,
                    Some(_) | None => counted.push((at, 1)),
                }
            }
        }
        for (at, count) in counted {
            figures[at].customers += 1;
            figures[at].repeat += i128::from(count > 1);
            figures[at].returning += i128::from(known > 1);
        }
        true
    })?;
    failed?;
    Ok(())
}

fn instant(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let parse = |text: &str| Timestamp::parse(&text.replace(' ', "+"));
    text.map(parse).transpose().map_err(|error| Problem::parameter(name, &error.to_string()))
}
