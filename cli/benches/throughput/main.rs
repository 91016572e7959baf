//! The speeds and sizes of the whole path, measured in one run on one machine (`make bench`).
//!
//! Figures of one run belong together: the disk's raw sync, the bare handler and the receiver share
//! machine and minute, so their ratios hold where absolute numbers do not. The parts whose memory or
//! processor time counts run in processes of their own, so that nothing else is counted with them.
//! No speed is asserted. `docs/PERFORMANCE.md` says what bounds each path.

mod bodies;
mod disk;
mod doors;
mod fold;
mod history;
mod life;
mod load;
mod memory;
mod peers;
mod process;
mod questions;
mod services;
mod shared_doors;
mod shared_fold;
mod state;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use table::Table;

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures Tallyhook.
#[derive(Parser)]
struct Arguments {
    /// Small numbers everywhere: shows that the measurement works, and measures little.
    #[arg(long)]
    quick: bool,
    /// Orders in the history that is folded from a log.
    #[arg(long, env = "TALLYHOOK_BENCH_FOLD_ORDERS")]
    fold_orders: Option<u64>,
    /// Orders of the one shop that questions are asked about.
    #[arg(long, env = "TALLYHOOK_BENCH_ORDERS")]
    orders: Option<u64>,
    /// Orders in the history that is folded from Kafka into Redis.
    #[arg(long, env = "TALLYHOOK_BENCH_SHARED_ORDERS")]
    shared_orders: Option<u64>,
    /// How often that is done.
    #[arg(long, env = "TALLYHOOK_BENCH_SHARED_ROUNDS")]
    shared_rounds: Option<usize>,
    /// Only parts whose name starts so: disk, doors, fold, questions, shared-doors,
    /// shared-fold.
    #[arg(long)]
    only: Option<String>,
    /// What `cargo bench` passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// A part in a process of its own, which answers with one line of JSON.
#[derive(Subcommand)]
enum Part {
    /// Folds a log into an empty state.
    #[command(hide = true)]
    Fold {
        /// Holds the log.
        directory: PathBuf,
    },
    /// Folds a topic of Kafka into an empty Redis.
    #[command(hide = true)]
    SharedFold {
        /// Holds the task.
        directory: PathBuf,
    },
    /// Opens a state and asks.
    #[command(hide = true)]
    Questions {
        /// Holds the state.
        directory: PathBuf,
    },
    /// Writes a history into a log and ends; for profiling the fold of it.
    #[command(hide = true)]
    Write {
        /// Is to hold the log.
        directory: PathBuf,
        /// Orders in the history.
        orders: u64,
    },
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    syncs: usize,
    bodies: usize,
    rounds: usize,
    round_ms: u64,
    warm_up_ms: u64,
    fold_orders: u64,
    orders: u64,
    shared_orders: u64,
    shared_rounds: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match &arguments.part {
        Some(Part::Fold { directory }) => process::answer(&fold::measure(directory)?),
        Some(Part::SharedFold { directory }) => process::answer(&shared_fold::measure(directory)?),
        Some(Part::Questions { directory }) => process::answer(&questions::measure(directory)?),
        Some(Part::Write { directory, orders }) => {
            process::answer(&fold::write(directory, *orders)?)
        }
        None => run(&arguments),
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let scale = Scale::of(arguments);
    let wanted = |part: &str| arguments.only.as_ref().is_none_or(|only| part.starts_with(only));
    let directory = directory()?;
    let mut table = Table::default();
    let mut synced = None;
    if wanted("disk") || wanted("doors") {
        synced = Some(disk::measure(directory.path(), scale.syncs, &mut table)?);
    }
    if wanted("doors") {
        doors::measure(directory.path(), scale, synced, &mut table)?;
    }
    if wanted("fold") {
        fold::report(directory.path(), scale.fold_orders, &mut table)?;
    }
    if wanted("shared-doors") {
        shared_doors::measure(directory.path(), scale, &mut table)?;
    }
    if wanted("shared-fold") {
        shared_fold::report(directory.path(), scale, &mut table)?;
    }
    if wanted("questions") {
        questions::report(directory.path(), scale, &mut table)?;
    }
    table.end();
    Ok(())
}

/// A directory for everything, on the disk that holds the build, and not in memory.
fn directory() -> anyhow::Result<tempfile::TempDir> {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(base)
        .and_then(|()| tempfile::Builder::new().prefix("throughput-").tempdir_in(base))
        .with_context(|| format!("cannot make a directory in {}", base.display()))
}

impl Scale {
    fn of(arguments: &Arguments) -> Self {
        let mut scale = if arguments.quick {
            Self {
                syncs: 20,
                bodies: 256,
                rounds: 1,
                round_ms: 300,
                warm_up_ms: 100,
                fold_orders: 2_000,
                orders: 5_000,
                shared_orders: 2_000,
                shared_rounds: 1,
            }
        } else {
            Self {
                syncs: 500,
                bodies: 8_192,
                rounds: 5,
                round_ms: 2_500,
                warm_up_ms: 500,
                fold_orders: 100_000,
                orders: 1_000_000,
                shared_orders: 100_000,
                shared_rounds: 3,
            }
        };
        scale.fold_orders = arguments.fold_orders.unwrap_or(scale.fold_orders);
        scale.orders = arguments.orders.unwrap_or(scale.orders);
        scale.shared_orders = arguments.shared_orders.unwrap_or(scale.shared_orders);
        scale.shared_rounds = arguments.shared_rounds.unwrap_or(scale.shared_rounds);
        scale
    }
}
