//! What ended the longest pauses in which nothing was written.

use super::count::LogCounts;
use super::stats::{SegmentPart, SegmentStats};
use crate::formats::{Halt, Item, Mark, Want};
use crate::model::{Lsn, LsnRange};
use crate::ops::open::Input;
use crate::ops::walk;

/// A group that is longer than this is not counted record by record.
const LONGEST_GROUP: u64 = 16 << 20;
/// A frame can tell of no more than this many before it that they are in its group.
const LARGEST_GROUP: u64 = 65_535;
/// Shorter pauses are not examined.
const NOTABLE: u64 = 100_000;

/// How many records ended each of the longest pauses at once. Costs the distance between two entries of an index.
pub(super) fn look_behind_pauses(input: &Input, counts: &mut LogCounts, parts: &[SegmentPart], segments: &[SegmentStats]) {
    for pause in counts.pauses.iter_mut().filter(|p| p.micros >= NOTABLE) {
        let Some(index) = segments.iter().position(|s| s.lsns.is_some_and(|l| l.contains(pause.lsn))) else { continue };
        let Some(segment) = input.source.segments.get(index) else { continue };
        let lsns = LsnRange::new(pause.lsn, pause.lsn.plus(LARGEST_GROUP));
        // From the nearest place that is known, not from the start of the segment.
        // Only frames that are counted say which of them one sync made durable.
        let Some(tally) = parts.get(index).and_then(|part| part.tally.as_ref()) else { continue };
        let near = tally.index.iter().rev().find(|entry| entry.lsn <= pause.lsn.0);
        let start = near.map(|entry| Mark { offset: entry.offset, due: Lsn(entry.lsn), seed: 0 });
        let want = Want { frames: true, lsns, start, ..Want::default() };
        let (mut group, mut size, mut begins) = (None, 0, 0);
        let mut take = |item: Item<'_>| {
            let Item::Record(record) = item else { return Ok(()) };
            let Some(lsn) = record.lsn.filter(|lsn| *lsn >= pause.lsn) else { return Ok(()) };
            let below = record.unsynced.map(|n| lsn.0.saturating_sub(u64::from(n)));
            if below.is_none() || (size > 0 && below != group) || record.is_control() {
                return Err(Halt::Enough);
            }
            begins = if size == 0 { record.span.start() } else { begins };
            // So long a group is hardly one: who never syncs makes groups without an end, and counting them costs a scan.
            if record.span.end() - begins > LONGEST_GROUP {
                size = 0;
                return Err(Halt::Enough);
            }
            (group, size) = (below, size + 1);
            Ok(())
        };
        // Only a word more about the pause: what stops this walk is told where the log is checked.
        let _ = walk::one(input, segment, want, &mut take);
        pause.group = Some(size).filter(|n| *n > 0);
    }
}
