//! Ranges of keys: the leaves concerned in order, ever more at a time.

use std::ops::ControlFlow;

use common::store::{StoreError, Visit};

use super::at::At;
use super::cache::Content;
use super::entry::{Damaged, Held};
use super::node::{Node, ROOT};
use super::reader::{Keep, Reader};
use super::snapshot::{fetch, load_apart};

/// Leaves read at once: one at first, as many a reader has enough with the first key, then more.
const FIRST_LEAVES: usize = 1;
const MOST_LEAVES: usize = 512;
const MORE: usize = 8;
/// Values that stand apart, read at once.
const APART: usize = 64;

/// Reads nodes above the leaves.
pub type Above<'a> = &'a dyn Fn(u64) -> Result<Content, StoreError>;

/// A range of a partition that is read.
pub struct Scan<'a> {
    reader: &'a Reader<'a>,
    at: &'a At,
    range: (&'a [u8], &'a [u8]),
    leaves: usize,
}

impl<'a> Scan<'a> {
    /// Of the keys from `range.0` on and below `range.1`.
    pub fn new(reader: &'a Reader<'a>, at: &'a At, range: (&'a [u8], &'a [u8])) -> Self {
        Self { reader, at, range, leaves: FIRST_LEAVES }
    }

    /// Visits the keys in order.
    pub fn run(&mut self, above: Above<'_>, visit: Visit<'_>) -> Result<(), StoreError> {
        self.below(ROOT, None, above, visit).map(|_| ())
    }

    /// Visits what is below a node that is no leaf, or the root.
    fn below(
        &mut self,
        id: u64,
        level: Option<u8>,
        above: Above<'_>,
        visit: Visit<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let content = above(id)?;
        let node = Node::read(content.as_deref(), level).map_err(|bad| self.reader.damaged(bad))?;
        let Some(level) = node.level.checked_sub(1) else { return self.leaf(&node, visit) };
        let ids = node.within(self.range.0, self.range.1);
        let ids = ids.map_err(|bad| self.reader.damaged(bad))?;
        if level > 0 {
            for id in ids {
                if self.below(id, Some(level), above, visit)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            return Ok(ControlFlow::Continue(()));
        }
        let mut left = ids.as_slice();
        while !left.is_empty() {
            let (now, later) = left.split_at(self.leaves.min(left.len()));
            left = later;
            self.leaves = (self.leaves * MORE).min(MOST_LEAVES);
            let names: Vec<Vec<u8>> = now.iter().map(|id| self.reader.names.node(*id)).collect();
            for content in fetch(self.reader, self.at, &names, Keep::No)? {
                let leaf = Node::read(content.as_deref(), Some(0));
                let leaf = leaf.map_err(|bad| self.reader.damaged(bad))?;
                if self.leaf(&leaf, visit)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Visits a leaf's entries within the range.
    fn leaf(&self, leaf: &Node<'_>, visit: Visit<'_>) -> Result<ControlFlow<()>, StoreError> {
        let found = gather(leaf, self.range).map_err(|bad| self.reader.damaged(bad))?;
        for rows in found.chunks(APART) {
            let apart = rows.iter().filter_map(|(key, held)| match held {
                Held::Apart(parts) => Some((key.as_slice(), *parts)),
                Held::Here(_) => None,
            });
            let apart: Vec<(&[u8], u64)> = apart.collect();
            let mut apart = load_apart(self.reader, self.at, &apart, Keep::No)?.into_iter();
            for (key, held) in rows {
                let flow = match held {
                    Held::Here(value) => visit(key, value),
                    Held::Apart(_) => visit(key, &apart.next().unwrap_or_default()),
                };
                if flow.is_break() {
                    return Ok(flow);
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// A key with its value.
type Row<'a> = (Vec<u8>, Held<'a>);

fn gather<'a>(leaf: &Node<'a>, (from, to): (&[u8], &[u8])) -> Result<Vec<Row<'a>>, Damaged> {
    let mut found = Vec::new();
    for entry in leaf.entries() {
        let (rest, held) = entry?;
        let key = [leaf.common, rest].concat();
        if from <= key.as_slice() && key.as_slice() < to {
            found.push((key, held));
        }
    }
    Ok(found)
}
