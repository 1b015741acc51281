//! `walctl rotate`: finish a segment, begin the next, and let old ones go.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueHint;
use walctl::disk::{Disk, EntryKind, RealDisk, Traffic};
use walctl::model::{Error, Lsn, LsnRange, Time};
use walctl::native::{FrameKind, segment_lsn};
use walctl::ops;
use walctl::ops::keep::{Fate, Foretold, Pin, Reason, Rules, SegmentFacts, end_of, foretell, plan_prune, prune_facts, retire};
use walctl::ops::open::Choice;
use walctl::ops::read::Position;
use walctl::ops::report::Progress;
use walctl::writer::{Draft, GroupCommit, Preallocate, Settings, kept_pins};

use super::append::flags::command_line;
use super::append::{open, refusal};
use super::args::KeyFlag;
use super::exit::{CommandFailure, Exit, usage};
use super::hint::show;
use super::hold::Hold;
use super::interrupt::{self, LastWords};
use super::place::{self, Meter};
use super::render::escape;
use super::render::json::Object;
use super::render::out::Out;
use super::render::progress::WorkBar;
use super::render::traffic;
use walctl::model::units::{count, parse_bytes, parse_duration, show_bytes};

const AFTER_HELP: &str = "\
Without --prune or a --keep flag no segment is removed. With several of them, a segment stays if any of them keeps it. Segments are \
removed from the oldest on, never the active one, and never so that a hole remains. Whatever the flags, a segment stays if it reaches above the newest \
checkpoint (if the log has one), if it holds the beginning of an open transaction, or if a --pin has not read it yet; only --accept-pinned \
overrides that. LSNs are never assigned again. The log is locked meanwhile; readers are not disturbed.";

/// Seal the active segment and begin the next one; remove old segments by rule
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct RotateArgs {
    /// The log's folder
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// Write a checkpoint first: state up to this LSN is safe elsewhere
    #[arg(long, value_name = "LSN", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint: Option<u64>,
    /// Remove segments that lie below the newest checkpoint, and nothing else
    #[arg(long)]
    prune: bool,
    /// Keep the N newest segments, including the active one
    #[arg(long, value_name = "N")]
    keep_segments: Option<u64>,
    /// Keep the newest segments, up to this size in total
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    keep_bytes: Option<u64>,
    /// Keep segments that hold a record not older than this
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    keep_for: Option<Duration>,
    /// Keep what a reader has not read yet: FILE is its `dump --cursor` file; repeat the flag for more readers
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pin: Vec<PathBuf>,
    /// Copy segments into this folder, or to s3://, gs:// or az:// (feature bucket), before they are removed; each copy is read back and compared
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    archive: Option<PathBuf>,
    /// Remove segments even if a checkpoint, a transaction or a pin keeps them
    #[arg(long)]
    accept_pinned: bool,
    /// Change nothing; print the names of the segments that would be removed, one a line
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    key: KeyFlag,
}

/// Runs the command.
pub fn run(args: &RotateArgs, out: &mut Out) -> anyhow::Result<Exit> {
    place::here(&args.dir, "rotate")?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    // Before anything is done: a place that this build cannot reach, or that names no bucket.
    let there = args.archive.as_deref().map(|archive| place::disk_of(archive)).transpose()?;
    let rules = args.rules(disk.as_ref())?;
    let log = args.open_log(&disk)?;
    if args.dry_run {
        let _hold = Hold::take(&disk, &log, true, false)?;
        // A dry run takes no lock. What looks like damage under a writer that came meanwhile is its work.
        return args.say_what_would_go(&disk, &rules, out).or_else(|error| {
            Hold::take(&disk, &log, true, false)?;
            Err(error)
        });
    }
    // Nothing is judged before the lock is held: beside a writer any look may come at the wrong moment. It is held as a visitor first,
    // since opening for writing would touch a log that is refused.
    let hold = Hold::take(&disk, &log, false, false)?;
    let last = prune_facts(&disk, &args.dir).map_err(|error| args.refused(error))?.pop();
    drop(hold);
    let keys = args.key.keys()?;
    let options = Settings {
        create: false,
        keys,
        who: command_line(),
        // Appending makes room ahead; here that would be work for nothing.
        background: false,
        preallocate: Preallocate::None,
        direct: last.is_some_and(|last| last.block != 0),
        ..Settings::default()
    };
    let log = open(&args.dir, options)?;
    log.notes().iter().for_each(|note| out.note(note));
    // Only what is seen under the lock counts.
    let before = prune_facts(&disk, &args.dir).map_err(|error| args.refused(error))?;
    let mut done = args.seal(&log, before)?;
    if rules.any() {
        let facts = prune_facts(&disk, &args.dir).map_err(|error| args.refused(error))?;
        done.fates = plan_prune(facts, &rules);
    }
    if !out.json() && !out.quiet() {
        done.text(out)?;
        out.flush()?;
    }
    let ended = args.let_go(&disk, there.as_ref(), &mut done, out);
    let closed = log.close();
    ended?;
    closed?;
    if out.json() {
        done.json(out)?;
    } else if !out.quiet() {
        done.kept(out)?;
    }
    Ok(Exit::Done)
}

impl RotateArgs {
    fn rules(&self, disk: &dyn Disk) -> anyhow::Result<Rules> {
        let rules = Rules {
            keep_segments: self.keep_segments,
            keep_bytes: self.keep_bytes,
            keep_for: self.keep_for.map(|span| (span, Time::now())),
            by_checkpoint: self.prune,
            pins: [
                self.pin.iter().map(|path| read_pin(disk, path)).collect::<anyhow::Result<Vec<Pin>>>()?,
                kept_pins(disk, &self.dir).unwrap_or_default(),
            ]
            .concat(),
            force: self.accept_pinned,
        };
        if !rules.any() {
            for (flag, given) in
                [("--archive", self.archive.is_some()), ("--accept-pinned", self.accept_pinned), ("--pin", !self.pin.is_empty())]
            {
                if given {
                    return Err(usage(format!("{flag} is about segments that go; say which, with --prune or a --keep flag")));
                }
            }
        }
        Ok(rules)
    }

    /// What stands at the path must be one log of ours: nothing is made or locked in another folder.
    fn open_log(&self, disk: &Arc<dyn Disk>) -> anyhow::Result<ops::open::Input> {
        let entry = disk.stat(&self.dir)?.ok_or_else(|| Error::io("open", &self.dir)(io::ErrorKind::NotFound.into()))?;
        if entry.kind != EntryKind::Folder {
            return Err(usage(format!("{} is no folder; a log is rotated as a whole", self.dir.display())));
        }
        if let Some(archive) = &self.archive
            && same_folder(&self.dir, archive)
        {
            return Err(usage("the archive is the log's own folder"));
        }
        let mut logs = ops::open::open(disk, &self.dir, &Choice::default())?;
        let Some(log) = logs.pop() else { return Err(Error::NotALog { path: self.dir.clone(), files: 0 }.into()) };
        if !logs.is_empty() || log.source.path != self.dir {
            return Err(usage(format!(
                "{} is a folder of logs; name one of them, such as {}",
                show(&self.dir),
                show(&log.source.path)
            )));
        }
        if log.format.ours.is_none() {
            let message = format!("{} is a log of {}; only walctl's own logs are rotated", self.dir.display(), log.format.title);
            let next = Some(format!("let its own system rotate it; to look at it: walctl stats {}", show(&self.dir)));
            return Err(CommandFailure { exit: Exit::Failed, message, next }.into());
        }
        Ok(log)
    }

    fn refused(&self, error: Error) -> anyhow::Error {
        match error {
            Error::Refused { .. } | Error::Torn { .. } | Error::Corrupt { .. } => refusal(&self.dir, error),
            other => other.into(),
        }
    }

    fn check_checkpoint(&self, segments: &[SegmentFacts]) -> anyhow::Result<Option<Lsn>> {
        let Some(lsn) = self.checkpoint.map(Lsn) else { return Ok(None) };
        let end = end_of(segments).before();
        if end.is_none_or(|end| lsn > end) {
            let end = end.map_or_else(|| "which holds no record yet".to_owned(), |end| format!("which ends at LSN {end}"));
            return Err(usage(format!("LSN {lsn} is not in the log, {end}; a checkpoint can only cover records in the log")));
        }
        Ok(Some(lsn))
    }

    /// Writes the checkpoint, seals the active segment and begins the next.
    fn seal(&self, log: &GroupCommit, before: Vec<SegmentFacts>) -> anyhow::Result<Done<'_>> {
        let mut checkpoint = None;
        if let Some(lsn) = self.check_checkpoint(&before)? {
            checkpoint = Some((log.append(Draft { kind: FrameKind::Checkpoint, tag: lsn.0, ..Draft::of(b"") })?.lsn, lsn));
        }
        let rotated = log.rotate()?;
        let next = log.next_lsn();
        let sealed = before.into_iter().next_back().filter(|last| last.file != rotated.active);
        let sealed = sealed.map(|last| (last.file, LsnRange::new(last.first, next.before().unwrap_or(last.first))));
        Ok(Done {
            args: self,
            sealed,
            active: rotated.active,
            next,
            checkpoint,
            fates: Vec::new(),
            gone: Vec::new(),
            traffic: None,
        })
    }

    fn let_go(
        &self,
        disk: &Arc<dyn Disk>,
        there: Option<&Arc<dyn Disk>>,
        done: &mut Done<'_>,
        out: &mut Out,
    ) -> anyhow::Result<()> {
        let told = !out.json() && !out.quiet();
        let (mut gone, mut unsaid) = (Vec::new(), Ok(()));
        let archive = there.zip(self.archive.as_deref());
        let progress = Progress::default();
        let total = done.fates.iter().filter(|fate| fate.goes()).map(|fate| fate.segment.bytes).sum();
        let doing = if archive.is_some() { "archiving" } else { "removing segments of" };
        let bar = WorkBar::new(out, format!("{doing} {}", self.dir.display()), total);
        interrupt::be_polite();
        let half = self.archive.as_ref().map(|archive| {
            format!("; half a copy may be left in {}, under a name that the same command uses again", archive.display())
        });
        let words = format!("ended at once: {} is whole{}", self.dir.display(), half.unwrap_or_default());
        let _last_words = (!out.quiet()).then(|| LastWords::new(&escape::line(&words)));
        let mut told_gone = |segment: &SegmentFacts, copy: Option<PathBuf>| {
            if told && unsaid.is_ok() {
                unsaid = self.say_gone(out, segment, copy.as_deref());
            }
            gone.push((segment.clone(), copy));
        };
        let ended = bar.watch(&progress.done, || {
            interrupt::stopping(&progress.stop, || retire(disk, &self.dir, &done.fates, archive, &progress, &mut told_gone))
        });
        bar.finish();
        done.gone = gone;
        done.traffic = there.and_then(|there| Meter::default().take(there.as_ref()));
        let before = done.gone.len() as u64;
        if matches!(ended, Err(Error::Interrupted)) {
            let (gone, all) = (count(before, "segment"), count_going(&done.fates) as u64);
            let (dir, left) = (self.dir.display(), all - before);
            let copied =
                self.archive.as_ref().map(|archive| format!("archived in {} and ", archive.display())).unwrap_or_default();
            out.note(format_args!(
                "interrupted: {gone} of {all} {copied}gone from {dir}; {left} left to go, with the same command; the log is whole"
            ));
            return Err(Error::Interrupted.into());
        }
        ended.map_err(|error| self.stopped(&error, before))?;
        Ok(unsaid?)
    }

    /// A failure on the way, with what was done before it.
    fn stopped(&self, error: &Error, gone: u64) -> anyhow::Error {
        let exit = match error {
            Error::Refused { path, .. } | Error::Corrupt { path, .. } if path.starts_with(&self.dir) => Exit::Damaged,
            Error::Io { doing, .. } if !matches!(*doing, "open" | "read" | "look at" | "list") => Exit::WriteFailed,
            _ => Exit::Failed,
        };
        let gone = match gone {
            0 => "nothing is gone from it".to_owned(),
            1 => "1 segment is gone from it".to_owned(),
            more => format!("{} are gone from it", count(more, "segment")),
        };
        let next = super::hint::for_error("rotate", &anyhow::Error::new(error_of(error)));
        CommandFailure { exit, message: format!("{error}; the log is whole, and {gone}"), next }.into()
    }

    fn say_gone(&self, out: &mut Out, segment: &SegmentFacts, copy: Option<&Path>) -> io::Result<()> {
        let what = format!("{}, {}", lsns(segment.lsns()), show_bytes(segment.bytes));
        let text = match copy {
            Some(copy) => format!("archived in {} and removed, {what}", copy.display()),
            None => format!("removed, {what}"),
        };
        self.say(out, &segment.file, &text)
    }

    fn say(&self, out: &mut Out, file: &str, text: &str) -> io::Result<()> {
        let line = escape::line(&format!("{}: {text}", self.dir.join(file).display()));
        writeln!(out, "{line}")
    }

    /// Says what would go, as the log stands now.
    fn say_what_would_go(&self, disk: &Arc<dyn Disk>, rules: &Rules, out: &mut Out) -> anyhow::Result<Exit> {
        let facts = prune_facts(disk, &self.dir).map_err(|error| self.refused(error))?;
        let checkpoint = self.check_checkpoint(&facts)?;
        let Foretold { sealed, active, next, checkpoint, fates } = foretell(facts, checkpoint, rules);
        let gone = fates.iter().filter(|fate| fate.goes()).map(|fate| (fate.segment.clone(), None)).collect();
        let done = Done { args: self, sealed, active, next, checkpoint, fates, gone, traffic: None };
        if out.json() {
            done.json(out)?;
            return Ok(Exit::Done);
        }
        if !out.quiet() {
            for (segment, _) in &done.gone {
                writeln!(out, "{}", segment.file)?;
            }
        }
        // Names alone on standard output, so that they can be piped on.
        for fate in done.fates.iter().filter(|fate| !fate.goes()) {
            out.note(format_args!("{} stays: {}", fate.segment.file, words(&fate.kept)));
        }
        Ok(Exit::Done)
    }
}

/// What was done, or would be.
struct Done<'a> {
    args: &'a RotateArgs,
    sealed: Option<(String, Option<LsnRange>)>,
    active: String,
    next: Lsn,
    checkpoint: Option<(Lsn, Lsn)>,
    fates: Vec<Fate>,
    gone: Vec<(SegmentFacts, Option<PathBuf>)>,
    /// What was asked of the bucket that holds the archive.
    traffic: Option<Traffic>,
}

impl Done<'_> {
    /// What was written.
    fn text(&self, out: &mut Out) -> io::Result<()> {
        if let Some((own, says)) = self.checkpoint {
            let dir = self.args.dir.display();
            let line = escape::line(&format!("{dir}: checkpoint written as LSN {own}: state up to LSN {says} is safe elsewhere"));
            writeln!(out, "{line}")?;
        }
        if let Some((file, range)) = &self.sealed {
            self.args.say(out, file, &format!("sealed, {}", lsns(*range)))?;
        }
        let nothing = if self.sealed.is_none() { "; nothing to seal" } else { "" };
        self.args.say(out, &self.active, &format!("active, begins with LSN {}{nothing}", self.next))
    }

    /// What stays, and why.
    fn kept(&self, out: &mut Out) -> io::Result<()> {
        for fate in self.fates.iter().filter(|fate| !fate.goes() && fate.segment.file != self.active) {
            self.args.say(out, &fate.segment.file, &format!("kept: {}", words(&fate.kept)))?;
        }
        if let Some(traffic) = self.traffic {
            writeln!(out, "  {}", traffic::bill(traffic))?;
        }
        if self.gone.is_empty() && self.fates.iter().any(|fate| fate.kept.contains(&Reason::NoCheckpoint)) {
            let dir = show(&self.args.dir);
            writeln!(out, "  next: walctl rotate {dir} --prune --checkpoint LSN, the one up to which state is safe elsewhere")?;
        }
        Ok(())
    }

    fn json(&self, out: &mut Out) -> io::Result<()> {
        let segment = |facts: &SegmentFacts| {
            let range = facts.lsns();
            Object::new()
                .put("file", facts.file.as_str())
                .put("first_lsn", range.map(|range| range.first))
                .put("last_lsn", range.map(|range| range.last))
                .put("bytes", facts.bytes)
        };
        let removed = self
            .gone
            .iter()
            .map(|(facts, copy)| segment(facts).put("archived", copy.as_ref().map(|copy| copy.display().to_string())));
        let reason = |reason: &Reason| Object::new().put("kind", reason.name()).put("detail", reason.to_string());
        let stays = self.fates.iter().filter(|fate| !fate.goes());
        let kept = stays.map(|fate| segment(&fate.segment).put("pinned_by", fate.kept.iter().map(reason).collect::<Vec<_>>()));
        let checkpoint = |(own, says): (Lsn, Lsn)| Object::new().put("checkpoint_at_lsn", own).put("checkpoint_lsn", says);
        let object = Object::of("walctl.rotate/1")
            .put("log", self.args.dir.display().to_string())
            .put("dry_run", self.args.dry_run)
            .put("checkpoint", self.checkpoint.map(checkpoint))
            .put("sealed", self.sealed.as_ref().map(|(file, _)| file.as_str()))
            .put("active", self.active.as_str())
            .put("next_lsn", self.next)
            .put("removed", removed.collect::<Vec<_>>())
            .put("kept", kept.collect::<Vec<_>>());
        writeln!(out, "{}", traffic::add(object, self.traffic).end())
    }
}

fn count_going(fates: &[Fate]) -> usize {
    fates.iter().filter(|fate| fate.goes()).count()
}

fn words(reasons: &[Reason]) -> String {
    reasons.iter().map(Reason::to_string).collect::<Vec<_>>().join("; ")
}

fn lsns(range: Option<LsnRange>) -> String {
    range.map_or_else(|| "no record".to_owned(), |range| format!("LSN {range}"))
}

/// A pin that cannot be understood must not be passed over.
fn read_pin(disk: &dyn Disk, path: &Path) -> anyhow::Result<Pin> {
    let position = Position::load(disk, path)?.ok_or_else(|| Error::io("open", path)(io::ErrorKind::NotFound.into()))?;
    if segment_lsn(&position.segment).is_none() {
        let what = format!("{} is a cursor of a log of another format: it points into {}", path.display(), position.segment);
        return Err(Error::Input { what }.into());
    }
    Ok(Pin { name: path.display().to_string(), read: position.lsn, segment: segment_lsn(&position.segment) })
}

fn same_folder(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// The same kind of failure, for the table of hints.
fn error_of(error: &Error) -> Error {
    match error {
        Error::Io { doing, path, source } => {
            Error::io(doing, path)(source.raw_os_error().map_or_else(|| source.kind().into(), io::Error::from_raw_os_error))
        }
        Error::Unreachable { doing, path, offset, why, denied } => {
            let (path, why) = (path.clone(), why.clone());
            Error::Unreachable { doing, path, offset: *offset, why, denied: *denied }
        }
        Error::Refused { path, why } => Error::Refused { path: path.clone(), why: why.clone() },
        Error::Corrupt { path, why } => Error::Corrupt { path: path.clone(), why: why.clone() },
        Error::WrongKey { path, why } => Error::WrongKey { path: path.clone(), why: why.clone() },
        _ => Error::Interrupted,
    }
}
