//! Plans of repairs, and what came of them: for people and as JSON.

use std::io::{self, Write};
use walctl::formats::{by_name, numbers_of};
use walctl::model::{Acknowledged, DamageKind, Hole, LsnRange, Time, Verdict};
use walctl::ops::mend::{Cut, CutFile, Help, Obstacle, Plan, Provenance, Undo};
use walctl::ops::report::Report;

use super::content;
use super::escape;
use super::json::Object;
use super::out::{Ink, Out};
use crate::cli::hint::{beside, salvaged_to, show};
use walctl::model::units::count;

/// Text is broken before this column.
const WIDTH: usize = 80;

/// A paragraph in lines that fit; those after the first one are indented.
pub fn paragraph(out: &mut Out, text: &str) -> io::Result<()> {
    let text = escape::line(text);
    let indent = text.len() - text.trim_start().len();
    let mut line = " ".repeat(indent);
    for word in text.split_whitespace() {
        let empty = line.trim().is_empty();
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            line = " ".repeat(indent + 2);
            line.push_str(word);
            continue;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{line}")
}

/// A command to type, on a line of its own: it is pasted, so it is never broken.
fn next(out: &mut Out, command: &str) -> io::Result<()> {
    let line = escape::line(&format!("  next: {command}"));
    writeln!(out, "{line}")
}

fn ink_of(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Clean => Ink::Good,
        Verdict::Torn | Verdict::Suspect => Ink::Warn,
        _ => Ink::Bad,
    }
}

fn lsns(format: &str, range: LsnRange) -> String {
    format!("LSN {}", numbers_of(format).show_range(range))
}

/// What goes, in words.
fn what(cut: &Cut) -> String {
    let has = |kind: DamageKind| cut.kinds.contains(&kind);
    let bytes = count(cut.from.bytes, "byte");
    let noun = match () {
        () if cut.kinds.is_empty() => return bytes,
        () if cut.verdict == Verdict::Suspect => "a frame that is torn or rotten",
        () if cut.verdict > Verdict::Suspect => "damage and of what stands behind it",
        () if has(DamageKind::BrokenBatch) => "an unfinished batch",
        () => "an unfinished record",
    };
    format!("{bytes} of {noun}")
}

/// What was typed, so that the next command keeps it.
#[derive(Clone, Debug, Default)]
pub struct RepairFlags {
    /// The flags that found the log, each with a blank in front.
    pub input: String,
    /// `--accept-suspect`.
    pub suspect: bool,
    /// `--accept-running`.
    pub running: bool,
    /// `--max-cut`, where it is not what it is anyway.
    pub max_cut: Option<u64>,
    /// `--from-dwb`.
    pub from_dwb: bool,
    /// `--at`, which is only typed again to be done.
    pub at: Option<u64>,
    /// `--accept-hole`, likewise.
    pub hole: Option<LsnRange>,
}

impl RepairFlags {
    /// The command that carries it out.
    pub fn command(&self, log: &std::path::Path) -> String {
        let mut line = format!("walctl repair {}{}", show(log), self.input);
        if self.suspect {
            line += " --accept-suspect";
        }
        if self.running {
            line += " --accept-running";
        }
        if let Some(bytes) = self.max_cut {
            line += &format!(" --max-cut {bytes}");
        }
        if self.from_dwb {
            line += " --from-dwb";
        }
        if let Some(at) = self.at {
            line += &format!(" --at {at} --yes");
        }
        if let Some(lsns) = self.hole {
            line += &format!(" --accept-hole {}..{} --yes", lsns.first, lsns.last);
        }
        line
    }
}

/// What a plan would do, or is about to do.
pub fn plan(out: &mut Out, plan: &Plan, report: &Report, typed: &RepairFlags, dry: bool) -> io::Result<()> {
    let log = plan.log.display().to_string();
    if let Some(refusal) = &plan.refusal {
        let verdict = out.paint(ink_of(plan.verdict), plan.verdict);
        let head = format!("{log}: {verdict}; nothing was cut");
        writeln!(out, "{}", if out.colour() { head } else { escape::line(&head) })?;
        paragraph(out, &format!("  {}", refusal.why))?;
        return next(out, &help(plan, typed));
    }
    if plan.cuts.is_empty() {
        let line = escape::line(&format!("{log}: {}; nothing to repair", plan.verdict));
        writeln!(out, "{line}")?;
        return Ok(());
    }
    for cut in &plan.cuts {
        let from = &cut.from;
        if let Some(known) = &cut.hole {
            return hole(out, plan, cut, known, dry);
        }
        let path = cut.path.display();
        let verb = match (from.removed, dry) {
            (true, false) => format!("{path}: removed, {} without a record", count(from.bytes, "byte")),
            (true, true) => format!("{path}: would be removed, {} without a record", count(from.bytes, "byte")),
            (false, false) => format!("{path}: cut at {}, {}", from.offset, what(cut)),
            (false, true) => format!("{path}: would be cut at {}, {}", from.offset, what(cut)),
        };
        let verb = if cut.whole > 0 && from.removed { verb.replace(" without a record", "") } else { verb };
        let in_doubt = from.lsns.map(|range| format!(" ({})", lsns(plan.format, range))).unwrap_or_default();
        paragraph(out, &format!("{verb}{in_doubt}"))?;
        let saved = if dry { "would be saved" } else { "saved" };
        writeln!(out, "  {saved} in {}", escape::line(&cut.saved_as))?;
        if let Some(line) = whole(cut, plan.format) {
            paragraph(out, &line)?;
        }
        if let Some(holds) = cut.holds.as_ref().filter(|holds| holds.records > 0) {
            paragraph(out, &format!("  they hold {}", content::behind_words(holds, plan.format)))?;
        }
        let mut fill = from.fill.len() as u64;
        if let Some(copies) = &cut.restored {
            let verb = if dry { "would be put back there" } else { "put back there" };
            let bytes = count(copies.bytes.len() as u64, "byte");
            paragraph(out, &format!("  {} {verb} from {} ({bytes})", lsns(plan.format, copies.lsns), copies.copy))?;
            fill = copies.fill.len() as u64;
        }
        if fill > 0 {
            let place = if cut.restored.is_some() { "behind it" } else { "there" };
            let text = format!("  {} are written {place}, as {} itself would", count(fill, "byte"), plan.format);
            paragraph(out, &text)?;
        }
    }
    if let Some(cut) = plan.cuts.last().filter(|cut| on_purpose(cut)) {
        let first = cut.whole_lsns.or(cut.from.lsns).map(|range| range.first);
        return first.map_or(Ok(()), |lsn| {
            paragraph(out, &format!("  the next record that is appended gets LSN {} again", numbers_of(plan.format).show(lsn)))
        });
    }
    if dry && report.damage.iter().all(|d| d.verdict() <= Verdict::Suspect) {
        paragraph(out, &format!("  {}", promise(report.acknowledged())))?;
    }
    Ok(())
}

/// A hole that is accepted.
fn hole(out: &mut Out, plan: &Plan, cut: &Cut, known: &Hole, dry: bool) -> io::Result<()> {
    let verb = if dry { "would become" } else { "becomes" };
    let lost = count(known.lsns.count(), "LSN");
    let time = |time: Option<Time>| time.map_or_else(|| "unknown".to_owned(), |time| time.to_string());
    paragraph(out, &format!("{}: LSN {} {verb} a known hole, {lost}", plan.log.display(), known.lsns))?;
    paragraph(out, &format!("  time of the record before it: {}", time(known.before)))?;
    paragraph(out, &format!("  time of the record behind it: {}", time(known.behind)))?;
    let (file, saved) = (escape::line(&cut.from.segment), escape::line(&cut.saved_as));
    let verb = if dry { "would be written" } else { "written" };
    writeln!(out, "  {verb} to {file}; {saved} is for --undo")?;
    paragraph(out, "  if a backup with these records turns up, undo this first, then put the segment back")
}

/// The whole frames that go although nothing is wrong with them.
fn whole(cut: &Cut, format: &str) -> Option<String> {
    let are = if cut.whole == 1 { "is" } else { "are" };
    let frames = count(cut.whole, "whole frame");
    let Some(range) = cut.whole_lsns else {
        // Without numbers they are told by their count.
        let why = match () {
            () if cut.whole == 0 => return None,
            () if cut.verdict > Verdict::Suspect => "for a segment ends where its damage begins",
            () => "for they are part of what has no end",
        };
        return Some(format!("  {frames} {are} removed with it, {why}"));
    };
    if on_purpose(cut) {
        return Some(format!("  {frames} {are} removed ({}), which may have been acknowledged", lsns(format, range)));
    }
    let why = match cut.acknowledged {
        Acknowledged::No => "of the same group, so no sync ever covered them and none of them was acknowledged",
        _ => "nothing proves that they were synced",
    };
    Some(format!("  {frames} {are} removed with it ({}): {why}", lsns(format, range)))
}

/// It was asked for with an LSN.
fn on_purpose(cut: &Cut) -> bool {
    cut.from.at.is_some()
}

/// What is known about promises, in words. Never more than can be proven.
fn promise(acknowledged: Acknowledged) -> &'static str {
    match acknowledged {
        Acknowledged::No => "nothing that is removed was acknowledged",
        Acknowledged::Unknown => "no acknowledged record is known to be missing",
        Acknowledged::Yes => "acknowledged records are lost",
    }
}

/// The next command after a refusal.
fn help(plan: &Plan, typed: &RepairFlags) -> String {
    let log = &plan.log;
    let suspect = typed.suspect || plan.verdict == Verdict::Suspect;
    match plan.refusal.as_ref().map(|r| r.kind) {
        Some(Obstacle::Suspect) => RepairFlags { suspect, ..typed.clone() }.command(log),
        Some(Obstacle::TooMuch(bytes)) => RepairFlags { max_cut: Some(bytes), ..typed.clone() }.command(log),
        Some(Obstacle::NoSuchEnd) => format!("walctl dump {}{}", show(log), typed.input),
        Some(Obstacle::NoCopy) if plan.verdict <= Verdict::Suspect => {
            RepairFlags { from_dwb: false, suspect, ..typed.clone() }.command(log)
        }
        Some(Obstacle::NoSuchHole) => format!("walctl verify {}{}", show(log), typed.input),
        _ => match plan.help {
            Help::Salvage => {
                let target = by_name(plan.format).map_or_else(|| beside(log), |format| salvaged_to(log, format));
                format!("walctl repair {}{} --salvage {}", show(log), typed.input, show(&target))
            }
            Help::AcceptHole(lsns) => accept_hole(&format!("{}{}", show(log), typed.input), lsns),
            Help::Restore => restore(&format!("{}{}", show(log), typed.input)),
        },
    }
}

/// How to accept a hole, which is the last resort: a copy that is put back mends the log.
pub fn accept_hole(log: &str, lsns: LsnRange) -> String {
    format!("if no copy of the segment is left anywhere: walctl repair {log} --accept-hole {}..{} --yes", lsns.first, lsns.last)
}

/// What is left where everything that is there is whole, and the log is another system's.
pub fn restore(log: &str) -> String {
    format!("restore what is missing from a backup or replica; what is there is whole: walctl dump {log}")
}

/// How to do what was only shown.
pub fn do_it(out: &mut Out, command: &str) -> io::Result<()> {
    next(out, command)
}

/// How the log looks now. `lost` says that what was cut had been acknowledged.
pub fn after(out: &mut Out, report: &Report, on_purpose: bool, lost: bool) -> io::Result<()> {
    let range = report.lsns.map(|range| format!(", {}", lsns(report.format, range))).unwrap_or_default();
    let verdict = out.paint(ink_of(report.verdict), report.verdict);
    let promise = match report.damage.is_empty() {
        true if lost => "acknowledged records are lost with what was cut",
        true => "no acknowledged record is known to be missing",
        false => promise(report.acknowledged()),
    };
    let log = escape::line(&report.log.display().to_string());
    writeln!(out, "{log}: {verdict}; {}{range}", count(report.records, "record"))?;
    if on_purpose { Ok(()) } else { writeln!(out, "  {promise}") }
}

/// How to take it back.
pub fn undo_hint(out: &mut Out, plan: &Plan, typed: &RepairFlags) -> io::Result<()> {
    writeln!(out, "  to put it back: walctl repair {}{} --undo", escape::line(&show(&plan.log)), typed.input)
}

/// What an undo does.
pub fn undo(out: &mut Out, plan: &Undo, dry: bool) -> io::Result<()> {
    for cut in &plan.cuts {
        let from = &cut.from;
        let path = plan.dir.join(&from.segment);
        let verb = if dry { "would be put back" } else { "put back" };
        if let Some(lsns) = from.hole {
            let verb = if dry { "would no longer be" } else { "is no longer" };
            paragraph(out, &format!("{}: {} {verb} a known hole", path.display(), self::lsns(&from.format, lsns)))?;
            paragraph(out, &format!("  accepted on {} by walctl {}", from.time, from.version))?;
            continue;
        }
        paragraph(out, &format!("{}: {} {verb} at {}", path.display(), count(from.bytes, "byte"), from.offset))?;
        paragraph(out, &format!("  cut on {} by walctl {}: {}", from.time, from.version, from.why))?;
    }
    Ok(())
}

fn verdict_json(report: &Report) -> Object {
    Object::new()
        .put("verdict", report.verdict.name())
        .put("records", report.records)
        .put("first_lsn", report.first_lsn())
        .put("last_lsn", report.last_lsn())
        .put("damage_count", report.damage.len() as u64 + report.beyond)
}

/// Where bytes that were cut came from; `fill` is in hex.
fn provenance(from: &Provenance, fill: &str) -> Object {
    Object::new()
        .put("file", from.segment.as_str())
        .put("offset", from.offset)
        .put("bytes", from.bytes)
        .put("file_bytes", from.file_bytes)
        .put("file_removed", from.removed)
        .put("fill", fill)
        .put("fill_added", from.added)
        .put("newest_file", from.newest.as_deref())
        .put("hole_first_lsn", from.hole.map(|hole| hole.first))
        .put("hole_last_lsn", from.hole.map(|hole| hole.last))
        .put("crc32", format!("{:08x}", from.sum))
        .put("before_crc32", format!("{:08x}", from.context))
        .put("first_lsn", from.lsns.map(|lsns| lsns.first))
        .put("last_lsn", from.lsns.map(|lsns| lsns.last))
        .put("accepted_to_lsn", from.at)
        .put("why", from.why.as_str())
        .put("format", from.format.as_str())
        .put("repair_number", from.repair)
        .put("step", from.step)
        .put("time", from.time)
        .put("walctl_version", from.version.as_str())
}

fn cut_json(cut: &Cut) -> Object {
    // A whole segment in hex is of no use here; the file that keeps it has the bytes.
    let fill = if cut.from.added { String::new() } else { cut.from.fill_hex() };
    let restored = cut.restored.as_ref();
    let hole = |hole: &Hole| {
        Object::new()
            .put("first_lsn", hole.lsns.first)
            .put("last_lsn", hole.lsns.last)
            .put("time_before", hole.before)
            .put("time_after", hole.behind)
            .put("reason", hole.reason.as_str())
    };
    provenance(&cut.from, &fill)
        .put("saved_as", cut.saved_as.as_str())
        .put("already_saved", cut.saved)
        .put("verdict", cut.verdict.name())
        .put("damage_kinds", cut.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>())
        .put("acknowledged", cut.acknowledged.name())
        .put("whole_frames", cut.whole)
        .put("whole_first_lsn", cut.whole_lsns.map(|lsns| lsns.first))
        .put("whole_last_lsn", cut.whole_lsns.map(|lsns| lsns.last))
        .put("whole_records", cut.holds.as_ref().map(content::behind_json))
        .put("restored_from", restored.map(|restored| restored.copy.as_str()))
        .put("restored_first_lsn", restored.map(|restored| restored.lsns.first))
        .put("restored_last_lsn", restored.map(|restored| restored.lsns.last))
        .put("restored_bytes", restored.map(|restored| restored.bytes.len()))
        .put("accepted_hole", cut.hole.as_ref().map(hole))
}

/// A plan and what came of it, as one object.
pub fn json(
    out: &mut Out,
    plan: &Plan,
    report: &Report,
    typed: &RepairFlags,
    dry: bool,
    after: Option<&Report>,
) -> io::Result<()> {
    let refused = plan
        .refusal
        .as_ref()
        .map(|r| Object::new().put("kind", r.kind.name()).put("why", r.why.as_str()).put("next", help(plan, typed)));
    let object = Object::of("walctl.repair/1")
        .put("log", plan.log.display().to_string())
        .put("format", plan.format)
        .put("dry_run", dry)
        .put("verdict", plan.verdict.name())
        .put("before", verdict_json(report))
        .put("cuts", plan.cuts.iter().map(cut_json).collect::<Vec<_>>())
        .put("refused", refused)
        .put("done", after.is_some() || (plan.refusal.is_none() && plan.cuts.is_empty()))
        .put("after", after.map(verdict_json));
    writeln!(out, "{}", object.end())
}

/// An undo and what came of it, as one object.
pub fn undo_json(out: &mut Out, plan: &Undo, dry: bool, after: Option<&Report>) -> io::Result<()> {
    let cut = |cut: &CutFile| provenance(&cut.from, &cut.from.fill_hex()).put("saved_as", cut.name.as_str());
    let object = Object::of("walctl.undo/1")
        .put("log", plan.log.display().to_string())
        .put("dry_run", dry)
        .put("undone", plan.cuts.iter().map(cut).collect::<Vec<_>>())
        .put("done", after.is_some())
        .put("after", after.map(verdict_json));
    writeln!(out, "{}", object.end())
}
