//! A view of the state in Redis: it says when the state moved, since it cannot hold it still.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use common::store::{Snapshot, StoreError, Visit};
use rustc_hash::FxHashMap;

use super::Shared;
use super::at::At;
use super::cache::Content;
use super::entry::{Damaged, Held};
use super::node::{Node, ROOT};
use super::reader::{Keep, ReadFailure, Reader};
use super::scan::Scan;

/// A view: each partition as it stood when it was first asked for.
pub struct RedisSnapshot {
    shared: Arc<Shared>,
    pinned: RefCell<FxHashMap<u16, Pinned>>,
}

/// A partition's position, with the nodes above the leaves that were asked for.
#[derive(Clone, Default)]
struct Pinned {
    at: At,
    nodes: FxHashMap<u64, Content>,
}

impl RedisSnapshot {
    /// A view that has seen nothing yet.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, pinned: RefCell::default() }
    }

    /// The partition's position in this view.
    fn at(&self, reader: &Reader<'_>) -> Result<At, StoreError> {
        if let Some(pinned) = self.pinned.borrow().get(&reader.partition) {
            return Ok(pinned.at.clone());
        }
        // The root comes along: whoever asks for the position mostly goes on with it.
        let names = [reader.names.node(ROOT)];
        let (at, contents) = reader.ask(&names)?;
        self.shared.cache.keep(reader.partition, &at, names.iter().zip(&contents));
        let nodes = contents.into_iter().map(|content| (ROOT, content)).filter(is_above_leaves);
        let nodes = nodes.collect();
        self.pinned.borrow_mut().insert(reader.partition, Pinned { at: at.clone(), nodes });
        Ok(at)
    }

    /// The contents of nodes; those above the leaves are kept for as long as the view.
    fn nodes(&self, reader: &Reader<'_>, at: &At, ids: &[u64]) -> Result<Vec<Content>, StoreError> {
        let mut pinned = self.pinned.borrow_mut();
        let kept = &mut pinned.entry(reader.partition).or_default().nodes;
        let missing: Vec<u64> = ids.iter().copied().filter(|id| !kept.contains_key(id)).collect();
        let names: Vec<Vec<u8>> = missing.iter().map(|id| reader.names.node(*id)).collect();
        let found = fetch(reader, at, &names, Keep::Yes)?;
        let found: FxHashMap<u64, Content> = missing.into_iter().zip(found).collect();
        let contents = ids.iter().map(|id| match kept.get(id) {
            Some(content) => content.clone(),
            None => found.get(id).cloned().flatten(),
        });
        let contents = contents.collect();
        kept.extend(found.into_iter().filter(is_above_leaves));
        Ok(contents)
    }

    /// What the leaves hold of sorted `keys`, in their order.
    fn find(
        &self,
        reader: &Reader<'_>,
        at: &At,
        keys: &[&[u8]],
    ) -> Result<Vec<Option<Found>>, StoreError> {
        let damaged = |bad| reader.damaged(bad);
        let mut found = vec![None; keys.len()];
        let (mut visits, mut level) = (vec![(ROOT, 0..keys.len())], None);
        while !visits.is_empty() {
            let ids: Vec<u64> = visits.iter().map(|(id, _)| *id).collect();
            let contents = self.nodes(reader, at, &ids)?;
            let (mut below, mut lower) = (Vec::new(), None);
            for ((_, range), content) in visits.into_iter().zip(contents) {
                let node = Node::read(content.as_deref(), level).map_err(damaged)?;
                lower = node.level.checked_sub(1);
                let own = keys.get(range.clone()).unwrap_or_default();
                if node.level > 0 {
                    let routed = node.route(own).map_err(damaged)?.into_iter().map(|below| {
                        let Range { start, end } = below.keys;
                        (below.id, range.start + start..range.start + end)
                    });
                    below.extend(routed);
                    continue;
                }
                for (key, slot) in own.iter().zip(found.iter_mut().skip(range.start)) {
                    *slot = match node.find(key).map_err(damaged)? {
                        Some(Held::Here(value)) => Some(Found::Here(value.to_vec())),
                        Some(Held::Apart(parts)) => Some(Found::Apart(parts)),
                        None => None,
                    };
                }
            }
            (visits, level) = (below, lower);
        }
        Ok(found)
    }
}

fn is_above_leaves((_, content): &(u64, Content)) -> bool {
    // A node begins with its level.
    content.as_deref().is_some_and(|content| content.first() != Some(&0))
}

/// A value that was found.
#[derive(Clone)]
enum Found {
    Here(Vec<u8>),
    Apart(u64),
}

impl Snapshot for RedisSnapshot {
    fn get(&self, partition: u16, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.get_many(partition, &[key])?.pop().flatten())
    }

    fn get_many(&self, partition: u16, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let reader = self.shared.reader(partition);
        let at = self.at(&reader)?;
        let mut places: Vec<usize> = (0..keys.len()).collect();
        places.sort_by_key(|place| keys.get(*place));
        let sorted: Vec<&[u8]> =
            places.iter().filter_map(|place| keys.get(*place).copied()).collect();
        let found = self.find(&reader, &at, &sorted)?;
        let apart = sorted.iter().zip(&found).filter_map(|(key, found)| match found {
            Some(Found::Apart(parts)) => Some((*key, *parts)),
            Some(Found::Here(_)) | None => None,
        });
        let apart: Vec<(&[u8], u64)> = apart.collect();
        let mut apart = load_apart(&reader, &at, &apart, Keep::Yes)?.into_iter();
        let mut values = vec![None; keys.len()];
        for (place, found) in places.into_iter().zip(found) {
            let value = match found {
                Some(Found::Here(value)) => Some(value),
                Some(Found::Apart(_)) => apart.next(),
                None => None,
            };
            if let Some(slot) = values.get_mut(place) {
                *slot = value;
            }
        }
        Ok(values)
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
        let reader = self.shared.reader(partition);
        let at = self.at(&reader)?;
        let above = |id: u64| Ok(self.nodes(&reader, &at, &[id])?.pop().flatten());
        Scan::new(&reader, &at, (from, to)).run(&above, visit)
    }

    fn position(&self, partition: u16) -> Result<u64, StoreError> {
        Ok(self.at(&self.shared.reader(partition))?.position())
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
            let part = contents.next().flatten().ok_or(Damaged);
            value.extend_from_slice(&part.map_err(|bad| reader.damaged(bad))?);
        }
        values.push(value);
    }
    Ok(values)
}
