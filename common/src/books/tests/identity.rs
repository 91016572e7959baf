//! Merges and redactions of customers.

use super::shop::{Shop, simple};

#[test]
fn chains_and_cycles_of_merges_are_one_customer() {
    let mut shop = Shop::new();
    for buyer in 1..=5 {
        shop.place(simple(buyer.into(), 10, buyer, 1000));
    }
    shop.check(20, "all", &[("customers", "5"), ("repeat_customers", "0")]);
    shop.merge(1, 2).merge(3, 4);
    shop.check(20, "all", &[("customers", "3"), ("repeat_customers", "2")]);
    shop.merge(4, 2).merge(2, 1).merge(2, 3);
    shop.check(
        20,
        "all",
        &[
            ("customers", "2"),
            ("repeat_customers", "1"),
            ("purchases", "5"),
            ("customer_lifetime_value/historic:USD", "25.00 = 50.00 / 2"),
        ],
    );
}

#[test]
fn a_redaction_takes_all_up_to_its_instant() {
    let mut shop = Shop::new();
    shop.place(simple(1, 10, 1, 1000)).place(simple(2, 20, 1, 1000)).place(simple(3, 30, 1, 1000));
    shop.redact(20, 1, &[]);
    shop.check(40, "all", &[("orders", "3"), ("customers", "1"), ("purchases", "1")]);
    // For the past too.
    shop.check(15, "all", &[("orders", "1"), ("customers", "0")]);
}

#[test]
fn a_redaction_of_any_member_takes_the_merged_customer() {
    let mut shop = Shop::new();
    shop.place(simple(1, 10, 1, 1000)).place(simple(2, 10, 2, 1000)).place(simple(3, 10, 3, 1000));
    shop.redact(20, 1, &[]).merge(1, 2);
    shop.check(40, "all", &[("customers", "1"), ("purchases", "1")]);
}

#[test]
fn a_redaction_that_names_orders_takes_only_these() {
    let mut shop = Shop::new();
    shop.place(simple(1, 10, 1, 1000)).place(simple(2, 10, 1, 1000)).place(simple(3, 10, 2, 1000));
    shop.redact(20, 1, &[2, 3]);
    shop.check(40, "all", &[("orders", "3"), ("customers", "1"), ("purchases", "1")]);
}
