//! A page: documents of one group, sorted by the rest of their keys, in one string.
//!
//! An entry is the rest's length and bytes, then a number: twice the value's length and the value,
//! or twice the number of parts plus one, where the value stands apart. Numbers are LEB128. A
//! directory is a page too: of groups, with their numbers of pages as values.

use std::cmp::Ordering;

use thiserror::Error;

/// A stored string that no version of this program wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a stored page is damaged; build the state anew with `tallyhook rebuild`")]
pub struct Damaged;

/// A value in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held<'a> {
    /// The value itself.
    Here(&'a [u8]),
    /// It is too large and stands apart, in this many parts.
    Apart(u64),
}

/// An entry: the rest of the key and the value.
pub type Entry<'a> = (&'a [u8], Held<'a>);

/// The entries of a page in order.
pub fn entries(page: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, Damaged>> {
    let mut left = page;
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

/// The value of `rest` in a page.
pub fn find<'a>(page: &'a [u8], rest: &[u8]) -> Result<Option<Held<'a>>, Damaged> {
    for entry in entries(page) {
        let (found, held) = entry?;
        match found.cmp(rest) {
            Ordering::Less => {}
            Ordering::Equal => return Ok(Some(held)),
            Ordering::Greater => return Ok(None),
        }
    }
    Ok(None)
}

/// The page with sorted `changes` in it; `None` removes.
pub fn merge(page: &[u8], changes: &[(&[u8], Option<Held<'_>>)]) -> Result<Vec<u8>, Damaged> {
    let mut merged = Vec::with_capacity(page.len() + 256);
    let mut changes = changes.iter().peekable();
    for entry in entries(page) {
        let (rest, held) = entry?;
        while let Some((new, value)) = changes.next_if(|change| change.0 < rest) {
            put(&mut merged, new, *value);
        }
        match changes.next_if(|change| change.0 == rest) {
            Some((_, value)) => put(&mut merged, rest, *value),
            None => put(&mut merged, rest, Some(held)),
        }
    }
    for (new, value) in changes {
        put(&mut merged, new, *value);
    }
    Ok(merged)
}

/// Two pages of one: what stays and what goes.
pub fn split(page: &[u8], goes: impl Fn(&[u8]) -> bool) -> Result<(Vec<u8>, Vec<u8>), Damaged> {
    let (mut stay, mut go) = (Vec::with_capacity(page.len()), Vec::with_capacity(page.len() / 2));
    for entry in entries(page) {
        let (rest, held) = entry?;
        put(if goes(rest) { &mut go } else { &mut stay }, rest, Some(held));
    }
    Ok((stay, go))
}

/// Writes a number as it stands in pages.
pub fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

/// Takes a number off the front.
pub fn take_number(left: &mut &[u8]) -> Result<u64, Damaged> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = left.split_first().ok_or(Damaged)?;
        *left = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Damaged)
}

fn put(out: &mut Vec<u8>, rest: &[u8], held: Option<Held<'_>>) {
    let Some(held) = held else { return };
    put_number(out, rest.len() as u64);
    out.extend_from_slice(rest);
    match held {
        Held::Here(value) => {
            put_number(out, (value.len() as u64) << 1);
            out.extend_from_slice(value);
        }
        Held::Apart(parts) => put_number(out, parts << 1 | 1),
    }
}

fn read<'a>(left: &mut &'a [u8]) -> Result<Entry<'a>, Damaged> {
    let length = take_number(left)?;
    let rest = take(left, length)?;
    let number = take_number(left)?;
    if number & 1 == 1 {
        return Ok((rest, Held::Apart(number >> 1)));
    }
    Ok((rest, Held::Here(take(left, number >> 1)?)))
}

fn take<'a>(left: &mut &'a [u8], length: u64) -> Result<&'a [u8], Damaged> {
    let length = usize::try_from(length).map_err(|_| Damaged)?;
    let (taken, rest) = left.split_at_checked(length).ok_or(Damaged)?;
    *left = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_in_order_and_finds() {
        let page = merge(&[], &[(b"b", Some(Held::Here(b"2"))), (b"d", Some(Held::Apart(3)))]);
        let page = page.expect("sound");
        let changes = [
            (&b"a"[..], Some(Held::Here(&b"1"[..]))),
            (b"b", None),
            (b"c", Some(Held::Here(&[9; 300]))),
            (b"z", None),
        ];
        let page = merge(&page, &changes).expect("sound");
        let rests: Vec<_> = entries(&page).map(|entry| entry.expect("sound").0).collect();
        assert_eq!(rests, [b"a", b"c", b"d"]);
        assert_eq!(find(&page, b"a"), Ok(Some(Held::Here(b"1"))));
        assert_eq!(find(&page, b"b"), Ok(None));
        assert_eq!(find(&page, b"d"), Ok(Some(Held::Apart(3))));
        let (stay, go) = split(&page, |rest| rest == b"c").expect("sound");
        assert_eq!(find(&stay, b"c"), Ok(None));
        assert_eq!(find(&go, b"c"), Ok(Some(Held::Here(&[9; 300]))));
        assert_eq!(find(&page[..page.len() - 1], b"z"), Err(Damaged));
    }
}
