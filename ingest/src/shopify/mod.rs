//! Shopify: headers and bodies of its webhooks, translated into events. Pure.
//!
//! Every field but those that a document cannot do without is optional, unknown fields are
//! ignored, and a field of an unexpected type counts as absent (platform reference, section 2.0).

mod checkout;
mod customer;
mod extras;
mod fields;
mod headers;
mod instants;
mod line;
mod money;
mod order;
mod order_topics;
mod refund;
mod returns;
mod topics;

use common::event::ReturnStatus;
use serde::Deserialize;

use crate::context::Context;
use crate::outcome::{DeadLetterReason, Outcome};
use fields::Nested;

pub use headers::Delivery;
pub use topics::Topic;

/// Translates the body of a delivery of `topic`.
#[must_use]
pub fn translate(topic: &str, body: &[u8], context: &Context<'_>) -> Outcome {
    let Some(topic) = Topic::parse(topic) else {
        return Outcome::Ignored("no KPI needs this topic");
    };
    let mut outcome = translate_topic(topic, body, context);
    if let Outcome::Events(events) = &mut outcome {
        for event in events {
            event.topic = Some(topic.name().into());
        }
    }
    outcome
}

fn translate_topic(topic: Topic, body: &[u8], context: &Context<'_>) -> Outcome {
    let a_return = |implied| Outcome::of(returns::translate(body, implied, context));
    match topic {
        Topic::OrdersCreate
        | Topic::OrdersUpdated
        | Topic::OrdersPaid
        | Topic::OrdersCancelled
        | Topic::OrdersFulfilled
        | Topic::OrdersPartiallyFulfilled => Outcome::of(order::translate(body, context)),
        Topic::OrdersEdited => order_topics::edited(body, context),
        Topic::OrdersDelete => Outcome::of(order_topics::deleted(body, context)),
        Topic::OrdersLinkRequested => Outcome::Ignored("a link request is no sale"),
        Topic::RefundsCreate => Outcome::of(refund::translate(body, context)),
        Topic::ReturnsRequest => a_return(Some(ReturnStatus::Requested)),
        Topic::ReturnsApprove | Topic::ReturnsReopen => a_return(Some(ReturnStatus::Open)),
        Topic::ReturnsDecline => a_return(Some(ReturnStatus::Declined)),
        Topic::ReturnsCancel => a_return(Some(ReturnStatus::Canceled)),
        Topic::ReturnsClose => a_return(Some(ReturnStatus::Closed)),
        Topic::ReturnsProcess => a_return(None),
        Topic::ReturnsUpdate => returns::updated(body, context),
        Topic::CheckoutsCreate | Topic::CheckoutsUpdate => checkout::translate(body, context),
        Topic::CheckoutsDelete => checkout::deleted(body, context),
        Topic::CustomersMerge => customer::merged(body, context),
        Topic::CustomersRedact => Outcome::of(customer::redacted(body, context)),
        Topic::CustomersDataRequest => {
            Outcome::Ignored("only pseudonyms are kept; the shop's owner answers the request")
        }
        Topic::ShopRedact => Outcome::of(customer::shop_redacted(body, context)),
        Topic::AppUninstalled => Outcome::Ignored("the shop's figures stay until shop/redact"),
    }
}

/// Reads a body as an object of a known shape.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, DeadLetterReason> {
    let text = text(body)?;
    match serde_json::from_str::<Nested<T>>(text) {
        Ok(Nested(Some(document))) => Ok(document),
        Ok(Nested(None)) | Err(_) => Err(DeadLetterReason::InvalidJson),
    }
}

fn text(body: &[u8]) -> Result<&str, DeadLetterReason> {
    std::str::from_utf8(body).map_err(|_| DeadLetterReason::InvalidJson)
}

/// The value, or the dead letter that names what is missing.
fn required<T>(value: Option<T>, field: &str) -> Result<T, DeadLetterReason> {
    value.ok_or_else(|| DeadLetterReason::incomplete(field))
}
