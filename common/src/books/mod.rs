//! The books: every exact KPI computed naively, in one batch, from the set of a shop's events.
//!
//! It is the oracle of law 5 ("equal to the books") and of `simulate --truth`, so it shares nothing
//! with the fold: no counters, no buckets, no deltas. Four steps, each readable on its own:
//!
//! 1. [`documents`]: the final documents, from the set of events in any order;
//! 2. [`ledger`]: what each document books at which instant, as known at one instant T;
//! 3. [`report`]: per window, plain filters and sums over that list;
//! 4. [`row`] and [`exact`]: exact quotients and the shape of the API.
//!
//! The formulas are those of the KPI definitions, sections 1 to 3, 5 and 6.

mod additions;
mod customers;
mod documents;
mod exact;
mod ledger;
mod lifespan;
mod order_document;
mod refunds;
mod report;
mod returned;
mod returns;
mod reversals;
mod row;
mod settings;
#[cfg(test)]
mod tests;
mod window;

pub use row::Row;
pub use settings::Settings;
pub use window::{Mode, Window};

use crate::event::Event;
use crate::id::Id;
use crate::reason::Reason;
use crate::shop::ShopDomain;
use crate::time::Timestamp;
use documents::Documents;
use ledger::Ledger;

/// The final documents of one shop; asked for KPIs at as many instants as one likes.
#[derive(Debug)]
pub struct Books<'a> {
    documents: Documents<'a>,
    settings: Settings,
}

impl<'a> Books<'a> {
    /// Reads the documents of `shop` out of `events`: a multiset in any order, of any shops.
    #[must_use]
    pub fn new(events: &'a [Event], shop: &ShopDomain, settings: &Settings) -> Self {
        let documents = Documents::gather(events, shop, settings);
        Self { documents, settings: settings.clone() }
    }

    /// Every KPI of the contract's section 5 but the predicted ones, window by window.
    #[must_use]
    pub fn kpis(&self, mode: Mode, windows: &[Window]) -> Vec<Row> {
        let ledger = Ledger::at(&self.documents, mode.instant());
        let sheets =
            windows.iter().map(|&window| report::rows(&ledger, &self.settings, mode, window));
        sheets.flatten().collect()
    }

    /// Every known order of the sales view, whatever its time.
    #[must_use]
    pub fn placed_orders(&self) -> Vec<PlacedOrder> {
        let placed = |document: &documents::SalesDocument<'_>| {
            let placed_at = document.order.as_ref()?.placed_at();
            let units = returned::units(document, Timestamp::MAX);
            let returned =
                units.into_iter().map(|unit| (unit.at, unit.reason, unit.product)).collect();
            let products = document.order.as_ref()?.products();
            Some(PlacedOrder { placed_at, products, returned })
        };
        self.documents.sales.iter().filter_map(placed).collect()
    }
}

/// An order of the sales view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedOrder {
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Its products, each once.
    pub products: Vec<Id>,
    /// When and why each unit that came back did, and of which product.
    pub returned: Vec<(Timestamp, Reason, Option<Id>)>,
}

/// [`Books::new`] and [`Books::kpis`] in one step.
#[must_use]
pub fn kpis(
    events: &[Event],
    shop: &ShopDomain,
    settings: &Settings,
    mode: Mode,
    windows: &[Window],
) -> Vec<Row> {
    Books::new(events, shop, settings).kpis(mode, windows)
}
