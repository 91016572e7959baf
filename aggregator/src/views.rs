//! Sums of live windows and detections that are kept in memory, and the stream of what happens.
//!
//! A kept sum stands for a position of its partition. The fold moves it along with each commit; a
//! reader uses it only with a view of the store that stands at the same position, else reads anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::shop::ShopDomain;
use common::store::StoreError;
use common::time::Timestamp;
use rustc_hash::FxHashMap;
use tokio::sync::broadcast;

use crate::detect::detection::Detection;
use crate::fold::Report;
use crate::kpi::live::HourSums;
use crate::kpi::reader::ShopReader;

/// Deliveries of a commit, or of what is sent to a page at once, that are told of: a ticker cannot be read
/// faster.
pub const MOST_DELIVERIES: usize = 20;
/// Messages that a slow listener of the stream may fall behind.
const STREAM_LENGTH: usize = 1024;
/// Shops whose sums are kept in a partition.
const KEPT_SHOPS: usize = 256;

/// Something that listeners of the stream hear of.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A shop's figures changed.
    Changed(ShopDomain),
    /// An event was folded.
    Delivery {
        /// Whose.
        shop: ShopDomain,
        /// Its kind.
        kind: &'static str,
        /// The platform's topic; the kind where there is none.
        topic: Box<str>,
        /// Whether it changed anything.
        changed: bool,
        /// When it happened.
        at: Timestamp,
    },
}

/// Sums kept in memory and the stream of what happens.
#[derive(Debug)]
pub struct Views {
    kept: Mutex<FxHashMap<u16, Kept>>,
    stream: broadcast::Sender<Happened>,
}

#[derive(Debug, Default)]
struct Kept {
    position: u64,
    shops: FxHashMap<ShopDomain, HourSums>,
    detections: FxHashMap<ShopDomain, Arc<Detection>>,
}

impl Default for Views {
    fn default() -> Self {
        Self { kept: Mutex::default(), stream: broadcast::channel(STREAM_LENGTH).0 }
    }
}

impl Views {
    /// Listens to what happens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Happened> {
        self.stream.subscribe()
    }

    /// Moves the kept sums of a partition from `base` to `end`.
    pub fn committed(&self, partition: u16, base: u64, end: u64, report: &Report) {
        let mut all = self.lock();
        let Some(kept) = all.get_mut(&partition) else { return };
        if kept.position != base {
            all.remove(&partition);
            return;
        }
        kept.position = end;
        for (shop, counted) in &report.counted {
            let Some(counted) = counted else {
                kept.shops.remove(shop);
                kept.detections.remove(shop);
                continue;
            };
            if let Some(sums) = kept.shops.get_mut(shop) {
                sums.count(counted);
            }
            if kept.detections.get(shop).is_some_and(|one| one.is_stale_after(counted)) {
                kept.detections.remove(shop);
            }
        }
    }

    /// Drops the kept sums of a partition.
    pub fn forget(&self, partition: u16) {
        self.lock().remove(&partition);
    }

    /// Tells the stream what a batch did.
    pub fn tell(&self, report: &Report) {
        if self.stream.receiver_count() == 0 {
            return;
        }
        // Nobody listening is no failure.
        let untold = report.applied.len().saturating_sub(MOST_DELIVERIES);
        for applied in &report.applied[untold..] {
            let (shop, kind) = (applied.shop.clone(), applied.kind);
            let (changed, at) = (applied.changed, applied.at);
            let topic = applied.topic.clone().unwrap_or_else(|| kind.into());
            let _ = self.stream.send(Happened::Delivery { shop, kind, topic, changed, at });
        }
        for (shop, _) in &report.counted {
            let _ = self.stream.send(Happened::Changed(shop.clone()));
        }
    }

    /// The sums of a shop at an hour, for a view of the store at `position`.
    pub fn sums(
        &self,
        at: (u16, u64),
        shop: &ShopDomain,
        reader: &ShopReader<'_>,
        hour: i64,
    ) -> Result<HourSums, StoreError> {
        let kept = |kept: &Kept| kept.shops.get(shop).filter(|sums| sums.hour == hour).cloned();
        if let Some(sums) = self.kept(at, kept) {
            return Ok(sums);
        }
        let totals = reader.shop()?.unwrap_or_default().totals;
        let sums = HourSums::read(reader, &totals, hour)?;
        self.keep(at, |kept| {
            kept.shops.insert(shop.clone(), sums.clone());
        });
        Ok(sums)
    }

    /// What the detector makes of a shop up to an hour, for a view of the store at `position`.
    pub fn detection<E>(
        &self,
        at: (u16, u64),
        shop: &ShopDomain,
        last_hour: i64,
        detect: impl FnOnce() -> Result<Arc<Detection>, E>,
    ) -> Result<Arc<Detection>, E> {
        let is_of = |one: &&Arc<Detection>| one.last_hour == last_hour;
        if let Some(detection) =
            self.kept(at, |kept| kept.detections.get(shop).filter(is_of).cloned())
        {
            return Ok(detection);
        }
        let detection = detect()?;
        self.keep(at, |kept| {
            kept.detections.insert(shop.clone(), detection.clone());
        });
        Ok(detection)
    }

    /// What the detector made of a shop when it was looked at last, if nothing that took part changed
    /// since.
    pub fn last_detection(&self, partition: u16, shop: &ShopDomain) -> Option<Arc<Detection>> {
        self.lock().get(&partition)?.detections.get(shop).cloned()
    }

    /// What is kept for a position.
    fn kept<T>(
        &self,
        (partition, position): (u16, u64),
        get: impl FnOnce(&Kept) -> Option<T>,
    ) -> Option<T> {
        self.lock().get(&partition).filter(|kept| kept.position == position).and_then(get)
    }

    /// Keeps something that stands for a position.
    fn keep(&self, (partition, position): (u16, u64), put: impl FnOnce(&mut Kept)) {
        let mut all = self.lock();
        let kept = all.entry(partition).or_default();
        let is_full = kept.shops.len().max(kept.detections.len()) >= KEPT_SHOPS;
        if kept.position < position || is_full {
            *kept = Kept { position, ..Kept::default() };
        }
        if kept.position == position {
            put(kept);
        }
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<u16, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::budget::Thresholds;
    use crate::detect::came_back::CameBack;
    use crate::detect::counts::Counts;
    use crate::fold::Counted;
    use crate::fold::report::{Applied, Seen};
    use crate::fold::watched::Watched;

    fn shop() -> ShopDomain {
        ShopDomain::parse("a.example").expect("a domain")
    }

    #[test]
    fn a_detection_is_at_hand_until_what_took_part_changes() {
        let (views, shop, last_hour) = (Views::default(), shop(), 24 * 500);
        let thresholds = Thresholds { series: 9.0, product: 11.0 };
        let counts = Counts::until(last_hour);
        let found = Arc::new(Detection::of(&counts, &[], &CameBack::default(), thresholds));
        let kept = views.detection((3, 10), &shop, last_hour, || Ok::<_, ()>(found.clone()));
        assert_eq!(kept, Ok(found.clone()));
        let report = |counted| Report { counted: vec![(shop.clone(), counted)], applied: vec![] };
        // An order of the present hour takes no part yet, and the last detection stands beside it.
        let order = |hour: i64| {
            let mut counted = Counted::default();
            counted.watched.entry(hour).or_default().add(Watched::Orders.field(), 1);
            report(Some(counted))
        };
        views.committed(3, 10, 11, &order(last_hour + 1));
        assert_eq!(views.last_detection(3, &shop), Some(found));
        assert_eq!(views.last_detection(4, &shop), None);
        views.committed(3, 11, 12, &order(last_hour));
        assert_eq!(views.last_detection(3, &shop), None);
    }

    #[test]
    fn of_a_large_commit_the_newest_deliveries_are_told() {
        let views = Views::default();
        let mut heard = views.listen();
        let applied = |minute: i64| Applied {
            shop: shop(),
            kind: "order",
            topic: None,
            at: Timestamp::from_ms(minute * 60_000),
            changed: true,
            imported: false,
            seen: Seen::default(),
        };
        let counted = vec![(shop(), Some(Counted::default()))];
        views.tell(&Report { applied: (0..5_000).map(applied).collect(), counted });
        for minute in 4_980..5_000 {
            let delivery = heard.try_recv();
            let at = Timestamp::from_ms(minute * 60_000);
            let is_it = |told: &Happened| matches!(told, Happened::Delivery { at: then, .. } if *then == at);
            assert!(delivery.as_ref().is_ok_and(is_it), "{delivery:?}");
        }
        assert!(heard.try_recv().is_ok_and(|told| matches!(told, Happened::Changed(_))));
    }
}
