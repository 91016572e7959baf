//! The end of a batch's work on a shop: its counters go into the buckets of hours and days.

use std::collections::BTreeSet;

use common::store::StoreError;
use rustc_hash::FxHashMap;

use super::Report;
use super::docs::{Docs, Source};
use super::field::Sums;
use super::hours::{HoursDoc, day_of};
use super::keys::{Keys, Kind};
use super::work::Work;
use super::{sold, young};

/// Adds the counters to their buckets and hands everything that changed to `writes`.
pub(super) fn finish(
    mut work: Work<'_>,
    writes: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let counted = std::mem::take(&mut work.counted);
    let (hours, watched) = (changed(&counted.hours), changed(&counted.watched));
    let days = changed(&counted.days);
    let of_day = |kind| move |(hour, _): &(i64, &Sums)| (kind, day_of(*hour));
    let buckets = hours.iter().map(of_day(Kind::Hours));
    let buckets = buckets.chain(watched.iter().map(of_day(Kind::Watched)));
    let buckets = buckets.chain(days.iter().map(|(day, _)| (Kind::Day, *day)));
    let sold = sold::by_block(&counted.sold);
    let products =
        sold.keys().map(|(block, product)| (Kind::Sold, work.keys.sold(*block, product)));
    let buckets: BTreeSet<_> = buckets
        .map(|(kind, number)| (kind, work.keys.bucket(kind, number)))
        .chain(products)
        .collect();
    let missing = buckets.into_iter().filter(|(kind, key)| !work.caches.holds(*kind, key));
    let missing: Vec<_> = missing.collect();
    work.caches.load(missing, work.source)?;
    add_hours(Kind::Hours, &hours, &work.keys, &mut work.caches.hours, work.source)?;
    add_hours(Kind::Watched, &watched, &work.keys, &mut work.caches.watched, work.source)?;
    for ((block, product), changes) in &sold {
        let key = work.keys.sold(*block, product);
        let mut doc = work.caches.sold.take(&key, work.source)?.unwrap_or_default();
        doc.add(changes);
        work.caches.sold.put(key, Some(doc).filter(|doc| !doc.is_empty()));
    }
    for (day, sums) in &days {
        let key = work.keys.bucket(Kind::Day, *day);
        let mut doc = work.caches.days.take(&key, work.source)?.unwrap_or_default();
        doc.add_all(sums);
        work.caches.days.put(key, Some(doc).filter(|doc| !doc.is_empty()));
    }
    work.doc.totals.add_all(&counted.totals);
    let present = work.doc.received_at;
    work.caches.shops.put(work.keys.shop(), Some(work.doc));
    writes.extend(young::expire(&work.keys, work.source, work.began_at, present)?);
    writes.append(&mut work.indices);
    work.caches.flush(writes)?;
    report.counted.push((work.shop, Some(counted)));
    Ok(())
}

/// The buckets that change, in their order.
fn changed(buckets: &FxHashMap<i64, Sums>) -> Vec<(i64, &Sums)> {
    let changed = buckets.iter().filter(|bucket| !bucket.1.is_empty());
    let mut changed: Vec<(i64, &Sums)> = changed.map(|(number, sums)| (*number, sums)).collect();
    changed.sort_unstable_by_key(|entry| entry.0);
    changed
}

/// Adds the counters of hours to the documents of their days.
fn add_hours(
    kind: Kind,
    hours: &[(i64, &Sums)],
    keys: &Keys,
    docs: &mut Docs<HoursDoc>,
    source: Source<'_>,
) -> Result<(), StoreError> {
    for hours in hours.chunk_by(|one, next| day_of(one.0) == day_of(next.0)) {
        let Some((hour, _)) = hours.first() else { continue };
        let key = keys.bucket(kind, day_of(*hour));
        let mut doc = docs.take(&key, source)?.unwrap_or_default();
        for (hour, sums) in hours {
            doc.add(*hour, sums);
        }
        docs.put(key, Some(doc).filter(|doc| !doc.is_empty()));
    }
    Ok(())
}
