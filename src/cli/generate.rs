//! `walctl generate`, hidden: writes the completions and manual pages that packagers install, and the reference of JSON keys.
//!
//! Everything comes from the one clap definition, from `Exit`, from the catalogue of damage and from the tables of keys. No dates: the same input gives the
//! same bytes on every day.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use super::exit::Exit;
use super::manual;
use super::reference;
use super::render::out::say;

/// The hidden command.
pub fn command() -> Command {
    let dir = || Arg::new("dir").value_name("DIR").required(true).value_parser(value_parser!(PathBuf));
    Command::new("generate")
        .hide(true)
        .about("Write completions or manual pages into a folder")
        .subcommand_required(true)
        .subcommand(Command::new("completions").about("Completions for bash, zsh, fish, elvish and powershell").arg(dir()))
        .subcommand(Command::new("man").about("One manual page a command").arg(dir()))
        .subcommand(Command::new("json").about("The reference of JSON keys").arg(dir()))
}

/// Writes what was asked for, about the command line `top`.
pub fn run(matches: &ArgMatches, top: Command) -> Exit {
    let done = match matches.subcommand() {
        Some(("completions", sub)) => completions(dir(sub), top),
        Some(("json", sub)) => json(dir(sub)),
        Some((_, sub)) => man(dir(sub), top),
        None => Ok(()),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(error) => {
            say(&format!("walctl generate: {error:#}"));
            Exit::Failed
        }
    }
}

fn dir(matches: &ArgMatches) -> &Path {
    matches.get_one::<PathBuf>("dir").map_or(Path::new("."), PathBuf::as_path)
}

fn completions(dir: &Path, mut top: Command) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
        clap_complete::generate_to(shell, &mut top, "walctl", dir)
            .with_context(|| format!("cannot write the completions for {shell} into {}", dir.display()))?;
    }
    Ok(())
}

fn json(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let path = dir.join("json.md");
    fs::write(&path, reference::page::write()).with_context(|| format!("cannot write {}", path.display()))
}

fn man(dir: &Path, mut top: Command) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    top.build();
    let names = manual::names(&top);
    for command in top.get_subcommands().chain([&top]) {
        let path = dir.join(manual::of(command).get_filename());
        fs::write(&path, manual::page(command, &names)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
