//! Instants in milliseconds since the Unix epoch, the one unit of time in events and state.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Milliseconds in a day of 24 hours.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// An instant: milliseconds since 1970-01-01T00:00:00Z, further digits cut (KPI definitions, section 1).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A text that is no instant with an offset.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("not an RFC 3339 instant with an offset, for example 2026-01-05T10:00:00Z")]
pub struct BadTimestamp;

impl Timestamp {
    /// The latest instant that can be held; as a bound it means "everything known".
    pub const MAX: Self = Self(i64::MAX);
    /// The earliest instant that can be held.
    pub const MIN: Self = Self(i64::MIN);

    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1000)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// The UTC hour that contains this instant, counted from the epoch.
    #[must_use]
    pub const fn hour(self) -> i64 {
        self.0.div_euclid(HOUR_MS)
    }

    /// This instant moved by `ms`, held at the ends of the range.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Parses RFC 3339 with an offset; digits beyond milliseconds are cut.
    pub fn parse(text: &str) -> Result<Self, BadTimestamp> {
        let text = text.trim();
        if !is_rfc3339(text.as_bytes()) {
            return Err(BadTimestamp);
        }
        let parsed: jiff::Timestamp = text.parse().map_err(|_| BadTimestamp)?;
        let ms = parsed.as_nanosecond().div_euclid(1_000_000);
        i64::try_from(ms).map(Self).map_err(|_| BadTimestamp)
    }
}

/// Whether a text has the form of RFC 3339; jiff also reads other forms of ISO 8601, which another
/// implementation of the same documents would refuse. What the digits say is left to jiff.
fn is_rfc3339(text: &[u8]) -> bool {
    const SECONDS: &[u8] = b"0000-00-00T00:00:00";
    let Some((seconds, rest)) = text.split_at_checked(SECONDS.len()) else { return false };
    let offset = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &fraction[digits..]
        }
        None => rest,
    };
    let zones: [&[u8]; 3] = [b"Z", b"+00:00", b"-00:00"];
    has_form(seconds, SECONDS) && zones.into_iter().any(|zone| has_form(offset, zone))
}

/// Whether a text is `form` with any digit for its zeros, letters of either case, and perhaps a
/// space for its `T`.
fn has_form(text: &[u8], form: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        form => byte.eq_ignore_ascii_case(form),
    };
    text.len() == form.len() && text.iter().zip(form).all(fits)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_offsets_and_cuts_digits() {
        let check = |text: &str, ms: i64| assert_eq!(Timestamp::parse(text), Ok(Timestamp(ms)));
        check("1970-01-01T00:00:01Z", 1000);
        check("1970-01-01T01:00:00+01:00", 0);
        check("1970-01-01T00:00:00.0019999Z", 1);
        check("1969-12-31T23:59:59.9999Z", -1);
        check("2020-12-27T08:18:47+11:00", 1_609_017_527_000);
        check(" 1970-01-01t00:00:01z ", 1000);
        check("1970-01-01 00:00:01-00:00", 1000);
        // A leap second is the second before it.
        check("2016-12-31T23:59:60Z", 1_483_228_799_000);
    }

    #[test]
    fn refuses_other_forms_of_iso_8601() {
        let forms = [
            "2026-01-01T00Z",
            "2026-01-01T00:00Z",
            "20260101T000000Z",
            "2026-01-01T000000Z",
            "2026-01-01T00:00:00+00:00[UTC]",
            "2026-01-01T00:00:00Z[UTC]",
            "2026-01-01T00:00:00+00",
            "2026-01-01T00:00:00+0000",
            "2026-01-01T00:00:00+00:00:00",
            "2026-01-01T00:00:00,5Z",
            "2026-01-01T00:00:00.Z",
            "+002026-01-01T00:00:00Z",
            "2026-W01-4T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00é",
        ];
        for text in forms {
            assert_eq!(Timestamp::parse(text), Err(BadTimestamp), "{text}");
        }
    }

    #[test]
    fn refuses_what_has_no_offset() {
        for text in ["", "2026-01-05", "2026-01-05T10:00:00", "yesterday", "1767607200"] {
            assert_eq!(Timestamp::parse(text), Err(BadTimestamp), "{text}");
        }
    }

    #[test]
    fn shows_as_rfc3339() {
        assert_eq!(Timestamp::from_ms(1_500).to_string(), "1970-01-01T00:00:01.5Z");
    }

    #[test]
    fn hours_are_floored() {
        assert_eq!(Timestamp(-1).hour(), -1);
        assert_eq!(Timestamp(HOUR_MS).hour(), 1);
    }
}
