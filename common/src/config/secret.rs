//! Secrets: where they come from, and a type that never shows them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// What stands in place of a secret.
pub(super) const REDACTED: &str = "<redacted>";

/// The largest file that is taken for a secret.
const MAX_FILE_BYTES: u64 = 65_536;

/// A secret's bytes, never empty. `Debug` and `Display` write `<redacted>`.
///
/// In the configuration it is literal text, `env:NAME` for a variable, or `file:PATH` for a file,
/// relative to the working directory. A file's bytes are taken as they are, only one newline at
/// the end (`\n` or `\r\n`) is cut. A secret that holds a comma, or whose text begins with `env:`
/// or `file:`, cannot be literal in a variable's list: use a reference.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    reference: Reference,
    bytes: Vec<u8>,
}

/// How the configuration names a secret. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The secret itself stands in the configuration.
    Literal,
    /// `env:NAME`.
    Environment(String),
    /// `file:PATH`.
    File(PathBuf),
}

impl Secret {
    /// A secret from its own text; `None` if that is empty.
    #[must_use]
    pub fn literal(text: &str) -> Option<Self> {
        let bytes = text.as_bytes().to_vec();
        (!bytes.is_empty()).then_some(Self { reference: Reference::Literal, bytes })
    }

    /// The bytes themselves. Keep them out of messages.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// Where it comes from.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Reference {
    /// How a configured text names its secret.
    fn of(text: &str) -> Self {
        match (text.strip_prefix("env:"), text.strip_prefix("file:")) {
            (Some(name), _) => Self::Environment(name.to_owned()),
            (_, Some(path)) => Self::File(PathBuf::from(path)),
            (None, None) => Self::Literal,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal => f.write_str(REDACTED),
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// The reference in a configured text, for messages.
pub(super) fn reference_of(text: &str) -> String {
    Reference::of(text).to_string()
}

/// Finds the secret that a configured text names, or says why there is none.
pub(super) fn resolve(
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<Secret, String> {
    let reference = Reference::of(text);
    let bytes = match &reference {
        Reference::Literal => text.as_bytes().to_vec(),
        Reference::Environment(name) => environment
            .get(name)
            .map(|value| value.as_bytes().to_vec())
            .ok_or("this environment variable is not set")?,
        Reference::File(path) => {
            from_file(path).map_err(|error| format!("cannot read the file: {error}"))?
        }
    };
    match (bytes.is_empty(), &reference) {
        (false, _) => Ok(Secret { reference, bytes }),
        (true, Reference::Literal) => Err("empty".to_owned()),
        (true, Reference::Environment(_)) => Err("this environment variable is empty".to_owned()),
        (true, Reference::File(_)) => Err("the file is empty".to_owned()),
    }
}

/// An address without its user, password and query.
pub(super) fn masked(address: &str) -> String {
    if !matches!(Reference::of(address), Reference::Literal) {
        return address.to_owned();
    }
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), address),
    };
    // The query goes first, since a password may stand there and hold an `@`.
    let (rest, query) = match rest.split_once('?') {
        Some((rest, _)) => (rest, format!("?{REDACTED}")),
        None => (rest, String::new()),
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{REDACTED}@{host}{query}"),
        None => format!("{scheme}{rest}{query}"),
    }
}

/// A file's bytes without one newline at the end.
pub(super) fn from_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("more than 65536 bytes"));
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_all_bytes_but_one_newline() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("secret");
        let check = |content: &[u8], expected: Result<&[u8], &str>| {
            std::fs::write(&path, content).expect("written");
            let text = format!("file:{}", path.display());
            let found = resolve(&text, &BTreeMap::new());
            let found = found.as_ref().map(Secret::expose).map_err(String::as_str);
            assert_eq!(found, expected, "{content:?}");
        };
        check(b"key", Ok(b"key"));
        check(b"key\n", Ok(b"key"));
        check(b"key\r\n", Ok(b"key"));
        check(b"key\n\n", Ok(b"key\n"));
        check(b" key\r", Ok(b" key\r"));
        check(b"\xff\x00\n", Ok(b"\xff\x00"));
        check(b"\n", Err("the file is empty"));
        check(&vec![b'x'; 65_537], Err("cannot read the file: more than 65536 bytes"));
    }

    #[test]
    fn addresses_lose_what_is_secret() {
        let check = |address: &str, expected: &str| assert_eq!(masked(address), expected);
        check("redis://127.0.0.1:6379", "redis://127.0.0.1:6379");
        check("redis://u:p@ss@host:1/2", "redis://<redacted>@host:1/2");
        check("redis://host?password=a@b", "redis://host?<redacted>");
        check("u:p@host", "<redacted>@host");
        check("env:REDIS_URL", "env:REDIS_URL");
    }
}
