//! Customers: who an order belongs to, merges, and the requests to forget.

use common::customer::{CustomerKey, Identity};
use common::event::{Body, CustomerRedacted, CustomersMerged, Event, ShopRedacted};
use common::id::Id;
use common::shop::ShopDomain;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::fields::{IdField, Nested, Text, Texts};
use super::{read, required};
use crate::context::Context;
use crate::outcome::{DeadLetterReason, Outcome};

/// What is read of a customer.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CustomerDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
    email: Text<'a>,
    phone: Text<'a>,
}

/// The pseudonym of a document's customer: `customer.id`, `emails`, `customer.email`, `phone`,
/// `customer.phone`, whichever is there first.
pub(super) fn customer_key(
    context: &Context<'_>,
    customer: &Nested<CustomerDoc<'_>>,
    emails: [&Text<'_>; 2],
    phone: &Text<'_>,
) -> Option<CustomerKey> {
    let key = |identity: Identity<'_>| context.pseudonyms.key(context.shop, identity);
    let email = |text: &Text<'_>| key(Identity::Email(text.get()?));
    let phone_key = |text: &Text<'_>| key(Identity::Phone(text.get()?));
    let customer = customer.get();
    let id = customer.and_then(|customer| customer.id.with_gid(&customer.admin_graphql_api_id));
    id.and_then(|id| key(Identity::Id(&id.to_string())))
        .or_else(|| emails.into_iter().find_map(email))
        .or_else(|| email(&customer?.email))
        .or_else(|| phone_key(phone))
        .or_else(|| phone_key(&customer?.phone))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MergeDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_customer_kept_id: Text<'a>,
    admin_graphql_api_customer_deleted_id: Text<'a>,
    status: Text<'a>,
    errors: Option<&'a RawValue>,
}

impl MergeDoc<'_> {
    /// Whether `errors` is anything but absent, null or an empty array.
    fn has_errors(&self) -> bool {
        self.errors.is_some_and(|errors| {
            serde_json::from_str::<Vec<IgnoredAny>>(errors.get())
                .map_or(true, |list| !list.is_empty())
        })
    }
}

/// `customers/merge`: acts only on a merge that was completed without errors.
pub(super) fn merged(body: &[u8], context: &Context<'_>) -> Outcome {
    let merge: MergeDoc<'_> = match read(body) {
        Ok(merge) => merge,
        Err(reason) => return Outcome::DeadLetter(reason),
    };
    let completed =
        merge.status.get().is_some_and(|status| status.eq_ignore_ascii_case("completed"));
    if !completed || merge.has_errors() {
        return Outcome::Ignored("the merge was not completed");
    }
    let key = |gid: &Text<'_>, field: &str| {
        let id = gid.get().and_then(|gid| Id::from_gid(gid).or_else(|| Id::parse(gid).ok()));
        let id = required(id, field)?.to_string();
        required(context.pseudonyms.key(context.shop, Identity::Id(&id)), field)
    };
    let event = || {
        let into =
            key(&merge.admin_graphql_api_customer_kept_id, "admin_graphql_api_customer_kept_id")?;
        let from = key(
            &merge.admin_graphql_api_customer_deleted_id,
            "admin_graphql_api_customer_deleted_id",
        )?;
        let body = Body::CustomersMerged(CustomersMerged { from, into });
        Ok(context.event(context.time_without_body(), body))
    };
    Outcome::of(event())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RedactDoc<'a> {
    #[serde(borrow)]
    shop_domain: Text<'a>,
    customer: Nested<CustomerDoc<'a>>,
    orders_to_redact: Texts<'a>,
}

/// `customers/redact`.
pub(super) fn redacted(body: &[u8], context: &Context<'_>) -> Result<Event, DeadLetterReason> {
    let request: RedactDoc<'_> = read(body)?;
    check_shop(&request.shop_domain, context)?;
    let customer = required(request.customer.get(), "customer")?;
    let key = |identity: Identity<'_>| context.pseudonyms.key(context.shop, identity);
    let id = customer.id.with_gid(&customer.admin_graphql_api_id).map(|id| id.to_string());
    let keys = [
        id.as_deref().and_then(|id| key(Identity::Id(id))),
        customer.email.get().and_then(|email| key(Identity::Email(email))),
        customer.phone.get().and_then(|phone| key(Identity::Phone(phone))),
    ];
    let customers: Vec<CustomerKey> = keys.into_iter().flatten().collect();
    if customers.is_empty() {
        return Err(DeadLetterReason::incomplete("customer.id"));
    }
    let at = context.time_without_body();
    let mut orders: Vec<Id> =
        request.orders_to_redact.iter().filter_map(|id| Id::parse(id).ok()).collect();
    orders.sort_unstable();
    orders.dedup();
    Ok(context.event(at, Body::CustomerRedacted(CustomerRedacted { customers, orders, at })))
}

/// `shop/redact`.
pub(super) fn shop_redacted(body: &[u8], context: &Context<'_>) -> Result<Event, DeadLetterReason> {
    let request: RedactDoc<'_> = read(body)?;
    check_shop(&request.shop_domain, context)?;
    let at = context.time_without_body();
    Ok(context.event(at, Body::ShopRedacted(ShopRedacted { at })))
}

/// The shop header is not signed, the body is: whoever captured one shop's request must not erase
/// another shop with it.
fn check_shop(named: &Text<'_>, context: &Context<'_>) -> Result<(), DeadLetterReason> {
    match named.get().map(ShopDomain::parse) {
        Some(Ok(shop)) if shop != *context.shop => Err(DeadLetterReason::ShopMismatch),
        Some(Ok(_) | Err(_)) | None => Ok(()),
    }
}
