//! Who buys when: customers with gamma-distributed rates who drop out after a purchase with
//! beta-distributed probability (Fader, Hardie and Lee 2005), on the calendar's time.

use common::time::Timestamp;

use super::calendar::Calendar;
use super::chance::Chance;

/// Shape of the purchase rates over customers.
const RATE_SHAPE: f64 = 0.9;
/// Days per purchase at a rate of 1: the rates' scale.
const RATE_DAYS: f64 = 105.0;
/// Shapes of the probability to drop out after a purchase.
const DROP_OUT: (f64, f64) = (0.8, 2.2);
/// Share of orders without any customer.
const ANONYMOUS: f64 = 0.04;

/// Who makes a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Buyer {
    /// Nobody that the platform knows.
    Anonymous,
    /// The customer with this number.
    Customer(u32),
}

/// One visit that ends in an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purchase {
    /// When its checkout starts.
    pub(super) at: Timestamp,
    /// Whose it is.
    pub(super) buyer: Buyer,
}

/// Exactly `orders` purchases in time order.
pub(super) fn plan(orders: usize, calendar: &Calendar, chance: &mut Chance) -> Vec<Purchase> {
    let days = calendar.days();
    let mut purchases = Vec::with_capacity(orders);
    let mut customers = 0;
    while purchases.len() < orders {
        let mut day = chance.unit() * days;
        if chance.hit(ANONYMOUS) {
            purchases.push(Purchase { at: calendar.at(day / days), buyer: Buyer::Anonymous });
            continue;
        }
        let rate = chance.gamma(RATE_SHAPE) / RATE_DAYS;
        let drop_out = chance.beta(DROP_OUT.0, DROP_OUT.1);
        let buyer = Buyer::Customer(customers);
        customers += 1;
        while day < days && purchases.len() < orders {
            purchases.push(Purchase { at: calendar.at(day / days), buyer });
            if chance.hit(drop_out) {
                break;
            }
            day += chance.exponential(1.0 / rate.max(1e-9));
        }
    }
    purchases.sort_by_key(|purchase| purchase.at);
    purchases
}
