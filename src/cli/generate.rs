//! `walctl generate`, hidden: writes the completions and manual pages that packagers install, and the reference of JSON keys.
//!
//! Everything comes from the one clap definition, from `Exit`, from the catalogue of damage and from the tables of keys. No dates: the same input gives the
//! same bytes on every day.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use walctl::model::{CATALOGUE, Verdict};

use super::exit::Exit;
use super::explain;
use super::hint::takes_format;
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
    let names = names(&top);
    for command in top.get_subcommands().chain([&top]) {
        let path = dir.join(of(command).get_filename());
        fs::write(&path, page(command, &names)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The names of all pages but that of walctl itself.
pub fn names(top: &Command) -> Vec<String> {
    top.get_subcommands().map(|sub| format!("walctl-{}", sub.get_name())).collect()
}

fn of(command: &Command) -> Man {
    Man::new(command.clone()).manual("walctl").source(format!("walctl {}", env!("CARGO_PKG_VERSION")))
}

/// The page of a command that was built; `names` are those of all pages.
pub fn page(command: &Command, names: &[String]) -> anyhow::Result<Vec<u8>> {
    let man = of(command);
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut more = Roff::new();
    exit_codes(&mut more);
    if command.has_subcommands() || takes_format(command.get_name()) {
        damage(&mut more);
    }
    if command.get_name() == "explain" {
        words(&mut more);
    }
    environment(&mut more);
    if command.has_subcommands() || matches!(command.get_name(), "append" | "repair" | "rotate") {
        trust(&mut more);
    }
    see_also(&mut more, man.get_filename().trim_end_matches(".1"), names);
    text.write_all(more.to_roff().as_bytes())?;
    Ok(text)
}

fn exit_codes(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        roff.control("TP", []);
        roff.text([bold(exit.code().to_string())]);
        roff.text([roman(exit.sentence())]);
    }
    roff.control("PP", []);
    let order: Vec<String> = Exit::WORST_FIRST.iter().map(|exit| exit.code().to_string()).collect();
    roff.text([roman(format!("With several logs the worst exit code wins, in the order {}.", order.join(", ")))]);
}

fn environment(roff: &mut Roff) {
    roff.control("SH", ["ENVIRONMENT"]);
    let variables = [
        (
            "WALCTL_KEY_FILE",
            "The key file, for every command that takes --key-file and is called without it. Empty is like not set.",
        ),
        ("NO_COLOR", "If set and not empty, no colours are used, unless --color says always."),
    ];
    for (name, meaning) in variables {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(meaning)]);
    }
}

/// The trust model, for folders that several users can write.
fn trust(roff: &mut Roff) {
    roff.control("SH", ["SECURITY"]);
    roff.text([roman(
        "Users who may write a log\'s folder own the log: they can change, remove or replace its files, and a log that was replaced as a \
         whole looks like any other. They cannot make walctl, run by another user, touch files elsewhere. LOCK, segments, cursors, \
         ledgers, saved cuts and copies are written only if they are regular files and reached without a symbolic link at the end of \
         their path; LOCK and unfinished files must also have no second name (hard link). A file that walctl did not make is never \
         deleted, emptied or replaced; what walctl has not finished has a name that ends in .walctl-unfinished, and the next run may \
         remove it. Reading follows links, so do not show the output to people who may write the folder and may not read what you may. \
         Named pipes, devices and folders in the place of a file are refused, or reported as unreadable, and never waited for.",
    )]);
}

fn damage(roff: &mut Roff) {
    roff.control("SH", ["VERDICTS"]);
    for verdict in Verdict::ALL {
        roff.control("TP", []);
        roff.text([bold(verdict.name())]);
        roff.text([roman(verdict.words())]);
    }
    roff.control("SH", ["DAMAGE"]);
    roff.text([roman("Each piece of damage has one of these names, in text and in JSON.")]);
    for entry in &CATALOGUE {
        roff.control("TP", []);
        roff.text([bold(entry.name)]);
        roff.text([roman(format!("{}.", capital(entry.words)))]);
        roff.text([italic("Usual cause:"), roman(format!(" {}.", entry.cause))]);
        roff.text([italic("What helps:"), roman(format!(" {}.", entry.remedy))]);
    }
}

/// All that `explain` can say.
fn words(roff: &mut Roff) {
    let words = explain::words();
    for (title, class) in [
        ("DAMAGE", "damage"),
        ("VERDICTS", "verdict"),
        ("WARNINGS", "warning"),
        ("EXIT CODES", "exit code"),
        ("KEYS OF JSON", "key"),
    ] {
        roff.control("SH", [title]);
        for word in words.iter().filter(|word| word.class == class) {
            roff.control("TP", []);
            roff.text([bold(word.name.as_str())]);
            roff.text([roman(capital(&word.meaning))]);
            for (what, text) in &word.more {
                roff.control("br", []);
                roff.text([italic(format!("{}:", capital(what))), roman(format!(" {text}"))]);
            }
        }
    }
}

fn see_also(roff: &mut Roff, this: &str, names: &[String]) {
    roff.control("SH", ["SEE ALSO"]);
    let top = "walctl".to_owned();
    let others: Vec<String> =
        [&top].into_iter().chain(names).filter(|name| *name != this).map(|name| format!("{name}(1)")).collect();
    roff.text([roman(others.join(", "))]);
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
