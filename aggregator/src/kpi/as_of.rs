//! The answer at a past instant, exact to the millisecond: the shop's documents read one after the
//! other and booked as they were known then.

use std::time::Duration;

use common::time::Timestamp;

use super::figures::{Answer, Figures, Whole};
use super::lifespan::Lifespan;
use super::live::HORIZON_MS;
use super::reader::{ReadError, ShopReader};
use crate::fold::book::{Terms, book};
use crate::fold::checkout::{CheckoutDoc, Standing};
use crate::fold::customer::CustomerDoc;
use crate::fold::field::{Counter, Field};
use crate::fold::keys::Kind;
use crate::fold::list::Entry;
use crate::fold::order::OrderDoc;
use crate::fold::shop::ShopSetting;
use crate::window::{Asked, Span, Window};

/// How long an answer may take: with the wait for a turn, half a minute.
const LIMIT: Duration = Duration::from_secs(24);

/// Measures how long a question has taken; the one clock a reader has.
pub trait Stopwatch {
    /// The time since the question began.
    fn elapsed(&self) -> Duration;
}

/// The answer of a shop at `at`.
pub fn answer(
    reader: &ShopReader<'_>,
    setting: &ShopSetting,
    windows: &[Window],
    at: Timestamp,
    watch: &dyn Stopwatch,
) -> Result<Answer, ReadError> {
    let doc = reader.shop()?.ok_or(ReadError::UnknownShop)?;
    let mut whole = Whole::new(ShopReader::currencies(&doc), setting.currency);
    whole.declared_years = setting.lifespan_years;
    let asked = Asked::AsOf(at);
    let mut wanted: Vec<Window> = windows.to_vec();
    wanted.extend([Window::D365, Window::All]);
    wanted.sort_unstable();
    wanted.dedup();
    let spans =
        wanted.iter().map(|window| (*window, asked.span(*window), asked.preceding(*window)));
    let mut scan = Scan {
        at,
        windows: spans
            .map(|(window, span, before)| Counting {
                window,
                span,
                before,
                figures: Figures::default(),
            })
            .collect(),
        watch,
    };
    scan.orders(reader, setting)?;
    whole.lifespan_years = scan.customers(reader)?;
    scan.checkouts(reader)?;
    let of = |window: Window| {
        let found = scan.windows.iter().find(|counting| counting.window == window);
        found.map(|counting| counting.figures.clone()).unwrap_or_default()
    };
    Ok(Answer {
        windows: windows.iter().map(|window| (*window, of(*window))).collect(),
        year: of(Window::D365),
        all: of(Window::All),
        whole,
        asked,
    })
}

struct Counting {
    window: Window,
    span: Span,
    before: Option<Span>,
    figures: Figures,
}

struct Scan<'a> {
    at: Timestamp,
    windows: Vec<Counting>,
    watch: &'a dyn Stopwatch,
}

impl Scan<'_> {
    fn in_time(&self) -> bool {
        self.watch.elapsed() < LIMIT
    }

    const fn too_slow() -> ReadError {
        ReadError::TooSlow { seconds: LIMIT.as_secs() }
    }

    fn orders(&mut self, reader: &ShopReader<'_>, setting: &ShopSetting) -> Result<(), ReadError> {
        let redactions = reader.redactions()?;
        let mut in_time = true;
        reader.each(Kind::Order, |_, doc: OrderDoc| {
            let customer = doc.last().and_then(|last| last.customer);
            let terms = Terms {
                at: self.at,
                customer_redacted: customer.and_then(|customer| redactions.get(&customer).copied()),
                shop_currency: setting.currency,
            };
            for (at, field, amount) in book(&doc, terms).bookings {
                for counting in &mut self.windows {
                    if counting.span.contains(at) {
                        counting.figures.sums.add(field, amount);
                    }
                }
            }
            in_time = self.in_time();
            in_time
        })?;
        if in_time { Ok(()) } else { Err(Self::too_slow()) }
    }

    fn customers(&mut self, reader: &ShopReader<'_>) -> Result<Option<f64>, ReadError> {
        let mut lifespan = Lifespan::default();
        let mut in_time = true;
        let mut failed = Ok(());
        reader.each(Kind::Customer, |_, doc: CustomerDoc| {
            if let CustomerDoc::Class(class) = doc {
                match class.purchases.entries(&mut reader.chunks()) {
                    Ok(entries) => self.customer(&entries, &mut lifespan),
                    Err(error) => failed = Err(error),
                }
            }
            in_time = self.in_time();
            in_time && failed.is_ok()
        })?;
        failed?;
        if in_time { Ok(lifespan.years()) } else { Err(Self::too_slow()) }
    }

    fn customer(&mut self, entries: &[Entry], lifespan: &mut Lifespan) {
        let known = entries.partition_point(|entry| entry.placed_at <= self.at);
        let entries = &entries[..known];
        if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
            lifespan.add(first.placed_at, last.placed_at, self.at);
        }
        for Counting { span, before, figures, .. } in &mut self.windows {
            let within =
                |span: &Span| entries.iter().filter(|entry| span.contains(entry.placed_at)).count();
            let inside = within(span);
            let active_before = before.as_ref().is_some_and(|before| within(before) > 0);
            figures.customers += i128::from(inside > 0);
            figures.repeat += i128::from(inside > 1);
            figures.returning += i128::from(inside > 0 && entries.len() > 1);
            figures.preceding += i128::from(active_before);
            figures.both += i128::from(active_before && inside > 0);
        }
    }

    fn checkouts(&mut self, reader: &ShopReader<'_>) -> Result<(), ReadError> {
        let mut in_time = true;
        reader.each(Kind::Checkout, |_, doc: CheckoutDoc| {
            if let Some(standing) = doc.standing(self.at) {
                self.checkout(standing);
            }
            in_time = self.in_time();
            in_time
        })?;
        if in_time { Ok(()) } else { Err(Self::too_slow()) }
    }

    fn checkout(&mut self, standing: Standing) {
        let completed = i128::from(standing.completed_at.is_some());
        let old = standing.started_at <= self.at.plus_ms(-HORIZON_MS);
        for Counting { span, figures, .. } in &mut self.windows {
            if span.contains(standing.started_at) {
                figures.sums.add(Field::plain(Counter::Started), 1);
                figures.sums.add(Field::plain(Counter::Completed), completed);
                figures.old_checkouts += i128::from(old);
                figures.old_completed += if old { completed } else { 0 };
            }
        }
    }
}
