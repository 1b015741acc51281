//! The flags that commands share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::builder::{NonEmptyStringValueParser, OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum, ValueHint};
use walctl::disk::{Disk, Io, RealDisk, Stream};
use walctl::formats;
use walctl::model::units::parse_rate;
use walctl::model::{Error, Keys, Time};
use walctl::ops;
use walctl::ops::open::Choice;
use walctl::ops::read::{LsnWish, Scope, last_lsn, parse_moment};

use super::exit::{CommandFailure, Exit, usage};
use super::hint::show;
use super::zone::east_of_utc;
use super::{interrupt, place};

/// Flags that every command takes.
#[derive(Args, Debug)]
pub struct Global {
    /// Results as JSON, one object a line; failures as one JSON object on standard error
    #[arg(long, global = true, display_order = 900)]
    pub json: bool,
    /// Print no results and no progress; only the exit code answers
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
pub struct InputArgs {
    /// A log's folder, a segment file, s3://, gs:// or az:// (feature bucket), or - for one segment on standard input
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Format of the log; auto recognises it by content and name, list prints all formats
    #[arg(long, value_name = "FORMAT", default_value = "auto", hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(format_names()))]
    pub format: String,
    /// How to read; auto maps finished segments into memory and reads the others
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub io: IoChoice,
    #[command(flatten)]
    pub key: KeyFlag,
}

/// The keys, for every command that reads or writes payloads.
#[derive(Args, Debug)]
pub struct KeyFlag {
    /// A file with keys for encrypted payloads: 64 hex digits a line, oldest first; append encrypts with the last one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, env = "WALCTL_KEY_FILE", hide_env_values = true)]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    key_file: Option<PathBuf>,
}

impl KeyFlag {
    /// The key file, if there is one: a variable that is set to nothing names none.
    pub fn path(&self) -> Option<&Path> {
        self.key_file.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// The keys that were given; none is no error.
    pub fn keys(&self) -> anyhow::Result<Keys> {
        self.path().map_or_else(|| Ok(Keys::default()), read_keys)
    }
}

/// Which records of a log.
#[derive(Args, Debug)]
pub struct ScopeArgs {
    /// Records with LSNs A..B, both included; also A.., ..B, N, negative numbers to count from the end: -100.., and positions: 0/D13C90..
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true, value_parser = LsnWish::parse, help_heading = WHICH)]
    pub lsn: Option<LsnWish>,
    /// Records written at this time or later: 2026-01-02T03:04:05Z, a date, 03:04, today, yesterday, `10min ago` or -10min
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true, help_heading = WHICH)]
    since: Option<String>,
    /// Records written at this time or earlier
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true, help_heading = WHICH)]
    until: Option<String>,
    /// Times of --since and --until without an offset, and those of dump's table, are of this machine's zone and not UTC
    #[arg(long, help_heading = WHICH)]
    pub local: bool,
}

/// The heading of flags that choose records.
pub const WHICH: &str = "Which records";

/// Checked here; what it means depends on the zone.
fn moment(text: &str) -> Result<String, String> {
    parse_moment(text, Time::now(), &|_| 0).map(|_| text.to_owned())
}

impl ScopeArgs {
    /// Whether anything was asked for.
    pub fn any(&self) -> bool {
        self.lsn.is_some() || self.since.is_some() || self.until.is_some()
    }

    /// Wrong usage where no record can meet both times.
    pub fn check(&self) -> anyhow::Result<()> {
        match self.moments() {
            (Some(since), Some(until)) if since > until => Err(usage("--since lies behind --until: no record can meet both")),
            _ => Ok(()),
        }
    }

    /// The moments of `--since` and `--until`.
    pub fn moments(&self) -> (Option<Time>, Option<Time>) {
        let now = Time::now();
        let east = |time: Time| if self.local { east_of_utc(time) } else { 0 };
        let moment = |text: &Option<String>| text.as_deref().and_then(|text| parse_moment(text, now, &east).ok());
        (moment(&self.since), moment(&self.until))
    }

    /// What is asked for of a log; `None` where no record of it can be meant.
    pub fn of(&self, log: &ops::open::Input) -> walctl::model::Result<Option<Scope>> {
        let (since, until) = self.moments();
        let lsns = match &self.lsn {
            None => None,
            Some(wish) => {
                let end = if wish.counts_from_end() { last_lsn(&log.source, log.format, &log.keys)? } else { None };
                match wish.resolve(end) {
                    None => return Ok(None),
                    range => range,
                }
            }
        };
        Ok(Some(Scope { lsns, since, until }))
    }

    /// As it was typed, each flag with a blank in front.
    pub fn typed(&self) -> String {
        let flag = |name: &str, value: &Option<String>| {
            value.as_ref().map_or_else(String::new, |value| format!(" --{name}={}", show(Path::new(value))))
        };
        let lsn = self.lsn.map(|wish| wish.to_string());
        let local = if self.local { " --local" } else { "" };
        format!("{}{}{}{local}", flag("lsn", &lsn), flag("since", &self.since), flag("until", &self.until))
    }

    /// The same where a log without any such record cannot be worked on.
    pub fn must_be_of(&self, log: &ops::open::Input) -> anyhow::Result<Scope> {
        self.of(log)?.ok_or_else(|| {
            let message = format!("{}: no record has such an LSN", log.source.path.display());
            let next = Some(format!("see which there are: walctl stats {}", show(&log.source.path)));
            CommandFailure { exit: Exit::Failed, message, next }.into()
        })
    }
}

/// How fast to read.
#[derive(Args, Debug)]
pub struct RateFlag {
    /// Read no faster than this, to leave the disk to the service: 100MiB/s
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub max_rate: Option<u64>,
}

/// How much of the machine reading takes.
#[derive(Args, Debug)]
pub struct LoadArgs {
    /// How many segments to read at once [default: one for each processor, in object storage 8 at least]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    #[command(flatten)]
    pub rate: RateFlag,
}

/// The machine, for metrics of many machines in one place.
#[derive(Args, Debug)]
pub struct HostFlag {
    /// Give each metric the label host with this value
    #[arg(long, value_name = "NAME", requires = "openmetrics", value_parser = NonEmptyStringValueParser::new())]
    host: Option<String>,
}

impl HostFlag {
    /// Its name, if there is one.
    pub fn name(&self) -> Option<&str> {
        self.host.as_deref()
    }
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

impl InputArgs {
    /// Whether the formats are to be listed, and nothing else.
    pub fn lists(&self) -> bool {
        self.format == "list"
    }

    /// The flags of these that a command needs again to find the same in the same log, each with a blank in front.
    pub fn typed(&self) -> String {
        let mut flags = String::new();
        if formats::by_name(&self.format).is_some() {
            flags += &format!(" --format {}", self.format);
        }
        if let Some(file) = self.key.path() {
            flags += &format!(" --key-file {}", show(file));
        }
        flags
    }

    /// How to open what the paths name.
    pub fn choice(&self) -> anyhow::Result<Choice> {
        Ok(Choice { format: formats::by_name(&self.format), io: self.io.into(), keys: self.key.keys()?, seen: None })
    }

    /// The logs at a path: one, or those in the folders of a folder. `-` is standard input.
    pub fn open(&self, path: &Path, choice: &Choice) -> anyhow::Result<Vec<ops::open::Input>> {
        if path.as_os_str() == "-" {
            let disk: Arc<dyn Disk> = Arc::new(RealDisk);
            return Ok(vec![ops::open::open_stream(&disk, "-", Box::new(std::io::stdin()), choice)?]);
        }
        Ok(ops::open::open(&place::disk_of(path)?, path, choice)?)
    }

    /// An error, if keys were given, the log is encrypted, and none of them opens anything in it.
    pub fn check_keys(&self, log: &ops::open::Input) -> walctl::model::Result<()> {
        if log.keys.is_empty() { Ok(()) } else { ops::open::steady(log, ops::keyfit::need_key) }
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
fn read_keys(path: &Path) -> anyhow::Result<Keys> {
    use std::io::Read;
    let mut text = String::new();
    Stream::open("read the key file", path, interrupt::caught)?
        .take(1 << 20)
        .read_to_string(&mut text)
        .map_err(Error::io("read the key file", path))?;
    Keys::parse(&text).with_context(|| path.display().to_string())
}

fn format_names() -> Vec<&'static str> {
    let names = |format: &&'static formats::Format| std::iter::once(format.name).chain(format.aliases.iter().copied());
    ["auto", "list"].into_iter().chain(formats::ALL.iter().flat_map(names)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_the_registry() {
        assert!(format_names().starts_with(&["auto", "list"]));
    }
}
