//! `walctl append`: write records.

use super::args::Input;
use super::exit::Exit;
use super::render::out::Out;

/// Append records and print the LSN of each once it is durable
#[derive(clap::Args, Debug)]
pub struct AppendArgs {
    #[command(flatten)]
    input: Input,
}

/// Runs the command.
pub fn run(args: &AppendArgs, _out: &mut Out) -> anyhow::Result<Exit> {
    args.input.paths()?;
    anyhow::bail!("append is not built into this version")
}
