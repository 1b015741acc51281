//! `walctl repair --salvage`: all that is valid, in a new log.

use std::path::Path;

use walctl::ops;

use super::exit::Exit;
use super::render::out::Out;

/// Salvages one log.
pub fn run(_input: &ops::Input, _target: &Path, _dry: bool, _out: &mut Out) -> anyhow::Result<Exit> {
    anyhow::bail!("salvage is not built into this version")
}
