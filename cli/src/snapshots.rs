//! Snapshots as commands and the admin listener make and show them.

use aggregator::snapshots::{Signed, SnapshotError, Snapshots};
use anyhow::Context as _;
use common::clock::{Clock as _, SystemClock};
use common::config::{Config, PseudonymKey};
use common::store::Store;
use serde_json::{Value, json};

use crate::node::state;

/// What is said where there is no directory.
pub const NOT_CONFIGURED: &str =
    "snapshots.dir is not configured: set it, or name a directory with --dir";

/// The snapshots in the configured directory.
pub fn snapshots(config: &Config, key: &PseudonymKey) -> anyhow::Result<Snapshots> {
    configured(config, key).context(NOT_CONFIGURED)
}

/// The same; `None` where none is configured.
pub fn configured(config: &Config, key: &PseudonymKey) -> Option<Snapshots> {
    let dir = config.snapshots.dir.as_ref()?;
    Some(Snapshots::new(dir, key.expose(), state::manifest(config, key)))
}

/// Makes one of a state as it stands.
pub fn create<S: Store>(
    snapshots: &Snapshots,
    store: &S,
    keep: usize,
    done: impl FnMut(u64),
) -> Result<Value, SnapshotError> {
    Ok(summary(&snapshots.create(store, SystemClock.now(), keep, done)?))
}

/// A snapshot as JSON shows it.
pub fn summary(signed: &Signed) -> Value {
    let parts = &signed.body.partitions;
    let partitions: Vec<Value> = parts
        .iter()
        .map(|part| {
            json!({
                "partition": part.partition, "position": part.position, "digest": part.digest,
                "documents": part.documents, "size_bytes": part.size_bytes,
            })
        })
        .collect();
    json!({
        "name": signed.name,
        "created_at": signed.body.created_at,
        "digest": signed.body.digest,
        "documents": parts.iter().map(|part| part.documents).sum::<u64>(),
        "size_bytes": parts.iter().map(|part| part.size_bytes).sum::<u64>(),
        "partitions": partitions,
    })
}
