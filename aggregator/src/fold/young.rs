//! Checkouts of the last day by the hour they were started in: too young to be called abandoned.
//!
//! A question is never asked for an instant before the latest receipt, so what is older than a day by
//! that receipt leaves the index. It serves reading alone and takes no part in the digest.

use std::collections::BTreeMap;

use common::id::Id;
use common::store::StoreError;
use common::time::{DAY_MS, Timestamp};
use serde::{Deserialize, Serialize};

use super::checkout::Standing;
use super::docs::{Source, load};
use super::keys::{Keys, Kind};

/// A checkout that was started, and when it was completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    id: Id,
    /// When it was started.
    pub at: Timestamp,
    /// When it was completed.
    pub completed_at: Option<Timestamp>,
}

/// The hours of the index that a batch changes.
#[derive(Debug, Default)]
pub struct Young {
    hours: BTreeMap<i64, Vec<Started>>,
}

/// The earliest hour that the index still holds once something was received at `present`.
#[must_use]
pub const fn first_hour(present: Timestamp) -> i64 {
    present.plus_ms(-DAY_MS).hour()
}

impl Young {
    /// Replaces how a checkout stands.
    pub fn replace(
        &mut self,
        id: &Id,
        was: Option<Standing>,
        is: Option<Standing>,
        present: Timestamp,
        (keys, source): (&Keys, Source<'_>),
    ) -> Result<(), StoreError> {
        let young = |standing: &Standing| standing.started_at.hour() >= first_hour(present);
        if let Some(was) = was.filter(young) {
            self.hour(was.started_at, keys, source)?.retain(|started| started.id != *id);
        }
        if let Some(is) = is.filter(young) {
            let (at, completed_at) = (is.started_at, is.completed_at);
            self.hour(at, keys, source)?.push(Started { id: id.clone(), at, completed_at });
        }
        Ok(())
    }

    fn hour(
        &mut self,
        at: Timestamp,
        keys: &Keys,
        source: Source<'_>,
    ) -> Result<&mut Vec<Started>, StoreError> {
        match self.hours.entry(at.hour()) {
            std::collections::btree_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::btree_map::Entry::Vacant(unknown) => {
                let key = keys.bucket(Kind::Young, at.hour());
                Ok(unknown.insert(load(&key, source)?.unwrap_or_default()))
            }
        }
    }

    /// Hands what changed to `writes`, and removes the hours that grew old since `before`.
    pub fn write(
        self,
        before: Timestamp,
        present: Timestamp,
        (keys, source): (&Keys, Source<'_>),
        writes: &mut Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        let first = first_hour(present);
        if first > first_hour(before) && !source.blank {
            let (from, to) = keys.buckets(Kind::Young, i64::MIN, first - 1);
            source.snapshot.scan(source.partition, &from, &to, &mut |key, _| {
                writes.push((key.to_vec(), None));
                std::ops::ControlFlow::Continue(())
            })?;
        }
        for (hour, started) in self.hours.range(first..) {
            let key = keys.bucket(Kind::Young, *hour);
            let value = (!started.is_empty()).then(|| super::docs::encode(&key, started));
            writes.push((key, value.transpose()?));
        }
        Ok(())
    }
}
