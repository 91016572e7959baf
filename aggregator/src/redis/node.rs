//! A node of a partition's tree: sorted entries in one string.
//!
//! It begins with its level (0 is a leaf), the next number for a new node, which counts in the root
//! only, and what all its keys begin with: length and bytes; then come the [entries](super::entry). A
//! node above the leaves holds the number of a node below in each entry's value, and as its key a bound:
//! nothing below it is smaller, save below the first. Numbers are LEB128.

use std::cmp::Ordering;
use std::ops::Range;

use super::entry::{Damaged, Entry, Held, put, put_number, read, size, take, take_number};

/// The root's number.
pub const ROOT: u64 = 0;
/// More levels than any tree has.
const MOST_LEVELS: u8 = 32;

/// A change: the key, or the rest of one, and the new value; `None` removes.
pub type Change<'a> = (&'a [u8], Option<Held<'a>>);

/// A node as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// How many levels are below.
    pub level: u8,
    /// In the root: the number of the next node to be made.
    pub next: u64,
    /// What all keys begin with.
    pub common: &'a [u8],
    entries: &'a [u8],
}

/// A node below, with the keys of a sorted list that belong there.
#[derive(Debug, PartialEq, Eq)]
pub struct Below<'a> {
    /// Its number.
    pub id: u64,
    /// The rest of its bound, and whether it is the first, below which are smaller keys too.
    pub rest: &'a [u8],
    pub is_first: bool,
    /// Its part of the list.
    pub keys: Range<usize>,
}

impl<'a> Node<'a> {
    /// A node of no entries yet, whose keys will begin with `common`.
    pub const fn empty(level: u8, next: u64, common: &'a [u8]) -> Self {
        Self { level, next, common, entries: &[] }
    }

    /// Reads the node that stands at `level`; the root, which is read without one, may be missing.
    pub fn read(content: Option<&'a [u8]>, level: Option<u8>) -> Result<Self, Damaged> {
        let Some(content) = content else {
            return if level.is_none() { Ok(Self::empty(0, ROOT + 1, &[])) } else { Err(Damaged) };
        };
        let (found, mut left) = content.split_first().ok_or(Damaged)?;
        let next = take_number(&mut left)?;
        let length = take_number(&mut left)?;
        let common = take(&mut left, length)?;
        let node = Self { level: *found, next, common, entries: left };
        let leads_nowhere = node.level > 0 && node.is_empty();
        if node.level > MOST_LEVELS || leads_nowhere || level.is_some_and(|one| one != node.level) {
            return Err(Damaged);
        }
        Ok(node)
    }

    /// The entries in order.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>, Damaged>> + use<'a> {
        let mut left = self.entries;
        std::iter::from_fn(move || {
            if left.is_empty() {
                return None;
            }
            let entry = read(&mut left);
            if entry.is_err() {
                left = &[];
            }
            Some(entry)
        })
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key.
    pub fn find(&self, key: &[u8]) -> Result<Option<Held<'a>>, Damaged> {
        let Some(rest) = key.strip_prefix(self.common) else { return Ok(None) };
        for entry in self.entries() {
            let (found, held) = entry?;
            match found.cmp(rest) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(Some(held)),
                Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The nodes below to which sorted `keys` belong.
    pub fn route<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Below<'a>>, Damaged> {
        let mut below = Vec::new();
        let mut entries = self.entries().peekable();
        let (mut start, mut is_first) = (0, true);
        while let Some(entry) = entries.next() {
            let (rest, held) = entry?;
            let end = match entries.peek() {
                None => keys.len(),
                Some(Err(damaged)) => return Err(*damaged),
                Some(Ok((bound, _))) => {
                    let before = |key: &K| self.compare(key.as_ref(), bound) == Ordering::Less;
                    start + keys.get(start..).unwrap_or_default().partition_point(before)
                }
            };
            if end > start {
                below.push(Below { id: number_of(held)?, rest, is_first, keys: start..end });
            }
            (start, is_first) = (end, false);
        }
        Ok(below)
    }

    /// The nodes below that may hold keys from `from` on and below `to`.
    pub fn within(&self, from: &[u8], to: &[u8]) -> Result<Vec<u64>, Damaged> {
        let mut below = Vec::new();
        let mut entries = self.entries().peekable();
        while let Some(entry) = entries.next() {
            let (rest, held) = entry?;
            if !below.is_empty() && self.compare(to, rest) != Ordering::Greater {
                break;
            }
            let ends_before = match entries.peek() {
                Some(Ok((bound, _))) => self.compare(from, bound) != Ordering::Less,
                Some(Err(_)) | None => false,
            };
            if !ends_before {
                below.push(number_of(held)?);
            }
        }
        Ok(below)
    }

    /// A key against an entry's.
    pub fn compare(&self, key: &[u8], rest: &[u8]) -> Ordering {
        match key.strip_prefix(self.common) {
            Some(own) => own.cmp(rest),
            None => key.cmp(self.common),
        }
    }

    /// The same entries under fewer bytes that all keys begin with.
    pub fn widened(&self, common: usize) -> Result<Vec<u8>, Damaged> {
        let (common, moved) = self.common.split_at_checked(common).ok_or(Damaged)?;
        let mut content = head(self.level, self.next, common);
        for entry in self.entries() {
            let (rest, held) = entry?;
            put(&mut content, &[moved, rest].concat(), held);
        }
        Ok(content)
    }

    /// The same node with another number for the next one to be made.
    pub fn with_next(&self, next: u64) -> Vec<u8> {
        [head(self.level, next, self.common).as_slice(), self.entries].concat()
    }
}

/// The entries of a node after sorted changes, and where the last new one stands. The changes' keys
/// are without what all of the node's begin with.
pub fn merge<'a>(
    node: &Node<'a>,
    changes: &[Change<'a>],
) -> Result<(Vec<Entry<'a>>, Option<usize>), Damaged> {
    let mut merged = Vec::with_capacity(changes.len() + 32);
    let mut last_new = None;
    let mut changes = changes.iter().peekable();
    let mut add = |merged: &mut Vec<Entry<'a>>, change: &Change<'a>| {
        if let (rest, Some(held)) = *change {
            last_new = Some(merged.len());
            merged.push((rest, held));
        }
    };
    let mut before: Option<&[u8]> = None;
    for entry in node.entries() {
        let (rest, held) = entry?;
        if before.replace(rest).is_some_and(|before| before >= rest) {
            return Err(Damaged);
        }
        while let Some(change) = changes.next_if(|change| change.0 < rest) {
            add(&mut merged, change);
        }
        match changes.next_if(|change| change.0 == rest) {
            Some((_, Some(held))) => merged.push((rest, *held)),
            Some((_, None)) => {}
            None => merged.push((rest, held)),
        }
    }
    for change in changes {
        add(&mut merged, change);
    }
    Ok((merged, last_new))
}

/// A node of these entries, whose keys begin with `common`.
pub fn write(level: u8, next: u64, common: &[u8], entries: &[Entry<'_>]) -> Vec<u8> {
    let shared = match entries {
        [] => 0,
        [first, .., last] => common_length(first.0, last.0),
        [only] => only.0.len(),
    };
    let more = entries.first().map_or(&[][..], |first| &first.0[..shared]);
    let mut content = head(level, next, &[common, more].concat());
    content.reserve(entries.iter().map(size).sum());
    for (rest, held) in entries {
        put(&mut content, &rest[shared..], *held);
    }
    content
}

/// How much two strings begin with in common.
pub fn common_length(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// The number of a node below.
fn number_of(held: Held<'_>) -> Result<u64, Damaged> {
    let Held::Here(mut value) = held else { return Err(Damaged) };
    take_number(&mut value)
}

fn head(level: u8, next: u64, common: &[u8]) -> Vec<u8> {
    let mut content = vec![level];
    put_number(&mut content, next);
    put_number(&mut content, common.len() as u64);
    content.extend_from_slice(common);
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::entry::number;

    fn leaf(entries: &[Entry<'_>]) -> Vec<u8> {
        write(0, 1, b"", entries)
    }

    #[test]
    fn merges_in_order_and_finds() {
        let content = leaf(&[(b"kb", Held::Here(b"2")), (b"kd", Held::Apart(3))]);
        let node = Node::read(Some(&content), None).expect("sound");
        assert_eq!(node.common, b"k");
        let changes = [
            (&b"a"[..], Some(Held::Here(&b"1"[..]))),
            (b"b", None),
            (b"c", Some(Held::Here(&[9; 300]))),
            (b"d", Some(Held::Apart(4))),
            (b"z", None),
        ];
        let (merged, last_new) = merge(&node, &changes).expect("sound");
        assert_eq!(merged.iter().map(|entry| entry.0).collect::<Vec<_>>(), [b"a", b"c", b"d"]);
        assert_eq!(last_new, Some(1));
        let content = write(0, 7, node.common, &merged);
        let node = Node::read(Some(&content), None).expect("sound");
        assert_eq!((node.level, node.next, node.common), (0, 7, &b"k"[..]));
        assert_eq!(node.find(b"ka"), Ok(Some(Held::Here(b"1"))));
        assert_eq!(node.find(b"kb"), Ok(None));
        assert_eq!(node.find(b"kd"), Ok(Some(Held::Apart(4))));
        assert_eq!(node.find(b"x"), Ok(None));
        let cut = Node::read(Some(&content[..content.len() - 1]), None).expect("begins well");
        assert_eq!(cut.find(b"kz"), Err(Damaged));
    }

    #[test]
    fn damage_is_noticed() {
        let sound = leaf(&[(b"a", Held::Here(b"1")), (b"b", Held::Here(b"2"))]);
        assert!(Node::read(Some(&sound), Some(0)).is_ok());
        assert_eq!(Node::read(Some(&sound), Some(1)).err(), Some(Damaged), "another level");
        assert_eq!(Node::read(None, Some(0)).err(), Some(Damaged), "missing");
        assert_eq!(Node::read(Some(&write(1, 1, b"", &[])), None).err(), Some(Damaged));
        assert_eq!(Node::read(Some(&write(99, 1, b"", &[])), None).err(), Some(Damaged));
        let unsorted = leaf(&[(b"aab", Held::Here(b"1")), (b"z", Held::Here(b"2"))]);
        let unsorted = [unsorted, leaf(&[(b"aac", Held::Here(b"3"))]).split_off(3)].concat();
        let node = Node::read(Some(&unsorted), None).expect("begins well");
        assert_eq!(merge(&node, &[(b"aad", Some(Held::Here(b"4")))]).err(), Some(Damaged));
        let parts = leaf(&[(b"k", Held::Apart(1 << 60))]);
        let node = Node::read(Some(&parts), None).expect("begins well");
        assert_eq!(node.find(b"k"), Err(Damaged));
    }

    #[test]
    fn a_node_takes_keys_that_begin_otherwise() {
        let content = leaf(&[(b"shop1", Held::Here(b"1")), (b"shop2", Held::Here(b"2"))]);
        let node = Node::read(Some(&content), None).expect("sound");
        let wider = node.widened(2).expect("sound");
        let node = Node::read(Some(&wider), None).expect("sound");
        assert_eq!(node.common, b"sh");
        assert_eq!(node.find(b"shop2"), Ok(Some(Held::Here(b"2"))));
        let one = leaf(&[(b"only", Held::Here(b"1"))]);
        let node = Node::read(Some(&one), None).expect("sound");
        assert_eq!(node.find(b"only"), Ok(Some(Held::Here(b"1"))));
        assert!(Node::read(None, None).expect("a tree without entries").is_empty());
    }

    #[test]
    fn keys_find_their_way_down() {
        let ids = [1, 2, 3].map(number);
        let bounds: [&[u8]; 3] = [b"", b"kf", b"kp"];
        let entries: Vec<Entry<'_>> =
            bounds.iter().zip(&ids).map(|(bound, id)| (*bound, Held::Here(id))).collect();
        let content = write(1, 4, b"", &entries);
        let node = Node::read(Some(&content), None).expect("sound");
        let keys: [&[u8]; 5] = [b"a", b"ke", b"kf", b"kg", b"z"];
        let below = node.route(&keys).expect("sound");
        let found: Vec<_> = below.iter().map(|below| (below.id, below.keys.clone())).collect();
        assert_eq!(found, [(1, 0..2), (2, 2..4), (3, 4..5)]);
        let within = |from: &[u8], to: &[u8]| node.within(from, to).expect("sound");
        assert_eq!(within(b"a", b"b"), [1]);
        assert_eq!(within(b"kf", b"kp"), [2]);
        assert_eq!(within(b"ke", b"kp0"), [1, 2, 3]);
        assert_eq!(within(b"q", b"z"), [3]);
    }
}
