//! `orders/edited` and `orders/delete`: ids and quantities, no money.

use common::event::{Body, Event, OrderDeleted, OrderEdited, QuantityDelta};
use serde::Deserialize;

use super::fields::{IdField, Instant, List, Nested, Quantity, Text};
use super::{instants, read, required, text};
use crate::context::Context;
use crate::outcome::{DeadLetterReason, Outcome};

#[derive(Default, Deserialize)]
#[serde(default)]
struct EditedDoc<'a> {
    #[serde(borrow)]
    order_edit: Nested<EditDoc<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EditDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
    order_id: IdField,
    created_at: Instant,
    committed_at: Instant,
    line_items: Nested<EditLines<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EditLines<'a> {
    #[serde(borrow)]
    additions: List<DeltaDoc<'a>>,
}

/// A change of a line's quantity.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DeltaDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
    delta: Quantity,
}

/// The changes that name a line and at least one unit.
pub(super) fn deltas(docs: &[DeltaDoc<'_>]) -> Vec<QuantityDelta> {
    let delta = |doc: &DeltaDoc<'_>| {
        let quantity = doc.delta.0.filter(|&quantity| quantity > 0)?;
        Some(QuantityDelta { line: doc.id.with_gid(&doc.admin_graphql_api_id)?, quantity })
    };
    docs.iter().filter_map(delta).collect()
}

/// `orders/edited`: what was added. Removals arrive as refunds.
pub(super) fn edited(body: &[u8], context: &Context<'_>) -> Outcome {
    let event = || {
        let document: EditedDoc<'_> = read(body)?;
        let edit = required(document.order_edit.get(), "order_edit")?;
        let edited = OrderEdited {
            order: required(edit.order_id.0.clone(), "order_edit.order_id")?,
            edit: required(edit.id.with_gid(&edit.admin_graphql_api_id), "order_edit.id")?,
            committed_at: required(
                edit.committed_at.0.or(edit.created_at.0),
                "order_edit.committed_at",
            )?,
            additions: edit
                .line_items
                .get()
                .map_or_else(Vec::new, |lines| deltas(lines.additions.items())),
        };
        Ok::<_, DeadLetterReason>(edited)
    };
    match event() {
        Ok(edited) if edited.additions.is_empty() => {
            Outcome::Ignored("the edit adds nothing; what it removes arrives as a refund")
        }
        Ok(edited) => {
            Outcome::Events(vec![context.event(edited.committed_at, Body::OrderEdited(edited))])
        }
        Err(reason) => Outcome::DeadLetter(reason),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DeletedDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
}

/// `orders/delete`: the body is usually the id alone.
pub(super) fn deleted(body: &[u8], context: &Context<'_>) -> Result<Event, DeadLetterReason> {
    let document: DeletedDoc<'_> = read(body)?;
    let order = required(document.id.with_gid(&document.admin_graphql_api_id), "id")?;
    let at = instants::greatest(text(body)?).unwrap_or_else(|| context.time_without_body());
    Ok(context.event(at, Body::OrderDeleted(OrderDeleted { order })))
}
