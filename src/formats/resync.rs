//! Where the next whole frame begins after damage.
//!
//! After a bad frame nothing can be trusted, so every occurrence of a magic may begin a frame, and each claims a length. Hostile
//! bytes hold millions of claims of megabytes: reading each would never end. Here a claim costs two blocks, however long it is.

use memchr::memmem;

use crate::disk::{Cursor, PREFIX_BLOCK, PrefixSums, crc32, crc32c, read_full};

/// How much is searched at a time.
const PIECE: usize = 128 << 10;
const BLOCK: usize = PREFIX_BLOCK as usize;
/// How far sums are taken beyond what is asked, so that many claims share one pass.
const AHEAD: u64 = 64 * PREFIX_BLOCK;

/// The first place at or after `from` where `magic` stands and `accept` finds a frame.
pub fn find<T>(
    cursor: &mut Cursor,
    magic: &[u8],
    from: u64,
    mut accept: impl FnMut(&mut Cursor, u64) -> Option<T>,
) -> Option<(u64, T)> {
    let finder = memmem::Finder::new(magic);
    let mut at = from;
    loop {
        let piece = cursor.bytes(at, PIECE);
        let given = piece.len();
        if given < magic.len() {
            // The end, or a range that the system refuses: a frame may stand after it.
            at = cursor.refused_at(at.saturating_add(given as u64))?;
            continue;
        }
        match finder.find(piece) {
            Some(skip) => {
                at += skip as u64;
                if let Some(found) = accept(cursor, at) {
                    return Some((at, found));
                }
                at += 1;
            }
            None if piece.last() == Some(&0) => {
                // No magic holds a zero: a run of them, and a hole of a sparse file, is passed in one step.
                let zeros = at + given as u64 - 1;
                at = cursor.zeros_end(zeros).max(zeros + 1);
            }
            None => at += (given - (magic.len() - 1)) as u64,
        }
    }
}

/// Sums of ranges of a segment, none of which begins before a base.
#[derive(Debug)]
pub struct Sums {
    prefixes: PrefixSums,
    castagnoli: bool,
    /// The block in which a claim ends, apart from the cursor's window, which stays where the search is.
    room: Vec<u8>,
    skip: usize,
    block: Option<(u64, usize)>,
}

impl Sums {
    /// CRC-32 of ranges at or after `base`.
    #[must_use]
    pub fn from(base: u64) -> Sums {
        Sums::over(PrefixSums::from(base - base % PREFIX_BLOCK), false)
    }

    /// The same with CRC-32C.
    #[must_use]
    pub fn castagnoli_from(base: u64) -> Sums {
        Sums::over(PrefixSums::castagnoli_from(base - base % PREFIX_BLOCK), true)
    }

    fn over(prefixes: PrefixSums, castagnoli: bool) -> Sums {
        let room = vec![0; 2 * BLOCK];
        // Reads past the page cache need an aligned place.
        let skip = room.as_ptr().align_offset(BLOCK).min(BLOCK);
        Sums { prefixes, castagnoli, room, skip, block: None }
    }

    /// The sum, continued from `seed`, of `length` bytes at `offset`; `None` when they are not all there.
    pub fn sum(&mut self, cursor: &mut Cursor, seed: u32, offset: u64, length: u64) -> Option<u32> {
        let of = if self.castagnoli { crc32c } else { crc32 };
        if length <= 2 * PREFIX_BLOCK {
            return cursor.fold(offset, length, seed, of);
        }
        let end = offset.checked_add(length).filter(|end| *end <= cursor.length())?;
        self.extend(cursor, end);
        let (known, sum) = self.prefixes.below(end);
        if end - known > PREFIX_BLOCK || cursor.next_refused(offset).is_some_and(|(start, _)| start < end) {
            return None;
        }
        let rest = usize::try_from(end - known).expect("at most a block");
        let last = of(sum, self.block(cursor, known).get(..rest)?);
        let (known, sum) = self.prefixes.below(offset);
        let first = cursor.fold(known, offset - known, sum, of)?;
        let range = if self.castagnoli { PrefixSums::castagnoli_range } else { PrefixSums::range };
        Some(range(seed, first, last, length))
    }

    /// Takes sums up to the last block that ends at or before `end`, and somewhat further.
    fn extend(&mut self, cursor: &mut Cursor, end: u64) {
        if self.prefixes.known_to() + PREFIX_BLOCK > end {
            return;
        }
        loop {
            let at = self.prefixes.known_to();
            if at >= end.saturating_add(AHEAD) {
                return;
            }
            let piece = cursor.bytes(at, BLOCK);
            if piece.len() == BLOCK {
                self.prefixes.add(piece);
                continue;
            }
            // Refused bytes count as zeros; no claim over them is answered. At the end of the file nothing more is known.
            let mut room = [0; BLOCK];
            let given = piece.len();
            room[..given].copy_from_slice(piece);
            if cursor.refused_at(at + given as u64).is_none() {
                return;
            }
            self.prefixes.add(&room);
        }
    }

    fn block<'a>(&'a mut self, cursor: &'a mut Cursor, at: u64) -> &'a [u8] {
        if cursor.is_mapped() {
            return cursor.bytes(at, BLOCK);
        }
        let given = match self.block {
            Some((known, given)) if known == at => given,
            _ => {
                let room = &mut self.room[self.skip..self.skip + BLOCK];
                let given = read_full(&**cursor.file(), room, at).unwrap_or(0);
                self.block = Some((at, given));
                given
            }
        };
        &self.room[self.skip..self.skip + given]
    }
}

/// Where the bytes from `from` to the end of the file stop being zeros, seen from the end: after the last other byte.
pub fn last_content(cursor: &mut Cursor, from: u64) -> u64 {
    if cursor.length() == u64::MAX {
        // Of a pipe, only reading past its end tells where it was.
        let _ = cursor.bytes(1 << 62, 1);
    }
    let mut end = cursor.length();
    while end > from {
        let start = (end.saturating_sub(1) / PIECE as u64 * PIECE as u64).max(from);
        let want = usize::try_from(end - start).expect("at most a piece");
        let piece = cursor.bytes(start, want);
        if piece.len() < want {
            // Refused: whatever stands there counts as content.
            return end;
        }
        if let Some(last) = piece.iter().rposition(|b| *b != 0) {
            return start + last as u64 + 1;
        }
        end = start;
    }
    from
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, File, Open, SimDisk};

    fn cursor(bytes: &[u8]) -> Cursor {
        let disk = SimDisk::new();
        let file: Arc<dyn File> = disk.open(Path::new("/a"), Open::CREATE).expect("it is new").into();
        let written = file.write_at(bytes, 0).expect("a simulated disk has room");
        assert_eq!(written, bytes.len());
        Cursor::new(file, bytes.len() as u64)
    }

    #[test]
    fn a_magic_is_found_wherever_it_lies_across_the_end_of_a_piece_in_zeros_and_in_other_bytes() {
        const MAGIC: &[u8] = b"XYZ!";
        for fill in [0, 0x11] {
            for place in PIECE - 5..PIECE + 2 {
                let mut bytes = vec![fill; 2 * PIECE];
                bytes[place..place + 4].copy_from_slice(MAGIC);
                let mut refused = Vec::new();
                let found = find(&mut cursor(&bytes), MAGIC, 1, |cursor, at| {
                    refused.push(at);
                    (cursor.bytes(at, 4) == MAGIC).then_some("a frame")
                });
                assert_eq!(found, Some((place as u64, "a frame")), "{fill}");
                assert_eq!(refused, [place as u64], "{fill}");
            }
            assert_eq!(find(&mut cursor(&vec![fill; PIECE + 7]), MAGIC, 0, |_, _| Some(())), None);
        }
    }

    #[test]
    fn a_magic_that_is_no_frame_is_passed_by_one_byte() {
        let mut tried = Vec::new();
        let found = find(&mut cursor(b"--aaaa--"), b"aa", 0, |_, at| {
            tried.push(at);
            (at == 4).then_some(())
        });
        assert_eq!((found, tried), (Some((4, ())), vec![2, 3, 4]));
    }
}
