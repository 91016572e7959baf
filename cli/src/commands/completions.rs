//! `tallyhook completions SHELL`.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::args::{Cli, Global};

/// The arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The shell to complete in
    shell: Shell,
}

/// Prints the completions.
pub fn run(global: &Global, args: &Args) -> anyhow::Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "tallyhook", &mut script);
    global.output().bytes(&script)?;
    global.output().flush()
}
