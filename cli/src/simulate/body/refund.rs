//! Refunds, alone and embedded in their order.

use super::super::order::{Order, Refund};
use super::super::shop::Profile;
use super::json::Json;
use super::lines::line_item;
use super::order::shipping_line;

/// `refunds/create`.
pub(in crate::simulate) fn refund(profile: &Profile, order: &Order, refund: &Refund) -> Vec<u8> {
    Json::object(profile.place, order.presentment, |json| fields(json, profile, order, refund))
}

/// The refund's fields, the same wherever it stands.
pub(super) fn fields(json: &mut Json, profile: &Profile, order: &Order, refund: &Refund) {
    json.id("Refund", refund.id);
    json.number("order_id", order.id);
    json.time("created_at", refund.at);
    json.maybe("note", refund.note);
    json.number("user_id", 548_380_009_u32);
    json.time("processed_at", refund.at);
    json.empty(&["duties", "additional_fees"]);
    json.set("total_duties_set", 0);
    match refund.settles {
        Some(id) => json.nest("return", |json| json.id("Return", id)),
        None => json.nulls(&["return"]),
    }
    json.flag("restock", refund.lines.iter().any(|line| line.restock == "return"));
    json.list("refund_shipping_lines", (refund.shipping > 0).then_some(()), |json, ()| {
        json.number("id", refund.id + 2);
        json.number("shipping_line_id", order.shipping.id);
        json.set("subtotal_amount_set", refund.shipping);
        json.nest("shipping_line", |json| shipping_line(json, profile, order));
    });
    adjustments(json, order, refund);
    json.list("refund_line_items", &refund.lines, |json, line| {
        let sold = &order.lines[line.line];
        json.number("id", line.id);
        json.number("line_item_id", sold.id);
        json.number("location_id", 65_303_041_u32);
        json.number("quantity", line.quantity);
        json.text("restock_type", line.restock);
        json.bare_money("subtotal", line.subtotal);
        json.set("subtotal_set", line.subtotal);
        json.bare_money("total_tax", line.tax);
        json.set("total_tax_set", line.tax);
        json.nest("line_item", |json| {
            line_item(json, profile, sold, order.fulfilled_at.is_some());
        });
    });
    json.list("transactions", (refund.paid > 0).then_some(()), |json, ()| {
        json.id("OrderTransaction", refund.transaction);
        json.number("order_id", order.id);
        json.text("kind", "refund");
        json.text("gateway", "shopify_payments");
        json.text("status", "success");
        json.nulls(&["message", "authorization", "location_id", "device_id", "error_code"]);
        json.time("created_at", refund.at);
        json.time("processed_at", refund.at);
        json.flag("test", order.test);
        json.paid(refund.paid);
    });
}

/// What the refund gives back beside goods; negative amounts lower the sale.
fn adjustments(json: &mut Json, order: &Order, refund: &Refund) {
    let shipping = (refund.shipping > 0).then_some((
        3_u64,
        refund.shipping,
        refund.shipping_tax,
        "shipping_refund",
        "Shipping refund",
    ));
    let goodwill = (refund.goodwill > 0).then_some((
        4,
        refund.goodwill,
        0,
        "refund_discrepancy",
        "Refund discrepancy",
    ));
    json.list("order_adjustments", shipping.into_iter().chain(goodwill), |json, adjustment| {
        let (step, amount, tax, kind, reason) = adjustment;
        json.number("id", refund.id + step);
        json.number("order_id", order.id);
        json.number("refund_id", refund.id);
        json.both("amount", -amount);
        json.both("tax_amount", -tax);
        json.text("kind", kind);
        json.text("reason", reason);
    });
}
