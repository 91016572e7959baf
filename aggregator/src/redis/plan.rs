//! What a commit writes: the pages concerned are read, changed, and split where they have grown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::address::{directory_of, page_of, parent_of, split_key};
use super::at::At;
use super::cache::Content;
use super::page::{self, Damaged, Held};
use super::reader::{Keep, ReadFailure, Reader};

/// A page beyond this asks for more pages in its group.
const FULL_BYTES: usize = 4 * 1024;
/// What a page is meant to hold.
const MEANT_BYTES: usize = 3 * 1024;
/// A value beyond this stands apart, so that pages stay even.
const APART_BYTES: usize = 2 * 1024;
/// A part of such a value: no key of Redis grows past 64 KiB.
const PART_BYTES: usize = 60 * 1024;

/// Writes of a commit by key; `None` removes.
pub type Writes<'a> = BTreeMap<&'a [u8], Option<&'a [u8]>>;

/// Contents by name of Redis key; `None` removes.
pub type Contents = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// Reads what `writes` concern at `at` and returns what must be written.
pub fn plan(reader: &Reader<'_>, at: &At, writes: &Writes<'_>) -> Result<Contents, ReadFailure> {
    let mut plan = Plan { reader, at, contents: Contents::new() };
    let mut groups = plan.groups(writes)?;
    let touched = |group: &Group<'_>| -> Vec<Vec<u8>> {
        group.changes.keys().map(|page| reader.names.page(group.name, *page)).collect()
    };
    let wanted: Vec<Vec<u8>> = groups.iter().flat_map(touched).collect();
    let mut pages = reader.fetch(at, &wanted, Keep::Yes)?.into_iter();
    for group in &mut groups {
        for (number, changes) in std::mem::take(&mut group.changes) {
            let before = pages.next().flatten();
            plan.change(group, number, before.as_deref(), &changes)
                .map_err(|bad| reader.damaged(bad))?;
        }
    }
    plan.load_parents(&mut groups)?;
    for group in &mut groups {
        group.split().map_err(|bad| reader.damaged(bad))?;
    }
    plan.finish(groups)
}

/// A group that the commit writes to.
struct Group<'a> {
    name: &'a [u8],
    // As stored; 0 where there is none yet.
    stored: u32,
    // As it will be.
    pages: u32,
    changes: BTreeMap<u32, Vec<Change<'a>>>,
    loaded: BTreeMap<u32, Page>,
}

struct Page {
    content: Vec<u8>,
    existed: bool,
}

struct Plan<'a> {
    reader: &'a Reader<'a>,
    at: &'a At,
    contents: Contents,
}

impl Plan<'_> {
    /// The groups with their changes by page.
    fn groups<'a>(&self, writes: &Writes<'a>) -> Result<Vec<Group<'a>>, ReadFailure> {
        let mut by_group: BTreeMap<&'a [u8], Vec<Change<'a>>> = BTreeMap::new();
        for (key, value) in writes {
            let (group, rest) = split_key(key);
            by_group.entry(group).or_default().push((rest, *value));
        }
        let directories = self.directories(by_group.keys().copied())?;
        let mut groups = Vec::with_capacity(by_group.len());
        for (name, changes) in by_group {
            let directory = directories.get(&directory_of(name)).and_then(Option::as_deref);
            let stored = pages_of(directory, name).map_err(|bad| self.reader.damaged(bad))?;
            let mut group = Group {
                name,
                stored,
                pages: stored.max(1),
                changes: BTreeMap::new(),
                loaded: BTreeMap::new(),
            };
            for change in changes {
                let page = page_of(change.0, group.pages);
                group.changes.entry(page).or_default().push(change);
            }
            groups.push(group);
        }
        Ok(groups)
    }

    fn directories<'a>(
        &self,
        groups: impl Iterator<Item = &'a [u8]>,
    ) -> Result<BTreeMap<u16, Content>, ReadFailure> {
        let numbers: BTreeSet<u16> = groups.map(directory_of).collect();
        let names: Vec<Vec<u8>> =
            numbers.iter().map(|number| self.reader.names.directory(*number)).collect();
        let contents = self.reader.fetch(self.at, &names, Keep::Yes)?;
        Ok(numbers.into_iter().zip(contents).collect())
    }

    /// Puts the changes of one page into it.
    fn change(
        &mut self,
        group: &mut Group<'_>,
        number: u32,
        before: Option<&[u8]>,
        changes: &[Change<'_>],
    ) -> Result<(), Damaged> {
        let old = before.unwrap_or_default();
        let mut entries = Vec::with_capacity(changes.len());
        for (rest, value) in changes {
            let key = [group.name, *rest].concat();
            if let Some(Held::Apart(parts)) = page::find(old, rest)? {
                self.contents
                    .extend((0..parts).map(|part| (self.reader.names.part(&key, part), None)));
            }
            let held = match value {
                Some(value) if value.len() > APART_BYTES => Some(self.put_apart(&key, value)),
                Some(value) => Some(Held::Here(value)),
                None => None,
            };
            entries.push((*rest, held));
        }
        let content = page::merge(old, &entries)?;
        if content.len() > FULL_BYTES && content.len() > old.len() {
            let more = u32::try_from(content.len() / MEANT_BYTES).unwrap_or(u32::MAX);
            group.pages = group.pages.saturating_add(more);
        }
        group.loaded.insert(number, Page { content, existed: before.is_some() });
        Ok(())
    }

    fn put_apart(&mut self, key: &[u8], value: &[u8]) -> Held<'static> {
        let mut parts = 0;
        for part in value.chunks(PART_BYTES) {
            self.contents.insert(self.reader.names.part(key, parts), Some(part.to_vec()));
            parts += 1;
        }
        Held::Apart(parts)
    }

    /// Loads the pages that give up documents and were not changed themselves.
    fn load_parents(&self, groups: &mut [Group<'_>]) -> Result<(), ReadFailure> {
        let mut wanted = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let parents: BTreeSet<u32> =
                (group.stored.max(1)..group.pages).map(parent_of).collect();
            let missing =
                |parent: &u32| *parent < group.stored && !group.loaded.contains_key(parent);
            wanted.extend(parents.into_iter().filter(missing).map(|parent| (index, parent)));
        }
        let names: Vec<Vec<u8>> = wanted
            .iter()
            .filter_map(|(index, parent)| Some((groups.get(*index)?.name, *parent)))
            .map(|(name, parent)| self.reader.names.page(name, parent))
            .collect();
        let contents = self.reader.fetch(self.at, &names, Keep::No)?;
        for ((index, parent), content) in wanted.into_iter().zip(contents) {
            if let (Some(group), Some(content)) = (groups.get_mut(index), content) {
                let page = Page { content: content.to_vec(), existed: true };
                group.loaded.insert(parent, page);
            }
        }
        Ok(())
    }

    /// The pages and directories that changed, beside what stands apart.
    fn finish(mut self, groups: Vec<Group<'_>>) -> Result<Contents, ReadFailure> {
        let grown: Vec<(&[u8], Vec<u8>)> = groups
            .iter()
            .filter(|group| group.stored != group.pages && group.holds_any())
            .map(|group| (group.name, number(group.pages)))
            .collect();
        for group in groups {
            for (number, page) in group.loaded {
                let name = self.reader.names.page(group.name, number);
                if !page.content.is_empty() {
                    self.contents.insert(name, Some(page.content));
                } else if page.existed {
                    self.contents.insert(name, None);
                }
            }
        }
        let directories = self.directories(grown.iter().map(|(name, _)| *name))?;
        for (directory, content) in directories {
            let of_this = grown.iter().filter(|(name, _)| directory_of(name) == directory);
            let changes: Vec<_> =
                of_this.map(|(name, pages)| (*name, Some(Held::Here(pages.as_slice())))).collect();
            let merged = page::merge(content.as_deref().unwrap_or_default(), &changes)
                .map_err(|bad| self.reader.damaged(bad))?;
            self.contents.insert(self.reader.names.directory(directory), Some(merged));
        }
        Ok(self.contents)
    }
}

impl Group<'_> {
    /// Adds the pages that were asked for.
    fn split(&mut self) -> Result<(), Damaged> {
        for added in self.stored.max(1)..self.pages {
            let parent = parent_of(added);
            let Some(page) = self.loaded.get_mut(&parent) else { continue };
            let (stay, go) = page::split(&page.content, |rest| page_of(rest, added + 1) == added)?;
            page.content = stay;
            self.loaded.insert(added, Page { content: go, existed: false });
        }
        Ok(())
    }

    fn holds_any(&self) -> bool {
        self.stored > 0 || self.loaded.values().any(|page| !page.content.is_empty())
    }
}

/// A group's number of pages by its directory; 0 where there is none.
pub fn pages_of(directory: Option<&[u8]>, group: &[u8]) -> Result<u32, Damaged> {
    match page::find(directory.unwrap_or_default(), group)? {
        Some(held) => read_pages(held),
        None => Ok(0),
    }
}

/// A directory's groups with their numbers of pages.
pub fn groups_of(directory: &[u8]) -> impl Iterator<Item = Result<(&[u8], u32), Damaged>> {
    page::entries(directory).map(|entry| {
        let (group, held) = entry?;
        Ok((group, read_pages(held)?))
    })
}

/// A content as the cache keeps it.
#[must_use]
pub fn shared(content: Option<Vec<u8>>) -> Content {
    content.map(Arc::from)
}

fn read_pages(held: Held<'_>) -> Result<u32, Damaged> {
    let Held::Here(mut value) = held else { return Err(Damaged) };
    let pages = page::take_number(&mut value)?;
    u32::try_from(pages).map_err(|_| Damaged)
}

fn number(pages: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    page::put_number(&mut bytes, u64::from(pages));
    bytes
}
