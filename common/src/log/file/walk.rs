//! Goes through a log record by record, over the borders of segments and over damages.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    super::{Item, Place, Quarantined, Record},
    format::{CONTROL, RecordHeader, SegmentHeader, seed},
    meta::Meta,
    scan::{Scanner, Step},
    segments::{self, Segment},
    track::Tracker,
};

/// Where a walk takes place.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    /// The log's directory.
    pub directory: PathBuf,
    /// What is fixed about the log.
    pub meta: Meta,
}

impl Ground {
    /// The path of a segment.
    pub(super) fn path(&self, number: u64) -> PathBuf {
        segments::path(&self.directory, number)
    }

    /// Opens a segment's data, from behind its header to `end` or to the end of the file.
    pub(super) fn scanner(&self, number: u64, end: u64) -> io::Result<Scanner> {
        let file = File::open(self.path(number))?;
        let start = SegmentHeader::size_bytes(self.meta.partitions) as u64;
        let seed = seed(self.meta.salt, number);
        let mut scanner = Scanner::new(file, seed, start);
        scanner.set_limit(end)?;
        Ok(scanner)
    }
}

/// A position in a log, and what is known about the records that should follow.
#[derive(Debug)]
pub(super) struct Walk {
    ground: Ground,
    number: u64,
    scanner: Scanner,
    tracker: Tracker,
    /// Where the damage began that the last steps went over.
    damaged_at: Option<Place>,
}

impl Walk {
    /// Begins at a segment whose header is known.
    pub(super) fn begin(
        ground: Ground,
        segment: &Segment,
        header: &SegmentHeader,
    ) -> io::Result<Self> {
        let scanner = ground.scanner(segment.number, segment.end)?;
        let tracker = Tracker::new(header);
        Ok(Self { ground, number: segment.number, scanner, tracker, damaged_at: None })
    }

    /// The segment in which the walk is.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The byte of the segment at which the walk is.
    pub(super) fn position(&self) -> u64 {
        self.scanner.position()
    }

    /// The path of the segment in which the walk is.
    pub(super) fn path(&self) -> PathBuf {
        self.ground.path(self.number)
    }

    /// What the walk has learnt about offsets.
    pub(super) fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// Goes on in the next segment.
    pub(super) fn enter(
        &mut self,
        segment: &Segment,
        wanted: &[u64],
        out: &mut VecDeque<Item>,
    ) -> io::Result<()> {
        self.scanner = self.ground.scanner(segment.number, segment.end)?;
        self.number = segment.number;
        if let Some(header) = &segment.header {
            let start = Place { segment: segment.number, position: 0 };
            let place = self.damaged_at.take().unwrap_or(start);
            emit(self.tracker.enter(header, place), wanted, out);
        }
        Ok(())
    }

    /// Learns that the data of the present segment reaches to `end`; `false` if the file is
    /// shorter than that and holds nothing more.
    pub(super) fn extend(&mut self, end: u64) -> io::Result<bool> {
        self.scanner.set_limit(end)?;
        Ok(self.scanner.limit() > self.scanner.position())
    }

    /// Takes one step; what it finds at wanted offsets goes to `out`. `false` at the end of data.
    pub(super) fn step(&mut self, wanted: &[u64], out: &mut VecDeque<Item>) -> io::Result<bool> {
        let here = Place { segment: self.number, position: self.scanner.position() };
        let wants = |header: &RecordHeader| {
            header.partition == CONTROL || is_wanted(wanted, header.partition, header.offset)
        };
        match self.scanner.step(wants)? {
            Step::End => return Ok(false),
            Step::Damaged { .. } => {
                self.damaged_at.get_or_insert(here);
            }
            Step::Record { header, payload } => {
                let RecordHeader { partition, offset, .. } = header;
                let place = self.damaged_at.take().unwrap_or(here);
                emit(self.tracker.meet(&header, place), wanted, out);
                if partition == CONTROL {
                    emit(self.tracker.meet_close(&payload, place), wanted, out);
                } else if is_wanted(wanted, partition, offset) {
                    out.push_back(Item::Record(Record { partition, offset, payload }));
                }
            }
            Step::BadPayload { header } => {
                let place = self.damaged_at.take().unwrap_or(here);
                let mut lost = self.tracker.meet(&header, place);
                let RecordHeader { partition, offset, .. } = header;
                if partition != CONTROL {
                    lost.push(Quarantined { partition, offset, place: here });
                }
                emit(lost, wanted, out);
            }
        }
        Ok(true)
    }
}

fn is_wanted(wanted: &[u64], partition: u16, offset: u64) -> bool {
    wanted.get(usize::from(partition)).is_some_and(|&first| offset >= first)
}

fn emit(lost: Vec<Quarantined>, wanted: &[u64], out: &mut VecDeque<Item>) {
    let lost = lost.into_iter().filter(|lost| is_wanted(wanted, lost.partition, lost.offset));
    out.extend(lost.map(Item::Quarantined));
}

/// Names the segment that a failed read was about.
pub(super) fn describe(path: &Path) -> String {
    format!("the segment {}", path.display())
}
