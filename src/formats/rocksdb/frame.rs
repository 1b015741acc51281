//! What a frame of a RocksDB or LevelDB log looks like on disk, and what stands at an offset.

use crate::disk::{Cursor, WindowSums, crc32c, zero_prefix};

/// A file is cut into blocks of this length, counted from its start; a frame never crosses one.
pub const BLOCK: u64 = 32_768;
/// The header of a classic frame.
pub const HEADER: usize = 7;
/// The header of a frame in a recycled log: it bears the log's number.
pub const RECYCLED_HEADER: usize = 11;

const COMPRESSION: u8 = 9;
const TIMESTAMPS: u8 = 10;
const RECYCLED_TIMESTAMPS: u8 = 11;
const PREDECESSOR: u8 = 130;
const RECYCLED_PREDECESSOR: u8 = 131;
/// A type with this bit may be passed over by those that do not know it.
const SKIPPABLE: u8 = 0x80;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A record by itself.
    Whole,
    /// The first piece of one.
    First,
    /// A piece between.
    Middle,
    /// The last piece.
    Last,
    /// How what follows is compressed.
    Compression,
    /// How long the timestamps in keys are.
    Timestamps,
    /// Which log came before.
    Predecessor,
    /// A type that nobody has to know.
    Unknown,
}

/// The header of a frame.
///
/// ```text
/// classic    | sum u32 | length u16 | type u8 | payload |                       the sum covers type and payload
/// recycled   | sum u32 | length u16 | type u8 | log number u32 | payload |      the sum covers type, log number and payload
/// ```
/// Little-endian. The sum is a masked CRC-32C. The length is not covered, but a wrong one makes the sum wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it begins.
    pub at: u64,
    /// What it is for.
    pub part: Part,
    /// The type as it is stored.
    pub kind: u8,
    /// How long its payload is.
    pub length: u16,
    /// The low half of the log's number; only in recycled logs.
    pub number: Option<u32>,
}

impl Frame {
    /// How long its header is.
    #[must_use]
    pub fn header(&self) -> usize {
        if self.number.is_some() { RECYCLED_HEADER } else { HEADER }
    }

    /// Where its payload begins.
    #[must_use]
    pub fn payload(&self) -> u64 {
        self.at + self.header() as u64
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.payload() + u64::from(self.length)
    }
}

/// What a type means, and whether it stands in recycled logs.
fn part_of(kind: u8) -> Option<(Part, bool)> {
    Some(match kind {
        1 => (Part::Whole, false),
        2 => (Part::First, false),
        3 => (Part::Middle, false),
        4 => (Part::Last, false),
        5 => (Part::Whole, true),
        6 => (Part::First, true),
        7 => (Part::Middle, true),
        8 => (Part::Last, true),
        COMPRESSION => (Part::Compression, false),
        TIMESTAMPS => (Part::Timestamps, false),
        RECYCLED_TIMESTAMPS => (Part::Timestamps, true),
        PREDECESSOR => (Part::Predecessor, false),
        RECYCLED_PREDECESSOR => (Part::Predecessor, true),
        kind if kind & SKIPPABLE != 0 => (Part::Unknown, false),
        _ => return None,
    })
}

/// Sums are stored masked, so that a sum over bytes that hold sums is not weak.
#[must_use]
pub fn mask(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// A header at the start of `bytes`, which reach to the end of the block or of the file; `left` is the distance to the end of the block.
/// The sum is not looked at.
#[must_use]
pub fn parse(bytes: &[u8], at: u64, left: usize) -> Option<(Frame, u32)> {
    let head: &[u8; HEADER] = bytes.first_chunk()?;
    let (part, recycled) = part_of(head[6])?;
    let number = match (recycled, bytes.get(HEADER..RECYCLED_HEADER)) {
        (false, _) => None,
        (true, Some(four)) => Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]])),
        (true, None) => return None,
    };
    let frame = Frame { at, part, kind: head[6], length: u16::from_le_bytes([head[4], head[5]]), number };
    let fits = frame.header() + usize::from(frame.length) <= left;
    fits.then_some((frame, u32::from_le_bytes([head[0], head[1], head[2], head[3]])))
}

/// What stands at an offset, whatever frames are due there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// A frame whose sum fits.
    Frame(Frame),
    /// Too little for a header up to the end of the block, which is there.
    Trailer(u64),
    /// The file ends here.
    FileEnds,
    /// Only zeros up to the end of the file.
    Zeros,
    /// A header of zeros, and something behind it.
    ZeroHeader,
    /// Something else.
    Bad,
}

/// How far it is from `at` to the end of its block.
#[must_use]
pub fn left_in_block(at: u64) -> usize {
    usize::try_from(BLOCK - at % BLOCK).expect("at most a block")
}

/// Looks at what stands at `at`. `recycled` says that frames bear numbers, so headers are longer.
pub fn stands(cursor: &mut Cursor, at: u64, recycled: bool) -> Stands {
    let left = left_in_block(at);
    let bytes = cursor.bytes(at, left);
    if bytes.is_empty() {
        return if cursor.refused_at(at).is_some() { Stands::Bad } else { Stands::FileEnds };
    }
    let (given, zeros) = (bytes.len(), zero_prefix(bytes));
    if left < HEADER {
        // Nothing reads these bytes.
        return match given == left {
            true => Stands::Trailer(at + left as u64),
            false if zeros == given => Stands::Zeros,
            false => Stands::Bad,
        };
    }
    if let Some((frame, sum)) = parse(bytes, at, left) {
        let end = frame.header() + usize::from(frame.length);
        if bytes.get(6..end).is_some_and(|covered| mask(crc32c(0, covered)) == sum) {
            return Stands::Frame(frame);
        }
        return Stands::Bad;
    }
    if recycled && left < RECYCLED_HEADER && zeros == left {
        return Stands::Trailer(at + left as u64);
    }
    if zeros < HEADER.min(given) {
        return Stands::Bad;
    }
    let end = cursor.zeros_end(at);
    if end >= cursor.length() { Stands::Zeros } else { Stands::ZeroHeader }
}

/// A search for the next whole frame, byte by byte: frames have no magic and stand anywhere in their block.
#[derive(Debug, Default)]
pub struct FrameSearch {
    sums: WindowSums,
    /// The block whose sums were taken, and how much of it there was.
    block: Option<(u64, usize)>,
}

impl FrameSearch {
    /// Forgets sums: the bytes may have changed.
    pub fn forget(&mut self) {
        self.block = None;
    }

    /// The first frame at or behind `from` whose sum fits and that `accept` takes.
    pub fn find(&mut self, cursor: &mut Cursor, from: u64, accept: impl Fn(&Frame) -> bool) -> Option<Frame> {
        let mut at = from;
        loop {
            let block = at - at % BLOCK;
            let bytes = cursor.bytes(block, BLOCK as usize);
            let given = bytes.len();
            let first = usize::try_from(at - block).expect("less than a block");
            if given <= first {
                // The end, or a range that the system refuses: a frame may stand behind it.
                at = cursor.refused_at(block + given as u64).filter(|end| *end > at)?;
                continue;
            }
            if zero_prefix(&bytes[first..]) == given - first {
                // A hole of a sparse file is passed in one step. A sum or a length may begin with zeros.
                at = cursor.zeros_end(at).saturating_sub(HEADER as u64).max(block + given as u64);
                continue;
            }
            self.take(block, bytes);
            for offset in first..given.saturating_sub(HEADER - 1) {
                if let Some(frame) = self.whole(block, bytes, offset).filter(&accept) {
                    return Some(frame);
                }
            }
            at = block + given as u64;
        }
    }

    /// The whole frame at `at`, if one is there. A claim costs no more than its header.
    pub fn whole_at(&mut self, cursor: &mut Cursor, at: u64) -> Option<Frame> {
        let block = at - at % BLOCK;
        let bytes = cursor.bytes(block, BLOCK as usize);
        self.take(block, bytes);
        self.whole(block, bytes, usize::try_from(at - block).ok()?)
    }

    /// Whether the sum that is stored at `start` is the one over the bytes from the type on up to `end`, in the same block.
    pub fn fits(&mut self, cursor: &mut Cursor, start: u64, end: u64) -> bool {
        let block = start - start % BLOCK;
        let bytes = cursor.bytes(block, BLOCK as usize);
        self.take(block, bytes);
        let within = |at: u64| usize::try_from(at.saturating_sub(block)).unwrap_or(usize::MAX);
        let Some(stored) = bytes.get(within(start)..).and_then(|rest| rest.first_chunk()) else { return false };
        let covered = self.sums.range(within(start) + 6, within(end));
        covered.is_some_and(|covered| mask(covered) == u32::from_le_bytes(*stored))
    }

    fn take(&mut self, block: u64, bytes: &[u8]) {
        if self.block != Some((block, bytes.len())) {
            self.sums.take(bytes);
            self.block = Some((block, bytes.len()));
        }
    }

    fn whole(&self, block: u64, bytes: &[u8], offset: usize) -> Option<Frame> {
        let (frame, sum) = parse(bytes.get(offset..)?, block + offset as u64, BLOCK as usize - offset)?;
        let end = offset + frame.header() + usize::from(frame.length);
        self.sums.range(offset + 6, end).is_some_and(|covered| mask(covered) == sum).then_some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_sum_is_the_one_that_the_systems_store() {
        // The first frame of a LevelDB MANIFEST: `leveldb.BytewiseComparator`.
        let bytes = b"V\xf9\xb8\xf8\x1c\x00\x01\x01\x1aleveldb.BytewiseComparator";
        let (frame, sum) = parse(bytes, 0, BLOCK as usize).expect("it is a header");
        assert_eq!((frame.part, frame.length, frame.end()), (Part::Whole, 28, 35));
        assert_eq!(mask(crc32c(0, &bytes[6..])), sum);
    }

    #[test]
    fn a_length_that_passes_its_block_is_no_frame() {
        let mut bytes = [0; 11];
        bytes[6] = 1;
        bytes[4] = 5;
        assert!(parse(&bytes, 0, 12).is_some());
        assert!(parse(&bytes, 0, 11).is_none());
        bytes[6] = 5;
        assert!(parse(&bytes, 0, 15).is_none(), "a longer header leaves less room");
        assert!(parse(&bytes, 0, 16).is_some());
    }

    #[test]
    fn types_that_need_not_be_known_are_told_from_those_that_must() {
        assert_eq!(part_of(0x90), Some((Part::Unknown, false)));
        for kind in [0, 12, 20, 127] {
            assert_eq!(part_of(kind), None, "{kind}");
        }
    }
}
