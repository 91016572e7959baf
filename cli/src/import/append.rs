//! Appends many records at once: the log syncs once for all that wait.

use std::sync::Arc;
use std::time::Duration;

use common::log::AppendError;
use ingest::receiver::EventLog;
use tokio::task::JoinSet;

use super::Imported;
use super::translate::{Entry, Translated};

/// The log that an import goes to.
pub type Destination = Arc<dyn EventLog>;

/// How long a record waits when the log's queue is full.
const PAUSE: Duration = Duration::from_millis(5);

/// Appends all records; `Ok` once every one is durable.
pub async fn append_all(log: &Destination, entries: Vec<Entry>) -> Result<(), AppendError> {
    let mut appends = JoinSet::new();
    for entry in entries {
        let log = log.clone();
        appends.spawn(async move { append_one(&log, entry).await });
    }
    while let Some(appended) = appends.join_next().await {
        // A task ends early only when the runtime goes down, and with it the log.
        appended.unwrap_or(Err(AppendError::Closed))?;
    }
    Ok(())
}

/// Appends what lines came to, and tells what became of them once it is durable.
pub async fn append_lines(
    log: &Destination,
    translated: Translated,
) -> Result<Imported, AppendError> {
    let Translated { lines, read, entries, errors } = translated;
    append_all(log, entries).await?;
    Ok(Imported { lines, imported: read, errors })
}

async fn append_one(log: &Destination, entry: Entry) -> Result<(), AppendError> {
    let Entry { partition, event, payload } = entry;
    loop {
        match log.append_event(partition, &event, payload.clone()).await {
            Err(AppendError::Busy) => tokio::time::sleep(PAUSE).await,
            other => return other,
        }
    }
}
