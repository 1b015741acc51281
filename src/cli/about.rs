//! Commands about walctl itself: its help, its manual, completions for a shell.

use std::io::{self, Write};
use std::process::{Command as Process, Stdio};

use clap::{Args, Command};
use clap_complete::Shell;

use super::exit::{Exit, usage};
use super::manual;
use super::render::out::Out;

/// Print the completions for a shell
#[derive(Args, Debug)]
#[command(after_help = "\
bash: walctl completions bash > ~/.local/share/bash-completion/completions/walctl
zsh:  walctl completions zsh > ~/.zfunc/_walctl, where ~/.zfunc is in fpath before compinit runs
fish: walctl completions fish > ~/.config/fish/completions/walctl.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Show the manual page of walctl or of a command
#[derive(Args, Debug)]
#[command(
    after_help = "On a terminal the page is shown by man, if there is one. Into a pipe or a file its source is written: walctl man dump > \
                        walctl-dump.1"
)]
pub struct ManArgs {
    /// The command; without one the page about walctl
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Show the help of walctl or of a command
#[derive(Args, Debug)]
pub struct HelpArgs {
    /// The command; without one the help of walctl
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Writes the completions for a shell.
pub fn completions(args: &CompletionsArgs, out: &mut Out, mut top: Command) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut top, "walctl", &mut text);
    out.write_all(&text)?;
    Ok(Exit::Done)
}

/// Shows a page of the manual.
pub fn man(args: &ManArgs, out: &mut Out, mut top: Command) -> anyhow::Result<Exit> {
    top.build();
    let mut command = chosen(&mut top, args.command.as_deref())?.clone();
    let page = manual::page(&command, &manual::names(&top))?;
    if !out.is_terminal() {
        out.write_all(&page)?;
        return Ok(Exit::Done);
    }
    // Where there is no man, its page is of no use on a terminal, and the help says the same.
    if !shown_by_man(&page)? {
        writeln!(out, "{}", command.render_long_help())?;
    }
    Ok(Exit::Done)
}

/// Whether `man` could be started and took the page.
fn shown_by_man(page: &[u8]) -> io::Result<bool> {
    let mut process = match Process::new("man").args(["-l", "-"]).stdin(Stdio::piped()).spawn() {
        Ok(process) => process,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if let Some(mut stdin) = process.stdin.take() {
        // It may end before it has read everything: its status tells.
        let _ = stdin.write_all(page);
    }
    Ok(process.wait()?.success())
}

/// Shows the help of a command.
pub fn help(args: &HelpArgs, out: &mut Out, mut top: Command) -> anyhow::Result<Exit> {
    top.build();
    let help = chosen(&mut top, args.command.as_deref())?.render_long_help();
    if out.colour() {
        writeln!(out, "{}", help.ansi())?;
    } else {
        writeln!(out, "{help}")?;
    }
    Ok(Exit::Done)
}

fn chosen<'a>(top: &'a mut Command, name: Option<&str>) -> anyhow::Result<&'a mut Command> {
    let Some(name) = name else { return Ok(top) };
    let known: Vec<String> = top.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    top.find_subcommand_mut(name).ok_or_else(|| usage(format!("no command {name}; there are {}", known.join(", "))))
}
