//! Checkout completion and abandonment.

use super::shop::{Shop, day, simple};
use crate::event::{Body, CheckoutDeleted, CheckoutSnapshot, OrderSnapshot};
use crate::id::Id;

fn checkout(id: u64, started_day: i64, completed_day: Option<i64>) -> Body {
    Body::Checkout(CheckoutSnapshot {
        id: Id::Number(id),
        started_at: day(started_day),
        completed_at: completed_day.map(day),
        cart: None,
        customer: None,
    })
}

#[test]
fn completion_and_abandonment() {
    let mut shop = Shop::new();
    shop.send(10, checkout(1, 10, None)).send(12, checkout(1, 10, Some(12)));
    shop.send(10, checkout(2, 10, None));
    shop.send(10, checkout(3, 10, None));
    shop.send(10, checkout(4, 10, None));
    shop.send(11, Body::CheckoutDeleted(CheckoutDeleted { checkout: Id::Number(4) }));
    let checkout = |id| Some(Id::Number(id));
    // An order completes the checkout it names; one never seen as a checkout does not count.
    shop.place(OrderSnapshot { checkout: checkout(2), ..simple(1, 11, 1, 1000) });
    shop.place(OrderSnapshot { checkout: checkout(9), ..simple(2, 11, 1, 1000) });
    shop.place(OrderSnapshot { checkout: checkout(3), test: true, ..simple(3, 11, 1, 1000) });
    let check = |as_of, completion, abandonment| {
        let figures = [
            ("checkout_completion_ratio", completion),
            ("checkout_abandonment_ratio", abandonment),
        ];
        shop.check(as_of, "30d", &figures);
    };
    check(9, "null = 0 / 0", "null = 0 / 0");
    // On their first day all are open.
    check(10, "0 = 0 / 3", "null = 0 / 0");
    check(11, "0.33333333 = 1 / 3", "0.66666667 = 2 / 3");
    check(12, "0.66666667 = 2 / 3", "0.33333333 = 1 / 3");
    check(40, "null = 0 / 0", "null = 0 / 0");
}
