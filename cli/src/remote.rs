//! The client of a running instance: what holds the data directory is asked over its admin listener.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use common::config::Config;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::node::layout::Layout;
use crate::output::Output;

/// How long a connection may take; instances are near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may take to begin; a rebuild of a large log takes its time.
const ANSWER_TIMEOUT: Duration = Duration::from_hours(1);
/// How long an instance may take to fold what it acknowledged.
const LONGEST_LAG: Duration = Duration::from_mins(1);
/// How long to wait before asking for its lag again.
const LAG_PAUSE: Duration = Duration::from_millis(50);

/// A running instance.
#[derive(Clone, Debug)]
pub struct Remote {
    agent: Agent,
    base: String,
    token: Option<String>,
}

impl Remote {
    /// The instance that holds the data directory: at the address it wrote there, else at the
    /// configured one.
    pub fn of(config: &Config, layout: &Layout) -> Self {
        let base = layout.instance_address();
        let base = base.unwrap_or_else(|| format!("http://{}", reachable(config.admin.listen)));
        let token = config.admin.token.as_ref();
        let token = token.map(|token| String::from_utf8_lossy(token.expose()).into_owned());
        Self { agent: http_agent(), base, token }
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.base
    }

    /// Whether something answers there.
    pub fn is_alive(&self) -> bool {
        self.agent.get(format!("{}/livez", self.base)).call().is_ok()
    }

    /// The status of `/readyz` and what it says.
    pub fn readiness(&self) -> anyhow::Result<(u16, String)> {
        let url = format!("{}/readyz", self.base);
        let response = self.agent.get(&url).config().timeout_global(Some(CONNECT_TIMEOUT)).build();
        let mut response = response.call().with_context(|| format!("no answer from {url}"))?;
        let text = response.body_mut().read_to_string().unwrap_or_default();
        Ok((response.status().as_u16(), text))
    }

    /// Waits until the instance has folded what it acknowledged by now, so that an answer is as
    /// current as one from the directory itself; gives up where it lags for long.
    pub fn catch_up(&self, output: Output) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let status: Value = serde_json::from_str(&self.get("/v1/status", &[])?)?;
            let Some(lag) = lag(&status) else { return Ok(()) };
            // A fold that stopped does not catch up; readiness and log of the instance say why.
            if begun.elapsed() > LONGEST_LAG || status.get("halted").is_some() {
                output.note(format_args!("{lag}; this is its answer"));
                return Ok(());
            }
            thread::sleep(LAG_PAUSE);
        }
    }

    /// The body of a `GET`.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<String> {
        whole(self.open(path, query)?)
    }

    /// The body of a `POST`.
    pub fn post(&self, path: &str, query: &[(&str, &str)], body: &[u8]) -> anyhow::Result<String> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        request = request.query_pairs(query.iter().copied());
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = request.send(body).with_context(|| self.silent(path))?;
        whole(self.checked(path, response)?)
    }

    /// Visits the lines of an answer as they come.
    pub fn lines(
        &self,
        path: &str,
        mut visit: impl FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let body = self.open(path, &[])?.into_body();
        let reader = body.into_with_config().limit(u64::MAX).reader();
        for line in BufReader::new(reader).lines() {
            visit(&line.with_context(|| self.silent(path))?)?;
        }
        Ok(())
    }

    fn open(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Response<Body>> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        request = request.query_pairs(query.iter().copied());
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = request.call().with_context(|| self.silent(path))?;
        self.checked(path, response)
    }

    fn checked(&self, path: &str, mut response: Response<Body>) -> anyhow::Result<Response<Body>> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.body_mut().read_to_string().unwrap_or_default();
        let detail = problem_detail(&text).unwrap_or_else(|| status.to_string());
        if status.as_u16() == 401 {
            bail!("{}{path}: {detail} Set admin.token to the token of that instance.", self.base);
        }
        bail!("{}{path} answered {}: {detail}", self.base, status.as_u16());
    }

    fn silent(&self, path: &str) -> String {
        format!("no answer from {}{path}; is the instance still running?", self.base)
    }
}

/// A client that takes every status as an answer and never leaves for another host.
pub fn http_agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(ANSWER_TIMEOUT));
    config.build().new_agent()
}

/// What a problem's details say, if it is one.
pub fn problem_detail(body: &str) -> Option<String> {
    let problem: Value = serde_json::from_str(body).ok()?;
    let text = problem.get("detail").or_else(|| problem.get("title"))?;
    text.as_str().map(ToOwned::to_owned)
}

/// An address to connect to: a listener on all addresses is reached on the loopback one.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// How far an instance is behind, in words; `None` only where it says that it is not.
fn lag(status: &Value) -> Option<String> {
    match status["lag_events"].as_u64() {
        Some(0) => None,
        Some(lag) => Some(format!("the instance is {lag} events behind")),
        None => Some("the instance does not say how far it is behind".to_owned()),
    }
}

fn whole(response: Response<Body>) -> anyhow::Result<String> {
    let body = response.into_body().into_with_config().limit(u64::MAX);
    body.read_to_string().context("the answer broke off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reaches_listeners_on_all_addresses() {
        let check = |listen: &str, expected: &str| {
            let listen: SocketAddr = listen.parse().expect("an address");
            assert_eq!(reachable(listen).to_string(), expected);
        };
        check("0.0.0.0:8081", "127.0.0.1:8081");
        check("[::]:8081", "[::1]:8081");
        check("10.0.0.1:1", "10.0.0.1:1");
    }

    #[test]
    fn takes_no_answer_for_a_lag() {
        let check = |status: Value, expected: Option<&str>| {
            let found = lag(&status);
            assert_eq!(found.is_some(), expected.is_some(), "{status}");
            assert!(found.is_none_or(|text| text.contains(expected.unwrap_or_default())));
        };
        check(serde_json::json!({ "lag_events": 0 }), None);
        check(serde_json::json!({ "lag_events": 7 }), Some("7 events behind"));
        check(serde_json::json!({ "lag_events": null }), Some("does not say"));
        check(serde_json::json!({}), Some("does not say"));
    }

    #[test]
    fn reads_details_of_problems() {
        let check = |body: &str, expected: Option<&str>| {
            assert_eq!(problem_detail(body).as_deref(), expected);
        };
        check(r#"{"title":"Not Found","detail":"no such shop"}"#, Some("no such shop"));
        check(r#"{"title":"Not Found"}"#, Some("Not Found"));
        check("oops", None);
    }
}
