//! An alarm: what came back too often, since when, and by how much.

use common::id::Id;

use super::episode::Episode;
use super::glr::Excess;
use crate::fold::watched::Cause;

/// Which scan found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Returns of the last hours to weeks.
    Period,
    /// Returns so far of the orders of the last days.
    Cohort,
}

/// An alarm, under way or over.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// What came back too often.
    pub cause: Cause,
    /// How it was found.
    pub scan: Scan,
    /// Raised after which hour, over since which, and the largest excess; hours from the epoch.
    pub episode: Episode,
    /// The first hour of the window or cohort that exceeds most: now, or at the peak if it is over.
    pub since: i64,
    /// The last hour of that window or cohort.
    pub until: i64,
    /// What it exceeds by: now, or at the peak if it is over.
    pub excess: Excess,
    /// How each reason stands in the same window or cohort, where it exceeds what is expected; in the
    /// alarm of a reason that one alone.
    pub reasons: Vec<(Cause, Excess)>,
    /// In an alarm of the shop, the products that stand out among what came back.
    pub standouts: Vec<Standout>,
}

/// A product that stands out.
#[derive(Clone, Debug, PartialEq)]
pub struct Standout {
    /// Its id, or the article number where there is none.
    pub product: Id,
    /// Orders in the window of which a unit of it came back for the alarm's cause.
    pub returned_orders: usize,
    /// How many are due by its usual share.
    pub expected_orders: f64,
}

impl Scan {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Period => "period",
            Self::Cohort => "cohort",
        }
    }
}
