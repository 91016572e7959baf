//! The log as commands and the admin API show it: its health, and its events line by line.

use std::time::Duration;

use common::event::Event;
use common::log::file::{FileLog, VerifyReport};
use common::log::{BatchLimit, Item, ReadBatch as _, ReadError, Subscribe as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What is read at once.
const BATCH: BatchLimit = BatchLimit { max_records: 1024, max_bytes: 1 << 20 };
/// How long a read waits for what is durable already.
const WAIT: Duration = Duration::from_millis(200);

/// The health of a log.
#[derive(Debug, Serialize, Deserialize)]
pub struct Health {
    /// Whether everything that was acknowledged can be read.
    pub sound: bool,
    /// Segment files.
    pub segments: usize,
    /// Sound records, over all partitions.
    pub records: u64,
    /// Bytes of data with its headers.
    pub size_bytes: u64,
    /// Records that can no longer be read.
    pub corrupt: Vec<Corrupt>,
    /// Segments whose header is damaged; their records are counted all the same.
    pub damaged_headers: Vec<u64>,
}

/// A record that can no longer be read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Corrupt {
    /// Its partition.
    pub partition: u16,
    /// Its offset.
    pub offset: u64,
    /// Where the damage was met.
    pub place: String,
}

/// A line of a dump.
#[derive(Debug, Serialize, Deserialize)]
pub struct DumpLine {
    /// The record's partition.
    pub partition: u16,
    /// Its offset.
    pub offset: u64,
    /// What it holds, byte for byte; none where it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Box<RawValue>>,
    /// Why it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

impl From<VerifyReport> for Health {
    fn from(report: VerifyReport) -> Self {
        let sound = report.is_sound();
        let VerifyReport { segments, records, size_bytes, corrupt, damaged_headers } = report;
        let corrupt = corrupt.into_iter().map(|lost| Corrupt {
            partition: lost.partition,
            offset: lost.offset,
            place: lost.place.to_string(),
        });
        Self {
            sound,
            segments,
            records: records.iter().sum(),
            size_bytes,
            corrupt: corrupt.collect(),
            damaged_headers,
        }
    }
}

impl DumpLine {
    /// The line as a person reads it.
    pub fn summary(&self) -> String {
        let Self { partition, offset, event, damage } = self;
        let event = event.as_ref().map(|event| Event::decode(event.get().as_bytes()));
        match (event, damage) {
            (Some(Ok(event)), _) => {
                let kind = event.body.kind();
                format!("{partition} {offset} {} {kind} {}", event.shop, event.version.at)
            }
            (Some(Err(error)), _) => format!("{partition} {offset} {error}"),
            (None, damage) => {
                format!("{partition} {offset} {}", damage.as_deref().unwrap_or_default())
            }
        }
    }
}

/// Visits what the log holds by now, in the order of its records; `false` ends it.
pub fn dump(log: &FileLog, mut visit: impl FnMut(DumpLine) -> bool) -> Result<(), ReadError> {
    let ends = log.end_positions()?;
    let mut reached = log.start_positions()?;
    let mut reader = log.open_from(&reached)?;
    while reached.iter().zip(&ends).any(|(reached, end)| reached < end) {
        let batch = match reader.next_batch(BATCH, WAIT) {
            Ok(batch) => batch,
            Err(ReadError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        };
        for item in batch {
            let (partition, offset) = (item.partition(), item.offset());
            let at = usize::from(partition);
            if let Some(reached) = reached.get_mut(at) {
                *reached = offset + 1;
            }
            let wanted = ends.get(at).is_some_and(|end| offset < *end);
            if wanted && !visit(line(item)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn line(item: Item) -> DumpLine {
    let (partition, offset) = (item.partition(), item.offset());
    let damaged = |why: String| DumpLine { partition, offset, event: None, damage: Some(why) };
    match item {
        Item::Quarantined(lost) => damaged(format!("damaged record in {}", lost.place)),
        Item::Record(record) => match serde_json::from_slice(&record.payload) {
            Ok(event) => DumpLine { partition, offset, event: Some(event), damage: None },
            Err(_) => damaged("the record is no event".to_owned()),
        },
    }
}
