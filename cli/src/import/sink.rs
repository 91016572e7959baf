//! Where the lines of an import go.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context as _;

use super::append::{Destination, append_lines};
use super::translate::Translator;
use super::{Import, Imported};
use crate::remote::Remote;

/// Where lines go.
pub enum Sink {
    /// Nowhere: they are only checked.
    Nowhere(Arc<Translator>),
    /// Into the log that this process holds, or into Kafka.
    Log(Arc<Translator>, Destination),
    /// To the instance that holds the log.
    Instance(Arc<Remote>, Import),
}

/// Lines on their way.
pub type OnTheWay = Pin<Box<dyn Future<Output = anyhow::Result<Imported>> + Send>>;

impl Sink {
    /// Takes lines of which the first has the number `first`; resolves once they are durable.
    pub fn take(&self, text: Vec<u8>, first: u64) -> OnTheWay {
        match self {
            Self::Nowhere(translator) => {
                let translator = translator.clone();
                Box::pin(async move {
                    let translated = translator.translate(&text, first);
                    let (lines, imported) = (translated.lines, translated.read);
                    Ok(Imported { lines, imported, errors: translated.errors })
                })
            }
            Self::Log(translator, log) => {
                let (translator, log) = (translator.clone(), log.clone());
                Box::pin(async move {
                    let translated = translator.translate(&text, first);
                    append_lines(&log, translated).await.context("the log did not take the lines")
                })
            }
            Self::Instance(remote, import) => {
                let (remote, import) = (remote.clone(), import.clone());
                Box::pin(async move {
                    let posted = move || post(&remote, &import, &text, first);
                    tokio::task::spawn_blocking(posted).await.context("the request was stopped")?
                })
            }
        }
    }
}

fn post(remote: &Remote, import: &Import, text: &[u8], first: u64) -> anyhow::Result<Imported> {
    let imported_at = import.imported_at.to_string();
    let mut query = vec![
        ("kind", import.kind.name()),
        ("source", import.source.as_str()),
        ("imported_at", imported_at.as_str()),
    ];
    query.extend(import.shop.as_ref().map(|shop| ("shop", shop.as_str())));
    let answer = remote.post("/v1/import", &query, text)?;
    let mut imported: Imported =
        serde_json::from_str(&answer).context("the instance's answer is not understood")?;
    // It counts the lines of one request; the user counts those of the file.
    for error in &mut imported.errors {
        error.line += first - 1;
    }
    Ok(imported)
}
