//! What is asked of Redis at the start: that it loses nothing that it was given.

use common::store::StoreError;
use redis::{Value, from_redis_value};
use thiserror::Error;

use super::link::Links;

/// The only policy under which Redis keeps everything.
const NOEVICTION: &str = "noeviction";
/// The oldest version that is tested.
const OLDEST_MAJOR: u32 = 7;

/// What about a server is not as it should be, though it can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Warning {
    /// A restart brings back nothing.
    #[error(
        "Redis keeps nothing on disk (appendonly no, save \"\"): after its restart the state is \
         folded anew from the log's start; set `appendonly yes`"
    )]
    NotPersistent,
    /// A restart brings back an old state.
    #[error(
        "Redis writes its dataset now and then only (appendonly no): after its restart much is \
         folded again; set `appendonly yes`"
    )]
    NoAppendOnlyFile,
    /// Older than what is tested.
    #[error("Redis {found} is older than 7.0, which Tallyhook is tested with; upgrade it")]
    Old {
        /// Its version.
        found: String,
    },
    /// A check could not be made.
    #[error(
        "{what} could not be checked ({why}); allow `INFO` and `CONFIG GET` to the user, or make \
         sure of maxmemory-policy noeviction and appendonly yes yourself"
    )]
    Unchecked {
        /// What was asked.
        what: &'static str,
        /// What came back.
        why: String,
    },
}

/// Checks every master: refuses one that evicts, warns of what else is amiss.
pub fn check(links: &Links) -> Result<Vec<Warning>, StoreError> {
    let mut warnings = Vec::new();
    let mut info = redis::cmd("INFO");
    info.arg("default");
    let texts = match links.send_to_all(&info).and_then(|answers| texts(&answers)) {
        Ok(texts) => texts,
        Err(error) => {
            warnings.push(Warning::Unchecked { what: "INFO", why: error.to_string() });
            Vec::new()
        }
    };
    let reported: Vec<&str> =
        texts.iter().filter_map(|text| field(text, "maxmemory_policy")).collect();
    let policies = if reported.is_empty() {
        configured(links, "maxmemory-policy", &mut warnings)
    } else {
        reported.into_iter().map(str::to_owned).collect()
    };
    if let Some(found) = policies.into_iter().find(|policy| policy != NOEVICTION) {
        return Err(StoreError::Unsafe {
            place: links.place().to_owned(),
            setting: "maxmemory-policy",
            found,
            remedy: "Redis would throw state away when memory is short; \
                     set `maxmemory-policy noeviction` on every node",
        });
    }
    warnings.extend(texts.iter().find_map(|text| old(text)));
    if texts.iter().any(|text| field(text, "aof_enabled") == Some("0")) {
        let saves = configured(links, "save", &mut warnings);
        let never = saves.iter().any(String::is_empty);
        warnings.push(if never { Warning::NotPersistent } else { Warning::NoAppendOnlyFile });
    }
    Ok(warnings)
}

fn texts(answers: &[Value]) -> redis::RedisResult<Vec<String>> {
    answers.iter().map(|answer| Ok(from_redis_value::<String>(answer.clone())?)).collect()
}

/// The values of a setting, one for each master; a refusal is a warning.
fn configured(links: &Links, name: &'static str, warnings: &mut Vec<Warning>) -> Vec<String> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(name);
    let answers = links.send_to_all(&command).and_then(|answers| {
        let pairs = answers.into_iter().map(|one| Ok(from_redis_value::<Vec<String>>(one)?));
        pairs.collect::<redis::RedisResult<Vec<_>>>()
    });
    match answers {
        Ok(answers) => answers.into_iter().filter_map(|pair| pair.into_iter().nth(1)).collect(),
        Err(error) => {
            warnings.push(Warning::Unchecked { what: name, why: error.to_string() });
            Vec::new()
        }
    }
}

fn old(info: &str) -> Option<Warning> {
    let found = field(info, "redis_version")?;
    let major: u32 = found.split('.').next()?.parse().ok()?;
    (major < OLDEST_MAJOR).then(|| Warning::Old { found: found.to_owned() })
}

/// A field of an answer to `INFO`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_info() {
        let info = "# Server\r\nredis_version:6.2.14\r\nredis_mode:standalone\r\naof_enabled:0\r\n";
        assert_eq!(field(info, "aof_enabled"), Some("0"));
        assert_eq!(field(info, "aof"), None);
        assert_eq!(old(info), Some(Warning::Old { found: "6.2.14".to_owned() }));
        assert_eq!(old("redis_version:7.0.15"), None);
    }
}
