//! Returns: `returns/*` and the returns inside an order.

use common::event::{Body, Event, ReturnLine, ReturnSnapshot, ReturnStatus, ReturnUpdated};
use common::id::Id;
use common::reason::Reason;
use common::time::Timestamp;
use serde::Deserialize;

use super::fields::{IdField, Instant, List, Nested, Quantity, Text};
use super::order_topics::{DeltaDoc, deltas};
use super::{instants, read, required, text};
use crate::context::Context;
use crate::outcome::{DeadLetterReason, Outcome};

/// What is read of a return.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ReturnDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
    status: Text<'a>,
    order: Nested<LinkDoc<'a>>,
    order_id: IdField,
    created_at: Instant,
    requested_at: Instant,
    opened_at: Instant,
    approved_at: Instant,
    request_approved_at: Instant,
    declined_at: Instant,
    canceled_at: Instant,
    cancelled_at: Instant,
    closed_at: Instant,
    return_line_items: List<ReturnLineDoc<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LinkDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReturnLineDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
    fulfillment_line_item: Nested<FulfillmentLineDoc<'a>>,
    line_item: Nested<LinkDoc<'a>>,
    line_item_id: IdField,
    quantity: Quantity,
    return_reason: Text<'a>,
    return_reason_definition: Nested<DefinitionDoc<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FulfillmentLineDoc<'a> {
    #[serde(borrow)]
    line_item: Nested<LinkDoc<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DefinitionDoc<'a> {
    #[serde(borrow)]
    handle: Text<'a>,
    name: Text<'a>,
}

/// `returns/request`, `approve`, `decline`, `cancel`, `close`, `reopen` and `process`. Where the
/// body does not tell the status, it is the one that the topic implies.
pub(super) fn translate(
    body: &[u8],
    implied: Option<ReturnStatus>,
    context: &Context<'_>,
) -> Result<Event, DeadLetterReason> {
    let document: ReturnDoc<'_> = read(body)?;
    let id = required(document.id.with_gid(&document.admin_graphql_api_id), "id")?;
    let order = document.order.get().and_then(LinkDoc::id).or_else(|| document.order_id.0.clone());
    let order = required(order, "order_id")?;
    let status = match document.status.get() {
        Some(status) => parse_status(status),
        None => implied,
    };
    let status = required(status, "status")?;
    // A body without any time counts at its trigger, else at its arrival.
    let greatest = instants::greatest(text(body)?);
    let at = document.status_instant(status).or(greatest);
    let at = at.unwrap_or_else(|| context.time_without_body());
    let version_at = greatest.unwrap_or(at);
    let snapshot = ReturnSnapshot { id, order, status, at, lines: document.lines() };
    Ok(context.event(version_at, Body::Return(snapshot)))
}

/// The returns inside an order, as of the order's version where they tell no time.
pub(super) fn embedded(
    documents: &[ReturnDoc<'_>],
    order: &Id,
    order_at: Timestamp,
) -> Vec<ReturnSnapshot> {
    let snapshot = |document: &ReturnDoc<'_>| {
        let id = document.id.with_gid(&document.admin_graphql_api_id)?;
        let status = parse_status(document.status.get()?)?;
        let at = document.status_instant(status).unwrap_or(order_at);
        Some(ReturnSnapshot { id, order: order.clone(), status, at, lines: document.lines() })
    };
    // A partial return must not cost the order: the topics of returns carry the whole one.
    documents.iter().filter_map(snapshot).collect()
}

impl LinkDoc<'_> {
    fn id(&self) -> Option<Id> {
        self.id.with_gid(&self.admin_graphql_api_id)
    }
}

impl ReturnDoc<'_> {
    /// When the return took `status`, where the body says so.
    fn status_instant(&self, status: ReturnStatus) -> Option<Timestamp> {
        let instants = match status {
            ReturnStatus::Requested => [self.requested_at, self.created_at, Instant(None)],
            ReturnStatus::Open => [self.opened_at, self.approved_at, self.request_approved_at],
            ReturnStatus::Declined => [self.declined_at, Instant(None), Instant(None)],
            ReturnStatus::Canceled => [self.canceled_at, self.cancelled_at, Instant(None)],
            ReturnStatus::Closed => [self.closed_at, Instant(None), Instant(None)],
        };
        instants.into_iter().find_map(|instant| instant.0)
    }

    /// The lines that name a line of the order; exchanged goods are sales of their own.
    fn lines(&self) -> Vec<ReturnLine> {
        self.return_line_items.items().iter().filter_map(ReturnLineDoc::read).collect()
    }
}

impl ReturnLineDoc<'_> {
    fn read(&self) -> Option<ReturnLine> {
        let fulfilled =
            self.fulfillment_line_item.get().and_then(|line| line.line_item.get()?.id());
        let line = fulfilled
            .or_else(|| self.line_item_id.0.clone())
            .or_else(|| self.line_item.get().and_then(LinkDoc::id))?;
        Some(ReturnLine {
            id: self.id.with_gid(&self.admin_graphql_api_id)?,
            line,
            quantity: self.quantity.0?,
            reason: self.reason(),
        })
    }

    /// The definition says more than the old code, which calls most of them `other`.
    fn reason(&self) -> Reason {
        let told = |reason: &Reason| !matches!(reason, Reason::Other | Reason::Unknown);
        let code = self.return_reason.get().map(Reason::from_code);
        let definition = self.return_reason_definition.get();
        let handle =
            definition.and_then(|definition| definition.handle.get()).map(Reason::from_code);
        let name = definition.and_then(|definition| definition.name.get());
        let name = name.map(|name| Reason::from_code(&as_handle(name)));
        let known = [handle, name, code];
        let best = known.iter().flatten().find(|reason| told(reason));
        best.copied().or(handle).or(name).or(code).unwrap_or(Reason::Unknown)
    }
}

/// `Changed my mind` as `changed-my-mind`.
fn as_handle(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn parse_status(status: &str) -> Option<ReturnStatus> {
    match status.to_ascii_lowercase().as_str() {
        "requested" => Some(ReturnStatus::Requested),
        "open" => Some(ReturnStatus::Open),
        "declined" => Some(ReturnStatus::Declined),
        "canceled" | "cancelled" => Some(ReturnStatus::Canceled),
        "closed" => Some(ReturnStatus::Closed),
        _ => None,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UpdatedDoc<'a> {
    #[serde(borrow)]
    admin_graphql_api_id: Text<'a>,
    id: IdField,
    return_line_items: Nested<RemovalsDoc<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RemovalsDoc<'a> {
    #[serde(borrow)]
    removals: List<DeltaDoc<'a>>,
}

/// `returns/update`: units taken out of a return, whose order is not named.
pub(super) fn updated(body: &[u8], context: &Context<'_>) -> Outcome {
    let event = || {
        let document: UpdatedDoc<'_> = read(body)?;
        let return_id = document.id.with_gid(&document.admin_graphql_api_id);
        let removals = document.return_line_items.get();
        let at = instants::greatest(text(body)?).unwrap_or_else(|| context.time_without_body());
        Ok::<_, DeadLetterReason>(ReturnUpdated {
            return_id: required(return_id, "admin_graphql_api_id")?,
            at,
            removals: removals.map_or_else(Vec::new, |lines| deltas(lines.removals.items())),
        })
    };
    match event() {
        Ok(updated) if updated.removals.is_empty() => {
            Outcome::Ignored("the update takes nothing out of the return")
        }
        Ok(updated) => {
            Outcome::Events(vec![context.event(updated.at, Body::ReturnUpdated(updated))])
        }
        Err(reason) => Outcome::DeadLetter(reason),
    }
}
