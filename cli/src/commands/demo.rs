//! `tallyhook demo`: an instance on two years of a simulated shop, then live signed traffic.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use common::clock::{Clock as _, SystemClock};
use common::config::{Attributes, Needs, Override};
use common::log::Log;
use common::shop::ShopDomain;
use common::time::{DAY_MS, Timestamp};
use indicatif::ProgressBar;
use ingest::context::Context;
use ingest::notes::NoteRules;
use ingest::outcome::Outcome;
use ingest::shopify;

use crate::args::Global;
use crate::import::append::{Destination, append_all};
use crate::import::pipeline::Pipeline;
use crate::import::translate::Entry;
use crate::instance::{self, Listeners, PortInUse, Running};
use crate::output::Output;
use crate::simulate::{self, DEMO_SHOP, Delivery, Pace, Plan, Target};

/// How far the history goes back.
const HISTORY_DAYS: i64 = 730;
/// How many days ago a batch of the most popular product was sold spoilt: from, and to.
const SPOILT_DAYS: (i64, i64) = (15, 7);
/// Live deliveries a second.
const LIVE_RATE: f64 = 5.0;
/// Events appended at once, and how many such groups are under way.
const GROUP: usize = 2048;
const GROUPS: usize = 4;

/// The arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Orders of the two years
    #[arg(long, default_value_t = 40_000)]
    orders: usize,
    /// The same seed gives the same shop
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// Runs until it is told to stop; without --data-dir nothing is left behind.
pub fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let output = global.output();
    let temporary = match global.data_dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("tallyhook-demo-").tempdir()?),
    };
    let secret = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let mut overrides = vec![
        set("sources.shopify.platform", "shopify"),
        set("sources.shopify.secrets", &secret),
        set("sources.shopify.shops", "*"),
    ];
    if let Some(temporary) = &temporary {
        let path = temporary.path().to_str().context("the temporary directory is no UTF-8")?;
        overrides.push(set("data.dir", path));
    }
    let config = global.configuration_with(Needs::Serve, overrides)?;
    let listeners = Listeners::bind(&config, PortInUse::ChooseAnother)?;
    let (orders, seed) = (args.orders, args.seed);
    let ran = instance::run(config, output, listeners, move |running| {
        demonstrate(&running, output, secret.as_bytes(), (orders, seed))
    });
    if let Some(temporary) = temporary {
        temporary.close().context("cannot remove the demo's temporary directory")?;
    }
    ran
}

/// Imports the history, then goes on live until the instance stops.
fn demonstrate(
    running: &Running,
    output: Output,
    secret: &[u8],
    (orders, seed): (usize, u64),
) -> anyhow::Result<()> {
    output.note(format_args!("open http://{}/ in a browser; Ctrl-C ends the demo", running.admin));
    let to = SystemClock.now();
    let from = to.plus_ms(-HISTORY_DAYS * DAY_MS);
    let shop = ShopDomain::parse(DEMO_SHOP)?;
    // A kept directory has its history; another seed keeps new orders apart from the old ones.
    let fresh = running.log.stats().records == 0;
    let (orders, seed) = if fresh { (orders, seed) } else { (1_000, to.ms().unsigned_abs()) };
    let days_ago = |days: i64| to.plus_ms(-days * DAY_MS);
    let spoilt = fresh.then(|| (days_ago(SPOILT_DAYS.0), days_ago(SPOILT_DAYS.1)));
    let plan = Plan { seed, shops: vec![shop], from, to, orders, spoilt };
    let mut history = simulate::history(&plan);
    if fresh {
        import(running, output, history.by_ref(), to, orders)?;
        output.note(format_args!(
            "a batch sold two weeks ago was spoilt: http://{}/v1/shops/{DEMO_SHOP}/alarms tells of it",
            running.admin
        ));
    }
    if running.stopping.load(Ordering::Acquire) {
        return Ok(());
    }
    let live = simulate::live(history, SystemClock);
    let public = crate::remote::reachable(running.public);
    let target = Target::parse(&format!("http://{public}/webhooks/shopify"))?;
    let pace = Pace { per_second: Some(LIVE_RATE), connections: 2 };
    simulate::send(live, (&target, secret), pace, &running.stopping, |_| ());
    Ok(())
}

/// Brings the history straight into the log, many appends at a time.
fn import(
    running: &Running,
    output: Output,
    history: impl Iterator<Item = Delivery>,
    imported_at: Timestamp,
    orders: usize,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let notes = NoteRules::new(&running.config.reasons);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut pipeline = Pipeline::new(runtime.handle().clone(), GROUPS);
    let bar = ProgressBar::new(orders as u64).with_message("orders");
    let mut group: Vec<Entry> = Vec::with_capacity(GROUP);
    let mut events = 0;
    for delivery in history {
        if running.stopping.load(Ordering::Acquire) {
            break;
        }
        if delivery.topic == "orders/create" {
            bar.inc(1);
        }
        translate(running, &notes, &delivery, imported_at, &mut group)?;
        if group.len() >= GROUP {
            events += group.len();
            pipeline.push(append(running.log.clone(), std::mem::take(&mut group)))?;
        }
    }
    events += group.len();
    pipeline.push(append(running.log.clone(), group))?;
    while pipeline.pop()?.is_some() {}
    bar.finish_and_clear();
    output.note(format_args!(
        "{events} events of two years are in after {:.1} s; live traffic follows, \
         far faster than a shop of this size has it",
        begun.elapsed().as_secs_f64()
    ));
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

async fn append(log: Log, group: Vec<Entry>) -> anyhow::Result<()> {
    let log: Destination = Arc::new(log);
    append_all(&log, group).await.context("the log did not take the history")
}

fn translate(
    running: &Running,
    notes: &NoteRules,
    delivery: &Delivery,
    imported_at: Timestamp,
    group: &mut Vec<Entry>,
) -> anyhow::Result<()> {
    let delivery_id = delivery.webhook_id.to_string();
    let context = Context {
        source: "shopify",
        shop: &delivery.shop,
        received_at: delivery.at,
        triggered_at: Some(delivery.triggered_at),
        delivery_id: Some(&delivery_id),
        imported_at: Some(imported_at),
        pseudonyms: &running.pseudonyms,
        attributes: &Attributes::default(),
        notes,
    };
    match shopify::translate(delivery.topic, &delivery.body, &context) {
        Outcome::Events(events) => {
            for event in events {
                group.push(Entry::new(event, running.config.log.partitions)?);
            }
        }
        Outcome::Ignored(_) => {}
        Outcome::DeadLetter(reason) => {
            tracing::error!(topic = delivery.topic, %reason, "a simulated delivery is no good");
        }
    }
    Ok(())
}

fn set(key: &str, value: &str) -> Override {
    Override { key: key.to_owned(), value: value.to_owned(), flag: "demo".to_owned() }
}
