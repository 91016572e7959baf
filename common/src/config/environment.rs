//! From environment variables to keys: `TALLYHOOK_PUBLIC__LISTEN` is `public.listen`.
//!
//! Two underscores part section and key, names are lower-cased, lists are separated by commas. A
//! shop's own settings cannot be set here, since a variable's name cannot hold a domain;
//! `TALLYHOOK_SHOPS__DEFAULT__CURRENCY` can.
//!
//! A variable with the prefix that names no key is an error, so that a misspelling is seen. Not
//! looked at are: `TALLYHOOK_CONFIG` (the file), `TALLYHOOK_TOKEN` (the usual name for the
//! admin token's reference), any that a secret names by `env:NAME`, `TALLYHOOK_TEST_*`, and
//! what Kubernetes sets for services whose names begin with `tallyhook`.

use std::collections::BTreeMap;

use super::error::Place;
use super::key::{KEYS, Key, Known};
use super::layers::{Raw, Setting};

const PREFIX: &str = "TALLYHOOK_";

/// What the environment says.
pub(super) struct Found {
    /// Values by key; the keys need not exist.
    pub(super) settings: BTreeMap<Key, Setting>,
    /// Variables with the prefix that cannot name a key.
    pub(super) strangers: Vec<String>,
}

/// Sorts the variables that begin with the prefix.
pub(super) fn settings(environment: &BTreeMap<String, String>) -> Found {
    let mut found = Found { settings: BTreeMap::new(), strangers: Vec::new() };
    for (variable, value) in environment {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        if !name.contains("__") {
            if !is_ignored(name) {
                found.strangers.push(variable.clone());
            }
            continue;
        }
        let place = Place::Environment(variable.clone());
        let setting = Setting { raw: Raw::Untyped(value.clone()), place };
        found.settings.insert(key_of(&name.to_ascii_lowercase()), setting);
    }
    found
}

fn is_ignored(name: &str) -> bool {
    matches!(name, "CONFIG" | "TOKEN") || name.starts_with("TEST_") || is_service_link(name)
}

/// Kubernetes describes every service of a namespace in variables like `TALLYHOOK_SERVICE_HOST`,
/// `TALLYHOOK_PORT` or `TALLYHOOK_INGEST_PORT_8080_TCP_ADDR`; a chart's own service must not keep
/// its pods from starting.
fn is_service_link(name: &str) -> bool {
    let parts: Vec<&str> = name.split('_').collect();
    let service = parts.windows(2).any(|pair| matches!(pair, ["SERVICE", "HOST" | "PORT"]));
    let number = |text: &str| text.parse::<u16>().is_ok();
    let address = parts.windows(3).any(|part| {
        part[0] == "PORT" && number(part[1]) && matches!(part[2], "TCP" | "UDP" | "SCTP")
    });
    service || address || parts.last() == Some(&"PORT")
}

/// The key of a lower-cased name. A source's name may itself hold two underscores, so what an
/// existing key leaves over in the middle is taken as one name.
fn key_of(name: &str) -> Key {
    let segments: Vec<&str> = name.split("__").collect();
    let fitting = KEYS.iter().find_map(|known| fit(known, &segments));
    Key::of(fitting.unwrap_or_else(|| segments.iter().map(|part| (*part).to_owned()).collect()))
}

fn fit(known: &Known, segments: &[&str]) -> Option<Vec<String>> {
    let head = known.parts().take_while(|part| *part != "*").count();
    let tail = known.parts().count().checked_sub(head + 1)?;
    let end = segments.len().checked_sub(tail)?;
    if end <= head || !known.parts().take(head).eq(segments[..head].iter().copied()) {
        return None;
    }
    if !known.parts().skip(head + 1).eq(segments[end..].iter().copied()) {
        return None;
    }
    let mut parts: Vec<String> = segments[..head].iter().map(|part| (*part).to_owned()).collect();
    parts.push(segments[head..end].join("__"));
    parts.extend(segments[end..].iter().map(|part| (*part).to_owned()));
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variable: &str, expected: &str) {
        let environment = BTreeMap::from([(variable.to_owned(), "1".to_owned())]);
        let found = settings(&environment);
        let keys: Vec<String> = found.settings.keys().map(ToString::to_string).collect();
        let actual = if found.strangers.is_empty() { keys.join(" ") } else { "?".to_owned() };
        assert_eq!(actual, expected, "{variable}");
    }

    #[test]
    fn variables_name_keys() {
        check("TALLYHOOK_PUBLIC__LISTEN", "public.listen");
        check("TALLYHOOK_SOURCES__SHOPIFY__SECRETS", "sources.shopify.secrets");
        check("TALLYHOOK_SOURCES__MY__SHOP__SECRETS", "sources.my__shop.secrets");
        check("TALLYHOOK_SOURCES__A__ATTRIBUTES__TAGS", "sources.a.attributes.tags");
        check("TALLYHOOK_REASONS__SIZE_TOO_SMALL", "reasons.size_too_small");
        check("TALLYHOOK_NO__SUCH", "no.such");
        check("TALLYHOOK_LISTEN", "?");
        check("PATH", "");
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        for variable in [
            "TALLYHOOK_CONFIG",
            "TALLYHOOK_TOKEN",
            "TALLYHOOK_TEST_KAFKA",
            "TALLYHOOK_PORT",
            "TALLYHOOK_SERVICE_HOST",
            "TALLYHOOK_SERVICE_PORT_ADMIN",
            "TALLYHOOK_INGEST_PORT_8080_TCP_ADDR",
        ] {
            check(variable, "");
        }
    }
}
