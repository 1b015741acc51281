//! What repairing a log would do: from a report to a plan.
//!
//! A plan is a value: it is printed, and what is carried out is what was printed. Only a tail that is not known to have been
//! acknowledged is cut. Valid frames that stand after a torn hole go with it: were one of them known to be durable, it would prove
//! that the hole had been synced too, and the hole would be corrupt.

use std::path::PathBuf;

use super::accept::{Help, help_for_all, plan_hole};
use super::cutfile::{self, CutFile, Provenance};
use super::describe::{describe, each_frame};
use crate::formats::{Mend, Restored, Want};
use crate::model::{Acknowledged, Damage, DamageKind, Error, Hole, Look, Lsn, LsnRange, Place, Record, Result, Time, Verdict};
use crate::ops::open::Input;
use crate::ops::report::{Report, WholeBehind};

/// How much may be cut unless the caller says otherwise: what one group can be, and one long record that begins in it.
pub const MAX_CUT: u64 = 16 << 20;

/// What may be cut.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    /// Tails that may be torn or rotten.
    pub suspect: bool,
    /// No more than this many bytes.
    pub max_cut: u64,
    /// Everything after this LSN, on purpose.
    pub at: Option<Lsn>,
    /// Put back what copies beside the log hold of the torn end; without a copy nothing is cut.
    pub from_copies: bool,
    /// Nothing is cut: these LSNs become a known hole, known since that moment.
    pub hole: Option<(LsnRange, Time)>,
}

impl Default for Permit {
    fn default() -> Self {
        Permit { suspect: false, max_cut: MAX_CUT, at: None, from_copies: false, hole: None }
    }
}

/// What repairing a log would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The log, as the user named it.
    pub log: PathBuf,
    /// The folder of its segments.
    pub dir: PathBuf,
    /// The name of its format.
    pub format: &'static str,
    /// What was found, at its worst.
    pub verdict: Verdict,
    /// What to cut, in this order. Empty when there is nothing to do, or when it must not be done.
    pub cuts: Vec<Cut>,
    /// Why it must not be done.
    pub refusal: Option<Refusal>,
    /// What helps against damage that no cut mends.
    pub help: Help,
}

/// One cut: where, how much, why, and where the bytes are kept.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The segment's file.
    pub path: PathBuf,
    /// All that is kept about it.
    pub from: Provenance,
    /// The kinds of damage that it takes away.
    pub kinds: Vec<DamageKind>,
    /// What they mean.
    pub verdict: Verdict,
    /// Whether what is removed had been acknowledged.
    pub acknowledged: Acknowledged,
    /// Whole frames that go although nothing is wrong with them, and their LSNs.
    pub whole: u64,
    /// See `whole`.
    pub whole_lsns: Option<LsnRange>,
    /// What these records hold, of a log of another system.
    pub holds: Option<WholeBehind>,
    /// The name of the file that keeps the bytes.
    pub saved_as: String,
    /// That file is there already: an earlier repair was interrupted between saving and cutting.
    pub saved: bool,
    /// What is put back from copies, at the cut; it is a part of what is filled in.
    pub restored: Option<Restored>,
    /// Nothing goes: this becomes a known hole.
    pub hole: Option<Hole>,
    /// For a segment that is added: the file whose permissions it gets.
    pub like: Option<PathBuf>,
}

/// Why a log must not be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What stands against it.
    pub kind: Obstacle,
    /// In words.
    pub why: String,
}

/// What stands against a cut, and so what helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Damage that no cut mends.
    Damage,
    /// A suspect tail, and the permit does not accept one.
    Suspect,
    /// It would cut this many bytes, more than may be cut.
    TooMuch(u64),
    /// The format's own system would not drop the same bytes.
    Format,
    /// The LSN to cut at is not one that a log can end with.
    NoSuchEnd,
    /// No copy holds what is torn.
    NoCopy,
    /// Those LSNs are no hole, or something stands in it.
    NoSuchHole,
}

impl Obstacle {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Obstacle::Damage => "damage",
            Obstacle::Suspect => "suspect",
            Obstacle::TooMuch(_) => "max-cut",
            Obstacle::Format => "format",
            Obstacle::NoSuchEnd => "no-such-end",
            Obstacle::NoCopy => "no-copy",
            Obstacle::NoSuchHole => "no-such-hole",
        }
    }
}

/// What a report asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Nothing,
    /// Nothing that may be done.
    Refuse(Refusal),
    /// To cut the segment with this index at this offset.
    Cut(usize, u64),
    /// To remove the segment with this index.
    Remove(usize),
}

fn refuse(kind: Obstacle, why: impl Into<String>) -> Decision {
    Decision::Refuse(Refusal { kind, why: why.into() })
}

/// What to do about a log, from what was found in it.
#[must_use]
pub fn decide(input: &Input, report: &Report, permit: &Permit) -> Decision {
    let ours = input.format.ours.is_some();
    let Some(worst) = report.damage.iter().max_by_key(|d| d.verdict()) else { return Decision::Nothing };
    let verdict = worst.verdict();
    if let Some(cut) = decide_each(input, report).and_then(|cuts| cuts.into_iter().next()) {
        return cut;
    }
    if verdict > Verdict::Suspect {
        return refuse(Obstacle::Damage, reason(report, worst));
    }
    // Other systems make files ahead: after the end of the data there may be some without any content, which prove nothing.
    let filled = report.summaries.iter().rposition(|s| !s.blank).filter(|_| !ours);
    let last = filled.unwrap_or(report.segments.len().saturating_sub(1));
    if let Some(inner) = report.damage.iter().find(|d| d.span.place.segment.index() != last) {
        return refuse(Obstacle::Damage, format!("{}: {verdict}, and not at the end of the log", place(report, inner)));
    }
    if report.beyond > 0 {
        return refuse(Obstacle::Damage, "there is more damage than can be described one by one");
    }
    let start = report.damage.iter().map(|d| d.span.start()).min();
    let at = input.source.segments.get(last).zip(start).map(|(segment, offset)| Place { segment: segment.id, offset });
    let mend = at.map(|at| input.format.mend_at(&input.source, &report.summaries, at));
    if let Some(Mend::Refuse(why)) = mend {
        // What the system itself would do instead, with the places that it goes by.
        let itself = report.recovery.as_ref().map_or_else(String::new, |words| format!("; if it is opened now: {words}"));
        return refuse(Obstacle::Format, format!("{why}{itself}"));
    }
    // A hole has no bytes that could be cut.
    if let Some(hole) = report.damage.iter().find(|d| d.facts.look == Look::Skipped) {
        return refuse(Obstacle::Damage, format!("{}: {}", place(report, hole), hole.found));
    }
    let suspect = report.damage.iter().find(|d| d.verdict() == Verdict::Suspect);
    if let Some(damage) = suspect.filter(|_| !permit.suspect) {
        return refuse(Obstacle::Suspect, format!("{}: {}", place(report, damage), Verdict::Suspect.words()));
    }
    let whole = report.summaries.get(last).is_some_and(|s| s.frames > 0);
    let header = report.damage.iter().find(|d| matches!(d.kind, DamageKind::BadHeader | DamageKind::UnfinishedSegment));
    match header {
        Some(damage) if whole => {
            refuse(Obstacle::Damage, format!("{}: the header is damaged, and frames after it are whole", place(report, damage)))
        }
        Some(_) if ours => Decision::Remove(last),
        _ => match if let Some(Mend::CutBack(earlier)) = mend { Some(earlier) } else { start } {
            Some(offset) => Decision::Cut(last, offset),
            None => Decision::Nothing,
        },
    }
}

/// The cuts of all damaged segments, newest first, where the format allows any of them: its system would drop more. `None` where some damage
/// has no bytes that could be cut.
fn decide_each(input: &Input, report: &Report) -> Option<Vec<Decision>> {
    let cut = |index: usize| {
        let segment = input.source.segments.get(index)?;
        let of_it = || report.damage.iter().filter(|d| d.span.place.segment == segment.id);
        let offset = of_it().map(|d| d.span.start()).min()?;
        let at = Place { segment: segment.id, offset };
        let whole = of_it().any(|d| d.span.length == 0 || d.verdict() == Verdict::Unreadable);
        Some(match input.format.mend_at(&input.source, &report.summaries, at) {
            Mend::CutEach if !whole => Some(Decision::Cut(index, offset)),
            _ => None,
        })
    };
    let cuts: Option<Vec<Decision>> = (0..report.segments.len()).rev().filter_map(cut).collect();
    cuts.filter(|cuts| !cuts.is_empty() && report.beyond == 0)
}

/// Whether a repair that may also cut suspect tails would cut anything: where it would refuse, it is no advice.
#[must_use]
pub fn can_cut(input: &Input, report: &Report) -> bool {
    let permit = Permit { suspect: true, ..Permit::default() };
    matches!(decide(input, report, &permit), Decision::Cut(..) | Decision::Remove(_))
}

/// A cut that an LSN asks for, unless the format refuses it.
fn cut_if_allowed(input: &Input, report: &Report, index: usize, offset: u64) -> Decision {
    let place = input.source.segments.get(index).map(|segment| Place { segment: segment.id, offset });
    match place.map(|at| input.format.mend_at(&input.source, &report.summaries, at)) {
        Some(Mend::Refuse(why)) => refuse(Obstacle::Format, why),
        _ => Decision::Cut(index, offset),
    }
}

fn place(report: &Report, damage: &Damage) -> String {
    let file = report.segments.get(damage.span.place.segment.index()).map_or("", |s| s.file.as_str());
    format!("{file}:{}", damage.span.start())
}

fn reason(report: &Report, damage: &Damage) -> String {
    let because = match damage.facts.proof {
        Some(proof) => proof.to_string(),
        None => damage.verdict().words().to_owned(),
    };
    format!("{}: {}, {}: {because}", place(report, damage), damage.verdict(), damage.kind)
}

/// Works out what repairing a log would do. Reads, and writes nothing.
pub fn plan(input: &Input, report: &Report, permit: &Permit) -> Result<Plan> {
    let source = &input.source;
    let mut plan = Plan {
        log: report.log.clone(),
        dir: source.dir.clone(),
        format: report.format,
        verdict: report.verdict,
        cuts: Vec::new(),
        refusal: None,
        help: help_for_all(input, report),
    };
    let taken = cutfile::names(&source.disk, &source.dir)?;
    let known: Vec<CutFile> = taken.iter().filter_map(|n| CutFile::read(&source.disk, &source.dir, n).ok()?.ok()).collect();
    let repair = known.iter().map(|c| c.from.repair).max().unwrap_or(0) + 1;
    let ours = input.format.ours.is_some();
    if let Some((lsns, since)) = permit.hole {
        plan_hole(input, report, permit, lsns, since, &mut plan)?;
        for cut in &mut plan.cuts {
            cut.from.repair = repair;
            keep_where(cut, ours, &known, &taken);
        }
        return Ok(plan);
    }
    let mut restored = None;
    let decisions = match permit.at {
        Some(at) => decide_at(input, report, ours, at)?,
        None if permit.from_copies => {
            let (decision, copies) = decide_from_copies(input, report, permit)?;
            restored = copies;
            vec![decision]
        }
        None => decide_each(input, report).unwrap_or_else(|| vec![decide(input, report, permit)]),
    };
    for decision in decisions {
        let (index, offset, removed) = match decision {
            Decision::Nothing => continue,
            Decision::Refuse(refusal) => {
                plan.cuts.clear();
                plan.refusal = Some(refusal);
                break;
            }
            Decision::Cut(index, offset) => (index, offset, false),
            Decision::Remove(index) => (index, 0, true),
        };
        let step = plan.cuts.len() as u64;
        let mut cut = describe(input, report, (index, offset, removed), permit)?;
        (cut.from.repair, cut.from.step) = (repair, step);
        if let Some(copies) = restored.take() {
            cut.from.fill = [copies.bytes.as_slice(), &copies.fill].concat();
            cut.from.why = format!("{}; LSN {} was put back from {}", cut.from.why, copies.lsns, copies.copy);
            cut.restored = Some(copies);
        }
        if permit.at.is_none() && cut.from.bytes > permit.max_cut {
            let place = format!("{}:{offset}", cut.from.segment);
            let why = format!("{place}: {} bytes would go, and at most {} may", cut.from.bytes, permit.max_cut);
            plan.refusal = Some(Refusal { kind: Obstacle::TooMuch(cut.from.bytes), why });
            break;
        }
        keep_where(&mut cut, ours, &known, &taken);
        plan.cuts.push(cut);
    }
    Ok(plan)
}

/// Says in which file the bytes of a cut are kept. A repair that was interrupted after this point has saved the same bytes: they are
/// used, not saved twice.
fn keep_where(cut: &mut Cut, ours: bool, known: &[CutFile], taken: &[String]) {
    match known.iter().find(|c| c.from.same_bytes(&cut.from)) {
        Some(saved) => {
            (cut.saved_as, cut.saved) = (saved.name.clone(), true);
            cut.from = saved.from.clone();
        }
        None => cut.saved_as = cutfile::free_name(taken, ours, &cut.from.segment, cut.from.offset),
    }
}

/// As `decide`, and what replaces the torn end. A suspect end whose bytes are all replaced needs no further permission: nothing is
/// lost with it.
fn decide_from_copies(input: &Input, report: &Report, permit: &Permit) -> Result<(Decision, Option<Restored>)> {
    let Some(restore) = input.format.restore else {
        let why = format!("{} keeps no copies of its records beside a log", input.format.title);
        return Ok((refuse(Obstacle::NoCopy, why), None));
    };
    let (index, offset) = match decide(input, report, &Permit { suspect: true, ..*permit }) {
        Decision::Cut(index, offset) => (index, offset),
        other => return Ok((other, None)),
    };
    let segment = input.source.segments.get(index).ok_or(Error::Interrupted)?;
    let Some(copies) = restore(&input.source, segment, &report.damage)?.filter(|copies| copies.offset == offset) else {
        let why = format!("{}:{offset}: no whole copy of what is torn there lies beside the segment", segment.name);
        return Ok((refuse(Obstacle::NoCopy, why), None));
    };
    let end = copies.offset + copies.bytes.len() as u64;
    let whole = report.damage.iter().all(|d| d.span.end() <= end);
    match decide(input, report, &Permit { suspect: permit.suspect || whole, ..*permit }) {
        cut @ Decision::Cut(..) => Ok((cut, Some(copies))),
        other => Ok((other, None)),
    }
}

/// Everything after an LSN: the segments after it are removed, newest first, and the one that holds it is cut.
fn decide_at(input: &Input, report: &Report, ours: bool, at: Lsn) -> Result<Vec<Decision>> {
    if let Some(why) = input.format.mending.never() {
        return Ok(vec![refuse(Obstacle::Format, why)]);
    }
    let begins = |index: usize| report.summaries.get(index).and_then(|s| s.lsns.map(|l| l.first).or(s.begins));
    let Some(index) = (0..report.segments.len()).rev().find(|i| begins(*i).is_some_and(|first| first <= at)) else {
        return Ok(vec![refuse(Obstacle::NoSuchEnd, format!("LSN {at} lies before everything that the log holds"))]);
    };
    let segment = &input.source.segments[index];
    let (mut end, mut inside, mut behind, mut found) = (None, None, false, false);
    // In other systems' logs only what a frame is to the system itself: padding may bear any number, or none.
    let counts = |record: &Record<'_>| if ours { !record.is_control() } else { record.is_data() };
    each_frame(input, segment, Want { frames: ours, ..Want::default() }, &mut |record| {
        let Some(lsns) = record.lsns().filter(|_| counts(record)) else { return };
        if lsns.first > at {
            behind = true;
        } else {
            found |= lsns.contains(at);
            end = Some(record.span.end());
        }
    })?;
    let mut frame = None;
    each_frame(input, segment, Want::default(), &mut |record| {
        let Some(lsns) = record.lsns().filter(|_| counts(record)) else { return };
        // Records that share a frame stand or fall together.
        let shared = frame.filter(|(start, _)| *start == record.span.start()).map(|(_, first)| first);
        frame = Some((record.span.start(), shared.unwrap_or(lsns.first)));
        let first = record.batch.or(shared).unwrap_or(lsns.first);
        if (lsns.contains(at) && lsns.last > at) || (lsns.first > at && first <= at) {
            inside = Some(first);
        }
    })?;
    // The padding of the last frame may be missing.
    let end = end.map(|end: u64| end.min(report.segments[index].file_bytes));
    let header = |d: &&Damage| d.kind == DamageKind::BadHeader && d.span.place.segment == segment.id;
    if let Some(damage) = report.damage.iter().find(header) {
        let why = "the header is damaged, and the frames that would go help to read those that would stay";
        return Ok(vec![refuse(Obstacle::Damage, format!("{}: {why}", place(report, damage)))]);
    }
    let later = index + 1 < report.segments.len();
    if let Some(first) = inside {
        let why = match first.before().filter(|b| b.0 > 0) {
            Some(before) => format!("LSN {at} lies inside a batch or record that begins with {first}; {before} is an end"),
            None => format!("LSN {at} lies inside a batch or record that begins with {first}"),
        };
        return Ok(vec![refuse(Obstacle::NoSuchEnd, why)]);
    }
    if !found && (behind || later || !report.damage.is_empty()) {
        let why = format!("LSN {at} is not in the log, so there is no telling where it ends");
        return Ok(vec![refuse(Obstacle::NoSuchEnd, why)]);
    }
    let hurt = |d: &Damage| d.span.place.segment == segment.id && end.is_some_and(|end| d.span.start() >= end);
    let mut decisions: Vec<Decision> = (index + 1..report.segments.len()).rev().map(Decision::Remove).collect();
    match end {
        Some(end) if behind || later || report.damage.iter().any(hurt) => {
            decisions.push(cut_if_allowed(input, report, index, end));
        }
        _ => {}
    }
    if !ours && decisions.iter().any(|d| matches!(d, Decision::Remove(_))) {
        return Ok(vec![refuse(Obstacle::Format, "whole segments would go, and only walctl's own logs are cut that far")]);
    }
    Ok(decisions)
}
