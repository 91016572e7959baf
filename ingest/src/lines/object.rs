//! A JSON object whose fields are read one by one, each error naming the field's path.

use std::borrow::Cow;
use std::fmt;

use common::currency::Currency;
use common::decimal::Decimal;
use common::id::Id;
use common::shop::ShopDomain;
use common::time::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::LineError;

/// What is said of a required field that is absent or null.
pub(super) const MISSING: &str = "required, but missing";

/// A field's reader: the value, or what is wanted instead.
type Parse<'a, T> = fn(&'a str) -> Result<T, String>;

/// An object and where it stands.
pub(super) struct Object<'a> {
    path: String,
    fields: Fields<'a>,
}

/// The fields in the order of the text; the last of equal names counts.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads a line.
    pub(super) fn parse(text: &'a str) -> Result<Self, LineError> {
        let wanted = || LineError::new("", "the line is no JSON object");
        let fields = serde_json::from_str(text).map_err(|_| wanted())?;
        Ok(Self { path: String::new(), fields })
    }

    /// The path of a field of this object.
    pub(super) fn path(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// A field that must be there.
    pub(super) fn required<T>(&self, field: &str, parse: Parse<'a, T>) -> Result<T, LineError> {
        self.optional(field, parse)?.ok_or_else(|| LineError::new(self.path(field), MISSING))
    }

    /// A field that may be absent or null.
    pub(super) fn optional<T>(
        &self,
        field: &str,
        parse: Parse<'a, T>,
    ) -> Result<Option<T>, LineError> {
        let parsed = self.raw(field).map(parse).transpose();
        parsed.map_err(|wanted| LineError::new(self.path(field), wanted))
    }

    /// A field that holds an object.
    pub(super) fn object(&self, field: &str) -> Result<Option<Self>, LineError> {
        let Some(raw) = self.raw(field) else { return Ok(None) };
        Self::nested(raw, self.path(field)).map(Some)
    }

    /// A field that holds an array of objects; `None` where it is absent.
    pub(super) fn objects(&self, field: &str) -> Result<Option<Vec<Self>>, LineError> {
        let Some(raw) = self.raw(field) else { return Ok(None) };
        let path = self.path(field);
        let items: Vec<&'a RawValue> = serde_json::from_str(raw)
            .map_err(|_| LineError::new(path.clone(), "not an array of objects"))?;
        let items = items.into_iter().enumerate();
        let objects =
            items.map(|(index, item)| Self::nested(item.get(), format!("{path}[{index}]")));
        objects.collect::<Result<_, _>>().map(Some)
    }

    /// A field that holds an array of ids; none where it is absent.
    pub(super) fn ids(&self, field: &str) -> Result<Vec<Id>, LineError> {
        let Some(raw) = self.raw(field) else { return Ok(Vec::new()) };
        serde_json::from_str(raw)
            .map_err(|_| LineError::new(self.path(field), "not an array of ids"))
    }

    fn nested(raw: &'a str, path: String) -> Result<Self, LineError> {
        match serde_json::from_str(raw) {
            Ok(fields) => Ok(Self { path, fields }),
            Err(_) => Err(LineError::new(path, "not an object")),
        }
    }

    fn raw(&self, field: &str) -> Option<&'a str> {
        let found = self.fields.0.iter().rev().find(|(name, _)| name == field);
        found.map(|(_, raw)| raw.get()).filter(|raw| *raw != "null")
    }
}

/// A text.
pub(super) fn text(raw: &str) -> Result<Cow<'_, str>, String> {
    serde_json::from_str(raw).map_err(|_| "not a text".to_owned())
}

/// A short text of the catalogue; empty means absent.
pub(super) fn label(raw: &str) -> Result<Option<Box<str>>, String> {
    let text = text(raw)?;
    let text = text.trim();
    let end = text.char_indices().nth(255).map_or(text.len(), |(end, _)| end);
    Ok((end > 0).then(|| text[..end].into()))
}

/// An integer or a text of 1 to 64 printable ASCII characters.
pub(super) fn id(raw: &str) -> Result<Id, String> {
    let wanted = |_| "not an integer or 1 to 64 printable ASCII characters".to_owned();
    serde_json::from_str(raw).map_err(wanted)
}

/// RFC 3339 with an offset.
pub(super) fn instant(raw: &str) -> Result<Timestamp, String> {
    Timestamp::parse(&text(raw)?).map_err(|error| error.to_string())
}

/// A currency's code.
pub(super) fn currency(raw: &str) -> Result<Currency, String> {
    Currency::parse(&text(raw)?).map_err(|error| error.to_string())
}

/// A shop's domain.
pub(super) fn shop(raw: &str) -> Result<ShopDomain, String> {
    ShopDomain::parse(&text(raw)?).map_err(|error| error.to_string())
}

/// A decimal as a text or a number.
pub(super) fn decimal(raw: &str) -> Result<Decimal, String> {
    let text = if raw.starts_with('"') { text(raw)? } else { Cow::Borrowed(raw) };
    Decimal::parse(&text).map_err(|error| error.to_string())
}

/// A number of units.
pub(super) fn quantity(raw: &str) -> Result<u32, String> {
    serde_json::from_str(raw).map_err(|_| format!("not an integer from 0 to {}", u32::MAX))
}

/// `true` or `false`.
pub(super) fn flag(raw: &str) -> Result<bool, String> {
    serde_json::from_str(raw).map_err(|_| "not true or false".to_owned())
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            fields.push(entry);
        }
        Ok(Fields(fields))
    }
}
