//! Headers of a record: `CloudEvents` in binary mode, so that other consumers can route events
//! without reading them.

use common::event::Event;
use rdkafka::message::{Header, OwnedHeaders};

/// The headers of `event`.
pub(super) fn of_event(event: &Event) -> OwnedHeaders {
    let made = || uuid::Uuid::new_v4().to_string();
    let id = event.delivery_id.as_deref().map_or_else(made, str::to_owned);
    let kind = format!("tallyhook.{}.v1", event.body.kind());
    let time = event.version.at.to_string();
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", &id),
        ("ce_type", &kind),
        ("ce_source", &event.source),
        ("ce_time", &time),
        ("content-type", "application/json"),
    ];
    headers.into_iter().fold(OwnedHeaders::new_with_capacity(6), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    })
}
