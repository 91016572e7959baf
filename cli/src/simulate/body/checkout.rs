//! Checkouts, completed and abandoned.

use common::time::Timestamp;

use super::super::order::Order;
use super::super::people::Person;
use super::super::shop::Profile;
use super::json::Json;
use super::lines::{address, customer, person, tax_lines};

/// `checkouts/create` and `checkouts/update`: the order before it is one.
pub(in crate::simulate) fn checkout(
    profile: &Profile,
    order: &Order,
    updated_at: Timestamp,
    completed_at: Option<Timestamp>,
) -> Vec<u8> {
    let place = profile.place;
    Json::object(place, order.presentment, |json| {
        json.shown("token", format_args!("{:032x}", order.token));
        json.shown("cart_token", format_args!("hWN{:032x}", order.token.rotate_left(64)));
        json.maybe("email", person(order.buyer).map(Person::email).as_deref());
        json.nulls(&["gateway", "closed_at", "user_id", "location_id", "source_identifier"]);
        json.flag("buyer_accepts_marketing", false);
        json.time("created_at", order.started_at);
        json.time("updated_at", updated_at);
        json.maybe_time("completed_at", completed_at);
        json.maybe("landing_site", order.landing.as_deref());
        json.maybe("note", order.note);
        json.empty(&["note_attributes", "shipping_lines", "discount_codes"]);
        json.flag("taxes_included", place.taxes_included);
        json.number("total_weight", 250 * order.lines.len() as u64);
        json.text("currency", place.currency);
        json.text("presentment_currency", json.buyers_currency());
        json.list("line_items", &order.lines, |json, line| {
            let product = &profile.products[line.product];
            let variant = &product.variants[line.variant];
            json.shown("key", format_args!("{:x}", line.id));
            json.flag("gift_card", line.gift_card);
            json.text("presentment_title", product.title);
            json.text("presentment_variant_title", &variant.options);
            json.number("product_id", product.id);
            json.number("variant_id", variant.id);
            json.number("quantity", line.quantity);
            json.text("sku", &variant.sku);
            json.text("title", product.title);
            json.text("vendor", product.vendor);
            json.money("line_price", line.total());
            json.money("price", line.price);
        });
        json.shown(
            "abandoned_checkout_url",
            format_args!("https://{}/checkouts/{:x}/recover?key=x", profile.domain, order.token),
        );
        json.text("source_name", "web");
        tax_lines(json, place, order.tax());
        json.money("total_discounts", order.discounts());
        json.money("total_line_items_price", order.goods());
        json.money("total_price", order.total(place));
        json.money("total_tax", order.tax());
        json.money("subtotal_price", order.goods() - order.discounts());
        if let Some(person) = person(order.buyer) {
            address(json, "billing_address", place, person);
            address(json, "shipping_address", place, person);
        }
        customer(json, place, order.buyer);
    })
}
