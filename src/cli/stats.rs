//! `walctl stats`: what a log consists of.

use std::io::{self, Write};
use std::time::Duration;

use walctl::ops;
use walctl::ops::read::Scope;
use walctl::ops::report::{Progress, Stats, StatsWish};

use super::args::{HostFlag, InputArgs, LoadArgs, ScopeArgs};
use super::below;
use super::exit::{CommandFailure, Exit, usage};
use super::gate::Gate;
use super::place::{self, Meter};
use super::render::formats;
use super::render::out::Out;
use super::render::stats::{is_of_all, json, metrics, openmetrics, text};
use super::verify_with_bar::{UNCHANGED, bytes_of, ends_in_order, watched};
use walctl::model::units::{parse_duration, show_bytes, show_duration};

const JOBS: &str = "How many segments to read at once [default: one for each processor, in object storage 8 at least]; \
                    where records are broken down by what they hold, as in logs of most other systems, one thread reads them all";

/// Count and measure what is in logs
///
/// A sealed segment ends with its own counts, so only the end of each segment is read; --scan reads everything. Holes between segments
/// are found either way. If some segments were not read, the verdict is `not checked`, never `clean`.
/// Records and bytes by kind and tag, sizes, what each sync made durable, overhead, the rate over time, pauses, the last checkpoint and
/// how long a restart would read, open transactions, and what keeps each segment.
///
/// With --lsn, --since or --until only such records are counted, and only the segments that can hold them are read; what is true of
/// the whole log alone, such as what a restart would read, is then left out, and the log is `not checked`.
#[derive(clap::Args, Debug)]
#[command(mut_arg("jobs", |arg| arg.help(JOBS)))]
pub struct StatsArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Read every segment instead of trusting Seals: only then can the verdict be clean
    #[arg(long)]
    scan: bool,
    #[command(flatten)]
    load: LoadArgs,
    /// Show N tags and the N newest segments; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Print OpenMetrics text, for scrapers
    #[arg(long, conflicts_with = "json")]
    openmetrics: bool,
    #[command(flatten)]
    host: HostFlag,
    /// End with 7 if this holds for a log, as in replay_seconds>30s; repeat the flag for more rules
    #[arg(long, value_name = "RULE", value_parser = Gate::parse)]
    fail_if: Vec<Gate>,
    /// Count again after this time, until interrupted
    #[arg(long, value_name = "SPAN", value_parser = parse_duration, num_args = 0..=1, default_missing_value = "2s", require_equals = true)]
    watch: Option<Duration>,
}

/// Runs the command.
pub fn run(args: &StatsArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.input.lists() {
        formats::show(out)?;
        return Ok(Exit::Done);
    }
    let known = metrics(&empty());
    if let Some(gate) = args.fail_if.iter().find(|gate| !known.iter().any(|(name, ..)| *name == gate.name())) {
        let names: Vec<&str> = known.iter().map(|(name, ..)| *name).collect();
        return Err(usage(format!("there is no number called {}; there are {}", gate.name(), names.join(", "))));
    }
    args.scope.check()?;
    if let Some(gate) = args.fail_if.iter().find(|gate| args.scope.any() && is_of_all(gate.name())) {
        let name = gate.name();
        return Err(usage(format!("{name} is known only of a whole log: leave out --lsn, --since and --until")));
    }
    if args.input.paths()?.iter().any(|path| path.as_os_str() == "-") && args.watch.is_some() {
        return Err(usage("standard input can be read only once, so it cannot be watched"));
    }
    if args.watch.is_none() {
        ends_in_order(&args.input.paths);
    }
    loop {
        let (exit, failed) = once(args, out)?;
        let Some(pause) = args.watch.filter(|_| !failed && !out.is_closed()) else { return Ok(exit) };
        if let Err(error) = out.flush() {
            return out.heard(Err(error)).map(|()| exit).map_err(Into::into);
        }
        std::thread::sleep(pause.max(Duration::from_millis(50)));
        if out.is_terminal() && !out.json() {
            out.write_all(b"\x1b[H\x1b[2J")?;
        }
    }
}

/// Counts each log once. The exit code, and whether one of them could not be counted: a log that is not there is not watched.
fn once(args: &StatsArgs, out: &mut Out) -> anyhow::Result<(Exit, bool)> {
    let choice = args.input.choice()?;
    let (mut exit, mut failed) = (Exit::Done, false);
    let mut all = Vec::new();
    for path in args.input.paths()? {
        let counted = below::open(&args.input, path, &choice, out).and_then(|logs| {
            let mut meter = Meter::default();
            let one = |log| {
                let mut stats = count(args, log, out)?;
                stats.traffic = meter.take(log.source.disk.as_ref());
                Ok(stats)
            };
            logs.iter().map(one).collect::<anyhow::Result<Vec<Stats>>>()
        });
        match counted {
            Ok(stats) => all.extend(stats),
            Err(error) => {
                failed = true;
                exit = exit.or_worse(out.failure(&error));
            }
        }
    }
    // The exit code is the verdict, whether or not the numbers are read.
    let said = show(args, &all, out);
    out.heard(said)?;
    for stats in &all {
        exit = exit.or_worse(stats.verdict.into());
    }
    for stats in &all {
        for gate in &args.fail_if {
            exit = exit.or_worse(check(gate, stats, out));
        }
    }
    Ok((exit, failed))
}

fn show(args: &StatsArgs, all: &[Stats], out: &mut Out) -> io::Result<()> {
    if out.quiet() {
        return Ok(());
    }
    if args.openmetrics {
        return openmetrics(out, all, args.host.name());
    }
    for (index, stats) in all.iter().enumerate() {
        if out.json() {
            json(out, stats, args.top)?;
            continue;
        }
        if index > 0 {
            writeln!(out)?;
        }
        text(out, stats, &args.input.typed(), args.top)?;
    }
    Ok(())
}

fn count(args: &StatsArgs, log: &ops::open::Input, out: &Out) -> anyhow::Result<Stats> {
    args.input.check_keys(log)?;
    let scope = args.scope.must_be_of(log)?;
    let wish = StatsWish { scan: args.scan, scope, jobs: place::jobs(args.load.jobs, log.source.disk.as_ref()) };
    let work = |progress: &Progress| ops::report::stats(log, &wish, progress);
    Ok(watched(out, "counting", &log.source.path, bytes_of(log), args.load.rate.max_rate, UNCHANGED, work)?)
}

/// A gate that is not met is said on standard error: the numbers themselves were the result.
fn check(gate: &Gate, stats: &Stats, out: &mut Out) -> Exit {
    let Some(number) = metrics(stats).into_iter().find(|(name, ..)| *name == gate.name()).and_then(|m| m.2) else {
        // Not being met because there is nothing to measure is not the same as being well.
        if !out.json() {
            out.note(format!("{}: {gate}: it has no {}, so this does not hold", stats.log.display(), gate.name()));
        }
        return Exit::Done;
    };
    if !gate.is_met(number) {
        return Exit::Done;
    }
    let failure = CommandFailure {
        exit: Exit::GateMissed,
        message: format!("{}: {gate}: it is {}", stats.log.display(), shown(gate.name(), number)),
        next: None,
    };
    out.failure(&failure.into())
}

/// A number with its unit.
fn shown(name: &str, number: f64) -> String {
    if name.ends_with("_seconds") {
        show_duration(Duration::from_secs_f64(number.clamp(0.0, 1e9)))
    } else if name.ends_with("_bytes") {
        show_bytes(number as u64)
    } else {
        ((number * 1000.0).round() / 1000.0).to_string()
    }
}

/// Stats of nothing, for the names of the numbers.
fn empty() -> Stats {
    Stats {
        log: std::path::PathBuf::new(),
        format: "",
        ours: None,
        live: None,
        scanned: false,
        scope: Scope::default(),
        of_segments: 0,
        verdict: walctl::model::Verdict::Clean,
        unchecked: 0,
        damage: 0,
        counts: ops::report::LogCounts::default(),
        breakdowns: walctl::formats::Breakdowns::default(),
        segments: Vec::new(),
        known_holes: Vec::new(),
        ending: None,
        replay_records: 0,
        replay_bytes: 0,
        scan_rate: None,
        traffic: None,
        now: walctl::model::Time(0),
    }
}
