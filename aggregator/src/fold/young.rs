//! Checkouts of the last day by the hour they were started in: too young to be called abandoned.
//!
//! No question is asked for an instant before the latest receipt, so what is older than a day by that
//! receipt leaves the index. It serves reading alone and takes no part in the digest.

use std::ops::ControlFlow;

use common::id::Id;
use common::store::StoreError;
use common::time::{DAY_MS, Timestamp};
use serde::{Deserialize, Serialize};

use super::checkout::Standing;
use super::docs::{Source, encode};
use super::keys::{Keys, Kind};

/// A write of the index: a key, and its new value or none.
pub type Write = (Vec<u8>, Option<Vec<u8>>);

/// A checkout that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// When it was started.
    pub at: Timestamp,
    /// When it was completed.
    pub completed_at: Option<Timestamp>,
}

/// The earliest hour that the index holds once something was received at `present`.
const fn first_hour(present: Timestamp) -> i64 {
    present.plus_ms(-DAY_MS).hour()
}

/// The writes that replace how a checkout stands.
pub fn replace(
    keys: &Keys,
    id: &Id,
    was: Option<Standing>,
    is: Option<Standing>,
    present: Timestamp,
) -> Result<Vec<Write>, StoreError> {
    let young = |standing: &Standing| standing.started_at.hour() >= first_hour(present);
    let key = |standing: Standing| keys.young(standing.started_at.hour(), id);
    let mut writes = Vec::new();
    writes.extend(was.filter(young).map(|was| (key(was), None)));
    if let Some(is) = is.filter(young) {
        let (key, completed_at) = (key(is), is.completed_at);
        let value = encode(&key, &Started { at: is.started_at, completed_at })?;
        writes.push((key, Some(value)));
    }
    Ok(writes)
}

/// The writes that remove the hours which grew old between two receipts.
pub fn expire(
    keys: &Keys,
    source: Source<'_>,
    before: Timestamp,
    present: Timestamp,
) -> Result<Vec<Write>, StoreError> {
    let first = first_hour(present);
    let mut writes = Vec::new();
    if first > first_hour(before) && !source.blank {
        let (from, to) = keys.buckets(Kind::Young, i64::MIN, first - 1);
        source.snapshot.scan(source.partition, &from, &to, &mut |key, _| {
            writes.push((key.to_vec(), None));
            ControlFlow::Continue(())
        })?;
    }
    Ok(writes)
}
