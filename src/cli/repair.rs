//! `walctl repair`: cut a torn tail, or salvage what is valid.

use super::args::Input;
use super::exit::Exit;
use super::render::out::Out;

/// Cut torn tails after saving their bytes, or salvage what is valid
#[derive(clap::Args, Debug)]
pub struct RepairArgs {
    #[command(flatten)]
    input: Input,
}

/// Runs the command.
pub fn run(args: &RepairArgs, _out: &mut Out) -> anyhow::Result<Exit> {
    args.input.paths()?;
    anyhow::bail!("repair is not built into this version")
}
