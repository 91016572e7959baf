//! The commands, one file each.

pub mod aggregate;
pub mod backfill;
pub mod completions;
pub mod config;
pub mod dead_letter;
pub mod demo;
pub mod detect;
pub mod digest;
pub mod healthcheck;
pub mod ingest;
pub mod kpi;
pub mod log;
pub mod rebuild;
pub mod send;
pub mod serve;
pub mod simulate;
pub mod snapshot;
pub mod topics;

use crate::args::{Cli, Command};

/// Runs the command that was asked for.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { global, command } = cli;
    match command {
        Command::Serve(args) => serve::run(&global, &args),
        Command::Ingest(args) => ingest::run(&global, &args),
        Command::Aggregate(args) => aggregate::run(&global, &args),
        Command::Demo(args) => demo::run(&global, &args),
        Command::Topics(command) => topics::run(&global, &command),
        Command::Simulate(args) => simulate::run(&global, args),
        Command::Send(args) => send::run(&global, &args),
        Command::Backfill(command) => backfill::run(&global, &command),
        Command::Kpi(args) => kpi::run(&global, &args),
        Command::Detect(args) => detect::run(&global, &args),
        Command::Digest(args) => digest::run(&global, &args),
        Command::Rebuild(args) => rebuild::run(&global, &args),
        Command::Snapshot(args) => snapshot::run(&global, &args),
        Command::Log(command) => log::run(&global, &command),
        Command::DeadLetter(command) => dead_letter::run(&global, &command),
        Command::Config(command) => config::run(&global, &command),
        Command::Healthcheck(args) => healthcheck::run(&global, &args),
        Command::Completions(args) => completions::run(&global, &args),
    }
}
