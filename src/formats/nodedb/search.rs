//! Where reading goes on behind damage: the next whole record with a higher LSN.
//!
//! Hostile bytes can hold millions of headers that each claim 64 MiB. What a long claim would sum to follows from the sums of the
//! segment's prefixes, so no claim is read twice and a search costs one pass.

use memchr::memmem;

use super::record::{Frame, Header, Layout, MAGIC};
use crate::disk::{Cursor, PREFIX_BLOCK, PrefixSums, crc32c, read_full};
use crate::model::Lsn;

/// How much is looked through at a time.
const STEP: usize = 128 << 10;
/// Up to here a claim is simply summed.
const SHORT_CLAIM: u32 = 8 << 10;

/// The first whole record from `from` on whose LSN is above `above`.
pub(super) fn next_frame(cursor: &mut Cursor, from: u64, above: Option<Lsn>) -> Option<Frame> {
    let mut far = None;
    let mut at = from;
    loop {
        let piece = cursor.bytes(at, STEP);
        let given = piece.len();
        if given < MAGIC.len() {
            // In front of a refused range or at the end: behind a refused range the search goes on.
            match cursor.next_refused(at) {
                Some((start, end)) if start <= at + given as u64 => {
                    at = end;
                    // Sums cannot be carried across bytes that nobody has.
                    far = None;
                    continue;
                }
                _ => return None,
            }
        }
        let places: Vec<u64> = memmem::find_iter(piece, &MAGIC).map(|i| at + i as u64).collect();
        for place in places {
            for layout in Layout::BOTH {
                let found = claim(cursor, place, layout, above, &mut far, at);
                if found.is_some() {
                    return found;
                }
            }
        }
        // The magic may stand across the edge of two pieces.
        at += (given - (MAGIC.len() - 1)) as u64;
    }
}

fn claim(cursor: &mut Cursor, at: u64, layout: Layout, above: Option<Lsn>, far: &mut Option<Far>, piece: u64) -> Option<Frame> {
    let header = Header::read(cursor.bytes(at, layout.size()), layout).filter(Header::plausible)?;
    if header.is_filler() || above.is_some_and(|lsn| header.lsn <= lsn) {
        return None;
    }
    let end = at.checked_add(header.total()).filter(|end| *end <= cursor.length())?;
    let covered = crc32c(0, cursor.bytes(at, layout.sum_at()));
    let start = at + layout.size() as u64;
    let sum = if header.payload <= SHORT_CLAIM {
        let payload = cursor.bytes(start, header.payload as usize);
        (payload.len() == header.payload as usize).then(|| crc32c(covered, payload))?
    } else {
        let far = far.get_or_insert_with(|| Far(PrefixSums::castagnoli_from(piece - piece % PREFIX_BLOCK)));
        PrefixSums::castagnoli_range(covered, far.prefix(cursor, start)?, far.prefix(cursor, end)?, end - start)
    };
    (sum == header.sum).then_some(Frame { header, at })
}

/// Sums of prefixes, from reads that leave the cursor's window where it is: claims end far away, and headers come one by one.
struct Far(PrefixSums);

impl Far {
    /// The sum from the base up to `end`; `None` when a byte before it is not to be had.
    fn prefix(&mut self, cursor: &mut Cursor, end: u64) -> Option<u32> {
        while self.0.known_to() + PREFIX_BLOCK <= end {
            let known = self.0.known_to();
            far_bytes(cursor, known, PREFIX_BLOCK, |block| self.0.add(block))?;
        }
        let (known, sum) = self.0.below(end);
        far_bytes(cursor, known, end - known, |rest| crc32c(sum, rest))
    }
}

/// Gives up to a block at `at` to `act`; `None` when it is not all there.
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

    fn cursor(bytes: &[u8]) -> (tempfile::TempDir, Cursor) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x");
        std::fs::write(&path, bytes).expect("room for a few bytes");
        let file: Arc<dyn File> = RealDisk.open(&path, Open::READ).expect("it opens").into();
        (dir, Cursor::new(file, bytes.len() as u64))
    }

    #[test]
    fn the_search_finds_records_of_both_layouts_wherever_they_stand() {
        for layout in Layout::BOTH {
            for (lead, payload) in [(0, 0), (1, 10), (STEP - 2, 9000), (3 * STEP + 7, 300_000)] {
                let mut bytes = vec![0x57; lead];
                bytes.extend_from_slice(&filler(layout, Lsn(9), payload));
                let (_dir, mut cursor) = cursor(&bytes);
                let found = next_frame(&mut cursor, 0, Some(Lsn(8))).expect("it is there");
                assert_eq!((found.at, found.header.lsn, found.header.layout), (lead as u64, Lsn(9), layout));
                assert!(next_frame(&mut cursor, 0, Some(Lsn(9))).is_none(), "9 is not above 9");
            }
        }
    }

    #[test]
    fn a_million_claims_of_megabytes_end_in_one_pass() {
        // Each header claims most of the file and lies about its sum.
        let mut one = filler(Layout::Short, Lsn(9), 0);
        one[30..34].copy_from_slice(&(4u32 << 20).to_le_bytes());
        let bytes = one.repeat((8 << 20) / one.len());
        let (_dir, mut cursor) = cursor(&bytes);
        assert!(next_frame(&mut cursor, 1, None).is_none());
    }
}
