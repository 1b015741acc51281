//! `walctl rotate`: finish a segment, begin the next, and let old ones go.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::ValueHint;
use serde_json::{Value, json};
use walctl::disk::{Disk, RealDisk};
use walctl::model::{Error, Lsn, Time};
use walctl::native::Kind;
use walctl::ops::{Fate, Position, PruneFacts, PruneRules, archive_segment, plan_prune, prune_facts, remove_segment};
use walctl::writer::{Draft, Options};

use super::append::flags::command_line;
use super::append::open;
use super::args::read_keys;
use super::exit::Exit;
use super::render::out::{Out, usage};
use super::units::{parse_bytes, parse_duration, show_bytes};

const AFTER_HELP: &str = "\
Without a --keep flag or --prune nothing goes. With several, a segment goes only if all of them let it go. Segments go from the oldest \
on, never the active one, and never leave a hole. What lies above the newest checkpoint, holds the beginning of an open transaction or \
is needed by a --pin stays, unless --force is given; each segment that stays says why.";

/// Seal the active segment and begin the next one; let old segments go
#[derive(clap::Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct RotateArgs {
    /// The log's folder
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// Write a checkpoint first: state up to this LSN is safe elsewhere
    #[arg(long, value_name = "LSN")]
    checkpoint: Option<u64>,
    /// Let go what lies below the newest checkpoint
    #[arg(long)]
    prune: bool,
    /// Keep so many sealed segments, and let older ones go
    #[arg(long, value_name = "N")]
    keep_segments: Option<usize>,
    /// Keep so many bytes of sealed segments, and let older ones go
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    keep_bytes: Option<u64>,
    /// Keep what is not older than this, and let the rest go
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    keep_for: Option<Duration>,
    /// Keep what the reader still needs whose position is in this file: as `dump --cursor` writes it, or an LSN
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pin: Vec<PathBuf>,
    /// Copy segments there before they go, and check the copies
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    archive: Option<PathBuf>,
    /// Let segments go although a checkpoint, a transaction or a pin would keep them
    #[arg(long)]
    force: bool,
    /// Change nothing; print the names of the segments that would go, one a line
    #[arg(long)]
    dry_run: bool,
    /// The keys of an encrypted log: 64 hex digits a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    key_file: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &RotateArgs, out: &mut Out) -> anyhow::Result<Exit> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let rules = args.rules(&disk)?;
    if args.archive.is_some() && !rules.any() {
        return Err(usage("--archive is for segments that go: say which with --prune or a --keep flag"));
    }
    if args.dry_run {
        return dry_run(args, &disk, &rules, out);
    }
    let keys = args.key_file.as_deref().map(read_keys).transpose()?.unwrap_or_default();
    let options = Options { create: false, keys, who: command_line(), ..Options::default() };
    let before = last_segment(&disk, &args.dir);
    let log = open(&args.dir, options)?;
    if let Some(lsn) = args.checkpoint {
        let durable = log.durable_lsn();
        if lsn > durable.0 {
            return Err(usage(format!(
                "a checkpoint at LSN {lsn} would speak for records that are not there: the last one is {durable}"
            )));
        }
        log.append(Draft { kind: Kind::Checkpoint, tag: lsn, ..Draft::of(b"") })?;
    }
    let rotated = log.rotate()?;
    let sealed = before.filter(|name| *name != rotated.active);
    let mut facts = prune_facts(&disk, &args.dir)?;
    // The active one is not up for choice.
    facts.pop();
    let fates = plan_prune(&facts, &rules);
    let mut shown = Shown { removed: Vec::new(), kept: Vec::new() };
    for (segment, fate) in facts.iter().zip(&fates) {
        match fate {
            Fate::Goes => {
                let archived =
                    args.archive.as_deref().map(|to| archive_segment(&disk, &args.dir, &segment.file, to)).transpose()?;
                remove_segment(&disk, &args.dir, &segment.file)?;
                shown.removed.push((segment.clone(), archived));
            }
            Fate::Stays(why) => shown.kept.push((segment.file.clone(), why.clone())),
        }
    }
    log.close()?;
    if out.json() {
        shown.json(out, &args.dir, sealed.as_deref(), Some(&rotated.active), false)?;
    } else if !out.quiet() {
        match &sealed {
            Some(name) => writeln!(out, "{}: sealed {name}, active is {}", args.dir.display(), rotated.active)?,
            None => writeln!(out, "{}: nothing to seal, active is {}", args.dir.display(), rotated.active)?,
        }
        shown.text(out, rules.any())?;
    }
    Ok(Exit::Done)
}

/// What went, and what did not.
struct Shown {
    removed: Vec<(PruneFacts, Option<PathBuf>)>,
    kept: Vec<(String, String)>,
}

impl Shown {
    fn text(&self, out: &mut Out, asked: bool) -> std::io::Result<()> {
        for (segment, archived) in &self.removed {
            let lsns = segment.lsns().map_or_else(|| "no records".to_owned(), |lsns| format!("LSN {lsns}"));
            write!(out, "removed {} ({lsns}, {})", segment.file, show_bytes(segment.bytes))?;
            match archived {
                Some(path) => writeln!(out, ", a copy is in {}", path.display())?,
                None => writeln!(out)?,
            }
        }
        for (file, why) in self.kept.iter().filter(|_| asked) {
            writeln!(out, "kept {file}: {why}")?;
        }
        Ok(())
    }

    fn json(&self, out: &mut Out, dir: &Path, sealed: Option<&str>, active: Option<&str>, dry: bool) -> std::io::Result<()> {
        let removed: Vec<Value> = self
            .removed
            .iter()
            .map(|(segment, archived)| {
                let lsns = segment.lsns();
                json!({
                    "file": segment.file,
                    "first_lsn": lsns.map(|l| l.first.0),
                    "last_lsn": lsns.map(|l| l.last.0),
                    "bytes": segment.bytes,
                    "archived": archived.as_ref().map(|path| path.display().to_string()),
                })
            })
            .collect();
        let kept: Vec<Value> = self.kept.iter().map(|(file, why)| json!({ "file": file, "why": why })).collect();
        let log = dir.display().to_string();
        let line = json!({
            "log": log, "dry_run": dry, "sealed": sealed, "active": active, "removed": removed, "kept": kept,
        });
        writeln!(out, "{line}")
    }
}

/// The name of the last segment, if there is any.
fn last_segment(disk: &Arc<dyn Disk>, dir: &Path) -> Option<String> {
    let names = disk.list(dir).ok()?.into_iter().map(|entry| entry.name);
    let last = names.filter(|name| walctl::native::segment_lsn(name).is_some()).max()?;
    // A segment without a frame is not sealed but gone on with.
    let length = disk.look(&dir.join(&last)).ok()??.length;
    (length > walctl::native::HEADER_BYTES).then_some(last)
}

/// Says what would go, as the log stands now.
fn dry_run(args: &RotateArgs, disk: &Arc<dyn Disk>, rules: &PruneRules, out: &mut Out) -> anyhow::Result<Exit> {
    let mut facts = prune_facts(disk, &args.dir)?;
    if facts.is_empty() {
        return Err(Error::NotALog { path: args.dir.clone(), files: 0 }.into());
    }
    // The active one would be sealed, if there is anything in it.
    let active = facts.pop_if(|active| active.last.is_none()).map(|active| active.file);
    let sealed = if active.is_none() { facts.last().map(|last| last.file.clone()) } else { None };
    let rules = PruneRules { checkpoint: args.checkpoint.map(Lsn), ..rules.clone() };
    let mut shown = Shown { removed: Vec::new(), kept: Vec::new() };
    for (segment, fate) in facts.iter().zip(plan_prune(&facts, &rules)) {
        match fate {
            Fate::Goes => shown.removed.push((segment.clone(), None)),
            Fate::Stays(why) => shown.kept.push((segment.file.clone(), why)),
        }
    }
    if out.json() {
        shown.json(out, &args.dir, sealed.as_deref(), active.as_deref(), true)?;
        return Ok(Exit::Done);
    }
    if !out.quiet() {
        for (segment, _) in &shown.removed {
            writeln!(out, "{}", segment.file)?;
        }
        out.flush()?;
    }
    for (file, why) in shown.kept.iter().filter(|_| rules.any()) {
        out.note(format_args!("{file} stays: {why}"));
    }
    Ok(Exit::Done)
}

impl RotateArgs {
    fn rules(&self, disk: &Arc<dyn Disk>) -> anyhow::Result<PruneRules> {
        let pins = self.pin.iter().map(|path| Ok((path.display().to_string(), read_pin(disk, path)?)));
        Ok(PruneRules {
            keep_segments: self.keep_segments,
            keep_bytes: self.keep_bytes,
            keep_for: self.keep_for.map(|span| (span, Time::now())),
            by_checkpoint: self.prune,
            pins: pins.collect::<anyhow::Result<_>>()?,
            checkpoint: None,
            force: self.force,
        })
    }
}

/// The last LSN that a reader has read. A pin that cannot be understood must not be passed over.
fn read_pin(disk: &Arc<dyn Disk>, path: &Path) -> anyhow::Result<Lsn> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the pin {}", path.display()))?;
    if let Ok(lsn) = text.trim().parse() {
        return Ok(Lsn(lsn));
    }
    let position = Position::load(disk.as_ref(), path)?;
    let lsn = position.and_then(|position| position.lsn);
    lsn.ok_or_else(|| usage(format!("{} is neither a position of `dump --cursor` with an LSN nor an LSN", path.display())))
}
