//! When the records around damage were written: the answer to "since when, and until when?".
//!
//! The segments that have damage are walked a second time, for which the walk that found it keeps no room. A log can be large and its
//! damage everywhere, so this ends when it has read a fixed amount; what is left has no times, and nobody waits for it.

use std::collections::BTreeMap;

use crate::disk::{EntryKind, Segment};
use crate::formats::{Halt, Item, Want};
use crate::model::{Damage, Lsn, Record, Time};
use crate::ops::open::Input;
use crate::ops::walk;

/// How many bytes are read for it in one log.
const ENOUGH: u64 = 256 << 20;
/// Behind a segment without a record there may be others; further than that nobody looks.
const FAR: usize = 4;

/// A record beside damage, and when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordTime {
    /// Its LSN, where it has one.
    pub lsn: Option<Lsn>,
    /// When it was written.
    pub time: Time,
}

/// The last record before a piece of damage and the first one after it that bear a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimesAround {
    /// The last one before it.
    pub before: Option<RecordTime>,
    /// The first one after it.
    pub after: Option<RecordTime>,
}

/// For each piece of damage what stands around it.
#[must_use]
pub fn times_around(input: &Input, damage: &[Damage]) -> Vec<TimesAround> {
    let mut around = vec![TimesAround::default(); damage.len()];
    let mut by_segment: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, one) in damage.iter().enumerate() {
        by_segment.entry(one.span.place.segment.index()).or_default().push(index);
    }
    // What is read from another machine is paid for.
    let mut room = if input.source.disk.remote().is_some() { 0 } else { ENOUGH };
    for (segment, mut hurt) in by_segment {
        hurt.sort_by_key(|index| damage[*index].span.start());
        if !in_segment(input, segment, damage, &hurt, &mut around, &mut room) {
            continue;
        }
        if hurt.iter().any(|index| around[*index].after.is_none()) {
            let next = (segment + 1..).take(FAR).find_map(|next| first_of(input, next));
            hurt.iter().for_each(|index| around[*index].after = around[*index].after.or(next));
        }
        if hurt.iter().any(|index| around[*index].before.is_none()) {
            let last = segment.checked_sub(1).and_then(|before| last_of(input, before, &mut room));
            hurt.iter().for_each(|index| around[*index].before = around[*index].before.or(last));
        }
    }
    around
}

/// Looks at the records of one segment; `hurt` is its damage in the order of places. Whether it could be read.
fn in_segment(
    input: &Input,
    segment: usize,
    damage: &[Damage],
    hurt: &[usize],
    around: &mut [TimesAround],
    room: &mut u64,
) -> bool {
    let Some(segment) = readable(input, segment, room) else { return false };
    let (mut last, mut met, mut behind) = (None, 0, 0);
    let _ = walk::one(input, segment, Want::default(), &mut |item| {
        let Item::Record(record) = item else { return Ok(()) };
        let start = record.span.start();
        while met < hurt.len() && damage[hurt[met]].span.start() <= start {
            around[hurt[met]].before = last;
            met += 1;
        }
        let Some(stood) = timed(record) else { return Ok(()) };
        // One piece may lie inside of another; then the outer one waits, and with it the inner one.
        while behind < met && damage[hurt[behind]].span.end() <= start {
            around[hurt[behind]].after = Some(stood);
            behind += 1;
        }
        last = Some(stood);
        Ok(())
    });
    hurt[met..].iter().for_each(|index| around[*index].before = last);
    true
}

fn timed(record: &Record<'_>) -> Option<RecordTime> {
    let time = record.time.filter(|time| time.0 > 0)?;
    Some(RecordTime { lsn: record.last_lsn.or(record.lsn), time })
}

fn first_of(input: &Input, segment: usize) -> Option<RecordTime> {
    let segment = readable(input, segment, &mut if input.source.disk.remote().is_some() { 0 } else { u64::MAX })?;
    let mut first = None;
    let _ = walk::one(input, segment, Want::default(), &mut |item| {
        if let Item::Record(record) = item {
            first = timed(record).map(|stood| RecordTime { lsn: record.lsn, ..stood });
        }
        if first.is_some() { Err(Halt::Enough) } else { Ok(()) }
    });
    first
}

fn last_of(input: &Input, segment: usize, room: &mut u64) -> Option<RecordTime> {
    let segment = readable(input, segment, room)?;
    let mut last = None;
    let _ = walk::one(input, segment, Want::default(), &mut |item| {
        if let Item::Record(record) = item {
            last = timed(record).or(last);
        }
        Ok(())
    });
    last
}

/// The segment, if it can be read again and there is room for it, which is taken.
fn readable<'a>(input: &'a Input, segment: usize, room: &mut u64) -> Option<&'a Segment> {
    let segment = input.source.segments.get(segment)?;
    if segment.kind != EntryKind::File || segment.length == u64::MAX {
        return None;
    }
    *room = room.checked_sub(segment.length)?;
    Some(segment)
}
