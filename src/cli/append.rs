//! `walctl append`: write records.

mod acks;
pub mod feed;
pub mod flags;
mod submit;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use clap::ValueHint;
use walctl::disk::{Disk, EntryKind, Open, RealDisk};
use walctl::model::{Error, Verdict};
use walctl::native::{FrameKind, MAGIC, segment_lsn};
use walctl::ops;
use walctl::ops::mend::Permit;
use walctl::ops::open::Choice;
use walctl::ops::report::Checks;
use walctl::writer::GroupCommit;

use self::acks::Tell;
use self::feed::{Delimiter, End};
use self::flags::WriteFlags;
use self::submit::Hand;
use super::exit::{CommandFailure, Exit};
use super::hint::show;
use super::hold::Hold;
use super::interrupt::{self, LastWords};
use super::place;
use super::render::escape;
use super::render::out::{Out, told};
use super::render::progress::WorkBar;
use super::verify_with_bar::{Effort, UNCHANGED, verify_with_bar};
use walctl::model::units::parse_bytes;

const AFTER_HELP: &str = "\
Records come from standard input unless --text, --file or --count is used. Once a record is durable, and not before, its LSN is printed \
on a line of its own. With --json, records are read as `dump --json` writes them (unless --delimiter names another form), and \
acknowledgements are JSON. append never writes behind a torn tail: --repair cuts it first. If segment names and Seals show that records are \
missing between segments, append reports that on standard error before the first record and goes on: appending hides no such hole, and \
refusing would not bring the records back.";

/// Append records and print the LSN of each once it is durable
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct AppendArgs {
    /// The log's folder; created if it does not exist
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// How records are separated on standard input [default: lf]
    #[arg(long, value_name = "HOW")]
    delimiter: Option<Delimiter>,
    /// Append a record with this text; repeat the flag for more records
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["count", "delimiter"])]
    text: Vec<String>,
    /// Append the content of this file as one record; repeat the flag for more records
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["count", "delimiter"])]
    file: Vec<PathBuf>,
    /// Append N made-up records
    #[arg(long, value_name = "N", conflicts_with = "delimiter")]
    count: Option<u64>,
    /// Length of made-up records
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, default_value = "128", requires = "count")]
    size: u64,
    /// Append at most N records a second
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU64>,
    /// Kind of the records: full, checkpoint, txn-begin, txn-commit or txn-abort [default: full]
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<FrameKind>,
    /// Tag of the records, a number of your own; in a checkpoint, the LSN up to which state is safe elsewhere [default: 0]
    #[arg(long, value_name = "N")]
    tag: Option<u64>,
    /// Make every N records (or all of them) one atomic batch: a crash keeps all of a batch or nothing of it
    #[arg(long, value_name = "N|all", value_parser = batch)]
    batch: Option<Batch>,
    /// Keep the LSNs of the JSON lines, with --json: `walctl dump A --json | walctl append B --json --keep-lsn`; a gap is refused
    #[arg(long)]
    keep_lsn: bool,
    /// Also write each acknowledged LSN and a digest of its payload to this file: a line is durable before its LSN is printed. After a
    /// crash it may lack records that are durable and whose LSNs were not printed yet, and no others
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ledger: Option<PathBuf>,
    /// Cut a torn tail first, as `walctl repair` does
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    write: WriteFlags,
}

/// How many records are bound together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// This many records.
    Each(NonZeroU64),
    /// All of them.
    All,
}

fn batch(text: &str) -> Result<Batch, String> {
    if text == "all" {
        return Ok(Batch::All);
    }
    text.parse().map(Batch::Each).map_err(|_| format!("`{text}` is neither a number from 1 on nor `all`"))
}

fn kind(text: &str) -> Result<FrameKind, String> {
    let whole = |kind: &FrameKind| kind.is_data() && !matches!(kind, FrameKind::First | FrameKind::Middle | FrameKind::Last);
    FrameKind::from_name(text)
        .filter(whole)
        .ok_or_else(|| format!("`{text}` is no kind of record: full, checkpoint, txn-begin, txn-commit or txn-abort"))
}

/// Runs the command.
pub fn run(args: &AppendArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let reads_json =
        out.json() && args.delimiter.is_none() && args.text.is_empty() && args.file.is_empty() && args.count.is_none();
    if args.keep_lsn && !reads_json {
        let message = "--keep-lsn takes LSNs from JSON lines: use --json, with records on standard input".to_owned();
        let next = Some(format!("walctl dump A --json | walctl append {} --json --keep-lsn", show(&args.dir)));
        return Err(CommandFailure { exit: Exit::Usage, message, next }.into());
    }
    let options = walctl::writer::Settings { end_at_failure: true, ..args.write.options(out)? };
    place::here(&args.dir, "append")?;
    only_ours(&args.dir)?;
    if args.repair {
        repair_first(&args.dir, out)?;
    }
    let log = open(&args.dir, options)?;
    let notes = log.notes();
    notes.iter().for_each(|note| out.note(note));
    if notes.iter().any(|note| note.contains(walctl::writer::MISSING)) {
        out.note(format_args!("next: walctl verify {}", show(&args.dir)));
    }
    if args.text.is_empty() && args.file.is_empty() && args.count.is_none() && io::stdin().is_terminal() {
        out.note("reading records from the terminal, one a line; Ctrl-D ends");
    }
    interrupt::be_polite();
    let stop = AtomicBool::new(false);
    let bar = progress(args, out);
    let _last_words = last_words(args, out);
    let mut tell = Tell::new(out, &log, args.ledger.as_deref(), &stop)?;
    let (sender, receiver) = mpsc::sync_channel(64);
    let (ended, told) = std::thread::scope(|scope| {
        let feeder = std::thread::Builder::new().spawn_scoped(scope, || {
            let (log, stop) = (log.clone(), &stop);
            let mut hand = Hand::new(log, args, stop, sender, bar.as_ref());
            let ended = feed_all(args, reads_json, &mut hand).and_then(|()| hand.finish());
            // What was handed over before a failure is written all the same, so it is told too.
            let told = hand.pass_on();
            drop(hand);
            ended.and(told)
        });
        // Without a thread nothing was handed over, and the other end of the channel is gone.
        let told = tell.all(&receiver);
        let cannot = |e| Err(End::Failed(Error::io("start a thread for", &args.dir)(e).into()));
        (feeder.map_or_else(cannot, |feeder| feeder.join().expect("reading does not panic")), told)
    });
    if let Some(bar) = &bar {
        bar.finish();
    }
    let sentence = tell.sentence();
    let ledger = tell.finish();
    let closed = log.close();
    told.map_err(|error| with(error, &sentence))?;
    ledger?;
    match ended {
        Err(End::Failed(error)) => {
            closed?;
            return Err(with(error, &sentence));
        }
        Err(End::Stopped) | Ok(()) => {}
    }
    closed.map_err(|error| with(error.into(), &sentence))?;
    if interrupt::caught() {
        out.note(format_args!("interrupted: {sentence}; the log is closed cleanly"));
        return Ok(Exit::Interrupted);
    }
    if out.is_closed() {
        out.note(format_args!("standard output is closed: {sentence}; the log is closed cleanly"));
    }
    Ok(Exit::Done)
}

/// What is said if a second interruption ends it at once.
fn last_words(args: &AppendArgs, out: &Out) -> Option<LastWords> {
    let dir = args.dir.display();
    let words = format!("ended at once: {dir} is not closed; what was acknowledged is durable, and the next writer opens it");
    (!out.quiet()).then(|| LastWords::new(&escape::line(&words)))
}

/// The failure, and then what was acknowledged before it.
fn with(error: anyhow::Error, sentence: &str) -> anyhow::Error {
    let exit = Exit::of_error(&error);
    let next = super::hint::for_error("append", &error);
    CommandFailure { exit, message: format!("{}; {sentence}", told(&error)), next }.into()
}

/// All records, from wherever they come.
fn feed_all(args: &AppendArgs, json: bool, hand: &mut Hand<'_>) -> Result<(), End> {
    use feed::Receive;
    if let Some(count) = args.count {
        return feed::generate(count, usize::try_from(args.size).unwrap_or(usize::MAX), hand);
    }
    if !args.text.is_empty() || !args.file.is_empty() {
        for text in &args.text {
            hand.record(feed::Given::of(text.as_bytes()))?;
        }
        for path in &args.file {
            feed::whole_file(path, hand)?;
        }
        return Ok(());
    }
    let stdin = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|e| End::Failed(Error::io("read", Path::new("standard input"))(e).into()))?;
    let stdin = File::from(stdin);
    if json {
        return feed::json_lines(&stdin, hand);
    }
    feed::stream(&stdin, args.delimiter.unwrap_or(Delimiter::Lf), hand)
}

/// Records of ours have no place in a log of another system, not even under another file's name.
fn only_ours(dir: &Path) -> anyhow::Result<()> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    // A last segment that begins as ours do is enough: nothing more of a large log is looked at.
    let names = disk.list(dir).unwrap_or_default().into_iter().map(|entry| entry.name);
    let last = names.filter(|name| segment_lsn(name).is_some()).max();
    let mut begins = [0; MAGIC.len()];
    let read = last.and_then(|name| disk.open(&dir.join(name), Open::READ).ok()?.read_at(&mut begins, 0).ok());
    if read == Some(MAGIC.len()) && begins == MAGIC {
        return Ok(());
    }
    let logs = ops::open::open(&disk, dir, &Choice::default()).unwrap_or_default();
    match logs.first().filter(|log| log.format.ours.is_none() && log.source.path == dir) {
        None => Ok(()),
        Some(log) => {
            let message = format!("{} is a log of {}; walctl appends only to its own logs", dir.display(), log.format.title);
            Err(CommandFailure { exit: Exit::Failed, message, next: None }.into())
        }
    }
}

/// Opens the log for appending; where damage keeps it closed, says which and what helps.
pub fn open(dir: &Path, options: walctl::writer::Settings) -> anyhow::Result<GroupCommit> {
    match GroupCommit::open(Arc::new(RealDisk), dir, options) {
        Ok(log) => Ok(log),
        Err(error @ (Error::Refused { .. } | Error::Torn { .. } | Error::Corrupt { .. })) => Err(refusal(dir, error)),
        Err(error) => Err(error.into()),
    }
}

/// What stands in the way, as a check of the whole log finds it.
pub fn refusal(dir: &Path, error: Error) -> anyhow::Error {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let inputs = ops::open::open(&disk, dir, &Choice::default()).unwrap_or_default();
    let report =
        inputs.first().and_then(|input| ops::report::verify(input, &Checks::default(), &ops::report::Progress::default()).ok());
    if let Error::Refused { path, .. } | Error::Corrupt { path, .. } = &error
        && disk.stat(path).is_ok_and(|there| {
            there.is_some_and(|there| !matches!(there.kind, EntryKind::File | EntryKind::Folder)) || path != dir && path.is_dir()
        })
    {
        let next = format!("see what it is, and whether a volume is not mounted: ls -l {}", show(path));
        return CommandFailure { exit: Exit::Damaged, message: error.to_string(), next: Some(next) }.into();
    }
    let dir = show(dir);
    let (exit, next) = match report.map(|report| report.verdict) {
        Some(Verdict::Torn) => (Exit::Torn, format!("cut it, keeping the bytes: walctl repair {dir}; or append with --repair")),
        Some(Verdict::Suspect) => {
            (Exit::Torn, format!("walctl repair {dir} --accept-suspect, after a look: walctl verify {dir}"))
        }
        Some(Verdict::Clean) | None => return error.into(),
        Some(_) => (Exit::Damaged, format!("keep what is valid: walctl repair {dir} --salvage {dir}-salvaged")),
    };
    CommandFailure { exit, message: error.to_string(), next: Some(next) }.into()
}

/// Cuts a torn tail before anything is appended, and says what was cut. Anything worse is left to the refusal that follows.
fn repair_first(dir: &Path, out: &mut Out) -> anyhow::Result<()> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let choice = Choice::default();
    let mut logs = match ops::open::open(&disk, dir, &choice) {
        Ok(logs) if logs.len() == 1 => logs,
        // What is no log yet has no tail.
        _ => return Ok(()),
    };
    let hold = Hold::take(&disk, &logs[0], false, false)?;
    logs = ops::open::open(&disk, dir, &choice)?;
    let Some(input) = logs.first() else { return Ok(()) };
    let report = verify_with_bar(input, Effort::default(), UNCHANGED, out)?;
    let plan = ops::mend::plan(input, &report, &Permit::default())?;
    if plan.refusal.is_none() {
        for cut in &plan.cuts {
            let (path, saved) = (cut.path.display(), &cut.saved_as);
            out.note(format_args!("{path}: cut at {}, {} bytes saved in {saved}", cut.from.offset, cut.from.bytes));
        }
        ops::mend::carry_out(&disk, &plan)?;
    }
    drop(hold);
    Ok(())
}

/// How large standard input is, when it is a file.
fn input_bytes() -> Option<u64> {
    let meta = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?).metadata().ok()?;
    meta.is_file().then_some(meta.len())
}

/// How much is to be appended, where that is known.
fn total(args: &AppendArgs) -> Option<u64> {
    if let Some(count) = args.count {
        return Some(count.saturating_mul(args.size));
    }
    if args.file.is_empty() {
        return if args.text.is_empty() { input_bytes() } else { None };
    }
    let length = |path: &PathBuf| std::fs::metadata(path).ok().filter(|meta| meta.is_file()).map(|meta| meta.len());
    args.file.iter().map(length).sum()
}

/// A bar over the input, where its size is known.
fn progress(args: &AppendArgs, out: &Out) -> Option<WorkBar> {
    let total = total(args)?;
    Some(WorkBar::new(out, format!("appending to {}", args.dir.display()), total))
}

/// Everything that was said so far is out.
fn flushed(out: &mut Out, stop: &AtomicBool) -> io::Result<()> {
    let done = out.flush();
    if done.is_err() {
        stop.store(true, Ordering::Relaxed);
    }
    if out.is_closed() { Ok(()) } else { done }
}
