//! The short texts that later KPIs need, held to a length and kept free of addresses.

use common::event::NameValue;

use super::fields::{Pairs, Texts};

/// The longest value that comes from outside the shop.
const MAX_LABEL: usize = 100;

/// The longest text of the catalogue or a token.
const MAX_TITLE: usize = 255;

/// The most entries of a list.
const MAX_ENTRIES: usize = 50;

/// Parameters of a landing page that tell where a customer came from.
const LANDING: [&str; 9] = [
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "ref",
    "referral",
    "referral_code",
    "rc",
];

/// A lower-case word such as a status.
pub(super) fn word(text: &str) -> Option<Box<str>> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (text.len() <= 40 && text.bytes().all(fits)).then(|| text.to_ascii_lowercase().into())
}

/// A token of the platform's own making.
pub(super) fn token(text: &str) -> Option<Box<str>> {
    (text.len() <= MAX_TITLE && text.bytes().all(|b| b.is_ascii_graphic()) && !is_address(text))
        .then(|| text.into())
}

/// A text of the catalogue, for example an article number.
pub(super) fn title(text: &str) -> Option<Box<str>> {
    (!is_address(text)).then(|| cut(text, MAX_TITLE))
}

/// A code or a name of a channel.
pub(super) fn label(text: &str) -> Option<Box<str>> {
    (!is_address(text)).then(|| cut(text, MAX_LABEL))
}

/// The UTM and referral parameters of a landing page's address.
pub(super) fn landing(address: &str) -> Vec<NameValue> {
    let Some((_, query)) = address.split_once('?') else { return Vec::new() };
    let query = query.split('#').next().unwrap_or_default();
    let mut found: Vec<NameValue> = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.to_ascii_lowercase();
        let known = LANDING.contains(&name.as_str());
        if !known || found.iter().any(|entry| *entry.name == *name) {
            continue;
        }
        let value = decode(value);
        let value = value.trim();
        if !value.is_empty() && !is_address(value) {
            found.push(NameValue { name: name.into(), value: cut(value, MAX_LABEL) });
        }
    }
    found
}

/// The pairs whose names the configuration lists.
pub(super) fn allowed(pairs: &Pairs<'_>, names: &[String]) -> Vec<NameValue> {
    if names.is_empty() {
        return Vec::new();
    }
    let listed = pairs.iter().filter(|(name, _)| names.iter().any(|listed| listed == name));
    listed
        .take(MAX_ENTRIES)
        .map(|(name, value)| NameValue { name: name.into(), value: cut(value, MAX_LABEL) })
        .collect()
}

/// The tags that the configuration lists.
pub(super) fn allowed_tags(tags: &Texts<'_>, names: &[String]) -> Vec<Box<str>> {
    let listed = tags.iter().filter(|tag| names.iter().any(|listed| listed == tag));
    listed.take(MAX_ENTRIES).map(Into::into).collect()
}

/// Whether a text looks like an e-mail address, also where it is still percent-encoded.
fn is_address(text: &str) -> bool {
    text.contains('@') || text.to_ascii_lowercase().contains("%40")
}

fn cut(text: &str, max_chars: usize) -> Box<str> {
    let end = text.char_indices().nth(max_chars).map_or(text.len(), |(end, _)| end);
    text[..end].into()
}

/// Decodes `%41` and `+`; what is not UTF-8 afterwards becomes U+FFFD.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match (first, code.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(first),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_landing_page() {
        let check = |address: &str, expected: &[(&str, &str)]| {
            let found = landing(address);
            let found: Vec<_> = found.iter().map(|e| (e.name.as_ref(), e.value.as_ref())).collect();
            assert_eq!(found, expected, "{address}");
        };
        check("/", &[]);
        check(
            "/p?utm_source=news%20letter&x=1&UTM_Medium=e+mail&ref=a%zz#utm_term=no",
            &[("utm_source", "news letter"), ("utm_medium", "e mail"), ("ref", "a%zz")],
        );
        check("/?ref=ann%40x.example&rc=ann@x.example&utm_term=a%2540b&referral=", &[]);
        check("/?ref=%C3%A9%FF&ref=second", &[("ref", "\u{e9}\u{fffd}")]);
        let long = landing(&format!("/?ref={}", "é".repeat(300)));
        assert_eq!(long[0].value.chars().count(), 100);
    }
}
