//! Platform ids: 64-bit numbers, or 1 to 64 printable ASCII characters, the space among them.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The longest textual id.
const MAX_LEN: usize = 64;
/// Bytes of a token of hexadecimal digits.
const TOKEN: usize = 16;

/// An id of an order, line, refund, return or checkout. `1` and `"1"` are the same id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// A canonical decimal number.
    Number(u64),
    /// Anything else.
    Text(Box<str>),
}

/// A text that cannot be an id.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("an id is an integer or 1 to 64 printable ASCII characters")]
pub struct BadId;

impl Id {
    /// Parses an id; a canonical decimal number becomes a number, so that `1` equals `"1"`.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if text.is_empty() || text.len() > MAX_LEN || !printable {
            return Err(BadId);
        }
        let canonical = text == "0" || !text.starts_with('0');
        if canonical
            && text.bytes().all(|b| b.is_ascii_digit())
            && let Ok(number) = text.parse()
        {
            return Ok(Self::Number(number));
        }
        Ok(Self::Text(text.into()))
    }

    /// The number that ends a global id such as `gid://shopify/Order/1001`.
    #[must_use]
    pub fn from_gid(gid: &str) -> Option<Self> {
        let tail = gid.rsplit('/').next()?;
        let tail = tail.split('?').next()?;
        tail.parse().ok().map(Self::Number)
    }

    /// Appends a form to a store key that sorts numbers before texts and keeps the numbers' order.
    pub fn encode_key(&self, key: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                key.push(1);
                key.extend_from_slice(&number.to_be_bytes());
            }
            Self::Text(text) => {
                if let Some(token) = token(text) {
                    key.push(3);
                    key.extend_from_slice(&token);
                } else {
                    key.push(2);
                    key.extend_from_slice(text.as_bytes());
                }
            }
        }
    }

    /// Reads what [`Id::encode_key`] wrote; `None` where the bytes are no such key.
    #[must_use]
    pub fn decode_key(key: &[u8]) -> Option<Self> {
        let (tag, rest) = key.split_first()?;
        match tag {
            1 => Some(Self::Number(u64::from_be_bytes(rest.try_into().ok()?))),
            2 => Some(Self::Text(std::str::from_utf8(rest).ok()?.into())),
            3 => Some(Self::of_token(rest.try_into().ok()?)),
            _ => None,
        }
    }

    fn of_token(token: [u8; TOKEN]) -> Self {
        Self::Text(format!("{:032x}", u128::from_be_bytes(token)).into())
    }
}

/// The bytes of a token of 32 hexadecimal digits in lower case, as platforms name checkouts and carts.
fn token(text: &str) -> Option<[u8; TOKEN]> {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * TOKEN || !text.bytes().all(digit) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            // Binary formats know no types when reading, so the kind goes first.
            return match self {
                Self::Number(number) => (0u8, *number).serialize(serializer),
                Self::Text(text) => match token(text) {
                    Some(token) => (2u8, token).serialize(serializer),
                    None => (1u8, text).serialize(serializer),
                },
            };
        }
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(IdVisitor);
        }
        deserializer.deserialize_tuple(2, BinaryVisitor)
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer or 1 to 64 printable ASCII characters")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
        Ok(Id::Number(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Id, E> {
        Id::parse(&number.to_string()).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
        Id::parse(text).map_err(E::custom)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id's kind and value")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Id, A::Error> {
        let short = || de::Error::custom("an id is cut short");
        match seq.next_element::<u8>()?.ok_or_else(short)? {
            0 => Ok(Id::Number(seq.next_element()?.ok_or_else(short)?)),
            1 => Ok(Id::Text(seq.next_element()?.ok_or_else(short)?)),
            2 => Ok(Id::of_token(seq.next_element()?.ok_or_else(short)?)),
            _ => Err(de::Error::custom("unknown kind of id")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one() {
        let check = |json: &str, id: Id| {
            assert_eq!(serde_json::from_str::<Id>(json).expect(json), id);
            let bytes = postcard::to_stdvec(&id).expect("encodes");
            assert_eq!(postcard::from_bytes::<Id>(&bytes).expect("decodes"), id);
            let mut key = Vec::new();
            id.encode_key(&mut key);
            assert_eq!(Id::decode_key(&key), Some(id));
        };
        check("1", Id::Number(1));
        check("\"1\"", Id::Number(1));
        check("\"01\"", Id::Text("01".into()));
        check("820982911946154508", Id::Number(820_982_911_946_154_508));
        check("\"18446744073709551616\"", Id::Text("18446744073709551616".into()));
        check("-5", Id::Text("-5".into()));
        check("\"o-7#a\"", Id::Text("o-7#a".into()));
        check("\"INV 7 ~\"", Id::Text("INV 7 ~".into()));
        check("\" 1\"", Id::Text(" 1".into()));
        for token in ["68778783ad298f1c80c3bafcddeea02f", "68778783AD298F1C80C3BAFCDDEEA02F"] {
            check(&format!("\"{token}\""), Id::Text(token.into()));
        }
        check(
            "\"00000000000000000000000000000001\"",
            Id::Text("00000000000000000000000000000001".into()),
        );
    }

    #[test]
    fn refuses_bad_ids() {
        for json in ["\"\"", "\"a\\tb\"", "\"a\\u007f\"", "\"é\"", "1.5", "null", "true"] {
            assert!(serde_json::from_str::<Id>(json).is_err(), "{json}");
        }
        assert_eq!(Id::parse(&"x".repeat(65)), Err(BadId));
    }

    #[test]
    fn reads_gids() {
        assert_eq!(Id::from_gid("gid://shopify/Order/42"), Some(Id::Number(42)));
        assert_eq!(Id::from_gid("gid://shopify/Order/42?x=1"), Some(Id::Number(42)));
        assert_eq!(Id::from_gid("nothing"), None);
    }
}
