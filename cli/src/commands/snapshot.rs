//! `tallyhook snapshot`: the state at a position of the log, copied to a directory and brought back.

use aggregator::fold::digest::{self, Digest};
use aggregator::redis::Origin;
use aggregator::snapshots::{Signed, Snapshots};
use anyhow::{Context as _, bail};
use common::config::{Config, Needs, Override, PseudonymKey};
use common::log::Subscribe;
use common::store::Store;
use serde_json::{Value, json};

use crate::args::Global;
use crate::meter::Meter;
use crate::node::claim::{Claim, claim_log};
use crate::node::layout::Layout;
use crate::node::shared::{Shared, is_shared, shared_key};
use crate::node::{Node, generations, state};
use crate::output::Output;
use crate::snapshots::{self as shown, snapshots};

/// The columns of a table, by their names in the JSON.
const COLUMNS: [&str; 4] = ["name", "digest", "documents", "size_bytes"];

/// What to do with snapshots.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The directory [default: snapshots.dir]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<String>,
    #[command(subcommand)]
    command: Command,
}

/// The commands.
#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Copy the state, and remove all but the newest snapshots
    Create,
    /// List them, the newest first
    List,
    /// Check a snapshot's signature, checksums and digest
    Verify(Named),
    /// Put a snapshot in the state's place; what came later is folded from the log
    Restore(Named),
}

/// Which one.
#[derive(clap::Args, Debug)]
struct Named {
    /// Its name [default: the newest]
    name: Option<String>,
}

/// Creates, lists, verifies or restores.
pub fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let dir = args.dir.iter().map(|dir| Override {
        key: "snapshots.dir".to_owned(),
        value: dir.clone(),
        flag: "dir".to_owned(),
    });
    let config = global.configuration_with(Needs::Nothing, dir.collect())?;
    let output = global.output();
    match &args.command {
        Command::Create => create(config, output, args.dir.is_some()),
        Command::List => list(&config, output),
        Command::Verify(named) => verify(&config, output, named.name.as_deref()),
        Command::Restore(named) => restore(config, output, named.name.as_deref()),
    }
}

fn create(config: Config, output: Output, elsewhere: bool) -> anyhow::Result<()> {
    let keep = config.snapshots.keep;
    if is_shared(&config) {
        let shared = Shared::connect(config, output)?;
        let snapshots = snapshots(&shared.config, &shared.key)?;
        let store = shared.states.open_existing(&shared.manifest())?;
        return print(output, &copy(&snapshots, &store, keep, output)?);
    }
    let created = match claim_log(&config, output)? {
        Claim::There(_) if elsewhere => {
            bail!("the running instance writes to its own snapshots.dir: leave out --dir")
        }
        Claim::There(remote) => serde_json::from_str(&remote.post("/v1/snapshots", &[], &[])?)
            .context("the instance's answer is not understood")?,
        Claim::Here(log) => {
            let node = Node::new(config, log)?;
            node.catch_up(|_| ())?;
            copy(&snapshots(&node.config, &node.key)?, &*node.store, keep, output)?
        }
    };
    print(output, &created)
}

fn copy<S: Store>(
    snapshots: &Snapshots,
    store: &S,
    keep: usize,
    output: Output,
) -> anyhow::Result<Value> {
    let mut meter = Meter::new(output, "partitions copied", snapshots.partitions());
    let created = shown::create(snapshots, store, keep, |done| meter.add(done))?;
    meter.end();
    Ok(created)
}

fn list(config: &Config, output: Output) -> anyhow::Result<()> {
    // What a list shows needs no key; one that is not there is not made for it.
    let dir = config.snapshots.dir.as_ref().context(shown::NOT_CONFIGURED)?;
    let listed: Vec<Value> = Snapshots::list(dir)?.iter().map(shown::summary).collect();
    if output.json {
        return output.json(&json!({ "snapshots": listed }));
    }
    let rows: Vec<_> = listed.iter().map(row).collect();
    output.table(&COLUMNS, &rows)
}

fn verify(config: &Config, output: Output, name: Option<&str>) -> anyhow::Result<()> {
    let snapshots = snapshots(config, &key(config)?)?;
    let signed = snapshots.signed(name)?;
    verified(&snapshots, &signed, output)?;
    if output.json {
        return output.json(&shown::summary(&signed));
    }
    output.line(format_args!("{} is sound, its digest is {}", signed.name, signed.body.digest))
}

fn verified(snapshots: &Snapshots, signed: &Signed, output: Output) -> anyhow::Result<()> {
    let mut meter = Meter::new(output, "files checked", signed.body.partitions.len() as u64);
    snapshots.verify(signed, |done| meter.add(done))?;
    meter.end();
    Ok(())
}

fn restore(config: Config, output: Output, name: Option<&str>) -> anyhow::Result<()> {
    let restored = if is_shared(&config) {
        let shared = Shared::connect(config, output)?;
        let snapshots = snapshots(&shared.config, &shared.key)?;
        let signed = snapshots.signed(name)?;
        fits(&snapshots, &signed, &shared.tail)?;
        let store = shared.states.begin(&shared.manifest(), Origin::Snapshot)?;
        let digest = fill(&snapshots, &signed, &store, output)?;
        generations::flip(&shared, &store, output)?;
        digest
    } else {
        let log = match claim_log(&config, output)? {
            Claim::Here(log) => log,
            Claim::There(remote) => bail!(
                "the instance at {} uses the state that would be replaced: stop it, restore, and \
                 start it again",
                remote.address()
            ),
        };
        let key = PseudonymKey::load_or_create(&config)?;
        let snapshots = snapshots(&config, &key)?;
        let signed = snapshots.signed(name)?;
        fits(&snapshots, &signed, &log)?;
        let layout = Layout::new(&config.data.dir);
        let store = state::next(&config, &layout, &key)?;
        let digest = fill(&snapshots, &signed, &store, output)?;
        store.persist()?;
        // The engine must be done with its files before they change their place.
        drop(store);
        state::replace(&layout)?;
        digest
    };
    super::digest::print(output, &serde_json::to_string(&restored)?)
}

/// Refuses a snapshot that cannot take the state's place, before anything is done.
fn fits<L: Subscribe>(snapshots: &Snapshots, signed: &Signed, log: &L) -> anyhow::Result<()> {
    snapshots.refuse_other_settings(signed)?;
    let (starts, ends) = (log.start_positions()?, log.end_positions()?);
    Ok(snapshots.refuse_outside_log(signed, &starts, &ends)?)
}

/// Fills an empty store, and compares what came of it.
fn fill<S: Store>(
    snapshots: &Snapshots,
    signed: &Signed,
    store: &S,
    output: Output,
) -> anyhow::Result<Digest> {
    output.note(format_args!("restoring snapshot {}", signed.name));
    let mut meter = Meter::new(output, "partitions restored", signed.body.partitions.len() as u64);
    snapshots
        .restore(signed, store, |done| meter.add(done))
        .context("cannot restore; the state in use is untouched")?;
    meter.end();
    let digest = digest::of(&*store.snapshot()?, signed.body.settings.partitions)?;
    if digest.digest != signed.body.digest {
        bail!(
            "the restored state has the digest {}, the snapshot {}; the state in use is untouched",
            digest.digest,
            signed.body.digest
        );
    }
    Ok(digest)
}

/// The key that snapshots are signed under.
fn key(config: &Config) -> anyhow::Result<PseudonymKey> {
    if is_shared(config) { shared_key(config) } else { Ok(PseudonymKey::load_or_create(config)?) }
}

fn print(output: Output, snapshot: &Value) -> anyhow::Result<()> {
    if output.json {
        return output.json(snapshot);
    }
    output.table(&COLUMNS, &[row(snapshot)])
}

fn row(snapshot: &Value) -> Vec<String> {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    COLUMNS.iter().map(|column| shown(&snapshot[*column])).collect()
}
