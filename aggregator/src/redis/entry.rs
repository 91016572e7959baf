//! The bytes of a node's entries: the length and bytes of what a key goes on with, then a number: twice
//! the value's length and the value, or twice the number of parts plus one, where the value stands apart.
//! Numbers are LEB128.

use thiserror::Error;

/// More parts than any value has.
const MOST_PARTS: u64 = 1 << 16;

/// A stored string that no version of this program wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a stored node is damaged; build the state anew with `tallyhook rebuild`")]
pub struct Damaged;

/// A value in a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held<'a> {
    /// The value itself.
    Here(&'a [u8]),
    /// It is too large and stands apart, in this many parts.
    Apart(u64),
}

/// The rest of a key, and its value.
pub type Entry<'a> = (&'a [u8], Held<'a>);

/// About what an entry takes.
pub fn size(entry: &Entry<'_>) -> usize {
    let value = match entry.1 {
        Held::Here(value) => value.len(),
        Held::Apart(_) => 1,
    };
    entry.0.len() + value + 3
}

/// A node's number as a value.
pub fn number(id: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_number(&mut bytes, id);
    bytes
}

/// Adds an entry.
pub fn put(out: &mut Vec<u8>, rest: &[u8], held: Held<'_>) {
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

/// Adds a number.
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

/// Takes an entry off the front.
pub fn read<'a>(left: &mut &'a [u8]) -> Result<Entry<'a>, Damaged> {
    let length = take_number(left)?;
    let rest = take(left, length)?;
    let number = take_number(left)?;
    if number & 1 == 1 {
        let parts = Some(number >> 1).filter(|parts| *parts <= MOST_PARTS).ok_or(Damaged)?;
        return Ok((rest, Held::Apart(parts)));
    }
    Ok((rest, Held::Here(take(left, number >> 1)?)))
}

/// Takes some bytes off the front.
pub fn take<'a>(left: &mut &'a [u8], length: u64) -> Result<&'a [u8], Damaged> {
    let length = usize::try_from(length).map_err(|_| Damaged)?;
    let (taken, rest) = left.split_at_checked(length).ok_or(Damaged)?;
    *left = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(rest: &[u8], held: Held<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, rest, held);
        out
    }

    #[test]
    fn entries_are_read_as_they_were_put() {
        let long = [7; 300];
        for (rest, held) in [
            (&b""[..], Held::Here(&b""[..])),
            (b"key", Held::Here(b"value")),
            (&long, Held::Here(&long)),
            (b"key", Held::Apart(MOST_PARTS)),
        ] {
            let bytes = [stored(rest, held), b"more".to_vec()].concat();
            let mut left = &*bytes;
            assert_eq!(read(&mut left), Ok((rest, held)));
            assert_eq!(left, b"more");
            let whole = bytes.len() - left.len();
            for cut in 0..whole {
                assert_eq!(read(&mut &bytes[..cut]), Err(Damaged), "{cut} of {whole} bytes");
            }
        }
        assert_eq!(read(&mut &*stored(b"key", Held::Apart(MOST_PARTS + 1))), Err(Damaged));
    }

    #[test]
    fn numbers_end() {
        for id in [0, 1, 127, 128, 300, u64::MAX] {
            assert_eq!(take_number(&mut &*number(id)), Ok(id));
        }
        assert_eq!(take_number(&mut &[0xff; 11][..]), Err(Damaged));
    }
}
