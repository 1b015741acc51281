//! `walctl repair`: cut a torn tail, put it back, or salvage what is valid.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueHint;
use walctl::disk::Disk;
use walctl::model::{Acknowledged, Error, Lsn, LsnRange, Time, Verdict};
use walctl::ops;
use walctl::ops::mend::{MAX_CUT, Permit, Plan, Undo};

use super::args::{InputArgs, LoadArgs, ScopeArgs};
use super::below;
use super::exit::{CommandFailure, Exit, usage};
use super::hint::show;
use super::hold::Hold;
use super::place;
use super::render::mend::{self, RepairFlags};
use super::render::out::Out;
use super::verify_with_bar::{Effort, UNCHANGED, verify_with_bar};
use walctl::model::units::parse_bytes;

/// Cut torn tails after saving their bytes, or salvage what is valid
///
/// repair checks the log, prints its plan, saves every byte that it will remove in a file beside the segment, cuts, and checks again.
/// It cuts only tails that are not known to have been acknowledged; anything worse it refuses, and names what helps. --undo puts the
/// newest cut back, byte for byte.
///
/// --salvage takes --lsn, --since and --until: then only such records are copied, and the rest of the log is neither copied nor counted
/// as lost. A check reads several segments at once (--jobs); what is salvaged is copied by one thread.
#[derive(clap::Args, Debug)]
#[command(mut_arg("paths", |arg| arg.help("A log's folder, or a segment file")))]
#[command(mut_args(|arg| match arg.get_id().as_str() {
    "lsn" | "since" | "until" | "local" => arg.requires("salvage"),
    _ => arg,
}))]
pub struct RepairArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    load: LoadArgs,
    /// Print the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Also cut a tail that may be torn or rotten: nothing in the log can decide which
    #[arg(long)]
    accept_suspect: bool,
    /// Mend another system's log although a process has it open or locked
    ///
    /// Without this flag repair refuses and ends with 5. What that process writes meanwhile can be lost. repair does not see processes
    /// that this user may not inspect, nor processes on another machine.
    #[arg(long, conflicts_with = "salvage")]
    accept_running: bool,
    /// Refuse to cut more than this from a segment
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, default_value = MOST)]
    max_cut: u64,
    /// Cut everything after this LSN, on purpose; the removed LSNs are assigned again
    #[arg(long, value_name = "LSN", conflicts_with_all = ["undo", "salvage"])]
    at: Option<u64>,
    /// Accept that these records are gone for good (41..60): write a known hole, which verify reports and calls clean
    #[arg(long, value_name = "RANGE", value_parser = parse_hole, conflicts_with_all = ["at", "undo", "salvage", "accept_suspect", "from_dwb"])]
    accept_hole: Option<LsnRange>,
    /// Confirm --at or --accept-hole; nothing else asks
    #[arg(long)]
    yes: bool,
    /// Restore a torn end from nodedb's double-write file, and cut only what that file does not hold
    #[arg(long, conflicts_with_all = ["at", "undo", "salvage"])]
    from_dwb: bool,
    /// Put back the cuts of the newest repair, unless something was written behind them since
    ///
    /// A known hole that --accept-hole wrote is taken back at any time, for nothing is written where it stands.
    #[arg(long, conflicts_with_all = ["accept_suspect", "salvage"])]
    undo: bool,
    /// Copy everything valid into a new log in this folder; the old log is not changed
    #[arg(long, value_name = "OUT", value_hint = ValueHint::DirPath)]
    salvage: Option<PathBuf>,
}

/// The default of --max-cut.
const MOST: &str = "16MiB";

/// LSNs as `A..B`, `A-B` as reports print them, or one of them.
fn parse_hole(text: &str) -> Result<LsnRange, String> {
    let (first, last) = text.split_once("..").or_else(|| text.split_once('-')).unwrap_or((text, text));
    let number = |text: &str| text.strip_prefix('=').unwrap_or(text).parse().map(Lsn).map_err(|_| format!("`{text}` is no LSN"));
    LsnRange::new(number(first)?, number(last)?).ok_or_else(|| "the first LSN lies above the last".to_owned())
}

/// Runs the command.
pub fn run(args: &RepairArgs, out: &mut Out) -> anyhow::Result<Exit> {
    if args.input.lists() {
        super::render::formats::show(out)?;
        return Ok(Exit::Done);
    }
    let paths = args.input.paths()?;
    args.scope.check()?;
    if paths.iter().any(|path| path.as_os_str() == "-") {
        return Err(usage("standard input cannot be mended; name the log's folder"));
    }
    paths.iter().chain(&args.salvage).try_for_each(|path| place::here(path, "repair"))?;
    let choice = args.input.choice()?;
    let mut exit = Exit::Done;
    for path in paths {
        let logs = match below::open_to_mend(&args.input, path, &choice) {
            Ok(logs) => logs,
            Err(error) => {
                exit = exit.or_worse(out.failure(&error));
                continue;
            }
        };
        if args.salvage.is_some() && (paths.len() > 1 || logs.len() > 1) {
            let first = logs.first().map_or(path.as_path(), |log| &log.source.path);
            let next = args
                .salvage
                .as_ref()
                .map(|target| format!("walctl repair {}{} --salvage {}", show(first), args.input.typed(), show(target)));
            let message = "--salvage makes one log from one log; name each alone, with a folder of its own".into();
            return Err(CommandFailure { exit: Exit::Usage, message, next }.into());
        }
        for log in logs {
            if let Err(error) = args.input.check_keys(&log) {
                exit = exit.or_worse(out.failure(&error.into()));
                continue;
            }
            let ended = match &args.salvage {
                Some(target) => {
                    let (load, dry) = (Effort::from(&args.load), args.dry_run);
                    super::salvage::SalvageOf { log: &log, target, scope: &args.scope, typed: &args.input.typed(), load, dry }
                        .run(out)
                }
                None => Job { args, choice: &choice }.run(log, out),
            };
            exit = exit.or_worse(ended.unwrap_or_else(|error| out.failure(&error)));
        }
    }
    Ok(exit)
}

struct Job<'a> {
    args: &'a RepairArgs,
    choice: &'a ops::open::Choice,
}

impl Job<'_> {
    fn run(&self, input: ops::open::Input, out: &mut Out) -> anyhow::Result<Exit> {
        if input.source.alone && input.format.ours.is_some() {
            let dir = if input.source.dir.as_os_str().is_empty() { Path::new(".") } else { &input.source.dir };
            return Err(CommandFailure {
                exit: Exit::Usage,
                message: format!("{} is one segment of a log; a log is mended as a whole", input.source.path.display()),
                next: Some(format!("walctl repair {}", show(dir))),
            }
            .into());
        }
        let disk = input.source.disk.clone();
        let hold = Hold::take(&disk, &input, self.args.dry_run, self.args.accept_running)?;
        // What was there before the lock was taken may have changed until then.
        let input = self.reopen(&input)?;
        let ended = if self.args.undo { self.undo(&disk, &input, out) } else { self.mend(&disk, &input, out) };
        drop(hold);
        ended
    }

    fn reopen(&self, input: &ops::open::Input) -> anyhow::Result<ops::open::Input> {
        let choice = ops::open::Choice { format: Some(input.format), ..self.choice.clone() };
        let again = ops::open::open(&input.source.disk, &input.source.path, &choice)?;
        let same = again.into_iter().find(|again| again.source.path == input.source.path);
        Ok(same.ok_or_else(|| Error::NotALog { path: input.source.path.clone(), files: 0 })?)
    }

    fn mend(&self, disk: &Arc<dyn Disk>, input: &ops::open::Input, out: &mut Out) -> anyhow::Result<Exit> {
        let args = self.args;
        let permit = Permit {
            suspect: args.accept_suspect,
            max_cut: args.max_cut,
            at: args.at.map(Lsn),
            from_copies: args.from_dwb,
            hole: args.accept_hole.map(|lsns| (lsns, Time::now())),
        };
        let report = verify_with_bar(input, self.load(), UNCHANGED, out)?;
        let plan = ops::mend::plan(input, &report, &permit)?;
        let dry = args.dry_run || (self.asks() && !args.yes);
        if !out.json() && !out.quiet() {
            let typed = self.typed();
            let mut said = mend::plan(out, &plan, &report, &typed, dry);
            if args.dry_run && !plan.cuts.is_empty() {
                said = said.and_then(|()| mend::do_it(out, &typed.command(&plan.log)));
            }
            // The plan is seen before it is carried out, whatever happens then.
            let said = said.and_then(|()| out.flush());
            out.heard(said)?;
        }
        if plan.refusal.is_some() || plan.cuts.is_empty() || dry {
            if out.json() && !out.quiet() {
                let said = mend::json(out, &plan, &report, &self.typed(), dry, None);
                out.heard(said)?;
            }
            return self.not_done(&plan);
        }
        ops::mend::carry_out(disk, &plan).map_err(write_failed)?;
        let left = "what was cut is saved beside its segment, and the log was not checked again";
        let after = verify_with_bar(&self.reopen(input)?, self.load(), left, out)?;
        if out.quiet() {
            // The exit code tells.
        } else if out.json() {
            let said = mend::json(out, &plan, &report, &self.typed(), dry, Some(&after));
            out.heard(said)?;
        } else {
            let lost = |cut: &ops::mend::Cut| cut.hole.is_none() && cut.acknowledged == Acknowledged::Yes;
            let mut said = mend::after(out, &after, self.asks(), plan.cuts.iter().any(lost));
            if after.verdict != Verdict::Clean {
                said = said
                    .and_then(|()| mend::do_it(out, &format!("walctl verify {}{}", show(&plan.log), self.args.input.typed())));
            }
            let said = said.and_then(|()| mend::undo_hint(out, &plan, &self.typed()));
            out.heard(said)?;
        }
        Ok(Exit::from(after.verdict))
    }

    fn load(&self) -> Effort {
        Effort::from(&self.args.load)
    }

    fn typed(&self) -> RepairFlags {
        let args = self.args;
        RepairFlags {
            input: args.input.typed(),
            suspect: args.accept_suspect,
            running: args.accept_running,
            max_cut: Some(args.max_cut).filter(|bytes| *bytes != MAX_CUT),
            from_dwb: args.from_dwb,
            at: args.at,
            hole: args.accept_hole,
        }
    }

    /// Whether what is asked for is only done with `--yes`.
    fn asks(&self) -> bool {
        self.args.at.is_some() || self.args.accept_hole.is_some()
    }

    fn not_done(&self, plan: &Plan) -> anyhow::Result<Exit> {
        if let Some(refusal) = &plan.refusal {
            let helpless = matches!(refusal.kind, ops::mend::Obstacle::NoSuchEnd | ops::mend::Obstacle::NoSuchHole);
            return Ok(if helpless { Exit::Failed } else { Exit::from(plan.verdict) });
        }
        if !plan.cuts.is_empty() && self.asks() && !self.args.yes && !self.args.dry_run {
            let message = match self.args.accept_hole {
                Some(lsns) => format!("LSN {lsns} would be given up for good; nothing was written"),
                None => "--at drops records that were acknowledged; nothing was cut".into(),
            };
            return Err(CommandFailure {
                exit: Exit::Usage,
                message,
                next: Some(format!("if that is what you want: {}", self.typed().command(&plan.log))),
            }
            .into());
        }
        Ok(Exit::from(plan.verdict))
    }

    fn undo(&self, disk: &Arc<dyn Disk>, input: &ops::open::Input, out: &mut Out) -> anyhow::Result<Exit> {
        let plan: Undo = ops::mend::plan_undo(input)?;
        let dry = self.args.dry_run;
        if !out.json() && !out.quiet() {
            let mut said = mend::undo(out, &plan, dry);
            if dry {
                let again = format!("walctl repair {}{} --undo", show(&plan.log), self.args.input.typed());
                said = said.and_then(|()| mend::do_it(out, &again));
            }
            let said = said.and_then(|()| out.flush());
            out.heard(said)?;
        }
        let mut after = None;
        if !dry {
            ops::mend::undo(disk, &plan).map_err(write_failed)?;
            let left = "what was cut is back, and the log was not checked again";
            after = Some(verify_with_bar(&self.reopen(input)?, self.load(), left, out)?);
        }
        if out.quiet() {
            // The exit code tells.
        } else if out.json() {
            let said = mend::undo_json(out, &plan, dry, after.as_ref());
            out.heard(said)?;
        } else if let Some(after) = &after {
            let mut said = mend::after(out, after, false, false);
            if after.verdict != Verdict::Clean {
                let look = format!("walctl verify {}{}", show(&plan.log), self.args.input.typed());
                said = said.and_then(|()| mend::do_it(out, &look));
            }
            out.heard(said)?;
        }
        // What was asked for is done; that the tail is torn again is what was asked for.
        Ok(Exit::Done)
    }
}

/// A write that failed has its own exit code, and nothing that was saved is lost. What was announced must not be taken for done.
fn write_failed(error: Error) -> anyhow::Error {
    if matches!(error, Error::Refused { .. } | Error::Corrupt { .. } | Error::Interrupted) {
        return error.into();
    }
    let failed = matches!(&error, Error::Io { doing, .. } if !matches!(*doing, "open" | "read" | "look at" | "list"));
    let message = format!("{error}; not all that was planned is done, and every byte is still in the log or in a saved cut");
    let next = super::hint::for_error("repair", &error.into());
    let next = match next {
        Some(next) => format!("{next}; then run the same command again"),
        None => "mend what is wrong with the disk, then run the same command again".into(),
    };
    CommandFailure { exit: if failed { Exit::WriteFailed } else { Exit::Failed }, message, next: Some(next) }.into()
}
