//! `tallyhook healthcheck`: for containers; asks the instance of this configuration for `/readyz`.

use anyhow::bail;
use common::config::Needs;

use crate::args::Global;
use crate::node::layout::Layout;
use crate::remote::Remote;

/// The arguments: none of its own.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Fails where the instance is not ready.
pub fn run(global: &Global, _: &Args) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Nothing)?;
    let remote = Remote::of(&config, &Layout::new(&config.data.dir));
    let (status, body) = remote.readiness()?;
    if status != 200 {
        bail!("{}/readyz answered {status}: {}", remote.address(), body.trim());
    }
    let output = global.output();
    if output.json {
        return output.line(body.trim());
    }
    output.note(format_args!("{} is ready", remote.address()));
    Ok(())
}
