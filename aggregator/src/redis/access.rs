//! Getting into Redis: TLS, and what the user may do there, with errors that say what to change.

use common::config::{Authorities, ClientCertificate, Tls};
use redis::{ClientTlsConfig, Cmd, ErrorKind, RedisError, ServerErrorKind, TlsCertificates};

use super::link::Links;
use super::names;

/// What the user of Redis has to be allowed; `deploy` and the handbook repeat it.
const ALLOW: &str = "allow the user what Tallyhook does: \
                     ACL SETUSER USER ~tallyhook:* +@all -@dangerous +info +config|get";

/// Writes and deletes as a commit does, and leaves nothing.
const PROBE: &str = "redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[1], '') \
                     redis.call('DEL', KEYS[1]) return redis.call('GET', KEYS[1])";

/// Chooses the cryptography of TLS, once for the process: rustls asks for a choice wherever more than
/// one is linked, and would panic for want of it.
pub fn choose_cryptography() {
    // It fails where somebody has chosen already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The files of a configuration as the client takes them.
pub fn certificates(tls: &Tls) -> TlsCertificates {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let root_cert = match &tls.authorities {
        Authorities::System => None,
        Authorities::File(pem) => Some(bytes(pem.expose())),
    };
    let client_tls = tls.client.as_ref().map(|ClientCertificate { chain, key }| ClientTlsConfig {
        client_cert: bytes(chain.expose()),
        client_key: bytes(key.expose()),
    });
    TlsCertificates { client_tls, root_cert }
}

/// Does at the start whatever a commit will do, so that a user who may not is heard of before the
/// first event. Only that is looked for: other failures have their own place.
pub fn check(links: &Links, prefix: &str) -> Result<(), RedisError> {
    let key = names::probe(prefix);
    let mut script = redis::cmd("EVAL");
    script.arg(PROBE).arg(1).arg(&key);
    let mut by_digest = redis::cmd("EVALSHA");
    by_digest.arg("0".repeat(40)).arg(1).arg(&key);
    let mut read = redis::cmd("MGET");
    read.arg(&key);
    for command in [&script, &by_digest, &read] {
        forbidden(links, command)?;
    }
    Ok(())
}

fn forbidden(links: &Links, command: &Cmd) -> Result<(), RedisError> {
    match links.send(command) {
        Err(error) if is_forbidden(&error) => Err(error),
        Err(_) | Ok(_) => Ok(()),
    }
}

/// An error of the client, and what to do about it where that is known.
pub fn explained(error: &RedisError) -> String {
    let text = error.to_string();
    // What a connection to a cluster failed of is told in words only.
    let says = |words: &str| text.contains(words);
    let remedy = if error.kind() == ErrorKind::AuthenticationFailed || says("WRONGPASS") {
        "check user and password in redis.url; special characters stand there as %XX"
    } else if says("NOAUTH") {
        "Redis wants a login: redis.url = \"rediss://USER:PASSWORD@HOST:PORT\""
    } else if is_forbidden(error) {
        ALLOW
    } else if says("UnknownIssuer") {
        "no authority that is trusted signed the server's certificate: set redis.tls_ca to the PEM \
         file of the one that did (unset: the system's authorities)"
    } else if says("invalid peer certificate") {
        "check the host in redis.url against the names in the server's certificate, and its dates"
    } else if says("CertificateRequired") {
        "Redis asks who we are: set redis.tls_cert and redis.tls_key"
    } else if says("received fatal alert") {
        "Redis does not accept our certificate: check redis.tls_cert and redis.tls_key"
    } else if says("InvalidContentType") {
        "the server does not speak TLS there: write redis:// in redis.url, or name its TLS port"
    } else {
        return text;
    };
    format!("{text}; {remedy}")
}

/// Whether the user may not do it, directly or within a script.
fn is_forbidden(error: &RedisError) -> bool {
    let text = error.to_string();
    // Redis 7.0, and 7.2 and later.
    let in_script = ["The user executing the script can't", "ACL failure in script"];
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
        || text.contains("NOPERM")
        || in_script.iter().any(|words| text.contains(words))
}
