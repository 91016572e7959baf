//! Which partitions a member of a group may tell of, and until when.
//!
//! Others take over a member's partitions once the group's coordinator has not heard of it for a
//! session. A process that stood still meanwhile (stopped, swapped out, its machine suspended) does
//! not know it when it goes on. So what it may tell of ends by its own clock, which ran on: a
//! session's length after it last asked the coordinator something that only a member is told.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Shared by the thread that hears of the group and everybody who tells of its partitions.
#[derive(Debug, Default)]
pub struct Tenure(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    partitions: BTreeSet<u16>,
    until: Option<Instant>,
}

impl Tenure {
    /// The group gave these partitions.
    pub fn give(&self, partitions: &[u16]) {
        self.lock().partitions.extend(partitions);
    }

    /// The group takes these partitions back.
    pub fn take_back(&self, partitions: &[u16]) {
        self.lock().partitions.retain(|held| !partitions.contains(held));
    }

    /// The coordinator answered as to a member, which it takes this process for until `until`.
    pub fn confirm(&self, until: Instant) {
        let mut held = self.lock();
        held.until = held.until.max(Some(until));
    }

    /// The coordinator no longer takes this process for a member.
    pub fn end(&self) {
        self.lock().until = None;
    }

    /// Whether nobody else can have been given the partition by `now`.
    #[must_use]
    pub fn holds(&self, partition: u16, now: Instant) -> bool {
        let held = self.lock();
        held.until.is_some_and(|until| now < until) && held.partitions.contains(&partition)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ends_by_the_clock_and_by_the_group() {
        let tenure = Tenure::default();
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        tenure.give(&[1, 2]);
        assert!(!tenure.holds(1, now), "nothing is confirmed yet");
        tenure.confirm(now + second);
        assert!(tenure.holds(1, now) && tenure.holds(2, now) && !tenure.holds(3, now));
        assert!(!tenure.holds(1, now + second), "a process that stood still");
        tenure.confirm(now);
        assert!(tenure.holds(1, now), "a late answer takes nothing back");
        tenure.take_back(&[1]);
        assert!(!tenure.holds(1, now) && tenure.holds(2, now));
        tenure.end();
        assert!(!tenure.holds(2, now));
    }
}
