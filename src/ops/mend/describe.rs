//! What a cut would take: its bytes, the whole records among them, and why they go.

use super::cutfile::{self, Provenance};
use super::repair::{Cut, Permit};
use crate::disk::{Cursor, Segment, crc32};
use crate::formats::{Item, Mark, Mend, Want};
use crate::model::{Acknowledged, Damage, DamageKind, Error, Lsn, LsnRange, Place, Record, Result, Time, Verdict};
use crate::ops::open::Input;
use crate::ops::report::{Report, behind};
use crate::ops::walk;

/// More zeros than this at the end of a segment are room that was made ahead; only their number is kept.
const ROOM: u64 = 4096;

/// Hands over what a walk over a segment delivers.
pub(super) fn each_frame(input: &Input, segment: &Segment, want: Want, take: &mut dyn FnMut(&Record<'_>)) -> Result<()> {
    walk::one(input, segment, want, &mut |item| {
        if let Item::Record(record) = item {
            take(record);
        }
        Ok(())
    })?;
    Ok(())
}

/// The last segment of a log in which any damaged segment is cut: what stands behind the cut was there before, so it is no growth.
fn left_behind(input: &Input, report: &Report, at: Place) -> Option<String> {
    let each = matches!(input.format.mend_at(&input.source, &report.summaries, at), Mend::CutEach);
    input.source.segments.last().filter(|last| each && last.id != at.segment).map(|last| last.name.clone())
}

/// Looks at the bytes that would go.
pub(super) fn describe(
    input: &Input,
    report: &Report,
    (index, offset, removed): (usize, u64, bool),
    permit: &Permit,
) -> Result<Cut> {
    let source = &input.source;
    let segment = source.segments.get(index).ok_or(Error::Interrupted)?;
    let mut cursor = source.cursor(segment)?;
    let file_bytes = cursor.length();
    let end = content_end(&mut cursor, offset);
    // A few zeros at the end are more likely the end of a frame than room that was made ahead: they are saved like other bytes.
    let bytes = if file_bytes.saturating_sub(end) < ROOM { file_bytes } else { end }.saturating_sub(offset);
    let changed = || Error::Refused { path: segment.path.clone(), why: "it changed while it was looked at".into() };
    let sum = cursor.fold(offset, bytes, 0, crc32).ok_or_else(changed)?;
    let context = cutfile::context(&mut cursor, offset).ok_or_else(changed)?;
    let at = Place { segment: segment.id, offset };
    let fill = match input.format.mend_at(source, &report.summaries, at) {
        Mend::CutAndFill(fill) if !removed => fill(source, segment, offset)?,
        _ => Vec::new(),
    };
    let here: Vec<&Damage> =
        report.damage.iter().filter(|d| d.span.place.segment == segment.id && d.span.start() >= offset).collect();
    let due = here.iter().find_map(|d| d.lsn).filter(|_| !removed);
    let (whole, whole_lsns) = whole_behind(input, segment, offset, due)?;
    let doubt = here.iter().fold(whole_lsns, |all, d| join(all, d.doubt));
    let (kinds, why) = reasons(&here, permit);
    let acknowledged = match permit.at {
        Some(_) => Acknowledged::Unknown,
        None => here.iter().map(|d| d.acknowledged()).find(|a| *a != Acknowledged::No).unwrap_or(Acknowledged::No),
    };
    let from = Provenance {
        segment: segment.name.clone(),
        offset,
        bytes,
        file_bytes,
        removed,
        fill,
        added: false,
        newest: left_behind(input, report, at),
        hole: None,
        sum,
        context,
        lsns: doubt,
        at: permit.at,
        why,
        format: input.format.name.to_owned(),
        repair: 0,
        step: 0,
        time: Time::now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let verdict = here.iter().map(|d| d.verdict()).max().unwrap_or(Verdict::Clean);
    let path = segment.path.clone();
    Ok(Cut {
        path,
        from,
        kinds,
        verdict,
        acknowledged,
        whole,
        whole_lsns,
        holds: if whole > 0 && input.format.ours.is_none() { behind(input, at, true) } else { None },
        saved_as: String::new(),
        saved: false,
        restored: None,
        hole: None,
        like: None,
    })
}

/// How many whole records stand after a place, and their LSNs.
fn whole_behind(input: &Input, segment: &Segment, offset: u64, due: Option<Lsn>) -> Result<(u64, Option<LsnRange>)> {
    let (mut whole, mut whole_lsns) = (0, None);
    let start = due.map(|due| Mark { offset, due, seed: 0 });
    let behind = each_frame(input, segment, Want { frames: true, start, ..Want::default() }, &mut |record| {
        if record.span.start() >= offset && !record.is_control() {
            whole += 1;
            whole_lsns = join(whole_lsns, record.lsns());
        }
    });
    match behind {
        // Seen by itself, damage can look like an unknown version. The whole log was walked before, and it is none.
        Ok(()) | Err(Error::Unknown { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok((whole, whole_lsns))
}

/// What is damaged in the bytes that would go, and why they go, in words.
fn reasons(here: &[&Damage], permit: &Permit) -> (Vec<DamageKind>, String) {
    let mut kinds: Vec<DamageKind> = here.iter().map(|d| d.kind).collect();
    kinds.dedup();
    let why = match (permit.at, kinds.is_empty()) {
        (Some(at), _) => format!("asked for: everything behind LSN {at}"),
        (None, _) => here.iter().map(|d| format!("{}: {}", d.kind, d.detail())).take(3).collect::<Vec<_>>().join("; "),
    };
    (kinds, why)
}

fn join(a: Option<LsnRange>, b: Option<LsnRange>) -> Option<LsnRange> {
    match (a, b) {
        (Some(a), Some(b)) => LsnRange::new(a.first.min(b.first), a.last.max(b.last)),
        (one, other) => one.or(other),
    }
}

/// Where the last byte from `offset` on that is not zero ends; `offset` when there is none.
fn content_end(cursor: &mut Cursor, offset: u64) -> u64 {
    let (mut at, mut end) = (offset, offset);
    loop {
        let content = cursor.zeros_end(at);
        let piece = cursor.bytes(content, 64 << 10);
        if content >= end.max(at) && piece.is_empty() {
            return end;
        }
        let used = piece.iter().rposition(|b| *b != 0).map_or(0, |last| last as u64 + 1);
        at = content + piece.len() as u64;
        if used > 0 {
            end = content + used;
        }
    }
}
