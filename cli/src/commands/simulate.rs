//! `tallyhook simulate`: posts the signed webhooks of simulated shops.

use std::path::PathBuf;

use anyhow::bail;
use common::shop::ShopDomain;
use indicatif::{ProgressBar, ProgressStyle};

use super::send::webhook_url;
use crate::args::Global;
use crate::simulate::{self, Faults, Options, Report};

/// The arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where to post, http:// only (TLS ends at a proxy in front of the receiver); without a path,
    /// /webhooks/shopify is appended
    #[arg(long)]
    url: String,
    /// The source's secret
    #[arg(long)]
    secret: String,
    /// How many shops
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    shops: u32,
    /// Orders of each shop
    #[arg(long, default_value_t = 1000)]
    orders: usize,
    /// Deliveries a second [default: as fast as they are answered]
    #[arg(long)]
    rate: Option<f64>,
    /// The same seed gives the same shops
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What goes wrong on the way: dup, reorder, late, retry, separated by commas
    #[arg(long, default_value = "", value_name = "FAULTS")]
    faults: Faults,
    /// Write the KPIs that must result to this file
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Connections to post over
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Begin of the shops' domains
    #[arg(long, default_value = "sim", value_name = "TEXT")]
    domain_prefix: String,
}

/// Posts everything; fails where a delivery was refused or remains unknown.
pub fn run(global: &Global, args: Args) -> anyhow::Result<()> {
    let options = Options {
        url: webhook_url(&args.url),
        secret: args.secret.into_bytes(),
        shops: args.shops as usize,
        orders: args.orders,
        rate: args.rate,
        seed: args.seed,
        faults: args.faults,
        truth: args.truth,
        connections: args.connections.into(),
        domain_prefix: args.domain_prefix,
    };
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let report = simulate::run(&options, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    print(global, &report?)
}

fn print(global: &Global, report: &Report) -> anyhow::Result<()> {
    let Report { acked, refused, statuses, unknown, posted, seconds, shops } = report;
    let output = global.output();
    if output.json {
        let shops: Vec<&str> = shops.iter().map(ShopDomain::as_str).collect();
        let ids = |ids: &[simulate::DeliveryId]| -> Vec<String> {
            ids.iter().map(ToString::to_string).collect()
        };
        output.json(&serde_json::json!({
            "shops": shops, "posted": posted, "acked": acked, "refused": ids(refused),
            "statuses": statuses, "unknown": ids(unknown), "seconds": seconds,
        }))?;
    } else {
        let rate = *posted as f64 / seconds.max(1e-9);
        output.line(format_args!(
            "{posted} deliveries posted in {seconds:.1} s ({rate:.0}/s), {acked} acknowledged, \
             {} refused, {} unknown",
            refused.len(),
            unknown.len()
        ))?;
        for shop in shops {
            output.line(shop)?;
        }
    }
    if !refused.is_empty() || !unknown.is_empty() {
        let statuses: Vec<String> =
            statuses.iter().map(|(status, count)| format!("{count} by {status}")).collect();
        bail!(
            "{} deliveries refused ({}), {} without an answer; check --secret and the source's name",
            refused.len(),
            statuses.join(", "),
            unknown.len()
        );
    }
    Ok(())
}
