//! Who we are towards Kafka: SASL's mechanism, user and password, and the name of a group's member.

use std::fmt;

use super::error::{ConfigError, Problem};
use super::key::Key;
use super::reader::Reader;
use super::secret::REDACTED;

/// The variable that Kubernetes' downward API gives a pod's name in.
pub(super) const POD_NAME: &str = "POD_NAME";

const MECHANISMS: &str = "use plain, scram-sha-256 or scram-sha-512";

/// A user of Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// The user; an API key where the password is its secret.
    pub username: SecretText,
    /// The password.
    pub password: SecretText,
}

/// A mechanism of SASL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The password itself is sent.
    Plain,
    /// A proof is sent, by SHA-256.
    ScramSha256,
    /// A proof is sent, by SHA-512.
    ScramSha512,
}

/// A secret that is text. `Debug` writes `<redacted>`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl Mechanism {
    /// As it is registered.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        match text.to_ascii_lowercase().as_str() {
            "plain" => Ok(Self::Plain),
            "scram-sha-256" => Ok(Self::ScramSha256),
            "scram-sha-512" => Ok(Self::ScramSha512),
            _ => Err(Problem::new("not a mechanism", MECHANISMS)),
        }
    }
}

impl SecretText {
    /// The text. Keep it out of messages.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn read(reader: &mut Reader<'_>, key: &Key) -> Result<Option<Self>, ConfigError> {
        let Some(secret) = reader.secrets(key)?.pop() else { return Ok(None) };
        // A client of Kafka takes texts that end with a zero byte.
        match std::str::from_utf8(secret.expose()) {
            Ok(text) if !text.contains('\0') => Ok(Some(Self(text.to_owned()))),
            Ok(_) | Err(_) => Err(ConfigError::Secret {
                key: key.to_string(),
                place: reader.place(key).to_string(),
                reference: secret.reference().to_string(),
                problem: "not UTF-8, or it holds a zero byte".to_owned(),
                allowed: "use text".into(),
            }),
        }
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Login {
    /// `None` where nobody logs in. A password in clear is refused unless `clear` allows it.
    pub(super) fn read(reader: &mut Reader<'_>, clear: bool) -> Result<Option<Self>, ConfigError> {
        let key = |name: &str| Key::dotted(&format!("kafka.{name}"));
        let mechanism = reader.optional(&key("sasl_mechanism"), |text| match Mechanism::parse(
            text,
        )? {
            Mechanism::Plain if !clear => Err(Problem::new(
                "the password would cross the network in clear",
                "set kafka.tls = true; or, if nobody can listen there, kafka.allow_unsafe = true",
            )),
            mechanism @ (Mechanism::Plain | Mechanism::ScramSha256 | Mechanism::ScramSha512) => {
                Ok(mechanism)
            }
        })?;
        let username = SecretText::read(reader, &key("sasl_username"))?;
        let password = SecretText::read(reader, &key("sasl_password"))?;
        match (mechanism, username, password) {
            (None, None, None) => Ok(None),
            (Some(mechanism), Some(username), Some(password)) => {
                Ok(Some(Self { mechanism, username, password }))
            }
            (None, Some(_), _) | (None, None, Some(_)) => {
                Err(reader.missing(&key("sasl_mechanism"), MECHANISMS))
            }
            (Some(_), None, _) => {
                Err(reader.missing(&key("sasl_username"), "name the user that logs in"))
            }
            (Some(_), Some(_), None) => {
                let needed = "name the user's password, for example \"env:KAFKA_PASSWORD\"";
                Err(reader.missing(&key("sasl_password"), needed))
            }
        }
    }
}

/// The name that a group's member keeps over restarts; only a pod has one.
pub(super) fn member(reader: &Reader<'_>) -> Result<Option<String>, ConfigError> {
    let Some(name) = reader.variable(POD_NAME).filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.len() <= 249 && name.bytes().all(plain) && name != "." && name != ".." {
        return Ok(Some(name.to_owned()));
    }
    Err(ConfigError::Invalid {
        key: POD_NAME.to_owned(),
        place: format!("environment variable {POD_NAME}"),
        found: format!("{:?}", name.chars().take(100).collect::<String>()),
        problem: "not a name that a member of a consumer group can have".into(),
        allowed: "use 1 to 249 of letters, digits, . _ and -, or unset it".into(),
    })
}
