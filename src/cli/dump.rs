//! `walctl dump`: what is in a log.

use super::args::Input;
use super::exit::Exit;
use super::render::out::Out;

/// Show the records of logs, past any damage
#[derive(clap::Args, Debug)]
pub struct DumpArgs {
    #[command(flatten)]
    input: Input,
}

/// Runs the command.
pub fn run(args: &DumpArgs, _out: &mut Out) -> anyhow::Result<Exit> {
    args.input.paths()?;
    anyhow::bail!("dump is not built into this version")
}
