//! What can be typed: the commands.

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::args::Global;
use super::exit::Exit;
use super::hint::show;
use super::meant;
use super::render::out::{Out, say, say_json};
use super::{about, append, bench, browse, diff, dump, explain, generate, interrupt, repair, rotate, stats, verify};

const AFTER_HELP: &str = "\
A log is named by its folder. Reading never writes and needs no lock. Exit codes: 0 clean, 1 could not do it, 2 wrong usage, 3 torn \
or suspect tail, 4 worse damage, 5 locked, 6 a write or sync failed, 7 a gate is not met; man walctl says more.";

/// Inspect, check, mend, write and tune write-ahead logs
///
/// walctl reads the write-ahead logs of many systems and writes its own. After a crash it says what was lost, and whether it
/// had been acknowledged.
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
    Verify(Box<verify::VerifyArgs>),
    Repair(repair::RepairArgs),
    Append(Box<append::AppendArgs>),
    Rotate(rotate::RotateArgs),
    Stats(stats::StatsArgs),
    Diff(diff::DiffArgs),
    Browse(browse::BrowseArgs),
    Bench(Box<bench::BenchArgs>),
    Explain(explain::ExplainArgs),
    Completions(about::CompletionsArgs),
    Man(about::ManArgs),
    Help(about::HelpArgs),
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
            Command::Diff(args) => diff::run(args, out),
            Command::Browse(args) => browse::run(args, out),
            Command::Bench(args) => bench::run(args, out),
            Command::Explain(args) => explain::explain(args, out),
            Command::Completions(args) => about::completions(args, out, command()),
            Command::Man(args) => about::man(args, out, command()),
            Command::Help(args) => about::help(args, out, command()),
        }
    }
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
        return generate::run(matches, command());
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
        let flushed = std::io::Write::flush(&mut out);
        out.heard(flushed)?;
        Ok(exit)
    });
    match ended {
        Ok(exit) => exit,
        Err(error) if out.is_closing(&error) && interrupt::caught() => Exit::Interrupted,
        Err(error) if out.is_closing(&error) => Exit::Done,
        Err(error) => out.failure(&error),
    }
}

/// Help and version go to standard output and are a success; all else is wrong usage.
fn refused(error: &clap::Error) -> Exit {
    if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) {
        return no_command(word, error);
    }
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && flag.starts_with('-')
        && let Some(name) = command_typed()
    {
        let near = match error.get(ContextKind::SuggestedArg) {
            Some(ContextValue::String(near)) => Some(near.as_str()),
            _ => None,
        };
        let (message, next) = meant::flag_instead(&name, flag, near, &paths_typed(&name));
        return wrong(&format!(" {name}"), &message, &next);
    }
    if let Some(name) = command_typed()
        && let Some((message, next)) = known_mistake(&name, error)
    {
        return wrong(&format!(" {name}"), &message, &next);
    }
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Done;
    }
    if wants_json() {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        say_json(Exit::Usage, message, Some("walctl --help"));
    }
    Exit::Usage
}

fn wants_json() -> bool {
    std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

fn no_command(word: &str, error: &clap::Error) -> Exit {
    let behind = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).skip_while(|arg| arg != word);
    let behind: Vec<String> = behind.skip(1).collect();
    let near = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::String(near)) => Some(near.as_str()),
        Some(ContextValue::Strings(all)) => all.first().map(String::as_str),
        _ => None,
    };
    let (message, next) = meant::instead_of(word, &behind, near);
    wrong("", &message, &next)
}

/// Wrong usage, told as every failure is.
fn wrong(command: &str, message: &str, next: &str) -> Exit {
    if wants_json() {
        say_json(Exit::Usage, message, Some(next));
    } else {
        say(&format!("walctl{command}: {message}"));
        say(&format!("next: {next}"));
    }
    Exit::Usage
}

/// What is said of a mistake for which clap's own words lead nowhere, and the next command to type.
fn known_mistake(name: &str, error: &clap::Error) -> Option<(String, String)> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::WrongNumberOfValues if name == "diff" => {
            let (named, other) = (paths_typed(name), "OTHER");
            let log = named.first().map_or_else(|| "LOG".to_owned(), |log| show(Path::new(log)));
            let said = if named.len() == 1 { format!(", and only {log} was named") } else { String::new() };
            Some((format!("two logs are compared{said}"), format!("walctl diff {log} {other}")))
        }
        ErrorKind::ValueValidation => {
            let (arg, value) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
            let (flag, value_name) = arg.split_once(" <")?;
            let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
            meant::value_instead(flag, value_name.trim_end_matches('>'), &value, &words)
        }
        _ => None,
    }
}

/// The words behind the command that name something that is there.
fn paths_typed(command: &str) -> Vec<String> {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    words.skip_while(|word| word != command).skip(1).filter(|word| !word.starts_with('-') && Path::new(word).exists()).collect()
}

/// The command among the words that were typed.
fn command_typed() -> Option<String> {
    let command = command();
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    words.into_iter().find(|word| command.get_subcommands().any(|sub| sub.get_name() == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().subcommand(generate::command()).debug_assert();
    }

    /// One name for one thing: a flag has the same short form, and takes the same sort of value, in every command that has it.
    #[test]
    fn a_flag_means_the_same_in_every_command() {
        /// What is meant by a value.
        const VALUES: &[&str] = &[
            "FILE",
            "DIR",
            "LOG",
            "OUT",
            "SPAN",
            "TIME",
            "SIZE",
            "RATE",
            "RANGE",
            "LSN",
            "N",
            "NUMBER",
            "NAME",
            "RULE",
            "REGEX",
            "KIND",
            "TEXT",
            "HOW",
            "WHAT",
            "WHEN",
            "VIEW",
            "FORMAT",
            "MODE",
            "GOAL",
            "REASON",
            "K/N",
            "P%",
            "N|all",
            "SIZE:WEIGHT",
            "yes,no",
            "SETTING",
        ];
        let mut known: Vec<(String, Option<char>, String, String)> = Vec::new();
        let mut shorts: Vec<(char, String)> = Vec::new();
        let mut differ: Vec<String> = Vec::new();
        for sub in command().get_subcommands() {
            for arg in sub.get_arguments() {
                let Some(long) = arg.get_long().map(str::to_owned) else { continue };
                let takes = if arg.get_action().takes_values() { arg.get_value_names().unwrap_or_default() } else { &[] };
                // bench measures lists of what append takes one of.
                let value = takes
                    .first()
                    .map(|name| name.trim_end_matches(",...").trim_end_matches("...").to_owned())
                    .unwrap_or_default();
                assert!(value.is_empty() || VALUES.contains(&value.as_str()), "{} --{long} <{value}>", sub.get_name());
                if let Some(short) = arg.get_short() {
                    let other = shorts.iter().find(|(other, name)| *other == short && *name != long);
                    assert!(other.is_none(), "-{short} is --{long} in {} and another flag elsewhere", sub.get_name());
                    shorts.push((short, long.clone()));
                }
                let here = (long, arg.get_short(), value, sub.get_name().to_owned());
                let other = known.iter().find(|other| other.0 == here.0 && (other.1, &other.2) != (here.1, &here.2));
                // append has the first two as switches, and bench tries both; bench prints its Markdown, verify writes it beside its report.
                let both = ["direct", "buffered", "markdown"].contains(&here.0.as_str());
                if let Some(other) = other.filter(|_| !both) {
                    differ.push(format!("{here:?} and {other:?}"));
                }
                known.push(here);
            }
        }
        assert!(known.len() > 100 && differ.is_empty(), "{} flags; these differ:\n{}", known.len(), differ.join("\n"));
    }

    /// Who knows a flag from one command finds it in the others, wherever it has a meaning.
    #[test]
    fn commands_that_read_logs_have_the_flags_that_reading_has() {
        let reads = |sub: &clap::Command| sub.get_arguments().any(|arg| arg.get_long() == Some("format"));
        let command = command();
        let (mut readers, mut missing) = (0, Vec::new());
        for sub in command.get_subcommands().filter(|sub| reads(sub)) {
            readers += 1;
            let name = sub.get_name();
            for (flag, lacks) in [
                ("key-file", &[][..]),
                ("io", &[]),
                ("max-rate", &[]),
                // The two logs of diff are read side by side, each by one thread.
                ("jobs", &["diff"]),
                // In browse a stretch is chosen while looking, with the same words behind `&`.
                ("lsn", &["browse"]),
                // A replica may write times anew, so by them no stretch of two logs can be named.
                ("since", &["diff", "browse"]),
                ("until", &["diff", "browse"]),
                ("local", &["diff", "browse"]),
            ] {
                let has = sub.get_arguments().any(|arg| arg.get_long() == Some(flag));
                if has == lacks.contains(&name) {
                    missing.push(format!("{name} --{flag}: {}", if has { "is there" } else { "is missing" }));
                }
            }
        }
        assert!(readers >= 5 && missing.is_empty(), "{readers} commands: {}", missing.join(", "));
    }

    /// A number alone is refused wherever it could be of several units.
    #[test]
    fn a_value_with_a_unit_is_refused_without_it() {
        let command = command();
        let mut tried = 0;
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "bench") {
            for arg in sub.get_arguments() {
                let value = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str());
                if !matches!(value, Some("SPAN" | "RATE" | "P%")) {
                    continue;
                }
                let flag = format!("--{}={}", arg.get_long().expect("a flag"), 10);
                let logs = if sub.get_name() == "diff" { &["A", "B"][..] } else { &["A"] };
                let words = [&["walctl", sub.get_name(), &flag], logs].concat();
                let error = command.clone().try_get_matches_from(&words).expect_err("10 of what?");
                assert_eq!(error.kind(), ErrorKind::ValueValidation, "{words:?}: {error}");
                tried += 1;
            }
        }
        assert!(tried > 8, "{tried} flags");
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
}
