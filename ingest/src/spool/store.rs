//! The spool on disk: the embedded log as a queue. It holds what Kafka did not take in time, in one
//! partition, since the order of deliveries means nothing.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use common::log::file::{Disk, FileLog, FileLogOptions, FileReader, OpenError, SystemDisk};
use common::log::{
    Append as _, AppendError, BatchLimit, Item, LogMetrics, LogOp, Place, ReadBatch as _,
    ReadError, Record, Subscribe as _,
};
use common::time::Timestamp;

use super::position::PositionFile;

/// The record by which a spool proves itself. It is no event: an event begins with a brace.
pub(super) const PROOF: &[u8] = b"tallyhook spool proof";
/// The one partition.
const PARTITION: u16 = 0;
/// What a record takes on the disk beside its payload.
const OVERHEAD_BYTES: u64 = 36;
/// The spool's limit is at least so many segments, so that what is drained gives room soon.
const SEGMENTS: u64 = 8;
/// The least that a log's segment may have.
const LEAST_SEGMENT_BYTES: u64 = 64 << 10;
/// Nothing waits.
const NOTHING: i64 = i64::MAX;

/// How a spool behaves.
#[derive(Clone)]
pub struct SpoolOptions {
    /// What it may take on the disk.
    pub max_bytes: u64,
    /// Size at which a segment is full, unless that is much of the limit.
    pub segment_bytes: u64,
    /// Receives what is measured.
    pub metrics: Arc<dyn LogMetrics>,
    /// The disk; tests bring one that fails.
    pub disk: Arc<dyn Disk>,
}

impl SpoolOptions {
    /// On the system's disk.
    #[must_use]
    pub fn new(max_bytes: u64, segment_bytes: u64, metrics: Arc<dyn LogMetrics>) -> Self {
        Self { max_bytes, segment_bytes, metrics, disk: Arc::new(SystemDisk) }
    }
}

/// What waits in a spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// When the receiver took the oldest one.
    pub oldest: Option<Timestamp>,
    /// Records that were damaged on the disk, and so are lost.
    pub corrupt_records: u64,
}

/// A spool that is open.
pub struct Spool {
    log: FileLog,
    file: PositionFile,
    disk: Arc<dyn Disk>,
    max_bytes: u64,
    /// Bytes that are about to be written.
    reserved_bytes: AtomicU64,
    /// The offset that is to be drained next.
    position: AtomicU64,
    /// How far the drainer has read.
    place: Mutex<Place>,
    oldest_ms: AtomicI64,
    /// Why it takes no records, as far as the last attempt tells.
    trouble: Mutex<Option<AppendError>>,
}

impl Spool {
    /// Opens the spool in `directory`, makes it if there is none, and has it prove itself: it writes
    /// a record and reads it back. What came of that tells [`Self::trouble`]; an error is a directory
    /// that cannot be used at all. It blocks.
    pub fn open(directory: &Path, options: SpoolOptions) -> Result<Self, OpenError> {
        let SpoolOptions { max_bytes, segment_bytes, metrics, disk } = options;
        let log = FileLogOptions {
            segment_bytes: segment_bytes.min(max_bytes / SEGMENTS).max(LEAST_SEGMENT_BYTES),
            metrics,
            disk: Arc::clone(&disk),
            ..FileLogOptions::new(1)
        };
        let log = FileLog::open(directory, log)?;
        let file = PositionFile::new(directory);
        let position = file.load(first(log.start_positions()), first(log.end_positions()));
        let spool = Self {
            log,
            file,
            disk,
            max_bytes,
            reserved_bytes: AtomicU64::new(0),
            position: AtomicU64::new(position),
            place: Mutex::new(Place::default()),
            oldest_ms: AtomicI64::new(NOTHING),
            trouble: Mutex::new(None),
        };
        if let Err(error) = spool.prove() {
            tracing::error!(%error, "the spool could not prove itself");
            *spool.lock_trouble() = Some(error);
        }
        Ok(spool)
    }

    /// Appends a record; `Ok` once it survives the loss of power.
    pub async fn append(&self, payload: Bytes) -> Result<(), AppendError> {
        let appended = self.try_append(payload).await.map(|_| ());
        let mut trouble = self.lock_trouble();
        if let Err(error) = &appended {
            if trouble.is_none() {
                tracing::error!(%error, "the spool takes no records");
            }
            *trouble = Some(error.clone());
        } else if trouble.take().is_some() {
            tracing::info!("the spool takes records again");
        }
        drop(trouble);
        appended
    }

    /// Why it takes no records, as far as the last attempt tells.
    #[must_use]
    pub fn trouble(&self) -> Option<AppendError> {
        self.lock_trouble().clone()
    }

    /// What waits.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        let records = self.end().saturating_sub(self.position.load(Ordering::Acquire));
        let corrupt_records = self.log.stats().corrupt_records;
        if records == 0 {
            return Waiting { corrupt_records, ..Waiting::default() };
        }
        let place = *self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = self.oldest_ms.load(Ordering::Acquire);
        let oldest = (oldest != NOTHING).then(|| Timestamp::from_ms(oldest));
        let size_bytes = self.log.bytes_after(place);
        Waiting { records, size_bytes, oldest, corrupt_records }
    }

    /// Reads from what is to be drained next.
    pub(super) fn reader(&self) -> Result<FileReader, ReadError> {
        self.log.open_from(&[self.position()])
    }

    /// The offset that is to be drained next.
    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    /// Everything before `position` is drained. Of what is left, the oldest was taken at `oldest`,
    /// and it lies behind `place`.
    pub(super) fn drained(&self, position: u64, place: Place, oldest: Option<Timestamp>) {
        self.oldest_ms.store(oldest.map_or(NOTHING, Timestamp::ms), Ordering::Release);
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
        self.position.store(position, Ordering::Release);
        // Whatever was in the way before, there is room again.
        if position == self.end() && matches!(self.trouble(), Some(AppendError::Full(_))) {
            *self.lock_trouble() = None;
        }
    }

    /// Makes the position durable and deletes the segments before it.
    pub(super) fn settle(&self) -> io::Result<()> {
        let position = self.position();
        self.file.save(&*self.disk, position)?;
        self.log.trim(&[position]).map(|_| ())
    }

    /// Writes what is queued and releases the directory. It blocks.
    pub(super) fn close(&self) {
        self.log.close();
    }

    fn end(&self) -> u64 {
        first(self.log.end_positions())
    }

    async fn try_append(&self, payload: Bytes) -> Result<u64, AppendError> {
        let size_bytes = payload.len() as u64 + OVERHEAD_BYTES;
        let _reserved = self.reserve(size_bytes)?;
        Ok(self.log.append(PARTITION, payload).await?.offset)
    }

    /// Keeps room for a record while it is written.
    fn reserve(&self, size_bytes: u64) -> Result<Reserved<'_>, AppendError> {
        let before = self.reserved_bytes.fetch_add(size_bytes, Ordering::AcqRel);
        let reserved = Reserved { spool: self, size_bytes };
        let used = self.log.stats().size_bytes.saturating_add(before);
        if used.saturating_add(size_bytes) > self.max_bytes {
            let text = format!("the spool may hold spool.max_bytes = {}", self.max_bytes);
            let full = io::Error::new(io::ErrorKind::StorageFull, text);
            return Err(AppendError::Full(Arc::new(full)));
        }
        Ok(reserved)
    }

    /// Writes a record and reads it back.
    fn prove(&self) -> Result<(), AppendError> {
        let failed = |source| AppendError::Io { op: LogOp::Read, source: Arc::new(source) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
        let offset = runtime.block_on(self.try_append(Bytes::from_static(PROOF)))?;
        let limit = BatchLimit { max_records: 1, max_bytes: PROOF.len() };
        let read = self.log.open_from(&[offset]);
        let read = read.and_then(|mut reader| reader.next_batch(limit, Duration::from_secs(1)));
        match read.as_deref() {
            Ok([Item::Record(Record { payload, .. })]) if payload == PROOF => Ok(()),
            Ok(_) => Err(failed(io::Error::other("what was written came back otherwise"))),
            Err(error) => Err(failed(io::Error::other(error.to_string()))),
        }
    }

    fn lock_trouble(&self) -> MutexGuard<'_, Option<AppendError>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the room back.
struct Reserved<'a> {
    spool: &'a Spool,
    size_bytes: u64,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.spool.reserved_bytes.fetch_sub(self.size_bytes, Ordering::AcqRel);
    }
}

/// The one partition's position. A log on disk always knows its own.
fn first(positions: Result<Vec<u64>, ReadError>) -> u64 {
    positions.ok().and_then(|all| all.first().copied()).unwrap_or(0)
}
