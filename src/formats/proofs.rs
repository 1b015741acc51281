//! What several formats look at alike: bytes of an interrupted write, what a later segment proves, gaps between segments.

use super::{Ending, Summary};
use crate::disk::{Cursor, Source, zero_prefix};
use crate::model::{Damage, DamageKind, Facts, Look, LsnRange, Proof, Span};

/// Whether the bytes of a bad region look like a write that was interrupted: its last bytes are zeros, or a whole sector is.
pub fn looks_interrupted(cursor: &mut Cursor, start: u64, end: u64) -> bool {
    const SECTOR: u64 = 512;
    let tail = end.saturating_sub(start).min(8);
    let zeros = |bytes: &[u8], want: u64| bytes.len() as u64 == want && zero_prefix(bytes) == bytes.len();
    if tail > 0 && zeros(cursor.bytes(end - tail, usize::try_from(tail).unwrap_or(0)), tail) {
        return true;
    }
    let mut at = start.next_multiple_of(SECTOR);
    while at.saturating_add(SECTOR) <= end {
        let piece = cursor.bytes(at, usize::try_from(end - at).unwrap_or(usize::MAX).min(128 << 10));
        if piece.len() < SECTOR as usize {
            return false;
        }
        if piece.chunks_exact(SECTOR as usize).any(|sector| zeros(sector, SECTOR)) {
            return true;
        }
        at += (piece.len() as u64 / SECTOR) * SECTOR;
    }
    false
}

/// What a later segment proves about those before it: they had been finished. For formats that sync a segment before the next.
pub fn later_segments_prove(source: &Source, summaries: &mut [Summary]) {
    let mut followed = source.segments.last().is_some_and(|s| s.followed);
    for summary in summaries.iter_mut().rev() {
        if followed {
            for damage in summary.damage.kept_mut() {
                damage.facts.proof.get_or_insert(Proof::LaterSegment);
            }
        }
        followed = true;
    }
}

/// What a reader from the front meets first of what is wrong in segments and between them.
pub fn first_damage<'a>(summaries: &'a [Summary], between: &'a [Damage]) -> Option<&'a Damage> {
    summaries.iter().flat_map(|summary| summary.damage.kept()).chain(between).min_by_key(|damage| damage.span.place)
}

/// The records that are gone between one segment and the next, where each begins with the LSN that is due after the other.
///
/// The hole is placed at the end of the data before it, where the first missing record was due.
#[must_use]
pub fn gap_between(source: &Source, summaries: &[Summary], later: usize) -> Option<Damage> {
    let before = summaries.get(later.checked_sub(1)?)?;
    let (due, begins) = (before.due?, summaries.get(later)?.begins?);
    let doubt = LsnRange::new(due, begins.before()?)?;
    // Bytes that are to blame were already reported, with the same records in doubt.
    if before.ending == Ending::Damage {
        return None;
    }
    let segment = source.segments.get(later - 1)?;
    Some(Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(segment.id, before.end, before.end),
        lsn: Some(due),
        doubt: Some(doubt),
        expected: format!("LSN {due} next"),
        found: format!("{} begins with LSN {begins}", source.segments.get(later)?.name),
        facts: Facts::of(Look::Absent),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, File, Open, SimDisk};

    fn interrupted(bytes: &[u8], start: u64, end: u64) -> bool {
        let disk = SimDisk::new();
        let file: Arc<dyn File> = disk.open(Path::new("/a"), Open::CREATE).expect("it is new").into();
        assert_eq!(file.write_at(bytes, 0).expect("a simulated disk has room"), bytes.len());
        looks_interrupted(&mut Cursor::new(file, bytes.len() as u64), start, end)
    }

    #[test]
    fn a_whole_sector_of_zeros_looks_interrupted_wherever_it_stands_and_as_many_zeros_elsewhere_do_not() {
        for sectors in [3, 256, 257, 300] {
            let whole = vec![7; sectors * 512 + 100];
            let with = |at: usize| {
                let mut bytes = whole.clone();
                bytes[at..at + 512].fill(0);
                interrupted(&bytes, 10, bytes.len() as u64)
            };
            for sector in [1, sectors / 2, sectors - 1] {
                assert!(with(sector * 512), "sector {sector} of {sectors}");
                assert!(!with(sector * 512 + 1) && !with(sector * 512 - 1), "beside sector {sector} of {sectors}");
            }
            assert!(!with(0), "the first sector begins in front of the region");
            assert!(!interrupted(&whole, 10, whole.len() as u64));
        }
    }

    #[test]
    fn eight_zeros_at_the_end_look_interrupted_and_seven_do_not() {
        let bytes = |zeros: usize| [vec![7; 100], vec![0; zeros]].concat();
        assert!(interrupted(&bytes(8), 0, 108) && !interrupted(&bytes(7), 0, 107));
        assert!(interrupted(&bytes(3), 100, 103), "a region of three bytes");
        assert!(!interrupted(&bytes(0), 100, 100), "a region of none");
    }

    #[test]
    fn a_sector_that_ends_with_the_file_counts_in_a_region_that_goes_on_behind_it_and_less_than_one_does_not() {
        assert!(interrupted(&[0; 512], 0, 600) && interrupted(&[vec![7; 512], vec![0; 512]].concat(), 5, 1600));
        assert!(!interrupted(&[0; 511], 0, 600) && !interrupted(&[7; 512], 0, 600));
    }
}
