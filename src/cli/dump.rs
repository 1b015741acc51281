//! `walctl dump`: what is in a log.

mod closing;
mod pattern;
mod print;
mod wait;

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueHint;
use regex::bytes::Regex;
use walctl::disk::{Disk, RealDisk};
use walctl::formats::{Format, Halt};
use walctl::model::{DamageKind, LsnRange, Result, Time};
use walctl::ops::open::Input as Log;
use walctl::ops::read::{
    Context, Event, Follow, LsnWish, Passed, Position, Scan, ScanOutcome, ScanStart, Selection, Step, Stopped, had_enough,
    last_lsn, parse_moment, same_word, unread,
};

use self::print::Print;
use self::wait::{Wait, Woken};
use super::args::InputArgs;
use super::exit::{CommandFailure, Exit, usage};
use super::interrupt;
use super::render::formats;
use super::render::out::Out;
use super::render::progress::WorkBar;
use super::render::records::payload::View;
use super::render::records::raw::Separator;
use walctl::model::units::count;

const AFTER_HELP: &str = "\
A record is shown if it meets all conditions: they are ANDed. If a flag is repeated, one of its values must match. dump reads on after \
damage; records after it are marked (`!` in tables, \"after_damage\" in JSON), and the last line says why the log ends where it does. \
The exit code is the worst that was found in what was read: 3 a torn or suspect tail, 4 worse damage.";

/// Show the records of logs, past any damage
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct DumpArgs {
    #[command(flatten)]
    input: InputArgs,

    /// Records with LSNs A..B, both included; also A.., ..B, N, and negative numbers to count from the end: -100..
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true, value_parser = LsnWish::parse, help_heading = WHICH)]
    lsn: Option<LsnWish>,
    /// Records written at this time or later: 2026-01-02T03:04:05Z, a date, or `10min ago`
    #[arg(long, value_name = "TIME", value_parser = moment, help_heading = WHICH)]
    since: Option<Time>,
    /// Records written at this time or earlier
    #[arg(long, value_name = "TIME", value_parser = moment, help_heading = WHICH)]
    until: Option<Time>,
    /// Records of this kind: full, checkpoint, txn-begin, ... as the format names them; repeat the flag for more kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind, help_heading = WHICH)]
    kind: Vec<String>,
    /// Records with this tag; repeat the flag for more tags
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', help_heading = WHICH)]
    tag: Vec<u64>,
    /// Records whose payload matches this regular expression; (?i) in front ignores case
    #[arg(long, value_name = "REGEX", value_parser = regex, help_heading = WHICH)]
    grep: Option<Regex>,
    /// Also N records before and after each one that --grep finds
    #[arg(long, short = 'C', value_name = "N", default_value_t = 0, requires = "grep", help_heading = WHICH)]
    context: usize,
    /// At most the first N
    #[arg(long, short = 'n', value_name = "N", help_heading = WHICH)]
    limit: Option<u64>,
    /// Only the last N
    #[arg(long, value_name = "N", help_heading = WHICH)]
    tail: Option<u64>,
    /// From the end of the log to its start
    #[arg(long, conflicts_with = "follow", help_heading = WHICH)]
    reverse: bool,
    /// End with code 7 if no record is shown
    #[arg(long, help_heading = WHICH)]
    fail_empty: bool,

    /// At the end, wait for more records, across segments, until interrupted
    #[arg(long, short = 'f', help_heading = ON)]
    follow: bool,
    /// Continue after the last record of the previous run; FILE keeps the position
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["reverse", "tail"], help_heading = ON)]
    cursor: Option<PathBuf>,

    /// How payloads are shown
    #[arg(long, value_name = "VIEW", default_value = "auto", help_heading = HOW)]
    payload: View,
    /// Length and keyed hash instead of content, safe for a ticket; equal contents have equal hashes within one run
    #[arg(long, conflicts_with_all = ["raw", "hex", "out_dir"], help_heading = HOW)]
    redact: bool,
    /// Show frames as they are on disk: fragments, padding, control frames; + marks the first frame of what one sync made durable
    #[arg(long, help_heading = HOW)]
    frames: bool,
    /// Bytes of each frame with its fields drawn over them (implies --frames)
    #[arg(long, group = "shape", help_heading = HOW)]
    hex: bool,
    /// Comma-separated values with a header line
    #[arg(long, group = "shape", help_heading = HOW)]
    csv: bool,
    /// Payloads only, as they are
    #[arg(long, group = "shape", help_heading = HOW)]
    raw: bool,
    /// Separator between raw payloads
    #[arg(long, value_name = "WHAT", default_value = "lf", requires = "raw", help_heading = HOW)]
    delimiter: Separator,
    /// Write each payload into a file of its own in this folder, named by its LSN
    #[arg(long, value_name = "DIR", group = "shape", value_hint = ValueHint::DirPath, help_heading = HOW)]
    out_dir: Option<PathBuf>,
}

const WHICH: &str = "Which records";
const ON: &str = "Reading on";
const HOW: &str = "How they are shown";

fn moment(text: &str) -> Result<Time, String> {
    parse_moment(text, Time::now())
}

/// A kind that no format has is a typing error, and would look like a log without such records.
fn kind(text: &str) -> Result<String, String> {
    if walctl::formats::ALL.iter().any(|format| has_kind(format, text)) {
        return Ok(text.to_owned());
    }
    let kinds: Vec<&str> = walctl::native::FrameKind::ALL.into_iter().map(walctl::native::FrameKind::name).collect();
    Err(format!("no format has records of the kind `{text}`; walctl's own has {}", kinds.join(", ")))
}

fn has_kind(format: &Format, kind: &str) -> bool {
    format.kinds.iter().any(|known| same_word(known, kind))
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| error.to_string())
}

/// Runs the command.
pub fn run(args: &DumpArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.input.lists() {
        formats::show(out)?;
        return Ok(Exit::Done);
    }
    let paths = args.input.paths()?;
    check(args, out, paths)?;
    let choice = args.input.choice()?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    args.cursor.as_deref().map_or(Ok(()), |path| Position::can_be_kept(disk.as_ref(), path))?;
    let mut print = Print::new(args, out)?;
    let mut worst = Exit::Done;
    for path in paths {
        let logs = match args.input.open(path, &choice) {
            Ok(logs) => logs,
            // The other logs may still be shown.
            Err(error) if paths.len() > 1 => {
                print.flush(out)?;
                worst = worst.or_worse(out.failure(&error));
                continue;
            }
            Err(error) => return Err(error),
        };
        if logs.len() > 1 && (args.follow || args.cursor.is_some()) {
            return Err(usage(format!("{} holds {} logs; --follow and --cursor go with one", path.display(), logs.len())));
        }
        for log in &logs {
            if let Err(error) = args.input.check_keys(log) {
                print.flush(out)?;
                worst = worst.or_worse(out.failure(&error.into()));
                continue;
            }
            print.log(log, paths.len() > 1 || logs.len() > 1);
            match (LogDump { args, log, disk: &disk }).show(&mut print, out) {
                Ok(ended) => worst = worst.or_worse(ended),
                // Nobody reads any more, so nothing more is read; the damage that was met still counts.
                Err(error) if out.is_closing(&error) => {
                    // An interruption ends the wait for output that nobody takes as if nobody read it.
                    let ended = if interrupt::caught() { Exit::Interrupted } else { Exit::Done };
                    return Ok(worst.or_worse(print.met).or_worse(ended));
                }
                Err(error) => {
                    // What was read before it failed is whole, and is shown.
                    print.flush(out)?;
                    return Err(error);
                }
            }
        }
    }
    if let Some(remark) = print.remark() {
        out.note(remark);
    }
    if args.fail_empty && print.shown == 0 {
        worst = worst.or_worse(Exit::GateMissed);
    }
    Ok(worst)
}

/// What no parser of flags sees.
fn check(args: &DumpArgs, out: &Out, paths: &[PathBuf]) -> anyhow::Result<()> {
    let other_shape = args.csv || args.hex || args.raw || args.out_dir.is_some();
    if out.json() && other_shape {
        return Err(usage("--json is one shape of output; --csv, --hex, --raw and --out-dir are others"));
    }
    if args.raw && out.is_terminal() {
        let next = Some("walctl dump --raw ... > FILE".to_owned());
        let message = "raw bytes could steer the terminal; redirect them to a file or a pipe".to_owned();
        return Err(CommandFailure { exit: Exit::Usage, message, next }.into());
    }
    if (args.raw || args.out_dir.is_some()) && args.payload != View::Auto {
        return Err(usage("--raw and --out-dir write payloads as they are; --payload goes with the other shapes"));
    }
    if (args.follow || args.cursor.is_some()) && (paths.len() != 1 || paths[0].as_os_str() == "-") {
        return Err(usage("--follow and --cursor go with one log in a folder"));
    }
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since > until
    {
        return Err(usage("--since lies behind --until: no record can meet both"));
    }
    Ok(())
}

/// One log to be shown.
struct LogDump<'a> {
    args: &'a DumpArgs,
    log: &'a Log,
    disk: &'a Arc<dyn Disk>,
}

/// What the deliveries of a run change.
struct Taking<'a> {
    print: &'a mut Print,
    out: &'a mut Out,
    context: Context,
    limit: Option<u64>,
    taken: u64,
    progress: Option<(WorkBar, String, u64, u64)>,
    polite: bool,
    interrupted: bool,
    /// What stood in earlier steps of following.
    worst: Exit,
}

impl Taking<'_> {
    fn event(&mut self, scan: &Scan<'_>, event: Event<'_>) -> Result<(), Halt> {
        match event {
            Event::Record(shown) => {
                if self.limit.is_some_and(|limit| self.taken >= limit) && shown.matched {
                    return Err(Halt::Enough);
                }
                self.taken += u64::from(shown.matched);
                let (print, out) = (&mut *self.print, &mut *self.out);
                self.context.take(scan, shown, &mut |shown, gap| print.record(out, shown, gap))?;
                if self.limit.is_some_and(|limit| self.taken >= limit) && !self.context.owes() {
                    return Err(Halt::Enough);
                }
                self.stop_if_interrupted()
            }
            Event::Damage(segment, damage) => self.print.damage(self.out, segment, damage),
            Event::Reached(segment, offset) => {
                if let Some((progress, name, before, current)) = &mut self.progress {
                    if *name != segment.name {
                        *before += *current;
                        name.clone_from(&segment.name);
                    }
                    *current = offset;
                    progress.reached(*before + offset);
                }
                // What was found long ago is not kept waiting for what comes next.
                if self.print.waits() {
                    self.print.flush(self.out)?;
                }
                self.stop_if_interrupted()
            }
        }
    }

    fn stop_if_interrupted(&mut self) -> Result<(), Halt> {
        if self.polite && interrupt::caught() {
            self.interrupted = true;
            return Err(Halt::Enough);
        }
        Ok(())
    }
}

impl LogDump<'_> {
    fn show(&self, print: &mut Print, out: &mut Out) -> anyhow::Result<Exit> {
        let (args, log) = (self.args, self.log);
        // A log of ours that was salvaged from another system's keeps the kinds of that.
        let own = log.format.name == "native";
        if !own && !args.kind.is_empty() && !args.kind.iter().any(|kind| has_kind(log.format, kind)) {
            let (name, kinds) = (log.source.path.display(), log.format.kinds.join(", "));
            return Err(usage(format!("{name}: {} has no such kind of record; it has {kinds}", log.format.name)));
        }
        let Some(selection) = self.selection()? else {
            print.say(out, &format!("{}: no record has such an LSN", log.source.path.display()))?;
            print.flush(out)?;
            return Ok(Exit::Done);
        };
        let growing = self.live() || args.follow;
        let scan = Scan {
            source: &log.source,
            format: log.format,
            keys: &log.keys,
            selection: &selection,
            payloads: print.needs_payloads(),
            frames: args.frames || args.hex,
            neighbours: args.context > 0,
            growing,
            live: self.live(),
        };
        let polite = args.follow || args.cursor.is_some();
        if polite {
            interrupt::be_polite();
        }
        let limit = if args.reverse { [args.limit, args.tail].into_iter().flatten().min() } else { args.limit };
        let total = log.source.segments.iter().map(|s| s.length).filter(|l| *l != u64::MAX).sum();
        let progress = (!out.is_terminal() && !args.follow)
            .then(|| (WorkBar::new(out, format!("reading {}", log.source.path.display()), total), String::new(), 0, 0));
        let context = Context::new(args.context);
        let shown_before = print.shown;
        let mut taking = Taking { print, out, context, limit, taken: 0, progress, polite, interrupted: false, worst: Exit::Done };
        let outcome = self.read(&scan, &mut taking)?;
        taking.print.met = taking.print.met.or_worse(closing::exit(&outcome)).or_worse(taking.worst);
        if let Some((progress, ..)) = &taking.progress {
            progress.finish();
        }
        let (interrupted, worst) = (taking.interrupted, taking.worst);
        print.flush(out)?;
        if !out.quiet() {
            for passed in &outcome.passed {
                let unread = passed.unread(&outcome);
                print.say(out, &went(passed, unread))?;
            }
            for line in closing::lines(&log.source.path, &outcome, print.shown - shown_before, args.reverse) {
                print.say(out, &line)?;
            }
        }
        print.flush(out)?;
        let locked = self.locked(&scan, print, &outcome);
        let locked = locked.map_or(Exit::Done, |error| out.failure(&error.into()));
        if interrupted {
            return Ok(Exit::Interrupted);
        }
        Ok(closing::exit(&outcome).or_worse(worst).or_worse(locked))
    }

    /// What could not be handed out, or not searched, because no key opens it.
    fn locked(&self, scan: &Scan<'_>, print: &mut Print, outcome: &ScanOutcome) -> Option<walctl::model::Error> {
        // What the log's own key does not open was altered: that is damage, and told as such.
        let altered = || outcome.damage.iter().filter(|damage| damage.kind == DamageKind::BadPayload);
        let mut left_out = std::mem::take(&mut print.locked);
        left_out.count = left_out.count.saturating_sub(altered().count() as u64 + outcome.more_damage);
        let unsearched = scan.selection.unsearched.get().filter(|lsn| !altered().any(|damage| damage.lsn == Some(*lsn)));
        let why = if left_out.count > 0 {
            let from = left_out.first.map_or_else(String::new, |lsn| format!(", from LSN {lsn} on"));
            let records = count(left_out.count, "record");
            format!("{records} left out{from}: encrypted, and none of the keys opens them")
        } else {
            let from = match unsearched? {
                walctl::model::Lsn(0) => String::new(),
                lsn => format!("from LSN {lsn} on "),
            };
            format!("not all records were searched: {from}there are encrypted ones that none of the keys opens")
        };
        Some(walctl::model::Error::WrongKey { path: self.log.source.path.clone(), why })
    }

    fn read(&self, scan: &Scan<'_>, taking: &mut Taking<'_>) -> anyhow::Result<ScanOutcome> {
        let args = self.args;
        if args.limit == Some(0) {
            return Ok(ScanOutcome::nothing(scan.source));
        }
        let context = u64::try_from(args.context).unwrap_or(u64::MAX);
        let mut take = |event: Event<'_>| taking.event(scan, event);
        let first = match (&args.cursor, args.tail) {
            _ if args.reverse => scan.reverse(&mut take)?,
            (_, Some(count)) => scan.tail(count, context, &mut take)?,
            (None, None) => scan.forward(&ScanStart::default(), &mut take)?,
            (Some(path), None) => {
                let position = Position::load(self.disk.as_ref(), path)?;
                let mut follow = Follow::new(scan.source.clone(), position);
                let step = follow.step(scan, &mut take)?;
                return self.follow(scan, taking, follow, step);
            }
        };
        if !args.follow || first.stopped == Some(Stopped::Enough) {
            return Ok(first);
        }
        let follow = Follow::new(scan.source.clone(), first.position.clone());
        self.follow(scan, taking, follow, Step::Read(Box::new(first)))
    }

    /// Reads on while the log grows, and keeps the cursor.
    fn follow(&self, scan: &Scan<'_>, taking: &mut Taking<'_>, mut follow: Follow, first: Step) -> anyhow::Result<ScanOutcome> {
        let mut wait = self.args.follow.then(|| Wait::new(&scan.source.dir));
        let mut step = first;
        let mut last = None;
        loop {
            let enough = had_enough(&step);
            match step {
                Step::Quiet => {}
                Step::Read(outcome) => last = Some(outcome),
                Step::Pruned { gone, next, first, outcome } => {
                    taking.out.note(pruned(&gone, &next, unread(&gone, first)));
                    last = Some(outcome);
                }
            }
            taking.worst = taking.worst.or_worse(last.as_deref().map_or(Exit::Done, closing::exit));
            taking.print.flush(taking.out)?;
            // What the cursor names was handed over: it is kept only now.
            if let (Some(path), Some(position)) = (&self.args.cursor, follow.position()) {
                position.save(self.disk.as_ref(), path)?;
            }
            let Some(wait) = wait.as_mut().filter(|_| !enough) else { break };
            if interrupt::caught() {
                taking.interrupted = true;
                break;
            }
            if wait.wait()? == Woken::Closed {
                break;
            }
            if interrupt::caught() {
                taking.interrupted = true;
                break;
            }
            let mut take = |event: Event<'_>| taking.event(scan, event);
            // To look for a lock costs nothing; to look through all processes does, and is done once.
            let live = if self.log.format.lock.is_some() { self.live() } else { scan.live };
            step = follow.step(&Scan { live, ..*scan }, &mut take)?;
            if !matches!(step, Step::Quiet) {
                wait.busy();
            }
        }
        Ok(last.map_or_else(|| ScanOutcome::nothing(scan.source), |outcome| *outcome))
    }

    /// The conditions; nothing when no record can meet them.
    fn selection(&self) -> Result<Option<Selection>> {
        let args = self.args;
        let lsns = match &args.lsn {
            None => None,
            Some(wish) => {
                let end =
                    if wish.counts_from_end() { last_lsn(&self.log.source, self.log.format, &self.log.keys)? } else { None };
                match wish.resolve(end) {
                    None => return Ok(None),
                    range => range,
                }
            }
        };
        let content = args.grep.clone().map(pattern::content);
        Ok(Some(Selection {
            lsns,
            since: args.since,
            until: args.until,
            kinds: args.kind.clone(),
            tags: args.tag.clone(),
            content,
            ..Selection::default()
        }))
    }

    /// Whether a writer holds the log.
    fn live(&self) -> bool {
        let source = &self.log.source;
        source.segments.iter().any(|s| !s.followed) && source.writer(self.log.format.lock).is_some()
    }
}

/// What retention took away while it was read.
fn went(passed: &Passed, unread: Option<LsnRange>) -> String {
    let lost = unread.map_or_else(String::new, |range| format!("; records {range} were not shown"));
    let next = passed.next.as_ref().map_or_else(|| "nothing follows".to_owned(), |next| format!("reading went on with {next}"));
    format!("{} was removed before it was read; {next}{lost}", passed.gone)
}

fn pruned(gone: &Position, next: &str, unread: Option<LsnRange>) -> String {
    let lost = match unread {
        Some(range) if range.count() == 1 => format!("; record {range} was never shown"),
        Some(range) => format!("; records {range} were never shown"),
        None => String::new(),
    };
    format!("{}, which was read last, is gone; reading goes on with {next}{lost}", gone.segment)
}
