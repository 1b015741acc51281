//! What a frame of a Prometheus log looks like on disk, and what stands at an offset.

use crate::disk::{Cursor, WindowSums, crc32c, zero_prefix};

/// A segment is made of pages of this length, counted from its start; a frame never crosses one.
pub const PAGE: u64 = 32_768;
/// Flags and kind, length, sum.
pub const FRAME_HEADER: usize = 7;

const KIND: u8 = 0b0000_0111;
const SNAPPY: u8 = 0b0000_1000;
const ZSTD: u8 = 0b0001_0000;
const RESERVED: u8 = 0b1110_0000;

/// Which part of a record a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceOf {
    /// All of it.
    Whole,
    /// Its first piece.
    First,
    /// A piece between.
    Middle,
    /// Its last piece.
    Last,
}

/// How a record is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// As it is.
    Plain,
    /// One Snappy block.
    Snappy,
    /// One Zstandard frame.
    Zstandard,
}

impl Packed {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Packed::Plain => "none",
            Packed::Snappy => "snappy",
            Packed::Zstandard => "zstd",
        }
    }
}

/// The header of a frame.
///
/// ```text
/// | flags and kind u8 | length u16 | sum u32 | fragment |      big-endian; the sum is a CRC-32C over the fragment alone
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFrame {
    /// Where it begins.
    pub at: u64,
    /// Which part of a record it holds.
    pub piece: PieceOf,
    /// How the record is stored; the same in all of its pieces.
    pub packed: Packed,
    /// How long the fragment is.
    pub length: u16,
}

impl PageFrame {
    /// Where its fragment begins.
    #[must_use]
    pub fn fragment(&self) -> u64 {
        self.at + FRAME_HEADER as u64
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.fragment() + u64::from(self.length)
    }
}

/// A header at the start of `bytes`; `left` is the distance to the end of the page. The sum is given and not looked at.
#[must_use]
pub fn parse_header(bytes: &[u8], at: u64, left: usize) -> Option<(PageFrame, u32)> {
    let head: &[u8; FRAME_HEADER] = bytes.first_chunk()?;
    let piece = match head[0] & KIND {
        1 => PieceOf::Whole,
        2 => PieceOf::First,
        3 => PieceOf::Middle,
        4 => PieceOf::Last,
        _ => return None,
    };
    let packed = match head[0] & (SNAPPY | ZSTD) {
        0 => Packed::Plain,
        SNAPPY => Packed::Snappy,
        ZSTD => Packed::Zstandard,
        _ => return None,
    };
    let length = u16::from_be_bytes([head[1], head[2]]);
    let fits = head[0] & RESERVED == 0 && FRAME_HEADER + usize::from(length) <= left;
    let sum = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
    fits.then_some((PageFrame { at, piece, packed, length }, sum))
}

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPage {
    /// A frame whose sum fits.
    Frame(PageFrame),
    /// Zeros up to the end of the page, which is there: where the next page begins.
    Padding(u64),
    /// The file ends here.
    FileEnds,
    /// Only zeros up to the end of the file.
    Zeros,
    /// Zeros where padding begins, and something behind them on the same page.
    ZeroKind,
    /// Something else.
    Bad,
}

/// How far it is from `at` to the end of its page.
#[must_use]
pub fn left_on_page(at: u64) -> usize {
    usize::try_from(PAGE - at % PAGE).expect("at most a page")
}

/// Looks at what stands at `at`.
pub fn stands(cursor: &mut Cursor, at: u64) -> OnPage {
    let left = left_on_page(at);
    let bytes = cursor.bytes(at, left);
    let Some(first) = bytes.first().copied() else {
        return if cursor.refused_at(at).is_some() { OnPage::Bad } else { OnPage::FileEnds };
    };
    let (given, zeros) = (bytes.len(), zero_prefix(bytes));
    if first == 0 {
        if zeros < given {
            return OnPage::ZeroKind;
        }
        if given < left {
            return if cursor.refused_at(at + given as u64).is_some() { OnPage::Bad } else { OnPage::Zeros };
        }
        let end = cursor.zeros_end(at);
        return if end >= cursor.length() { OnPage::Zeros } else { OnPage::Padding(at + left as u64) };
    }
    match parse_header(bytes, at, left) {
        Some((frame, sum)) => {
            let end = FRAME_HEADER + usize::from(frame.length);
            let fits = bytes.get(FRAME_HEADER..end).is_some_and(|covered| crc32c(0, covered) == sum);
            if fits { OnPage::Frame(frame) } else { OnPage::Bad }
        }
        None => OnPage::Bad,
    }
}

/// A search for the next whole frame, byte by byte: frames have no magic and stand anywhere on their page.
#[derive(Debug, Default)]
pub struct PageSearch {
    sums: WindowSums,
    /// The page whose sums were taken, and how much of it there was.
    page: Option<(u64, usize)>,
}

impl PageSearch {
    /// Forgets sums: the bytes may have changed.
    pub fn forget(&mut self) {
        self.page = None;
    }

    /// The first frame at or behind `from` whose sum fits. An empty frame proves nothing: its sum is zero, as zeros are.
    pub fn find(&mut self, cursor: &mut Cursor, from: u64) -> Option<PageFrame> {
        let mut at = from;
        loop {
            let page = at - at % PAGE;
            let bytes = cursor.bytes(page, PAGE as usize);
            let given = bytes.len();
            let first = usize::try_from(at - page).expect("less than a page");
            if given <= first {
                // The end, or a range that the system refuses: a frame may stand behind it.
                at = cursor.refused_at(page + given as u64).filter(|end| *end > at)?;
                continue;
            }
            if zero_prefix(&bytes[first..]) == given - first {
                // A hole of a sparse file is passed in one step; no header begins with a zero.
                at = cursor.zeros_end(at).max(page + given as u64);
                continue;
            }
            self.take(page, bytes);
            for offset in first..given.saturating_sub(FRAME_HEADER - 1) {
                if let Some(frame) = self.whole(page, bytes, offset).filter(|frame| frame.length > 0) {
                    return Some(frame);
                }
            }
            at = page + given as u64;
        }
    }

    /// The whole frame at `at`, if one is there.
    pub fn whole_at(&mut self, cursor: &mut Cursor, at: u64) -> Option<PageFrame> {
        let page = at - at % PAGE;
        let bytes = cursor.bytes(page, PAGE as usize);
        self.take(page, bytes);
        self.whole(page, bytes, usize::try_from(at - page).ok()?)
    }

    fn take(&mut self, page: u64, bytes: &[u8]) {
        if self.page != Some((page, bytes.len())) {
            self.sums.take(bytes);
            self.page = Some((page, bytes.len()));
        }
    }

    fn whole(&self, page: u64, bytes: &[u8], offset: usize) -> Option<PageFrame> {
        let (frame, sum) = parse_header(bytes.get(offset..)?, page + offset as u64, PAGE as usize - offset)?;
        let start = offset + FRAME_HEADER;
        (self.sums.range(start, start + usize::from(frame.length))? == sum).then_some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_flags_and_lengths_that_nothing_writes_are_no_header() {
        let head = |first: u8, length: u16| {
            let [high, low] = length.to_be_bytes();
            parse_header(&[first, high, low, 0, 0, 0, 9], 0, 100)
        };
        let frame = PageFrame { at: 0, piece: PieceOf::Last, packed: Packed::Zstandard, length: 93 };
        assert_eq!(head(0x14, 93), Some((frame, 9)));
        assert!(head(0x01, 93).is_some() && head(0x0A, 1).is_some());
        for (first, length) in [(0, 1), (5, 1), (0x19, 1), (0x21, 1), (0x81, 1), (1, 94)] {
            assert_eq!(head(first, length), None, "{first:x} {length}");
        }
    }
}
