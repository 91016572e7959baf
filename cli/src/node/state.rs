//! The state's directory: what it was made with, and how it is replaced without ever being lost.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use aggregator::fold::FOLD_VERSION;
use anyhow::Context as _;
use common::config::{Attributes, Config, PseudonymKey};
use common::store::{FileStore, Manifest};

use super::layout::Layout;

/// A state that is being built to replace the present one.
const NEXT: &str = "state.next";
/// The state that was replaced last, until it is removed.
const OLD: &str = "state.old";
/// States built only to be compared with the present one.
const CHECK: &str = "state.check-";

/// The settings that the state depends on.
pub fn manifest(config: &Config, key: &PseudonymKey) -> Manifest {
    Manifest {
        partitions: config.log.partitions,
        partitioner: "murmur2".to_owned(),
        fold_version: FOLD_VERSION,
        pseudonym_key: key.fingerprint(),
        shops: shops(config) + &attributes(config),
    }
}

/// Opens the state, after finishing what a crash interrupted. The caller holds the log's lock.
pub fn open(config: &Config, layout: &Layout, key: &PseudonymKey) -> anyhow::Result<FileStore> {
    settle(layout).with_context(|| failed(layout))?;
    Ok(FileStore::open(&layout.state(), &manifest(config, key))?)
}

/// An empty state beside the present one, to be put in its place by [`replace`].
pub fn next(config: &Config, layout: &Layout, key: &PseudonymKey) -> anyhow::Result<FileStore> {
    settle(layout).with_context(|| failed(layout))?;
    Ok(FileStore::open(&layout.root().join(NEXT), &manifest(config, key))?)
}

/// A directory for a state that is only compared; it goes when the value is dropped.
pub fn beside(layout: &Layout) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix(CHECK).tempdir_in(layout.root())
}

/// Puts the state of [`next`] in the present one's place. The caller has closed both.
///
/// The old state exists aside only while the new one is whole, so that whatever a crash leaves
/// tells [`settle`] how to go on.
pub fn replace(layout: &Layout) -> anyhow::Result<()> {
    let (state, next, old) = paths(layout);
    let renames = || {
        if state.exists() {
            fs::rename(&state, &old)?;
            sync(layout.root())?;
        }
        fs::rename(&next, &state)?;
        sync(layout.root())?;
        remove(&old)
    };
    renames().with_context(|| failed(layout))
}

/// Finishes or takes back what a crash interrupted.
fn settle(layout: &Layout) -> io::Result<()> {
    let (state, next, old) = paths(layout);
    if !state.exists() && old.exists() {
        // `replace` got between its two renames: the new state is whole.
        let whole = if next.exists() { &next } else { &old };
        fs::rename(whole, &state)?;
        sync(layout.root())?;
    }
    remove(&old)?;
    remove(&next)?;
    for entry in fs::read_dir(layout.root())? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(CHECK) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn paths(layout: &Layout) -> (PathBuf, PathBuf, PathBuf) {
    (layout.state(), layout.root().join(NEXT), layout.root().join(OLD))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn failed(layout: &Layout) -> String {
    format!("cannot arrange the state in {}; check its permissions", layout.root().display())
}

/// Currencies and time zones as canonical text: the default, then each shop that differs from it.
fn shops(config: &Config) -> String {
    let text = |shop: &common::config::Shop| {
        let zone = shop.time_zone.iana_name().unwrap_or("UTC");
        format!("{} {zone}", shop.currency)
    };
    let default = text(&config.shops.default);
    let mut shops = format!("default {default}");
    for shop in config.shops.by_domain.keys() {
        let own = text(&config.shop(shop));
        if own != default {
            shops.extend([", ", shop.as_str(), " ", &own]);
        }
    }
    shops
}

/// The attributes that may enter events, of each source that has any, as canonical text: events of
/// other attributes come to other figures by attribute.
fn attributes(config: &Config) -> String {
    let mut texts = Vec::new();
    for (source, settings) in &config.sources {
        let Attributes { line_properties, note_attributes, tags } = &settings.attributes;
        let lists = [
            ("line_properties", line_properties),
            ("note_attributes", note_attributes),
            ("tags", tags),
        ];
        for (list, names) in lists {
            let names: BTreeSet<&String> = names.iter().collect();
            if !names.is_empty() {
                texts.push(format!("; attributes {source}.{list} {names:?}"));
            }
        }
    }
    texts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `settle` makes of the directories that a crash left, each with a file of its own name.
    fn check(left: &[&str], expected: Option<&str>) {
        let directory = tempfile::tempdir().expect("a directory");
        for name in left {
            fs::create_dir(directory.path().join(name)).expect("a directory");
            fs::write(directory.path().join(name).join(name), "").expect("a file");
        }
        let layout = Layout::new(directory.path());
        settle(&layout).expect("settled");
        let found: Vec<_> = fs::read_dir(directory.path()).expect("a list").collect();
        assert_eq!(found.len(), usize::from(expected.is_some()), "{left:?}");
        if let Some(name) = expected {
            assert!(layout.state().join(name).exists(), "{left:?}");
        }
    }

    #[test]
    fn settles_what_a_crash_left() {
        check(&[], None);
        check(&["state"], Some("state"));
        check(&["state.next"], None);
        check(&["state", "state.next", "state.check-x"], Some("state"));
        check(&["state.old", "state.next"], Some("state.next"));
        check(&["state.old"], Some("state.old"));
        check(&["state", "state.old"], Some("state"));
    }
}
