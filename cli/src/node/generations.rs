//! Generations of the state in Redis: another one is filled while the present one serves, and takes its
//! place in one step.

use std::sync::Arc;

use aggregator::feed::Whole;
use aggregator::fold::digest::{self, Digest};
use aggregator::redis::{Generations, Origin, RedisStore};
use aggregator::run::{fold_to_end, positions};
use anyhow::{Context as _, bail};
use common::log::Subscribe as _;
use common::store::Store as _;
use serde_json::json;

use super::shared::Shared;
use crate::meter::Meter;
use crate::output::Output;

/// How often what came meanwhile is folded before the flip; each time it is less.
const PASSES: usize = 5;
/// So few events behind, the folds that go over to it catch up at once.
const FEW: u64 = 1_000;

/// Folds the whole log into a new generation and puts it into use. Interrupted, the next rebuild under
/// the same settings goes on with it.
pub fn rebuild(shared: &Shared, output: Output) -> anyhow::Result<Digest> {
    refuse_other_log(shared)?;
    let store = Arc::new(shared.states.begin(&shared.manifest(), Origin::Log)?);
    let begun: u64 = positions(&*store, shared.config.log.partitions)?.iter().sum();
    let verb = if begun > 0 { "going on with" } else { "building" };
    output.note(format_args!("{verb} generation {} of the state", store.generation()));
    fold(shared, &store, output).context(
        "cannot build the state; the one in use is untouched, and a rebuild goes on here",
    )?;
    let digest = digest::of(&*store.snapshot()?, shared.config.log.partitions)?;
    flip(shared, &store, output)?;
    Ok(digest)
}

/// Folds what the log holds beyond the state, and what comes meanwhile.
fn fold(shared: &Shared, store: &Arc<RedisStore>, output: Output) -> anyhow::Result<()> {
    let mut left = behind(shared, store)?;
    let mut meter = Meter::new(output, "events folded", left);
    for _ in 0..PASSES {
        let feed = Whole::new(shared.tail.clone());
        fold_to_end(feed, store.clone(), shared.settings(), |done| meter.add(done))?;
        left = behind(shared, store)?;
        if left <= FEW {
            break;
        }
    }
    meter.end();
    Ok(())
}

/// Puts a filled generation into use, and says what that means.
pub fn flip(shared: &Shared, store: &RedisStore, output: Output) -> anyhow::Result<()> {
    let known = shared.states.flip(&store.generation())?;
    if !output.json {
        output.note(in_use(&known));
        output.note(
            "running `tallyhook aggregate`s of the same settings go over to it within seconds; \
             `tallyhook rebuild --rollback` takes it back, `--drop-previous` frees the memory",
        );
    }
    Ok(())
}

/// Puts the generation before back into use.
pub fn roll_back(shared: &Shared, output: Output) -> anyhow::Result<()> {
    let known = shared.states.roll_back()?;
    tell(&known, None, output)
}

/// Deletes the generation before.
pub fn drop_previous(shared: &Shared, output: Output) -> anyhow::Result<()> {
    let deleted = shared.states.drop_previous()?;
    let Some(known) = shared.states.known()? else { bail!("Redis was emptied meanwhile") };
    tell(&known, Some(deleted), output)
}

/// Refuses to build a state whose settings the log itself does not have: it would lose what is there.
fn refuse_other_log(shared: &Shared) -> anyhow::Result<()> {
    let starts = shared.tail.start_positions()?;
    if let Some((partition, start)) = (0..).zip(starts).find(|(_, start): &(u16, u64)| *start > 0) {
        bail!(
            "partition {partition} of the log starts at offset {start}: what came before was deleted, \
             and a state without it would be wrong; restore a snapshot with `tallyhook snapshot \
             restore`"
        );
    }
    Ok(())
}

fn behind(shared: &Shared, store: &RedisStore) -> anyhow::Result<u64> {
    let positions = positions(store, shared.config.log.partitions)?;
    let ends = shared.tail.end_positions()?;
    Ok(ends.iter().zip(positions).map(|(end, at)| end.saturating_sub(at)).sum())
}

fn tell(known: &Generations, deleted: Option<u64>, output: Output) -> anyhow::Result<()> {
    if output.json {
        return output.json(&json!({
            "current": known.current, "previous": known.previous, "deleted_keys": deleted,
        }));
    }
    if let Some(deleted) = deleted {
        output.line(format_args!("deleted {deleted} keys"))?;
    }
    output.line(in_use(known))
}

fn in_use(known: &Generations) -> String {
    let previous = known.previous.as_ref();
    let kept = previous.map_or_else(String::new, |one| format!(", {one} is kept for a rollback"));
    format!("generation {} of the state is in use{kept}", known.current)
}
