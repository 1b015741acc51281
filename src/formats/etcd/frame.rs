//! What a frame of an etcd log looks like on disk, and what stands at an offset.

use crate::disk::{Cursor, crc32c, zero_prefix};

/// Frames begin at multiples of this, and so does nothing else: a length word never crosses a sector.
pub const ALIGN: u64 = 8;
/// The length word in front of a record.
pub const WORD: u64 = 8;
/// What the server takes for the unit of an interrupted write.
pub const SECTOR: u64 = 512;
/// No head of a record is longer: three tags and three numbers.
const LONGEST_HEAD: usize = 3 + 10 + 5 + 10;
/// As much as is looked at to tell what a frame is: its word, its head, and the first fields of what it holds.
const LOOKED_AT: usize = WORD as usize + LONGEST_HEAD + super::raft::LONGEST_START;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// Which member of which cluster wrote the log.
    Metadata,
    /// An entry of the raft log.
    Entry,
    /// Term, vote and commit index.
    State,
    /// The running sum, carried over from the segment before.
    Sum,
    /// Entries up to an index are in a snapshot.
    Snapshot,
    /// A type that no version so far has written.
    Unknown(u64),
}

impl RecordType {
    fn of(number: u64) -> RecordType {
        match number {
            1 => RecordType::Metadata,
            2 => RecordType::Entry,
            3 => RecordType::State,
            4 => RecordType::Sum,
            5 => RecordType::Snapshot,
            other => RecordType::Unknown(other),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RecordType::Metadata => "metadata",
            RecordType::Entry => "entry",
            RecordType::State => "state",
            RecordType::Sum => "crc",
            RecordType::Snapshot => "snapshot",
            RecordType::Unknown(_) => "unknown",
        }
    }
}

/// A frame: its length word, its record, its padding.
///
/// ```text
/// | length word u64 | 08 type | 10 sum | 1A length | data ... | padding |      the sum covers data, continued from the frame before
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtcdFrame {
    /// Where it begins.
    pub at: u64,
    /// Where it ends, behind its padding.
    pub end: u64,
    /// What the record is.
    pub kind: RecordType,
    /// The running sum behind its data, as it is stored.
    pub sum: u32,
    /// Where its data begins.
    pub data: u64,
    /// How long that is.
    pub length: u64,
}

/// The head of a record, which says how long the record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RecordHead {
    kind: RecordType,
    sum: u32,
    /// How long the head is.
    bytes: u64,
    length: u64,
}

/// A number in seven bits a byte, the lowest first, and what stands behind it.
#[must_use]
pub fn uvarint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        let low = u64::from(byte & 0x7F);
        if index == 9 && low > 1 {
            return None;
        }
        value |= low << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// The length and the padding that a length word says. Only words that the server writes count: no length is zero, and the padding is what
/// the length leaves to the next multiple of 8.
#[must_use]
pub fn parse_word(word: u64) -> Option<(u64, u64)> {
    let (length, top) = (word & ((1 << 56) - 1), word >> 56);
    let padding = length.wrapping_neg() % ALIGN;
    let expected = if padding == 0 { 0 } else { 0x80 | padding };
    (length > 0 && top == expected).then_some((length, padding))
}

impl RecordHead {
    /// From the first bytes of a record. A record without data ends behind its sum.
    fn parse(bytes: &[u8]) -> Option<RecordHead> {
        let (kind, rest) = uvarint(bytes.strip_prefix(&[0x08])?)?;
        let (sum, rest) = uvarint(rest.strip_prefix(&[0x10])?)?;
        let (length, behind) = match rest.strip_prefix(&[0x1A]) {
            Some(rest) => uvarint(rest)?,
            None => (0, rest),
        };
        let head = (bytes.len() - behind.len()) as u64;
        Some(RecordHead { kind: RecordType::of(kind), sum: u32::try_from(sum).ok()?, bytes: head, length })
    }

    fn total(&self) -> u64 {
        self.bytes.saturating_add(self.length)
    }

    fn frame(&self, at: u64) -> EtcdFrame {
        let data = at + WORD + self.bytes;
        let end = data.saturating_add(self.length).checked_next_multiple_of(ALIGN).unwrap_or(u64::MAX);
        EtcdFrame { at, end, kind: self.kind, sum: self.sum, data, length: self.length }
    }
}

/// What the bytes at an offset claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Word and head agree.
    Agreed(EtcdFrame),
    /// The word is one that the server writes, and what stands behind it is no record of this length. It would end here.
    WordOnly {
        /// Where a frame of that length ends.
        end: u64,
        /// The frame that the head alone makes, if there is one.
        head: Option<EtcdFrame>,
    },
    /// The word is none; the frame that the head alone makes, if there is one.
    NoWord(Option<EtcdFrame>),
}

/// Reads a claim from the bytes at `at`; `None` where they are too few for a word.
#[must_use]
pub fn claim(bytes: &[u8], at: u64) -> Option<Claim> {
    let word = u64::from_le_bytes(*bytes.first_chunk()?);
    let head = RecordHead::parse(&bytes[WORD as usize..]);
    let alone = head.map(|head| head.frame(at));
    Some(match (parse_word(word), head) {
        (Some((length, _)), Some(head)) if head.total() == length => Claim::Agreed(head.frame(at)),
        (Some((length, padding)), _) => {
            Claim::WordOnly { end: at.saturating_add(WORD).saturating_add(length).saturating_add(padding), head: alone }
        }
        (None, _) => Claim::NoWord(alone),
    })
}

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EtcdStands {
    /// A frame that is all there. Its sum is not looked at.
    Frame(EtcdFrame),
    /// The file ends here.
    FileEnds,
    /// Only zeros up to the end of the file.
    Zeros,
    /// A length word of zero, and something behind it.
    ZeroWord,
    /// Something else.
    Bad,
}

/// Looks at what stands at `at`.
pub fn stands(cursor: &mut Cursor, at: u64) -> EtcdStands {
    let bytes = cursor.bytes(at, LOOKED_AT);
    if bytes.is_empty() {
        return if cursor.refused_at(at).is_some() { EtcdStands::Bad } else { EtcdStands::FileEnds };
    }
    let (given, zeros) = (bytes.len(), zero_prefix(bytes));
    if zeros >= given.min(WORD as usize) {
        let end = cursor.zeros_end(at);
        return if end >= cursor.length() { EtcdStands::Zeros } else { EtcdStands::ZeroWord };
    }
    match claim(bytes, at) {
        Some(Claim::Agreed(frame)) if is_there(cursor, frame.end) => EtcdStands::Frame(frame),
        _ => EtcdStands::Bad,
    }
}

/// Whether the byte before `end` is there.
fn is_there(cursor: &mut Cursor, end: u64) -> bool {
    // Of a pipe, only reading tells how long it is.
    end <= cursor.length() && (cursor.length() != u64::MAX || cursor.bytes(end - 1, 1).len() == 1)
}

/// The frame at `at`, if word, head and the first fields of its content agree. Its sum is not looked at: nothing that does not hold such a
/// log in itself looks like that.
pub fn looks_whole(cursor: &mut Cursor, at: u64) -> Option<EtcdFrame> {
    let bytes = cursor.bytes(at, LOOKED_AT);
    let Some(Claim::Agreed(frame)) = claim(bytes, at) else { return None };
    let data = bytes.get(usize::try_from(frame.data - at).ok()?..)?;
    let fits = super::raft::start_fits(frame.kind, data, frame.length);
    (fits && is_there(cursor, frame.end)).then_some(frame)
}

/// What the running sum becomes behind this frame; `None` when its data is not all there.
pub fn sum_behind(cursor: &mut Cursor, before: u32, frame: &EtcdFrame) -> Option<u32> {
    cursor.fold(frame.data, frame.length, before, crc32c)
}

/// Whether the frame at `at` continues the sum `before`.
pub fn chains(cursor: &mut Cursor, at: u64, before: u32) -> bool {
    match stands(cursor, at) {
        EtcdStands::Frame(frame) if frame.kind == RecordType::Sum => frame.length == 0 && frame.sum == before,
        EtcdStands::Frame(frame) => sum_behind(cursor, before, &frame) == Some(frame.sum),
        _ => false,
    }
}

/// Whether some sector's part of the bytes from `start` to `end` is all zeros: that is what the server takes for an interrupted write.
pub fn lacks_a_sector(cursor: &mut Cursor, start: u64, end: u64) -> bool {
    let mut at = start;
    while at < end {
        let next = (at / SECTOR + 1) * SECTOR;
        let want = usize::try_from(next.min(end) - at).expect("at most a sector");
        let piece = cursor.bytes(at, want);
        if piece.len() == want && zero_prefix(piece) == want {
            return true;
        }
        if piece.len() < want {
            return false;
        }
        at = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_that_the_server_writes_are_words() {
        assert_eq!(parse_word(0x84_00_00_00_00_00_00_04), Some((4, 4)));
        assert_eq!(parse_word(16), Some((16, 0)));
        for word in
            [0, 4, 0x84_00_00_00_00_00_00_05, 0x80_00_00_00_00_00_00_10, 0xC4_00_00_00_00_00_00_04, 0x04_00_00_00_00_00_00_04]
        {
            assert_eq!(parse_word(word), None, "{word:x}");
        }
    }

    #[test]
    fn numbers_of_more_than_64_bits_are_none() {
        assert_eq!(uvarint(&[0x85, 1, 9]), Some((133, &[9][..])));
        assert_eq!(uvarint(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]), Some((u64::MAX, &[][..])));
        assert_eq!(uvarint(&[0xFF; 10]), None);
        assert_eq!(uvarint(&[0x80; 3]), None);
    }

    #[test]
    fn a_head_says_how_long_its_record_is_whatever_the_word_says() {
        let record = [0x08, 2, 0x10, 0x80, 1, 0x1A, 3, b'a', b'b', b'c'];
        let with = |word: u64| [&word.to_le_bytes()[..], &record].concat();
        let right = with(0x86_00_00_00_00_00_00_0A);
        let frame = EtcdFrame { at: 64, end: 88, kind: RecordType::Entry, sum: 128, data: 79, length: 3 };
        assert_eq!(claim(&right, 64), Some(Claim::Agreed(frame)));
        assert_eq!(claim(&with(0x10), 64), Some(Claim::WordOnly { end: 88, head: Some(frame) }));
        assert_eq!(claim(&with(0x0A), 64), Some(Claim::NoWord(Some(frame))));
        assert_eq!(claim(&right[..7], 64), None);
    }
}
