//! Exact arithmetic of the books: shares, roundings, and numbers as the API writes them.

/// Decimals of a quotient.
const DECIMALS: u32 = 8;
/// A quotient's unit in its last decimal.
const UNIT: i128 = 10_i128.pow(DECIMALS);

/// What unit `k` of `n` (counted from 1) carries of `total`: parts differ by at most one and add up.
pub(super) fn share(total: i128, n: u32, k: u32) -> i128 {
    if n == 0 {
        return 0;
    }
    let up_to = |k: i128| (total * k).div_euclid(i128::from(n));
    up_to(i128::from(k)) - up_to(i128::from(k) - 1)
}

/// `numerator / denominator` to the nearest integer, half to even; `None` if not defined.
pub(super) fn divide(numerator: i128, denominator: i128) -> Option<i128> {
    if denominator == 0 {
        return None;
    }
    let sign = denominator.signum();
    let (numerator, denominator) = (numerator * sign, denominator * sign);
    let below = numerator.div_euclid(denominator);
    let twice = 2 * numerator.rem_euclid(denominator);
    let up = twice > denominator || (twice == denominator && below % 2 != 0);
    Some(below + i128::from(up))
}

/// 10^`exponent`.
pub(super) fn power_of_ten(exponent: u8) -> i128 {
    10_i128.pow(u32::from(exponent))
}

/// Minor units as a decimal with exactly `digits` digits: (1050, 2) is `10.50`.
pub(super) fn money(minor: i128, digits: u8) -> String {
    fixed(minor, usize::from(digits))
}

/// A quotient with at most 8 decimals, half to even, trailing zeros cut down to `least_digits`.
pub(super) fn quotient(numerator: i128, denominator: i128, least_digits: u8) -> Option<String> {
    let scaled = divide(numerator * UNIT, denominator)?;
    Some(cut(&fixed(scaled, DECIMALS as usize), least_digits))
}

/// The same for a number that is an estimate anyway.
pub(super) fn estimate(value: f64, least_digits: u8) -> String {
    cut(&format!("{value:.8}"), least_digits)
}

/// An integer as a float, for estimates only.
#[expect(clippy::cast_precision_loss, reason = "an estimate need not tell such numbers apart")]
pub(super) const fn real(value: i128) -> f64 {
    value as f64
}

/// An integer number of 10^-`digits` as a decimal.
fn fixed(value: i128, digits: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", value.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = text.split_at(text.len() - digits);
    if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn cut(text: &str, least_digits: u8) -> String {
    let Some((whole, fraction)) = text.split_once('.') else { return text.to_owned() };
    let kept = fraction.trim_end_matches('0').len().max(usize::from(least_digits));
    let fraction = &fraction[..kept];
    let whole =
        if whole == "-0" && fraction.bytes().all(|digit| digit == b'0') { "0" } else { whole };
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        let shares = |total, n| (1..=n).map(|k| share(total, n, k)).collect::<Vec<_>>();
        assert_eq!(shares(100, 3), [33, 33, 34]);
        assert_eq!(shares(-100, 3), [-34, -33, -33]);
        assert_eq!(share(100, 0, 1), 0);
    }

    #[test]
    fn writes_quotients() {
        let check = |numerator, denominator, digits, expected: Option<&str>| {
            assert_eq!(quotient(numerator, denominator, digits).as_deref(), expected);
        };
        check(10_000, 200, 2, Some("50.00"));
        check(100, 3, 2, Some("33.33333333"));
        check(300, 500, 0, Some("0.6"));
        check(2, 3, 0, Some("0.66666667"));
        check(-1, 3, 0, Some("-0.33333333"));
        check(1, -3, 0, Some("-0.33333333"));
        check(1, 200_000_000, 0, Some("0"));
        check(3, 200_000_000, 0, Some("0.00000002"));
        check(-1, 200_000_000, 2, Some("0.00"));
        check(7, 1, 0, Some("7"));
        check(7, 0, 0, None);
    }

    #[test]
    fn writes_money() {
        assert_eq!(money(1050, 2), "10.50");
        assert_eq!(money(-5, 2), "-0.05");
        assert_eq!(money(0, 2), "0.00");
        assert_eq!(money(1234, 0), "1234");
        assert_eq!(money(1, 3), "0.001");
    }

    #[test]
    fn writes_estimates() {
        assert_eq!(estimate(3.0, 0), "3");
        assert_eq!(estimate(2100.0, 2), "2100.00");
        assert_eq!(estimate(-1e-12, 2), "0.00");
        assert_eq!(estimate(1.0 / 3.0, 2), "0.33333333");
    }
}
