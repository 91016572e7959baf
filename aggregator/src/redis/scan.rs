//! Ranges of keys: the leaves concerned in order, some at a time.

use std::ops::ControlFlow;

use common::store::{StoreError, Visit};

use super::at::At;
use super::node::{Damaged, Held, Node, ROOT};
use super::reader::{Keep, Reader};
use super::snapshot::{fetch, load_apart};

/// Nodes read at once: some megabytes.
const NODES: usize = 512;
/// Values that stand apart, read at once.
const APART: usize = 64;

/// Visits the keys of a range in order.
pub fn scan(
    reader: &Reader<'_>,
    at: &At,
    (from, to): (&[u8], &[u8]),
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    // The nodes of one level at a time; above the leaves they are few, and are asked for again.
    let mut level = vec![ROOT];
    loop {
        let mut below = Vec::new();
        for ids in level.chunks(NODES) {
            let names: Vec<Vec<u8>> = ids.iter().map(|id| reader.names.node(*id)).collect();
            let keep = if level.len() == 1 { Keep::Yes } else { Keep::No };
            for content in fetch(reader, at, &names, keep)? {
                let content = content.as_deref().unwrap_or_default();
                let node = Node::read(content).map_err(|bad| reader.damaged(bad))?;
                if node.level > 0 {
                    below.extend(node.within(from, to).map_err(|bad| reader.damaged(bad))?);
                } else if tell(reader, at, &node, (from, to), visit)?.is_break() {
                    return Ok(());
                }
            }
        }
        if below.is_empty() {
            return Ok(());
        }
        level = below;
    }
}

/// A key with its value.
type Found<'a> = (Vec<u8>, Held<'a>);

/// Visits a leaf's entries within the range.
fn tell(
    reader: &Reader<'_>,
    at: &At,
    leaf: &Node<'_>,
    range: (&[u8], &[u8]),
    visit: Visit<'_>,
) -> Result<ControlFlow<()>, StoreError> {
    let found = gather(leaf, range).map_err(|bad| reader.damaged(bad))?;
    for entries in found.chunks(APART) {
        let apart = entries.iter().filter_map(|(key, held)| match held {
            Held::Apart(parts) => Some((key.as_slice(), *parts)),
            Held::Here(_) => None,
        });
        let mut apart = load_apart(reader, at, &apart.collect::<Vec<_>>(), Keep::No)?.into_iter();
        for (key, held) in entries {
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

fn gather<'a>(leaf: &Node<'a>, (from, to): (&[u8], &[u8])) -> Result<Vec<Found<'a>>, Damaged> {
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
