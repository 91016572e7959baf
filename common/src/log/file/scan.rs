//! Finds the records in a stretch of a segment, and finds them again after a damage.

use std::{fs::File, io, os::unix::fs::FileExt};

use bytes::{Bytes, BytesMut};

use super::format::{RECORD_HEADER_BYTES, RECORD_MAGIC, RecordHeader, payload_checksum};

/// One read from the page cache. Large enough that the call costs nothing per record.
const READ_BYTES: u64 = 128 << 10;
static ZEROS: [u8; 4096] = [0; 4096];

/// What stands at a position of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A sound record, or one whose payload nobody wants and nobody checked.
    Record {
        /// Its header.
        header: RecordHeader,
        /// Its payload; empty if it is not wanted.
        payload: Bytes,
    },
    /// A record whose payload is damaged.
    BadPayload {
        /// Its header, which is sound.
        header: RecordHeader,
    },
    /// Bytes in which no record begins, up to the next sound record or to the limit.
    Damaged {
        /// Nothing but zeros: room that was never written to.
        blank: bool,
    },
    /// The limit is reached.
    End,
}

/// Reads a segment's file forward, up to a limit.
#[derive(Debug)]
pub(super) struct Scanner {
    file: File,
    seed: u32,
    at: u64,
    limit: u64,
    buffer: Bytes,
    buffer_at: u64,
}

impl Scanner {
    /// Scans `file` from `at` on, once a limit is set.
    pub(super) fn new(file: File, seed: u32, at: u64) -> Self {
        let buffer = Bytes::new();
        Self { file, seed, at, limit: at, buffer, buffer_at: at }
    }

    /// The byte at which the next step begins.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// The byte before which the last step ends.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Moves the limit, at most to the end of the file.
    pub(super) fn set_limit(&mut self, limit: u64) -> io::Result<()> {
        self.limit = limit.min(self.file.metadata()?.len());
        Ok(())
    }

    /// Takes one step. Payloads are read and checked only where `wants` says so.
    pub(super) fn step(&mut self, wants: impl Fn(&RecordHeader) -> bool) -> io::Result<Step> {
        if self.at >= self.limit {
            return Ok(Step::End);
        }
        let Some(header) = self.header_at(self.at)? else {
            return self.search();
        };
        let size = record_size(&header);
        if !wants(&header) {
            self.at += size;
            return Ok(Step::Record { header, payload: Bytes::new() });
        }
        let record = self.bytes(self.at, size)?;
        self.at += size;
        let payload = record.slice(RECORD_HEADER_BYTES..);
        if payload_checksum(&payload) == header.payload_crc {
            Ok(Step::Record { header, payload })
        } else {
            Ok(Step::BadPayload { header })
        }
    }

    /// The sound header at a position, if its record ends within the limit.
    fn header_at(&mut self, at: u64) -> io::Result<Option<RecordHeader>> {
        if self.limit - at < RECORD_HEADER_BYTES as u64 {
            return Ok(None);
        }
        let bytes = self.bytes(at, RECORD_HEADER_BYTES as u64)?;
        let header = RecordHeader::decode(&bytes, self.seed);
        // A wild length would have to pass the checksum, and even then it ends within the file.
        Ok(header.filter(|header| record_size(header) <= self.limit - at))
    }

    /// Goes forward to the next record that is sound as a whole: a header alone could be a torn
    /// write's, and its length would then lead over records that are good.
    fn search(&mut self) -> io::Result<Step> {
        let mut blank = true;
        let mut from = self.at;
        while from < self.limit {
            let window = self.bytes(from, READ_BYTES.min(self.limit - from))?;
            if !is_zero(&window) {
                blank = false;
                let starts =
                    window.iter().enumerate().filter(|(_, byte)| **byte == RECORD_MAGIC[0]);
                for (index, _) in starts {
                    let at = from + index as u64;
                    if at > self.at && self.is_sound(at)? {
                        self.at = at;
                        return Ok(Step::Damaged { blank });
                    }
                }
            }
            from += window.len() as u64;
        }
        self.at = self.limit;
        Ok(Step::Damaged { blank })
    }

    fn is_sound(&mut self, at: u64) -> io::Result<bool> {
        let Some(header) = self.header_at(at)? else { return Ok(false) };
        let record = self.bytes(at, record_size(&header))?;
        Ok(payload_checksum(&record[RECORD_HEADER_BYTES..]) == header.payload_crc)
    }

    /// The bytes from `at`, which must end within the limit.
    fn bytes(&mut self, at: u64, size: u64) -> io::Result<Bytes> {
        let buffered = self.buffer_at..self.buffer_at + self.buffer.len() as u64;
        if at < buffered.start || at + size > buffered.end {
            let read = size.max(READ_BYTES.min(self.limit - at));
            let mut buffer = BytesMut::zeroed(to_usize(read));
            self.file.read_exact_at(&mut buffer, at)?;
            self.buffer = buffer.freeze();
            self.buffer_at = at;
        }
        let start = to_usize(at - self.buffer_at);
        Ok(self.buffer.slice(start..start + to_usize(size)))
    }
}

/// Bytes of a record on disk.
fn record_size(header: &RecordHeader) -> u64 {
    RECORD_HEADER_BYTES as u64 + u64::from(header.length)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|chunk| chunk == &ZEROS[..chunk.len()])
}

/// Sizes that come from one read always fit; a wild one ends as an allocation that is refused.
fn to_usize(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
