//! What nodedb's segments say about each other: LSNs go on from file to file, and a file is named after its first one.

use std::any::Any;

use serde_json::{Value, json};

use super::record::Layout;
use crate::disk::Source;
use crate::formats::kept::maybe;
use crate::formats::{Ending, Summary, gap_between, later_segments_prove};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Proof, SegmentId, Span, Warning};

/// What the join needs to know of a segment besides its summary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    /// The first record: its LSN, where it is, and its header.
    pub(super) first: Option<(Lsn, u64, Layout)>,
    /// Nothing bad stands before it.
    pub(super) clean_start: bool,
    /// The header of the last record.
    pub(super) layout: Option<Layout>,
    /// It has a preamble.
    pub(super) preamble: bool,
}

/// What the join reads of a segment, as JSON.
pub(super) fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    let first = own.first.map(|(lsn, at, layout)| json!([lsn.0, at, layout.size()]));
    let layout = own.layout.map(Layout::size);
    Some(json!({"first": first, "clean_start": own.clean_start, "layout": layout, "preamble": own.preamble}))
}

/// The same, back.
pub(super) fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    let layout = |value: &Value| Layout::BOTH.into_iter().find(|layout| *value == layout.size());
    let first = |value: &Value| Some((Lsn(value.get(0)?.as_u64()?), value.get(1)?.as_u64()?, layout(value.get(2)?)?));
    Some(Box::new(Own {
        first: maybe(&from["first"], first)?,
        clean_start: from["clean_start"].as_bool()?,
        layout: maybe(&from["layout"], layout)?,
        preamble: from["preamble"].as_bool()?,
    }))
}

/// The first LSN of a segment, from its name.
pub(super) fn sequence(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("wal-")?.strip_suffix(".seg")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

pub(super) fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    later_segments_prove(source, summaries);
    let mut found = Vec::new();
    let mut highest: Option<Lsn> = None;
    let mut layouts: Option<Layout> = None;
    for index in 0..summaries.len() {
        found.extend(start_of(source, summaries, index, highest));
        mixed(source, summaries, index, layouts);
        carry_due(summaries, index);
        found.extend(gap_between(source, summaries, index));
        if let Some(begins) = summaries[index].begins.filter(|_| index > 0) {
            doubt_until(&mut summaries[index - 1], begins);
        }
        highest = highest.max(summaries[index].lsns.map(|range| range.last));
        layouts = summaries[index].own::<Own>().and_then(|own| own.layout).or(layouts);
    }
    plain_behind_encrypted(source, summaries);
    found
}

/// Releases with short headers lose their key ring with a restart.
fn plain_behind_encrypted(source: &Source, summaries: &mut [Summary]) {
    let has = |summary: &Summary| summary.own::<Own>().filter(|own| own.first.is_some()).map(|own| own.preamble);
    let Some(encrypted) = summaries.iter().position(|s| has(s) == Some(true)) else { return };
    let Some(plain) = (encrypted..summaries.len()).find(|i| has(&summaries[*i]) == Some(false)) else { return };
    let Some(segment) = source.segments.get(plain) else { return };
    let text = format!(
        "{} is plain text, and segments before it are encrypted: most likely nodedb has been running without its key ring since it \
         was begun, and writes everything unencrypted. Set the key ring before the log is opened, and protect the file",
        segment.name
    );
    let span = Span::new(segment.id, 0, 0);
    summaries[plain].warnings.push(Warning { name: "plaintext-segment-behind-encrypted", span, text });
}

/// Compares a segment's first record with its name and with what came before it.
fn start_of(source: &Source, summaries: &mut [Summary], index: usize, highest: Option<Lsn>) -> Option<Damage> {
    let before = index.checked_sub(1).and_then(|i| summaries[i].due);
    let summary = &mut summaries[index];
    let named = summary.begins?;
    let segment = source.segments.get(index)?;
    let own = *summary.own::<Own>()?;
    let damage = |kind, lsn: Lsn, at, expected, found, look| Damage {
        kind,
        span: Span::new(segment.id, at, at),
        lsn: Some(lsn),
        doubt: None,
        expected,
        found,
        facts: Facts::of(look),
    };
    let Some((first, at, _)) = own.first else {
        // An empty segment that is named below what was given before.
        return highest.filter(|highest| named <= *highest).map(|highest| {
            let found = format!("{}, an empty segment", segment.name);
            damage(DamageKind::WrongName, named, 0, format!("a name above LSN {highest}"), found, Look::Mixed)
        });
    };
    let continues = before == Some(first) && first != named;
    if first < named || (continues && own.clean_start) {
        summary.begins = Some(first);
        let expected = format!("LSN {named} first, as the name says");
        return Some(damage(DamageKind::WrongName, named, at, expected, format!("LSN {first}"), Look::Mixed));
    }
    if let Some(highest) = highest.filter(|highest| first <= *highest) {
        let mut twice = damage(
            DamageKind::LsnBack,
            highest.next(),
            at,
            format!("LSN {} or above", highest.next()),
            String::new(),
            Look::Wrong,
        );
        twice.found = format!("LSN {first}, which an earlier segment holds too");
        twice.facts.proof = Some(Proof::LaterFrame { lsn: highest, synced: highest.next() });
        return Some(twice);
    }
    if first > named && own.clean_start {
        let mut gap = damage(DamageKind::LsnGap, named, at, format!("LSN {named}"), format!("LSN {first}"), Look::Absent);
        gap.doubt = first.before().and_then(|last| LsnRange::new(named, last));
        return Some(gap);
    }
    None
}

/// A release that does not read the headers of the one before starts over in the last segment.
fn mixed(source: &Source, summaries: &mut [Summary], index: usize, before: Option<Layout>) {
    let Some((first, at, layout)) = summaries[index].own::<Own>().and_then(|own| own.first) else { return };
    let Some(before) = before.filter(|before| *before != layout) else { return };
    let text = format!(
        "{} begins with headers of nodedb {}, the segment before it has those of nodedb {}: a release does not read the other's \
         headers; if it was opened on this log it took it for empty and started over, from LSN {first} on. Salvage the log before \
         either release opens it again",
        source.segments[index].name,
        layout.releases(),
        before.releases()
    );
    let span = Span::new(segment_id(source, index), at, at);
    summaries[index].warnings.push(Warning { name: "two-header-sizes", span, text });
}

fn segment_id(source: &Source, index: usize) -> SegmentId {
    source.segments[index].id
}

/// A segment without records passes on what is due after the one before it.
fn carry_due(summaries: &mut [Summary], index: usize) {
    let Some(before) = index.checked_sub(1).and_then(|i| summaries[i].due) else { return };
    let summary = &mut summaries[index];
    if summary.lsns.is_none() {
        summary.due = Some(summary.due.map_or(before, |due| due.max(before)));
    }
}

/// Bad bytes at the end of a segment cost the records up to the next one's first, and none when that is the one that was due.
fn doubt_until(summary: &mut Summary, begins: Lsn) {
    if summary.ending != Ending::Damage {
        return;
    }
    if let Some(damage) = summary.damage.kept_mut().last_mut()
        && let Some(due) = damage.lsn
    {
        damage.doubt = begins.before().and_then(|last| LsnRange::new(due, last));
    }
}
