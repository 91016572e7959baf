//! The log as segment files in a directory: the embedded log, and the spool.
//!
//! One thread writes. It takes all records that wait, writes them with one call, syncs once and
//! answers everybody; so a sync costs each caller little, and an acknowledgement always means a
//! finished `fdatasync`. Readers read the page cache behind it.
//!
//! What a crash leaves behind the last sound record is cut off when the log is opened. What is
//! damaged before a sound record stays in place and is reported as quarantined.

mod active;
mod disk;
mod error;
mod format;
mod meta;
mod queue;
mod reader;
mod recover;
mod scan;
mod segments;
mod shared;
mod track;
mod verify;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Instant,
};

use bytes::Bytes;
use tokio::sync::oneshot;

pub use self::{
    disk::{Disk, SystemDisk},
    error::OpenError,
    reader::FileReader,
    verify::{VerifyError, VerifyReport, verify},
};
use self::{
    format::payload_checksum,
    meta::{DirectoryLock, Meta, create_directory},
    queue::{Queue, Request},
    shared::Shared,
    walk::Ground,
    writer::{Next, Writer},
};
use super::{
    Append, AppendError, Appended, LogMetrics, LogStats, NoMetrics, Place, ReadError, Subscribe,
};

/// How a file log behaves.
#[derive(Clone)]
pub struct FileLogOptions {
    /// How many partitions the log has. Fixed when it is created.
    pub partitions: u16,
    /// Size at which a segment is full; 64 MiB by default.
    pub segment_bytes: u64,
    /// The longest payload that is taken; 16 MiB by default.
    pub max_payload_bytes: u32,
    /// How many records may wait for the disk; 65,536 by default.
    pub max_queued_records: usize,
    /// How many bytes may wait for the disk; 64 MiB by default.
    pub max_queued_bytes: usize,
    /// How many bytes are written before a sync; 4 MiB by default.
    pub max_group_bytes: u64,
    /// Receives what is measured.
    pub metrics: Arc<dyn LogMetrics>,
    /// The disk; tests bring one that fails.
    pub disk: Arc<dyn Disk>,
}

impl FileLogOptions {
    /// The defaults.
    #[must_use]
    pub fn new(partitions: u16) -> Self {
        Self {
            partitions,
            segment_bytes: 64 << 20,
            max_payload_bytes: 16 << 20,
            max_queued_records: 1 << 16,
            max_queued_bytes: 64 << 20,
            max_group_bytes: 4 << 20,
            metrics: Arc::new(NoMetrics),
            disk: Arc::new(SystemDisk),
        }
    }
}

/// A log in a directory. Clones share it; the last one to go closes it.
#[derive(Clone)]
pub struct FileLog {
    inner: Arc<Inner>,
}

impl FileLog {
    /// Opens the log in `directory` for appending and reading, and creates it if there is none.
    pub fn open(directory: &Path, options: FileLogOptions) -> Result<Self, OpenError> {
        create_directory(directory).map_err(|source| OpenError::io(directory, source))?;
        let lock = DirectoryLock::exclusive(directory)?;
        let meta = Meta::load_or_create(directory, options.partitions, &*options.disk)?;
        let ground = Ground { directory: directory.to_path_buf(), meta };
        let (tail, active) = recover::open(&ground, &options)?;
        let next = Next::after(&tail.tracker);
        let shared = Arc::new(Shared::new(ground, Arc::clone(&options.metrics), tail));
        let queue = Arc::new(Queue::new(options.max_queued_records, options.max_queued_bytes));
        let writer = Writer {
            shared: Arc::clone(&shared),
            queue: Arc::clone(&queue),
            disk: Arc::clone(&options.disk),
            active,
            segment_bytes: options.segment_bytes,
            max_group_bytes: options.max_group_bytes,
            next,
            failing: false,
            buffer: Vec::new(),
        };
        let thread = thread::Builder::new().name("log-writer".to_owned());
        let thread = thread.spawn(move || writer.run());
        let thread = thread.map_err(|source| OpenError::io(directory, source))?;
        let held = Mutex::new(Some(Held { thread: Some(thread), _lock: lock }));
        let max_payload_bytes = options.max_payload_bytes;
        let disk = options.disk;
        Ok(Self { inner: Arc::new(Inner { shared, queue, max_payload_bytes, disk, held }) })
    }

    /// Opens the log in `directory` for reading, without changing a byte of it. No process may
    /// have it open for appending. Readers end with [`ReadError::Closed`].
    pub fn open_read_only(directory: &Path) -> Result<Self, OpenError> {
        let lock = DirectoryLock::shared(directory)?;
        let meta = Meta::load(directory)?;
        let ground = Ground { directory: directory.to_path_buf(), meta };
        let tail = recover::look(&ground)?;
        let shared = Arc::new(Shared::new(ground, Arc::new(NoMetrics), tail));
        shared.close();
        let queue = Arc::new(Queue::new(0, 0));
        queue.close();
        let held = Mutex::new(Some(Held { thread: None, _lock: lock }));
        let (max_payload_bytes, disk) = (u32::MAX, Arc::new(SystemDisk));
        Ok(Self { inner: Arc::new(Inner { shared, queue, max_payload_bytes, disk, held }) })
    }

    /// Writes what is queued, refuses further appends, ends the readers once they have read
    /// everything, and releases the directory. It blocks until the disk is done.
    pub fn close(&self) {
        self.inner.close();
    }

    /// What the log holds.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        self.inner.shared.stats()
    }

    /// Reads the whole log and says what is wrong with it. It may be open for appending.
    pub fn verify(&self) -> Result<VerifyReport, ReadError> {
        verify::verify_shared(&self.inner.shared)
    }

    /// Deletes the segments that hold nothing from `positions` on; returns how many. The last segment
    /// always stays. What an earlier call could not delete is tried again as soon as there is more.
    pub fn trim(&self, positions: &[u64]) -> io::Result<usize> {
        let shared = &self.inner.shared;
        match shared.trim(positions) {
            (_, false) => Ok(0),
            (first, true) => {
                segments::remove_before(&*self.inner.disk, &shared.ground.directory, first)
            }
        }
    }

    /// The bytes of the durable records behind `place`, up to which a reader came.
    #[must_use]
    pub fn bytes_after(&self, place: Place) -> u64 {
        self.inner.shared.bytes_after(place)
    }
}

impl Append for FileLog {
    async fn append(&self, partition: u16, payload: Bytes) -> Result<Appended, AppendError> {
        let shared = &self.inner.shared;
        let (size_bytes, limit_bytes) = (payload.len(), self.inner.max_payload_bytes as usize);
        if size_bytes > limit_bytes {
            return Err(AppendError::TooLarge { size_bytes, limit_bytes });
        }
        let partitions = shared.ground.meta.partitions;
        if partition >= partitions {
            return Err(AppendError::UnknownPartition { partition, partitions });
        }
        let started = Instant::now();
        let payload_crc = payload_checksum(&payload);
        let (answer, answered) = oneshot::channel();
        self.inner.queue.push(Request { partition, payload_crc, payload, answer })?;
        let appended = answered.await.unwrap_or(Err(AppendError::Closed))?;
        shared.metrics.appended(started.elapsed());
        Ok(appended)
    }
}

impl Subscribe for FileLog {
    type Reader = FileReader;

    fn partitions(&self) -> u16 {
        self.inner.shared.ground.meta.partitions
    }

    fn start_positions(&self) -> Result<Vec<u64>, ReadError> {
        Ok(self.inner.shared.starts())
    }

    fn end_positions(&self) -> Result<Vec<u64>, ReadError> {
        Ok(self.inner.shared.ends())
    }

    fn open_from(&self, positions: &[u64]) -> Result<FileReader, ReadError> {
        FileReader::open(Arc::clone(&self.inner.shared), positions)
    }
}

impl std::fmt::Debug for FileLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let directory = &self.inner.shared.ground.directory;
        formatter.debug_struct("FileLog").field("directory", directory).finish_non_exhaustive()
    }
}

struct Inner {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    max_payload_bytes: u32,
    disk: Arc<dyn Disk>,
    held: Mutex<Option<Held>>,
}

/// What an open log holds until it is closed.
struct Held {
    thread: Option<JoinHandle<()>>,
    _lock: DirectoryLock,
}

impl Inner {
    fn close(&self) {
        self.queue.close();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // The directory must stay locked until the writer is done with it.
        let Some(Held { thread, _lock }) = held.take() else { return };
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the log's writer panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
