//! Returns: the topics of their life, and as an order embeds them.

use super::super::order::{Order, Return};
use super::super::shop::Profile;
use super::json::Json;

/// The shapes that a return's topics come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulate) enum ReturnTopic {
    /// `returns/request` and `returns/approve`: with lines.
    Full,
    /// `returns/decline`: without lines, with the shop's words.
    Decline,
    /// `returns/cancel`, `close`, `reopen`: four fields.
    Status,
}

/// A delivery about a return.
pub(in crate::simulate) fn returned(
    profile: &Profile,
    order: &Order,
    item: &Return,
    topic: ReturnTopic,
) -> Vec<u8> {
    Json::object(profile.place, None, |json| {
        json.id("Return", item.id);
        json.text("status", item.status);
        if topic == ReturnTopic::Status {
            json.number("order_id", order.id);
            return;
        }
        json.nest("order", |json| json.id("Order", order.id));
        if topic == ReturnTopic::Decline {
            json.nest("decline", |json| {
                json.text("reason", "return_period_ended");
                json.text("note", "As we told Ms Müller, the return window has ended.");
            });
            return;
        }
        json.number("total_return_line_items", item.lines.len() as u64);
        json.shown("name", format_args!("#{}-R1", order.number));
        lines(json, profile, order, item);
        json.empty(&["return_shipping_fees", "exchange_line_items"]);
        json.number("total_exchange_line_items", 0_u32);
    })
}

/// `returns/update`: units of one line taken out.
pub(in crate::simulate) fn removed(
    profile: &Profile,
    item: &Return,
    line: u64,
    units: u32,
) -> Vec<u8> {
    Json::object(profile.place, None, |json| {
        json.gid("admin_graphql_api_id", "Return", item.id);
        json.nest("return_line_items", |json| {
            json.list("removals", [line], |json, line| {
                json.gid("admin_graphql_api_id", "ReturnLineItem", line);
                json.number("delta", units);
            });
        });
        for fees in ["restocking_fees", "return_shipping_fees"] {
            json.nest(fees, |json| json.empty(&["updates", "removals"]));
        }
    })
}

/// A return inside its order.
pub(super) fn embedded(json: &mut Json, profile: &Profile, order: &Order, item: &Return) {
    json.id("Return", item.id);
    json.number("order_id", order.id);
    json.text("status", item.status);
    json.shown("name", format_args!("#{}-R1", order.number));
    json.time("created_at", item.created_at);
    json.maybe_time("closed_at", item.closed_at);
    lines(json, profile, order, item);
}

fn lines(json: &mut Json, profile: &Profile, order: &Order, item: &Return) {
    json.list("return_line_items", &item.lines, |json, line| {
        let sold = &order.lines[line.line];
        json.id("ReturnLineItem", line.id);
        json.number("line_item_id", sold.id);
        json.nest("fulfillment_line_item", |json| {
            json.id("FulfillmentLineItem", sold.id + 1);
            json.nest("line_item", |json| json.id("LineItem", sold.id));
        });
        json.number("quantity", line.quantity);
        json.text("return_reason", line.reason.code);
        json.text("return_reason_note", "");
        if profile.reason_definitions {
            json.nest("return_reason_definition", |json| {
                json.text("handle", line.reason.handle);
                json.text("name", line.reason.name);
            });
        }
        json.text("customer_note", "I am Anna, please call me at +15550001");
    });
}
