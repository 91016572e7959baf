//! Reads typed values out of the layers, and notes what was read for `config print`.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::error::{ConfigError, Place, Problem};
use super::key::{self, Key, Kind};
use super::layers::{Layers, Raw, Setting};
use super::print::{Effective, shown};
use super::secret::{self, Secret};

/// Reads a configuration key by key.
pub(super) struct Reader<'a> {
    layers: Layers,
    environment: &'a BTreeMap<String, String>,
    effective: Vec<Effective>,
}

/// A value whose type fits its key, as text; a scalar is a list of one.
struct Found {
    key: Key,
    kind: Kind,
    texts: Vec<String>,
    place: Place,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: Layers, environment: &'a BTreeMap<String, String>) -> Self {
        Self { layers, environment, effective: Vec::new() }
    }

    /// What has been read, in the order of reading.
    pub(super) fn finish(&mut self) -> Vec<Effective> {
        std::mem::take(&mut self.effective)
    }

    /// A value that a layer or the default names.
    pub(super) fn optional<T>(
        &mut self,
        key: &Key,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(found) = self.take(key)? else { return Ok(None) };
        let text = found.texts.first().map_or("", String::as_str);
        parse(text).map(Some).map_err(|problem| found.refuse(problem))
    }

    /// The same, and an error if there is none.
    pub(super) fn required<T>(
        &mut self,
        key: &Key,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<T, ConfigError> {
        let kind = key::find(key).map_or(Kind::Text, |known| known.kind);
        match self.optional(key, parse)? {
            Some(value) => Ok(value),
            None => Err(self.missing(key, kind.allowed())),
        }
    }

    /// A whole number within bounds, in the type of the bounds.
    pub(super) fn number<T>(&mut self, key: &Key, least: u64, most: u64) -> Result<T, ConfigError>
    where
        T: TryFrom<u64>,
    {
        self.required(key, |text| number(text, least, most))
    }

    /// A list; empty if no layer names it.
    pub(super) fn list<T>(
        &mut self,
        key: &Key,
        parse: impl Fn(&[String]) -> Result<T, Problem>,
    ) -> Result<T, ConfigError> {
        let Some(found) = self.take(key)? else {
            return parse(&[]).map_err(|problem| self.missing(key, problem.allowed));
        };
        parse(&found.texts).map_err(|problem| found.refuse(problem))
    }

    /// All secrets of a key, resolved. At most one for a key that is no list.
    pub(super) fn secrets(&mut self, key: &Key) -> Result<Vec<Secret>, ConfigError> {
        let Some(found) = self.take(key)? else { return Ok(Vec::new()) };
        let resolve = |text: &String| {
            secret::resolve(text, self.environment).map_err(|problem| ConfigError::Secret {
                key: key.to_string(),
                place: found.place.to_string(),
                reference: secret::reference_of(text),
                problem,
                allowed: "name an existing one, not empty, as env:NAME or file:PATH".into(),
            })
        };
        found.texts.iter().map(resolve).collect()
    }

    /// Notes a key for `config print` without looking at its value.
    pub(super) fn skip(&mut self, key: &Key) -> Result<(), ConfigError> {
        self.take(key).map(|_| ())
    }

    /// The names below a section that the user chooses, for example the sources'.
    pub(super) fn names_below(&self, section: &str) -> BTreeSet<String> {
        self.layers.names_below(&Key::dotted(section))
    }

    /// Whether any layer names the section or a key of it.
    pub(super) fn has(&self, section: &str) -> bool {
        self.layers.place_of(&Key::dotted(section)).is_some()
    }

    /// A variable that is no layer's: others set it.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// Whether any layer names the key itself.
    pub(super) fn names(&self, key: &Key) -> bool {
        self.layers.settings.contains_key(key)
    }

    /// Where a key or section stands, for an error about it.
    pub(super) fn place(&self, key: &Key) -> Place {
        self.layers.place_of(key).unwrap_or(Place::Default)
    }

    pub(super) fn missing(
        &self,
        key: &Key,
        allowed: impl Into<std::borrow::Cow<'static, str>>,
    ) -> ConfigError {
        let section = self.layers.place_of(&key.section());
        let place = section.map_or("set nowhere".to_owned(), |place| place.to_string());
        ConfigError::Missing { key: key.to_string(), place, allowed: allowed.into() }
    }

    /// The winning value of a key, with its type checked.
    fn take(&mut self, key: &Key) -> Result<Option<Found>, ConfigError> {
        let Some(known) = key::find(key) else { return Ok(None) };
        let default = || {
            let raw = Raw::Untyped(known.default?.to_owned());
            Some(Setting { raw, place: Place::Default })
        };
        let Some(Setting { raw, place }) = self.layers.settings.get(key).cloned().or_else(default)
        else {
            return Ok(None);
        };
        let kind = known.kind;
        let texts = typed(&raw, kind).map_err(|problem| ConfigError::Invalid {
            key: key.to_string(),
            place: place.to_string(),
            found: written(&raw, kind),
            problem: problem.into(),
            allowed: kind.allowed().into(),
        })?;
        self.effective.push(Effective::new(key, kind, &texts, &place));
        Ok(Some(Found { key: key.clone(), kind, texts, place }))
    }
}

impl Found {
    fn refuse(&self, problem: Problem) -> ConfigError {
        ConfigError::Invalid {
            key: self.key.to_string(),
            place: self.place.to_string(),
            found: clipped(shown(self.kind, &self.texts)),
            problem: problem.what,
            allowed: problem.allowed,
        }
    }
}

/// A whole number from `least` to `most`.
pub(super) fn number<T: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Result<T, Problem> {
    let allowed = || format!("use a whole number from {least} to {most}");
    let number = i128::from_str(text).map_err(|_| Problem::new("not a whole number", allowed()))?;
    let within = u64::try_from(number).ok().filter(|number| (least..=most).contains(number));
    let value = within.and_then(|number| T::try_from(number).ok());
    value.ok_or_else(|| Problem::new("out of range", allowed()))
}

/// The texts of a value, or the name of its type if the key does not take it.
fn typed(raw: &Raw, kind: Kind) -> Result<Vec<String>, &'static str> {
    match raw {
        Raw::Text(text) if matches!(kind, Kind::Text | Kind::Secret | Kind::Address) => {
            Ok(vec![text.clone()])
        }
        Raw::Number(text) if kind == Kind::Number => Ok(vec![text.clone()]),
        Raw::Boolean(flag) if kind == Kind::Boolean => Ok(vec![flag.to_string()]),
        Raw::List(items) if kind.is_list() => items.iter().map(item).collect(),
        Raw::Untyped(text) if kind.is_list() && text.trim().is_empty() => Ok(Vec::new()),
        Raw::Untyped(text) if kind.is_list() => {
            Ok(text.split(',').map(|part| part.trim().to_owned()).collect())
        }
        Raw::Untyped(text) if kind == Kind::Boolean && text != "true" && text != "false" => {
            Err("neither true nor false")
        }
        Raw::Untyped(text) => Ok(vec![text.clone()]),
        Raw::Text(_) => Err("a text"),
        Raw::Number(_) => Err("a number"),
        Raw::Boolean(_) => Err("a truth value"),
        Raw::List(_) => Err("a list"),
        Raw::Other(name) => Err(name),
    }
}

fn item(raw: &Raw) -> Result<String, &'static str> {
    match raw {
        Raw::Text(text) => Ok(text.clone()),
        Raw::Number(_) | Raw::Boolean(_) | Raw::List(_) | Raw::Other(_) | Raw::Untyped(_) => {
            Err("a list that holds something other than texts")
        }
    }
}

/// A value of the wrong type, as it was written.
fn written(raw: &Raw, kind: Kind) -> String {
    if kind.is_secret() {
        return secret::REDACTED.to_owned();
    }
    clipped(match raw {
        Raw::Text(text) | Raw::Untyped(text) => format!("{text:?}"),
        Raw::Number(text) => text.clone(),
        Raw::Boolean(flag) => flag.to_string(),
        Raw::List(_) => "[..]".to_owned(),
        Raw::Other(_) => "..".to_owned(),
    })
}

/// A message stays readable whatever a file holds.
fn clipped(text: String) -> String {
    match text.char_indices().nth(100) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text,
    }
}
