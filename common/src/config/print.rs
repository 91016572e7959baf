//! The effective configuration as TOML, for `config print`: every value with its origin, secrets
//! redacted.

use std::fmt::Write as _;

use toml::Value;

use super::error::Place;
use super::key::{Key, Kind};
use super::secret::{REDACTED, masked, reference_of};

/// A value that is in force, ready to be shown.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Its key.
    pub key: Key,
    /// The value in TOML; `"<redacted>"` for secrets.
    pub value: String,
    /// Where it comes from; for secrets also the references that it names.
    pub origin: String,
}

impl Effective {
    pub(super) fn new(key: &Key, kind: Kind, texts: &[String], place: &Place) -> Self {
        let mut origin = place.to_string();
        if matches!(kind, Kind::Secret | Kind::Secrets) {
            let references: Vec<String> = texts.iter().map(|t| reference_of(t)).collect();
            if references.iter().any(|name| name != REDACTED) {
                origin = format!("{origin}: {}", references.join(", "));
            }
        }
        // A comment ends with its line, and a path or name may hold a line break.
        let origin = origin.replace(char::is_control, " ");
        Self { key: key.clone(), value: shown(kind, texts), origin }
    }
}

/// All values as one TOML document, in the order in which they were read.
pub(super) fn document(effective: &[Effective]) -> String {
    let mut text = String::new();
    let mut section = None;
    for Effective { key, value, origin } in effective {
        if section.as_ref() != Some(&key.section()) {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{}]", key.section());
            section = Some(key.section());
        }
        let _ = writeln!(text, "{} = {value}  # {origin}", Key::of(vec![key.name().to_owned()]));
    }
    text
}

/// A value in TOML, without what is secret in it.
pub(super) fn shown(kind: Kind, texts: &[String]) -> String {
    let first = texts.first().map_or("", String::as_str);
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    let list = |texts: Vec<String>| format!("[{}]", texts.join(", "));
    match kind {
        Kind::Text => quoted(first),
        Kind::Number | Kind::Boolean => first.to_owned(),
        Kind::Texts => list(texts.iter().map(|text| quoted(text)).collect()),
        Kind::Secret => quoted(REDACTED),
        Kind::Secrets => list(texts.iter().map(|_| quoted(REDACTED)).collect()),
        Kind::Address => quoted(&masked(first)),
    }
}
