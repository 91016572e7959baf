//! What goes wrong between a platform and a receiver: copies, disorder, lateness, stale retries.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::str::FromStr;

use anyhow::bail;
use common::time::{DAY_MS, HOUR_MS, Timestamp};

use super::chance::Chance;
use super::delivery::Delivery;

/// The stream of chance that faults draw from; no shop has this number.
const STREAM: u64 = u64::MAX;
const SECOND_MS: i64 = 1_000;

/// Which faults a stream has; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four switches of the command line")]
pub struct Faults {
    /// `dup`: some deliveries come twice within seconds, under the same id.
    pub duplicate: bool,
    /// `reorder`: many change places with near neighbours, a few with far ones.
    pub reorder: bool,
    /// `late`: some are held back for hours.
    pub late: bool,
    /// `retry`: some come again hours or days later, after newer snapshots, as they were.
    pub retry: bool,
}

impl FromStr for Faults {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut faults = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "dup" => faults.duplicate = true,
                "reorder" => faults.reorder = true,
                "late" => faults.late = true,
                "retry" => faults.retry = true,
                _ => bail!(
                    "{word:?} is no fault: use dup, reorder, late or retry, separated by commas"
                ),
            }
        }
        Ok(faults)
    }
}

/// A stream in time order with faults put in; still holds every delivery at least once.
pub(super) struct Faulty<I> {
    source: I,
    faults: Faults,
    chance: Chance,
    held: BinaryHeap<Reverse<Held>>,
    /// How far the source has come; nothing that it still holds is earlier.
    reached: Timestamp,
    count: u64,
    drained: bool,
}

/// A delivery and when it is sent, on the source's time.
struct Held {
    send_at: Timestamp,
    number: u64,
    delivery: Delivery,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.send_at, self.number).cmp(&(other.send_at, other.number))
    }
}

impl<I: Iterator<Item = Delivery>> Faulty<I> {
    /// Puts `faults` into `source`, which must be in time order.
    pub(super) fn new(source: I, faults: Faults, seed: u64) -> Self {
        Self {
            source,
            faults,
            chance: Chance::new(seed, STREAM),
            held: BinaryHeap::new(),
            reached: Timestamp::MIN,
            count: 0,
            drained: false,
        }
    }

    fn hold(&mut self, delivery: Delivery, delay_ms: i64) {
        let send_at = delivery.at.plus_ms(delay_ms);
        self.held.push(Reverse(Held { send_at, number: self.count, delivery }));
        self.count += 1;
    }

    fn take_in(&mut self, delivery: Delivery) {
        self.reached = delivery.at;
        let Faults { duplicate, reorder, late, retry } = self.faults;
        if duplicate && self.chance.hit(0.04) {
            let delay = self.chance.range(0, 30 * SECOND_MS);
            self.hold(delivery.clone(), delay);
        }
        if retry && self.chance.hit(0.03) {
            let within_hours = self.chance.hit(0.6);
            let longest = if within_hours { 4 * HOUR_MS } else { 20 * DAY_MS };
            let delay = self.chance.range(60 * SECOND_MS, longest);
            self.hold(delivery.clone(), delay);
        }
        let mut delay = 0;
        if reorder && self.chance.hit(0.2) {
            let near = self.chance.hit(0.95);
            delay += self.chance.range(0, if near { 20 * 60 * SECOND_MS } else { 10 * DAY_MS });
        }
        if late && self.chance.hit(0.03) {
            delay += self.chance.range(HOUR_MS, 30 * HOUR_MS);
        }
        self.hold(delivery, delay);
    }
}

impl<I: Iterator<Item = Delivery>> Iterator for Faulty<I> {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        loop {
            let due = self.held.peek().is_some_and(|Reverse(held)| held.send_at <= self.reached);
            if due || self.drained {
                return self.held.pop().map(|Reverse(held)| held.delivery);
            }
            match self.source.next() {
                Some(delivery) => self.take_in(delivery),
                None => self.drained = true,
            }
        }
    }
}
