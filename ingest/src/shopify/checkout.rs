//! Checkouts, known by their token.

use common::event::{Body, CheckoutDeleted, CheckoutSnapshot};
use common::id::Id;
use serde::Deserialize;

use super::customer::{CustomerDoc, customer_key};
use super::extras;
use super::fields::{Instant, Nested, Text};
use super::{instants, read, required, text};
use crate::context::Context;
use crate::outcome::{DeadLetterReason, Outcome};

const NO_TOKEN: Outcome = Outcome::Ignored("a checkout without a token joins no order");

#[derive(Default, Deserialize)]
#[serde(default)]
struct CheckoutDoc<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    cart_token: Text<'a>,
    created_at: Instant,
    updated_at: Instant,
    completed_at: Instant,
    customer: Nested<CustomerDoc<'a>>,
    email: Text<'a>,
    phone: Text<'a>,
}

impl CheckoutDoc<'_> {
    fn id(&self) -> Option<Id> {
        self.token.get().and_then(|token| Id::parse(token).ok())
    }
}

/// `checkouts/create` and `checkouts/update`.
pub(super) fn translate(body: &[u8], context: &Context<'_>) -> Outcome {
    let event = || {
        let checkout: CheckoutDoc<'_> = read(body)?;
        let Some(id) = checkout.id() else { return Ok(None) };
        let started_at = required(checkout.created_at.0, "created_at")?;
        let snapshot = CheckoutSnapshot {
            id,
            started_at,
            completed_at: checkout.completed_at.0,
            cart: checkout.cart_token.get().and_then(extras::token),
            customer: customer_key(
                context,
                &checkout.customer,
                [&checkout.email, &Text::default()],
                &checkout.phone,
            ),
        };
        let at = checkout.updated_at.0.or_else(|| instants::greatest(text(body).ok()?));
        Ok::<_, DeadLetterReason>(Some(
            context.event(at.unwrap_or(started_at), Body::Checkout(snapshot)),
        ))
    };
    match event() {
        Ok(Some(event)) => Outcome::Events(vec![event]),
        Ok(None) => NO_TOKEN,
        Err(reason) => Outcome::DeadLetter(reason),
    }
}

/// `checkouts/delete`.
pub(super) fn deleted(body: &[u8], context: &Context<'_>) -> Outcome {
    let checkout: CheckoutDoc<'_> = match read(body) {
        Ok(checkout) => checkout,
        Err(reason) => return Outcome::DeadLetter(reason),
    };
    let Some(checkout) = checkout.id() else { return NO_TOKEN };
    let at = text(body).ok().and_then(instants::greatest);
    let at = at.unwrap_or_else(|| context.time_without_body());
    Outcome::Events(vec![context.event(at, Body::CheckoutDeleted(CheckoutDeleted { checkout }))])
}
