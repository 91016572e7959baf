//! The segment files of a log's directory.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{OpenError, disk::Disk, format::SegmentHeader, meta::Meta};

const EXTENSION: &str = "seg";
const TEMPORARY: &str = "segment.tmp";

/// One segment, as far as readers need to know it.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// The number in the file's name.
    pub number: u64,
    /// The header; `None` if it is damaged. The first segment of a list always has one.
    pub header: Option<Arc<SegmentHeader>>,
    /// Where the durable data ends.
    pub end: u64,
}

impl Segment {
    /// A segment that was just created.
    pub(super) fn new(header: SegmentHeader, end: u64) -> Self {
        Self { number: header.number, header: Some(Arc::new(header)), end }
    }
}

/// The path of a segment.
pub(super) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.{EXTENSION}"))
}

/// Lists the segments in order. The end of the last one is the file's; recovery corrects it.
pub(super) fn list(directory: &Path, meta: &Meta) -> Result<Vec<Segment>, OpenError> {
    let mut numbers = numbers(directory).map_err(|source| OpenError::io(directory, source))?;
    numbers.sort_unstable();
    let mut segments: Vec<Segment> = Vec::new();
    for number in numbers {
        let path = path(directory, number);
        let (header, end) =
            load(&path, meta, number).map_err(|source| OpenError::io(&path, source))?;
        match (segments.last_mut(), &header) {
            (Some(last), Some(header)) if last.number + 1 == number => {
                last.end = last.end.min(header.previous_end);
            }
            (None, None) => return Err(OpenError::FirstSegment { path }),
            _ => {}
        }
        segments.push(Segment { number, header: header.map(Arc::new), end });
    }
    Ok(segments)
}

/// Creates a segment. It bears its name only once its header is durable.
pub(super) fn create(
    disk: &dyn Disk,
    directory: &Path,
    meta: &Meta,
    header: &SegmentHeader,
) -> io::Result<File> {
    let temporary = directory.join(TEMPORARY);
    let file = disk.create(&temporary)?;
    disk.write_at(&file, &header.encode(meta.salt), 0)?;
    disk.sync_data(&file)?;
    disk.rename(&temporary, &path(directory, header.number))?;
    Ok(file)
}

/// Removes every segment before `first`, the oldest first, each durably: whatever a crash leaves of
/// it is a log without a hole.
pub(super) fn remove_before(disk: &dyn Disk, directory: &Path, first: u64) -> io::Result<usize> {
    let mut old = numbers(directory)?;
    old.retain(|&number| number < first);
    old.sort_unstable();
    for &number in &old {
        disk.remove(&path(directory, number))?;
    }
    Ok(old.len())
}

fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION)
            && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
            && let Ok(number) = stem.parse()
        {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

fn load(path: &Path, meta: &Meta, number: u64) -> io::Result<(Option<SegmentHeader>, u64)> {
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.take(SegmentHeader::size_bytes(meta.partitions) as u64).read_to_end(&mut bytes)?;
    let header = SegmentHeader::decode(&bytes, meta.salt, number, meta.partitions);
    if header.is_some() || number > 0 {
        return Ok((header, end));
    }
    // Nothing can stand before the very first segment, so what its header said is known.
    Ok((Some(SegmentHeader::first(meta.partitions)), end))
}
