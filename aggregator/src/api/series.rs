//! `GET /v1/shops/{shop}/series`: a KPI over time, hour by hour or by the shop's calendar.

use actix_web::{HttpResponse, web};
use common::currency::Currency;
use common::shop::ShopDomain;
use common::store::{Snapshot, Store, StoreError};
use common::time::Timestamp;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::handlers::{blocking, shop};
use super::{Api, Problem};
use crate::calendar;
use crate::fold::customer::CustomerDoc;
use crate::fold::field::Sums;
use crate::fold::keys::Kind;
use crate::kpi::Kpi;
use crate::kpi::figures::{Answer, Figures, Whole};
use crate::kpi::reader::{ReadError, ShopReader};
use crate::kpi::{catalogue, live};
use crate::query::Query;
use crate::window::{Asked, Span, Window};

/// The most points of an answer.
const MOST_POINTS: usize = 2_000;
/// KPIs that count customers: their points are read from the customers' purchases.
const OF_CUSTOMERS: [&str; 5] = [
    "customers",
    "repeat_customers",
    "repeat_purchase_ratio",
    "returning_customer_ratio",
    "purchase_frequency",
];
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Hour,
    Day,
    Week,
    Month,
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
    let (step, name) = step(asking.step.as_deref())?;
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
    Ok(Reply { kpi: kpi.to_owned(), basis: asking.basis.clone(), step: name, points: points? })
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

fn step(text: Option<&str>) -> Result<(Step, &'static str), Problem> {
    match text.unwrap_or("1d") {
        "1h" => Ok((Step::Hour, "1h")),
        "1d" => Ok((Step::Day, "1d")),
        "1w" => Ok((Step::Week, "1w")),
        "1mo" => Ok((Step::Month, "1mo")),
        _ => Err(Problem::parameter("step", "one of 1h, 1d, 1w, 1mo")),
    }
}

fn instant(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let parse = |text: &str| Timestamp::parse(&text.replace(' ', "+"));
    text.map(parse).transpose().map_err(|error| Problem::parameter(name, &error.to_string()))
}

/// The periods from the one that contains `from` to the one that contains `to`.
fn spans(
    from: Timestamp,
    to: Timestamp,
    step: Step,
    zone: &TimeZone,
) -> Result<Vec<Span>, Problem> {
    let too_many = || Problem::parameter("step", "too short for the time between from and to");
    let outside = || Problem::parameter("from", "outside the calendar");
    let mut spans = Vec::new();
    if step == Step::Hour {
        for hour in from.hour()..=to.plus_ms(-1).hour().max(from.hour()) {
            if spans.len() == MOST_POINTS {
                return Err(too_many());
            }
            let start = Timestamp::from_ms(hour * common::time::HOUR_MS);
            spans.push(Span { from: start, to: start.plus_ms(common::time::HOUR_MS - 1) });
        }
        return Ok(spans);
    }
    let mut date = begin(calendar::local(zone, from).ok_or_else(outside)?.date(), step);
    let midnight = |date: Date| calendar::midnight(zone, date).ok_or_else(outside);
    let mut start = midnight(date)?;
    while start < to || spans.is_empty() {
        if spans.len() == MOST_POINTS {
            return Err(too_many());
        }
        let length = match step {
            Step::Hour | Step::Day => 1.day(),
            Step::Week => 1.week(),
            Step::Month => 1.month(),
        };
        date = date.checked_add(length).map_err(|_| outside())?;
        let end = midnight(date)?;
        spans.push(Span { from: start, to: end.plus_ms(-1) });
        start = end;
    }
    Ok(spans)
}

/// The first date of the period that contains `date`: weeks begin on Monday.
fn begin(date: Date, step: Step) -> Date {
    match step {
        Step::Hour | Step::Day => date,
        Step::Week => {
            let since = i64::from(date.weekday().since(Weekday::Monday));
            date.checked_sub(since.days()).unwrap_or(date)
        }
        Step::Month => date.first_of_month(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(from: &str, to: &str, step: Step, zone: &str) -> Vec<String> {
        let zone = TimeZone::get(zone).expect("a zone");
        let at = |text| Timestamp::parse(text).expect("an instant");
        let spans = spans(at(from), at(to), step, &zone).unwrap_or_default();
        spans.into_iter().map(|span| span.from.to_string()).collect()
    }

    #[test]
    fn follows_the_calendar_through_the_change_of_clocks() {
        let days =
            starts("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", Step::Day, "Europe/Berlin");
        assert_eq!(days, ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]);
        let weeks = starts("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", Step::Week, "UTC");
        assert_eq!(weeks, ["2026-03-23T00:00:00Z", "2026-03-30T00:00:00Z"]);
        // The end is left out: midnight begins the next day.
        let days = starts("2026-01-04T00:00:00Z", "2026-01-07T00:00:00Z", Step::Day, "UTC");
        assert_eq!(days.len(), 3);
        let hours = starts("2026-01-04T00:00:00Z", "2026-01-04T02:00:00Z", Step::Hour, "UTC");
        assert_eq!(hours.len(), 2);
        let months = starts("2026-01-31T12:00:00Z", "2026-03-01T00:00:00Z", Step::Month, "UTC");
        assert_eq!(months, ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]);
    }

    #[test]
    fn limits_the_points() {
        let zone = TimeZone::UTC;
        let (from, to) = (Timestamp::from_ms(0), Timestamp::from_ms(4_000_000_000_000));
        assert!(spans(from, to, Step::Hour, &zone).is_err());
    }
}
