//! Where deliveries go: a plain `http://` address, taken apart.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// The platform gives a connection this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// And an answer this long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A receiver's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host and port as in the `Host` header.
    pub(super) authority: String,
    /// Host and port to connect to.
    connect: String,
    /// Path and query.
    pub(super) path: String,
}

/// What an address looks like.
const FORM: &str = "not an address to post to: use the form http://127.0.0.1:8080/webhooks/shopify";

impl Target {
    /// Parses `http://host[:port]/path`.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        let url = url.trim();
        let (scheme, rest) = url.split_once("://").context(FORM)?;
        if scheme.eq_ignore_ascii_case("https") {
            bail!(
                "simulate speaks plain HTTP only: point --url at the receiver itself (http://...), \
                 not at the TLS proxy before it"
            );
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let host = !authority.is_empty() && !authority.contains('@');
        if !scheme.eq_ignore_ascii_case("http") || !host || !visible(rest) {
            bail!(FORM);
        }
        let after_host = authority.rsplit_once(']').map_or(authority, |(_, port)| port);
        let connect = match after_host.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
            Some(_) => bail!(FORM),
            None => format!("{authority}:80"),
        };
        Ok(Self { authority: authority.to_owned(), connect, path: path.to_owned() })
    }

    /// A new connection, to the first of the host's addresses that takes it.
    pub(super) fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in self.connect.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
                    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_apart() {
        let check = |url: &str, connect: &str, path: &str| {
            let target = Target::parse(url).expect(url);
            assert_eq!((target.connect.as_str(), target.path.as_str()), (connect, path));
        };
        check("http://127.0.0.1:8080/webhooks/shopify", "127.0.0.1:8080", "/webhooks/shopify");
        check("HTTP://shop.example/x?y=1", "shop.example:80", "/x?y=1");
        check("http://[::1]:8080/w", "[::1]:8080", "/w");
        check("http://[::1]/w", "[::1]:80", "/w");
        check("http://localhost", "localhost:80", "/");
    }

    #[test]
    fn refuses_what_it_cannot_reach() {
        let refuses = |url: &str| Target::parse(url).expect_err(url).to_string();
        assert!(refuses("https://x/webhooks/shopify").contains("plain HTTP"));
        for url in ["", "localhost:8080/w", "http:///w", "http://a b/", "http://u@h/", "ftp://x/"] {
            assert_eq!(refuses(url), FORM);
        }
    }
}
