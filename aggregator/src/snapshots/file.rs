//! A partition's file: its documents in the order of their keys, in compressed blocks.
//!
//! ```text
//! file  = "TALLYSNP" partition (u16) block* end
//! block = size (u32, not 0) packed size (u32) xxh3 of the packed bytes (u64) packed bytes (lz4)
//! end   = 0 (u32) 0 (u32) number of documents (u64)
//! bytes = (size of key (u32) size of value (u32) key value)*
//! ```
//!
//! All numbers are little-endian.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use super::error::SnapshotError;
use super::signed::hex;

const MAGIC: &[u8; 8] = b"TALLYSNP";
/// A block is written once it has grown to this.
const BLOCK_BYTES: usize = 256 * 1024;
/// No block is larger, whatever a file says: documents are much smaller.
const LARGEST_BYTES: usize = 1 << 30;

/// A key and its value.
type Document = (Vec<u8>, Vec<u8>);

/// Writes a file.
pub(super) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
    size_bytes: u64,
    documents: u64,
    block: Vec<u8>,
}

/// What was written.
pub(super) struct Written {
    pub(super) documents: u64,
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
}

impl Writer {
    /// Creates the file, or writes it anew.
    pub(super) fn create(path: &Path, partition: u16) -> Result<Self, SnapshotError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = BufWriter::new(file.map_err(SnapshotError::io("create", path))?);
        let (hash, block) = (Sha256::new(), Vec::with_capacity(BLOCK_BYTES));
        let mut writer =
            Self { path: path.to_owned(), file, hash, size_bytes: 0, documents: 0, block };
        writer.put(MAGIC)?;
        writer.put(&partition.to_le_bytes())?;
        Ok(writer)
    }

    /// Adds a document; keys come in their order.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), SnapshotError> {
        for part in [key, value] {
            self.block.extend_from_slice(&length(part).to_le_bytes());
        }
        self.block.extend_from_slice(key);
        self.block.extend_from_slice(value);
        self.documents += 1;
        if self.block.len() >= BLOCK_BYTES { self.write_block() } else { Ok(()) }
    }

    /// Ends the file and syncs it.
    pub(super) fn finish(mut self) -> Result<Written, SnapshotError> {
        self.write_block()?;
        self.put(&[0; 8])?;
        self.put(&self.documents.to_le_bytes())?;
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(SnapshotError::io("write", &self.path))?;
        let Self { documents, size_bytes, hash, .. } = self;
        Ok(Written { documents, size_bytes, sha256: hex(&hash.finalize()) })
    }

    fn write_block(&mut self) -> Result<(), SnapshotError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = lz4_flex::block::compress(&self.block);
        self.put(&length(&self.block).to_le_bytes())?;
        self.put(&length(&packed).to_le_bytes())?;
        self.put(&xxh3_64(&packed).to_le_bytes())?;
        self.put(&packed)?;
        self.block.clear();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.file.write_all(bytes).map_err(SnapshotError::io("write", &self.path))?;
        self.hash.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Sizes of documents and blocks, which are far below the limit of their type.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// The size of a file and its SHA-256 in hexadecimal digits.
pub(super) fn sha256(path: &Path) -> Result<(u64, String), SnapshotError> {
    let mut file = File::open(path).map_err(SnapshotError::io("read", path))?;
    let (mut hash, mut size_bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; BLOCK_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(SnapshotError::io("read", path))?;
        if read == 0 {
            return Ok((size_bytes, hex(&hash.finalize())));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        size_bytes += read as u64;
    }
}

/// Reads a file.
pub(super) struct Reader<R> {
    path: PathBuf,
    source: R,
    block: Vec<u8>,
    at: usize,
    last: Option<Vec<u8>>,
    documents: u64,
    ended: bool,
}

impl Reader<BufReader<File>> {
    /// Opens the file of a partition.
    pub(super) fn open(path: &Path, partition: u16) -> Result<Self, SnapshotError> {
        let file = File::open(path).map_err(SnapshotError::io("read", path))?;
        Self::new(path, BufReader::new(file), partition)
    }
}

impl<R: Read> Reader<R> {
    fn new(path: &Path, source: R, partition: u16) -> Result<Self, SnapshotError> {
        let (path, block) = (path.to_owned(), Vec::new());
        let mut reader =
            Self { path, source, block, at: 0, last: None, documents: 0, ended: false };
        let magic: [u8; 8] = reader.take()?;
        let found = u16::from_le_bytes(reader.take()?);
        if magic != *MAGIC || found != partition {
            return Err(reader.damaged("it does not begin as a file of its partition"));
        }
        Ok(reader)
    }

    /// The next document; `None` at the end of a whole file.
    pub(super) fn next(&mut self) -> Result<Option<Document>, SnapshotError> {
        if self.at == self.block.len() && !self.read_block()? {
            return Ok(None);
        }
        let head = self.piece(8)?;
        let size = |at: usize| {
            let bytes = head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes) as usize
        };
        let (key, value) = (self.piece(size(0))?, self.piece(size(4))?);
        if self.last.as_ref().is_some_and(|last| *last >= key) {
            return Err(self.damaged("its keys are not in their order"));
        }
        self.last = Some(key.clone());
        self.documents += 1;
        Ok(Some((key, value)))
    }

    /// Reads the next block; `false` at the end.
    fn read_block(&mut self) -> Result<bool, SnapshotError> {
        if self.ended {
            return Ok(false);
        }
        let size = u32::from_le_bytes(self.take()?) as usize;
        let packed = u32::from_le_bytes(self.take()?) as usize;
        let check = u64::from_le_bytes(self.take()?);
        if size == 0 {
            self.ended = true;
            return if check == self.documents && packed == 0 {
                Ok(false)
            } else {
                Err(self.damaged("it ends before its last document"))
            };
        }
        if size > LARGEST_BYTES || packed > LARGEST_BYTES {
            return Err(self.damaged("a block is too large"));
        }
        let mut bytes = vec![0; packed];
        let read = self.source.read_exact(&mut bytes);
        read.map_err(|_| self.damaged("it breaks off within a block"))?;
        if xxh3_64(&bytes) != check {
            return Err(self.damaged("the checksum of a block is wrong"));
        }
        let unpacked = lz4_flex::block::decompress(&bytes, size);
        let unpacked = unpacked.ok().filter(|block| block.len() == size);
        self.block = unpacked.ok_or_else(|| self.damaged("a block cannot be unpacked"))?;
        self.at = 0;
        Ok(true)
    }

    fn piece(&mut self, size: usize) -> Result<Vec<u8>, SnapshotError> {
        let end = self.at.saturating_add(size);
        let piece = self.block.get(self.at..end).map(<[u8]>::to_vec);
        let piece = piece.ok_or_else(|| self.damaged("a document goes beyond its block"))?;
        self.at = end;
        Ok(piece)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let mut bytes = [0; N];
        let read = self.source.read_exact(&mut bytes);
        read.map_err(|_| self.damaged("it breaks off"))?;
        Ok(bytes)
    }

    fn damaged(&self, what: &str) -> SnapshotError {
        SnapshotError::Damaged { path: self.path.clone(), what: what.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Documents that fill some blocks.
    fn documents() -> Vec<Document> {
        let document = |number: u32| {
            let size = usize::try_from(number % 900).expect("small");
            (number.to_be_bytes().to_vec(), vec![number.to_le_bytes()[0]; size])
        };
        (0..2_000).map(document).collect()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Document>, SnapshotError> {
        let mut reader = Reader::new(Path::new("file"), bytes, 3)?;
        let mut found = Vec::new();
        while let Some(document) = reader.next()? {
            found.push(document);
        }
        Ok(found)
    }

    #[test]
    fn documents_come_back_and_damage_is_seen() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let mut writer = Writer::create(&path, 3).expect("created");
        for (key, value) in documents() {
            writer.add(&key, &value).expect("added");
        }
        let written = writer.finish().expect("written");
        let bytes = std::fs::read(&path).expect("a file");
        assert_eq!((written.documents, written.size_bytes), (2_000, bytes.len() as u64));
        assert_eq!(written.sha256, hex(&Sha256::digest(&bytes)));
        assert_eq!(read(&bytes).expect("sound"), documents());
        let (end, ends) = (bytes.len(), 64);
        for at in (0..end).filter(|at| *at < ends || end - at < ends || at % 97 == 0) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(read(&bytes).is_err(), "byte {at}");
        }
        for end in (0..bytes.len()).step_by(97) {
            assert!(read(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn keys_come_in_order() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let mut writer = Writer::create(&path, 3).expect("created");
        writer.add(b"b", b"").expect("added");
        writer.add(b"a", b"").expect("added");
        writer.finish().expect("written");
        let error = read(&std::fs::read(&path).expect("a file")).expect_err("refused").to_string();
        assert!(error.contains("order"), "{error}");
    }
}
