//! Line items, tax lines and addresses, which several documents share.

use super::super::order::{Contact, Line};
use super::super::people::Person;
use super::super::shop::{Place, Profile};
use super::json::Json;

/// An order's line item.
pub(super) fn line_item(json: &mut Json, profile: &Profile, line: &Line, fulfilled: bool) {
    let product = &profile.products[line.product];
    let variant = &product.variants[line.variant];
    json.id("LineItem", line.id);
    json.empty(&["attributed_staffs"]);
    let current = line.quantity - line.refunded;
    json.number("current_quantity", current);
    json.number("fulfillable_quantity", if fulfilled { 0 } else { current });
    json.text("fulfillment_service", if line.gift_card { "gift_card" } else { "manual" });
    json.maybe("fulfillment_status", fulfilled.then_some("fulfilled"));
    json.flag("gift_card", line.gift_card);
    json.number("grams", 250_u32);
    json.text("name", &format!("{} - {}", product.title, variant.options));
    json.both("price", line.price);
    json.flag("product_exists", true);
    json.number("product_id", product.id);
    json.list("properties", line.engraving, |json, text| {
        json.text("name", "Engraving");
        json.text("value", text);
    });
    json.number("quantity", line.quantity);
    json.flag("requires_shipping", !line.gift_card);
    json.nulls(&["sales_line_item_group_id"]);
    json.text("sku", &variant.sku);
    json.flag("taxable", !line.gift_card);
    json.text("title", product.title);
    // The platform leaves this at zero for codes and order-level discounts.
    json.both("total_discount", 0);
    json.number("variant_id", variant.id);
    json.text("variant_inventory_management", "shopify");
    json.text("variant_title", &variant.options);
    json.text("vendor", product.vendor);
    tax_lines(json, profile.place, line.tax);
    json.empty(&["duties"]);
    json.list(
        "discount_allocations",
        (line.discount > 0).then_some(line.discount),
        |json, minor| {
            json.money("amount", minor);
            json.set("amount_set", minor);
            json.number("discount_application_index", 0_u32);
        },
    );
}

/// `tax_lines` with one line, or none where there is no tax.
pub(super) fn tax_lines(json: &mut Json, place: &Place, minor: i64) {
    json.list("tax_lines", (minor > 0).then_some(minor), |json, minor| {
        json.flag("channel_liable", false);
        json.both("price", minor);
        json.rate("rate", place.tax_rate);
        json.text("title", place.tax_name);
    });
}

/// A postal address under `key`.
pub(super) fn address(json: &mut Json, key: &str, place: &Place, person: Person) {
    let [country, code, province, province_code, city] = place.address;
    json.nest(key, |json| {
        json.text("first_name", person.first());
        json.text("address1", &person.street());
        json.text("phone", &person.phone());
        json.text("city", city);
        json.text("zip", &person.zip());
        json.text("province", province);
        json.text("country", country);
        json.text("last_name", person.last());
        json.nulls(&["address2", "company", "latitude", "longitude"]);
        json.text("name", &person.name());
        json.text("country_code", code);
        json.text("province_code", province_code);
    });
}

/// `customer`: null without an account.
pub(super) fn customer(json: &mut Json, place: &Place, buyer: Contact) {
    let Contact::Account(id, person) = buyer else {
        json.nulls(&["customer"]);
        return;
    };
    json.nest("customer", |json| {
        json.id("Customer", id);
        json.text("first_name", person.first());
        json.text("last_name", person.last());
        json.text("state", "enabled");
        json.nulls(&["note", "multipass_identifier"]);
        json.flag("verified_email", true);
        json.flag("tax_exempt", false);
        json.text("email", &person.email());
        json.text("phone", &person.phone());
        json.text("currency", place.currency);
        json.empty(&["tax_exemptions"]);
        address(json, "default_address", place, person);
    });
}

/// The person behind a buyer.
pub(super) const fn person(buyer: Contact) -> Option<Person> {
    match buyer {
        Contact::Nobody => None,
        Contact::Guest(person) | Contact::Account(_, person) => Some(person),
    }
}
