//! Ranges of keys: the groups concerned one after the other, each put into order in memory.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use common::store::{StoreError, Visit, prefix_end};

use super::address::{DIRECTORIES, directory_of, shop_of};
use super::at::At;
use super::page::{self, Damaged, Held};
use super::reader::{Keep, Reader};
use super::snapshot::{Groups, fetch, load_apart};

/// Pages read at once: some megabytes.
const PAGES: usize = 512;
/// Values that stand apart, read at once.
const APART: usize = 64;

/// The parts of the directory that know the groups of a range.
#[must_use]
pub fn directories(from: &[u8], to: &[u8]) -> BTreeSet<u16> {
    // Within one shop, all of its groups stand in one part.
    let one = shop_of(from).filter(|shop| to <= prefix_end(&from[..=shop.len()]).as_slice());
    match one {
        Some(shop) => BTreeSet::from([directory_of(shop)]),
        None => (0..DIRECTORIES).collect(),
    }
}

/// Visits the keys of a range in order.
pub fn scan<'a>(
    reader: &Reader<'_>,
    at: &At,
    directories: impl Iterator<Item = &'a Arc<Groups>>,
    (from, to): (&[u8], &[u8]),
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    let concerned = |group: &[u8]| group < to && prefix_end(group).as_slice() > from;
    let groups = directories.flat_map(|groups| groups.iter());
    let mut groups: Vec<(&Vec<u8>, &u32)> = groups.filter(|(group, _)| concerned(group)).collect();
    groups.sort();
    for (group, pages) in groups {
        let entries = load(reader, at, group, *pages, (from, to))?;
        if tell(reader, at, &entries, visit)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// A key with its value, or with the number of its parts.
type Found = (Vec<u8>, Result<Vec<u8>, u64>);

/// A group's documents within the range, sorted.
fn load(
    reader: &Reader<'_>,
    at: &At,
    group: &[u8],
    pages: u32,
    (from, to): (&[u8], &[u8]),
) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    let names: Vec<Vec<u8>> = (0..pages).map(|page| reader.names.page(group, page)).collect();
    for names in names.chunks(PAGES) {
        let contents = fetch(reader, at, names, Keep::No)?;
        for content in contents.into_iter().flatten() {
            gather(&content, group, (from, to), &mut found).map_err(|bad| reader.damaged(bad))?;
        }
    }
    found.sort_by(|a: &Found, b: &Found| a.0.cmp(&b.0));
    Ok(found)
}

fn gather(
    content: &[u8],
    group: &[u8],
    (from, to): (&[u8], &[u8]),
    found: &mut Vec<Found>,
) -> Result<(), Damaged> {
    for entry in page::entries(content) {
        let (rest, held) = entry?;
        let key = [group, rest].concat();
        if from <= key.as_slice() && key.as_slice() < to {
            found.push((
                key,
                match held {
                    Held::Here(value) => Ok(value.to_vec()),
                    Held::Apart(parts) => Err(parts),
                },
            ));
        }
    }
    Ok(())
}

fn tell(
    reader: &Reader<'_>,
    at: &At,
    entries: &[Found],
    visit: Visit<'_>,
) -> Result<ControlFlow<()>, StoreError> {
    for entries in entries.chunks(APART) {
        let apart: Vec<(&[u8], u64)> = entries
            .iter()
            .filter_map(|(key, value)| Some((key.as_slice(), *value.as_ref().err()?)))
            .collect();
        let mut apart = load_apart(reader, at, &apart, Keep::No)?.into_iter();
        for (key, value) in entries {
            let flow = match value {
                Ok(value) => visit(key, value),
                Err(_) => visit(key, &apart.next().unwrap_or_default()),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}
