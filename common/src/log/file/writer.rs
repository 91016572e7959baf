//! The thread that writes: it takes what waits, writes it with one call, syncs once, and answers
//! everybody.

use std::sync::Arc;

use super::{
    super::{AppendError, Appended, LogOp},
    active::Active,
    disk::Disk,
    format::{
        CONTROL, RECORD_HEADER_BYTES, RecordHeader, SegmentHeader, encode_ends, payload_checksum,
        seed,
    },
    queue::{Queue, Request},
    segments::{self, Segment},
    shared::Shared,
    track::Tracker,
};

/// Writes records into segments.
pub(super) struct Writer {
    pub shared: Arc<Shared>,
    pub queue: Arc<Queue>,
    pub disk: Arc<dyn Disk>,
    pub active: Active,
    pub segment_bytes: u64,
    pub max_group_bytes: u64,
    /// Where the next records stand.
    pub next: Next,
    /// The last attempt failed, and the log has said so.
    pub failing: bool,
    pub buffer: Vec<u8>,
}

/// Where the next records stand.
#[derive(Clone, Debug)]
pub(super) struct Next {
    offsets: Vec<u64>,
    sequence: u64,
    previous: u16,
}

impl Next {
    /// Goes on behind what recovery found.
    pub(super) fn after(tracker: &Tracker) -> Self {
        Self {
            offsets: tracker.expected().to_vec(),
            sequence: tracker.sequence(),
            previous: tracker.previous(),
        }
    }

    fn take_offset(&mut self, partition: u16) -> u64 {
        let Some(next) = self.offsets.get_mut(usize::from(partition)) else { return 0 };
        *next += 1;
        *next - 1
    }
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _closing = Closing { queue: Arc::clone(&self.queue), shared: Arc::clone(&self.shared) };
        let mut waiting = Vec::new();
        while self.queue.take(&mut waiting) {
            while !waiting.is_empty() {
                self.write_group(&mut waiting);
            }
        }
        self.write_close_mark();
    }

    /// Writes the first of the requests that wait, as many as make one group, and answers them.
    fn write_group(&mut self, waiting: &mut Vec<Request>) {
        let header_bytes = SegmentHeader::size_bytes(self.shared.ground.meta.partitions) as u64;
        let first = waiting.first().map_or(0, |request| request.size_bytes() as u64);
        let is_full =
            self.active.end > header_bytes && self.active.end + first > self.segment_bytes;
        if (self.active.broken || is_full)
            && let Err(error) = self.roll()
        {
            // The new segment's name may be on the disk all the same, and its header says that
            // the old one ends here.
            self.active.broken = true;
            self.fail(waiting, waiting.len(), &error);
            return;
        }
        let count = self.group_length(waiting);
        let mut next = self.next.clone();
        self.buffer.clear();
        let seed = seed(self.shared.ground.meta.salt, self.active.number);
        for request in &waiting[..count] {
            let Request { partition, payload_crc, payload, .. } = request;
            encode(&mut self.buffer, seed, &mut next, *partition, *payload_crc, payload);
        }
        match self.active.commit(&*self.disk, &self.buffer) {
            Ok(()) => {
                self.shared.publish(self.active.end, &next.offsets);
                let mut before = std::mem::replace(&mut self.next, next);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the log takes records again");
                }
                for Request { partition, answer, .. } in waiting.drain(..count) {
                    let offset = before.take_offset(partition);
                    // A caller that is gone does not want to know.
                    let _ = answer.send(Ok(Appended { partition, offset }));
                }
            }
            Err(error) => {
                self.fail(waiting, count, &error);
            }
        }
    }

    /// How many requests fit into one write and into the segment; at least one.
    fn group_length(&self, waiting: &[Request]) -> usize {
        let room = self.segment_bytes.saturating_sub(self.active.end).min(self.max_group_bytes);
        let mut size = 0;
        let fits = waiting.iter().take_while(|request| {
            size += request.size_bytes() as u64;
            size <= room
        });
        fits.count().max(1).min(waiting.len())
    }

    /// Goes on in a fresh segment, which also says where the last one ends.
    fn roll(&mut self) -> Result<(), AppendError> {
        let ground = &self.shared.ground;
        let header = SegmentHeader {
            number: self.active.number + 1,
            previous_end: self.active.end,
            sequence: self.next.sequence,
            bases: self.next.offsets.clone(),
        };
        let file = segments::create(&*self.disk, &ground.directory, &ground.meta, &header)
            .map_err(|source| AppendError::from_io(LogOp::Append, source))?;
        let end = SegmentHeader::size_bytes(ground.meta.partitions) as u64;
        let active = Active::new(file, header.number, end, self.segment_bytes);
        let mut full = std::mem::replace(&mut self.active, active);
        self.shared.push_segment(Segment::new(header, end));
        full.cut(&*self.disk);
        Ok(())
    }

    /// Tells `count` callers that their records are not durable.
    fn fail(&mut self, waiting: &mut Vec<Request>, count: usize, error: &AppendError) {
        self.shared.metrics.failed(match error {
            AppendError::Io { op, .. } => *op,
            AppendError::Full(_)
            | AppendError::TooLarge { .. }
            | AppendError::UnknownPartition { .. }
            | AppendError::Busy
            | AppendError::Unavailable { .. }
            | AppendError::Refused { .. }
            | AppendError::Closed => LogOp::Append,
        });
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(error = error as &dyn std::error::Error, "the log takes no records");
        }
        for Request { answer, .. } in waiting.drain(..count) {
            let _ = answer.send(Err(error.clone()));
        }
    }

    /// Leaves the mark by which the next start knows that nothing is torn here.
    fn write_close_mark(&mut self) {
        if self.active.broken || self.next.previous == CONTROL {
            return;
        }
        let ends = encode_ends(&self.next.offsets);
        let seed = seed(self.shared.ground.meta.salt, self.active.number);
        self.buffer.clear();
        let crc = payload_checksum(&ends);
        encode(&mut self.buffer, seed, &mut self.next, CONTROL, crc, &ends);
        match self.active.commit(&*self.disk, &self.buffer) {
            Ok(()) => self.shared.publish(self.active.end, &self.next.offsets),
            Err(error) => tracing::warn!(%error, "could not mark the log as closed"),
        }
        self.active.cut(&*self.disk);
    }
}

/// Appends one record's bytes to a group.
fn encode(
    buffer: &mut Vec<u8>,
    seed: u32,
    next: &mut Next,
    partition: u16,
    payload_crc: u32,
    payload: &[u8],
) {
    let header = RecordHeader {
        // The length was checked against a limit of 32 bits when the record was queued.
        length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        partition,
        previous: std::mem::replace(&mut next.previous, partition),
        payload_crc,
        offset: next.take_offset(partition),
        sequence: next.sequence,
    };
    next.sequence += 1;
    buffer.reserve(RECORD_HEADER_BYTES + payload.len());
    buffer.extend_from_slice(&header.encode(seed));
    buffer.extend_from_slice(payload);
}

/// However the writer ends, nobody may go on waiting for it.
struct Closing {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.queue.abandon();
        self.shared.close();
    }
}
