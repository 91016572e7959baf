//! What is watched for return spikes: orders placed, and orders that came back, by reason and by the
//! days it took.
//!
//! Orders are counted rather than units: the units of one order come back together, so only orders
//! come back independently of each other, as the detector's statistics assume. Returns of orders that
//! were never seen are left out, since there is nothing to expect them from.

use common::reason::Reason;
use common::time::{DAY_MS, Timestamp};

use super::book::Booking;
use super::field::{Counter, Field};
use super::returned::ReturnedUnits;

/// The longest lag in days that is told apart; what comes back later counts as having come then.
pub const MOST_LAG_DAYS: u8 = 60;

/// What returned orders are told apart by: a reason, or none for all of them.
pub type Cause = Option<Reason>;

/// Every cause, by its number: all returned orders, then by reason.
pub const CAUSES: [Cause; Reason::ALL.len() + 1] = causes();

/// What a watched field counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Orders placed, at the instant they were.
    Orders,
    /// Orders of which a first unit came back for a cause, at that instant.
    Returns(Cause),
    /// The same so many days after the order, at the start of the UTC day the order was placed.
    Lag(Cause, u8),
}

impl Watched {
    /// The field that counts it.
    #[must_use]
    pub fn field(self) -> Field {
        match self {
            Self::Orders => Field::plain(Counter::WatchedOrders),
            Self::Returns(cause) => Field::numbered(Counter::WatchedReturns, number(cause).into()),
            Self::Lag(cause, days) => {
                let split = u16::from_be_bytes([number(cause), days]);
                Field::numbered(Counter::WatchedLags, split)
            }
        }
    }

    /// What a field counts, if it is a watched one.
    #[must_use]
    pub fn of(field: Field) -> Option<Self> {
        let [high, low] = field.split().to_be_bytes();
        let watched = if field.counter() == Counter::WatchedReturns as u32 {
            Self::Returns(cause(low)?)
        } else if field.counter() == Counter::WatchedLags as u32 {
            Self::Lag(cause(high)?, low)
        } else {
            Self::Orders
        };
        (watched.field() == field).then_some(watched)
    }
}

/// What an order that was placed at an instant, and of which these units came back, adds.
#[must_use]
pub fn bookings(placed_at: Timestamp, returned: &[ReturnedUnits]) -> Vec<Booking> {
    let mut bookings = vec![(placed_at, Watched::Orders.field(), 1)];
    let day = placed_at.ms().div_euclid(DAY_MS);
    let start = Timestamp::from_ms(day * DAY_MS);
    for cause in CAUSES.into_iter().filter(|_| !returned.is_empty()) {
        let of_cause = |run: &&ReturnedUnits| cause.is_none_or(|reason| reason == run.reason);
        let Some(at) = returned.iter().filter(of_cause).map(|run| run.at).min() else { continue };
        let lag = (at.ms().div_euclid(DAY_MS) - day).clamp(0, MOST_LAG_DAYS.into());
        let lag = u8::try_from(lag).unwrap_or(MOST_LAG_DAYS);
        bookings.push((at, Watched::Returns(cause).field(), 1));
        bookings.push((start, Watched::Lag(cause, lag).field(), 1));
    }
    bookings
}

/// The number of a cause.
#[must_use]
pub fn number(cause: Cause) -> u8 {
    cause.map_or(0, |reason| reason as u8 + 1)
}

/// The cause of a number, if there is one.
fn cause(number: u8) -> Option<Cause> {
    CAUSES.get(usize::from(number)).copied()
}

const fn causes() -> [Cause; Reason::ALL.len() + 1] {
    let mut causes = [None; Reason::ALL.len() + 1];
    let mut at = 0;
    while at < Reason::ALL.len() {
        causes[at + 1] = Some(Reason::ALL[at]);
        at += 1;
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_tells_what_it_counts() {
        let each =
            |cause| [Watched::Returns(cause), Watched::Lag(cause, 0), Watched::Lag(cause, 60)];
        for watched in CAUSES.into_iter().flat_map(each).chain([Watched::Orders]) {
            assert_eq!(
                (Watched::of(watched.field()), watched.field().is_watched()),
                (Some(watched), true)
            );
        }
        let other = Field::returned(Reason::Unknown);
        assert_eq!((Watched::of(other), other.is_watched()), (None, false));
    }

    #[test]
    fn an_order_counts_once_a_cause_however_many_units_come_back() {
        let currency = common::currency::Currency::parse("USD").expect("a currency");
        let at = |hour: i64| Timestamp::from_ms(hour * 3_600_000);
        let run = |hour, reason| ReturnedUnits {
            at: at(hour),
            count: 3,
            reason,
            value: 0,
            currency,
            product: None,
        };
        let returned = [
            run(24 * 9 + 5, Reason::Fit),
            run(24 * 12, Reason::Defective),
            run(24 * 7 + 23, Reason::Defective),
            run(24 * 400, Reason::Other),
        ];
        let mut found = bookings(at(24 * 2 + 7), &returned);
        let mut expected = vec![(at(24 * 2 + 7), Watched::Orders.field(), 1)];
        for (cause, hour, lag) in [
            (Some(Reason::Fit), 24 * 9 + 5, 7),
            (Some(Reason::Defective), 24 * 7 + 23, 5),
            (Some(Reason::Other), 24 * 400, MOST_LAG_DAYS),
            (None, 24 * 7 + 23, 5),
        ] {
            expected.push((at(hour), Watched::Returns(cause).field(), 1));
            expected.push((at(24 * 2), Watched::Lag(cause, lag).field(), 1));
        }
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        assert_eq!(bookings(at(5), &[]).len(), 1);
    }
}
