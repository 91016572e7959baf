//! Merges and redactions of customers.

use super::super::people::Person;
use super::super::shop::Profile;
use super::json::Json;

/// `customers/merge` of the account `from` into `into`.
pub(in crate::simulate) fn merged(profile: &Profile, from: u64, into: u64, done: bool) -> Vec<u8> {
    Json::object(profile.place, None, |json| {
        json.gid("admin_graphql_api_customer_kept_id", "Customer", into);
        json.gid("admin_graphql_api_customer_deleted_id", "Customer", from);
        json.nulls(&["admin_graphql_api_job_id"]);
        json.text("status", if done { "completed" } else { "failed" });
        json.list("errors", (!done).then_some(()), |json, ()| {
            json.array("customer_ids", |json| json.element(from));
            json.text("field", "merge_in_progress");
            json.text("message", "John Doe is currently being merged.");
        });
    })
}

/// `customers/redact` of an account, or of an e-mail address alone.
pub(in crate::simulate) fn redacted(
    profile: &Profile,
    account: Option<u64>,
    person: Person,
    orders: &[u64],
) -> Vec<u8> {
    Json::object(profile.place, None, |json| {
        json.number("shop_id", profile.shop_id);
        json.text("shop_domain", profile.domain.as_str());
        json.nest("customer", |json| {
            match account {
                Some(id) => json.number("id", id),
                None => json.nulls(&["id"]),
            }
            json.text("email", &person.email());
            json.text("phone", &person.phone());
        });
        json.array("orders_to_redact", |json| {
            for order in orders {
                json.element(*order);
            }
        });
    })
}
