//! What the walks over single segments mean together: chains, names, gaps, and what a later segment proves.

use std::any::Any;

use serde_json::{Value, json};

use crate::disk::{EntryKind, Source};
use crate::formats::kept::maybe;
use crate::formats::{Ending, Summary, gap_between, later_segments_prove};
use crate::model::units::hex;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Span, Warning};
use crate::native::{HEADER_FIELDS, HeaderFound, SegmentHeader, segment_lsn};

/// What a walk leaves for the join.
#[derive(Debug, Default)]
pub struct Joint {
    /// The header, if it could be read or mended.
    pub header: Option<SegmentHeader>,
    /// The LSN that the file's name gives.
    pub named: Option<Lsn>,
    /// The sum of the last frame, where nothing but the end follows it.
    pub last_sum: Option<u32>,
    /// The sum that a hole at its end says the next segment goes on with.
    pub named_chain: Option<u32>,
    /// It ends with a Seal.
    pub sealed: bool,
    /// The tags of transactions that began in it and did not end, and of those that ended and had not begun, when that was wanted.
    pub transactions: Option<(Vec<u64>, Vec<u64>)>,
}

/// What the join reads of a segment, as JSON. Of what was counted that is the transactions alone; statistics count anew.
pub(super) fn write_own(summary: &Summary) -> Option<Value> {
    let joint = joint(summary)?;
    Some(json!({
        "header": joint.header.as_ref().map(|header| hex(&header.encode())), "named": joint.named.map(|lsn| lsn.0),
        "last_sum": joint.last_sum, "named_chain": joint.named_chain, "sealed": joint.sealed,
        "transactions": joint.transactions,
    }))
}

/// The same, back.
pub(super) fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    let sum = |value: &Value| u32::try_from(value.as_u64()?).ok();
    Some(Box::new(Joint {
        header: maybe(&from["header"], header)?,
        named: maybe(&from["named"], |value| value.as_u64().map(Lsn))?,
        last_sum: maybe(&from["last_sum"], sum)?,
        named_chain: maybe(&from["named_chain"], sum)?,
        sealed: from["sealed"].as_bool()?,
        transactions: maybe(&from["transactions"], |value| {
            let numbers = |value: &Value| value.as_array()?.iter().map(Value::as_u64).collect::<Option<Vec<u64>>>();
            Some((numbers(value.get(0)?)?, numbers(value.get(1)?)?))
        })?,
    }))
}

fn header(value: &Value) -> Option<SegmentHeader> {
    let (digits, mut bytes) = (value.as_str()?, [0; HEADER_FIELDS]);
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    match SegmentHeader::decode(&bytes) {
        HeaderFound::Good(header) => Some(header),
        _ => None,
    }
}

/// Joins the walks over a log's segments.
pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    later_segments_prove(source, summaries);
    name_unreachable(source, summaries);
    let mut found = Vec::new();
    let log_id = common_id(summaries);
    for index in 0..summaries.len().min(source.segments.len()) {
        widen_doubt(summaries, index);
        if let Some(damage) = wrong_name(source, summaries, index) {
            found.push(damage);
        }
        match other_log(source, summaries, index, log_id) {
            Some(damage) => found.push(damage),
            None => found.extend(between(source, summaries, index, log_id)),
        }
    }
    found.extend(downgraded(source, summaries, log_id));
    open_transactions(source, summaries);
    found
}

/// Segments that are less protected than one before them. The writer never does that: they were put there from outside.
fn downgraded(source: &Source, summaries: &[Summary], log_id: Option<[u8; 16]>) -> Vec<Damage> {
    const WORDS: [&str; 3] =
        ["plain text", "encrypted payloads that are not bound to their place", "encrypted payloads, bound to their place"];
    let (mut found, mut most) = (Vec::new(), (0, 0));
    for (index, summary) in summaries.iter().enumerate() {
        let Some(header) = joint(summary).and_then(|j| j.header.as_ref()).filter(|h| Some(h.log_id) == log_id) else { continue };
        // A segment that only tells of a hole has nothing to protect: accepting a hole needs no key.
        if summary.lsns.is_none() && !summary.holes.is_empty() {
            continue;
        }
        let level = usize::from(header.key.is_some()) + usize::from(header.is_bound());
        if level >= most.0 {
            most = (level, index);
            continue;
        }
        let before = source.segments.get(most.1).map_or("", |segment| &segment.name);
        let expected = format!("{}, as in {before}", WORDS[most.0]);
        let damage = whole_header(source, index, DamageKind::Downgraded, expected, WORDS[level].to_owned());
        found.extend(damage.map(|damage| Damage {
            lsn: Some(header.first_lsn),
            doubt: summary.lsns,
            facts: Facts::of(Look::Altered),
            ..damage
        }));
    }
    found
}

/// Of a segment that cannot be reached the name still says which LSN it begins with.
fn name_unreachable(source: &Source, summaries: &mut [Summary]) {
    for (segment, summary) in source.segments.iter().zip(summaries).filter(|(segment, _)| segment.kind != EntryKind::File) {
        summary.begins = segment_lsn(&segment.name);
        for damage in summary.damage.kept_mut() {
            damage.lsn = summary.begins;
        }
    }
}

fn joint(summary: &Summary) -> Option<&Joint> {
    summary.own()
}

/// The id that most segments bear; of equals the earliest one.
fn common_id(summaries: &[Summary]) -> Option<[u8; 16]> {
    let mut counts: Vec<([u8; 16], usize)> = Vec::new();
    for id in summaries.iter().filter_map(|s| joint(s)?.header.as_ref()).map(|h| h.log_id) {
        match counts.iter_mut().find(|(known, _)| *known == id) {
            Some((_, count)) => *count += 1,
            None => counts.push((id, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(id, _)| id)
}

/// A bad tail puts in doubt whatever lies between it and the segment after it.
fn widen_doubt(summaries: &mut [Summary], index: usize) {
    let Some(next) = summaries.get(index + 1).and_then(|s| s.begins) else { return };
    let Some(summary) = summaries.get_mut(index).filter(|s| s.ending == Ending::Damage) else { return };
    if let Some(last) = summary.damage.kept_mut().last_mut() {
        last.doubt = last.lsn.and_then(|due| LsnRange::new(due, next.before()?));
    }
}

fn whole_header(source: &Source, index: usize, kind: DamageKind, expected: String, found: String) -> Option<Damage> {
    let segment = source.segments.get(index)?;
    let span = Span::new(segment.id, 0, crate::native::HEADER_USED as u64);
    Some(Damage { kind, span, lsn: None, doubt: None, expected, found, facts: Facts::of(Look::Mixed) })
}

fn wrong_name(source: &Source, summaries: &[Summary], index: usize) -> Option<Damage> {
    let joint = joint(summaries.get(index)?)?;
    let (named, header) = (joint.named?, joint.header.as_ref()?);
    if named == header.first_lsn {
        return None;
    }
    let damage = whole_header(
        source,
        index,
        DamageKind::WrongName,
        format!("first LSN {named}, as the name says"),
        format!("first LSN {} in the header", header.first_lsn),
    )?;
    Some(Damage { lsn: Some(header.first_lsn), ..damage })
}

fn other_log(source: &Source, summaries: &[Summary], index: usize, log_id: Option<[u8; 16]>) -> Option<Damage> {
    let (header, log_id) = (joint(summaries.get(index)?)?.header.as_ref()?, log_id?);
    if header.log_id == log_id {
        return None;
    }
    let damage = whole_header(
        source,
        index,
        DamageKind::OtherLog,
        format!("log id {}", hex(&log_id)),
        format!("log id {}", hex(&header.log_id)),
    )?;
    Some(Damage { lsn: Some(header.first_lsn), doubt: summaries.get(index)?.lsns, ..damage })
}

/// What is wrong between a segment and the one before it.
fn between(source: &Source, summaries: &[Summary], index: usize, log_id: Option<[u8; 16]>) -> Option<Damage> {
    let before = summaries.get(index.checked_sub(1)?)?;
    // A stranger in between says nothing about its neighbours.
    if joint(before)?.header.as_ref().is_some_and(|h| Some(h.log_id) != log_id) {
        return None;
    }
    if let Some(gap) = gap_between(source, summaries, index) {
        return Some(gap);
    }
    let summary = summaries.get(index)?;
    let header = joint(summary)?.header.as_ref()?;
    if let (Some(due), Some(begins)) = (before.due, summary.begins)
        && (begins < due || repeats_the_last(before, summary))
    {
        let damage = whole_header(
            source,
            index,
            DamageKind::LsnBack,
            format!("LSN {due}, which follows {}", source.segments.get(index - 1)?.name),
            format!("LSN {begins}, which was already assigned"),
        )?;
        return Some(Damage { lsn: Some(due), ..damage });
    }
    let last_sum = joint(before)?.last_sum?;
    if header.chain == last_sum || joint(before)?.named_chain == Some(header.chain) {
        return None;
    }
    let damage = whole_header(
        source,
        index,
        DamageKind::BrokenChain,
        format!("sum {last_sum:08x}, of the last frame of {}", source.segments.get(index - 1)?.name),
        format!("sum {:08x}", header.chain),
    )?;
    Some(Damage { lsn: Some(header.first_lsn), ..damage })
}

/// Both segments have a record with the last number there is.
fn repeats_the_last(before: &Summary, summary: &Summary) -> bool {
    let last = before.lsns.map(|lsns| lsns.last);
    last.is_some_and(|last| last > Lsn::LAST) && summary.lsns.is_some_and(|lsns| Some(lsns.first) == last)
}

/// Says which transactions were begun and neither committed nor aborted, when that was counted.
fn open_transactions(source: &Source, summaries: &mut [Summary]) {
    let mut open: Vec<(usize, u64)> = Vec::new();
    for (index, summary) in summaries.iter().enumerate() {
        let Some((begun, ended)) = joint(summary).and_then(|j| j.transactions.as_ref()) else { return };
        open.retain(|(_, tag)| !ended.contains(tag));
        open.extend(begun.iter().map(|tag| (index, *tag)));
    }
    for (index, tag) in open {
        let (Some(summary), Some(segment)) = (summaries.get_mut(index), source.segments.get(index)) else { continue };
        let text = format!("transaction {tag} was begun in {} and neither committed nor aborted", segment.name);
        summary.warnings.push(Warning { name: "open-transaction", span: Span::new(segment.id, 0, 0), text });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, Open, SimDisk};

    #[test]
    fn the_last_number_of_all_is_the_only_one_that_a_later_segment_can_repeat_unnoticed() {
        let disk = SimDisk::new();
        let file = disk.open(Path::new("/a"), Open::CREATE).expect("it is new");
        let source = Source::given(Arc::new(disk), "a", file.into(), 1);
        let of = |lsns| Summary { lsns, ..Summary::new(&source.segments[0], 0) };
        let range = |first, last| LsnRange::new(Lsn(first), Lsn(last));
        let repeats = |before, summary| repeats_the_last(&of(before), &of(summary));
        let end = u64::MAX;
        assert!(repeats(range(7, end), range(end, end)));
        assert!(!repeats(range(7, end), range(end - 1, end)), "it begins with another one");
        assert!(!repeats(range(7, end - 1), range(end - 1, end)), "what follows the last but one is known");
        assert!(!repeats(range(7, 9), range(9, 9)) && !repeats(range(7, 9), range(10, 10)));
        assert!(!repeats(None, range(end, end)) && !repeats(range(7, end), None) && !repeats(None, None));
    }
}
