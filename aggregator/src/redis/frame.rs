//! The bytes of a string in Redis: one byte for the form, then the content, compressed if that pays.

use super::page::Damaged;

const PLAIN: u8 = 0;
const LZ4: u8 = 1;
/// Less is not worth the time.
const COMPRESS_FROM_BYTES: usize = 256;

/// The stored form of `content`.
#[must_use]
pub fn encode(content: &[u8]) -> Vec<u8> {
    if content.len() >= COMPRESS_FROM_BYTES {
        let packed = lz4_flex::compress_prepend_size(content);
        // Below an eighth the time to unpack is not earned.
        if packed.len() < content.len() - content.len() / 8 {
            return [&[LZ4], packed.as_slice()].concat();
        }
    }
    [&[PLAIN], content].concat()
}

/// The content of a stored string.
pub fn decode(stored: &[u8]) -> Result<Vec<u8>, Damaged> {
    match stored.split_first() {
        Some((&PLAIN, content)) => Ok(content.to_vec()),
        Some((&LZ4, packed)) => lz4_flex::decompress_size_prepended(packed).map_err(|_| Damaged),
        Some(_) | None => Err(Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_comes_back() {
        let noise: Vec<u8> =
            (0..999_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for content in [&b""[..], b"a", &[7; 5_000], &noise] {
            assert_eq!(decode(&encode(content)).expect("sound"), content);
        }
        assert!(encode(&[7; 5_000]).len() < 200);
        assert!(decode(&[]).is_err());
        assert!(decode(&[9, 1]).is_err());
        assert!(decode(&[LZ4, 1, 0, 0]).is_err());
    }
}
