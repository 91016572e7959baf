//! Returned units: two sequences, statuses, removals, values and reasons.

use super::shop::{Shop, back, day, line, order, refund, returned};
use crate::event::ReturnStatus::{Closed, Declined, Open, Requested};
use crate::event::{
    Body, Line, OrderSnapshot, QuantityDelta, Refund, RefundLine, Restock, ReturnUpdated,
};
use crate::id::Id;
use crate::reason::Reason::{Defective, Fit, Quality, Unwanted};

/// One order of three units at 10.00 less 1.00 in all, placed on day 10.
fn shop() -> Shop {
    let mut shop = Shop::new();
    let lines = vec![Line { discount_minor: 100, ..line(1, 3, 1000) }, line(2, 1, 500)];
    shop.place(OrderSnapshot { lines, ..order(1, 10) });
    shop
}

#[test]
fn closed_returns_and_refunds_are_the_same_units() {
    let mut shop = shop();
    shop.returned(returned(7, 1, Requested, 11, &[(70, 1, 2, Fit)]));
    shop.check(12, "all", &[("returned_units#all", "0"), ("returned_units#fit", "absent")]);
    shop.returned(returned(7, 1, Closed, 20, &[]));
    shop.refund(refund(9, 1, 25, vec![back(1, 3, 2900)]));
    // Two units at the closing, the third with the refund.
    shop.check(
        20,
        "24h",
        &[
            ("returned_units#all", "2"),
            ("returned_units#fit", "2"),
            // Known by the return alone: two thirds of 29.00 as ordered.
            ("return_ratio/value_period:USD", "null = 19.33 / 0.00"),
        ],
    );
    shop.check(25, "24h", &[("returned_units#all", "1"), ("returned_units#unknown", "1")]);
    shop.check(
        25,
        "30d",
        &[
            ("return_ratio/units_period", "0.75 = 3 / 4"),
            ("return_ratio/units_cohort", "0.75 = 3 / 4"),
            ("return_ratio/orders_cohort", "1 = 1 / 1"),
            ("return_ratio/value_period:USD", "0.85294118 = 29.00 / 34.00"),
            ("return_ratio/value_cohort:USD", "0.85294118 = 29.00 / 34.00"),
            ("return_reason_ratio#fit", "0.5 = 2 / 4"),
            ("return_reason_ratio#all", "0.75 = 3 / 4"),
        ],
    );
}

#[test]
fn reopened_returns_do_not_count_until_closed_again() {
    let mut shop = shop();
    shop.returned(returned(7, 1, Closed, 20, &[(70, 1, 1, Fit)]));
    shop.returned(returned(7, 1, Open, 22, &[]));
    shop.returned(returned(7, 1, Closed, 24, &[]));
    shop.returned(returned(7, 1, Closed, 26, &[]));
    shop.check(21, "all", &[("returned_units#all", "1")]);
    shop.check(23, "all", &[("returned_units#all", "0")]);
    // The closing that lasts is that of day 24.
    shop.check(27, "all", &[("returned_units#all", "1")]);
    shop.check(24, "24h", &[("returned_units#all", "1")]);
    shop.check(26, "24h", &[("returned_units#all", "0")]);
}

#[test]
fn only_goods_that_came_back_are_returned() {
    let mut shop = shop();
    let cancel = RefundLine { restock: Restock::Cancel, ..back(1, 1, 1000) };
    let kept = RefundLine { restock: Restock::None, ..back(1, 1, 1000) };
    shop.refund(refund(9, 1, 15, vec![cancel, kept]));
    shop.check(16, "all", &[("returned_units#all", "0"), ("reversals:USD", "20.00")]);
}

#[test]
fn never_more_than_ordered() {
    let mut shop = shop();
    shop.returned(returned(7, 1, Closed, 20, &[(70, 2, 5, Fit), (71, 99, 1, Fit)]));
    shop.check(21, "all", &[("returned_units#all", "1")]);
    // An edit adds a unit on day 30.
    let lines = vec![line(1, 3, 1000), line(2, 2, 500)];
    shop.order(30, OrderSnapshot { lines, ..order(1, 10) });
    shop.check(29, "all", &[("returned_units#all", "1")]);
    shop.check(30, "all", &[("returned_units#all", "2")]);
}

#[test]
fn removals_after_the_snapshot_lower_a_return() {
    let mut shop = shop();
    shop.returned(returned(7, 1, Open, 12, &[(70, 1, 3, Fit)]));
    let remove = |on_day, quantity| {
        let removals = vec![QuantityDelta { line: Id::Number(70), quantity }];
        Body::ReturnUpdated(ReturnUpdated { return_id: Id::Number(7), at: day(on_day), removals })
    };
    // One before the snapshot, which the snapshot knows of already; one after, twice.
    shop.send(11, remove(11, 1)).send(14, remove(14, 1)).send(15, remove(14, 1));
    shop.returned(returned(7, 1, Closed, 13, &[]));
    shop.check(13, "all", &[("returned_units#all", "3")]);
    shop.check(14, "all", &[("returned_units#all", "2")]);
    // A newer snapshot of the line speaks for itself.
    shop.returned(returned(7, 1, Closed, 16, &[(70, 1, 1, Fit)]));
    shop.check(17, "all", &[("returned_units#all", "1")]);
    // Open only, whatever the line's quantity is.
    shop.check(12, "all", &[("returned_units#all", "0")]);
}

#[test]
fn reasons_by_return_lines_then_refund_lines_then_notes() {
    let mut shop = shop();
    let lines = vec![RefundLine { reason: Some(Quality), ..back(1, 2, 2000) }, back(1, 1, 900)];
    let note_reason = Some(Unwanted);
    shop.refund(Refund { note_reason, ..refund(9, 1, 20, lines) });
    shop.check(30, "all", &[("returned_units#quality", "2"), ("returned_units#unwanted", "1")]);
    // A return that is only asked for gives its reason to the first unit.
    shop.returned(returned(7, 1, Requested, 25, &[(70, 1, 1, Defective)]));
    shop.check(24, "all", &[("returned_units#quality", "2")]);
    shop.check(
        30,
        "all",
        &[
            ("returned_units#defective", "1"),
            ("returned_units#quality", "1"),
            ("returned_units#unwanted", "1"),
            ("returned_units#all", "3"),
        ],
    );
    // Declined: as if it had not been asked.
    shop.returned(returned(7, 1, Declined, 28, &[]));
    shop.check(27, "all", &[("returned_units#defective", "1")]);
    shop.check(
        28,
        "all",
        &[("returned_units#defective", "absent"), ("returned_units#quality", "2")],
    );
}

#[test]
fn returns_may_come_before_their_order() {
    let mut shop = Shop::new();
    shop.returned(returned(7, 1, Closed, 20, &[(70, 1, 9, Fit)]));
    let unknown = [
        ("returned_units#all", "9"),
        ("return_ratio/units_cohort", "null = 0 / 0"),
        ("return_ratio/value_period:USD", "null = 0.00 / 0.00"),
    ];
    shop.check(20, "30d", &unknown);
    shop.place(OrderSnapshot { lines: vec![line(1, 2, 1000)], ..order(1, 10) });
    let known = [
        ("returned_units#all", "2"),
        ("return_ratio/units_cohort", "1 = 2 / 2"),
        ("return_ratio/value_period:USD", "1 = 20.00 / 20.00"),
    ];
    shop.check(20, "30d", &known);
    shop.check(20, "24h", &[("return_ratio/orders_cohort", "null = 0 / 0")]);
}
