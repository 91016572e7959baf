//! Reads a whole log and says what is wrong with it.

use std::{collections::VecDeque, path::Path};

use super::{
    super::{Item, Quarantined, ReadError},
    FileLog, OpenError,
    shared::Shared,
    walk::{Walk, describe},
};

/// The health of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segment files.
    pub segments: usize,
    /// Sound records of each partition.
    pub records: Vec<u64>,
    /// Bytes of data with its headers.
    pub size_bytes: u64,
    /// Records that can no longer be read.
    pub corrupt: Vec<Quarantined>,
    /// Segments whose header is damaged; their records are counted all the same.
    pub damaged_headers: Vec<u64>,
}

impl VerifyReport {
    /// Everything that was ever acknowledged can be read.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.corrupt.is_empty() && self.damaged_headers.is_empty()
    }
}

/// Why a log could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The log could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Verifies the log in a directory that no other process has open for writing.
pub fn verify(directory: &Path) -> Result<VerifyReport, VerifyError> {
    Ok(FileLog::open_read_only(directory)?.verify()?)
}

/// Verifies the durable part of an open log.
pub(super) fn verify_shared(shared: &Shared) -> Result<VerifyReport, ReadError> {
    let ground = &shared.ground;
    let everything = vec![0; usize::from(ground.meta.partitions)];
    let segments = shared.segments();
    let mut report = VerifyReport {
        segments: segments.len(),
        records: everything.clone(),
        size_bytes: segments.iter().map(|segment| segment.end).sum(),
        corrupt: Vec::new(),
        damaged_headers: Vec::new(),
    };
    let mut items = VecDeque::new();
    let mut walk: Option<Walk> = None;
    for segment in &segments {
        let failed =
            |source| ReadError::Io { what: describe(&ground.path(segment.number)), source };
        match (&mut walk, &segment.header) {
            (Some(walk), _) => walk.enter(segment, &everything, &mut items).map_err(failed)?,
            (None, Some(header)) => {
                walk = Some(Walk::begin(ground.clone(), segment, header).map_err(failed)?);
            }
            (None, None) => {}
        }
        if segment.header.is_none() {
            report.damaged_headers.push(segment.number);
        }
        while let Some(walk) = &mut walk {
            let more = walk.step(&everything, &mut items).map_err(failed)?;
            for item in items.drain(..) {
                report.count(item);
            }
            if !more {
                break;
            }
        }
    }
    for lost in &report.corrupt {
        shared.quarantine(lost);
    }
    Ok(report)
}

impl VerifyReport {
    fn count(&mut self, item: Item) {
        match item {
            Item::Quarantined(lost) => self.corrupt.push(lost),
            Item::Record(record) => {
                if let Some(records) = self.records.get_mut(usize::from(record.partition)) {
                    *records += 1;
                }
            }
        }
    }
}
