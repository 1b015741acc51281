//! `walctl verify`: is a log whole.

use super::args::Input;
use super::exit::Exit;
use super::render::out::Out;

/// Check logs and say what every damage means
#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    #[command(flatten)]
    input: Input,
}

/// Runs the command.
pub fn run(args: &VerifyArgs, _out: &mut Out) -> anyhow::Result<Exit> {
    args.input.paths()?;
    anyhow::bail!("verify is not built into this version")
}
