//! What a translation knows besides the body. Pure values: no clock, no I/O.

use common::config::Attributes;
use common::customer::Pseudonymizer;
use common::event::{Body, Event};
use common::shop::ShopDomain;
use common::time::Timestamp;

use crate::notes::NoteRules;

/// What a translation knows besides the body.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The configured source's name.
    pub source: &'a str,
    /// Whose body it is.
    pub shop: &'a ShopDomain,
    /// When the delivery was taken.
    pub received_at: Timestamp,
    /// When the platform says the event happened.
    pub triggered_at: Option<Timestamp>,
    /// The platform's delivery id.
    pub delivery_id: Option<&'a str>,
    /// When the import that carries the body began; `None` for a delivery.
    pub imported_at: Option<Timestamp>,
    /// Turns identities into pseudonyms.
    pub pseudonyms: &'a Pseudonymizer,
    /// The free-form fields that may enter events.
    pub attributes: &'a Attributes,
    /// Turns notes into reasons.
    pub notes: &'a NoteRules,
}

impl Context<'_> {
    /// The instant of a body without any time: the trigger's, else the arrival.
    #[must_use]
    pub fn time_without_body(&self) -> Timestamp {
        self.triggered_at.unwrap_or(self.received_at)
    }

    /// An event of this delivery whose version is at `at`.
    #[must_use]
    pub fn event(&self, at: Timestamp, body: Body) -> Event {
        let shop = self.shop.clone();
        let mut event =
            Event::new(shop, self.source, at, self.triggered_at, self.received_at, body);
        event.imported_at = self.imported_at;
        event.delivery_id = self.delivery_id.map(Into::into);
        event
    }
}
