//! Tallyhook, the one binary: reads arguments, wires the pieces together, and nothing else.

mod admin_routes;
mod args;
mod commands;
mod exit;
mod import;
mod instance;
mod letters;
mod log_view;
mod meter;
mod node;
mod output;
mod remote;
mod simulate;
mod snapshots;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use args::{Cli, Command, Global};
use output::{StdoutClosed, chain, message};

/// Documents by the hundred thousand come and go: jemalloc takes a third less time over them
/// (docs/PERFORMANCE.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // OpenSSL cleans up at the end otherwise, under the threads of a Kafka client that still use it.
    #[cfg(feature = "kafka-tls")]
    openssl_sys::init();
    let cli = Cli::parse();
    log_to_stderr(&cli.global, is_service(&cli.command));
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<StdoutClosed>() {
                message(format_args!("error: {}", chain(error.as_ref())));
            }
            ExitCode::from(exit::code(&error))
        }
    }
}

/// Whether the command runs until it is stopped, so that its log tells what goes on.
fn is_service(command: &Command) -> bool {
    matches!(
        command,
        Command::Serve(_) | Command::Ingest(_) | Command::Aggregate(_) | Command::Demo(_)
    )
}

fn log_to_stderr(global: &Global, service: bool) {
    let filter = match (global.quiet, global.verbose, service) {
        (true, _, _) => "error",
        (false, 0, false) => "warn",
        // What the libraries below say at this level is no news to whoever runs the program.
        (false, 0, true) | (false, 1, false) => "info,actix_server=warn,fjall=warn,lsm_tree=warn",
        (false, 1, true) => "debug,fjall=info,lsm_tree=info,mio=info",
        (false, 2.., _) => "trace,mio=info",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
