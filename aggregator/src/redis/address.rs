//! Where a document stands: its group, the page within the group, and the group's directory.

use xxhash_rust::xxh3::xxh3_64;

/// Parts of a partition's directory: with 256, a part of 64 KiB stands for over 50,000 shops.
pub const DIRECTORIES: u16 = 256;

/// Splits a key into its group and the rest. A group is the shop, a zero byte and the kind; a key
/// without them is a group of its own, so that groups sort as their keys do.
#[must_use]
pub fn split_key(key: &[u8]) -> (&[u8], &[u8]) {
    let zero = key.iter().position(|byte| *byte == 0);
    match zero {
        Some(zero) if zero + 2 <= key.len() => key.split_at(zero + 2),
        Some(_) | None => (key, &[]),
    }
}

/// The shop of a key, a group or a bound of a range, if it is within one.
#[must_use]
pub fn shop_of(key: &[u8]) -> Option<&[u8]> {
    key.iter().position(|byte| *byte == 0).map(|zero| &key[..zero])
}

/// The directory that holds a group's number of pages.
#[must_use]
pub fn directory_of(group: &[u8]) -> u16 {
    let shop = shop_of(group).unwrap_or(group);
    u16::try_from(xxh3_64(shop) % u64::from(DIRECTORIES)).unwrap_or(0)
}

/// The page of a group of `pages` in which the document with this rest of the key stands: linear
/// hashing, so that one more page moves the documents of one page only.
#[must_use]
pub fn page_of(rest: &[u8], pages: u32) -> u32 {
    // The hash is the layout: 32 of its bits are more than there can be pages.
    let hash = u32::try_from(xxh3_64(rest) >> 32).unwrap_or(0);
    let mask = pages.next_power_of_two() - 1;
    let page = hash & mask;
    if page < pages { page } else { page & (mask >> 1) }
}

/// The page that gives up documents to page `number` when that is added; `number` is not 0.
#[must_use]
pub fn parent_of(number: u32) -> u32 {
    number & !(1 << number.ilog2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_page_moves_documents_of_its_parent_only() {
        for pages in 1..70 {
            for number in 0..500_u32 {
                let rest = number.to_be_bytes();
                let (before, after) = (page_of(&rest, pages), page_of(&rest, pages + 1));
                assert!(before < pages);
                assert!(after == before || (after == pages && before == parent_of(pages)));
            }
        }
    }

    #[test]
    fn keys_split_after_the_kind() {
        let check = |key: &[u8], group: &[u8], rest: &[u8]| {
            assert_eq!(split_key(key), (group, rest), "{key:?}");
        };
        check(b"shop\0O123", b"shop\0O", b"123");
        check(b"shop\0S", b"shop\0S", b"");
        check(b"shop\0", b"shop\0", b"");
        check(b"shop", b"shop", b"");
        check(b"", b"", b"");
    }
}
