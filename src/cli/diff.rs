//! `walctl diff`: do two logs hold the same records, and where do they part.

use std::path::{Path, PathBuf};

use walctl::model::{Error, Lsn, LsnRange, Verdict};
use walctl::ops::open::Input;
use walctl::ops::read::{Bound, Comparison, LsnWish, comparable, compare};
use walctl::ops::report::Progress;

use super::args::{InputArgs, RateFlag};
use super::below;
use super::exit::{CommandFailure, Exit, usage};
use super::hint::show;
use super::place;
use super::render::diff::{LogNames, json, text};
use super::render::escape;
use super::render::formats;
use super::render::out::Out;
use super::verify_with_bar::{UNCHANGED, bytes_of, watched};
use walctl::model::units::count;

const AFTER_HELP: &str = "\
Records are compared by their LSNs: payload, kind and tag; not the time, which a replica may write anew. A record that cannot be read is \
no difference: it could not be compared, and the damage counts in the exit code as in verify. The same goes for what one log had pruned \
before the other, and for what was written while the logs were read. Each log is read by a thread of its own. Encrypted payloads are compared as what they hold, with the keys of \
both logs in one key file.";

/// Compare two logs record by record: where they part, what only one has, what differs
///
/// For a primary and its replica, a backup and the live log, a salvaged log and its original. The logs may be of two formats if their
/// numbers mean the same, and a log that was salvaged from another system's is compared with that by the numbers there. diff reads both
/// logs once, never writes and takes no lock; memory does not grow with the logs.
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP, override_usage = "walctl diff [OPTIONS] A B")]
#[command(mut_arg("paths", |arg| arg.value_names(["A", "B"]).num_args(2).help("The two logs: a folder, a segment file, or - for one segment on standard input")))]
pub struct DiffArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Compare only records with LSNs A..B, both included; A.. and ..B are open at one end
    #[arg(long, value_name = "RANGE", value_parser = lsns)]
    lsn: Option<LsnRange>,
    #[command(flatten)]
    rate: RateFlag,
    /// List at most N ranges of each sort; the counts stay complete [default: 20, with --json 10000]
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<usize>,
}

/// Runs the command.
pub fn run(args: &DiffArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.input.lists() {
        formats::show(out)?;
        return Ok(Exit::Done);
    }
    let [first, second] = args.input.paths()? else { return Err(usage("name two logs: walctl diff A B")) };
    [first, second].into_iter().try_for_each(|path| place::here(path, "diff"))?;
    let window = args.lsn;
    let mut exit = Exit::Done;
    for pair in pairs(args, [first, second], out)? {
        let ended = match pair {
            LogPair::Both(logs) => one(args, &logs, window, out),
            LogPair::Alone(name, lacking) => {
                let message = format!("{name} has no counterpart in {lacking}");
                let failure = CommandFailure { exit: Exit::GateMissed, message, next: None };
                Ok(out.failure(&failure.into()))
            }
        };
        exit = exit.or_worse(match ended {
            Ok(exit) => exit,
            // One pair that cannot be looked at does not keep us from the others.
            Err(error) => out.failure(&error),
        });
    }
    Ok(exit)
}

/// Two logs that are compared, or one that the other path lacks.
enum LogPair {
    Both(Box<[Input; 2]>),
    Alone(String, String),
}

/// The logs at two paths: one each, or several that are paired by their names below the paths.
fn pairs(args: &DiffArgs, paths: [&Path; 2], out: &mut Out) -> anyhow::Result<Vec<LogPair>> {
    let choice = args.input.choice()?;
    let [mut a, mut b] = [below::open(&args.input, paths[0], &choice, out)?, below::open(&args.input, paths[1], &choice, out)?];
    for (several, path) in [(&a, paths[0]), (&b, paths[1])] {
        if a.len().min(b.len()) == 1 && several.len() > 1 {
            let names: Vec<String> = several.iter().take(8).map(|log| show(&log.source.path)).collect();
            let more = if several.len() > 8 { ", …" } else { "" };
            let (path, count) = (path.display(), several.len());
            return Err(usage(format!("{path} holds {count} logs; name one of them: {}{more}", names.join(", "))));
        }
    }
    let mut pairs = Vec::new();
    if a.len() == 1 {
        pairs.extend(a.pop().zip(b.pop()).map(|(a, b)| LogPair::Both(Box::new([a, b]))));
    }
    for log in b {
        let name = below(&log, paths[1]);
        match a.iter().position(|other| below(other, paths[0]) == name) {
            Some(at) => pairs.push(LogPair::Both(Box::new([a.remove(at), log]))),
            None => pairs.push(LogPair::Alone(log.source.path.display().to_string(), paths[0].display().to_string())),
        }
    }
    pairs.extend(a.iter().map(|log| LogPair::Alone(log.source.path.display().to_string(), paths[1].display().to_string())));
    Ok(pairs)
}

/// The name of a log below a path.
fn below(log: &Input, path: &Path) -> PathBuf {
    log.source.path.strip_prefix(path).unwrap_or(&log.source.path).to_owned()
}

fn one(args: &DiffArgs, logs: &[Input; 2], window: Option<LsnRange>, out: &mut Out) -> anyhow::Result<Exit> {
    logs.iter().try_for_each(|log| args.input.check_keys(log))?;
    if let Err(why) = comparable(logs[0].format, logs[1].format) {
        let next = format!("look at one by its content: walctl dump {}", show(&logs[0].source.path));
        return Err(CommandFailure { exit: Exit::Failed, message: why, next: Some(next) }.into());
    }
    let found = read(args, logs, window, out)?;
    let names = LogNames::of(logs);
    // The exit code is the answer, whether or not what is said about it is read.
    match tell(args, logs, &names, &found, out) {
        Err(error) if !out.is_closing(&error) => return Err(error),
        _ => {}
    }
    let mut exit = if found.finds_no_difference() { Exit::Done } else { Exit::GateMissed };
    for side in &found.sides {
        exit = exit.or_worse(side.verdict.into());
    }
    for error in not_looked_at(logs, &found) {
        exit = exit.or_worse(out.failure(&error));
    }
    Ok(exit)
}

fn read(args: &DiffArgs, logs: &[Input; 2], window: Option<LsnRange>, out: &Out) -> anyhow::Result<Comparison> {
    let [a, b] = logs;
    let doing = format!("comparing {} with", escape::line(&b.source.path.display().to_string()));
    let work = |progress: &Progress| compare(a, b, window, progress);
    Ok(watched(out, &doing, &a.source.path, bytes_of(a) + bytes_of(b), args.rate.max_rate, UNCHANGED, work)?)
}

fn tell(args: &DiffArgs, logs: &[Input; 2], names: &LogNames, found: &Comparison, out: &mut Out) -> anyhow::Result<()> {
    if out.quiet() {
        return Ok(());
    }
    if out.json() {
        json::write(out, logs, found, args.limit.unwrap_or(usize::MAX))?;
    } else {
        text::write(out, logs, names, found, args.limit.unwrap_or(20), &args.input.typed())?;
    }
    out.settle()?;
    Ok(())
}

/// What kept us from comparing, and is no damage.
fn not_looked_at(logs: &[Input; 2], found: &Comparison) -> Vec<anyhow::Error> {
    let mut errors = Vec::new();
    let encrypted = found.encrypted();
    if encrypted > 0 {
        let why = format!("{} could not be compared: encrypted, and none of the keys opens both", count(encrypted, "record"));
        let path = logs[0].source.path.clone();
        errors.push(Error::WrongKey { path, why }.into());
    }
    for (log, side) in logs.iter().zip(&found.sides) {
        // What was given twice is damage, and told as such.
        if side.disordered > 0 && side.verdict == Verdict::Clean {
            let records = count(side.disordered, "record");
            let message = format!("{}: {records} out of order could not be compared", log.source.path.display());
            let next = log.source.path.to_str().filter(|path| *path == "-");
            let next = next.map(|_| "keep the stream in a file and compare that: walctl diff FILE B".to_owned());
            errors.push(CommandFailure { exit: Exit::Failed, message, next }.into());
        }
    }
    errors
}

fn lsns(text: &str) -> Result<LsnRange, String> {
    let wish = LsnWish::parse(text)?;
    let at = |bound: Option<Bound>, open: Lsn| match bound {
        None => Ok(open),
        Some(Bound::At(lsn)) => Ok(lsn),
        Some(_) => Err(format!("`{text}` counts from the end, and two logs have two ends: write numbers")),
    };
    let (first, last) = (at(wish.first, Lsn(0))?, at(wish.last, Lsn(u64::MAX))?);
    LsnRange::new(first, last).ok_or_else(|| format!("`{text}` ends before it begins"))
}
