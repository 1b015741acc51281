//! `walctl verify`: is a log whole, and if not, what does that mean.

mod sample;
pub mod seen;

use std::path::{Path, PathBuf};

use walctl::disk::Io;
use walctl::model::{Error, Result, Verdict};
use walctl::ops;
use walctl::ops::report::{Checks, Looked, Portion, Report, check_ledger, compare_media, map_segment};

use super::args::InputArgs;
use super::exit::{CommandFailure, Exit};
use super::hint;
use super::interrupt;
use super::render::out::Out;
use super::render::progress::WorkBar;
use super::render::report::{LookedBeside, json, map, text};
use super::render::{escape, formats};
use super::survey;
use sample::SampleArgs;
use seen::{Seeing, SeenArgs};
use walctl::model::units::{count, parse_rate};

/// Check logs; for each piece of damage, say what it means and what to do next
///
/// Reads every segment to its end, past any damage, and judges what it finds: torn is an interrupted write that is not known to
/// have been acknowledged, suspect may be torn or rotten, corrupt had been synced and is wrong, missing had been synced and is gone,
/// foreign belongs to another history, unreadable is what the system cannot read. verify never writes and takes no lock: a log that is
/// being written is judged as it was when reading began.
///
/// A folder above many logs, such as /var/lib or a backup of it, is searched to its bottom, and each log gets one line: whose it is, and
/// whether it is whole. Logs that walctl only knows by sight are named with what reads them.
#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    #[command(flatten)]
    input: InputArgs,
    /// How many segments to check at once [default: one for each processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Read no faster than this, to leave the disk to the service: 100MiB/s
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    max_rate: Option<u64>,
    /// Also read with the page cache bypassed, and report where the disk holds other bytes than the cache
    #[arg(long, conflicts_with = "io")]
    media: bool,
    /// Also decrypt, decompress, and look for open transactions and orphaned fragments. An encrypted log needs its keys for this
    #[arg(long)]
    deep: bool,
    /// Compare with a ledger that append wrote: list acknowledged records that the log lacks, and end with 7 if there are any
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    ledger: Option<PathBuf>,
    /// Draw each segment as one line: frames, padding, reserved zeros, damage
    #[arg(long)]
    map: bool,
    #[command(flatten)]
    seen: SeenArgs,
    #[command(flatten)]
    sample: SampleArgs,
}

/// Checks each log and ends with the worst of what was found.
pub fn run(args: &VerifyArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.input.lists() {
        formats::show(out)?;
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    let paths = args.input.paths()?;
    let seeing = args.seen.open(out)?;
    for path in paths {
        let ended = match check(args, path, seeing.as_ref(), out) {
            Ok(ended) => ended,
            // One log that cannot be looked at does not keep us from the others.
            Err(error) => out.failure(&error),
        };
        exit = exit.or_worse(ended);
        if seeing.is_some() && interrupt::caught() {
            break;
        }
    }
    match seeing {
        Some(seeing) => Ok(exit.or_worse(seeing.close(out))),
        None => Ok(exit),
    }
}

fn check(args: &VerifyArgs, path: &Path, seeing: Option<&Seeing>, out: &mut Out) -> anyhow::Result<Exit> {
    let choice = ops::open::Choice { seen: seeing.map(Seeing::file), ..args.input.choice()? };
    if let Some(survey) = survey::wanted(path, &choice)? {
        return survey::check(args, path, survey, seeing, out);
    }
    let mut exit = Exit::Done;
    for mut input in args.input.open(path, &choice)? {
        // A wrong key is no damage, and what is not looked into is not clean.
        if (args.deep || !input.keys.is_empty())
            && let Err(error) = ops::open::steady(&input, ops::keyfit::need_key)
        {
            exit = exit.or_worse(out.failure(&error.into()));
            continue;
        }
        if args.deep && !input.keys.is_empty() && ops::keyfit::key_fit(&input) == ops::keyfit::KeyFit::NothingEncrypted {
            let log = input.source.path.display();
            out.note(format_args!("{log}: nothing in it is encrypted: anyone who can write the folder may have written it"));
        }
        let mut media = None;
        if args.media {
            media = Some(watched(&input, out, "reading the medium of", |progress| compare_media(&input, progress))?);
            input.source.io = Io::Media;
        }
        let mut report = match (args.look(&input, seeing, out)?, seeing) {
            (Looked::All(report), _) => report,
            (Looked::Some(partly), Some(seeing)) => {
                exit = exit.or_worse(seeing.partly(&partly, out)?);
                continue;
            }
            (Looked::Some(_), None) => return Err(Error::Interrupted.into()),
        };
        // Segments may have come and gone since the log was opened.
        input.source = report.source.clone();
        let mut beside = LookedBeside { media, ledger: None, seen: seeing.map(Seeing::view) };
        if let Some(path) = &args.ledger {
            let found = watched(&input, out, "comparing", |_| ops::open::steady(&input, |input| check_ledger(input, path)))?;
            found.heed(&mut report.damage);
            beside.ledger = Some((path.clone(), found));
        }
        let locked = args.deep.then(|| not_checked(&input, &report)).flatten();
        // Where nothing else is wrong there is nothing to show: it must not be called clean.
        if locked.is_none() || report.verdict != Verdict::Clean || !beside.is_well() {
            // The exit code is the verdict, whether or not what is said about it is read.
            match show(args, &input, &report, &beside, out) {
                Err(error) if !out.is_closing(&error) => return Err(error),
                _ => {}
            }
        }
        exit = exit.or_worse(report.verdict.into()).or_worse(beside.exit());
        if let Some(error) = locked {
            exit = exit.or_worse(out.failure(&error.into()));
        }
    }
    Ok(exit)
}

/// Payloads for which a key was lacking: of these nothing is known but that their checksums are right.
fn not_checked(input: &ops::open::Input, report: &Report) -> Option<Error> {
    let locked: u64 = report.summaries.iter().map(|summary| summary.locked).sum();
    if locked == 0 {
        return None;
    }
    let segments = report.summaries.iter().zip(&report.segments).filter(|(summary, _)| summary.locked > 0);
    let names: Vec<&str> = segments.map(|(_, segment)| segment.file.as_str()).collect();
    let more = if names.len() > 1 { format!(" and {} more", names.len() - 1) } else { String::new() };
    let payloads = count(locked, "encrypted payload");
    let why = format!("not checked: {payloads} in {}{more}, because none of the keys opens them", names.first()?);
    Some(Error::WrongKey { path: input.source.path.clone(), why })
}

fn nothing_at_the_ends(input: &ops::open::Input) -> CommandFailure {
    let log = input.source.path.display();
    CommandFailure {
        exit: Exit::Failed,
        message: format!("{log}: not checked: the ends of {} segments tell nothing by themselves", input.format.name),
        next: Some(format!("read some of them: walctl verify {} --sample 1%", hint::show(&input.source.path))),
    }
}

impl VerifyArgs {
    /// Checks a log, and shows how far it has come.
    pub fn look(&self, input: &ops::open::Input, seeing: Option<&Seeing>, out: &Out) -> anyhow::Result<Looked> {
        let checks = Checks { jobs: self.jobs(), deep: self.deep, rate: self.max_rate, ..Checks::default() };
        let portion = self.sample.portion();
        if portion == Portion::Ends && input.format.ends.is_none() {
            return Err(nothing_at_the_ends(input).into());
        }
        watched(input, out, "checking", |progress| match seeing {
            Some(seeing) => seeing.verify(input, &checks, progress),
            None => ops::report::verify_portion(input, &checks, progress, portion),
        })
    }

    fn jobs(&self) -> usize {
        self.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
    }
}

impl LookedBeside {
    fn is_well(&self) -> bool {
        self.exit() == Exit::Done
    }

    fn exit(&self) -> Exit {
        // A direct read makes the system write its cached pages first. What differs after that is a write that failed.
        let media = self.media.as_ref().is_some_and(|view| !view.differing.is_empty());
        let ledger = self.ledger.as_ref().is_some_and(|(_, found)| !found.is_met());
        let media = if media { Exit::Damaged } else { Exit::Done };
        media.or_worse(if ledger { Exit::GateMissed } else { Exit::Done })
    }
}

fn show(
    args: &VerifyArgs,
    input: &ops::open::Input,
    report: &Report,
    beside: &LookedBeside,
    out: &mut Out,
) -> anyhow::Result<()> {
    if out.quiet() {
        return Ok(());
    }
    if out.json() {
        json::write(out, input, report, beside)?;
    } else {
        if args.map {
            map::write(out, report, &mut |segment, cells| map_segment(input, report, segment, cells))?;
        }
        text::write(out, input, report, beside)?;
    }
    out.settle()?;
    Ok(())
}

/// Does the work on another thread, and shows how far it has come.
fn watched<T: Send>(
    input: &ops::open::Input,
    out: &Out,
    doing: &str,
    work: impl FnOnce(&ops::report::Progress) -> Result<T> + Send,
) -> anyhow::Result<T> {
    let progress = ops::report::Progress::default();
    let total = input.source.segments.iter().map(|s| if s.length == u64::MAX { 0 } else { s.length }).sum();
    let bar = WorkBar::new(out, format!("{doing} {}", escape::line(&input.source.path.display().to_string())), total);
    let done = bar.watch(&progress.done, || work(&progress));
    bar.finish();
    Ok(done?)
}
