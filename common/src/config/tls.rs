//! TLS towards Kafka and Redis: whom to trust and who we are. The files are read once, at the start,
//! so that a wrong path is found before anything connects.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Problem};
use super::key::Key;
use super::reader::Reader;

/// The largest PEM file that is read; the roots of a whole system take a fifth of it.
const MAX_PEM_BYTES: u64 = 1_048_576;

/// How a connection is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Not at all: everything can be read and changed on the way.
    Plain,
    /// By TLS 1.2 or newer; the server's certificate and name are always checked.
    Tls(Tls),
}

/// What TLS needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Who may have signed the server's certificate.
    pub authorities: Authorities,
    /// What we show where the server asks who we are.
    pub client: Option<ClientCertificate>,
}

/// Certificate authorities that are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorities {
    /// Those of the system.
    System,
    /// Those of a file, and no others.
    File(Pem),
}

/// A certificate of ours, for servers that ask for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and those between it and the authority.
    pub chain: Pem,
    /// Its private key, not encrypted.
    pub key: Pem,
}

/// A PEM file as it was at the start. `Debug` shows its path only.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem {
    path: PathBuf,
    text: String,
}

/// What a PEM file has to hold.
#[derive(Clone, Copy)]
enum Holds {
    Certificates,
    PrivateKey,
}

impl Pem {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds. A key's is kept out of messages.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    fn read(path: &str, holds: Holds) -> Result<Self, Problem> {
        let path = PathBuf::from(path);
        let text = text_of(&path).map_err(|error| {
            Problem::new(format!("cannot read the file: {error}"), holds.allowed())
        })?;
        match holds {
            Holds::Certificates if !text.contains("-----BEGIN CERTIFICATE-----") => {
                Err(Problem::new("the file holds no certificate", holds.allowed()))
            }
            Holds::PrivateKey if text.contains("ENCRYPTED") => Err(Problem::new(
                "the key is encrypted",
                "take its passphrase off: openssl pkey -in KEY -out PLAIN_KEY",
            )),
            Holds::PrivateKey if !text.contains("PRIVATE KEY-----") => {
                Err(Problem::new("the file holds no private key", holds.allowed()))
            }
            Holds::Certificates | Holds::PrivateKey => Ok(Self { path, text }),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({})", self.path.display())
    }
}

impl Holds {
    fn allowed(self) -> &'static str {
        match self {
            Self::Certificates => "name a PEM file with certificates",
            Self::PrivateKey => "name a PEM file with a private key",
        }
    }
}

impl Transport {
    /// Whether it is TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Reads `tls_ca`, `tls_cert` and `tls_key` of a section. `off` says how to turn TLS on where it
    /// is off, in which case none of them may be set.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        section: &str,
        off: Option<&'static str>,
    ) -> Result<Self, ConfigError> {
        let key = |name: &str| Key::dotted(&format!("{section}.{name}"));
        let pem = |text: &str, holds: Holds| match off {
            Some(remedy) => Err(Problem::new("this connection has no TLS", remedy)),
            None => Pem::read(text, holds),
        };
        let ca = reader.optional(&key("tls_ca"), |text| pem(text, Holds::Certificates))?;
        let chain = reader.optional(&key("tls_cert"), |text| pem(text, Holds::Certificates))?;
        let private = reader.optional(&key("tls_key"), |text| pem(text, Holds::PrivateKey))?;
        let client = match (chain, private) {
            (None, None) => None,
            (Some(chain), Some(key)) => Some(ClientCertificate { chain, key }),
            (Some(_), None) => {
                let needed = "name the PEM file with the private key of the client's certificate";
                return Err(reader.missing(&key("tls_key"), needed));
            }
            (None, Some(_)) => {
                let needed = "name the PEM file with the certificate that the key belongs to";
                return Err(reader.missing(&key("tls_cert"), needed));
            }
        };
        if off.is_some() {
            return Ok(Self::Plain);
        }
        let authorities = ca.map_or(Authorities::System, Authorities::File);
        Ok(Self::Tls(Tls { authorities, client }))
    }
}

fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_PEM_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_PEM_BYTES {
        return Err(io::Error::other("more than 1048576 bytes"));
    }
    Ok(text)
}
