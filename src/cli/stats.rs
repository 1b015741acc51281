//! `walctl stats`: what a log consists of.

use super::args::Input;
use super::exit::Exit;
use super::render::out::Out;

/// Count and measure what is in logs
#[derive(clap::Args, Debug)]
pub struct StatsArgs {
    #[command(flatten)]
    input: Input,
}

/// Runs the command.
pub fn run(args: &StatsArgs, _out: &mut Out) -> anyhow::Result<Exit> {
    args.input.paths()?;
    anyhow::bail!("stats is not built into this version")
}
