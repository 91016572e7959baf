//! Generations of the state: their names, and which of them is in use.
//!
//! A name carries the digest of its manifest and of the layout. So whatever was emptied, restored or
//! claimed meanwhile, a process can only ever write under names of its own settings.

use std::fmt;

use common::store::Manifest;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// How documents are laid out in keys: what was laid out otherwise is built anew.
const LAYOUT: u8 = 2;
/// Digits of the manifest's digest in a name.
const TAG_DIGITS: usize = 8;

/// A generation's name: `NUMBER-TAG`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Generation {
    number: u32,
    tag: String,
}

/// Text that names no generation.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} names no generation of the state")]
pub struct BadName(String);

/// What a generation is filled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The log from its start. What is there of it may be gone on with.
    Log,
    /// A snapshot, in pieces that mean nothing before all are there.
    Snapshot,
}

/// A generation that is being filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// Its name.
    pub name: Generation,
    /// What it is filled from.
    pub from: Origin,
}

/// Which generation is in use, and which others are there: the value that every change compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generations {
    /// The one in use.
    pub current: Generation,
    /// The one before, kept for a rollback.
    pub previous: Option<Generation>,
    /// The one that is being filled.
    pub next: Option<Next>,
    /// The greatest number given so far: none is given twice.
    pub last: u32,
}

impl Generation {
    /// The generation of this number under a manifest.
    #[must_use]
    pub fn new(number: u32, manifest: &Manifest) -> Self {
        Self { number, tag: tag(manifest) }
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Whether its settings are these.
    #[must_use]
    pub fn is_of(&self, manifest: &Manifest) -> bool {
        self.tag == tag(manifest)
    }

    /// The name in text, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, tag) = text.split_once('-')?;
        let digits = tag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = number.parse().ok().filter(|_| digits && tag.len() == TAG_DIGITS)?;
        Some(Self { number, tag: tag.to_owned() })
    }

    /// The generation that a key belongs to.
    #[must_use]
    pub fn of_key(base: &str, key: &[u8]) -> Option<Self> {
        let rest = key.strip_prefix(base.as_bytes())?.strip_prefix(b":")?;
        let name = rest.split(|byte| *byte == b':').next()?;
        Self::parse(std::str::from_utf8(name).ok()?)
    }

    /// What its keys begin with.
    #[must_use]
    pub fn prefix(&self, base: &str) -> String {
        format!("{base}:{self}")
    }
}

impl Generations {
    /// Of one alone.
    #[must_use]
    pub fn only(current: Generation) -> Self {
        let last = current.number;
        Self { current, previous: None, next: None, last }
    }

    /// Whether a generation is one of these.
    #[must_use]
    pub fn hold(&self, generation: &Generation) -> bool {
        self.current == *generation
            || self.previous.as_ref() == Some(generation)
            || self.next.as_ref().is_some_and(|next| next.name == *generation)
    }

    /// Begins to fill the next one, or goes on with it; the one before the present one is given up.
    #[must_use]
    pub fn begin(mut self, manifest: &Manifest, from: Origin) -> Self {
        self.previous = None;
        let goes_on = |next: &Next| {
            from == Origin::Log && next.from == Origin::Log && next.name.is_of(manifest)
        };
        if !self.next.as_ref().is_some_and(goes_on) {
            self.last += 1;
            self.next = Some(Next { name: Generation::new(self.last, manifest), from });
        }
        self
    }

    /// Puts the next one, whose name this is, in the present one's place.
    #[must_use]
    pub fn flip(self, to: &Generation) -> Option<Self> {
        if self.current == *to {
            return Some(self);
        }
        let next = self.next.filter(|next| next.name == *to)?;
        let (current, previous) = (next.name, Some(self.current));
        Some(Self { current, previous, next: None, last: self.last })
    }

    /// Puts the one before back in its place.
    #[must_use]
    pub fn roll_back(self) -> Option<Self> {
        let current = self.previous?;
        Some(Self { current, previous: Some(self.current), next: self.next, last: self.last })
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number, self.tag)
    }
}

impl From<Generation> for String {
    fn from(generation: Generation) -> Self {
        generation.to_string()
    }
}

impl TryFrom<String> for Generation {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        Self::parse(&text).ok_or(BadName(text))
    }
}

fn tag(manifest: &Manifest) -> String {
    let mut text = serde_json::to_vec(manifest).unwrap_or_default();
    text.push(LAYOUT);
    format!("{:016x}", xxh3_64(&text)).split_off(16 - TAG_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(fold_version: u32) -> Manifest {
        Manifest {
            partitions: 32,
            partitioner: "murmur2".into(),
            fold_version,
            pseudonym_key: "00".into(),
            shops: String::new(),
        }
    }

    #[test]
    fn names_tell_settings_apart() {
        let one = Generation::new(1, &manifest(1));
        assert!(one.is_of(&manifest(1)) && !one.is_of(&manifest(2)));
        assert_eq!(Generation::parse(&one.to_string()), Some(one.clone()));
        let key = |end: &str| format!("{}{end}", one.prefix("t")).into_bytes();
        assert_eq!(Generation::of_key("t", &key(":{p07}:at")), Some(one.clone()));
        assert_eq!(Generation::of_key("t", &key(":manifest")), Some(one.clone()));
        assert_eq!(Generation::of_key("u", &key(":manifest")), None);
        for other in ["t:generations", "t:1:x", "t:1-zz:x", "t:x-00000000:x", "t"] {
            assert_eq!(Generation::of_key("t", other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn generations_take_turns() {
        let first = Generations::only(Generation::new(1, &manifest(1)));
        let begun = first.clone().begin(&manifest(2), Origin::Log);
        let next = begun.next.clone().expect("begun").name;
        assert_eq!(next, Generation::new(2, &manifest(2)));
        // An interrupted rebuild goes on; one of other settings, or a restore, begins anew.
        assert_eq!(begun.clone().begin(&manifest(2), Origin::Log), begun);
        assert_eq!(begun.clone().begin(&manifest(3), Origin::Log).last, 3);
        assert_eq!(begun.clone().begin(&manifest(2), Origin::Snapshot).last, 3);
        assert_eq!(begun.clone().flip(&Generation::new(9, &manifest(2))), None);
        let flipped = begun.flip(&next).expect("flipped");
        assert_eq!((&flipped.current, &flipped.next), (&next, &None));
        assert_eq!(flipped.clone().flip(&next), Some(flipped.clone()), "said twice");
        let back = flipped.roll_back().expect("rolled back");
        assert_eq!((&back.current, &back.previous), (&first.current, &Some(next)));
        assert_eq!(first.roll_back(), None);
        // A number that was given up is not given again.
        assert_eq!(back.begin(&manifest(2), Origin::Log).last, 3);
    }
}
