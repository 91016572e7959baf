//! What a topic should be, and where it is not. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use common::{config, topic};

const MIN_IN_SYNC: &str = "min.insync.replicas";
const MAX_MESSAGE: &str = "max.message.bytes";
const CLEANUP: &str = "cleanup.policy";
const RETENTION: &str = "retention.ms";

/// Dead letters hold bodies as they came, so they stay no longer than those on disk: 30 days.
const DEAD_LETTER_RETENTION_MS: u64 = 30 * DAY_MS;

const DAY_MS: u64 = 24 * 3_600_000;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The topic.
    pub topic: String,
    /// What of it.
    pub aspect: Aspect,
    /// How it is; `None` if it is not there.
    pub found: Option<String>,
    /// How it should be.
    pub wanted: String,
    /// What to do about it.
    pub remedy: Remedy,
}

/// What of a topic differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// The topic as a whole.
    Existence,
    /// The number of partitions.
    Partitions,
    /// The number of copies.
    Replication,
    /// A setting.
    Setting(&'static str),
}

/// What to do about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// `tallyhook topics apply` changes it.
    Apply,
    /// People have to change it, in this way.
    ByHand(&'static str),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, aspect, found, wanted, remedy } = self;
        let found = found.as_deref().unwrap_or("missing");
        match aspect {
            Aspect::Existence => write!(f, "{topic} is {found}, should be {wanted}"),
            Aspect::Partitions => write!(f, "{topic}: partitions is {found}, should be {wanted}"),
            Aspect::Replication => {
                write!(f, "{topic}: replication factor is {found}, should be {wanted}")
            }
            Aspect::Setting(key) => write!(f, "{topic}: {key} is {found}, should be {wanted}"),
        }?;
        match remedy {
            Remedy::Apply => f.write_str(" (apply changes it)"),
            Remedy::ByHand(how) => write!(f, " (apply cannot change it: {how})"),
        }
    }
}

/// A topic as it should be.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) partitions: u16,
    pub(super) replication: u16,
    pub(super) settings: Vec<(&'static str, String)>,
}

/// A topic as it is.
pub(super) struct Found {
    pub(super) partitions: usize,
    /// Of the partition with the fewest copies.
    pub(super) replication: Option<usize>,
    /// Value, and whether the topic has it of its own.
    pub(super) settings: BTreeMap<String, (String, bool)>,
}

impl Wanted {
    pub(super) fn of(name: &str, kafka: &config::Kafka, partitions: u16, brokers: usize) -> Self {
        let most = u16::try_from(brokers.max(1)).unwrap_or(u16::MAX);
        let replication =
            if kafka.allow_unsafe { kafka.replication.min(most) } else { kafka.replication };
        let (cleanup, retention) = if name == topic::DEAD_LETTERS {
            // One that was retried is removed by its key.
            ("compact,delete", DEAD_LETTER_RETENTION_MS.to_string())
        } else {
            let ms = |days: u32| (u64::from(days) * DAY_MS).to_string();
            ("delete", kafka.retention_days.map_or_else(|| "-1".to_owned(), ms))
        };
        let settings = vec![
            (CLEANUP, cleanup.to_owned()),
            // As the producer compressed it: the broker need not do it again.
            ("compression.type", "producer".to_owned()),
            (MAX_MESSAGE, topic::MAX_MESSAGE_BYTES.to_string()),
            (MIN_IN_SYNC, replication.saturating_sub(1).max(1).to_string()),
            ("retention.bytes", "-1".to_owned()),
            (RETENTION, retention),
        ];
        Self { name: name.to_owned(), partitions, replication, settings }
    }
}

/// Where `found` is not as `wanted`.
pub(super) fn differences(wanted: &Wanted, found: Option<&Found>) -> Vec<Difference> {
    let difference = |aspect, found, wanted_value: String, remedy| Difference {
        topic: wanted.name.clone(),
        aspect,
        found,
        wanted: wanted_value,
        remedy,
    };
    let Some(found) = found else {
        let (partitions, copies) = (wanted.partitions, wanted.replication);
        let text = format!("there with {partitions} partitions, {copies} copies each");
        return vec![difference(Aspect::Existence, None, text, Remedy::Apply)];
    };
    let mut all = Vec::new();
    if found.partitions != usize::from(wanted.partitions) {
        // Another number would send a shop's events to another partition than its state.
        let how = "set log.partitions to what the topic has, or begin a new topic";
        let is = Some(found.partitions.to_string());
        let should = wanted.partitions.to_string();
        all.push(difference(Aspect::Partitions, is, should, Remedy::ByHand(how)));
    }
    let copies = found.replication.unwrap_or(0);
    if copies < usize::from(wanted.replication) {
        let how = "add copies with kafka-reassign-partitions";
        let should = wanted.replication.to_string();
        let is = Some(copies.to_string());
        all.push(difference(Aspect::Replication, is, should, Remedy::ByHand(how)));
    }
    for (key, should) in &wanted.settings {
        let is = found.settings.get(*key).map(|(value, _)| value.clone());
        if !is.as_deref().is_some_and(|is| is_enough(key, is, should)) {
            // More in sync than there are copies: nothing could be written any more.
            let too_many =
                *key == MIN_IN_SYNC && should.parse().is_ok_and(|least: usize| least > copies);
            let remedy = if too_many { Remedy::ByHand("add copies first") } else { Remedy::Apply };
            all.push(difference(Aspect::Setting(key), is, should.clone(), remedy));
        }
    }
    all
}

/// What of a topic may lose acknowledged records, or refuse large ones.
pub(super) fn unsafe_of(wanted: &Wanted, found: Option<&Found>) -> Vec<String> {
    let name = &wanted.name;
    let Some(found) = found else {
        return vec![format!("{name} does not exist: run `tallyhook topics apply`")];
    };
    let mut all = Vec::new();
    let number = |key: &str| {
        found.settings.get(key).and_then(|(value, _)| value.parse::<usize>().ok()).unwrap_or(0)
    };
    if found.replication.unwrap_or(0) < 2 {
        all.push(format!("{name} has one copy: what its broker loses is lost"));
    }
    if number(MIN_IN_SYNC) < 2 {
        let text = "a record may be acknowledged while one broker only has it";
        all.push(format!("{name}: {MIN_IN_SYNC} is below 2: {text}"));
    }
    let (size, least) = (number(MAX_MESSAGE), topic::MAX_MESSAGE_BYTES);
    if size < least {
        all.push(format!(
            "{name}: {MAX_MESSAGE} is {size}, below {least}: large events are refused"
        ));
    }
    let policy = found.settings.get(CLEANUP).map_or("", |(value, _)| value);
    if name != topic::DEAD_LETTERS && policy.contains("compact") {
        let text = "only the last event of each shop would stay";
        all.push(format!("{name}: {CLEANUP} is {policy}: {text}"));
    }
    all
}

/// More than the least is as good, where that only costs memory; policies come in any order.
fn is_enough(key: &str, is: &str, should: &str) -> bool {
    if key == CLEANUP {
        let policies = |text: &str| {
            text.split(',').map(|policy| policy.trim().to_owned()).collect::<BTreeSet<_>>()
        };
        return policies(is) == policies(should);
    }
    if key != MAX_MESSAGE {
        return is == should;
    }
    match (is.parse::<u64>(), should.parse::<u64>()) {
        (Ok(is), Ok(should)) => is >= should,
        (Err(_), _) | (_, Err(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka(replication: u16, allow_unsafe: bool) -> config::Kafka {
        config::Kafka { replication, allow_unsafe, ..config::Kafka::open(Vec::new()) }
    }

    fn found(wanted: &Wanted) -> Found {
        let settings = wanted.settings.iter();
        let settings = settings.map(|(key, value)| ((*key).to_owned(), (value.clone(), true)));
        Found {
            partitions: usize::from(wanted.partitions),
            replication: Some(usize::from(wanted.replication)),
            settings: settings.collect(),
        }
    }

    #[test]
    fn unsafe_replication_follows_the_brokers() {
        let check = |replication, allow_unsafe, brokers, copies, in_sync: &str| {
            let kafka = kafka(replication, allow_unsafe);
            let wanted = Wanted::of(topic::EVENTS, &kafka, 32, brokers);
            assert_eq!(wanted.replication, copies);
            let setting = wanted.settings.iter().find(|(key, _)| *key == MIN_IN_SYNC);
            assert_eq!(setting.map(|(_, value)| value.as_str()), Some(in_sync));
        };
        check(3, false, 1, 3, "2");
        check(3, true, 1, 1, "1");
        check(3, true, 2, 2, "1");
        check(3, true, 5, 3, "2");
    }

    #[test]
    fn dead_letters_do_not_stay_for_ever() {
        let check = |name, retention: &str| {
            let wanted = Wanted::of(name, &kafka(3, false), 32, 3);
            assert!(wanted.settings.contains(&(RETENTION, retention.to_owned())));
        };
        check(topic::EVENTS, "-1");
        check(topic::DEAD_LETTERS, "2592000000");
        let short = config::Kafka { retention_days: Some(20), ..kafka(3, false) };
        let wanted = Wanted::of(topic::EVENTS, &short, 32, 3);
        assert!(wanted.settings.contains(&(RETENTION, "1728000000".to_owned())));
    }

    #[test]
    fn dead_letters_are_removed_by_their_key_and_events_never() {
        let check = |name, policy: &str, differs, is_unsafe| {
            let wanted = Wanted::of(name, &kafka(3, false), 32, 3);
            let mut found = found(&wanted);
            found.settings.insert(CLEANUP.into(), (policy.into(), true));
            assert_eq!(!differences(&wanted, Some(&found)).is_empty(), differs, "{name} {policy}");
            assert_eq!(!unsafe_of(&wanted, Some(&found)).is_empty(), is_unsafe, "{name} {policy}");
        };
        check(topic::DEAD_LETTERS, "compact,delete", false, false);
        check(topic::DEAD_LETTERS, "delete, compact", false, false);
        check(topic::DEAD_LETTERS, "delete", true, false);
        check(topic::EVENTS, "delete", false, false);
        check(topic::EVENTS, "compact,delete", true, true);
    }

    #[test]
    fn says_what_is_and_what_should_be() {
        let wanted = Wanted::of(topic::EVENTS, &kafka(3, false), 32, 3);
        assert_eq!(differences(&wanted, Some(&found(&wanted))), []);
        assert_eq!(unsafe_of(&wanted, Some(&found(&wanted))), [""; 0]);

        let check = |change: fn(&mut Found), expected: &[&str]| {
            let mut found = found(&wanted);
            change(&mut found);
            let texts: Vec<_> =
                differences(&wanted, Some(&found)).iter().map(ToString::to_string).collect();
            assert_eq!(texts, expected);
        };
        check(
            |found| found.partitions = 8,
            &["tallyhook.events.v1: partitions is 8, should be 32 (apply cannot change it: set \
               log.partitions to what the topic has, or begin a new topic)"],
        );
        check(
            |found| found.replication = Some(1),
            &[
                "tallyhook.events.v1: replication factor is 1, should be 3 (apply cannot change it: \
               add copies with kafka-reassign-partitions)",
            ],
        );
        let short = |found: &mut Found| {
            found.settings.insert(RETENTION.into(), ("604800000".into(), false));
        };
        check(
            short,
            &["tallyhook.events.v1: retention.ms is 604800000, should be -1 (apply changes it)"],
        );
        let more = |found: &mut Found| {
            found.settings.insert(MAX_MESSAGE.into(), ("20000000".into(), true));
        };
        check(more, &[]);
        assert_eq!(
            differences(&wanted, None)[0].to_string(),
            "tallyhook.events.v1 is missing, should be there with 32 partitions, 3 copies each \
             (apply changes it)"
        );
    }

    #[test]
    fn names_what_is_unsafe() {
        let wanted = Wanted::of(topic::EVENTS, &kafka(1, true), 32, 1);
        let mut found = found(&wanted);
        found.settings.insert(MAX_MESSAGE.into(), ("1048588".into(), false));
        found.settings.insert(CLEANUP.into(), ("compact".into(), true));
        assert_eq!(unsafe_of(&wanted, Some(&found)).len(), 4);
        assert_eq!(unsafe_of(&wanted, None).len(), 1);
    }
}
