//! The layers of a configuration: file, environment, flags. Each value keeps its place, so that an
//! error about it can say where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::environment;
use super::error::{ConfigError, Place};
use super::key::{self, Key};

/// The file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "tallyhook.toml";

/// A value that a flag sets; it wins over file and environment.
#[derive(Clone, Debug)]
pub struct Override {
    /// Dotted key, for example `data.dir`.
    pub key: String,
    /// The value, in the form that the environment would have.
    pub value: String,
    /// The flag without its dashes, for messages: `data-dir`.
    pub flag: String,
}

/// Where a configuration is read from.
#[derive(Clone, Default)]
pub struct Inputs {
    /// `--config`; without it `TALLYHOOK_CONFIG`, then `./tallyhook.toml` if it exists.
    pub file: Option<PathBuf>,
    /// The environment, also for `env:NAME`.
    pub environment: BTreeMap<String, String>,
    /// What flags set.
    pub overrides: Vec<Override>,
}

impl Inputs {
    /// The inputs of this process: its real environment. Variables that are not UTF-8 count as
    /// unset.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, overrides: Vec<Override>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file, environment, overrides }
    }
}

/// A value as it was written.
#[derive(Clone)]
pub(super) enum Raw {
    Text(String),
    /// In decimal.
    Number(String),
    Boolean(bool),
    List(Vec<Raw>),
    /// Anything that no key takes, by its name.
    Other(&'static str),
    /// Text without a type, from the environment or a flag.
    Untyped(String),
}

/// A value and its place.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) raw: Raw,
    pub(super) place: Place,
}

/// All layers merged: each key with its winning value. Only known keys are in it.
#[derive(Default)]
pub(super) struct Layers {
    pub(super) settings: BTreeMap<Key, Setting>,
    /// The headers of the file, for what is missing below them.
    pub(super) sections: BTreeMap<Key, Place>,
}

impl Layers {
    /// Reads and merges all layers, and refuses keys that do not exist.
    pub(super) fn gather(inputs: &Inputs) -> Result<Self, ConfigError> {
        let mut layers = Self::default();
        let named = inputs.environment.get("TALLYHOOK_CONFIG").filter(|path| !path.is_empty());
        let named = inputs.file.clone().or_else(|| named.map(PathBuf::from));
        if let Some((path, text)) = read(named.as_deref(), Path::new(DEFAULT_FILE))? {
            layers.add_file(&path, &text)?;
        }
        let found = environment::settings(&inputs.environment);
        layers.settings.extend(found.settings);
        for Override { key, value, flag } in &inputs.overrides {
            let place = Place::Flag(flag.clone());
            let setting = Setting { raw: Raw::Untyped(value.clone()), place };
            layers.settings.insert(Key::dotted(key), setting);
        }
        let referenced = layers.referenced_variables();
        layers.settings.retain(|key, setting| match &setting.place {
            Place::Environment(name) => key::find(key).is_some() || !referenced.contains(name),
            Place::Default | Place::File { .. } | Place::Flag(_) => true,
        });
        if let Some(variable) =
            found.strangers.into_iter().find(|variable| !referenced.contains(variable))
        {
            return Err(ConfigError::UnknownVariable { variable });
        }
        layers.refuse_unknown()?;
        Ok(layers)
    }

    /// The names that follow a section, for example the sources'.
    pub(super) fn names_below(&self, section: &Key) -> BTreeSet<String> {
        let depth = section.parts().len();
        self.settings
            .keys()
            .chain(self.sections.keys())
            .filter(|key| key.parts().starts_with(section.parts()))
            .filter_map(|key| key.parts().get(depth).cloned())
            .collect()
    }

    /// Where a section begins: its header, else the first value below it.
    pub(super) fn place_of(&self, section: &Key) -> Option<Place> {
        let header = self.sections.get(section).cloned();
        header.or_else(|| {
            let below = |key: &Key| key.parts().starts_with(section.parts());
            let mut settings = self.settings.iter();
            settings.find(|(key, _)| below(key)).map(|(_, setting)| setting.place.clone())
        })
    }

    fn add_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let place = |at: usize| Place::File { path: path.to_owned(), line: line_of(text, at) };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            place: place(error.span().map_or(0, |span| span.start)).to_string(),
            message: error.message().to_owned(),
        })?;
        self.add_table(&Key::of(Vec::new()), table.get_ref(), &place);
        Ok(())
    }

    fn add_table(&mut self, section: &Key, table: &DeTable<'_>, place: &dyn Fn(usize) -> Place) {
        for (name, value) in table {
            let key = section.child(name.get_ref());
            let place_of_key = place(name.span().start);
            if let DeValue::Table(below) = value.get_ref() {
                self.sections.insert(key.clone(), place_of_key);
                self.add_table(&key, below, place);
            } else {
                let setting = Setting { raw: raw_of(value.get_ref()), place: place_of_key };
                self.settings.insert(key, setting);
            }
        }
    }

    /// The variables that secrets name by `env:`: they need not name a key.
    fn referenced_variables(&self) -> BTreeSet<String> {
        let secrets = self
            .settings
            .iter()
            .filter(|(key, _)| key::find(key).is_some_and(|known| known.kind.is_secret()));
        secrets.flat_map(|(_, setting)| texts_of(&setting.raw)).filter_map(variable_of).collect()
    }

    fn refuse_unknown(&self) -> Result<(), ConfigError> {
        for (key, Setting { place, .. }) in &self.settings {
            if key::find(key).is_some() {
                continue;
            }
            let (text, place) = (key.to_string(), place.to_string());
            return Err(if key::is_section(key) {
                ConfigError::NotATable { key: text, place }
            } else {
                ConfigError::UnknownKey { key: text, place, hint: key::hint(key) }
            });
        }
        for (key, place) in &self.sections {
            if key::is_section(key) {
                continue;
            }
            let (text, place) = (key.to_string(), place.to_string());
            return Err(match key::find(key) {
                None => ConfigError::UnknownKey { key: text, place, hint: key::hint(key) },
                Some(known) => ConfigError::Invalid {
                    key: text,
                    place,
                    found: "{..}".to_owned(),
                    problem: "a table".into(),
                    allowed: known.kind.allowed().into(),
                },
            });
        }
        Ok(())
    }
}

/// The file's text. A file that was named must exist, the default one need not.
fn read(named: Option<&Path>, default: &Path) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let path = named.unwrap_or(default);
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn raw_of(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or(Raw::Other("a number beyond all bounds"), |n| Raw::Number(n.to_string())),
        DeValue::Float(number) => Raw::Number(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Raw::Boolean(*flag),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Array(items) => {
            Raw::List(items.iter().map(|item| raw_of(item.get_ref())).collect())
        }
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

fn texts_of(raw: &Raw) -> Vec<&str> {
    match raw {
        Raw::Text(text) => vec![text],
        Raw::Untyped(text) => text.split(',').map(str::trim).collect(),
        Raw::List(items) => items.iter().flat_map(texts_of).collect(),
        Raw::Number(_) | Raw::Boolean(_) | Raw::Other(_) => Vec::new(),
    }
}

fn variable_of(text: &str) -> Option<String> {
    text.strip_prefix("env:").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_may_be_missing_and_a_named_one_may_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = dir.path().join("tallyhook.toml");
        assert!(read(None, &missing).expect("no error").is_none());
        assert!(read(Some(&missing), &missing).is_err());
        fs::write(&missing, "[log]\n").expect("written");
        let (path, text) = read(None, &missing).expect("no error").expect("a file");
        assert_eq!((path, text.as_str()), (missing, "[log]\n"));
    }
}
