//! Finds where a log ends when it is opened, and repairs what a crash may have left there.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
};

use super::{
    super::{Item, Quarantined},
    FileLogOptions, OpenError,
    active::Active,
    disk::Disk,
    format::{CONTROL, SegmentHeader},
    scan::Step,
    segments::{self, Segment},
    track::Tracker,
    walk::{Ground, Walk},
};

/// What is left of a log after a crash, a damage, or neither.
pub(super) struct Tail {
    /// All segments; the last one ends behind its last sound record.
    pub segments: Vec<Segment>,
    /// How far each partition and the log as a whole came.
    pub tracker: Tracker,
    /// Damage in the last segment that sound records follow: not a crash's.
    pub lost: Vec<Quarantined>,
    /// Bytes stand behind the end: a write that a crash tore.
    torn: bool,
}

/// Opens a log for reading: finds its end and changes nothing.
pub(super) fn look(ground: &Ground) -> Result<Tail, OpenError> {
    let segments = segments::list(&ground.directory, &ground.meta)?;
    find_tail(ground, segments).map_err(|source| OpenError::io(&ground.directory, source))
}

/// Opens a log for appending: finds its end, repairs it, and starts the first segment of a log
/// that has none.
pub(super) fn open(ground: &Ground, options: &FileLogOptions) -> Result<(Tail, Active), OpenError> {
    let mut tail = look(ground)?;
    let active = resume(ground, options, &mut tail);
    Ok((tail, active.map_err(|source| OpenError::io(&ground.directory, source))?))
}

fn resume(ground: &Ground, options: &FileLogOptions, tail: &mut Tail) -> io::Result<Active> {
    let max_bytes = options.segment_bytes;
    if let Some(last) = tail.segments.last() {
        let file = repair(&*options.disk, ground, last, tail, options.max_group_bytes)?;
        if last.header.is_some() && tail.tracker.unresolved() == 0 {
            let (number, end) = (last.number, last.end);
            return Ok(Active::new(file, number, end, max_bytes));
        }
    }
    let header = header_after(ground, tail);
    let file = segments::create(&*options.disk, &ground.directory, &ground.meta, &header)?;
    let (number, end) = (header.number, SegmentHeader::size_bytes(ground.meta.partitions) as u64);
    tail.tracker = Tracker::new(&header);
    tail.segments.push(Segment::new(header, end));
    Ok(Active::new(file, number, end, max_bytes))
}

/// The header of a log's first segment, or of the one that must follow a tail whose losses have
/// no names: there every partition goes on behind the offsets that it may have lost, so that
/// none is given out twice.
fn header_after(ground: &Ground, tail: &Tail) -> SegmentHeader {
    let Some(last) = tail.segments.last() else {
        return SegmentHeader::first(ground.meta.partitions);
    };
    let unresolved = tail.tracker.unresolved();
    SegmentHeader {
        number: last.number + 1,
        previous_end: last.end,
        sequence: tail.tracker.sequence(),
        bases: tail.tracker.expected().iter().map(|next| next + unresolved).collect(),
    }
}

/// Cuts off what follows the end, and makes sure that what precedes it is on the disk.
///
/// The second matters after a sync that failed: the system may hold such pages as clean, so that
/// another sync would do nothing. Writing them again makes them dirty again.
fn repair(
    disk: &dyn Disk,
    ground: &Ground,
    last: &Segment,
    tail: &Tail,
    rewrite_bytes: u64,
) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(ground.path(last.number))?;
    let length = file.metadata()?.len();
    if length > last.end {
        if tail.torn {
            let (segment, end) = (last.number, last.end);
            tracing::warn!(segment, end, "cut off a write that was never acknowledged");
        }
        disk.truncate(&file, last.end)?;
    }
    let was_closed = tail.tracker.previous() == CONTROL;
    if !was_closed {
        let end = last.end.min(length);
        let start = end.saturating_sub(rewrite_bytes);
        let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.read_exact_at(&mut bytes, start)?;
        disk.write_at(&file, &bytes, start)?;
    }
    disk.sync_data(&file)?;
    Ok(file)
}

fn find_tail(ground: &Ground, mut segments: Vec<Segment>) -> io::Result<Tail> {
    let mut torn = false;
    if let Some(last) = segments.last_mut() {
        (last.end, torn) = find_end(ground, last)?;
    }
    let known = segments.iter().enumerate().rev();
    let mut known = known.filter_map(|(index, segment)| Some((index, segment.header.as_ref()?)));
    let Some((first, header)) = known.next() else {
        let tracker = Tracker::new(&SegmentHeader::first(ground.meta.partitions));
        return Ok(Tail { segments, tracker, lost: Vec::new(), torn });
    };
    let everything = vec![0; usize::from(ground.meta.partitions)];
    let (mut items, mut lost) = (VecDeque::new(), Vec::new());
    let mut walk = Walk::begin(ground.clone(), &segments[first], header)?;
    let mut rest = segments[first + 1..].iter();
    loop {
        while walk.step(&everything, &mut items)? {
            lost.extend(items.drain(..).filter_map(Item::into_quarantined));
        }
        let Some(next) = rest.next() else { break };
        walk.enter(next, &everything, &mut items)?;
    }
    let tracker = walk.tracker().clone();
    Ok(Tail { segments, tracker, lost, torn })
}

/// The byte after the last sound record. Damage before it is damage; whatever follows it was
/// never acknowledged, or cannot be told from that.
fn find_end(ground: &Ground, last: &Segment) -> io::Result<(u64, bool)> {
    let mut scanner = ground.scanner(last.number, last.end)?;
    let (mut end, mut torn) = (scanner.position(), false);
    loop {
        match scanner.step(|_| true)? {
            Step::Record { .. } => (end, torn) = (scanner.position(), false),
            Step::BadPayload { .. } | Step::Damaged { blank: false } => torn = true,
            Step::Damaged { blank: true } => {}
            Step::End => return Ok((end, torn)),
        }
    }
}
