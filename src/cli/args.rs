//! What can be typed: the commands, and the flags that they share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use walctl::disk::{Disk, Io, RealDisk};
use walctl::formats;
use walctl::model::Keys;
use walctl::ops::{self, Choice};

use super::exit::Exit;
use super::render::out::{Out, usage};
use super::{append, bench, dump, generate, repair, rotate, stats, verify};

const AFTER_HELP: &str = "\
A log is named by its folder. Reading never writes and needs no lock. Exit codes: 0 clean, 1 could not do it, 2 wrong usage, 3 torn \
or suspect tail, 4 worse damage, 5 locked, 6 a write or sync failed, 7 a gate is not met; man walctl says more.";

/// Inspect, check, mend, write and tune write-ahead logs
///
/// walctl reads the write-ahead logs of many systems and writes its own. After a crash it tells what was lost, and whether anybody
/// had been promised it.
#[derive(Debug, Parser)]
#[command(name = "walctl", version, after_help = AFTER_HELP, propagate_version = true, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dump(Box<dump::DumpArgs>),
    Verify(verify::VerifyArgs),
    Repair(repair::RepairArgs),
    Append(Box<append::AppendArgs>),
    Rotate(rotate::RotateArgs),
    Stats(stats::StatsArgs),
    Bench(Box<bench::BenchArgs>),
}

impl Command {
    fn run(&self, out: &mut Out) -> anyhow::Result<Exit> {
        match self {
            Command::Dump(args) => dump::run(args, out),
            Command::Verify(args) => verify::run(args, out),
            Command::Repair(args) => repair::run(args, out),
            Command::Append(args) => append::run(args, out),
            Command::Rotate(args) => rotate::run(args, out),
            Command::Stats(args) => stats::run(args, out),
            Command::Bench(args) => bench::run(args, out),
        }
    }
}

/// Flags that every command takes.
#[derive(Args, Debug)]
pub struct Global {
    /// Results as JSON, one object a line; failures as one JSON object on standard error
    #[arg(long, global = true, display_order = 900)]
    pub json: bool,
    /// No results and no progress; the exit code tells
    #[arg(long, short, global = true, display_order = 901)]
    pub quiet: bool,
    /// When to use colours; auto means on a terminal and without NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = 902)]
    pub color: Colour,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Colour {
    /// On a terminal and without NO_COLOR.
    Auto,
    /// Also into files and pipes.
    Always,
    /// Nowhere.
    Never,
}

/// What reading commands are pointed at.
#[derive(Args, Debug)]
pub struct Input {
    /// A log's folder, a segment file, or - for one segment on standard input
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// How the log lies on disk; auto tells by content and name, list shows all formats
    #[arg(long, value_name = "FORMAT", default_value = "auto", hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(format_names()))]
    pub format: String,
    /// How to read; auto maps finished segments into memory and reads the others
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub io: IoChoice,
    /// A file with keys for encrypted payloads: 64 hex digits a line, oldest first
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key_file: Option<PathBuf>,
}

/// How to read segments.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum IoChoice {
    /// Finished segments through a mapping, the others with system calls.
    Auto,
    /// Everything through a mapping where one can be had.
    Map,
    /// System calls only.
    Read,
}

impl From<IoChoice> for Io {
    fn from(choice: IoChoice) -> Io {
        match choice {
            IoChoice::Auto => Io::Auto,
            IoChoice::Map => Io::Map,
            IoChoice::Read => Io::Read,
        }
    }
}

impl Input {
    /// The keys that were given; none is no error.
    pub fn keys(&self) -> anyhow::Result<Keys> {
        self.key_file.as_deref().map_or_else(|| Ok(Keys::default()), read_keys)
    }

    /// Whether the formats are to be listed, and nothing else.
    pub fn lists(&self) -> bool {
        self.format == "list"
    }

    /// How to open what the paths name.
    pub fn choice(&self) -> anyhow::Result<Choice> {
        Ok(Choice { format: formats::by_name(&self.format), io: self.io.into(), keys: self.keys()? })
    }

    /// The logs at a path: one, or those in the folders of a folder. `-` is standard input.
    pub fn open(&self, path: &Path, choice: &Choice) -> anyhow::Result<Vec<ops::Input>> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        if path.as_os_str() == "-" {
            return Ok(vec![ops::open_stream(&disk, "-", Box::new(std::io::stdin()), choice)?]);
        }
        Ok(ops::open(&disk, path, choice)?)
    }

    /// The paths; wrong usage when there are none, or when standard input is named twice.
    pub fn paths(&self) -> anyhow::Result<&[PathBuf]> {
        if self.paths.is_empty() {
            return Err(usage("name a log: its folder, a segment file, or - for standard input"));
        }
        if self.paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
            return Err(usage("standard input can be read only once"));
        }
        Ok(&self.paths)
    }
}

/// Reads a key file. It is not read further than any honest key file goes.
pub fn read_keys(path: &Path) -> anyhow::Result<Keys> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(1 << 20).read_to_string(&mut text))
        .with_context(|| format!("cannot read the key file {}", path.display()))?;
    Keys::parse(&text).with_context(|| path.display().to_string())
}

fn format_names() -> Vec<&'static str> {
    ["auto", "list"].into_iter().chain(formats::ALL.iter().map(|format| format.name)).collect()
}

/// The command line as clap knows it, without what is hidden.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the command line, runs it, and says how it ended.
pub fn run() -> Exit {
    let matches = match command().subcommand(generate::command()).try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return refused(&error),
    };
    if let Some(("generate", matches)) = matches.subcommand() {
        return generate::run(matches);
    }
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refused(&error.format(&mut command())),
    };
    let name = matches.subcommand_name().unwrap_or_default();
    let mut out = match Out::new(name, &cli.global) {
        Ok(out) => out,
        Err(_) => return Exit::Failed,
    };
    let ended = cli.command.run(&mut out).and_then(|exit| {
        std::io::Write::flush(&mut out)?;
        Ok(exit)
    });
    match ended {
        Ok(exit) => exit,
        Err(_) if out.is_closed() => Exit::Done,
        Err(error) => out.failure(&error),
    }
}

/// Help and version go to standard output and are a success; all else is wrong usage.
fn refused(error: &clap::Error) -> Exit {
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Done;
    }
    if std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        super::render::out::say_json(Exit::Usage, message, Some("walctl --help"));
    }
    Exit::Usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().subcommand(generate::command()).debug_assert();
    }

    #[test]
    fn every_command_and_flag_has_help() {
        for sub in command().get_subcommands() {
            assert!(sub.get_about().is_some(), "{}", sub.get_name());
            for arg in sub.get_arguments() {
                assert!(arg.get_help().is_some(), "{} --{}", sub.get_name(), arg.get_id());
            }
        }
    }

    #[test]
    fn formats_are_those_of_the_registry() {
        assert!(format_names().starts_with(&["auto", "list"]));
    }
}
