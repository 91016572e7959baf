//! The segment that is written to.

use std::{fs::File, io};

use super::{
    super::{AppendError, LogOp},
    disk::Disk,
};

/// Zeros are written this far ahead of the data. Syncing a write into zeros need not record a new
/// file size, which makes it about twice as fast.
const ZERO_BYTES: usize = 1 << 20;
static ZEROS: [u8; ZERO_BYTES] = [0; ZERO_BYTES];

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Active {
    /// The segment's file.
    pub file: File,
    /// The number in the file's name.
    pub number: u64,
    /// Where the durable data ends.
    pub end: u64,
    /// Up to where the file is allocated.
    pub allocated: u64,
    /// Up to where zeros are written ahead.
    pub max_bytes: u64,
    /// The segment must not be written to again.
    pub broken: bool,
}

impl Active {
    /// Continues a segment behind its data.
    pub(super) fn new(file: File, number: u64, end: u64, max_bytes: u64) -> Self {
        Self { file, number, end, allocated: end, max_bytes, broken: false }
    }

    /// Writes `bytes` behind the data and makes them durable, or cuts off what it has written.
    pub(super) fn commit(&mut self, disk: &dyn Disk, bytes: &[u8]) -> Result<(), AppendError> {
        let end = self.end + bytes.len() as u64;
        if let Err(source) = self.write(disk, bytes, end) {
            // Remains that cannot be cut off could later pass for records.
            self.broken = !self.cut(disk);
            return Err(AppendError::from_io(LogOp::Append, source));
        }
        if let Err(source) = disk.sync_data(&self.file) {
            // The system may have marked the pages as clean: another sync could then succeed
            // without having written them.
            self.broken = true;
            self.cut(disk);
            return Err(AppendError::from_io(LogOp::Fsync, source));
        }
        self.end = end;
        Ok(())
    }

    /// Gives back the room behind the data; `false` if that fails. What stays there is never read:
    /// the next segment's header says where this one ends.
    pub(super) fn cut(&mut self, disk: &dyn Disk) -> bool {
        self.allocated = self.end;
        let cut = disk.truncate(&self.file, self.end);
        if let Err(error) = &cut {
            tracing::warn!(%error, segment = self.number, "could not cut a segment of the log");
        }
        cut.is_ok()
    }

    fn write(&mut self, disk: &dyn Disk, bytes: &[u8], end: u64) -> io::Result<()> {
        if end > self.allocated && end < self.max_bytes {
            let ahead = self.max_bytes.min(end + ZERO_BYTES as u64);
            let zeros = usize::try_from(ahead - end).unwrap_or(0);
            if disk.write_at(&self.file, &ZEROS[..zeros], end).is_ok() {
                self.allocated = ahead;
            } else {
                // Zeros are a convenience: where they find no room, the records still may.
                disk.truncate(&self.file, self.end)?;
            }
        }
        disk.write_at(&self.file, bytes, self.end)
    }
}
