//! `tallyhook kpi SHOP`: a shop's KPIs, as a table or as the API's JSON.

use std::sync::Arc;

use aggregator::query::Query;
use aggregator::views::Views;
use aggregator::window::Window;
use anyhow::{Context as _, bail};
use common::clock::{Clock as _, SystemClock};
use common::config::Needs;
use common::shop::ShopDomain;
use common::store::Store;
use common::time::Timestamp;
use serde_json::Value;

use crate::args::Global;
use crate::node::Node;
use crate::node::claim::{Claim, claim_log};
use crate::node::shared::{Shared, is_shared};
use crate::output::Output;

/// The columns of the table, by their names in the JSON.
const COLUMNS: [&str; 7] = ["kpi", "basis", "reason", "window", "value", "unit", "currency"];

/// The arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The shop's domain
    #[arg(value_parser = ShopDomain::parse)]
    shop: ShopDomain,
    /// Windows: 24h, 7d, 30d, 90d, 365d, all, separated by commas
    #[arg(long, default_value = "30d", value_delimiter = ',', value_parser = window)]
    window: Vec<Window>,
    /// An instant of the past, RFC 3339: the values then, by all that is known now
    #[arg(long, value_parser = Timestamp::parse)]
    as_of: Option<Timestamp>,
}

/// Shows the KPIs of the state, brought up to the log's end.
pub fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Nothing)?;
    let output = global.output();
    if args.as_of.is_some_and(|at| at > SystemClock.now()) {
        bail!("--as-of must not be later than now");
    }
    let mut windows = Vec::new();
    for window in &args.window {
        if !windows.contains(window) {
            windows.push(*window);
        }
    }
    if is_shared(&config) {
        let shared = Shared::connect(config, output)?;
        let query = shared.query(shared.caught_up(output)?);
        return print(output, &answer(&query, args, &windows)?);
    }
    let text = match claim_log(&config, output)? {
        Claim::There(remote) => {
            let names: Vec<&str> = windows.iter().map(|window| window.name()).collect();
            let (names, as_of) = (names.join(","), args.as_of.map(|at| at.to_string()));
            let mut query = vec![("window", names.as_str())];
            query.extend(as_of.as_deref().map(|at| ("as_of", at)));
            remote.catch_up(output)?;
            remote.get(&format!("/v1/shops/{}/kpis", args.shop), &query)?
        }
        Claim::Here(log) => {
            let node = Node::new(config, log)?;
            node.catch_up(|_| ())?;
            let query = node.query(Arc::new(Views::default()), node.progress());
            answer(&query, args, &windows)?
        }
    };
    print(output, &text)
}

fn answer<S: Store>(query: &Query<S>, args: &Args, windows: &[Window]) -> anyhow::Result<String> {
    let reply = query.kpis(&args.shop, windows, args.as_of);
    Ok(serde_json::to_string(&reply.with_context(|| format!("no KPIs of {}", args.shop))?)?)
}

fn print(output: Output, text: &str) -> anyhow::Result<()> {
    if output.json {
        return output.line(text.trim_end());
    }
    let reply: Value = serde_json::from_str(text).context("the KPIs are not understood")?;
    let kpis = reply["kpis"].as_array().map(Vec::as_slice).unwrap_or_default();
    let cell = |kpi: &Value, column: &str| match &kpi[column] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string()
        }
    };
    let row = |kpi: &Value| COLUMNS.iter().map(|column| cell(kpi, column)).collect();
    let rows: Vec<Vec<String>> = kpis.iter().map(row).collect();
    output.table(&COLUMNS, &rows)
}

fn window(name: &str) -> Result<Window, String> {
    let window = Window::parse(name.trim());
    window.ok_or_else(|| "use 24h, 7d, 30d, 90d, 365d or all, separated by commas".to_owned())
}
