//! Exact numbers as the API writes them: integers, sums with a currency's digits, quotients.

use common::currency::Currency;
use common::decimal::{div_half_even, rescale};

/// The digits that a quotient has at most.
const QUOTIENT_DIGITS: u32 = 8;

/// A sum of money, in major units with the currency's digits.
#[must_use]
pub fn money(minor: i128, currency: Currency) -> String {
    fixed(minor, u32::from(currency.exponent()), u32::from(currency.exponent()))
}

/// `numerator / denominator` with at most 8 decimals, half to even; `None` by nothing.
#[must_use]
pub fn quotient(numerator: i128, denominator: i128) -> Option<String> {
    let scaled = scaled_quotient(numerator, denominator)?;
    Some(fixed(scaled, QUOTIENT_DIGITS, 0))
}

/// A quotient of money, never below the currency's digits; `numerator` in minor units.
#[must_use]
pub fn money_quotient(numerator: i128, denominator: i128, currency: Currency) -> Option<String> {
    let exponent = u32::from(currency.exponent());
    let minor = 10i128.checked_pow(exponent)?;
    let scaled = scaled_quotient(numerator, denominator.checked_mul(minor)?)?;
    Some(fixed(scaled, QUOTIENT_DIGITS, exponent))
}

/// A figure in steps of 10^-8, from its text.
#[must_use]
pub fn scaled(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len();
    let number: i128 = [whole, fraction].concat().parse().ok()?;
    rescale(number, u32::try_from(digits).ok()?, QUOTIENT_DIGITS)
}

/// The text of a figure in steps of 10^-8, with at least `digits` decimals.
#[must_use]
pub fn unscaled(value: i128, digits: u32) -> String {
    fixed(value, QUOTIENT_DIGITS, digits)
}

/// An estimate with at most 8 decimals and at least `digits`.
#[must_use]
pub fn estimate(value: f64, digits: u32) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let text = format!("{value:.8}");
    Some(cut(&text, digits))
}

fn scaled_quotient(numerator: i128, denominator: i128) -> Option<i128> {
    if denominator == 0 {
        return None;
    }
    let (numerator, denominator) =
        if denominator < 0 { (-numerator, -denominator) } else { (numerator, denominator) };
    Some(div_half_even(rescale(numerator, 0, QUOTIENT_DIGITS)?, denominator))
}

/// `value / 10^scale`, without trailing zeros beyond `digits` decimals.
fn fixed(value: i128, scale: u32, digits: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let width = scale as usize + 1;
    let text = format!("{:0>width$}", value.unsigned_abs());
    let (whole, fraction) = text.split_at(text.len() - scale as usize);
    if fraction.is_empty() {
        return format!("{sign}{whole}");
    }
    cut(&format!("{sign}{whole}.{fraction}"), digits)
}

/// Cuts trailing zeros down to `digits` decimals.
fn cut(text: &str, digits: u32) -> String {
    let Some((whole, fraction)) = text.split_once('.') else { return text.to_owned() };
    let kept = fraction.trim_end_matches('0').len().max(digits as usize).min(fraction.len());
    let fraction = &fraction[..kept];
    let zero = whole.bytes().chain(fraction.bytes()).all(|byte| matches!(byte, b'0' | b'-'));
    let whole = if zero { whole.trim_start_matches('-') } else { whole };
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).expect(code)
    }

    #[test]
    fn writes_sums() {
        assert_eq!(money(1_000_000, currency("USD")), "10000.00");
        assert_eq!(money(-5, currency("USD")), "-0.05");
        assert_eq!(money(23_600, currency("JPY")), "23600");
        assert_eq!(money(1_234, currency("KWD")), "1.234");
        assert_eq!(money(0, currency("USD")), "0.00");
    }

    #[test]
    fn reads_what_it_writes() {
        for text in ["0", "-0.05", "10000.00", "33.33333333", "-23600", "1.234"] {
            let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let value = scaled(text).expect(text);
            assert_eq!(unscaled(value, u32::try_from(digits).expect("few")), text);
        }
        assert_eq!(scaled("many"), None);
    }

    #[test]
    fn writes_quotients() {
        let usd = currency("USD");
        assert_eq!(money_quotient(1_000_000, 200, usd).as_deref(), Some("50.00"));
        assert_eq!(money_quotient(10_000, 3, usd).as_deref(), Some("33.33333333"));
        assert_eq!(money_quotient(1, 0, usd), None);
        assert_eq!(money_quotient(-10_000, 3, usd).as_deref(), Some("-33.33333333"));
        assert_eq!(money_quotient(100, 3, currency("JPY")).as_deref(), Some("33.33333333"));
        assert_eq!(money_quotient(0, 3, usd).as_deref(), Some("0.00"));
        assert_eq!(quotient(300, 500).as_deref(), Some("0.6"));
        assert_eq!(quotient(1, 3).as_deref(), Some("0.33333333"));
        assert_eq!(quotient(2, 3).as_deref(), Some("0.66666667"));
        assert_eq!(quotient(0, 3).as_deref(), Some("0"));
        assert_eq!(quotient(6, 3).as_deref(), Some("2"));
        assert_eq!(quotient(1, 200_000_000).as_deref(), Some("0"));
        assert_eq!(quotient(3, 200_000_000).as_deref(), Some("0.00000002"));
        assert_eq!(estimate(3.0, 0).as_deref(), Some("3"));
        assert_eq!(estimate(2100.0, 2).as_deref(), Some("2100.00"));
    }
}
