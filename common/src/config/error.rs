//! What can be wrong with a configuration. A message names the key, the place of the value, what
//! was found and what is allowed; it never holds a secret.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a configuration is refused. The program exits with code 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value of the wrong type, form or range.
    #[error("{key} = {found} ({place}): {problem}; {allowed}")]
    Invalid {
        /// Dotted key.
        key: String,
        /// Where the value stands.
        place: String,
        /// The value as it was written; `<redacted>` for secrets.
        found: String,
        /// What is wrong with it.
        problem: Cow<'static, str>,
        /// What may stand there.
        allowed: Cow<'static, str>,
    },
    /// A key that Tallyhook does not have. The value is not shown: it may be a secret whose key
    /// was misspelt.
    #[error("{key} ({place}): no such key; {hint}")]
    UnknownKey {
        /// Dotted key.
        key: String,
        /// Where it stands.
        place: String,
        /// The nearest key, or the keys that exist there.
        hint: String,
    },
    /// A variable with Tallyhook's prefix that names no key.
    #[error(
        "environment variable {variable}: names no key; write TALLYHOOK_SECTION__KEY with two \
         underscores, for example TALLYHOOK_PUBLIC__LISTEN, or unset it"
    )]
    UnknownVariable {
        /// The variable's name.
        variable: String,
    },
    /// A value where a table of keys is expected.
    #[error("{key} ({place}): a value, but {key} is a section; write its keys under [{key}]")]
    NotATable {
        /// Dotted key.
        key: String,
        /// Where it stands.
        place: String,
    },
    /// A key that must be set is not.
    #[error("{key} is missing ({place}): {allowed}")]
    Missing {
        /// Dotted key.
        key: String,
        /// The section it is missing from.
        place: String,
        /// What may stand there.
        allowed: Cow<'static, str>,
    },
    /// A secret that cannot be resolved, is empty or too short.
    #[error("{key} = {reference} ({place}): {problem}; {allowed}")]
    Secret {
        /// Dotted key.
        key: String,
        /// Where the value stands.
        place: String,
        /// `env:NAME`, `file:PATH`, or `<redacted>` for literal text.
        reference: String,
        /// What is wrong with it.
        problem: String,
        /// What may stand there.
        allowed: Cow<'static, str>,
    },
    /// The file is not TOML. The line itself is not shown: it may hold a secret.
    #[error("{place}: not valid TOML: {message}; correct the line")]
    Syntax {
        /// File and line.
        place: String,
        /// The parser's message.
        message: String,
    },
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}; name a readable file with --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// No source is configured, but the command receives webhooks.
    #[error(
        "sources: none is configured; add at least one, for example [sources.shopify] with \
         platform = \"shopify\" and secrets = [\"env:SHOPIFY_SECRET\"]"
    )]
    NoSource,
    /// The admin listener can be reached from other machines and asks for no token.
    #[error(
        "admin.listen = \"{listen}\" ({place}): not a loopback address, and admin.token is not \
         set; set admin.token, for example \"env:TALLYHOOK_TOKEN\", or listen on 127.0.0.1"
    )]
    AdminWithoutToken {
        /// The listener's address.
        listen: SocketAddr,
        /// Where it stands.
        place: String,
    },
    /// The program was built without something that the configuration asks for.
    #[error(
        "{key} ({place}): this tallyhook was built without {what}; build it with \
         `cargo build --release -p tallyhook --features kafka-tls`, or take the container image"
    )]
    NotBuilt {
        /// Dotted key.
        key: String,
        /// Where it stands.
        place: String,
        /// What is missing.
        what: &'static str,
    },
    /// The pseudonym key in the data directory cannot be made or read.
    #[error(
        "cannot {action} the pseudonym key {}: {source}; make data.dir writable or set privacy.pseudonym_key",
        path.display()
    )]
    KeyFile {
        /// What was tried.
        action: &'static str,
        /// The key file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// No layer names the key.
    Default,
    /// A line of the configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag, without its dashes.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// What a parser of one value has to say against it; the reader adds key, place and value.
pub(super) struct Problem {
    pub(super) what: Cow<'static, str>,
    pub(super) allowed: Cow<'static, str>,
}

impl Problem {
    pub(super) fn new(
        what: impl Into<Cow<'static, str>>,
        allowed: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { what: what.into(), allowed: allowed.into() }
    }
}
