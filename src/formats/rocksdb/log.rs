//! What a log is besides its frames: names, what its files say about each other, and when it may be cut.

use std::any::Any;

use serde_json::{Value, json};

use super::super::blocks::{BLOCK, Form, HEADER, later_in_first, parse, whole};
use super::super::kept::maybe;
use super::super::{Ending, Folder, Laid, Likeness, Mend, Placed, Sample, Summary, first_damage, later_segments_prove, numbered};
use super::batch::Predecessor;
use super::frame::types;
use super::manifest::lowest_wanted;
use super::walk::Own;
use crate::disk::{Source, zero_prefix};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Place, Proof, Span, Warning};

/// What the name of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileName {
    /// `000004.log`.
    Log(u64),
    /// `MANIFEST-000005`.
    Manifest(u64),
}

/// Takes a name apart. Numbers have six digits or more, and come from one counter for all files of the database.
pub fn name_of(name: &str) -> Option<FileName> {
    let number = |digits: &str| {
        let all = digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit());
        all.then(|| digits.parse().ok())?
    };
    match (name.strip_suffix(".log"), name.strip_prefix("MANIFEST-")) {
        (Some(digits), _) => number(digits).map(FileName::Log),
        (_, Some(digits)) => number(digits).map(FileName::Manifest),
        _ => None,
    }
}

/// The logs of a folder: all `*.log` are one, and each MANIFEST is one by itself, named like its file. Where only MANIFESTs are, the newest
/// is what people mean by the folder.
pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    let logs = numbered(folder, |name| match name_of(name)? {
        FileName::Log(number) => Some(number),
        FileName::Manifest(_) => None,
    });
    let manifests = numbered(folder, |name| match name_of(name)? {
        FileName::Log(_) => None,
        FileName::Manifest(number) => Some(number),
    });
    let mut manifests: Vec<Laid> = manifests
        .into_iter()
        .flat_map(|all| all.segments)
        .map(|placed| Laid { name: placed.entry.name.clone(), segments: vec![Placed { followed: false, ..placed }] })
        .collect();
    if let Some(newest) = manifests.last_mut().filter(|_| logs.is_empty()) {
        newest.name.clear();
    }
    manifests.reverse();
    logs.into_iter().chain(manifests).collect()
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.and_then(name_of);
    // Pebble's folders look the same from outside.
    if sample.name.is_some() && named.is_none() || sample.beside.iter().any(|entry| entry.name.starts_with("marker.")) {
        return Likeness::No;
    }
    let block = &sample.head[..sample.head.len().min(BLOCK as usize)];
    if zero_prefix(block) == block.len() {
        return if named.is_some() { Likeness::Maybe } else { Likeness::No };
    }
    match (whole(types, block, 0, BLOCK as usize).is_some(), named.is_some()) {
        (true, _) => Likeness::Sure,
        // The first frame is damaged, or one too long for what is shown: one further on tells.
        (false, true) if later_in_first(types, block, |_| true) => Likeness::Sure,
        (false, true) if begun(block) => Likeness::Maybe,
        _ => Likeness::No,
    }
}

/// A first frame of which the file holds only a part.
fn begun(block: &[u8]) -> bool {
    block.len() < 7 || parse(types, block, 0, BLOCK as usize).is_some_and(|(frame, _)| frame.end() > block.len() as u64)
}

/// Whether a torn end may be cut. Every recovery mode but the strictest drops it too, where no older log lies behind it.
pub fn mend(source: &Source, summaries: &[Summary], at: Place) -> Mend {
    let index = at.segment.index();
    let Some((segment, own)) = source.segments.get(index).zip(summaries.get(index).and_then(own)) else {
        return Mend::Refuse("nothing is known of this file");
    };
    if own.manifest {
        return Mend::Refuse("a MANIFEST is not cut: without the files that its end names the database is another one");
    }
    if segment.followed || index + 1 < source.segments.len() {
        return Mend::Refuse("only the newest log may be cut: later ones go on with what its end held");
    }
    // What a torn frame says of itself counts too: it may be the first one.
    let head = source.cursor_never_finished(segment).ok().and_then(|mut cursor| cursor.array::<HEADER>(at.offset));
    let begun = head.and_then(|head| types(head[6])).is_some_and(|(_, form)| form == Form::Recycled);
    match own.recycled || begun {
        true => Mend::Refuse("the log is recycled: what an older log left in its file may stand behind any place; salvage it"),
        false => Mend::Cut,
    }
}

/// What the join reads of a file, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    let predecessor = own.predecessor.map(|(at, named)| json!([at, named.log, named.bytes, named.last_sequence]));
    Some(json!({"recycled": own.recycled, "manifest": own.manifest, "skips": own.skips, "predecessor": predecessor}))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    let named = |value: &Value| match value.as_array()?.as_slice() {
        [at, log, bytes, last] => {
            let named = Predecessor { log: log.as_u64()?, bytes: bytes.as_u64()?, last_sequence: last.as_u64()? };
            Some((at.as_u64()?, named))
        }
        _ => None,
    };
    Some(Box::new(Own {
        recycled: from["recycled"].as_bool()?,
        manifest: from["manifest"].as_bool()?,
        predecessor: maybe(&from["predecessor"], named)?,
        skips: from["skips"].as_u64()?,
    }))
}

fn own(summary: &Summary) -> Option<&Own> {
    summary.own::<Own>()
}

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    later_segments_prove(source, summaries);
    if summaries.iter().any(|summary| own(summary).is_some_and(|own| own.manifest)) {
        return Vec::new();
    }
    let between = between(source, summaries);
    let words = recovery(source, summaries, &between);
    if let Some(last) = summaries.last_mut() {
        last.recovery = words;
    }
    between
}

/// What RocksDB makes of a damaged log in its default mode, and LevelDB of one of its own.
fn recovery(source: &Source, summaries: &[Summary], between: &[Damage]) -> Option<String> {
    let first = first_damage(summaries, between)?;
    let place = format!("{} at byte {}", source.segments.get(first.span.place.segment.index())?.name, first.span.start());
    // What names the log before it tells on one that is gone or too short.
    let told = summaries.iter().any(|summary| own(summary).is_some_and(|own| own.predecessor.is_some()));
    Some(match first.kind {
        DamageKind::MissingSegment if told => {
            format!("RocksDB goes by what {place} says of the log before it, and refuses to open")
        }
        DamageKind::MissingSegment => format!("RocksDB opens without what is missing in front of {place}, and says nothing"),
        _ => format!(
            "RocksDB in its default mode opens, and drops what follows {place} without a word; LevelDB leaves out the damaged block and goes on"
        ),
    })
}

fn between(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    // Asked for only where something is missing: the log was read first, as it may be newer than its MANIFEST.
    let mut wanted = None;
    let mut wanted = || *wanted.get_or_insert_with(|| lowest_wanted(source).unwrap_or(None));
    let mut found = Vec::new();
    let mut warnings: Vec<(usize, &'static str, String)> = Vec::new();
    for later in 0..summaries.len() {
        match own(&summaries[later]).and_then(|own| own.predecessor) {
            Some((at, named)) => {
                let index =
                    source.segments.iter().position(|segment| segment.sequence == named.log && segment.id.index() != later);
                match index {
                    Some(index) => found.extend(shorter(source, summaries, index, later, &named)),
                    None if source.alone => {}
                    None => match wanted() {
                        Some(lowest) if named.log < lowest => {}
                        Some(_) => found.push(absent(source, summaries, later, at, &named)),
                        None => warnings.push((later, "predecessor-absent", absent_text(source, later, &named))),
                    },
                }
            }
            None => {
                let before = (0..later).rev().find(|index| summaries[*index].lsns.is_some());
                let Some(before) = before.filter(|_| summaries[later].lsns.is_some()) else { continue };
                let Some(gap) = gap(source, summaries, before, later) else { continue };
                // A log below the lowest wanted one is only waiting to be deleted.
                if wanted().is_some_and(|lowest| source.segments[before].sequence < lowest) {
                    continue;
                }
                warnings.push((later, "sequence-gap", gap.found.clone() + GAP));
                found.push(gap);
            }
        }
    }
    for (index, name, text) in warnings {
        let span = Span::new(source.segments[index].id, 0, 0);
        summaries[index].warnings.push(Warning { name, span, text });
    }
    found
}

const GAP: &str = "; that is legal where writes bypassed the log or files were ingested, and it is what a lost log or a clean cut looks like: \
                   look for the log between them in archive/ or in a backup";

/// Sequence numbers that are in no log, between the end of one and the start of the next.
fn gap(source: &Source, summaries: &[Summary], before: usize, later: usize) -> Option<Damage> {
    let (due, begins) = (summaries[before].due?, summaries[later].begins?);
    let doubt = LsnRange::new(due, begins.before()?)?;
    // Bytes that are to blame were already reported.
    if summaries[before].ending == Ending::Damage {
        return None;
    }
    // Where this database skips numbers inside its files, it may have done so here.
    let skips = summaries.iter().any(|summary| own(summary).is_some_and(|own| own.skips > 0));
    let look = if skips { Look::Skipped } else { Look::Absent };
    Some(Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(source.segments[later].id, 0, 0),
        lsn: Some(due),
        doubt: Some(doubt),
        expected: format!("sequence {due} next, after {}", source.segments[before].name),
        found: format!("a log that begins with sequence {begins}"),
        facts: Facts::of(look),
    })
}

/// A log that is shorter than its successor says, or ends at a lower sequence.
fn shorter(source: &Source, summaries: &[Summary], index: usize, later: usize, named: &Predecessor) -> Option<Damage> {
    let summary = &summaries[index];
    let last = summary.due.and_then(Lsn::before).map_or(0, |last| last.0);
    if summary.end >= named.bytes && last >= named.last_sequence || !summary.damage.is_empty() {
        return None;
    }
    let name = &source.segments[later].name;
    Some(Damage {
        kind: DamageKind::CutShort,
        span: Span::new(source.segments[index].id, summary.end, summary.length.max(summary.end)),
        lsn: summary.due,
        doubt: LsnRange::new(Lsn(last.saturating_add(1)), Lsn(named.last_sequence)),
        expected: format!("{} bytes up to sequence {}, as {name} says", named.bytes, named.last_sequence),
        found: format!("{} bytes up to sequence {last}", summary.end),
        facts: Facts { proof: Some(TOLD), ..Facts::of(Look::Wrong) },
    })
}

const TOLD: Proof = Proof::Told { by: "the next log", words: "says how long this one was when it was finished" };

fn absent(source: &Source, summaries: &[Summary], later: usize, at: u64, named: &Predecessor) -> Damage {
    let first = summaries[..later].iter().rev().find_map(|summary| summary.due);
    Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(source.segments[later].id, at, at),
        lsn: first,
        doubt: first.and_then(|first| LsnRange::new(first, Lsn(named.last_sequence))),
        expected: format!("log {:06} before it, {} bytes up to sequence {}", named.log, named.bytes, named.last_sequence),
        found: "no such file, and the MANIFEST still wants it".to_owned(),
        facts: Facts::of(Look::Absent),
    }
}

fn absent_text(source: &Source, later: usize, named: &Predecessor) -> String {
    format!(
        "{} names log {:06} before it, which is not here; that is right if the database no longer wants it, and only its MANIFEST tells: copy \
         CURRENT and the MANIFEST beside the logs",
        source.segments[later].name, named.log
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_six_digits_or_more_are_logs_and_the_text_log_is_none() {
        assert_eq!(name_of("000004.log"), Some(FileName::Log(4)));
        assert_eq!(name_of("12345678.log"), Some(FileName::Log(12_345_678)));
        assert_eq!(name_of("MANIFEST-000005"), Some(FileName::Manifest(5)));
        for name in ["LOG", "LOG.old", "00004.log", "wal-000004.log", "MANIFEST-5", "000004.sst", "00000x.log", "+00004.log"] {
            assert_eq!(name_of(name), None, "{name}");
        }
    }

    #[test]
    fn text_and_other_folders_are_not_taken_for_a_log() {
        let sample = |name, head| Sample { name, head, length: 40, beside: &[] };
        assert_eq!(recognise(&sample(Some("000004.log"), b"2026-11-28 walctl started and wrote this")), Likeness::No);
        assert_eq!(recognise(&sample(None, &[0; 40])), Likeness::No);
    }
}
