//! The bytes of a string in Redis: one byte for the form, then the content, compressed if that pays.

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use super::entry::Damaged;

const PLAIN: u8 = 0;
const LZ4: u8 = 1;
/// More than any string of a partition holds.
const MOST_BYTES: usize = 1 << 20;
/// Less is not worth the time.
const COMPRESS_FROM_BYTES: usize = 256;

/// Makes stored forms one after the other, in the same memory.
pub struct Packer {
    table: CompressTable,
    form: Vec<u8>,
}

impl Packer {
    /// One that has made none yet.
    #[must_use]
    pub fn new() -> Self {
        Self { table: CompressTable::small(), form: Vec::new() }
    }

    /// The stored form of `content`.
    pub fn pack(&mut self, content: &[u8]) -> &[u8] {
        self.form.clear();
        if content.len() >= COMPRESS_FROM_BYTES && self.compress(content).is_some() {
            return &self.form;
        }
        self.form.clear();
        self.form.push(PLAIN);
        self.form.extend_from_slice(content);
        &self.form
    }

    /// `None` where it does not pay.
    fn compress(&mut self, content: &[u8]) -> Option<()> {
        self.form.push(LZ4);
        self.form.extend_from_slice(&u32::try_from(content.len()).ok()?.to_le_bytes());
        let head = self.form.len();
        self.form.resize(head + get_maximum_output_size(content.len()), 0);
        let room = self.form.get_mut(head..)?;
        let packed = compress_into_with_table(content, room, &mut self.table).ok()?;
        self.form.truncate(head + packed);
        // Below an eighth the time to unpack is not earned.
        (self.form.len() < content.len() - content.len() / 8).then_some(())
    }
}

/// The content of a stored string.
pub fn decode(stored: &[u8]) -> Result<Vec<u8>, Damaged> {
    match stored.split_first() {
        Some((&PLAIN, content)) => Ok(content.to_vec()),
        Some((&LZ4, packed)) => {
            let (length, packed) = packed.split_first_chunk().ok_or(Damaged)?;
            let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| Damaged)?;
            if length > MOST_BYTES {
                return Err(Damaged);
            }
            lz4_flex::decompress(packed, length).map_err(|_| Damaged)
        }
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
        let mut packer = Packer::new();
        for content in [&b""[..], b"a", &[7; 5_000], &noise, &vec![7; 100_000], &[8; 300]] {
            assert_eq!(decode(packer.pack(content)).expect("sound"), content);
        }
        assert!(packer.pack(&[7; 5_000]).len() < 200);
        assert_eq!(packer.pack(&noise).len(), noise.len() + 1);
        assert!(decode(&[]).is_err());
        assert!(decode(&[9, 1]).is_err());
        assert!(decode(&[LZ4, 1, 0, 0]).is_err());
        assert!(decode(&[LZ4, 255, 255, 255, 255, 0]).is_err());
    }
}
