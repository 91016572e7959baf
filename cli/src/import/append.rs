//! Appends many records at once: the log syncs once for all that wait.

use std::time::Duration;

use common::log::{Append, AppendError, Log};
use tokio::task::JoinSet;

use super::Imported;
use super::translate::{Payload, Translated};

/// How long a record waits when the log's queue is full.
const PAUSE: Duration = Duration::from_millis(5);

/// Appends all records; `Ok` once every one is durable.
pub async fn append_all(log: &Log, payloads: Vec<Payload>) -> Result<(), AppendError> {
    let mut appends = JoinSet::new();
    for payload in payloads {
        let log = log.clone();
        appends.spawn(async move { append_one(&log, payload).await });
    }
    while let Some(appended) = appends.join_next().await {
        // A task ends early only when the runtime goes down, and with it the log.
        appended.unwrap_or(Err(AppendError::Closed))?;
    }
    Ok(())
}

/// Appends what lines came to, and tells what became of them once it is durable.
pub async fn append_lines(log: &Log, translated: Translated) -> Result<Imported, AppendError> {
    let Translated { lines, read, payloads, errors } = translated;
    append_all(log, payloads).await?;
    Ok(Imported { lines, imported: read, errors })
}

async fn append_one(log: &Log, (partition, payload): Payload) -> Result<(), AppendError> {
    loop {
        match log.append(partition, payload.clone()).await {
            Err(AppendError::Busy) => tokio::time::sleep(PAUSE).await,
            other => return other.map(|_| ()),
        }
    }
}
