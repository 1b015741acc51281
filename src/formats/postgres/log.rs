//! What a log is besides its records: names, timelines, and what its segments say about each other.

use std::any::Any;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::kept::maybe;
use super::super::{Ending, Folder, Laid, Likeness, Sample, Summary, first_damage, numbered};
use super::page::{PAGE, PageHeader, possible_size, segment_size, show, version_of};
use crate::disk::{Source, zero_prefix};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Proof, Span};

/// The name of a segment, taken apart: `00000001000000000000000C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// Which history wrote it.
    pub timeline: u32,
    /// High and low part of its number. How they make a number depends on how long segments are.
    pub parts: u64,
}

/// Takes a name apart.
#[must_use]
pub fn name_of(name: &str) -> Option<SegmentName> {
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok();
    let digits = name.len() == 24 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
    let (timeline, high, low) = digits.then(|| (hex(&name[..8]), hex(&name[8..16]), hex(&name[16..])))?;
    Some(SegmentName { timeline: timeline?, parts: (u64::from(high?) << 32) | u64::from(low?) })
}

/// The log of a folder: the newest timeline among the names, and of older ones the segments in front of its first one, which begins with a
/// copy of the segment in which the older one was left.
pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    let mut last_timelines: HashMap<u64, u32> = HashMap::new();
    for name in folder.entries.iter().filter_map(|entry| name_of(&entry.name)) {
        let last = last_timelines.entry(name.parts).or_default();
        *last = name.timeline.max(*last);
    }
    let newest = last_timelines.values().copied().max();
    let of_newest = last_timelines.iter().filter(|(_, timeline)| Some(**timeline) == newest);
    let first = of_newest.map(|(parts, _)| *parts).min();
    let chosen = |name: &SegmentName| {
        let in_front = Some(name.parts) < first && last_timelines.get(&name.parts) == Some(&name.timeline);
        Some(name.timeline) == newest || in_front
    };
    numbered(folder, |name| name_of(name).filter(chosen).map(|name| name.parts))
}

/// The number of a segment of this length, from the parts of its name: its place in the log, counted in segments.
#[must_use]
pub fn number_of(parts: u64, size: u64) -> u64 {
    (parts >> 32) * ((1 << 32) / size) + (parts & 0xFFFF_FFFF)
}

/// The other way round.
#[must_use]
pub fn parts_of(number: u64, size: u64) -> u64 {
    let each = (1 << 32) / size;
    ((number / each) << 32) | (number % each)
}

/// What the join needs to know of a segment besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// How long segments are.
    pub size: u64,
    /// The position of its first byte.
    pub base: u64,
    /// It holds pages that stand in their place.
    pub current: bool,
    /// The first record that begins in it, and the one that it says is before it.
    pub first: Option<(u64, u64)>,
    /// Where the last record begins.
    pub last: Option<u64>,
    /// Reading came to its end: the log goes on in the next segment.
    pub through: bool,
    /// Reading went over damage.
    pub hurt: bool,
    /// What begins the next segment is not there.
    pub unfollowed: bool,
}

/// What the join reads of a segment, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    Some(json!({
        "size": own.size, "base": own.base, "current": own.current, "first": own.first.map(|(at, before)| json!([at, before])),
        "last": own.last, "through": own.through, "hurt": own.hurt, "unfollowed": own.unfollowed,
    }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    let pair = |value: &Value| match value.as_array()?.as_slice() {
        [at, before] => Some((at.as_u64()?, before.as_u64()?)),
        _ => None,
    };
    Some(Box::new(Own {
        size: from["size"].as_u64().filter(|size| possible_size(*size))?,
        base: from["base"].as_u64()?,
        current: from["current"].as_bool()?,
        first: maybe(&from["first"], pair)?,
        last: maybe(&from["last"], Value::as_u64)?,
        through: from["through"].as_bool()?,
        hurt: from["hurt"].as_bool()?,
        unfollowed: from["unfollowed"].as_bool()?,
    }))
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.map(name_of);
    if named == Some(None) {
        return Likeness::No;
    }
    let page = |at: usize| PageHeader::parse(sample.head.get(at..).unwrap_or_default()).filter(|h| version_of(h.magic).is_some());
    // One that was made ahead bears the position that it had before.
    if segment_size(sample.head).is_some() {
        return Likeness::Sure;
    }
    if named.is_none() {
        return Likeness::No;
    }
    let later = (1..sample.head.len().div_ceil(PAGE as usize)).any(|index| page(index * PAGE as usize).is_some());
    match zero_prefix(sample.head) == sample.head.len() {
        // Nobody else gives files such names.
        true if possible_size(sample.length) || sample.length == 0 => Likeness::Maybe,
        _ if later || page(0).is_some() => Likeness::Sure,
        _ => Likeness::No,
    }
}

/// Later pages or segments stand in their place.
pub const WENT_ON: Proof =
    Proof::Told { by: "a later page", words: "bears the position at which it stands, so the log had gone on behind this" };
/// A whole record stands behind.
pub const WRITTEN_AFTER: Proof = Proof::Told { by: "a whole record", words: "stands behind it and was written after it" };
/// A file is made in full before it is used.
pub const MADE_IN_FULL: Proof = Proof::Told {
    by: "the size of segments",
    words: "says that the bytes had been there, for files are made in full before they are used",
};

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    // Segments in front of the first one with content are only named; behind the last one they were made ahead.
    let filled: Vec<usize> =
        (0..summaries.len()).filter(|index| own(&summaries[*index]).is_some_and(|own| own.current)).collect();
    let Some(last) = filled.last().copied() else { return Vec::new() };
    let mut between = Vec::new();
    for (index, summary) in summaries[..last].iter_mut().enumerate() {
        if let Some(damage) = ends_before(source, summary, index) {
            summary.ending = Ending::Damage;
            summary.damage.push(damage);
        }
        for damage in summary.damage.kept_mut() {
            damage.facts.proof.get_or_insert(WENT_ON);
        }
    }
    for pair in filled.windows(2) {
        between.extend(gap(source, summaries, pair[0], pair[1]));
    }
    let words = recovery(source, summaries, &between);
    if let Some(last) = summaries.last_mut() {
        last.recovery = words;
    }
    between
}

/// What a server makes of a damaged log, if its checkpoint lies in front of the damage: the end of the log.
fn recovery(source: &Source, summaries: &[Summary], between: &[Damage]) -> Option<String> {
    let first = first_damage(summaries, between)?;
    let index = first.span.place.segment.index();
    let at = own(summaries.get(index)?)?.base.saturating_add(first.span.start());
    let (position, name) = (show(first.lsn.map_or(at, |lsn| lsn.0)), &source.segments.get(index)?.name);
    Some(match first.kind {
        DamageKind::MissingSegment => {
            format!(
                "PostgreSQL takes {position}, in front of {name}, for the end of the log, says so in a line of its own log, and never reads what follows"
            )
        }
        _ => format!(
            "PostgreSQL takes {position}, in {name}, for the end of the log, says so in a line of its own log, starts, and writes over what follows"
        ),
    })
}

fn own(summary: &Summary) -> Option<&Own> {
    summary.own::<Own>()
}

/// The log seems to end in a segment, and a later one goes on with it.
fn ends_before(source: &Source, summary: &Summary, index: usize) -> Option<Damage> {
    let own = own(summary).filter(|own| !own.through && summary.ending != Ending::Damage)?;
    let segment = source.segments.get(index)?;
    let at = own.base.saturating_add(summary.end);
    let end = own.base.saturating_add(own.size);
    Some(Damage {
        kind: DamageKind::Zeroed,
        span: Span::new(segment.id, summary.end, summary.length.max(summary.end)),
        lsn: Some(Lsn(at)),
        doubt: LsnRange::new(Lsn(at), Lsn(end.saturating_sub(1))),
        expected: format!("a record at {}", show(at)),
        found: "no record up to the end of the segment, and later segments go on with the log".to_owned(),
        facts: Facts { proof: Some(WENT_ON), ..Facts::of(Look::Interrupted) },
    })
}

/// Segments that are not there between two that are, or a first record that follows another one than the last.
fn gap(source: &Source, summaries: &[Summary], before: usize, later: usize) -> Option<Damage> {
    let (a, b) = (own(&summaries[before])?, own(&summaries[later])?);
    let segment = source.segments.get(later)?;
    let due = a.base.checked_add(a.size)?;
    if b.base > due {
        // One that is there and holds nothing of its own was reported as a hole in the log only by this.
        return Some(Damage {
            kind: DamageKind::MissingSegment,
            span: Span::new(segment.id, 0, 0),
            lsn: Some(Lsn(due)),
            doubt: LsnRange::new(Lsn(due), Lsn(b.base - 1)),
            expected: format!("the segment from {} next, after {}", show(due), source.segments.get(before)?.name),
            found: format!("the one from {}", show(b.base)),
            facts: Facts::of(Look::Absent),
        });
    }
    let (last, (first, names)) = (a.last?, b.first?);
    if a.hurt || b.hurt || names == last || !a.through {
        return None;
    }
    Some(Damage {
        kind: DamageKind::BrokenChain,
        span: Span::new(segment.id, first - b.base, first - b.base),
        lsn: Some(Lsn(first)),
        doubt: None,
        expected: format!("a record that follows the one at {}", show(last)),
        found: format!("one that follows {}", show(names)),
        facts: Facts::of(Look::Mixed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_to_each_other_whatever_the_size() {
        let name = name_of("00000002000000010000000C").expect("it is a segment");
        assert_eq!((name.timeline, name.parts), (2, 1 << 32 | 12));
        for size in [1 << 20, 16 << 20, 1 << 30] {
            let number = number_of(1 << 32 | 3, size);
            assert_eq!(number * size, (1 << 32) + 3 * size);
            assert_eq!(parts_of(number, size), 1 << 32 | 3);
        }
        for name in ["00000002.history", "00000001000000000000000C.partial", "00000001000000000000000c", "xlogtemp.12", ""] {
            assert_eq!(name_of(name), None, "{name}");
        }
    }
}
