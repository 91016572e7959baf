//! Field types that take whatever a platform puts into a field and never fail on it: absent, null,
//! "" and a value of another type are all "nothing there". Only broken JSON fails.

mod nested;

use std::borrow::Cow;
use std::fmt;

use common::currency::Currency;
use common::decimal::{BadAmount, Decimal};
use common::id::Id;
use common::time::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub(crate) use nested::{List, Nested, Pairs, Texts};

/// Any JSON value that is not an array or an object.
enum Scalar<'a> {
    Text(Cow<'a, str>),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Nothing,
}

/// A text; numbers count as their text.
#[derive(Debug, Default)]
pub(crate) struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    /// The trimmed text, unless nothing is there.
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }
}

/// An id, as a number or a text.
#[derive(Debug, Default)]
pub(crate) struct IdField(pub(crate) Option<Id>);

impl IdField {
    /// The id, unless the number at the end of `gid` is another one: published bodies hold numbers
    /// that were rounded on their way, the global id is exact.
    pub(crate) fn with_gid(&self, gid: &Text<'_>) -> Option<Id> {
        gid.get().and_then(Id::from_gid).or_else(|| self.0.clone())
    }
}

/// An instant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Instant(pub(crate) Option<Timestamp>);

/// A truth value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flag(Option<bool>);

impl Flag {
    /// Whether it is there and true.
    pub(crate) fn is_set(self) -> bool {
        self.0 == Some(true)
    }
}

/// A number of units.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quantity(pub(crate) Option<u32>);

/// A currency.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CurrencyField(pub(crate) Option<Currency>);

/// An amount of money, written as a text or a number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Amount {
    /// Nothing, or nothing that is a number.
    #[default]
    Absent,
    /// An amount.
    Value(Decimal),
    /// A number beyond all reason.
    TooLarge,
}

impl<'a> Scalar<'a> {
    fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Unsigned(number) => Some(number.to_string().into()),
            Self::Signed(number) => Some(number.to_string().into()),
            Self::Float(number) => Some(number.to_string().into()),
            Self::Bool(value) => Some(if value { "true" } else { "false" }.into()),
            Self::Nothing => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Unsigned(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Signed(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(number))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        skip_seq(seq).map(|()| Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        skip_map(map).map(|()| Scalar::Nothing)
    }
}

fn skip_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer).map(|scalar| Self(scalar.into_text()))
    }
}

impl<'de> Deserialize<'de> for IdField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Scalar::deserialize(deserializer)? {
            Scalar::Unsigned(number) => Some(Id::Number(number)),
            Scalar::Text(text) => Id::parse(text.trim()).ok(),
            Scalar::Signed(_) | Scalar::Float(_) | Scalar::Bool(_) | Scalar::Nothing => None,
        }))
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        Ok(Self(text.get().and_then(|text| Timestamp::parse(text).ok())))
    }
}

impl<'de> Deserialize<'de> for CurrencyField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        Ok(Self(text.get().and_then(|text| Currency::parse(text).ok())))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Scalar::deserialize(deserializer)? {
            Scalar::Bool(value) => Some(value),
            Scalar::Text(text) => text.trim().parse().ok(),
            Scalar::Unsigned(_) | Scalar::Signed(_) | Scalar::Float(_) | Scalar::Nothing => None,
        }))
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Scalar::deserialize(deserializer)? {
            Scalar::Unsigned(number) => u32::try_from(number).ok(),
            // Whole floats print as integers, so `2.0` is 2.
            Scalar::Float(number) => number.to_string().parse().ok(),
            Scalar::Text(text) => text.trim().parse().ok(),
            Scalar::Signed(_) | Scalar::Bool(_) | Scalar::Nothing => None,
        }))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Raw, because a number must not become a float on its way.
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let text = match raw.as_bytes() {
            [b'"', text @ .., b'"'] if !text.contains(&b'\\') => {
                Some(Cow::Borrowed(&raw[1..raw.len() - 1]))
            }
            [b'"', ..] => serde_json::from_str::<Cow<'_, str>>(raw).ok(),
            [b'-' | b'0'..=b'9', ..] => Some(Cow::Borrowed(raw)),
            _ => None,
        };
        Ok(match text.map(|text| Decimal::parse(&text)) {
            Some(Ok(decimal)) => Self::Value(decimal),
            Some(Err(BadAmount::TooLarge)) => Self::TooLarge,
            Some(Err(BadAmount::Syntax)) | None => Self::Absent,
        })
    }
}
