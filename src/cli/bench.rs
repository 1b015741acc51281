//! `walctl bench`: how fast this disk makes records durable.

use super::args::Input;
use super::exit::Exit;
use super::render::out::Out;

/// Measure how fast records become durable, and how to tune it
#[derive(clap::Args, Debug)]
pub struct BenchArgs {
    #[command(flatten)]
    input: Input,
}

/// Runs the command.
pub fn run(args: &BenchArgs, _out: &mut Out) -> anyhow::Result<Exit> {
    args.input.paths()?;
    anyhow::bail!("bench is not built into this version")
}
