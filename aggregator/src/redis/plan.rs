//! What a commit writes: the leaves concerned are read, changed, and cut where they have grown, and
//! the nodes above them are told.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::at::At;
use super::cache::Content;
use super::cut::cut;
use super::entry::{Damaged, Entry, Held, number};
use super::node::{self, Change, Node, ROOT};
use super::reader::{Keep, ReadFailure, Reader};

/// A value beyond this stands apart, so that nodes stay even.
const APART_BYTES: usize = 2 * 1024;
/// A part of such a value: no key of Redis grows past 64 KiB.
const PART_BYTES: usize = 60 * 1024;

/// Writes of a commit by key; `None` removes.
pub type Writes<'a> = BTreeMap<&'a [u8], Option<&'a [u8]>>;

/// Contents by name of Redis key; `None` removes.
pub type Contents = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Reads what `writes` concern at `at` and returns what must be written.
pub fn plan(reader: &Reader<'_>, at: &At, writes: &Writes<'_>) -> Result<Contents, ReadFailure> {
    let keys: Vec<&[u8]> = writes.keys().copied().collect();
    if keys.is_empty() {
        return Ok(Contents::new());
    }
    let levels = descend(reader, at, &keys)?;
    let mut plan = Plan { reader, contents: Contents::new(), next: 0 };
    plan.climb(&levels, writes).map_err(|bad| reader.damaged(bad))?;
    Ok(plan.contents)
}

/// A node on the way to the keys of a commit.
struct Step {
    id: u64,
    /// Its level; that of the root is found out.
    level: Option<u8>,
    content: Content,
    /// The commit's keys that belong there.
    keys: Range<usize>,
    /// Its place in the level above, and its bound there.
    above: usize,
    bound: Vec<u8>,
    is_first: bool,
}

impl Step {
    fn node(&self) -> Result<Node<'_>, Damaged> {
        Node::read(self.content.as_deref(), self.level)
    }
}

/// The nodes on the way to sorted `keys`, level by level, the root first.
fn descend(reader: &Reader<'_>, at: &At, keys: &[&[u8]]) -> Result<Vec<Vec<Step>>, ReadFailure> {
    let bound = Vec::new();
    let (keys_of_all, is_first) = (0..keys.len(), true);
    let root =
        Step { id: ROOT, level: None, content: None, keys: keys_of_all, above: 0, bound, is_first };
    let (mut levels, mut steps) = (Vec::new(), vec![root]);
    loop {
        let names: Vec<Vec<u8>> = steps.iter().map(|step| reader.names.node(step.id)).collect();
        let contents = reader.fetch(at, &names, Keep::Yes)?;
        for (step, content) in steps.iter_mut().zip(contents) {
            step.content = content;
        }
        let below = below(&steps, keys).map_err(|bad| reader.damaged(bad))?;
        levels.push(steps);
        if below.is_empty() {
            return Ok(levels);
        }
        steps = below;
    }
}

/// The nodes below a level's that the keys belong to; none below the leaves.
fn below(steps: &[Step], keys: &[&[u8]]) -> Result<Vec<Step>, Damaged> {
    let mut all = Vec::new();
    for (above, step) in steps.iter().enumerate() {
        let node = step.node()?;
        if node.level == 0 {
            continue;
        }
        let own = keys.get(step.keys.clone()).unwrap_or_default();
        for below in node.route(own)? {
            let first = step.keys.start;
            let keys = first + below.keys.start..first + below.keys.end;
            let (id, is_first) = (below.id, below.is_first);
            let bound = [node.common, below.rest].concat();
            let level = node.level.checked_sub(1);
            all.push(Step { id, level, content: None, keys, above, bound, is_first });
        }
    }
    Ok(all)
}

/// What a node is told of those below: the numbers of new ones by bound, and bounds that are no more.
type Told = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What became of a node.
enum Outcome {
    /// It stands where it did.
    Stays,
    /// Nothing is left in it.
    Emptied,
    /// Others were cut off it, by bound; what it holds begins with the first key.
    Cut { first: Vec<u8>, off: Vec<(Vec<u8>, u64)> },
}

impl Outcome {
    /// Tells the node above.
    fn tell(self, step: &Step, told: &mut Told) {
        match self {
            Self::Stays => {}
            Self::Emptied => {
                told.insert(step.bound.clone(), None);
            }
            Self::Cut { first, off } => {
                // The first below a node holds smaller keys than its bound where others were before it.
                let lower = off.first().is_some_and(|(bound, _)| *bound <= step.bound);
                if step.is_first && lower {
                    told.insert(step.bound.clone(), None);
                    told.insert(first, Some(number(step.id)));
                }
                told.extend(off.into_iter().map(|(bound, id)| (bound, Some(number(id)))));
            }
        }
    }
}

struct Plan<'a> {
    reader: &'a Reader<'a>,
    contents: Contents,
    /// The number of the next node to be made.
    next: u64,
}

impl Plan<'_> {
    /// Changes the leaves, then what is above them, up to the root.
    fn climb(&mut self, levels: &[Vec<Step>], writes: &Writes<'_>) -> Result<(), Damaged> {
        let Some(root) = levels.first().and_then(|level| level.first()) else { return Ok(()) };
        let stored = root.node()?;
        self.next = stored.next;
        let writes: Vec<(&[u8], Option<&[u8]>)> =
            writes.iter().map(|(key, value)| (*key, *value)).collect();
        let mut told: Vec<Told> = Vec::new();
        for (depth, steps) in levels.iter().enumerate().rev() {
            let above = depth.checked_sub(1).and_then(|above| levels.get(above));
            let mut tell: Vec<Told> = vec![Told::new(); above.map_or(0, Vec::len)];
            for (place, step) in steps.iter().enumerate() {
                let node = step.node()?;
                let outcome = if node.level == 0 {
                    let own = writes.get(step.keys.clone()).unwrap_or_default();
                    let changes = self.values(&node, own)?;
                    self.change(step.id, &node, &changes)?
                } else {
                    let told = told.get(place).into_iter().flatten();
                    let changes: Vec<Change<'_>> = told
                        .map(|(bound, id)| (bound.as_slice(), id.as_deref().map(Held::Here)))
                        .collect();
                    self.change(step.id, &node, &changes)?
                };
                if let Some(told) = tell.get_mut(step.above) {
                    outcome.tell(step, told);
                }
            }
            told = tell;
        }
        let name = self.reader.names.node(ROOT);
        if self.next != stored.next && !self.contents.contains_key(&name) {
            self.contents.insert(name, Some(stored.with_next(self.next)));
        }
        Ok(())
    }

    /// The changes of a leaf, what is too large for it put apart.
    fn values<'a>(
        &mut self,
        leaf: &Node<'_>,
        writes: &[(&'a [u8], Option<&'a [u8]>)],
    ) -> Result<Vec<Change<'a>>, Damaged> {
        let mut changes = Vec::with_capacity(writes.len());
        for (key, value) in writes {
            if let Some(Held::Apart(parts)) = leaf.find(key)? {
                let names = (0..parts).map(|part| self.reader.names.part(key, part));
                self.contents.extend(names.map(|name| (name, None)));
            }
            let held = match value {
                Some(value) if value.len() > APART_BYTES => Some(self.put_apart(key, value)),
                Some(value) => Some(Held::Here(value)),
                None => None,
            };
            changes.push((*key, held));
        }
        Ok(changes)
    }

    fn put_apart(&mut self, key: &[u8], value: &[u8]) -> Held<'static> {
        let mut parts = 0;
        for part in value.chunks(PART_BYTES) {
            self.contents.insert(self.reader.names.part(key, parts), Some(part.to_vec()));
            parts += 1;
        }
        Held::Apart(parts)
    }

    /// Changes a node; the changes are sorted and have whole keys.
    fn change(
        &mut self,
        id: u64,
        node: &Node<'_>,
        changes: &[Change<'_>],
    ) -> Result<Outcome, Damaged> {
        // What is not there need not be removed.
        let concerns =
            |change: &&Change<'_>| change.1.is_some() || change.0.starts_with(node.common);
        let changes: Vec<&Change<'_>> = changes.iter().filter(concerns).collect();
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
            return Ok(Outcome::Stays);
        };
        let mut shared = node::common_length(first.0, last.0);
        if !node.is_empty() {
            shared = shared.min(node::common_length(first.0, node.common));
        }
        let widened;
        let node = if node.is_empty() {
            Node::empty(node.level, node.next, &first.0[..shared])
        } else if shared < node.common.len() {
            widened = node.widened(shared)?;
            Node::read(Some(&widened), None)?
        } else {
            *node
        };
        let begin = node.common.len();
        let changes: Vec<Change<'_>> =
            changes.iter().map(|(key, value)| (&key[begin..], *value)).collect();
        let (entries, last_new) = node::merge(&node, &changes)?;
        if id == ROOT {
            self.put_root(node.level, node.common, &entries, last_new);
            return Ok(Outcome::Stays);
        }
        Ok(self.put(id, &node, &entries, last_new))
    }

    /// Puts a node's entries into as many nodes as they take.
    fn put(
        &mut self,
        id: u64,
        node: &Node<'_>,
        entries: &[Entry<'_>],
        last_new: Option<usize>,
    ) -> Outcome {
        let Some(first) = entries.first() else {
            self.contents.insert(self.reader.names.node(id), None);
            return Outcome::Emptied;
        };
        let mut pieces = pieces(node.level, node.common, entries, last_new).into_iter();
        let mut off = Vec::new();
        if let Some((_, own)) = pieces.next() {
            self.write(id, node.level, node.common, own);
        }
        for (bound, entries) in pieces {
            off.push((bound, self.make(node.level, node.common, entries)));
        }
        if off.is_empty() {
            return Outcome::Stays;
        }
        Outcome::Cut { first: [node.common, first.0].concat(), off }
    }

    /// Puts the root's entries into it, or into nodes below it where they are too many: its name stays.
    fn put_root(
        &mut self,
        level: u8,
        common: &[u8],
        entries: &[Entry<'_>],
        last_new: Option<usize>,
    ) {
        let pieces = pieces(level, common, entries, last_new);
        if pieces.len() == 1 {
            let level = if entries.is_empty() { 0 } else { level };
            let content = node::write(level, self.next, common, entries);
            self.contents.insert(self.reader.names.node(ROOT), Some(content));
            return;
        }
        let mut below: Vec<(Vec<u8>, Vec<u8>)> = Vec::with_capacity(pieces.len());
        for (bound, entries) in pieces {
            below.push((bound, number(self.make(level, common, entries))));
        }
        let entries: Vec<Entry<'_>> =
            below.iter().map(|(bound, id)| (bound.as_slice(), Held::Here(id))).collect();
        self.put_root(level + 1, &[], &entries, entries.len().checked_sub(1));
    }

    fn make(&mut self, level: u8, common: &[u8], entries: &[Entry<'_>]) -> u64 {
        let id = self.next;
        self.next += 1;
        self.write(id, level, common, entries);
        id
    }

    fn write(&mut self, id: u64, level: u8, common: &[u8], entries: &[Entry<'_>]) {
        let content = node::write(level, 0, common, entries);
        self.contents.insert(self.reader.names.node(id), Some(content));
    }
}

/// The pieces that a node is cut into, each with its bound; the first has none.
fn pieces<'a, 'b>(
    level: u8,
    common: &[u8],
    entries: &'b [Entry<'a>],
    last_new: Option<usize>,
) -> Vec<(Vec<u8>, &'b [Entry<'a>])> {
    let mut pieces: Vec<(Vec<u8>, &'b [Entry<'a>])> = Vec::new();
    let mut begin = 0;
    for end in cut(common, entries, last_new) {
        let piece = &entries[begin..end];
        let before = begin.checked_sub(1).and_then(|before| entries.get(before));
        let bound = match (before, piece.first()) {
            // Above the leaves a bound is that of the first below.
            (Some(_), Some(first)) if level > 0 => [common, first.0].concat(),
            (Some(before), Some(first)) => {
                let apart = node::common_length(before.0, first.0) + 1;
                [common, &first.0[..apart]].concat()
            }
            (None, _) | (_, None) => Vec::new(),
        };
        pieces.push((bound, piece));
        begin = end;
    }
    pieces
}

/// A content as the cache keeps it.
#[must_use]
pub fn shared(content: Option<Vec<u8>>) -> Content {
    content.map(Arc::from)
}
