//! `walctl bench`: how fast this disk makes records durable, what to set, and whether it can be trusted.

mod gates;
mod loads;
mod saved;
pub use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueHint;
use walctl::bench::{
    BenchFolder, BenchPlace, Cell, CrashPlan, CrashVerdict, Goal, Measurements, PROBE_STEPS, Probe, Rule, TARGET_STEPS, Watch,
    busy_sync, crash_test, doubts, find_rate, look_around, measure, probe,
};
use walctl::disk::{Disk, RealDisk};
use walctl::model::{Error, Time};
use walctl::writer::{Preallocate, SyncMode, Window};

use super::append::flags::command_line;
use super::exit::{CommandFailure, Exit, usage};
use super::interrupt::{self, LastWords};
use super::page_file;
use super::render::bench::{charts, json, page, tables, text};
use super::render::out::Out;
use walctl::bench::Session;
use walctl::model::units::{parse_bytes, parse_duration};

const AFTER_HELP: &str = "\
Without flags bench answers within a minute: how many durable appends a second this disk makes, which flags to set and why, and whether \
the disk can be trusted. Flags that take lists make a matrix; its cells run in turns, so that a drift of the disk affects all of them. \
bench writes into a new folder in DIR and removes it; a folder that holds a log is refused.";

/// Measure how fast records become durable, and how to tune it
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct BenchArgs {
    /// A folder on the disk in question
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath, default_value = ".")]
    dir: PathBuf,
    /// Threads that append: a list [default: 1,16,64]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=4096))]
    appenders: Vec<u16>,
    /// Lengths of records: a list [default: 128]
    #[arg(long, value_name = "SIZE,...", value_delimiter = ',', value_parser = parse_bytes, conflicts_with_all = ["size_dist", "from"])]
    size: Vec<u64>,
    /// Lengths of records with weights: 128:90,4KiB:10
    #[arg(long, value_name = "SIZE:WEIGHT,...", conflicts_with = "from")]
    size_dist: Option<String>,
    /// Append the payloads of this log
    #[arg(long, value_name = "LOG", value_hint = ValueHint::AnyPath)]
    from: Option<PathBuf>,
    /// Commit windows: a list of auto, 0 and durations
    #[arg(long, value_name = "SPAN,...", value_delimiter = ',', value_parser = |t: &str| t.parse::<Window>().map_err(|e| e.to_string()))]
    window: Vec<Window>,
    /// Sync modes: a list of fdatasync, fsync, dsync, none and interval=SPAN
    #[arg(long, value_name = "MODE,...", value_delimiter = ',', value_parser = |t: &str| t.parse::<SyncMode>().map_err(|e| e.to_string()))]
    sync: Vec<SyncMode>,
    /// How space is reserved ahead: a list of none, sparse, fallocate, zero and recycle
    #[arg(long, value_name = "HOW,...", value_delimiter = ',', value_parser = |t: &str| t.parse::<Preallocate>().map_err(|e| e.to_string()))]
    preallocate: Vec<Preallocate>,
    /// Bypass the page cache: --direct for yes, --direct=no,yes for both
    #[arg(long, value_name = "yes,no", num_args = 0.., require_equals = true, default_missing_value = "yes", value_delimiter = ',', value_parser = yes_or_no)]
    direct: Vec<bool>,
    /// Write everything through the page cache, as `append --buffered` does: --buffered for yes, --buffered=no,yes for both
    #[arg(long, value_name = "yes,no", num_args = 0.., require_equals = true, default_missing_value = "yes", value_delimiter = ',', value_parser = yes_or_no)]
    buffered: Vec<bool>,
    /// Records that each appender has in flight: a list [default: 1]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    inflight: Vec<u32>,
    /// Appends a second, started on schedule even if the disk lags: a list [default: as fast as they are acknowledged]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    rate: Vec<NonZeroU64>,
    /// How long each repeat is measured [default: 1s]
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// How long each repeat runs before it is measured [default: a fifth of the duration]
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    warmup: Option<Duration>,
    /// How many times each cell is measured [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: Option<u16>,
    /// Measure the disk alone, without a log
    #[arg(long, conflicts_with_all = ["target", "crash_test", "baseline", "fail_if"])]
    disk: bool,
    /// Find the highest rate at which a latency holds: 'p99<2ms'
    #[arg(long, value_name = "GOAL", value_parser = |t: &str| t.parse::<Goal>().map_err(|e| e.to_string()), conflicts_with = "rate")]
    target: Option<Goal>,
    /// Measure nothing: show a run that `bench --json` printed to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["appenders", "size", "size_dist", "from", "window", "sync", "preallocate", "direct", "buffered", "inflight", "rate", "duration", "warmup", "repeats", "disk", "target", "crash_test"])]
    show: Option<PathBuf>,
    /// Print the figures as CSV
    #[arg(long, conflicts_with_all = ["json", "markdown"])]
    csv: bool,
    /// Print the figures as a Markdown table
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Also write the charts to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    svg: Option<PathBuf>,
    /// Also write a self-contained HTML page with everything to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// Write the page or the charts over a file that is none of walctl's
    #[arg(long)]
    overwrite: bool,
    /// Compare with an earlier run: a file with the output of `bench --json`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    baseline: Option<PathBuf>,
    /// End with 7 if this holds: 'p99>+10%' (needs --baseline), 'p99>2ms', 'rate<10000'; repeat the flag for more rules
    #[arg(long, value_name = "RULE", value_parser = |t: &str| t.parse::<Rule>().map_err(|e| e.to_string()))]
    fail_if: Vec<Rule>,
    /// Allow a baseline from another kind of machine
    #[arg(long, requires = "baseline")]
    unlike: bool,
    /// Kill an appender N times at random moments, and check that nothing it acknowledged is lost
    #[arg(long, value_name = "N", conflicts_with_all = ["target", "csv", "markdown", "svg", "html", "baseline", "fail_if"])]
    crash_test: Option<NonZeroU64>,
    /// For the crash test: mount this filesystem image and shut the filesystem down, as a power failure would (needs root)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "crash_test")]
    crash_image: Option<PathBuf>,
}

/// What the probe of a run may take for each kind of write and pass.
const SLICE: Duration = Duration::from_millis(60);
/// The matrix of a run without flags is over by then.
const DEFAULT_LIMIT: Duration = Duration::from_secs(46);

/// Runs the command.
pub fn run(args: &BenchArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.fail_if.iter().any(Rule::is_relative) && args.baseline.is_none() {
        return Err(usage("a rule with a percentage needs --baseline: what it is compared with"));
    }
    // It is known before anything is measured whether the files may be written.
    for (path, mark, what) in [(&args.svg, charts::MARK, "chart"), (&args.html, page::MARK, "page of bench")] {
        path.as_ref().map_or(Ok(()), |path| page_file::may_be_written(path, args.overwrite, mark, what))?;
    }
    let baseline = args.baseline.as_deref().map(gates::read).transpose()?;
    interrupt::be_polite();
    if let Some(path) = &args.show {
        return show_saved(args, path, baseline.as_ref(), out);
    }
    if args.dir.exists() && !args.dir.is_dir() {
        let message = format!("{} is no folder: bench measures through a filesystem, in a folder of its own", args.dir.display());
        let next = Some("name a folder on that disk; lsblk shows where it is mounted".to_owned());
        return Err(CommandFailure { exit: Exit::Usage, message, next }.into());
    }
    let folder = BenchFolder::make(&args.dir)?;
    let words = format!(
        "ended at once: {} is left, which holds only what was measured with, and can be removed",
        folder.path().display()
    );
    let _words = LastWords::new(&words);
    let preload = std::env::var("LD_PRELOAD").ok();
    let place = look_around(&args.dir, preload.as_deref())?;
    if let Some(rounds) = args.crash_test {
        return crash(args, &folder, &place, rounds.get(), out);
    }
    if let Some(baseline) = &baseline {
        gates::refuse_unlike(baseline, &place, args.unlike)?;
    }
    let mut found = survey(args, &folder, place, out)?;
    // Files go before anything is said, so that none are left when the output is closed early.
    drop(folder);
    let interrupted = interrupt::caught();
    found.outcome.interrupted |= interrupted;
    show(args, &found, out)?;
    let lacking: u64 = found.outcome.measured.iter().map(|m| m.figures.lacking).sum();
    if lacking > 0 {
        anyhow::bail!("{}: {lacking} acknowledged records were not in the log when it was read back", args.dir.display());
    }
    if interrupted {
        return Ok(Exit::Interrupted);
    }
    gates::hold(&args.fail_if, baseline.as_ref(), &found.outcome, out)
}

/// An earlier run, as if it had just ended.
fn show_saved(args: &BenchArgs, path: &Path, baseline: Option<&gates::Baseline>, out: &mut Out) -> anyhow::Result<Exit> {
    let found = saved::read(path)?;
    if let Some(baseline) = baseline {
        gates::refuse_unlike(baseline, &found.place, args.unlike)?;
    }
    show(args, &found, out)?;
    gates::hold(&args.fail_if, baseline, &found.outcome, out)
}

fn survey(args: &BenchArgs, folder: &BenchFolder, place: BenchPlace, out: &mut Out) -> anyhow::Result<Session> {
    let (begun, made) = (Instant::now(), Time::now());
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let stop = || interrupt::caught();
    let bar = text::Steps::new(out, format!("measuring {}", args.dir.display()));
    let done = |steps| bar.advance(steps);
    let watch = Watch { stop: &stop, done: &done };
    bar.expect(PROBE_STEPS);
    let probed = probe(disk.as_ref(), folder.path(), SLICE, &watch)?;
    let doubts = doubts(&place, &probed);
    let mut found = Session {
        made: Some(made),
        version: env!("CARGO_PKG_VERSION").into(),
        command: command_line(),
        place,
        probe: probed,
        after: Probe::default(),
        doubts,
        outcome: Measurements::default(),
        advice: None,
        targets: Vec::new(),
        took: Duration::ZERO,
    };
    if !args.disk && !stop() {
        let plain = args.is_plain();
        let busy = if plain { busy_sync(&disk, folder.path(), &found.place, &watch)? } else { None };
        let (cells, pace) = loads::plan(args, busy.or(found.probe.sync()))?;
        if let Some(goal) = &args.target {
            bar.expect((TARGET_STEPS + 1) * cells.len() as u64);
            for cell in &cells {
                if !stop() {
                    found.targets.push(find_rate(&disk, folder.path(), &found.place, cell, goal, &pace, &watch)?);
                }
            }
        } else {
            bar.expect((cells.len() * pace.repeats) as u64);
            found.outcome = measure(&disk, folder.path(), &found.place, &cells, &pace, &watch)?;
            bar.expect(PROBE_STEPS);
            found.after = probe(disk.as_ref(), folder.path(), SLICE / 6, &watch)?;
            found.conclude();
        }
    }
    bar.finish();
    found.took = begun.elapsed();
    Ok(found)
}

fn show(args: &BenchArgs, found: &Session, out: &mut Out) -> anyhow::Result<()> {
    for (path, make) in [(&args.svg, charts::svg as fn(&Session) -> String), (&args.html, page::page)] {
        if let Some(path) = path {
            page_file::write(path, &make(found))?;
        }
    }
    if out.quiet() {
        return Ok(());
    }
    if out.json() {
        json::found(out, found)?;
    } else if args.csv {
        tables::csv(out, found)?;
    } else if args.markdown {
        tables::markdown(out, found)?;
    } else {
        text::found(out, found, args.is_plain() && args.show.is_none())?;
    }
    Ok(())
}

fn crash(args: &BenchArgs, folder: &BenchFolder, place: &BenchPlace, rounds: u64, out: &mut Out) -> anyhow::Result<Exit> {
    let one = |given: usize, flag: &str| {
        if given > 1 { Err(usage(format!("a crash test takes one {flag}, not a list"))) } else { Ok(()) }
    };
    one(args.sync.len(), "--sync")?;
    one(args.window.len(), "--window")?;
    one(args.preallocate.len(), "--preallocate")?;
    one(args.size.len(), "--size")?;
    let mut flags = Vec::new();
    let mut flag = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            flags.extend([name.to_owned(), value]);
        }
    };
    flag("--sync", args.sync.first().map(ToString::to_string));
    flag("--window", args.window.first().map(ToString::to_string));
    flag("--preallocate", args.preallocate.first().map(ToString::to_string));
    for (name, given) in [("--direct", &args.direct), ("--buffered", &args.buffered)] {
        one(given.len(), name)?;
        if given.contains(&true) {
            flags.push(name.into());
        }
    }
    let plan = CrashPlan {
        program: std::env::current_exe().map_err(Error::io("find", Path::new("walctl")))?,
        flags,
        rounds,
        size: usize::try_from(args.size.first().copied().unwrap_or(128)).unwrap_or(usize::MAX),
        image: args.crash_image.as_deref().map(std::fs::canonicalize).transpose().map_err(Error::io("open", &args.dir))?,
        seed: u64::from(std::process::id()) << 20 | Instant::now().elapsed().as_nanos() as u64 | 1,
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let stop = || interrupt::caught();
    let bar = text::Steps::new(out, "crashing".into());
    bar.expect(rounds);
    let done = |steps| bar.advance(steps);
    let verdict = crash_test(&disk, folder.path(), &plan, &Watch { stop: &stop, done: &done })?;
    bar.finish();
    say_verdict(out, place, &plan, &verdict)?;
    Ok(match (verdict.is_kept(), interrupt::caught()) {
        (false, _) => Exit::Damaged,
        (true, true) => Exit::Interrupted,
        (true, false) => Exit::Done,
    })
}

fn say_verdict(out: &mut Out, place: &BenchPlace, plan: &CrashPlan, verdict: &CrashVerdict) -> anyhow::Result<()> {
    if out.quiet() {
        return Ok(());
    }
    if out.json() {
        json::crash(out, place, plan, verdict)?;
    } else {
        text::crash(out, place, plan, verdict)?;
    }
    Ok(())
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => Err(format!("`{other}` is neither yes nor no")),
    }
}

impl BenchArgs {
    /// Whether nothing was said about what to measure.
    fn is_plain(&self) -> bool {
        self.appenders.is_empty()
            && self.size.is_empty()
            && self.size_dist.is_none()
            && self.from.is_none()
            && self.window.is_empty()
            && self.sync.is_empty()
            && self.preallocate.is_empty()
            && self.direct.is_empty()
            && self.buffered.is_empty()
            && self.inflight.is_empty()
            && self.rate.is_empty()
            && self.target.is_none()
    }

    fn cells_are_many(&self, cells: &[Cell]) -> anyhow::Result<()> {
        if cells.len() > walctl::bench::CELLS_LIMIT {
            return Err(usage("that makes too many cells to read: use shorter lists"));
        }
        Ok(())
    }
}
