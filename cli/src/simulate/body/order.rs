//! The order and its small companions: edits and deletions.

use common::time::Timestamp;

use super::super::order::{Channel, Order, RefundLine};
use super::super::people::Person;
use super::super::shop::Profile;
use super::json::Json;
use super::lines::{address, customer, line_item, person, tax_lines};
use super::{refund, returns};

/// The order as it stands: `orders/create`, `updated`, `paid`, `fulfilled`, `cancelled`.
pub(in crate::simulate) fn order(profile: &Profile, order: &Order) -> Vec<u8> {
    Json::object(profile.place, order.presentment, |json| {
        head(json, profile, order);
        totals(json, profile, order);
        tail(json, profile, order);
    })
}

/// `orders/delete`.
pub(in crate::simulate) fn deleted(profile: &Profile, order: &Order) -> Vec<u8> {
    Json::object(profile.place, None, |json| json.number("id", order.id))
}

/// Units by line id.
type Units<'a> = &'a [(u64, u32)];

/// `orders/edited`: ids and quantities, no money.
pub(in crate::simulate) fn edited(
    profile: &Profile,
    order: &Order,
    edit: u64,
    at: Timestamp,
    (additions, removals): (Units<'_>, Units<'_>),
) -> Vec<u8> {
    let delta = |json: &mut Json, (id, units): &(u64, u32)| {
        json.number("id", *id);
        json.number("delta", *units);
    };
    Json::object(profile.place, None, |json| {
        json.nest("order_edit", |json| {
            json.number("id", edit);
            json.nulls(&["app_id", "user_id"]);
            json.time("created_at", at);
            json.time("committed_at", at);
            json.flag("notify_customer", false);
            json.number("order_id", order.id);
            json.text("staff_note", "Customer called, wants one more");
            json.nest("line_items", |json| {
                json.list("additions", additions, delta);
                json.list("removals", removals, delta);
            });
            json.nest("discounts", |json| {
                json.nest("line_item", |json| json.empty(&["additions", "removals"]));
            });
            json.nest("shipping_lines", |json| json.empty(&["additions", "removals"]));
        });
    })
}

/// Identity, channel, state and times.
fn head(json: &mut Json, profile: &Profile, order: &Order) {
    let place = profile.place;
    let web = order.channel == Channel::Web;
    let email = person(order.buyer).map(Person::email);
    let token = format!("{:032x}", order.token);
    let cart = format!("hWN{:032x}", order.token.rotate_left(64));
    json.id("Order", order.id);
    json.number("app_id", 580_111_u32);
    json.maybe("browser_ip", person(order.buyer).map(Person::ip).as_deref());
    json.flag("buyer_accepts_marketing", order.token.is_multiple_of(3));
    json.maybe("cancel_reason", order.cancelled.map(|(_, reason)| reason));
    json.maybe_time("cancelled_at", order.cancelled.map(|(at, _)| at));
    json.maybe("cart_token", web.then_some(&*cart));
    json.maybe("checkout_token", web.then_some(&*token));
    json.nulls(&["client_details", "closed_at", "device_id", "location_id", "source_identifier"]);
    json.shown("confirmation_number", format_args!("{:09X}", order.id % 0xF_FFFF_FFFF));
    json.flag("confirmed", true);
    json.maybe("contact_email", email.as_deref());
    json.time("created_at", order.placed_at);
    json.text("currency", place.currency);
    json.text("customer_locale", place.locale);
    json.list("discount_codes", order.discount.and_then(|discount| discount.code), |json, code| {
        json.text("code", code);
        json.money("amount", order.discounts());
        json.text("type", "percentage");
    });
    json.flag("duties_included", false);
    json.maybe("email", email.as_deref());
    json.flag("estimated_taxes", false);
    json.text("financial_status", order.financial_status(place));
    json.maybe("fulfillment_status", order.fulfilled_at.map(|_| "fulfilled"));
    json.maybe("landing_site", order.landing.as_deref());
    json.shown("name", format_args!("#{}", order.number));
    json.maybe("note", order.note);
    json.empty(&["note_attributes"]);
    json.number("number", order.number - 1000);
    json.number("order_number", order.number);
    json.shown(
        "order_status_url",
        format_args!("https://{}/{}/orders/{token}/authenticate", profile.domain, profile.shop_id),
    );
    json.empty(&["payment_gateway_names"]);
    let phone = person(order.buyer).map(Person::phone);
    json.maybe("phone", phone.as_deref().filter(|_| order.token.is_multiple_of(4)));
    json.text("presentment_currency", json.buyers_currency());
    json.time("processed_at", order.placed_at);
    json.maybe("referring_site", web.then_some("https://www.google.com/search?q=shirts&hl=en"));
    json.text(
        "source_name",
        match order.channel {
            Channel::Web => "web",
            Channel::Pos => "pos",
            Channel::Draft => "shopify_draft_order",
        },
    );
    json.text("tags", order.tags);
    json.flag("taxes_included", place.taxes_included);
    json.flag("test", order.test);
    json.shown("token", format_args!("{:032x}", !order.token));
    json.time("updated_at", order.updated_at);
}

/// Amounts: as sold, and current after edits and refunds.
fn totals(json: &mut Json, profile: &Profile, order: &Order) {
    let place = profile.place;
    let back = |part: fn(&RefundLine) -> i64| -> i64 {
        order.refunds.iter().flat_map(|refund| &refund.lines).map(part).sum()
    };
    let subtotal = order.goods() - order.discounts();
    let total = order.total(place);
    let (subtotal_back, tax_back) = (back(|line| line.subtotal), back(|line| line.tax));
    let shipping_back: i64 = order.refunds.iter().map(|refund| refund.shipping).sum();
    json.set("current_shipping_price_set", order.shipping.net() - shipping_back);
    json.both("current_subtotal_price", subtotal - subtotal_back);
    json.both("current_total_discounts", order.discounts());
    json.both("current_total_price", total - order.paid_back());
    json.both("current_total_tax", order.tax() - tax_back);
    json.nulls(&["current_total_additional_fees_set", "original_total_additional_fees_set"]);
    if order.duties > 0 {
        json.set("current_total_duties_set", order.duties);
        json.set("original_total_duties_set", order.duties);
    } else {
        json.nulls(&["current_total_duties_set", "original_total_duties_set"]);
    }
    json.both("subtotal_price", subtotal);
    json.set("total_cash_rounding_payment_adjustment_set", 0);
    json.set("total_cash_rounding_refund_adjustment_set", 0);
    json.both("total_discounts", order.discounts() + order.shipping.discount);
    json.both("total_line_items_price", order.goods());
    json.money("total_outstanding", if order.paid { 0 } else { total });
    json.both("total_price", total);
    json.set("total_shipping_price_set", order.shipping.net());
    json.both("total_tax", order.tax());
    json.money("total_tip_received", 0);
    json.number("total_weight", 250 * order.lines.len() as u64);
}

/// People, lines and all that is embedded.
fn tail(json: &mut Json, profile: &Profile, order: &Order) {
    let place = profile.place;
    match person(order.buyer) {
        Some(person) => {
            address(json, "billing_address", place, person);
            address(json, "shipping_address", place, person);
        }
        None => json.nulls(&["billing_address", "shipping_address"]),
    }
    customer(json, place, order.buyer);
    json.list("discount_applications", order.discount, |json, discount| {
        json.text("target_type", "line_item");
        json.text("type", if discount.code.is_some() { "discount_code" } else { "automatic" });
        json.shown("value", format_args!("{}.0", discount.percent));
        json.text("value_type", "percentage");
        json.text("allocation_method", "across");
        json.text("target_selection", "all");
        json.maybe("code", discount.code);
    });
    json.list("fulfillments", order.fulfilled_at, |json, at| {
        json.id("Fulfillment", order.id + 5);
        json.number("order_id", order.id);
        json.text("status", "success");
        json.time("created_at", at);
        json.text("tracking_number", "1Z999AA10123456784");
    });
    json.list("line_items", &order.lines, |json, line| {
        line_item(json, profile, line, order.fulfilled_at.is_some());
    });
    json.nulls(&["payment_terms"]);
    json.list("refunds", &order.refunds, |json, item| {
        refund::fields(json, profile, order, item);
    });
    json.list("returns", &order.returns, |json, item| {
        returns::embedded(json, profile, order, item);
    });
    json.list("shipping_lines", (order.shipping.id != 0).then_some(()), |json, ()| {
        shipping_line(json, profile, order);
    });
    tax_lines(json, place, order.tax());
}

/// The shipping line.
pub(super) fn shipping_line(json: &mut Json, profile: &Profile, order: &Order) {
    let shipping = &order.shipping;
    json.number("id", shipping.id);
    json.nulls(&["carrier_identifier", "phone", "requested_fulfillment_service_id"]);
    json.text("code", shipping.title);
    json.set("current_discounted_price_set", shipping.net());
    json.both("discounted_price", shipping.net());
    json.flag("is_removed", false);
    json.both("price", shipping.price);
    json.text("source", "shopify");
    json.text("title", shipping.title);
    tax_lines(json, profile.place, shipping.tax);
    let discount = (shipping.discount > 0).then_some(shipping.discount);
    json.list("discount_allocations", discount, |json, minor| {
        json.money("amount", minor);
        json.set("amount_set", minor);
        json.number("discount_application_index", 0_u32);
    });
}
