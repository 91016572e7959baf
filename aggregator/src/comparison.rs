//! The KPIs of a period beside those of the one before it, as the API tells them.

use std::sync::Arc;

use common::shop::ShopDomain;
use common::store::{Snapshot, Store};
use common::time::Timestamp;
use serde::Serialize;

use crate::fold::shop::ShopSetting;
use crate::kpi::Kpi;
use crate::kpi::compared::{self, Compared, Side, Wanted};
use crate::kpi::number::{quotient, scaled, unscaled};
use crate::kpi::periods::{Part, Period, Periods};
use crate::kpi::reader::{ReadError, ShopReader};
use crate::query::Query;

/// The reply of `.../comparison`.
#[derive(Debug, Serialize)]
pub struct ComparisonReply {
    shop: String,
    period: &'static str,
    time_zone: String,
    current: PartRow,
    preceding: PartRow,
    kpis: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct PartRow {
    from: String,
    to: String,
    /// Where its steps begin, and last where they end.
    steps: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row {
    kpi: &'static str,
    basis: Option<&'static str>,
    unit: &'static str,
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    current: Figure,
    preceding: Figure,
    /// The present figure less the one before.
    difference: Option<String>,
    /// The difference as a share of the figure before; null unless that is above 0.
    change: Option<String>,
}

#[derive(Debug, Serialize)]
struct Figure {
    value: Option<String>,
    numerator: Option<String>,
    denominator: Option<String>,
    /// The value of each step.
    steps: Vec<Option<String>>,
}

impl<S: Store> Query<S> {
    /// The KPIs of a shop in a period, beside those of the one before it.
    pub fn comparison(
        &self,
        shop: &ShopDomain,
        period: Period,
        wanted: &Wanted,
    ) -> Result<ComparisonReply, ReadError> {
        self.viewed(|snapshot| {
            let (reader, now) = self.present(snapshot, shop)?;
            let setting = self.settings().of(shop);
            let periods = period.at(now, &setting.time_zone);
            let read = || compared::read(&reader, &setting, (&periods, wanted), now).map(Arc::new);
            let question = (shop.clone(), periods.clone(), wanted.clone());
            let compared = self.comparisons.get(question, read)?;
            Ok(reply(shop, period, &periods, &setting, &compared))
        })
    }

    /// The same if it is kept: of the shop only what it is as a whole is read.
    pub fn kept_comparison(
        &self,
        shop: &ShopDomain,
        period: Period,
        wanted: &Wanted,
    ) -> Result<Option<ComparisonReply>, ReadError> {
        self.viewed(|snapshot| {
            let (_, now) = self.present(snapshot, shop)?;
            let setting = self.settings().of(shop);
            let periods = period.at(now, &setting.time_zone);
            let kept = self.comparisons.peek(&(shop.clone(), periods.clone(), wanted.clone()));
            Ok(kept.map(|compared| reply(shop, period, &periods, &setting, &compared)))
        })
    }

    fn present<'a>(
        &self,
        snapshot: &'a dyn Snapshot,
        shop: &'a ShopDomain,
    ) -> Result<(ShopReader<'a>, Timestamp), ReadError> {
        let (partition, _) = self.place(snapshot, shop)?;
        let reader = ShopReader::new(snapshot, partition, shop);
        let now = reader.shop()?.ok_or(ReadError::UnknownShop)?.present(self.now());
        Ok((reader, now))
    }
}

fn reply(
    shop: &ShopDomain,
    period: Period,
    periods: &Periods,
    setting: &ShopSetting,
    compared: &Compared,
) -> ComparisonReply {
    ComparisonReply {
        shop: shop.to_string(),
        period: period.name(),
        time_zone: setting.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        current: part(periods, &periods.current),
        preceding: part(periods, &periods.preceding),
        kpis: rows(compared),
    }
}

fn part(periods: &Periods, part: &Part) -> PartRow {
    let (from, to) = periods.span(&part.whole);
    let begin = |at: usize| periods.span(&(at..at)).0;
    let steps = (part.steps.start..=part.steps.end).map(begin);
    let text = |at: Timestamp| at.to_string();
    PartRow { from: text(from), to: text(to), steps: steps.map(text).collect() }
}

/// Every KPI that one of the periods has.
fn rows(compared: &Compared) -> Vec<Row> {
    let Compared { current, preceding } = compared;
    let only_before =
        preceding.whole.iter().filter(|row| !current.whole.iter().any(|one| is_same(one, row)));
    current.whole.iter().chain(only_before).map(|kpi| row(kpi, compared)).collect()
}

fn row(kpi: &Kpi, Compared { current, preceding }: &Compared) -> Row {
    let (current, preceding) = (figure(kpi, current), figure(kpi, preceding));
    let number = |figure: &Figure| figure.value.as_deref().and_then(scaled);
    let difference = number(&current).zip(number(&preceding)).map(|(now, then)| now - then);
    let digits = kpi.currency.map_or(0, |currency| u32::from(currency.exponent()));
    let base = number(&preceding).filter(|base| *base > 0);
    Row {
        kpi: kpi.kpi,
        basis: kpi.basis,
        unit: kpi.unit,
        currency: kpi.currency.map(|currency| currency.to_string()),
        reason: kpi.reason,
        change: difference.zip(base).and_then(|(difference, base)| quotient(difference, base)),
        // A share in one currency is no sum of money.
        difference: difference.map(|by| unscaled(by, if kpi.unit == "1" { 0 } else { digits })),
        current,
        preceding,
    }
}

fn figure(kpi: &Kpi, side: &Side) -> Figure {
    let whole = find(&side.whole, kpi);
    Figure {
        value: whole.value,
        numerator: whole.numerator,
        denominator: whole.denominator,
        steps: side.steps.iter().map(|rows| find(rows, kpi).value).collect(),
    }
}

/// The row of that name. A reason that nothing came back for has none: it is nought of what all have.
fn find(rows: &[Kpi], wanted: &Kpi) -> Kpi {
    let named = rows.iter().find(|row| is_same(row, wanted)).cloned();
    named.unwrap_or_else(|| {
        let all = Kpi { reason: Some("all"), ..wanted.clone() };
        let all = rows.iter().find(|row| is_same(row, &all)).cloned().unwrap_or(all);
        let nought = |text: Option<String>| text.map(|_| "0".to_owned());
        Kpi { value: nought(all.value.clone()), numerator: nought(all.numerator.clone()), ..all }
    })
}

fn is_same(one: &Kpi, other: &Kpi) -> bool {
    let name = |row: &Kpi| (row.kpi, row.basis, row.currency, row.reason);
    name(one) == name(other)
}
