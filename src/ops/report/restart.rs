//! What a restart reads again after the last checkpoint, and how fast this log can be read.

use std::time::{Duration, Instant};

use super::count::LogCounts;
use super::stats::{SegmentPart, SegmentStats};
use crate::formats::{Mark, Want};
use crate::model::Lsn;
use crate::ops::open::Input;
use crate::ops::walk;

/// How many bytes are read to learn how fast a scan is.
pub(super) const SAMPLE: u64 = 4 << 20;

/// Records and bytes after the last checkpoint.
pub(super) fn replay(counts: &LogCounts, parts: &[SegmentPart], segments: &[SegmentStats], header: u64) -> (u64, u64) {
    let safe = counts.checkpoint.map_or(Lsn(0), |(_, safe)| safe);
    let (mut records, mut bytes) = (0, 0);
    for (part, segment) in parts.iter().zip(segments) {
        match segment.lsns {
            Some(lsns) if lsns.first > safe => {
                records += segment.records;
                bytes += segment.used;
            }
            Some(lsns) if lsns.last > safe => {
                // Inside a segment the index tells from where a restart reads.
                let from = part.tally.as_ref().and_then(|t| t.index.iter().rev().find(|e| e.lsn <= safe.0.saturating_add(1)));
                records += segment.records.min(lsns.last.0 - safe.0);
                bytes += segment.used.saturating_sub(from.map_or(header, |e| e.offset));
            }
            None if counts.lsns.is_none() => {
                records += segment.records;
                bytes += segment.used;
            }
            _ => {}
        }
    }
    (records, bytes)
}

pub(super) fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64().max(1e-9)
}

/// Reads the end of the last segment that holds something, to learn how fast a scan is here.
pub(super) fn sample(input: &Input, parts: &[SegmentPart]) -> Option<f64> {
    let index = parts.iter().rposition(|p| p.tally.as_ref().is_some_and(|t| t.last_lsn > 0))?;
    let (part, segment) = (parts.get(index)?, input.source.segments.get(index)?);
    let from = part.used.saturating_sub(SAMPLE);
    let entry = part.tally.as_ref()?.index.iter().find(|e| e.offset >= from);
    let start = entry.map(|e| Mark { offset: e.offset, due: Lsn(e.lsn), seed: 0 });
    let want = Want { counts_only: true, start, ..Want::default() };
    let begun = Instant::now();
    walk::summary(input, segment, want).ok()?;
    let bytes = part.used.saturating_sub(entry.map_or(0, |e| e.offset));
    (bytes > 0).then(|| rate(bytes, begun.elapsed()))
}
