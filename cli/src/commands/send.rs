//! `tallyhook send FILE`: signs one payload as Shopify would, and posts it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use common::clock::{Clock as _, SystemClock};
use ingest::verify::sign_shopify;
use serde_json::Value;

use crate::args::Global;
use crate::remote::{http_agent, problem_detail};

/// The path of a webhook where the address names none.
const DEFAULT_PATH: &str = "/webhooks/shopify";

/// The arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The payload; `-` reads standard input
    file: PathBuf,
    /// Where to post, http:// only (TLS ends at a proxy in front of the receiver); without a path,
    /// /webhooks/shopify is appended
    #[arg(long)]
    url: String,
    /// The source's secret
    #[arg(long)]
    secret: String,
    /// The topic, for example orders/create
    #[arg(long)]
    topic: String,
    /// The shop's domain
    #[arg(long)]
    shop: String,
}

/// Posts the payload; fails where the answer is no 2xx.
pub fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let body = read(&args.file)?;
    let url = webhook_url(&args.url);
    if !url.to_ascii_lowercase().starts_with("http://") {
        bail!("--url {url}: send speaks plain HTTP only; use http://HOST:PORT/webhooks/SOURCE");
    }
    let response = http_agent()
        .post(&url)
        .header("Content-Type", "application/json")
        .header("X-Shopify-Topic", &args.topic)
        .header("X-Shopify-Shop-Domain", &args.shop)
        .header("X-Shopify-Hmac-SHA256", sign_shopify(args.secret.as_bytes(), &body))
        .header("X-Shopify-Webhook-Id", uuid::Uuid::new_v4().to_string())
        .header("X-Shopify-Event-Id", uuid::Uuid::new_v4().to_string())
        .header("X-Shopify-Triggered-At", SystemClock.now().to_string())
        .send(body.as_slice());
    let mut response = response
        .with_context(|| format!("no answer from {url}: is `tallyhook serve` running there?"))?;
    let status = response.status();
    let text = response.body_mut().read_to_string().unwrap_or_default();
    let detail = problem_detail(&text);
    let output = global.output();
    if output.json {
        let detail = detail.as_deref().map_or(Value::Null, Value::from);
        output.json(&serde_json::json!({ "status": status.as_u16(), "detail": detail }))?;
    } else {
        let meaning = if status.is_success() { "stored" } else { "refused" };
        output.line(format_args!(
            "{} {}",
            status.as_u16(),
            detail.as_deref().unwrap_or(meaning)
        ))?;
    }
    if !status.is_success() {
        bail!("{url} answered {status}");
    }
    Ok(())
}

/// The address with the webhook's path where it has none.
pub fn webhook_url(url: &str) -> String {
    let url = url.trim();
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    match url[after_scheme..].find('/') {
        None => format!("{url}{DEFAULT_PATH}"),
        Some(slash) if after_scheme + slash + 1 == url.len() => {
            format!("{}{DEFAULT_PATH}", url.trim_end_matches('/'))
        }
        Some(_) => url.to_owned(),
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).context("cannot read standard input")?;
        return Ok(body);
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_the_path_where_there_is_none() {
        let check = |url: &str, expected: &str| assert_eq!(webhook_url(url), expected);
        check("http://localhost:8080", "http://localhost:8080/webhooks/shopify");
        check("http://localhost:8080/", "http://localhost:8080/webhooks/shopify");
        check("http://[::1]:80/webhooks/second", "http://[::1]:80/webhooks/second");
    }
}
