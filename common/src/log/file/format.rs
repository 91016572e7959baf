//! The bytes on disk: how a segment and each record in it begin. All numbers are little-endian.
//!
//! ```text
//! segment = segment header | record | record | ... | zeros
//! record  = 36 bytes of header | payload
//! ```
//!
//! A record's header has a checksum of its own, so a damaged payload still leaves the partition
//! and the offset known. Every header checksum is seeded with the log's salt and the segment's
//! number: bytes of another log, of another segment, or inside of a payload never pass for a
//! record.

use crc32fast::Hasher;

/// Format of meta file, segments and records. A reader knows exactly one.
pub(super) const FORMAT_VERSION: u32 = 1;
/// Most partitions of a log; it bounds the segment header.
pub(super) const MAX_PARTITIONS: u16 = 4096;
/// The partition of records that the log writes for itself.
pub(super) const CONTROL: u16 = u16::MAX;
/// Stands for "unknown" in [`RecordHeader::previous`].
pub(super) const NO_PREVIOUS: u16 = u16::MAX - 1;
/// The first bytes of a record.
pub(super) const RECORD_MAGIC: [u8; 4] = [0xD7, b'T', b'h', 0x1E];
/// Bytes of a record before its payload.
pub(super) const RECORD_HEADER_BYTES: usize = 36;

const SEGMENT_MAGIC: [u8; 8] = *b"\xD7TALLYHK";
const SEGMENT_FIXED_BYTES: usize = 40;

/// What stands before each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    /// Bytes of payload.
    pub length: u32,
    /// The record's partition, or [`CONTROL`].
    pub partition: u16,
    /// The partition of the record before this one: tells whose header was lost if one was.
    pub previous: u16,
    /// Checksum of the payload.
    pub payload_crc: u32,
    /// Offset within the partition.
    pub offset: u64,
    /// Number of the record in the whole log: tells how many a damaged stretch held.
    pub sequence: u64,
}

impl RecordHeader {
    /// Writes the header.
    pub(super) fn encode(&self, seed: u32) -> [u8; RECORD_HEADER_BYTES] {
        let mut bytes = [0; RECORD_HEADER_BYTES];
        bytes[..4].copy_from_slice(&RECORD_MAGIC);
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.partition.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.previous.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.offset.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        let crc = checksum(seed, &bytes[..32]);
        bytes[32..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` if these bytes are not one of the segment with this seed.
    pub(super) fn decode(bytes: &[u8], seed: u32) -> Option<Self> {
        let mut fields = Fields(bytes.get(..RECORD_HEADER_BYTES)?);
        if fields.take::<4>()? != RECORD_MAGIC {
            return None;
        }
        let header = Self {
            length: fields.u32()?,
            partition: fields.u16()?,
            previous: fields.u16()?,
            payload_crc: fields.u32()?,
            offset: fields.u64()?,
            sequence: fields.u64()?,
        };
        (fields.u32()? == checksum(seed, &bytes[..32])).then_some(header)
    }
}

/// What stands at the start of each segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// The number in the file's name.
    pub number: u64,
    /// Where the data of the segment before this one ends. Whatever lies behind was never
    /// acknowledged.
    pub previous_end: u64,
    /// Number of the segment's first record in the whole log.
    pub sequence: u64,
    /// The offset of each partition's first record in this segment.
    pub bases: Vec<u64>,
}

impl SegmentHeader {
    /// The header of a log's very first segment.
    pub(super) fn first(partitions: u16) -> Self {
        let bases = vec![0; usize::from(partitions)];
        Self { number: 0, previous_end: 0, sequence: 0, bases }
    }

    /// Bytes of a segment before its first record.
    pub(super) fn size_bytes(partitions: u16) -> usize {
        SEGMENT_FIXED_BYTES + 8 * usize::from(partitions) + 4
    }

    /// Writes the header.
    pub(super) fn encode(&self, salt: u32) -> Vec<u8> {
        let partitions = u32::try_from(self.bases.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::new();
        bytes.extend(SEGMENT_MAGIC);
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.extend(partitions.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.previous_end.to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        for base in &self.bases {
            bytes.extend(base.to_le_bytes());
        }
        let crc = checksum(seed(salt, self.number), &bytes);
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` if these bytes are not the header of segment `number`.
    pub(super) fn decode(bytes: &[u8], salt: u32, number: u64, partitions: u16) -> Option<Self> {
        let bytes = bytes.get(..Self::size_bytes(partitions))?;
        let mut fields = Fields(bytes);
        if fields.take::<8>()? != SEGMENT_MAGIC
            || fields.u32()? != FORMAT_VERSION
            || fields.u32()? != u32::from(partitions)
            || fields.u64()? != number
        {
            return None;
        }
        let (previous_end, sequence) = (fields.u64()?, fields.u64()?);
        let bases = (0..partitions).map(|_| fields.u64()).collect::<Option<_>>()?;
        let crc = checksum(seed(salt, number), &bytes[..bytes.len() - 4]);
        let header = Self { number, previous_end, sequence, bases };
        (fields.u32()? == crc).then_some(header)
    }
}

/// The payload of the record that a clean close leaves: the offset after each partition's last
/// record. With it, damage at the very end of a log is told from a write that a crash tore.
pub(super) fn encode_ends(ends: &[u64]) -> Vec<u8> {
    ends.iter().flat_map(|end| end.to_le_bytes()).collect()
}

/// Reads what [`encode_ends`] wrote.
pub(super) fn decode_ends(payload: &[u8]) -> Vec<u64> {
    let mut fields = Fields(payload);
    std::iter::from_fn(|| fields.u64()).collect()
}

/// The checksum seed of one segment's headers.
pub(super) fn seed(salt: u32, segment: u64) -> u32 {
    checksum(salt, &segment.to_le_bytes())
}

/// The checksum of a payload. It is not seeded, so that callers compute it before they know
/// where the record will stand.
pub(super) fn payload_checksum(payload: &[u8]) -> u32 {
    crc32fast::hash(payload)
}

fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> RecordHeader {
        RecordHeader {
            length: 7,
            partition: 3,
            previous: 31,
            payload_crc: 0xDEAD_BEEF,
            offset: 1 << 40,
            sequence: 1 << 50,
        }
    }

    #[test]
    fn a_record_header_survives_the_round_trip() {
        assert_eq!(RecordHeader::decode(&record().encode(9), 9), Some(record()));
    }

    #[test]
    fn a_record_header_with_any_bit_flipped_is_none() {
        for bit in 0..RECORD_HEADER_BYTES * 8 {
            let mut bytes = record().encode(9);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&bytes, 9), None, "bit {bit}");
        }
    }

    #[test]
    fn a_record_header_of_another_segment_is_none() {
        let bytes = record().encode(seed(1, 4));
        assert_eq!(RecordHeader::decode(&bytes, seed(1, 5)), None);
        assert_eq!(RecordHeader::decode(&bytes, seed(2, 4)), None);
    }

    #[test]
    fn a_segment_header_survives_the_round_trip_and_no_damage() {
        let header =
            SegmentHeader { number: 5, previous_end: 77, sequence: 12, bases: vec![1, 0, 9] };
        let bytes = header.encode(8);
        assert_eq!(bytes.len(), SegmentHeader::size_bytes(3));
        assert_eq!(SegmentHeader::decode(&bytes, 8, 5, 3), Some(header));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(SegmentHeader::decode(&damaged, 8, 5, 3), None, "byte {at}");
        }
    }

    #[test]
    fn ends_survive_the_round_trip() {
        assert_eq!(decode_ends(&encode_ends(&[0, 7, u64::MAX])), [0, 7, u64::MAX]);
    }
}
