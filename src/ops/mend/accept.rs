//! Accepting a hole: LSNs that are gone for good become known to be gone, so that the log is clean again and still says what it lacks.
//!
//! No byte of the log is rewritten. A segment is added, named after the first LSN that is gone; it holds a Hole frame and a Seal. Where
//! that name is taken by a segment without a record, the Hole is added at the end of that one.

use super::cutfile::Provenance;
use super::describe::{describe, each_frame};
use super::repair::{Cut, Obstacle, Permit, Plan, Refusal};
use crate::disk::Segment;
use crate::formats::{HoleSite, Want};
use crate::model::{Acknowledged, Damage, DamageKind, Hole, HoleOrigin, Look, LsnRange, Result, Time, Verdict};
use crate::ops::open::Input;
use crate::ops::report::Report;

/// What helps against damage that no cut mends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// Salvage: there is something that it can keep.
    Salvage,
    /// Accepting the hole, if no backup has what is gone: everything that is there is whole, and salvage would only copy it.
    AcceptHole(LsnRange),
    /// Only a backup or replica: everything that is there is whole, and the log is another system's.
    Restore,
}

/// What helps against one piece of damage.
#[must_use]
pub fn help_for(input: &Input, damage: &Damage) -> Help {
    if damage.facts.look != Look::Absent {
        return Help::Salvage;
    }
    if input.format.ours.is_none() {
        return Help::Restore;
    }
    // Within a segment there is no room for a Hole; a salvaged log has it.
    match damage.doubt.filter(|lsns| between(input, damage, *lsns).is_some()) {
        Some(lsns) => Help::AcceptHole(lsns),
        None => Help::Salvage,
    }
}

/// What helps against all of it: salvage if it gains anything, else what is first.
pub(super) fn help_for_all(input: &Input, report: &Report) -> Help {
    let all: Vec<Help> =
        report.damage.iter().filter(|d| d.verdict() > Verdict::Suspect).map(|damage| help_for(input, damage)).collect();
    if all.contains(&Help::Salvage) { Help::Salvage } else { all.first().copied().unwrap_or(Help::Salvage) }
}

/// The segments around a hole that can be accepted.
fn between<'i>(input: &'i Input, damage: &Damage, lsns: LsnRange) -> Option<(&'i Segment, &'i Segment)> {
    if damage.kind != DamageKind::MissingSegment || input.source.alone {
        return None;
    }
    let index = damage.span.place.segment.index();
    let (before, behind) = (input.source.segments.get(index)?, input.source.segments.get(index + 1)?);
    // The Hole is found by its name: it must lie between theirs.
    let fits = before.sequence <= lsns.first.0 && behind.sequence == lsns.last.next().0;
    fits.then_some((before, behind))
}

/// Works out what accepting a hole would do.
pub(super) fn plan_hole(
    input: &Input,
    report: &Report,
    permit: &Permit,
    lsns: LsnRange,
    since: Time,
    plan: &mut Plan,
) -> Result<()> {
    let mut refuse = |kind, why| plan.refusal = Some(Refusal { kind, why });
    let Some(ours) = input.format.ours else {
        refuse(Obstacle::Format, "a known hole is a frame of walctl's own logs, and other systems do not know it".into());
        return Ok(());
    };
    if report.known_holes.iter().any(|known| known.hole.lsns == lsns) {
        return Ok(());
    }
    let holes = report.damage.iter().filter_map(|damage| match help_for(input, damage) {
        Help::AcceptHole(lsns) => Some((damage, lsns)),
        _ => None,
    });
    let holes: Vec<(&Damage, LsnRange)> = holes.collect();
    let Some((damage, _)) = holes.iter().find(|(_, found)| *found == lsns) else {
        refuse(Obstacle::NoSuchHole, no_such_hole(report, lsns, &holes));
        return Ok(());
    };
    let Some((before, behind)) = between(input, damage, lsns) else { return Ok(()) };
    let index = before.id.index();
    let found = |segment: &Segment| report.summaries.get(segment.id.index());
    let (Some(found_before), Some(found_behind)) = (found(before), found(behind)) else { return Ok(()) };
    let hole = Hole {
        lsns,
        origin: HoleOrigin::Accepted,
        before: time_beside(input, report, index, false)?,
        behind: time_beside(input, report, index + 1, true)?,
        chain: None,
        reason: damage.kind.name().to_owned(),
    };
    let name = (ours.name)(lsns.first);
    let cut = match before.name == name {
        true => describe(input, report, (index, damage.span.start(), false), permit)?,
        false => new_segment(input, name, before),
    };
    let append_at = if cut.from.added { None } else { Some(cut.from.offset) };
    let site = HoleSite { before: (before, found_before), behind: (behind, found_behind), append_at };
    let (hole, fill) = match (ours.hole)(&site, hole, since) {
        Ok(made) => made,
        Err(why) => {
            refuse(Obstacle::Damage, why);
            return Ok(());
        }
    };
    let mut cut =
        Cut { hole: Some(hole), kinds: vec![damage.kind], verdict: damage.verdict(), acknowledged: damage.acknowledged(), ..cut };
    match cut.from.added {
        true => cut.from.fill = fill,
        false => cut.from.fill.extend_from_slice(&fill),
    }
    cut.from.hole = Some(lsns);
    cut.from.lsns = Some(lsns);
    cut.from.time = since;
    cut.from.why = format!("LSN {lsns} was accepted as a known hole: {}: {}", damage.kind, damage.detail());
    plan.cuts.push(cut);
    Ok(())
}

/// Why LSNs cannot be accepted as a hole, and which can.
fn no_such_hole(report: &Report, lsns: LsnRange, holes: &[(&Damage, LsnRange)]) -> String {
    let ranges: Vec<String> = holes.iter().take(12).map(|(_, found)| format!("{}..{}", found.first, found.last)).collect();
    let touched = report.damage.iter().find(|d| d.doubt.is_some_and(|d| d.first <= lsns.last && lsns.first <= d.last));
    match (ranges.is_empty(), touched) {
        (false, _) => format!("LSN {lsns} is not a hole of this log; its holes are {}", ranges.join(", ")),
        (true, Some(damage)) => {
            format!("LSN {lsns} is not a bare hole: there is {} there, and salvage keeps what is whole around it", damage.kind)
        }
        (true, None) => format!("LSN {lsns} is not a hole of this log; there is none"),
    }
}

/// A segment that is added.
fn new_segment(input: &Input, name: String, like: &Segment) -> Cut {
    Cut {
        path: input.source.dir.join(&name),
        from: Provenance { added: true, ..Provenance::nothing(&name, input.format.name) },
        kinds: Vec::new(),
        verdict: Verdict::Clean,
        acknowledged: Acknowledged::No,
        whole: 0,
        whole_lsns: None,
        holds: None,
        saved_as: String::new(),
        saved: false,
        restored: None,
        hole: None,
        like: Some(like.path.clone()),
    }
}

/// The time of the last record up to a segment, or of the first one from it on.
fn time_beside(input: &Input, report: &Report, index: usize, forward: bool) -> Result<Option<Time>> {
    let filled = |index: &usize| report.summaries.get(*index).is_some_and(|summary| summary.lsns.is_some());
    let found = match forward {
        true => (index..report.summaries.len()).find(filled),
        false => (0..=index).rev().find(filled),
    };
    let Some((segment, lsns)) =
        found.and_then(|found| Some((input.source.segments.get(found)?, report.summaries.get(found)?.lsns?)))
    else {
        return Ok(None);
    };
    let lsn = if forward { lsns.first } else { lsns.last };
    let mut time = None;
    let want = Want { frames: true, lsns: LsnRange::new(lsn, lsn), ..Want::default() };
    each_frame(input, segment, want, &mut |record| {
        // What is no record can have the number of the one behind it, and a batch comes with all of its records.
        if record.lsn == Some(lsn) && !record.is_control() {
            time = record.time;
        }
    })?;
    Ok(time)
}
