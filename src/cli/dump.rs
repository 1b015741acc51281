//! `walctl dump`: what is in a log.

mod closing;
mod files;
mod flags;
pub mod pattern;
mod print;
mod wait;
mod way;
mod workers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use walctl::disk::{Disk, RealDisk};
use walctl::formats::Halt;
use walctl::model::{DamageKind, LsnRange, Result};
use walctl::ops::open::Input as Log;
use walctl::ops::read::{
    Context, Event, Follow, Helper, Lot, Passed, Position, Scan, ScanOutcome, Scope, Selection, Shown, Step, Stopped, WalkAhead,
    had_enough, unread,
};

use self::flags::check;
pub use self::flags::{DumpArgs, has_kind};
use self::print::{LineStyle, Print};
use self::wait::{Wait, Woken};
use self::way::ReadingWay;
use self::workers::{LOT, LotQueue, Workers};
use super::below;
use super::exit::{Exit, usage};
use super::hint::show;
use super::interrupt;
use super::place;
use super::render::formats;
use super::render::out::Out;
use super::render::progress::WorkBar;
use super::render::records::meaning::Meaning;
use super::render::traffic::bill;
use super::verify_with_bar::ends_in_order;
use walctl::model::units::count;

/// Runs the command.
pub fn run(args: &DumpArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.input.lists() {
        formats::show(out)?;
        return Ok(Exit::Done);
    }
    let paths = args.input.paths()?;
    check(args, out, paths)?;
    ends_in_order(paths);
    let choice = args.input.choice()?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    args.cursor.as_deref().map_or(Ok(()), |path| Position::can_be_kept(disk.as_ref(), path))?;
    let mut print = Print::new(args, out)?;
    let mut worst = Exit::Done;
    for path in paths {
        let logs = match below::open(&args.input, path, &choice, out) {
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
        if args.follow {
            place::here(path, "--follow")?;
        }
        for log in &logs {
            if let Err(error) = args.input.check_keys(log) {
                print.flush(out)?;
                worst = worst.or_worse(out.failure(&error.into()));
                continue;
            }
            let meaning = if args.decodes() { Meaning::of(log, args.show_values)? } else { None };
            print.log(log, paths.len() > 1 || logs.len() > 1, meaning);
            match (LogDump { args, log, disk: &disk }).show(&mut print, out) {
                Ok(Exit::Interrupted) => return Ok(Exit::Interrupted),
                Ok(ended) => worst = worst.or_worse(ended),
                // The output is closed, so nothing more is read; the damage that was met still counts.
                Err(error) if out.is_closing(&error) => {
                    // An interruption ends the wait for output that is not taken, as if the output were closed.
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
        if let Some(traffic) = logs.first().and_then(|log| log.source.disk.remote()).map(|remote| remote.traffic()) {
            out.note(format_args!("{}: {}", path.display(), bill(traffic)));
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

/// A log shorter than this is printed before threads have begun.
const WORTH_THREADS: u64 = 1 << 20;

/// How often is looked whether a writer holds a log that is followed.
const LOCK_EVERY: Duration = Duration::from_millis(20);

/// So much of what threads made may wait for its turn.
const HELD: usize = 256 << 20;

/// So many records scroll away on any terminal.
const SCREEN: u64 = 100;

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
    way: ReadingWay,
    /// Threads that print, where there are any.
    workers: Option<Workers<'a>>,
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
                if self.elsewhere(shown)? {
                    return self.stop_if_interrupted();
                }
                let (print, out) = (&mut *self.print, &mut *self.out);
                self.context.take(scan, shown, &mut |shown, gap| print.record(out, shown, gap))?;
                if self.limit.is_some_and(|limit| self.taken >= limit) && !self.context.owes() {
                    return Err(Halt::Enough);
                }
                self.stop_if_interrupted()
            }
            Event::Damage(segment, damage) => self.print.damage(self.out, segment, damage),
            Event::Reached(segment, offset) => {
                self.way.reached(&segment.name, offset);
                // What was found long ago is not kept waiting for what comes next.
                if self.print.waits() || self.workers.is_some() {
                    self.print.flush(self.out)?;
                }
                self.stop_if_interrupted()
            }
            Event::Lot(_, lot) => self.lot(lot),
        }
    }

    /// Prints what was made of records elsewhere, after what was handed over before them.
    fn lot(&mut self, lot: &Lot) -> Result<(), Halt> {
        self.gather()?;
        self.print.lot(self.out, lot)?;
        // What was found long ago is not kept waiting for what comes next.
        self.print.flush(self.out)?;
        self.stop_if_interrupted()
    }

    /// Hands a record to the threads that print, and writes what they have printed. False when there are none, or it must be printed here.
    fn elsewhere(&mut self, shown: &Shown<'_>) -> Result<bool, Halt> {
        // The first one is seen at once.
        let Some(workers) = self.workers.as_mut().filter(|_| self.print.shown > 0) else { return Ok(false) };
        let taken = workers.take(shown);
        while let Some(text) = if taken { workers.text() } else { workers.rest() } {
            let text = text?;
            self.print.lines(self.out, &text)?;
            workers.written(text);
        }
        self.print.shown += u64::from(taken && shown.matched);
        Ok(taken)
    }

    /// Writes all that was handed to threads.
    fn gather(&mut self) -> Result<()> {
        let Some(workers) = &mut self.workers else { return Ok(()) };
        while let Some(text) = workers.rest() {
            let text = text?;
            self.print.lines(self.out, &text)?;
            workers.written(text);
        }
        Ok(())
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
        let own = log.format.ours.is_some();
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
        // A pipe may be waited for that never says anything more: an interruption must not wait for it.
        let polite = args.follow || args.cursor.is_some() || log.source.path.as_os_str() != "-";
        if polite {
            interrupt::be_polite();
        }
        let limit = if args.reverse { [args.limit, args.tail].into_iter().flatten().min() } else { args.limit };
        let total: u64 = log.source.segments.iter().map(|s| s.length).filter(|l| *l != u64::MAX).sum();
        let bar = (!out.is_terminal() && !args.follow)
            .then(|| WorkBar::new(out, format!("reading {}", log.source.path.display()), total));
        let (way, context) = (ReadingWay::new(bar, args.rate.max_rate), Context::new(args.context));
        let shown_before = print.shown;
        let jobs = self.jobs(total);
        // On a terminal each record is awaited.
        let styles: Vec<_> = (0..jobs).filter(|_| !out.is_terminal()).map_while(|_| print.line_style()).collect();
        let queue = LotQueue::new(jobs);
        let (style, scope) = (self.style_ahead(print, selection.scope()), selection.scope());
        let helper = || self.helper(style.clone(), scope);
        let ahead = style.as_ref().map(|_| WalkAhead { jobs, most_bytes: HELD, lot_bytes: LOT, helper: &helper });
        let (outcome, interrupted, worst) = std::thread::scope(|scope| {
            // Made in here, so that the threads end whatever becomes of it.
            let workers = Workers::start(scope, styles, &queue);
            let (print, out) = (&mut *print, &mut *out);
            let (taken, worst, interrupted) = (0, Exit::Done, false);
            let mut taking = Taking { print, out, context, limit, taken, way, workers, polite, interrupted, worst };
            let outcome = self.read(&scan, ahead.as_ref(), &mut taking);
            // What was read before a failure is whole, and is shown.
            let gathered = taking.gather();
            let outcome = outcome?;
            gathered?;
            taking.print.met = taking.print.met.or_worse(closing::exit(&outcome)).or_worse(taking.worst);
            taking.way.finish();
            anyhow::Ok((outcome, taking.interrupted, taking.worst))
        })?;
        if interrupted && !args.follow {
            return Ok(self.interrupted(print, out, shown_before)?);
        }
        self.last_words(print, out, &outcome, shown_before)?;
        self.left_out(&selection, out);
        let locked = self.locked(&scan, print, &outcome);
        let locked = locked.map_or(Exit::Done, |error| out.failure(&error.into()));
        if interrupted {
            return Ok(Exit::Interrupted);
        }
        Ok(closing::exit(&outcome).or_worse(worst).or_worse(locked))
    }

    /// What could not be chosen by LSN.
    fn left_out(&self, selection: &Selection, out: &mut Out) {
        if selection.unnumbered.get() {
            let (path, kinds) = (&self.log.source.path, self.args.kind.join(","));
            out.note(format_args!("{}: records of kind {kinds} have no LSN there, so --lsn leaves them out", path.display()));
            out.note(format_args!("next: walctl dump {}{} --kind {kinds}", show(path), self.args.input.typed()));
        }
    }

    /// What was shown before an interruption, and what is left of it.
    fn interrupted(&self, print: &mut Print, out: &mut Out, shown_before: u64) -> Result<Exit> {
        print.flush(out)?;
        let (log, shown) = (self.log.source.path.display(), count(print.shown - shown_before, "record"));
        let left = self.args.out_dir.as_ref().map(|dir| format!("; what was written stays in {}", dir.display()));
        let left = left.unwrap_or_default();
        out.note(format_args!("{log}: interrupted: {shown} shown; the rest of the log was not read{left}"));
        Ok(Exit::Interrupted)
    }

    /// Where and why reading ended.
    fn last_words(&self, print: &mut Print, out: &mut Out, outcome: &ScanOutcome, shown_before: u64) -> Result<()> {
        print.flush(out)?;
        if !out.quiet() {
            for passed in &outcome.passed {
                let unread = passed.unread(outcome);
                print.say(out, &went(passed, unread))?;
            }
            for line in closing::lines(self.log, outcome, print.shown - shown_before, self.args.reverse) {
                print.say(out, &line)?;
            }
        }
        // What scrolled away is found again in a pager.
        if out.is_terminal() && !self.args.follow && print.for_people() && print.shown - shown_before > SCREEN {
            let log = show(&self.log.source.path);
            let command = format!("walctl dump {log}{} --color always | less -RS", self.args.input.typed());
            print.say(out, &format!("next: page through it: {command}"))?;
        }
        print.flush(out)
    }

    /// How many threads print beside this one: none where the order of records is not that of the log, or where few come.
    fn jobs(&self, total: u64) -> usize {
        let args = self.args;
        let plain = args.limit.is_none() && args.tail.is_none() && args.context == 0 && args.cursor.is_none();
        let jobs = args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
        if plain && !args.reverse && !args.follow && jobs > 1 && total >= WORTH_THREADS { jobs } else { 0 }
    }

    /// How threads print that walk segments ahead: not at all where how fast is limited, or where conditions depend on the order of records.
    fn style_ahead(&self, print: &Print, scope: Scope) -> Option<LineStyle> {
        let args = self.args;
        let in_order = args.grep.is_some() && args.decodes() && self.log.format.decode.is_some();
        let few = args.grep.is_some() || !args.kind.is_empty() || !args.tag.is_empty() || !scope.is_all();
        let plain = !args.frames && args.rate.max_rate.is_none() && !in_order;
        if plain { print.style_ahead(few) } else { None }
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

    fn read(&self, scan: &Scan<'_>, ahead: Option<&WalkAhead<'_>>, taking: &mut Taking<'_>) -> anyhow::Result<ScanOutcome> {
        let args = self.args;
        if args.limit == Some(0) {
            return Ok(ScanOutcome::nothing(scan.source));
        }
        let context = u64::try_from(args.context).unwrap_or(u64::MAX);
        let mut take = |event: Event<'_>| taking.event(scan, event);
        let first = match (&args.cursor, args.tail) {
            _ if args.reverse => scan.reverse(&mut take)?,
            (_, Some(count)) => scan.tail(count, context, &mut take)?,
            (None, None) => scan.forward_ahead(ahead, &mut take)?,
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
        let follow = Follow::new(scan.source.clone(), first.position.clone()).soon_again();
        self.follow(scan, taking, follow, Step::Read(Box::new(first)))
    }

    /// Reads on while the log grows, and keeps the cursor.
    fn follow(&self, scan: &Scan<'_>, taking: &mut Taking<'_>, mut follow: Follow, first: Step) -> anyhow::Result<ScanOutcome> {
        let mut wait = self.args.follow.then(|| Wait::new(&scan.source.dir));
        let mut step = first;
        let mut last = None;
        let (mut live, mut asked) = (scan.live, Instant::now());
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
            // To look for a lock costs little; to look through all processes does not, and is done once.
            if self.log.format.lock.is_some() && asked.elapsed() >= LOCK_EVERY {
                (live, asked) = (self.live(), Instant::now());
            }
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
        let Some(scope) = args.scope.of(self.log)? else { return Ok(None) };
        let meaning = if args.decodes() && args.grep.is_some() { Meaning::of(self.log, args.show_values)? } else { None };
        Ok(Some(self.conditions(scope, meaning)))
    }

    /// The same in a stretch of the log.
    fn conditions(&self, scope: Scope, meaning: Option<Meaning>) -> Selection {
        let (Scope { lsns, since, until }, args) = (scope, self.args);
        let content = args.grep.clone().map(|regex| pattern::content(regex, meaning));
        let (kinds, tags) = (args.kind.clone(), args.tag.clone());
        Selection { lsns, since, until, kinds, tags, content, ..Selection::default() }
    }

    /// What a thread works with that walks segments ahead.
    fn helper(&self, style: Option<LineStyle>, scope: Scope) -> Helper {
        let mut printer = style.map(LineStyle::printer);
        let make = move |lot: &mut Lot, shown: &Shown<'_>| printer.as_mut().map_or(Ok(false), |printer| printer.put(lot, shown));
        Helper { selection: self.conditions(scope, None), make: Box::new(make) }
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
