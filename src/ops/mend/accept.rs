//! Accepting a hole: LSNs that are gone for good become known to be gone, so that the log is clean again and still says what it lacks.
//!
//! No byte of the log is rewritten. A segment is added, named after the first LSN that is gone; it holds a Hole frame and a Seal. Where
//! that name is taken by a segment without a record, the Hole is added at the end of that one.

use super::cutfile::Provenance;
use super::describe::{describe, each_frame};
use super::repair::{Cut, Obstacle, Permit, Plan, Refusal};
use crate::disk::Segment;
use crate::formats::Want;
use crate::formats::native::Joint;
use crate::model::{Acknowledged, Damage, DamageKind, Hole, HoleOrigin, Look, LsnRange, Result, Time, Verdict};
use crate::native::{
    FrameFields, FrameHeader, FrameKind, HEADER_BYTES, SegmentHeader, Tally, encode_frame, encode_header, encode_seal,
    segment_lsn, segment_name,
};
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
    if input.format.name != "native" {
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
    let fits = segment_lsn(&before.name)? <= lsns.first && segment_lsn(&behind.name)? == lsns.last.next();
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
    if input.format.name != "native" {
        refuse(Obstacle::Format, "a known hole is a frame of walctl's own logs, and other systems do not know it".into());
        return Ok(());
    }
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
    let (index, joint) = (before.id.index(), |segment: &Segment| report.summaries.get(segment.id.index())?.own::<Joint>());
    let header_of = |segment: &Segment| joint(segment).and_then(|joint| joint.header);
    let Some(log_id) = header_of(before).or(header_of(behind)).map(|header| header.log_id) else {
        refuse(
            Obstacle::Damage,
            format!("the headers of {} and {} are lost, and with them the log's id", before.name, behind.name),
        );
        return Ok(());
    };
    let hole = Hole {
        lsns,
        origin: HoleOrigin::Accepted,
        before: time_beside(input, report, index, false)?,
        behind: time_beside(input, report, index + 1, true)?,
        chain: header_of(behind).map(|header| header.chain),
        reason: damage.kind.name().to_owned(),
    };
    let name = segment_name(lsns.first);
    let cut = if before.name == name {
        let Some(header) = header_of(before) else {
            refuse(Obstacle::Damage, format!("the header of {name} is lost"));
            return Ok(());
        };
        let mut cut = describe(input, report, (index, damage.span.start(), false), permit)?;
        encode_hole(&mut cut.from.fill, &hole, since, &header, cut.from.offset);
        cut
    } else {
        let chain = joint(before).and_then(|joint| joint.last_sum).unwrap_or(0);
        let header = SegmentHeader { key: None, block: 0, log_id, first_lsn: lsns.first, created: since, chain };
        new_segment(input, &header, &hole, since, name, before)
    };
    let mut cut =
        Cut { hole: Some(hole), kinds: vec![damage.kind], verdict: damage.verdict(), acknowledged: damage.acknowledged(), ..cut };
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

/// Appends the frame of a hole; it will stand at `offset`.
fn encode_hole(out: &mut Vec<u8>, hole: &Hole, since: Time, header: &SegmentHeader, offset: u64) {
    let fields = FrameFields { kind: FrameKind::Hole, flags: 0, unsynced: 0, lsn: hole.lsns.last.next(), time: since, tag: 0 };
    encode_frame(out, &fields, &hole.encode(), header.seed(), offset);
}

/// A segment that holds a hole and nothing else.
fn new_segment(input: &Input, header: &SegmentHeader, hole: &Hole, since: Time, name: String, like: &Segment) -> Cut {
    let mut content = encode_header(header);
    encode_hole(&mut content, hole, since, header, HEADER_BYTES);
    let mut tally = Tally::default();
    let frame = content[HEADER_BYTES as usize..].first_chunk().and_then(FrameHeader::parse);
    tally.observe(&frame.expect("a frame was just encoded there"), HEADER_BYTES, 0);
    let end = content.len() as u64;
    encode_seal(&mut content, &tally, 0, hole.lsns.last.next(), since, header.seed(), end);
    let from = Provenance { added: true, fill: content, ..Provenance::nothing(&name, input.format.name) };
    Cut {
        path: input.source.dir.join(&name),
        from,
        kinds: Vec::new(),
        verdict: Verdict::Clean,
        acknowledged: Acknowledged::No,
        whole: 0,
        whole_lsns: None,
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
        if record.lsn == Some(lsn) && time.is_none() && !record.is_control() {
            time = record.time;
        }
    })?;
    Ok(time)
}
