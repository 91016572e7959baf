//! The live answer: windows from the hours' counters, exact to the hour at the far end and to the
//! instant at the near one.
//!
//! The counters know no present. What is dated after now is found through the index of what is dated
//! ahead and taken back: the document's bookings are taken out and those of what exists by now put in.

use common::customer::CustomerKey;
use common::store::StoreError;
use common::time::{DAY_MS, Timestamp};
use rustc_hash::FxHashSet;

use super::figures::{Answer, Figures, Whole};
use super::lifespan::Lifespan;
use super::reader::{ReadError, ShopReader};
use crate::fold::book::{Booked, Booking, Terms, book};
use crate::fold::checkout::Standing;
use crate::fold::customer::CustomerDoc;
use crate::fold::field::{Counter, Field, Sums};
use crate::fold::keys::Kind;
use crate::fold::list::Entry;
use crate::fold::shop::ShopSetting;
use crate::window::{Asked, Span, Window};

/// A checkout is abandoned when it is not completed within this time.
pub(super) const HORIZON_MS: i64 = DAY_MS;

/// The sums of every window at an hour, as the buckets have them.
///
/// Windows lie within each other, so a bucket is added once, to the innermost window that holds it.
#[derive(Clone, Debug, Default)]
pub struct HourSums {
    /// The hour that is the last of every window.
    pub hour: i64,
    /// What each rolling window holds beyond the next smaller one.
    rings: [Sums; 5],
    /// Difference counters, which add up from the beginning.
    differences: Sums,
    /// Everything, the future too.
    totals: Sums,
}

impl HourSums {
    /// Adds the buckets of a shop up.
    pub fn read(reader: &ShopReader<'_>, totals: &Sums, hour: i64) -> Result<Self, StoreError> {
        let mut sums = Self { hour, totals: totals.clone(), ..Self::default() };
        reader.hours(i64::MIN, hour, |at, bucket| sums.add(at, bucket))?;
        Ok(sums)
    }

    /// Adds what a batch counted.
    pub fn count(&mut self, counted: &crate::fold::Counted) {
        for (hour, bucket) in &counted.hours {
            self.add(*hour, bucket);
        }
        self.totals.add_all(&counted.totals);
    }

    fn add(&mut self, at: i64, bucket: &Sums) {
        if at > self.hour {
            return;
        }
        let holds = |window: &Window| window.hours().is_some_and(|hours| at > self.hour - hours);
        let ring = Window::ROLLING.iter().position(holds);
        for (field, amount) in bucket.iter() {
            if field.is_difference() {
                self.differences.add(field, amount);
            } else if let Some(ring) = ring {
                self.rings[ring].add(field, amount);
            }
        }
    }

    fn figures(&self, window: Window) -> Figures {
        let mut sums = Sums::default();
        if window == Window::All {
            sums.add_all(&self.totals);
        } else {
            self.rings[..=window as usize].iter().for_each(|ring| sums.add_all(ring));
        }
        Figures {
            customers: sums.get(Field::plain(Counter::Latest)),
            repeat: sums.get(Field::plain(Counter::SecondLatest)),
            returning: sums.get(Field::plain(Counter::LatestRepeat)),
            preceding: self.differences.get(Field::window(Counter::Preceding, window)),
            both: self.differences.get(Field::window(Counter::Both, window)),
            sums,
            ..Figures::default()
        }
    }
}

/// The live answer of a shop at [`ShopDoc::present`](crate::fold::shop::ShopDoc::present). `lifespan`
/// gives the observed lifespan, which reads every customer.
pub fn answer(
    reader: &ShopReader<'_>,
    sums: &HourSums,
    setting: &ShopSetting,
    windows: &[Window],
    now: Timestamp,
    lifespan: impl FnOnce() -> Result<Option<f64>, StoreError>,
) -> Result<Answer, ReadError> {
    let doc = reader.shop()?.ok_or(ReadError::UnknownShop)?;
    let asked = Asked::Live { now };
    let mut whole = Whole::new(ShopReader::currencies(&doc), setting.currency);
    whole.declared_years = setting.lifespan_years;
    if windows.contains(&Window::All) && whole.declared_years.is_none() {
        whole.lifespan_years = lifespan()?;
    }
    let mut figures: Vec<Figures> =
        Window::EVERY.iter().map(|window| sums.figures(*window)).collect();
    take_back(reader, &mut figures, setting, now)?;
    for window in Window::EVERY {
        if windows.contains(&window) {
            let figures = &mut figures[window as usize];
            let span = asked.span(window);
            open_checkouts(reader, figures, span, now)?;
        }
    }
    Ok(Answer {
        windows: windows
            .iter()
            .map(|window| (*window, figures[*window as usize].clone()))
            .collect(),
        year: figures[Window::D365 as usize].clone(),
        all: figures[Window::All as usize].clone(),
        whole,
        asked,
    })
}

/// Young checkouts are neither completed nor abandoned for the abandonment figure: those of the last
/// 24 hours are read one by one and left out.
fn open_checkouts(
    reader: &ShopReader<'_>,
    figures: &mut Figures,
    span: Span,
    now: Timestamp,
) -> Result<(), StoreError> {
    figures.old_checkouts = figures.plain(Counter::Started);
    figures.old_completed = figures.plain(Counter::Completed);
    let young = now.plus_ms(1 - HORIZON_MS).max(span.from);
    reader.young(young, now, |started| {
        figures.old_checkouts -= 1;
        figures.old_completed -= i128::from(started.completed_at.is_some_and(|at| at <= now));
    })
}

/// The observed lifespan at an instant, over every customer's first and last purchase until then.
pub fn lifespan(reader: &ShopReader<'_>, now: Timestamp) -> Result<Option<f64>, StoreError> {
    let mut lifespan = Lifespan::default();
    let mut dated_ahead = Vec::new();
    reader.each(Kind::Customer, |_, doc: CustomerDoc| {
        if let CustomerDoc::Class(class) = doc
            && let (Some(first), Some(last)) = (class.purchases.first(), class.purchases.last())
        {
            if last.placed_at <= now {
                lifespan.add(first.placed_at, last.placed_at, now);
            } else if first.placed_at <= now {
                dated_ahead.push(class);
            }
        }
        true
    })?;
    for class in dated_ahead {
        let entries = class.purchases.entries(&mut reader.chunks())?;
        let known: Vec<_> = entries.iter().filter(|entry| entry.placed_at <= now).collect();
        if let (Some(first), Some(last)) = (known.first(), known.last()) {
            lifespan.add(first.placed_at, last.placed_at, now);
        }
    }
    Ok(lifespan.years())
}

/// Visits what documents with instants after now put into the books in all, and by now, which is not
/// before the latest receipt.
pub fn each_later(
    reader: &ShopReader<'_>,
    setting: &ShopSetting,
    now: Timestamp,
    mut visit: impl FnMut(&[Booking], &[Booking]),
) -> Result<Vec<Booked>, StoreError> {
    let mut orders = Vec::new();
    for (kind, id) in reader.ahead_of(now)? {
        if kind == Kind::Checkout as u8 {
            let Some(doc) = reader.checkout(&id)? else { continue };
            let by = |at| doc.standing(at).map(Standing::bookings).unwrap_or_default();
            visit(&by(Timestamp::MAX), &by(now));
            continue;
        }
        let Some(doc) = reader.order(&id)? else { continue };
        let class = match doc.last().and_then(|last| last.customer) {
            Some(customer) => reader.class(customer)?,
            None => None,
        };
        let customer_redacted = class.and_then(|(_, class)| class.redacted());
        let terms =
            Terms { at: Timestamp::MAX, customer_redacted, shop_currency: setting.currency };
        let all = book(&doc, terms);
        visit(&all.bookings, &book(&doc, Terms { at: now, ..terms }).bookings);
        orders.push(all);
    }
    Ok(orders)
}

/// Replaces what documents with instants after now put into the sums by what they put in by now.
fn take_back(
    reader: &ShopReader<'_>,
    figures: &mut [Figures],
    setting: &ShopSetting,
    now: Timestamp,
) -> Result<(), StoreError> {
    let orders = each_later(reader, setting, now, |all, known| replace(figures, all, known, now))?;
    let mut classes: FxHashSet<CustomerKey> = FxHashSet::default();
    for (customer, placed_at) in orders.into_iter().filter_map(|booked| booked.purchase) {
        if placed_at > now
            && let Some((root, class)) = reader.class(customer)?
            && classes.insert(root)
        {
            stand_back(figures, &class.purchases.entries(&mut reader.chunks())?, now);
        }
    }
    Ok(())
}

fn replace(figures: &mut [Figures], all: &[Booking], known: &[Booking], now: Timestamp) {
    let hour = now.hour();
    for (window, figures) in Window::EVERY.iter().zip(figures) {
        // The sums hold whole hours up to the present one; the sum of everything holds the future too.
        let summed = |at: &Timestamp| match window.hours() {
            Some(hours) => (hour - hours + 1..=hour).contains(&at.hour()),
            None => true,
        };
        for (bookings, sign) in [(all, -1), (known, 1)] {
            for (_, field, amount) in bookings.iter().filter(|booking| summed(&booking.0)) {
                figures.sums.add(*field, sign * amount);
            }
        }
    }
}

/// Replaces where a customer with purchases after now stands by where the known ones put it.
fn stand_back(figures: &mut [Figures], entries: &[Entry], now: Timestamp) {
    let known = entries.partition_point(|entry| entry.placed_at <= now);
    for (entries, sign) in [(entries, -1), (&entries[..known], 1)] {
        for (window, figures) in Window::EVERY.iter().zip(&mut *figures) {
            let stand = Stand::of(entries, *window, now.hour());
            figures.customers += sign * stand.customer;
            figures.repeat += sign * stand.repeat;
            figures.returning += sign * stand.returning;
            figures.preceding += sign * stand.preceding;
            figures.both += sign * stand.both;
        }
    }
}

/// How the histograms see a customer in a window that ends with an hour: 1 or 0 each.
struct Stand {
    customer: i128,
    repeat: i128,
    returning: i128,
    preceding: i128,
    both: i128,
}

impl Stand {
    fn of(entries: &[Entry], window: Window, hour: i64) -> Self {
        let mut latest = entries.iter().rev().map(|entry| entry.placed_at.hour());
        let (latest, second) = (latest.next(), latest.next());
        let Some(hours) = window.hours() else {
            let (customer, repeat) = (latest.is_some().into(), second.is_some().into());
            return Self { customer, repeat, returning: repeat, preceding: 0, both: 0 };
        };
        let inside = |at: Option<i64>| at.is_some_and(|at| hour - hours < at && at <= hour);
        let active = |to: i64| {
            entries.iter().any(|entry| (to - hours + 1..=to).contains(&entry.placed_at.hour()))
        };
        let preceding = active(hour - hours);
        Self {
            customer: inside(latest).into(),
            repeat: inside(second).into(),
            returning: (inside(latest) && second.is_some()).into(),
            preceding: preceding.into(),
            both: (preceding && active(hour)).into(),
        }
    }
}
