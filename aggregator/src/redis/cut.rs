//! Where a node that has grown is cut into several.

use super::entry::{Entry, size};
use super::node;

/// A node beyond this is cut.
const FULL_BYTES: usize = 4 * 1024;
/// What a node is meant to hold: some room is left for its documents to grow.
const MEANT_BYTES: usize = 3 * 1024;

/// The ends of the pieces. Where the new entries run on to the end of their group, more will follow
/// there: what is before them is left full. Elsewhere all pieces get the same.
pub fn cut(common: &[u8], entries: &[Entry<'_>], last_new: Option<usize>) -> Vec<usize> {
    let total: usize = entries.iter().map(size).sum();
    if total <= FULL_BYTES {
        return vec![entries.len()];
    }
    let mut ends = Vec::new();
    match last_new.map(|last| last + 1).filter(|end| ends_group(common, entries, *end)) {
        Some(end) => {
            let (grown, tail) = entries.split_at(end);
            let open = fill(grown, MEANT_BYTES, 0, &mut ends);
            let tail_bytes: usize = tail.iter().map(size).sum();
            if open + tail_bytes > MEANT_BYTES {
                ends.push(end);
                even(tail, tail_bytes, end, &mut ends);
            }
        }
        None => even(entries, total, 0, &mut ends),
    }
    if ends.last() != Some(&entries.len()) {
        ends.push(entries.len());
    }
    ends
}

/// As few pieces as are meant, of about the same size; the last is left open.
fn even(entries: &[Entry<'_>], total: usize, offset: usize, ends: &mut Vec<usize>) {
    let pieces = total.div_ceil(MEANT_BYTES).max(1);
    let (mut before, mut begun) = (0, 1);
    for (number, entry) in entries.iter().enumerate() {
        if begun < pieces && number > 0 && before * pieces >= begun * total {
            ends.push(offset + number);
            begun += 1;
        }
        before += size(entry);
    }
}

/// Pieces of at most `most` bytes, but of one entry at least; returns the bytes of the last, which is
/// left open.
fn fill(entries: &[Entry<'_>], most: usize, offset: usize, ends: &mut Vec<usize>) -> usize {
    let mut open = 0;
    for (number, entry) in entries.iter().enumerate() {
        let size = size(entry);
        if open > 0 && open + size > most {
            ends.push(offset + number);
            open = 0;
        }
        open += size;
    }
    open
}

/// Whether the entry at `end` is of another group than the one before, or there is none.
fn ends_group(common: &[u8], entries: &[Entry<'_>], end: usize) -> bool {
    let (Some(last), Some(next)) =
        (end.checked_sub(1).and_then(|at| entries.get(at)), entries.get(end))
    else {
        return true;
    };
    let shared = node::common_length(last.0, next.0);
    // A group is a shop, a zero byte and a kind: apart before the kind's end is another group.
    let zero = common.iter().chain(last.0).position(|byte| *byte == 0);
    zero.is_some_and(|zero| common.len() + shared < zero + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::entry::Held;

    /// The keys `of` one shop and kind, each with a value of a hundred bytes.
    fn entries(keys: &[Vec<u8>]) -> Vec<Entry<'_>> {
        keys.iter().map(|key| (key.as_slice(), Held::Here(&[7; 100]))).collect()
    }

    fn keys(kind: u8, count: u8) -> Vec<Vec<u8>> {
        (0..count).map(|number| vec![0, kind, number]).collect()
    }

    #[test]
    fn what_fits_is_left_whole() {
        let keys = keys(b'O', 38);
        assert_eq!(cut(b"shop", &entries(&keys), Some(37)), [38]);
    }

    #[test]
    fn appended_entries_leave_full_nodes_behind() {
        let orders = [keys(b'O', 60), keys(b'R', 4)].concat();
        // 106 bytes each: 28 and 28, then the last orders with what follows them.
        assert_eq!(cut(b"shop", &entries(&orders), Some(59)), [28, 56, 64]);
        let orders = [keys(b'O', 56), keys(b'R', 4)].concat();
        assert_eq!(cut(b"shop", &entries(&orders), Some(55)), [28, 56, 60]);
    }

    #[test]
    fn others_are_cut_evenly() {
        for (count, ends) in [(39, [20, 39]), (40, [20, 40]), (41, [21, 41])] {
            let keys = keys(b'C', count);
            assert_eq!(cut(b"shop", &entries(&keys), Some(20)), ends);
            assert_eq!(cut(b"shop", &entries(&keys), None), ends);
        }
    }
}
