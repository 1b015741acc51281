//! Whole records: at a place, and the next one after damage.
//!
//! Hostile bytes can hold millions of headers that each claim 64 MiB. A claim is simply summed as long as no more is read than records
//! would account for; then what long claims would sum to follows from the sums of the segment's prefixes, so no byte is read for each.

use memchr::memmem;

use super::record::{Frame, Header, LARGEST_PAYLOAD, Layout, MAGIC};
use crate::disk::{Cursor, PREFIX_BLOCK, PrefixSums, crc32c, read_full};
use crate::model::Lsn;

/// How much is looked through at a time.
const STEP: usize = 128 << 10;
/// Up to here a claim is always summed.
const SHORT_CLAIM: u64 = 8 << 10;
/// Records account for each byte once, and damage for some more; what goes beyond is hostile.
const SPARE: u64 = 128 << 20;
/// Sums of prefixes are not kept over more than this.
const KEPT: u64 = 4 << 30;
/// What is longer is summed and handed out in pieces, unless it lies in memory already.
pub(super) const LONG: u64 = 128 << 10;

/// A segment, and what summing it has cost.
#[derive(Debug)]
pub(super) struct SummedSegment {
    pub(super) cursor: Cursor,
    /// Bytes of long claims that were summed one by one.
    spent: u64,
    prefixes: Option<(u64, PrefixSums)>,
}

impl SummedSegment {
    pub(super) fn new(cursor: Cursor) -> SummedSegment {
        SummedSegment { cursor, spent: 0, prefixes: None }
    }

    /// The whole record at `at`, trying first the layout of its neighbours.
    #[inline]
    pub(super) fn frame_at(&mut self, at: u64, first: Layout) -> Option<Frame> {
        self.sound(at, first).or_else(|| self.sound(at, first.other()))
    }

    /// The record at `at`, if it has this layout and its sum matches.
    #[inline]
    pub(super) fn sound(&mut self, at: u64, layout: Layout) -> Option<Frame> {
        let header = Header::read(self.cursor.bytes(at, layout.size()), layout).filter(Header::plausible)?;
        (self.sum(at, &header)? == header.sum).then_some(Frame { header, at })
    }

    /// The sum over the record at `at`, with the length that its header gives; `None` when it is not all there.
    #[inline]
    pub(super) fn sum(&mut self, at: u64, header: &Header) -> Option<u32> {
        let (size, total) = (header.layout.size(), header.total());
        if at.saturating_add(total) > self.cursor.length() {
            return None;
        }
        if total > SHORT_CLAIM {
            let covered = crc32c(0, self.cursor.bytes(at, header.layout.sum_at()));
            return self.long_sum(covered, at + size as u64, u64::from(header.payload));
        }
        let bytes = self.cursor.bytes(at, usize::try_from(total).ok()?);
        let bytes = (bytes.len() as u64 == total).then_some(bytes)?;
        Some(crc32c(crc32c(0, &bytes[..header.layout.sum_at()]), &bytes[size..]))
    }

    /// The sum that the record would have with other header bytes and this payload length.
    pub(super) fn sum_with(&mut self, at: u64, header: &Header, payload: u32, change: impl FnOnce(&mut [u8])) -> Option<u32> {
        let size = header.layout.size();
        let mut bytes = self.cursor.bytes(at, size).to_vec();
        if bytes.len() < size || payload > LARGEST_PAYLOAD || at + size as u64 + u64::from(payload) > self.cursor.length() {
            return None;
        }
        change(&mut bytes);
        self.long_sum(crc32c(0, &bytes[..header.layout.sum_at()]), at + size as u64, u64::from(payload))
    }

    /// The sum of a payload, continued from that of its header.
    fn long_sum(&mut self, covered: u32, start: u64, length: u64) -> Option<u32> {
        if length <= SHORT_CLAIM || self.spent <= SPARE.saturating_add(start.saturating_mul(2)) {
            self.spent += length;
            if length <= LONG || self.cursor.is_mapped() {
                let bytes = self.cursor.bytes(start, usize::try_from(length).ok()?);
                return (bytes.len() as u64 == length).then(|| crc32c(covered, bytes));
            }
            return self.cursor.fold(start, length, covered, crc32c);
        }
        let (first, last) = (self.prefix(start, start)?, self.prefix(start, start + length)?);
        Some(PrefixSums::castagnoli_range(covered, first, last, length))
    }

    /// The sum up to `end` from a base at or before `start`; `None` when a byte in between is not to be had.
    fn prefix(&mut self, start: u64, end: u64) -> Option<u32> {
        let reaches = |(base, sums): &(u64, PrefixSums)| *base <= start && start <= sums.known_to().saturating_add(PREFIX_BLOCK);
        let (base, mut sums) = self.prefixes.take().filter(|p| reaches(p) && start - p.0 < KEPT).unwrap_or_else(|| {
            let base = start - start % PREFIX_BLOCK;
            (base, PrefixSums::castagnoli_from(base))
        });
        let mut all = Some(());
        while all.is_some() && sums.known_to() + PREFIX_BLOCK <= end {
            all = far_bytes(&mut self.cursor, sums.known_to(), PREFIX_BLOCK, |block| sums.add(block));
        }
        let (known, sum) = sums.below(end);
        self.prefixes = Some((base, sums));
        all?;
        far_bytes(&mut self.cursor, known, end - known, |rest| crc32c(sum, rest))
    }

    /// Forgets sums over bytes that may have changed.
    pub fn forget_sums(&mut self) {
        self.prefixes = None;
    }

    /// The first whole record from `from` on whose LSN is above `above`.
    pub(super) fn next_frame(&mut self, from: u64, above: Option<Lsn>) -> Option<Frame> {
        let mut at = from;
        loop {
            let piece = self.cursor.bytes(at, STEP);
            let given = piece.len();
            if given < MAGIC.len() {
                // In front of a refused range or at the end: after a refused range the search goes on.
                match self.cursor.next_refused(at) {
                    Some((start, end)) if start <= at + given as u64 => {
                        at = end;
                        // Sums cannot be carried across bytes that could not be read.
                        self.prefixes = None;
                        continue;
                    }
                    _ => return None,
                }
            }
            // The magic may stand across the edge of two pieces.
            let Some(skip) = memmem::find(piece, &MAGIC) else {
                at += (given - (MAGIC.len() - 1)) as u64;
                continue;
            };
            at += skip as u64;
            for layout in Layout::BOTH {
                let header = Header::read(self.cursor.bytes(at, layout.size()), layout).filter(Header::plausible);
                let wanted = header.filter(|h| !h.is_filler() && above.is_none_or(|lsn| h.lsn > lsn));
                if let Some(header) = wanted
                    && self.sum(at, &header) == Some(header.sum)
                {
                    return Some(Frame { header, at });
                }
            }
            at += 1;
        }
    }
}

/// Gives up to a block at `at` to `act`, from a read that leaves the cursor's window where it is: claims end far away, and headers
/// come one by one. `None` when it is not all there.
fn far_bytes<T>(cursor: &mut Cursor, at: u64, want: u64, act: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let mut room = [0; PREFIX_BLOCK as usize];
    let want = usize::try_from(want).ok().filter(|want| *want <= room.len())?;
    // A mapping has no window, and reads past the page cache must be aligned as only the cursor does it.
    if cursor.is_mapped() || cursor.is_direct() {
        let bytes = cursor.bytes(at, want);
        return (bytes.len() == want).then(|| act(bytes));
    }
    let read = read_full(&**cursor.file(), &mut room[..want], at).ok()?;
    (read == want).then(|| act(&room[..want]))
}

#[cfg(test)]
mod tests {
    use super::super::record::filler;
    use super::*;
    use crate::disk::{Disk, File, Open, RealDisk};
    use std::sync::Arc;

    fn reader(bytes: &[u8]) -> (tempfile::TempDir, SummedSegment) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x");
        std::fs::write(&path, bytes).expect("room for a few bytes");
        let file: Arc<dyn File> = RealDisk.open(&path, Open::READ).expect("it opens").into();
        (dir, SummedSegment::new(Cursor::new(file, bytes.len() as u64)))
    }

    #[test]
    fn the_search_finds_records_of_both_layouts_wherever_they_stand() {
        for layout in Layout::BOTH {
            for (lead, payload) in [(0, 0), (1, 10), (STEP - 2, 9000), (3 * STEP + 7, 300_000)] {
                let mut bytes = vec![0x57; lead];
                bytes.extend_from_slice(&filler(layout, Lsn(9), payload));
                let (_dir, mut reader) = reader(&bytes);
                let found = reader.next_frame(0, Some(Lsn(8))).expect("it is there");
                assert_eq!((found.at, found.header.lsn, found.header.layout), (lead as u64, Lsn(9), layout));
                assert!(reader.next_frame(0, Some(Lsn(9))).is_none(), "9 is not above 9");
            }
        }
    }

    #[test]
    fn a_million_claims_of_megabytes_end_in_one_pass() {
        // Each header claims most of the file and lies about its sum.
        let mut one = filler(Layout::Short, Lsn(9), 0);
        one[30..34].copy_from_slice(&(4u32 << 20).to_le_bytes());
        let bytes = one.repeat((8 << 20) / one.len());
        let (_dir, mut reader) = reader(&bytes);
        assert!(reader.next_frame(1, None).is_none());
        assert!(reader.prefixes.is_some(), "the claims were more than could be summed one by one");
    }

    #[test]
    fn a_sum_from_prefixes_is_the_sum() {
        let (first, second) = (filler(Layout::Short, Lsn(1), 20_000), filler(Layout::Long, Lsn(2), 70_001));
        let (_dir, mut reader) = reader(&[first.as_slice(), &second].concat());
        reader.spent = u64::MAX;
        assert!(reader.sound(0, Layout::Short).is_some());
        assert!(reader.sound(first.len() as u64, Layout::Long).is_some());
        assert!(reader.sound(0, Layout::Long).is_none());
    }
}
