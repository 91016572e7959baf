//! Exact decimal numbers, read from text or JSON without ever becoming a float.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::currency::Currency;

/// The largest amount, in minor units, that one document may name: sums of billions of them stay exact.
pub const MAX_MINOR: i64 = 1_000_000_000_000_000;

/// The digits after the point of an amount whose currency is not known yet.
pub const UNNAMED_EXPONENT: u8 = 8;

/// An exact decimal: `mantissa / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// Why a text is no amount.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BadAmount {
    /// Not a decimal number.
    #[error("not a decimal number, for example 10.00")]
    Syntax,
    /// Larger than any real order.
    #[error("an amount of more than {MAX_MINOR} minor units")]
    TooLarge,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// Parses `-12.345`, `1e3` and the like; at most 30 digits and an exponent within 30.
    pub fn parse(text: &str) -> Result<Self, BadAmount> {
        let text = text.trim();
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => {
                (number, exponent.parse::<i32>().map_err(|_| BadAmount::Syntax)?)
            }
            None => (text, 0),
        };
        let (negative, digits) = match number.as_bytes().first() {
            Some(b'-') => (true, &number[1..]),
            Some(b'+') => (false, &number[1..]),
            Some(_) => (false, number),
            None => return Err(BadAmount::Syntax),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return Err(BadAmount::Syntax);
        }
        let whole = whole.trim_start_matches('0');
        if whole.len() + fraction.len() > 30 || exponent.abs() > 30 {
            return Err(BadAmount::TooLarge);
        }
        let mut mantissa: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            mantissa = mantissa * 10 + i128::from(digit - b'0');
        }
        Self::with_exponent(if negative { -mantissa } else { mantissa }, fraction.len(), exponent)
    }

    fn with_exponent(mantissa: i128, fraction: usize, exponent: i32) -> Result<Self, BadAmount> {
        let scale = i32::try_from(fraction).map_err(|_| BadAmount::TooLarge)? - exponent;
        if scale >= 0 {
            return Ok(Self { mantissa, scale: scale.unsigned_abs() });
        }
        let factor = 10i128.checked_pow(scale.unsigned_abs()).ok_or(BadAmount::TooLarge)?;
        let mantissa = mantissa.checked_mul(factor).ok_or(BadAmount::TooLarge)?;
        Ok(Self { mantissa, scale: 0 })
    }

    /// In minor units of `currency`; superfluous digits round half to even.
    pub fn minor(self, currency: Currency) -> Result<i64, BadAmount> {
        self.scaled(currency.exponent())
    }

    /// In units of `10^-exponent`; superfluous digits round half to even.
    pub fn scaled(self, exponent: u8) -> Result<i64, BadAmount> {
        let scaled = rescale(self.mantissa, self.scale, u32::from(exponent));
        let limit = if exponent == UNNAMED_EXPONENT { i64::MAX } else { MAX_MINOR };
        match scaled.and_then(|value| i64::try_from(value).ok()) {
            Some(value) if value.unsigned_abs() <= limit.unsigned_abs() => Ok(value),
            _ => Err(BadAmount::TooLarge),
        }
    }

    /// Whether the number is greater than zero.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.mantissa > 0
    }
}

/// Moves an integer from `10^-from` to `10^-to` units, half to even; `None` on overflow.
#[must_use]
pub fn rescale(value: i128, from: u32, to: u32) -> Option<i128> {
    if to >= from {
        return value.checked_mul(10i128.checked_pow(to - from)?);
    }
    match 10i128.checked_pow(from - to) {
        Some(divisor) => Some(div_half_even(value, divisor)),
        None => Some(0),
    }
}

/// `value / divisor` rounded half to even; `divisor` is greater than zero.
#[must_use]
pub fn div_half_even(value: i128, divisor: i128) -> i128 {
    let quotient = value.div_euclid(divisor);
    let twice = value.rem_euclid(divisor).saturating_mul(2);
    match twice.cmp(&divisor) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + (quotient & 1),
    }
}

impl<'de> Deserialize<'de> for Decimal {
    /// Reads a JSON string or a JSON number as it is written.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let text = if raw.starts_with('"') {
            serde_json::from_str::<Cow<'_, str>>(raw).map_err(D::Error::custom)?
        } else {
            Cow::Borrowed(raw)
        };
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, currency: &str, minor: i64) {
        let decimal: Decimal = serde_json::from_str(json).expect(json);
        let currency = Currency::parse(currency).expect("a currency");
        assert_eq!(decimal.minor(currency), Ok(minor), "{json}");
    }

    #[test]
    fn reads_strings_and_numbers_exactly() {
        check("\"10.00\"", "USD", 1000);
        check("9.5", "USD", 950);
        check("89.99", "USD", 8999);
        check("0.1", "USD", 10);
        check("\"23600\"", "JPY", 23_600);
        check("\"0\"", "JPY", 0);
        check("\"1.234\"", "KWD", 1234);
        check("-5", "USD", -500);
        check("1e2", "USD", 10_000);
        check("1.5E-1", "USD", 15);
        check("\".5\"", "USD", 50);
        check("\"10.0\"", "USD", 1000);
        check("900719925474099", "JPY", 900_719_925_474_099);
    }

    #[test]
    fn rounds_half_to_even() {
        check("0.005", "USD", 0);
        check("0.015", "USD", 2);
        check("0.0051", "USD", 1);
        check("-0.005", "USD", 0);
        check("-0.015", "USD", -2);
        check("2.5", "JPY", 2);
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for text in ["", "abc", "1,5", "--1", "1.2.3", "NaN", "1e", "0x10", "."] {
            assert_eq!(Decimal::parse(text), Err(BadAmount::Syntax), "{text}");
        }
        let huge = Decimal::parse("99999999999999999999").expect("a number");
        assert_eq!(huge.minor(Currency::USD), Err(BadAmount::TooLarge));
    }
}
