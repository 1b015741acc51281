//! What allsource's segments say together: sequences are one set over all files, whatever file they stand in.
//!
//! A restart makes older releases append to the oldest file, so the order of files is not the order of sequences. A hole in the set is
//! a loss wherever its neighbours stand; a sequence that is there twice was given twice.

use std::any::Any;

use serde_json::{Value, json};

use super::walk::RUNS;
use crate::disk::Source;
use crate::formats::Summary;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Proof, Span, Warning};

/// Entries whose sequences rise by one, in lines that follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct SequenceRun {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) start: u64,
    pub(super) end: u64,
    /// Of the checksums: equal in copies of the same entries.
    pub(super) digest: u64,
}

/// What the join needs to know of a segment besides its summary.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) runs: Vec<SequenceRun>,
    /// There were more runs than are remembered.
    pub(super) full: bool,
    /// Nothing bad stands before the first entry.
    pub(super) clean_start: bool,
}

/// What the join reads of a segment, as JSON.
pub(super) fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    let runs: Vec<Value> = own.runs.iter().map(|run| json!([run.first, run.last, run.start, run.end, run.digest])).collect();
    Some(json!({"runs": runs, "full": own.full, "clean_start": own.clean_start}))
}

/// The same, back.
pub(super) fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    let run = |value: &Value| {
        let numbers: Vec<u64> = value.as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?;
        let [first, last, start, end, digest] = numbers[..] else { return None };
        (first <= last && start <= end).then_some(SequenceRun { first, last, start, end, digest })
    };
    let runs: Vec<SequenceRun> = from["runs"].as_array()?.iter().map(run).collect::<Option<_>>()?;
    // The join looks for places among them by halving.
    let ordered = runs.len() <= RUNS && runs.windows(2).all(|pair| pair[0].end <= pair[1].start);
    let own = Own { runs, full: from["full"].as_bool()?, clean_start: from["clean_start"].as_bool()? };
    ordered.then(|| Box::new(own) as Box<dyn Any + Send + Sync>)
}

/// The number that a segment's name gives: the sequence of the last entry before it.
pub(super) fn sequence(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("wal-")?.strip_suffix(".log")?;
    let hex = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if hex { u64::from_str_radix(digits, 16).ok() } else { None }
}

/// A run and the file that it is in.
#[derive(Clone, Copy, Debug)]
struct RunPlace {
    file: usize,
    run: SequenceRun,
}

pub(super) fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    let mut places: Vec<RunPlace> = Vec::new();
    for (file, summary) in summaries.iter().enumerate() {
        places.extend(summary.own::<Own>().map_or(&[][..], |own| &own.runs).iter().map(|run| RunPlace { file, run: *run }));
    }
    let in_file_order = places.clone();
    places.sort_by_key(|p| (p.run.first, p.run.last, p.file, p.run.start));
    prove(source, summaries, &places);
    forget_doubt(summaries);
    let mut found = holes(source, summaries, &places);
    let doubled = twice(source, summaries, &places);
    out_of_order(source, summaries, &in_file_order, &doubled);
    found.extend(doubled);
    found.extend(names(source, summaries, &places));
    losses_that_are_none(source, summaries);
    deleted_front(source, summaries, &places);
    quarantined(source, summaries);
    found
}

/// A later file with content proves that everything before it had been written out; not the tail of the file that is appended to.
/// An empty one proves it too where it is named after a sequence that is in no file: that had been given before it was begun.
fn prove(source: &Source, summaries: &mut [Summary], places: &[RunPlace]) {
    let latest = places.iter().max_by_key(|p| p.run.last).map(|p| p.file);
    let highest = places.iter().map(|p| p.run.last).max().unwrap_or(0);
    let named = source.segments.iter().filter_map(|s| sequence(&s.name)).max().unwrap_or(0);
    let given = named > highest && !source.alone;
    let mut followed = source.alone && source.segments.last().is_some_and(|s| s.followed);
    for (file, summary) in summaries.iter_mut().enumerate().rev() {
        let tail = summary.end;
        if followed {
            for damage in summary.damage.kept_mut() {
                if given || latest != Some(file) || damage.span.start() < tail || source.alone {
                    damage.facts.proof.get_or_insert(Proof::LaterSegment);
                }
            }
        }
        followed |= summary.length > 0 || given && source.segments.get(file).is_some_and(|s| s.sequence == named);
    }
}

/// What one file takes for lost may stand in another; the holes of the whole set tell.
fn forget_doubt(summaries: &mut [Summary]) {
    for summary in summaries {
        for damage in summary.damage.kept_mut().iter_mut().filter(|d| d.facts.proof.is_some()) {
            damage.doubt = None;
        }
    }
}

/// Sequences that are nowhere, between some that are.
fn holes(source: &Source, summaries: &mut [Summary], places: &[RunPlace]) -> Vec<Damage> {
    let mut found = Vec::new();
    let Some(first) = places.first() else { return found };
    // A file's name says that its number and the one after it were given, even if all of its lines are gone.
    let begun = summaries.iter().enumerate().find_map(|(file, summary)| {
        let named = sequence(&source.segments.get(file)?.name).filter(|n| *n > 0)?;
        let own = summary.own::<Own>()?;
        (own.runs.first()?.first == first.run.first && named + 1 < first.run.first).then_some((file, named))
    });
    if let Some((file, named)) = begun {
        let start = summaries[file].own::<Own>().and_then(|own| own.runs.first()).map_or(0, |run| run.start);
        found.extend(hole(source, summaries, named + 1, first.run.first, file, start, file));
    }
    let (mut last, mut at) = (first.run.last, *first);
    for place in &places[1..] {
        if let Some(due) = last.checked_add(1)
            && place.run.first > due
        {
            let (file, end) = (at.file, at.run.end);
            let proof = Proof::LaterRecord { lsn: Lsn(place.run.first) };
            if !blame(summaries, file, end, place, due, proof) {
                found.extend(hole(source, summaries, due, place.run.first, file, end, place.file));
            }
        }
        if place.run.last >= last {
            (last, at) = (place.run.last, *place);
        }
    }
    // The newest file can be empty: its number was given before it was begun.
    let named = source.segments.iter().filter_map(|s| sequence(&s.name)).max().unwrap_or(0);
    if named > last && summaries.len() > 1 && named >= first.run.first {
        let after = RunPlace {
            file: summaries.len() - 1,
            run: SequenceRun { first: named + 1, last: named + 1, start: 0, end: 0, digest: 0 },
        };
        if !blame(summaries, at.file, at.run.end, &after, last + 1, Proof::LaterSegment) {
            found.extend(hole(source, summaries, last + 1, named + 1, at.file, at.run.end, after.file));
        }
    }
    found
}

fn hole(source: &Source, summaries: &[Summary], due: u64, next: u64, file: usize, at: u64, later: usize) -> Option<Damage> {
    let segment = source.segments.get(file)?;
    let kind = if file == later { DamageKind::LsnGap } else { DamageKind::MissingSegment };
    let found = if file == later {
        format!("sequence {next}")
    } else {
        format!("sequence {next} in {}", source.segments.get(later).map_or("the next file", |s| s.name.as_str()))
    };
    let at = at.min(summaries.get(file)?.length);
    Some(Damage {
        kind,
        span: Span::new(segment.id, at, at),
        lsn: Some(Lsn(due)),
        doubt: LsnRange::new(Lsn(due), Lsn(next - 1)),
        expected: format!("sequence {due}"),
        found,
        facts: Facts::of(Look::Absent),
    })
}

/// Bad lines directly after the entry before a hole, or directly before the one after it, hold what is missing. `proof` says what was
/// written after that.
fn blame(summaries: &mut [Summary], file: usize, end: u64, next: &RunPlace, due: u64, proof: Proof) -> bool {
    let doubt = LsnRange::new(Lsn(due), Lsn(next.run.first - 1));
    let mut blamed = false;
    let behind = first_start_after(&summaries[file], end);
    let mut take = |damage: &mut Damage| {
        (damage.doubt, blamed) = (doubt, true);
        damage.facts.proof.get_or_insert(proof);
    };
    for damage in summaries[file].damage.kept_mut() {
        if damage.span.length > 0 && damage.span.start() >= end && damage.span.start() < behind {
            take(damage);
        }
    }
    let before = last_end_before(&summaries[next.file], next.run.start);
    for damage in summaries[next.file].damage.kept_mut() {
        if damage.span.length > 0 && damage.span.end() <= next.run.start && damage.span.start() >= before {
            take(damage);
        }
    }
    blamed
}

fn first_start_after(summary: &Summary, end: u64) -> u64 {
    let runs = summary.own::<Own>().map_or(&[][..], |own| &own.runs);
    let index = runs.partition_point(|run| run.start < end);
    runs.get(index).map_or(u64::MAX, |run| run.start)
}

fn last_end_before(summary: &Summary, start: u64) -> u64 {
    let runs = summary.own::<Own>().map_or(&[][..], |own| &own.runs);
    let index = runs.partition_point(|run| run.start < start);
    index.checked_sub(1).and_then(|i| runs.get(i)).map_or(0, |run| run.end)
}

/// Sequences that stand in the log twice.
fn twice(source: &Source, summaries: &mut [Summary], places: &[RunPlace]) -> Vec<Damage> {
    let mut found = Vec::new();
    let mut highest: Option<RunPlace> = None;
    for place in places {
        if let Some(before) = highest.filter(|before| place.run.first <= before.run.last) {
            // Of two, the one that was written later is the one that should not be there.
            let (first, second) = if (before.file, before.run.start) <= (place.file, place.run.start) {
                (before, *place)
            } else {
                (*place, before)
            };
            let last = first.run.last.min(second.run.last);
            let range = LsnRange { first: Lsn(place.run.first), last: Lsn(last.max(place.run.first)) };
            let same =
                (first.run.first, first.run.last, first.run.digest) == (second.run.first, second.run.last, second.run.digest);
            let (Some(one), Some(two)) = (source.segments.get(first.file), source.segments.get(second.file)) else { continue };
            let mut facts = Facts::of(Look::Wrong);
            facts.proof = Some(Proof::LaterFrame { lsn: range.last, synced: range.last.next() });
            let at = second.run.start;
            found.push(Damage {
                kind: DamageKind::LsnBack,
                span: Span::new(two.id, at, at),
                lsn: Some(range.first),
                doubt: None,
                expected: format!("sequences {range} once"),
                found: format!(
                    "them again, {}, first in {} at {}",
                    if same { "the same entries" } else { "with other events" },
                    one.name,
                    first.run.start
                ),
                facts,
            });
            let text = if same {
                format!(
                    "sequences {range} stand in {} and in {} with the same events: allsource does not notice a doubled file or line \
                     and replays these events twice; remove the copy from a copy of the log, and compare",
                    one.name, two.name
                )
            } else {
                format!(
                    "sequences {range} were given twice, to different events, most likely because allsource was opened without recovery, which \
                     starts again at 1 (0.16 also after one invalid UTF-8 byte); all entries are whole, so salvage them and number \
                     them anew; open the log only with recover()"
                )
            };
            summaries[second.file].warnings.push(Warning {
                name: "duplicate-sequence",
                span: Span::new(two.id, at, second.run.end),
                text,
            });
        }
        if highest.is_none_or(|before| place.run.last > before.run.last) {
            highest = Some(*place);
        }
    }
    found
}

/// A file is named after the last sequence before it.
fn names(source: &Source, summaries: &[Summary], places: &[RunPlace]) -> Vec<Damage> {
    let given = |sequence: u64| {
        let index = places.partition_point(|p| p.run.first <= sequence);
        places[..index].iter().rev().take(1000).any(|p| p.run.last >= sequence)
    };
    let mut found = Vec::new();
    for (segment, summary) in source.segments.iter().zip(summaries) {
        // The oldest name is opened again at every start, so it says nothing.
        let Some(named) = sequence(&segment.name).filter(|n| *n > 0) else { continue };
        let Some(own) = summary.own::<Own>().filter(|own| own.clean_start) else { continue };
        let Some(run) = own.runs.first() else { continue };
        let elsewhere = || named.checked_add(1).is_some_and(given);
        if run.first <= named || (run.first > named + 1 && elsewhere()) {
            found.push(Damage {
                kind: DamageKind::WrongName,
                span: Span::new(segment.id, run.start, run.start),
                lsn: Some(Lsn(run.first)),
                doubt: None,
                expected: format!("sequence {} first, as the name says", named.saturating_add(1)),
                found: format!("sequence {}", run.first),
                facts: Facts::of(Look::Mixed),
            });
        }
    }
    found
}

/// Entries that stand after later ones, and are not there twice.
fn out_of_order(source: &Source, summaries: &mut [Summary], in_file_order: &[RunPlace], doubled: &[Damage]) {
    let (mut highest, mut holder, mut seen) = (0, 0, None);
    for place in in_file_order {
        let twice = || {
            let here = |d: &&Damage| (d.span.place.segment.index(), d.span.start()) == (place.file, place.run.start);
            doubled.iter().any(|d| here(&d))
        };
        if place.run.first <= highest && seen.is_none() && !twice() {
            seen = Some((*place, highest, holder));
        }
        if place.run.last > highest {
            (highest, holder) = (place.run.last, place.file);
        }
    }
    let Some((place, highest, holder)) = seen else { return };
    let Some(segment) = source.segments.get(place.file) else { return };
    let text = if holder == place.file {
        format!(
            "sequence {} stands behind sequence {highest} in one file, which no release is known to write: its lines may have been \
             swapped, and allsource does not notice. Replay must sort by sequence; compare the file with a backup",
            place.run.first
        )
    } else {
        format!(
            "sequence {} stands behind sequence {highest} in the order of files, most likely after a restart: 0.16 (and 0.27 with plain \
             recovery) then appends to the oldest file, wal-0000000000000000.log; replay must sort by sequence, and 0.16 may delete these newest \
             entries with its oldest file. Restart 0.27 with recover_for_append()",
            place.run.first
        )
    };
    let span = Span::new(segment.id, place.run.start, place.run.end);
    summaries[place.file].warnings.push(Warning { name: "sequence-out-of-file-order", span, text });
}

/// A bad line with nothing missing is the remainder of an earlier crash.
fn losses_that_are_none(source: &Source, summaries: &mut [Summary]) {
    for (segment, summary) in source.segments.iter().zip(summaries) {
        let none: Vec<Span> = summary
            .damage
            .kept()
            .iter()
            .filter(|d| d.span.length > 0 && d.doubt.is_none() && matches!(d.facts.proof, Some(Proof::LaterRecord { .. })))
            .map(|d| d.span)
            .collect();
        for span in none {
            let text = format!(
                "no sequence is missing at the bad line in {}: it is most likely a line that a crash tore and that allsource 0.27 ended \
                 with a newline when it opened the file; if so, its entry was never acknowledged, and its sequence went to the next one",
                segment.name
            );
            summary.warnings.push(Warning { name: "torn-line-closed-on-restart", span, text });
        }
    }
}

/// 0.16 deletes the oldest files at every rotation.
fn deleted_front(source: &Source, summaries: &mut [Summary], places: &[RunPlace]) {
    const KEPT: usize = 10;
    let (Some(first), Some(segment)) = (places.first(), source.segments.first()) else { return };
    if source.segments.len() < KEPT || first.run.first <= 1 {
        return;
    }
    let text = format!(
        "the log has {} files and begins with sequence {}: allsource 0.16 deletes the oldest files beyond {KEPT} at every rotation, \
         whether their events were stored elsewhere or not; 0.27 deletes only what a checkpoint covers. If 0.16 wrote this log, \
         compare sequences 1-{} with the store",
        source.segments.len(),
        first.run.first,
        first.run.first - 1
    );
    let span = Span::new(segment.id, 0, 0);
    summaries[0].warnings.push(Warning { name: "front-may-be-deleted", span, text });
}

/// 0.27 moves retired files with unreadable lines aside.
fn quarantined(source: &Source, summaries: &mut [Summary]) {
    const FOLDER: &str = "quarantine";
    if source.alone || !source.others.iter().any(|name| name == FOLDER) {
        return;
    }
    let listed = source.disk.list(&source.dir.join(FOLDER)).unwrap_or_default();
    let files = listed.iter().filter(|entry| entry.name.ends_with(".log")).count();
    let (Some(segment), Some(summary)) = (source.segments.first(), summaries.first_mut()) else { return };
    if files > 0 {
        let text = format!(
            "{FOLDER}/ holds {files} retired files with lines that allsource 0.27 could not read: they are no part of the log any more; \
             look at each with walctl verify --format allsource"
        );
        summary.warnings.push(Warning { name: "quarantined-files", span: Span::new(segment.id, 0, 0), text });
    }
}
