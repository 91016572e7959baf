//! The greatest instant in a body: the version of a document that has no `updated_at`.

use std::borrow::Cow;
use std::fmt;

use common::time::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The greatest instant under any key that ends in `_at`; `None` without one.
pub(super) fn greatest(body: &str) -> Option<Timestamp> {
    let mut deserializer = serde_json::Deserializer::from_str(body);
    Walk { instant: false }.deserialize(&mut deserializer).ok().flatten()
}

/// Walks any value. `instant` tells that its key means an instant.
#[derive(Clone, Copy)]
struct Walk {
    instant: bool,
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = Option<Timestamp>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = Option<Timestamp>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(if self.instant { Timestamp::parse(text).ok() } else { None })
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut greatest = None;
        while let Some(found) = seq.next_element_seed(Self { instant: false })? {
            greatest = greatest.max(found);
        }
        Ok(greatest)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut greatest = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let found = map.next_value_seed(Self { instant: key.ends_with("_at") })?;
            greatest = greatest.max(found);
        }
        Ok(greatest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_greatest() {
        let check = |body: &str, expected: Option<&str>| {
            let expected = expected.map(|text| Timestamp::parse(text).expect(text));
            assert_eq!(greatest(body), expected, "{body}");
        };
        check("{}", None);
        check(
            r#"{"created_at":"2026-01-01T00:00:00Z","refunds":[{"processed_at":"2026-02-01T00:00:00+01:00"}]}"#,
            Some("2026-01-31T23:00:00Z"),
        );
        check(r#"{"note":"2030-01-01T00:00:00Z","closed_at":null,"updated_at":"soon"}"#, None);
    }
}
