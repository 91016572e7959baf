//! Which offsets must come next, and so which ones a damage has swallowed.

use super::{
    super::{Place, Quarantined},
    format::{CONTROL, NO_PREVIOUS, RecordHeader, SegmentHeader, decode_ends},
};

/// Follows the records of a log and notices the missing ones.
#[derive(Clone, Debug)]
pub(super) struct Tracker {
    /// The offset that each partition's next record must have.
    expected: Vec<u64>,
    /// The number that the next record of the log must have.
    sequence: u64,
    /// The partition of the record met last.
    previous: u16,
    /// Records that are lost without a trace of their partition so far.
    unresolved: u64,
}

impl Tracker {
    /// Begins at a segment.
    pub(super) fn new(header: &SegmentHeader) -> Self {
        Self {
            expected: header.bases.clone(),
            sequence: header.sequence,
            previous: NO_PREVIOUS,
            unresolved: 0,
        }
    }

    /// The offset that each partition's next record must have.
    pub(super) fn expected(&self) -> &[u64] {
        &self.expected
    }

    /// The number that the next record of the log must have.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The partition of the record met last.
    pub(super) fn previous(&self) -> u16 {
        self.previous
    }

    /// How many lost records could not be given to a partition.
    pub(super) fn unresolved(&self) -> u64 {
        self.unresolved
    }

    /// Enters the next segment, whose header knows how far every partition came.
    pub(super) fn enter(&mut self, header: &SegmentHeader, place: Place) -> Vec<Quarantined> {
        let lost = self.reach(&header.bases, place);
        self.sequence = header.sequence;
        self.unresolved = 0;
        lost
    }

    /// Meets a record and returns the ones that should have come before it.
    pub(super) fn meet(&mut self, header: &RecordHeader, place: Place) -> Vec<Quarantined> {
        let mut lost = Vec::new();
        let missing = header.sequence.saturating_sub(self.sequence);
        self.unresolved += missing;
        self.sequence = header.sequence + 1;
        if missing == 1 && header.previous == CONTROL {
            self.unresolved -= 1;
        } else if missing == 1 && header.previous != NO_PREVIOUS {
            let next = self.expected.get(usize::from(header.previous)).map_or(0, |next| next + 1);
            self.skip_to(header.previous, next, place, &mut lost);
        }
        self.skip_to(header.partition, header.offset, place, &mut lost);
        if let Some(expected) = self.expected.get_mut(usize::from(header.partition)) {
            *expected = (*expected).max(header.offset + 1);
        }
        self.previous = header.partition;
        lost
    }

    /// Meets the mark of a clean close, which knows how far every partition came.
    pub(super) fn meet_close(&mut self, payload: &[u8], place: Place) -> Vec<Quarantined> {
        let lost = self.reach(&decode_ends(payload), place);
        self.unresolved = 0;
        lost
    }

    fn reach(&mut self, ends: &[u64], place: Place) -> Vec<Quarantined> {
        let mut lost = Vec::new();
        for (partition, &end) in (0..).zip(ends) {
            self.skip_to(partition, end, place, &mut lost);
        }
        lost
    }

    fn skip_to(&mut self, partition: u16, end: u64, place: Place, lost: &mut Vec<Quarantined>) {
        let Some(expected) = self.expected.get_mut(usize::from(partition)) else { return };
        for offset in *expected..end {
            lost.push(Quarantined { partition, offset, place });
            self.unresolved = self.unresolved.saturating_sub(1);
        }
        *expected = (*expected).max(end);
    }
}
