//! Event lines: the platform-neutral input, one JSON object a line (CONTRACT, section 4). The format
//! of imports and the body of a `standard` source. Pure.
//!
//! Unlike a platform's bodies these are ours, so nothing is guessed: a missing required field and a
//! value of the wrong type are errors that name the field.

mod object;
mod order;
mod others;

use common::customer::{CustomerKey, Identity, Pseudonymizer};
use common::event::{Body, Event};
use common::shop::ShopDomain;
use common::time::Timestamp;
use thiserror::Error;

use crate::notes::NoteRules;
use object::Object;

/// The longest line.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// What reading a line knows besides the line.
#[derive(Clone, Copy, Debug)]
pub struct LineContext<'a> {
    /// The source's name in the events.
    pub source: &'a str,
    /// The shop of lines that name none.
    pub shop: Option<&'a ShopDomain>,
    /// When the line was taken.
    pub received_at: Timestamp,
    /// When the import began; `None` for a delivery.
    pub imported_at: Option<Timestamp>,
    /// The delivery's id.
    pub delivery_id: Option<&'a str>,
    /// Turns identities into pseudonyms.
    pub pseudonyms: &'a Pseudonymizer,
    /// Turns notes into reasons.
    pub notes: &'a NoteRules,
}

/// What is wrong with a line.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("field `{field}`: {message}")]
pub struct LineError {
    /// The field's path, for example `lines[0].price`; empty for the line as a whole.
    pub field: String,
    /// What is wrong and what is wanted. Holds no value of the line.
    pub message: String,
}

impl LineError {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Reads one line. It may end with a newline.
pub fn parse(line: &[u8], context: &LineContext<'_>) -> Result<Event, LineError> {
    if line.len() > MAX_LINE_BYTES {
        return Err(LineError::new("", format!("a line has at most {MAX_LINE_BYTES} bytes")));
    }
    let text = std::str::from_utf8(line).map_err(|_| LineError::new("", "the line is no UTF-8"))?;
    let object = Object::parse(text)?;
    let kind = object.required("type", object::text)?;
    let shop = match object.optional("shop", object::shop)? {
        Some(shop) => shop,
        None => context.shop.cloned().ok_or_else(|| LineError::new("shop", object::MISSING))?,
    };
    let line = Line { object: &object, shop: &shop, context };
    let (at, body) = match kind.as_ref() {
        "order" => order::order(&line)?,
        "order_deleted" => others::order_deleted(&line)?,
        "refund" => others::refund(&line)?,
        "return" => others::a_return(&line)?,
        "checkout" => others::checkout(&line)?,
        "customer_merged" => others::customer_merged(&line)?,
        "customer_redacted" => others::customer_redacted(&line)?,
        "shop_redacted" => others::shop_redacted(&line)?,
        _ => return Err(LineError::new("type", UNKNOWN_TYPE)),
    };
    let mut event = Event::new(shop.clone(), context.source, at, None, context.received_at, body);
    event.imported_at = context.imported_at;
    event.delivery_id = context.delivery_id.map(Into::into);
    Ok(event)
}

/// Reads the lines of a body, empty ones left out: all events, or the number of the first wrong line
/// and what is wrong with it. A body may also be one object over several lines.
pub fn parse_all(body: &[u8], context: &LineContext<'_>) -> Result<Vec<Event>, (usize, LineError)> {
    let lines = body.split(|&byte| byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let events: Result<Vec<Event>, _> = lines
        .map(|(index, line)| parse(line, context).map_err(|error| (index + 1, error)))
        .collect();
    match events {
        Ok(events) => Ok(events),
        Err(error) => parse(body, context).map(|event| vec![event]).map_err(|_| error),
    }
}

const UNKNOWN_TYPE: &str = "unknown; use order, order_deleted, refund, return, checkout, \
     customer_merged, customer_redacted or shop_redacted";

/// A line that is being read.
struct Line<'a> {
    object: &'a Object<'a>,
    shop: &'a ShopDomain,
    context: &'a LineContext<'a>,
}

/// What a line comes to: the version's instant and what happened.
type Read = Result<(Timestamp, Body), LineError>;

impl Line<'_> {
    /// The pseudonym of the customer in `field`; `None` where it is absent, null or empty.
    fn customer(&self, field: &str) -> Result<Option<CustomerKey>, LineError> {
        let Some(customer) = self.object.object(field)? else { return Ok(None) };
        let key = |identity: Identity<'_>| self.context.pseudonyms.key(self.shop, identity);
        if let Some(id) = customer.optional("id", object::id)? {
            return Ok(key(Identity::Id(&id.to_string())));
        }
        if let Some(email) = customer.optional("email", object::text)? {
            return Ok(key(Identity::Email(&email)));
        }
        let phone = customer.optional("phone", object::text)?;
        Ok(phone.and_then(|phone| key(Identity::Phone(&phone))))
    }

    /// The same where somebody must be named.
    fn required_customer(&self, field: &str) -> Result<CustomerKey, LineError> {
        let wanted = "required: {\"id\":..}, {\"email\":..} or {\"phone\":..}";
        self.customer(field)?.ok_or_else(|| LineError::new(self.object.path(field), wanted))
    }
}
