//! A view of the state in Redis: it says when the state moved, since it cannot hold it still.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::store::{Snapshot, StoreError, Visit};
use rustc_hash::FxHashMap;

use super::Shared;
use super::address::{directory_of, page_of, split_key};
use super::at::At;
use super::cache::Content;
use super::page::{self, Held};
use super::plan::groups_of;
use super::reader::{Keep, ReadFailure, Reader};
use super::scan;

/// Numbers of pages by group.
pub type Groups = BTreeMap<Vec<u8>, u32>;

/// A view: each partition as it stood when it was first asked for.
pub struct RedisSnapshot {
    shared: Arc<Shared>,
    pinned: RefCell<FxHashMap<u16, Pinned>>,
}

#[derive(Clone, Default)]
struct Pinned {
    at: At,
    directories: FxHashMap<u16, Arc<Groups>>,
}

impl RedisSnapshot {
    /// A view that has seen nothing yet.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, pinned: RefCell::default() }
    }

    /// The partition's position in this view, with the parts of its directory that are asked for.
    fn pin(&self, partition: u16, wanted: &BTreeSet<u16>) -> Result<Pinned, StoreError> {
        let known = self.pinned.borrow().get(&partition).cloned();
        let mut pinned = known.clone().unwrap_or_default();
        let missing: Vec<u16> = wanted
            .iter()
            .filter(|number| !pinned.directories.contains_key(number))
            .copied()
            .collect();
        if known.is_some() && missing.is_empty() {
            return Ok(pinned);
        }
        let reader = self.shared.reader(partition);
        let names: Vec<Vec<u8>> =
            missing.iter().map(|number| reader.names.directory(*number)).collect();
        let contents = if known.is_some() {
            fetch(&reader, &pinned.at, &names, Keep::Yes)?
        } else {
            let (at, contents) = reader.ask(&names)?;
            pinned.at = at;
            self.shared.cache.keep(partition, &pinned.at, names.iter().zip(&contents));
            contents
        };
        for (number, content) in missing.into_iter().zip(contents) {
            let mut groups = Groups::new();
            for group in groups_of(content.as_deref().unwrap_or_default()) {
                let (group, pages) = group.map_err(|bad| reader.damaged(bad))?;
                groups.insert(group.to_vec(), pages);
            }
            pinned.directories.insert(number, Arc::new(groups));
        }
        self.pinned.borrow_mut().insert(partition, pinned.clone());
        Ok(pinned)
    }
}

impl Snapshot for RedisSnapshot {
    fn get(&self, partition: u16, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.get_many(partition, &[key])?.pop().flatten())
    }

    fn get_many(&self, partition: u16, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let wanted = keys.iter().map(|key| directory_of(split_key(key).0)).collect();
        let pinned = self.pin(partition, &wanted)?;
        let reader = self.shared.reader(partition);
        let name = |key: &[u8]| {
            let (group, rest) = split_key(key);
            let pages = *pinned.directories.get(&directory_of(group))?.get(group)?;
            Some(reader.names.page(group, page_of(rest, pages.max(1))))
        };
        let names: Vec<Option<Vec<u8>>> = keys.iter().map(|key| name(key)).collect();
        let distinct: BTreeSet<&Vec<u8>> = names.iter().flatten().collect();
        let distinct: Vec<Vec<u8>> = distinct.into_iter().cloned().collect();
        let contents = fetch(&reader, &pinned.at, &distinct, Keep::Yes)?;
        let pages: FxHashMap<Vec<u8>, Content> = distinct.into_iter().zip(contents).collect();

        let mut found = Vec::with_capacity(keys.len());
        let mut apart = Vec::new();
        for (index, (key, name)) in keys.iter().zip(&names).enumerate() {
            let content = name.as_ref().and_then(|name| pages.get(name)?.as_deref());
            let held = page::find(content.unwrap_or_default(), split_key(key).1);
            found.push(match held.map_err(|bad| reader.damaged(bad))? {
                Some(Held::Here(value)) => Some(value.to_vec()),
                Some(Held::Apart(parts)) => {
                    apart.push((index, (*key, parts)));
                    None
                }
                None => None,
            });
        }
        let (places, wanted): (Vec<usize>, Vec<(&[u8], u64)>) = apart.into_iter().unzip();
        let values = load_apart(&reader, &pinned.at, &wanted, Keep::Yes)?;
        for (place, value) in places.into_iter().zip(values) {
            if let Some(slot) = found.get_mut(place) {
                *slot = Some(value);
            }
        }
        Ok(found)
    }

    fn scan(
        &self,
        partition: u16,
        from: &[u8],
        to: &[u8],
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        let pinned = self.pin(partition, &scan::directories(from, to))?;
        let reader = self.shared.reader(partition);
        scan::scan(&reader, &pinned.at, pinned.directories.values(), (from, to), visit)
    }

    fn position(&self, partition: u16) -> Result<u64, StoreError> {
        Ok(self.pin(partition, &BTreeSet::new())?.at.position())
    }
}

/// Contents at `at`, or the error that the state moved.
pub fn fetch(
    reader: &Reader<'_>,
    at: &At,
    names: &[Vec<u8>],
    keep: Keep,
) -> Result<Vec<Content>, StoreError> {
    reader.fetch(at, names, keep).map_err(|failure| match failure {
        ReadFailure::Moved(_) => StoreError::Moved { partition: reader.partition },
        ReadFailure::Store(error) => error,
    })
}

/// Values that stand apart, by key and number of parts.
pub fn load_apart(
    reader: &Reader<'_>,
    at: &At,
    wanted: &[(&[u8], u64)],
    keep: Keep,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let names = wanted.iter().flat_map(|(key, parts)| (0..*parts).map(move |part| (key, part)));
    let names: Vec<Vec<u8>> = names.map(|(key, part)| reader.names.part(key, part)).collect();
    let mut contents = fetch(reader, at, &names, keep)?.into_iter();
    let mut values = Vec::with_capacity(wanted.len());
    for (_, parts) in wanted {
        let mut value = Vec::new();
        for _ in 0..*parts {
            let part = contents.next().flatten().ok_or(page::Damaged);
            value.extend_from_slice(&part.map_err(|bad| reader.damaged(bad))?);
        }
        values.push(value);
    }
    Ok(values)
}
