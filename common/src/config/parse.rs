//! Parsers of single values. Each says what is wrong and what is allowed.

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::error::Problem;
use crate::currency::Currency;

/// An address to listen on. `localhost` stands for 127.0.0.1; other names are not looked up, so
/// that a start does not depend on a resolver.
pub(super) fn address(text: &str) -> Result<SocketAddr, Problem> {
    let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    named
        .as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|_| Problem::new("not an address", "use HOST:PORT, for example 127.0.0.1:8080"))
}

/// A directory.
pub(super) fn path(text: &str) -> Result<PathBuf, Problem> {
    if text.is_empty() {
        return Err(Problem::new("empty", "name a directory, for example ./tallyhook-data"));
    }
    Ok(PathBuf::from(text))
}

/// `true` or `false`; the reader has checked the type.
#[expect(clippy::unnecessary_wraps, reason = "the reader takes parsers of this shape")]
pub(super) fn boolean(text: &str) -> Result<bool, Problem> {
    Ok(text == "true")
}

/// An ISO 4217 code.
pub(super) fn currency(text: &str) -> Result<Currency, Problem> {
    Currency::parse(text)
        .map_err(|_| Problem::new("not a currency", "use an ISO 4217 code, for example USD"))
}

/// A zone of the IANA database that is inside the program.
pub(super) fn time_zone(text: &str) -> Result<TimeZone, Problem> {
    TimeZone::get(text).ok().filter(|zone| !zone.is_unknown()).ok_or_else(|| {
        Problem::new("not a time zone", "use an IANA name, for example UTC or Europe/Paris")
    })
}

/// A positive number of years, at most 100, kept as it was written: `2.5`.
pub(super) fn years(text: &str) -> Result<String, Problem> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let decimal = digits(whole) && digits(fraction) && fraction.len() <= 6;
    let value = text.parse::<f64>().ok().filter(|years| decimal && *years > 0.0 && *years <= 100.0);
    value.map(|_| text.to_owned()).ok_or_else(|| {
        Problem::new(
            "not a number of years",
            "use a decimal above 0 and at most 100, for example 3 or 2.5",
        )
    })
}

/// Names that shops choose, for example of tags; at most 100 of at most 255 bytes.
pub(super) fn names(texts: &[String]) -> Result<Vec<String>, Problem> {
    let allowed = "list at most 100 names of 1 to 255 bytes";
    if texts.len() > 100 {
        return Err(Problem::new("too many names", allowed));
    }
    if texts.iter().any(|text| !(1..=255).contains(&text.len())) {
        return Err(Problem::new("a name is empty or too long", allowed));
    }
    Ok(texts.to_vec())
}

/// Addresses of brokers.
pub(super) fn brokers(texts: &[String]) -> Result<Vec<String>, Problem> {
    let allowed = "list at least one HOST:PORT, for example [\"127.0.0.1:9092\"]";
    let broker = |text: &String| {
        let (host, port) = text.rsplit_once(':')?;
        let fits = !host.is_empty() && !host.contains(char::is_whitespace) && !host.contains('/');
        (fits && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(())
    };
    if texts.is_empty() {
        return Err(Problem::new("no broker", allowed));
    }
    if texts.iter().any(|text| broker(text).is_none()) {
        return Err(Problem::new("not an address", allowed));
    }
    Ok(texts.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_plain_decimals() {
        let check = |text: &str, fits: bool| assert_eq!(years(text).is_ok(), fits, "{text}");
        check("3", true);
        check("2.5", true);
        check("100", true);
        check("0", false);
        check("0.0", false);
        check("-1", false);
        check("1e1", false);
        check("100.1", false);
        check("inf", false);
        check("3.", false);
    }
}
