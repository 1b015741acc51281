//! The pages of the manual: what clap knows, and examples, files, variables, exit codes, damage and words.

mod examples;

use std::io::Write as _;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use walctl::model::{CATALOGUE, Verdict};

use super::exit::Exit;
use super::explain;
use super::hint::takes_format;

/// The names of all pages but that of walctl itself.
pub fn names(top: &Command) -> Vec<String> {
    top.get_subcommands().map(|sub| format!("walctl-{}", sub.get_name())).collect()
}

/// The page's maker, which knows its file name.
pub fn of(command: &Command) -> Man {
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
    examples(&mut more, command.get_name());
    exit_codes(&mut more);
    if command.has_subcommands() || takes_format(command.get_name()) {
        damage(&mut more);
    }
    if command.get_name() == "explain" {
        words(&mut more);
    }
    files(&mut more, command);
    environment(&mut more, command);
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

/// What is typed, each with what for.
fn examples(roff: &mut Roff, command: &str) {
    roff.control("SH", ["EXAMPLES"]);
    for (line, what) in examples::of(command) {
        roff.control("PP", []);
        roff.text([roman(format!("{what}:"))]);
        roff.control("PP", []);
        roff.control("RS", ["4"]);
        roff.control("nf", []);
        roff.text([roman(*line)]);
        roff.control("fi", []);
        roff.control("RE", []);
    }
}

/// Whether the command is walctl itself, or one of these.
fn is(command: &Command, names: &[&str]) -> bool {
    command.has_subcommands() || names.contains(&command.get_name())
}

fn files(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["FILES"]);
    let mut any = false;
    for (name, meaning, _) in FILES.iter().filter(|(.., names)| is(command, names)) {
        any = true;
        roff.control("TP", []);
        roff.text([italic(*name)]);
        roff.text([roman(*meaning)]);
    }
    if !any {
        roff.text([roman("It reads and writes no file but its standard streams.")]);
    }
}

/// Files, what they are, and the commands that read or write them.
const FILES: &[(&str, &str, &[&str])] = &[
    (
        "LOG/00000000000000000001.wal",
        "A segment of walctl's own log, named after its first LSN. The highest number is the one that is written to. Files of other systems \
         keep their names.",
        &["dump", "verify", "repair", "append", "rotate", "stats", "diff", "browse"],
    ),
    (
        "LOG/LOCK",
        "Held by whoever writes, repairs or rotates the log, and says who that is. Readers do not need it. It may stay when nobody holds it.",
        &["repair", "append", "rotate"],
    ),
    (
        "LOG/SEGMENT.cut-OFFSET",
        "The bytes that a repair cut from a segment at that offset, and where they came from. --undo puts them back. Delete it when nobody \
         will want that. In a log of another system the name begins with walctl-, so that the system takes it for nothing of its own.",
        &["repair"],
    ),
    ("LOG/NAME.pin", "What a reader still needs: no rule removes a segment that it has not read.", &["append", "rotate"]),
    (
        "*.walctl-unfinished",
        "What an interrupted run had not finished. No command takes it for the finished file, and the next run may remove it.",
        &["repair", "append", "rotate", "dump", "verify"],
    ),
    ("CURSOR", "Where dump --cursor continues; rotate --pin reads it.", &["dump", "rotate"]),
    (
        "LEDGER",
        "What append --ledger wrote: a line for each acknowledged record. verify --ledger compares.",
        &["append", "verify"],
    ),
    (
        "SEEN",
        "What verify --seen keeps: a line of JSON for each segment. Several such files, one behind the other, are one.",
        &["verify"],
    ),
    (
        "KEYS",
        "A key file: 64 hexadecimal digits a line, the oldest key first. Only its owner should be able to read it.",
        &["dump", "verify", "repair", "append", "rotate", "stats", "diff", "browse"],
    ),
    ("/proc/self/mountinfo, /sys/dev/block", "Where bench looks up which filesystem and disk it measures.", &["bench"]),
];

fn environment(roff: &mut Roff, command: &Command) {
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, meaning, _) in VARIABLES.iter().filter(|(.., names)| names.is_empty() || is(command, names)) {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*meaning)]);
    }
}

/// Variables, what they do, and the commands that look at them; none for all.
const VARIABLES: &[(&str, &str, &[&str])] = &[
    (
        "WALCTL_KEY_FILE",
        "The key file, if --key-file is not given. Empty is like not set.",
        &["dump", "verify", "repair", "append", "rotate", "stats", "diff", "browse"],
    ),
    (
        "AWS_*, GOOGLE_*, AZURE_*",
        "Credentials, region and endpoint for object storage, in builds with the feature bucket: the names are those that the provider\'s own \
         tools read. Profiles are not read.",
        &["dump", "verify", "rotate", "stats"],
    ),
    (
        "WALCTL_BUCKET_RETRIES",
        "How often a request to object storage is repeated that failed; 5 if it is not set.",
        &["dump", "verify", "rotate", "stats"],
    ),
    ("NO_COLOR", "If set and not empty, no colours are used, unless --color says always.", &[]),
    ("TERM", "If it is dumb, no colours are used, unless --color says always.", &[]),
    ("COLUMNS", "How wide tables and sentences may be, instead of the width of the terminal.", &[]),
    ("TZ", "The time zone of --local.", &["dump"]),
    ("LD_PRELOAD", "If a library in it swallows syncs, the report says so.", &["bench"]),
];

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
        ("TERMS", "term"),
        ("FORMATS", "format"),
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
