//! `walctl rotate`: finish a segment and begin the next.

use super::args::Input;
use super::exit::Exit;
use super::render::out::Out;

/// Seal the active segment and begin the next one
#[derive(clap::Args, Debug)]
pub struct RotateArgs {
    #[command(flatten)]
    input: Input,
}

/// Runs the command.
pub fn run(args: &RotateArgs, _out: &mut Out) -> anyhow::Result<Exit> {
    args.input.paths()?;
    anyhow::bail!("rotate is not built into this version")
}
