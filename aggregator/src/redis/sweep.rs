//! Deletes the keys of generations that are no longer needed, some at a time on each master.

use std::collections::BTreeMap;

use common::store::StoreError;
use redis::{ParsingError, RedisResult, from_redis_value};

use super::generation::{Generation, Generations};
use super::link::Master;
use super::registry::Register;

/// Keys looked at, and keys deleted, with one command.
const KEYS: usize = 500;

/// Deletes all keys of generations that were given a number and are not among `known` any more, what
/// a process that slept through a change wrote afterwards included: how many.
pub fn sweep(register: &Register<'_>, known: &Generations) -> Result<u64, StoreError> {
    let failed = |error| register.links.failed(&error);
    let mut deleted = 0;
    for master in register.links.masters().map_err(failed)? {
        let mut cursor = 0;
        loop {
            let (next, keys) = scan(register, &master, cursor).map_err(failed)?;
            deleted += delete(register, keys, known).map_err(failed)?;
            if next == 0 {
                break;
            }
            cursor = next;
        }
    }
    Ok(deleted)
}

fn scan(register: &Register<'_>, master: &Master, cursor: u64) -> RedisResult<(u64, Vec<Vec<u8>>)> {
    let mut command = redis::cmd("SCAN");
    // A base holds nothing that a pattern gives another meaning.
    command.arg(cursor).arg("MATCH").arg(format!("{}:[0-9]*", register.base));
    let answer = register.links.send_to(master, command.arg("COUNT").arg(KEYS))?;
    from_redis_value(answer).map_err(|error: ParsingError| error.into())
}

fn delete(register: &Register<'_>, keys: Vec<Vec<u8>>, known: &Generations) -> RedisResult<u64> {
    let mut by_slot: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for key in keys {
        let generation = Generation::of_key(register.base, &key);
        // One of a greater number was begun after `known` was read.
        if generation.is_some_and(|one| one.number() <= known.last && !known.hold(&one)) {
            by_slot.entry(hash_tag(&key).to_vec()).or_default().push(key);
        }
    }
    let mut deleted = 0;
    for keys in by_slot.into_values() {
        let mut command = redis::cmd("UNLINK");
        for key in &keys {
            command.arg(key.as_slice());
        }
        let answer = register.links.send(&command)?;
        deleted += from_redis_value::<u64>(answer)?;
    }
    Ok(deleted)
}

/// What decides on a key's slot in a cluster.
fn hash_tag(key: &[u8]) -> &[u8] {
    let open = key.iter().position(|byte| *byte == b'{');
    let rest = open.map(|open| &key[open + 1..]);
    let tag = rest.and_then(|rest| Some(&rest[..rest.iter().position(|byte| *byte == b'}')?]));
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_hash_tags() {
        let check = |key: &str, expected: &str| {
            assert_eq!(hash_tag(key.as_bytes()), expected.as_bytes());
        };
        check("t:1-0:{p07}:b:{x}", "p07");
        check("t:1-0:manifest", "t:1-0:manifest");
        check("t{}x", "t{}x");
        check("t{x", "t{x");
    }
}
