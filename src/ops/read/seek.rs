//! Where in a log something can be: segments that are of use, their first records, and the end.

use std::ops::Range;

use crate::disk::Source;
use crate::formats::{Format, Halt, Item, Summary, Want};
use crate::model::{Keys, Lsn, LsnRange, Result, Time};
use crate::ops::open::is_gone;
use crate::ops::read::Scope;
use crate::ops::walk::{self, LogView};

pub(in crate::ops) struct Chosen {
    pub range: Range<usize>,
    /// File names are LSNs, so LSNs ascend from segment to segment.
    pub ascending: bool,
}

/// LSN and time of a record, as far as the format has them.
type Head = (Option<Lsn>, Option<Time>);

/// The segments that can hold something wanted. Those that are left out are not even opened.
pub(in crate::ops) fn segments_of_use(source: &Source, format: &'static Format, keys: &Keys, scope: Scope) -> Result<Chosen> {
    let count = source.segments.len();
    let mut chosen = Chosen { range: 0..count, ascending: false };
    if count < 2 {
        return Ok(chosen);
    }
    // A segment under a wrong name can hold what is wanted, wherever the names say that it must be: then all of them are read.
    if !scope.is_all() && misnamed(source, format)? {
        return Ok(chosen);
    }
    // What went meanwhile was the oldest, and holds nothing any more.
    let probe = |index: usize| match first_record(source, format, keys, index) {
        Err(error) if is_gone(&error, &source.segments[index]) => Ok(None),
        found => found,
    };
    if let Some(wanted) = scope.lsns {
        chosen.ascending = names_are_lsns(source, format, &probe)?;
        if chosen.ascending {
            // The segment that holds an LSN is the last one whose name does not lie above it.
            let above = |lsn: Lsn| source.segments.partition_point(|s| s.sequence <= lsn.0);
            chosen.range = above(wanted.first).saturating_sub(1)..above(wanted.last).max(1);
        }
    }
    // Clocks are set back now and then: one segment more on either side than the times of first records ask for.
    if let Some(since) = scope.since {
        let first =
            first_after(&chosen.range, &|index| Ok(probe(index)?.is_some_and(|(_, time)| time.is_some_and(|t| t >= since))))?;
        chosen.range.start = first.saturating_sub(2).max(chosen.range.start);
    }
    if let Some(until) = scope.until {
        let first =
            first_after(&chosen.range, &|index| Ok(probe(index)?.is_some_and(|(_, time)| time.is_some_and(|t| t > until))))?;
        chosen.range.end = (first + 1).min(chosen.range.end);
    }
    chosen.range.start = chosen.range.start.min(chosen.range.end);
    chosen.range = with_company(source, format, chosen.range);
    Ok(chosen)
}

/// A segment whose header tells nothing is read with what a header of another one says: where none of those that are of use has one, the
/// next one that does is read as well.
fn with_company(source: &Source, format: &'static Format, range: Range<usize>) -> Range<usize> {
    let Some(header) = format.header else { return range };
    let tells = |index: &usize| header(source, &source.segments[*index], &Keys::default()).is_some();
    if range.is_empty() || range.clone().any(|index| tells(&index)) {
        return range;
    }
    if let Some(before) = (0..range.start).rfind(tells) {
        return before..range.end;
    }
    let behind = (range.end..source.segments.len()).find(tells);
    range.start..behind.map_or(range.end, |index| index + 1)
}

/// The first index of the range that is beyond, if `beyond` holds from some index on; the end of the range when none is.
fn first_after(range: &Range<usize>, beyond: &dyn Fn(usize) -> Result<bool>) -> Result<usize> {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if beyond(middle)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// Up to this many segments are all looked at to learn whether names give LSNs.
const ALL_PROBED: usize = 64;

/// Whether a header says that its segment begins with another LSN than its name does. Costs one small read a segment, which is little
/// compared with passing over the record that is searched.
fn misnamed(source: &Source, format: &'static Format) -> Result<bool> {
    let Some(header) = format.header else { return Ok(false) };
    for segment in &source.segments {
        // What cannot be read is told where it is read; what went meanwhile holds nothing.
        if header(source, segment, &Keys::default()).is_some_and(|facts| facts.first_lsn.0 != segment.sequence) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the names of segments give the LSN of their first record, by looking at all of a few, and at some of many.
fn names_are_lsns(source: &Source, format: &'static Format, probe: &dyn Fn(usize) -> Result<Option<Head>>) -> Result<bool> {
    let count = source.segments.len();
    // Of our own the headers were looked at; of other systems' every first record that can be had must agree.
    let few = count <= ALL_PROBED && format.header.is_none();
    let probed = if few { (0..count).collect() } else { vec![0, count / 2, count - 2] };
    let mut seen = false;
    for index in probed {
        if let Some((Some(lsn), _)) = probe(index)? {
            if lsn.0 != source.segments[index].sequence {
                return Ok(false);
            }
            seen = true;
        }
    }
    Ok(seen)
}

/// LSN and time of the first whole record of a segment.
pub(super) fn first_record(source: &Source, format: &'static Format, keys: &Keys, index: usize) -> Result<Option<Head>> {
    let mut first = None;
    let mut take = |item: Item<'_>| match item {
        Item::Record(record) => {
            first = Some((record.lsn, record.time));
            Err(Halt::Enough)
        }
        _ => Ok(()),
    };
    walk::one(LogView { source, format, keys }, &source.segments[index], Want::default(), &mut take)?;
    Ok(first)
}

/// The last LSN of a log; `None` when it holds no record.
pub fn last_lsn(source: &Source, format: &'static Format, keys: &Keys) -> Result<Option<Lsn>> {
    for segment in source.segments.iter().rev() {
        // Nothing but the end is of use: a sealed segment answers from its seal.
        let want = Want { counts_only: true, lsns: LsnRange::new(Lsn(u64::MAX), Lsn(u64::MAX)), ..Want::default() };
        match walk::summary(LogView { source, format, keys }, segment, want) {
            Ok(Summary { lsns: Some(range), .. }) => return Ok(Some(range.last)),
            Ok(_) => {}
            // Pruned since it was listed, and whatever stands before it too.
            Err(error) if is_gone(&error, segment) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
