//! Dead letters of the distributed shape: they go to Kafka, and wait in the directory where Kafka does
//! not take them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{DeadLetter, DeadLetterDir, KeepError, KeepLetter, LetterLog, Sealed};

/// How long Kafka may take before a letter is kept in the directory.
const PATIENCE: Duration = Duration::from_secs(1);

/// Kafka's topic of letters, and the directory for when it is down. Clones share both.
#[derive(Clone)]
pub struct LetterPost {
    log: Arc<dyn LetterLog>,
    directory: DeadLetterDir,
}

impl LetterPost {
    /// From its parts.
    #[must_use]
    pub fn new(log: Arc<dyn LetterLog>, directory: DeadLetterDir) -> Self {
        Self { log, directory }
    }

    /// Sends what waits in the directory to Kafka, one letter after the other; how many it took. It
    /// stops at the first one that Kafka does not take.
    pub async fn forward(&self) -> Result<usize, KeepError> {
        let directory = self.directory.clone();
        let mut forwarded = 0;
        for id in blocking(move || directory.ids()).await? {
            let directory = self.directory.clone();
            let letter = blocking(move || directory.sealed(&id)).await?;
            // Sealed with another key, it is of no use to anybody who has this one.
            let Some(letter) = letter else { continue };
            if self.log.append_letter(&letter).await.is_err() {
                break;
            }
            let directory = self.directory.clone();
            blocking(move || directory.remove(&letter.id)).await?;
            forwarded += 1;
        }
        Ok(forwarded)
    }

    async fn post(&self, letter: DeadLetter) -> Result<(), KeepError> {
        let directory = self.directory.clone();
        let letter = blocking(move || directory.seal(&letter)).await?;
        if self.is_taken(&letter).await {
            return Ok(());
        }
        // Under the same id: should Kafka have it after all, it is still one letter.
        let directory = self.directory.clone();
        blocking(move || directory.keep_sealed(&letter)).await
    }

    async fn is_taken(&self, letter: &Sealed) -> bool {
        matches!(timeout(PATIENCE, self.log.append_letter(letter)).await, Ok(Ok(())))
    }
}

impl KeepLetter for LetterPost {
    fn keep(&self, letter: DeadLetter) -> BoxFuture<'_, Result<(), KeepError>> {
        Box::pin(self.post(letter))
    }
}

/// Runs what blocks where that holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeepError> + Send + 'static,
) -> Result<T, KeepError> {
    let stopped = |_| KeepError::Io {
        action: "write",
        source: std::io::Error::other("the work was stopped"),
    };
    spawn_blocking(work).await.map_err(stopped)?
}
