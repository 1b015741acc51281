//! `walctl verify`: is a log whole, and if not, what does that mean.

mod accept;
mod evidence;
pub mod incident;
mod sample;
pub mod seen;

use std::io::Write;
use std::path::{Path, PathBuf};

use walctl::disk::{Io, Traffic};
use walctl::model::{Error, Result, Verdict};
use walctl::ops;
use walctl::ops::report::{
    Checks, Looked, MediaView, NOT_CHECKED, Partly, Portion, Report, check_ledger, compare_media, map_segment,
};

use super::args::{HostFlag, InputArgs, LoadArgs, ScopeArgs};
use super::exit::{CommandFailure, Exit, usage};
use super::hint;
use super::interrupt;
use super::place::{self, Meter};
use super::render::escape;
use super::render::formats;
use super::render::out::{Ink, Out, told};
use super::render::report::{LookedBeside, brief, json, map, metrics::RunMetrics, text};
use super::verify_with_bar::{UNCHANGED, bytes_of, ends_in_order};
use super::{survey, verify_with_bar};
use accept::{AcceptArgs, Accepting};
use incident::{IncidentArgs, IncidentRun};
use sample::SampleArgs;
use seen::{Seeing, SeenArgs};
use walctl::model::units::count;

/// Check logs; for each piece of damage, say what it means and what to do next
///
/// Reads every segment to its end, past any damage, and judges what it finds: torn is an interrupted write that is not known to
/// have been acknowledged, suspect may be torn or rotten, corrupt had been synced and is wrong, missing had been synced and is gone,
/// foreign belongs to another history, unreadable is what the system cannot read. verify never writes and takes no lock: a log that is
/// being written is judged as it was when reading began.
///
/// With --lsn, --since or --until only the segments that can hold such records are read, and all that is found in them is reported;
/// of the other segments no more than the ends are read. A segment that was not read is `not checked`, and while there is one, the log
/// is never called clean.
///
/// A folder above many logs, such as /var/lib or a backup of it, is searched to its bottom, and each log gets one line: whose it is, and
/// whether it is whole. Logs that walctl only knows by sight are named with what reads them.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("records").args(["lsn", "since", "until"]).multiple(true)
    .conflicts_with_all(["seen", "media", "ledger", "map", "ends", "sample"]))]
#[command(mut_arg("local", |arg| arg.requires("records")))]
pub struct VerifyArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    load: LoadArgs,
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
    /// Print OpenMetrics text on all logs together, for scrapers and node_exporter's textfile collector
    ///
    /// It is printed whatever happens: a log that could not be looked at, or not to its end, is in it as not checked. Its last line is # EOF.
    #[arg(long, conflicts_with_all = ["json", "map"])]
    openmetrics: bool,
    #[command(flatten)]
    host: HostFlag,
    /// One line for each piece of damage, and one for a clean log
    #[arg(long, short, conflicts_with_all = ["map", "json", "openmetrics"])]
    pub brief: bool,
    #[command(flatten)]
    seen: SeenArgs,
    #[command(flatten)]
    sample: SampleArgs,
    #[command(flatten)]
    accept: AcceptArgs,
    #[command(flatten)]
    incident: IncidentArgs,
}

/// One run of the command.
#[derive(Debug)]
pub struct VerifyRun<'a> {
    pub args: &'a VerifyArgs,
    /// The file of what was seen before.
    pub seeing: Option<Seeing>,
    /// The file of damage that is accepted.
    accepting: Option<Accepting>,
    /// What is told of all logs together at the end, in the place of a report on each.
    pub metrics: Option<RunMetrics>,
    /// What is asked of the bucket that holds the logs, if one does.
    meter: Meter,
    /// The incident report, if one is wanted.
    pub incident: Option<IncidentRun>,
    /// More than one log is reported.
    several: bool,
}

/// Checks each log and ends with the worst of what was found.
pub fn run(args: &VerifyArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.input.lists() {
        formats::show(out)?;
        return Ok(Exit::Done);
    }
    let paths = args.input.paths()?;
    args.scope.check()?;
    ends_in_order(paths);
    let mut run = VerifyRun {
        args,
        seeing: None,
        accepting: None,
        metrics: None,
        meter: Meter::default(),
        incident: args.incident.begin()?,
        several: paths.len() > 1,
    };
    if !args.openmetrics {
        let exit = run.all(paths, out)?;
        return run.reported(exit, out);
    }
    // Metrics that are not there alarm nobody: whatever ends the run, they say so.
    interrupt::be_polite();
    run.metrics = Some(RunMetrics::begin(paths, args.host.name()));
    let exit = run.all(paths, out).unwrap_or_else(|error| run.not_checked(paths, &error, out));
    let exit = run.reported(exit, out)?;
    if let Some(metrics) = run.metrics.filter(|_| !out.quiet()) {
        let said = metrics.write(out, exit);
        out.heard(said)?;
    }
    Ok(exit)
}

impl VerifyRun<'_> {
    fn all(&mut self, paths: &[PathBuf], out: &mut Out) -> anyhow::Result<Exit> {
        self.accepting = self.args.accept.open()?;
        self.seeing = self.args.seen.open(out)?;
        let mut exit = Exit::Done;
        for (index, path) in paths.iter().enumerate() {
            let told = self.metrics.as_ref().map_or(0, RunMetrics::count);
            let ended = match self.check(path, out) {
                Ok(ended) => ended,
                // One log that cannot be looked at does not keep us from the others.
                Err(error) if self.metrics.as_ref().is_some_and(|metrics| metrics.count() == told) => {
                    self.not_checked(&paths[index..=index], &error, out)
                }
                Err(error) => {
                    self.note_failed(&paths[index..=index], &error);
                    out.failure(&error)
                }
            };
            exit = exit.or_worse(ended);
            let left = &paths[index + 1..];
            if interrupt::caught() && !left.is_empty() {
                exit = exit.or_worse(self.not_checked(left, &Error::Interrupted.into(), out));
                break;
            }
        }
        match &self.seeing {
            Some(seeing) => Ok(exit.or_worse(seeing.close(out))),
            None => Ok(exit),
        }
    }

    /// Writes the incident report, if one is wanted.
    fn reported(&mut self, exit: Exit, out: &mut Out) -> anyhow::Result<Exit> {
        Ok(match self.incident.take().map(|incident| incident.write(exit, out)) {
            Some(Err(error)) => exit.or_worse(out.failure(&error)),
            _ => exit,
        })
    }

    /// Reports why paths were not looked at.
    fn not_checked(&mut self, paths: &[PathBuf], error: &anyhow::Error, out: &mut Out) -> Exit {
        let exit = out.failure(error);
        self.note_failed(paths, error);
        if let Some(metrics) = &mut self.metrics {
            paths.iter().for_each(|path| metrics.not_checked(path, "", exit));
        }
        exit
    }

    fn note_failed(&mut self, paths: &[PathBuf], error: &anyhow::Error) {
        if let Some(incident) = &mut self.incident {
            paths.iter().for_each(|path| incident.failed(path, &told(error)));
        }
    }

    fn check(&mut self, path: &Path, out: &mut Out) -> anyhow::Result<Exit> {
        let choice = ops::open::Choice { seen: self.seeing.as_ref().map(Seeing::file), ..self.args.input.choice()? };
        if let Some(survey) = survey::wanted(path, &choice)? {
            return survey::check(self, path, survey, out);
        }
        if self.args.media {
            place::here(path, "--media")?;
        }
        let mut exit = Exit::Done;
        let mut logs = self.args.input.open(path, &choice)?;
        self.meter = Meter::default();
        self.several |= logs.len() > 1;
        for index in 0..logs.len() {
            match self.log(&mut logs[index], out) {
                Ok(ended) => exit = exit.or_worse(ended),
                Err(error) => {
                    self.left_out(&logs[index..], Exit::of_error(&error));
                    return Err(error);
                }
            }
        }
        Ok(exit)
    }

    /// These logs are not looked at.
    pub fn left_out(&mut self, logs: &[ops::open::Input], exit: Exit) {
        if let Some(metrics) = &mut self.metrics {
            logs.iter().for_each(|log| metrics.not_checked(&log.source.path, log.format.name, exit));
        }
    }

    /// Whether each log is reported by itself.
    pub fn tells(&self, out: &Out) -> bool {
        self.metrics.is_none() && !out.quiet()
    }

    fn log(&mut self, input: &mut ops::open::Input, out: &mut Out) -> anyhow::Result<Exit> {
        let args = self.args;
        // A wrong key is no damage, and what is not looked into is not clean.
        if (args.deep || !input.keys.is_empty())
            && let Err(error) = ops::open::steady(input, ops::keyfit::need_key)
        {
            let exit = out.failure(&error.into());
            self.left_out(std::slice::from_ref(input), exit);
            return Ok(exit);
        }
        if args.deep && !input.keys.is_empty() && ops::keyfit::key_fit(input) == ops::keyfit::KeyFit::NothingEncrypted {
            let log = input.source.path.display();
            out.note(format_args!("{log}: nothing in it is encrypted: anyone who can write the folder may have written it"));
        }
        let mut media = None;
        if args.media {
            media =
                Some(watched(args, input, out, "reading the medium of", UNCHANGED, |progress| compare_media(input, progress))?);
            input.source.io = Io::Media;
        }
        let report = match self.look(input, out)? {
            Looked::All(report) => *report,
            Looked::Some(partly) => {
                let traffic = self.meter.take(input.source.disk.as_ref());
                return self.partly(&partly, traffic, out);
            }
        };
        self.judged(input, report, media, out)
    }

    /// Checks a log, and shows how far it has come.
    pub fn look(&self, input: &ops::open::Input, out: &Out) -> anyhow::Result<Looked> {
        let args = self.args;
        let jobs = place::jobs(args.load.jobs, input.source.disk.as_ref());
        let checks = Checks { jobs, deep: args.deep, ..Checks::default() };
        let portion = if args.scope.any() { Portion::Records(args.scope.must_be_of(input)?) } else { args.sample.portion() };
        if portion == Portion::Ends && input.format.ends.is_none() {
            return Err(nothing_at_the_ends(input).into());
        }
        watched(args, input, out, "checking", if self.seeing.is_some() { "" } else { UNCHANGED }, |progress| match &self.seeing {
            Some(seeing) => seeing.verify(input, &checks, progress),
            None => ops::report::verify_portion(input, &checks, progress, portion),
        })
    }

    /// Only a part of a log was looked at.
    pub fn partly(&mut self, partly: &Partly, traffic: Option<Traffic>, out: &mut Out) -> anyhow::Result<Exit> {
        let Some(seeing) = &self.seeing else { return Err(Error::Interrupted.into()) };
        let exit = seeing.partly(partly, traffic, self.tells(out), out)?;
        if let Some(metrics) = &mut self.metrics {
            metrics.partly(partly, exit);
        }
        Ok(exit)
    }

    /// What is told of the files that belong to the run.
    pub fn beside(&self) -> LookedBeside {
        let (seen, accepted) = (self.seeing.as_ref().map(Seeing::view), self.accepting.as_ref().map(Accepting::path));
        LookedBeside { media: None, ledger: None, seen, traffic: None, accepted }
    }

    /// Takes out of a report what is accepted.
    pub fn accept(&self, input: &ops::open::Input, report: &mut Report, out: &mut Out) -> anyhow::Result<()> {
        match &self.accepting {
            Some(accepting) if input.source.path.as_os_str() == "-" => {
                Err(usage(format!("standard input is read once: {} needs a file to look around in", accepting.path().display())))
            }
            Some(accepting) => accepting.apply(input, report, out),
            None => Ok(()),
        }
    }

    fn judged(
        &mut self,
        input: &mut ops::open::Input,
        mut report: Report,
        media: Option<MediaView>,
        out: &mut Out,
    ) -> anyhow::Result<Exit> {
        let args = self.args;
        // Segments may have come and gone since the log was opened.
        input.source = report.source.clone();
        let mut beside = LookedBeside { media, ..self.beside() };
        if let Some(path) = &args.ledger {
            let found = watched(args, input, out, "comparing", UNCHANGED, |_| {
                ops::open::steady(input, |input| check_ledger(input, path))
            })?;
            found.heed(&mut report.damage);
            beside.ledger = Some((path.clone(), found));
        }
        self.accept(input, &mut report, out)?;
        beside.traffic = self.meter.take(input.source.disk.as_ref());
        let locked = args.deep.then(|| not_checked(input, &report)).flatten();
        // Where nothing else is wrong there is nothing to show: it must not be called clean.
        let nothing_else = report.verdict == Verdict::Clean && beside.is_well();
        if self.tells(out) && !(locked.is_some() && nothing_else) {
            // The exit code is the verdict, whether or not what is said about it is read.
            if self.several && out.is_terminal() && !out.json() && !args.brief {
                let name = hint::show(&input.source.path);
                writeln!(out, "{}", out.paint(Ink::Strong, escape::line(&name)))?;
            }
            match show(args, input, &report, &beside, out) {
                Err(error) if !out.is_closing(&error) => return Err(error),
                _ => {}
            }
        }
        let mut exit = Exit::from(report.verdict).or_worse(beside.exit());
        let unknown = locked.is_some() && report.verdict == Verdict::Clean;
        let verdict = if unknown { NOT_CHECKED } else { report.verdict_name() };
        if let Some(incident) = &mut self.incident {
            incident.log(input, &report, &beside, verdict);
        }
        if let Some(error) = locked {
            exit = exit.or_worse(out.failure(&error.into()));
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.report(input, &report, &beside, verdict, exit);
        }
        Ok(exit)
    }
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

impl LookedBeside {
    fn is_well(&self) -> bool {
        self.exit() == Exit::Done
    }

    pub fn exit(&self) -> Exit {
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
    if out.json() {
        json::write(out, input, report, beside)?;
    } else if args.brief {
        brief::write(out, input, report, beside, "")?;
    } else {
        if args.map {
            map::write(out, report, &mut |segment, cells| map_segment(input, report, segment, cells))?;
        }
        text::write(out, input, report, beside)?;
    }
    out.settle()?;
    Ok(())
}

/// Does the work over one log, and shows how far it has come. `left` says what an interruption leaves.
fn watched<T: Send>(
    args: &VerifyArgs,
    input: &ops::open::Input,
    out: &Out,
    doing: &str,
    left: &str,
    work: impl FnOnce(&ops::report::Progress) -> Result<T> + Send,
) -> anyhow::Result<T> {
    Ok(verify_with_bar::watched(out, doing, &input.source.path, bytes_of(input), args.load.rate.max_rate, left, work)?)
}
