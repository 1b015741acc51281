//! Headers of segments and frames, field by field, and the seed of a frame's sum.
//!
//! See the format page (`FORMAT.md`) for the tables that this file follows.

use std::fmt;

use crate::disk::crc32;
use crate::model::{Lsn, Time};

/// The first bytes of a segment. The CR, LF and SUB in it show damage by text-mode transfers at once.
pub const MAGIC: [u8; 8] = [0x89, 0x57, 0x41, 0x4C, 0x0D, 0x0A, 0x1A, 0x0A];
/// The version that this code writes, and the only one that it reads.
pub const VERSION: u16 = 1;
/// The header owns this much of a segment; frames begin after it.
pub const HEADER_BYTES: u64 = 4096;
/// The part of it that the header's sum covers, without the sum.
const SUMMED_BYTES: usize = 56;
/// The header up to where zeros begin, when nothing is encrypted.
pub const HEADER_USED: usize = 60;
/// The header with the key's id and what authenticates it, when payloads are encrypted.
pub const HEADER_FIELDS: usize = 104;
/// Where in it stands what authenticates all before.
pub(super) const MAC_AT: usize = 88;
/// Where a second copy of an authenticated header stands: in another sector than the first.
pub const HEADER_COPY: u64 = 2048;
/// Segment flag: payloads are encrypted.
pub const SEGMENT_ENCRYPTED: u16 = 1;
/// Segment flag: the header is authenticated, and encrypted payloads are bound to their place.
pub const SEGMENT_BOUND: u16 = 2;

/// Segment flag: the file was a segment before, and its old bytes stand behind the end of the data.
pub const SEGMENT_RECYCLED: u16 = 4;

/// The first bytes of a frame: "WLF1".
pub const FRAME_MAGIC: [u8; 4] = *b"WLF1";
/// The size of a frame's header.
pub const FRAME_HEADER: usize = 40;
/// Frames begin at multiples of this.
pub const ALIGN: u64 = 8;
/// The longest payload that goes into one frame, unless the writer is told otherwise.
pub const FRAME_LIMIT: usize = 1 << 20;
/// The value of `unsynced` that says nothing.
pub const UNSYNCED_UNKNOWN: u16 = u16::MAX;

/// Frame flag: the payload is LZ4.
pub const LZ4: u8 = 1;
/// Frame flag: the payload is AES-256-GCM.
pub const ENCRYPTED: u8 = 2;
/// Frame flag: more of this batch follows.
pub const MORE: u8 = 4;
/// All flags that version 1 knows.
const KNOWN_FLAGS: u8 = LZ4 | ENCRYPTED | MORE;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// A record in one piece.
    Full = 0,
    /// The first piece of a record.
    First = 1,
    /// A piece between.
    Middle = 2,
    /// The last piece.
    Last = 3,
    /// State up to the LSN in the tag is safe elsewhere.
    Checkpoint = 4,
    /// A transaction begins; the tag says which.
    TxnBegin = 5,
    /// It is committed.
    TxnCommit = 6,
    /// It is given up.
    TxnAbort = 7,
    /// Fills a direct write up to its block.
    Pad = 16,
    /// The log was closed cleanly here.
    Close = 17,
    /// The segment is finished here.
    Seal = 18,
    /// LSNs are gone here, and that is known.
    Hole = 19,
    /// What another format said about the record in the next frame.
    Facts = 20,
}

impl FrameKind {
    /// All of them.
    pub const ALL: [FrameKind; 13] = [
        FrameKind::Full,
        FrameKind::First,
        FrameKind::Middle,
        FrameKind::Last,
        FrameKind::Checkpoint,
        FrameKind::TxnBegin,
        FrameKind::TxnCommit,
        FrameKind::TxnAbort,
        FrameKind::Pad,
        FrameKind::Close,
        FrameKind::Seal,
        FrameKind::Hole,
        FrameKind::Facts,
    ];

    /// From the byte in the header.
    #[must_use]
    #[inline]
    pub const fn from_byte(byte: u8) -> Option<FrameKind> {
        Some(match byte {
            0 => FrameKind::Full,
            1 => FrameKind::First,
            2 => FrameKind::Middle,
            3 => FrameKind::Last,
            4 => FrameKind::Checkpoint,
            5 => FrameKind::TxnBegin,
            6 => FrameKind::TxnCommit,
            7 => FrameKind::TxnAbort,
            16 => FrameKind::Pad,
            17 => FrameKind::Close,
            18 => FrameKind::Seal,
            19 => FrameKind::Hole,
            20 => FrameKind::Facts,
            _ => return None,
        })
    }

    /// Whether it takes an LSN.
    #[must_use]
    #[inline]
    pub const fn is_data(self) -> bool {
        (self as u8) < 16
    }

    /// Its name in text and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FrameKind::Full => "full",
            FrameKind::First => "first",
            FrameKind::Middle => "middle",
            FrameKind::Last => "last",
            FrameKind::Checkpoint => "checkpoint",
            FrameKind::TxnBegin => "txn-begin",
            FrameKind::TxnCommit => "txn-commit",
            FrameKind::TxnAbort => "txn-abort",
            FrameKind::Pad => "pad",
            FrameKind::Close => "close",
            FrameKind::Seal => "seal",
            FrameKind::Hole => "hole",
            FrameKind::Facts => "facts",
        }
    }

    /// From its name, however it is written: `txn-begin`, `TxnBegin`, `txn_begin`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<FrameKind> {
        let plain = |s: &str| s.bytes().filter(|b| *b != b'-' && *b != b'_').map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>();
        FrameKind::ALL.into_iter().find(|kind| plain(kind.name()) == plain(name))
    }
}

impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an encrypted segment says about its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHint {
    /// Which key: a fingerprint of key and salt.
    pub id: [u8; 8],
    /// Random, so that equal keys cannot be told from their fingerprints.
    pub salt: [u8; 16],
    /// What authenticates the header. Where it has none, the payloads after it are bound to their frames' headers alone.
    pub mac: Option<[u8; 16]>,
}

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Present when payloads are encrypted.
    pub key: Option<KeyHint>,
    /// The block size of direct writes; 0 when they were buffered.
    pub block: u32,
    /// The same in all segments of one log.
    pub log_id: [u8; 16],
    /// The LSN of the first data frame, and the file's name.
    pub first_lsn: Lsn,
    /// When the segment was begun.
    pub created: Time,
    /// The sum of the last frame of the segment before; 0 in the first one.
    pub chain: u32,
    /// The file was a segment before: until the segment is finished, old bytes stand behind the end of the data, and a table of their sums
    /// behind them.
    pub recycled: bool,
}

/// What the first bytes of a segment turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderFound {
    /// A header that checks out.
    Good(SegmentHeader),
    /// A header whose sum is right and that a newer version wrote: what is unknown, in words.
    Unknown(String),
    /// A header in which one bit flipped: as it was, and the bit's number from the start of the file.
    Flipped(SegmentHeader, u32),
    /// No header, or one that is damaged beyond that.
    Bad,
}

impl SegmentHeader {
    /// The bytes of the header, without the zeros up to [`HEADER_BYTES`].
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_FIELDS] {
        let mut bytes = [0; HEADER_FIELDS];
        let flag = |is: bool, flag: u16| if is { flag } else { 0 };
        let flags = flag(self.key.is_some(), SEGMENT_ENCRYPTED)
            | flag(self.is_bound(), SEGMENT_BOUND)
            | flag(self.recycled, SEGMENT_RECYCLED);
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&flags.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.block.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.log_id);
        bytes[32..40].copy_from_slice(&self.first_lsn.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.created.0.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.chain.to_le_bytes());
        let sum = crc32(0, &bytes[..SUMMED_BYTES]);
        bytes[56..60].copy_from_slice(&sum.to_le_bytes());
        if let Some(key) = &self.key {
            bytes[64..72].copy_from_slice(&key.id);
            bytes[72..88].copy_from_slice(&key.salt);
            bytes[MAC_AT..].copy_from_slice(&key.mac.unwrap_or_default());
        }
        bytes
    }

    /// Whether a second copy of the header stands in its block.
    #[must_use]
    pub fn is_copied(&self) -> bool {
        self.is_bound() || self.recycled
    }

    /// Whether the header is authenticated, and encrypted payloads are bound to their place.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.key.is_some_and(|key| key.mac.is_some())
    }

    /// Reads a header from its first bytes.
    #[must_use]
    pub fn decode(bytes: &[u8; HEADER_FIELDS]) -> HeaderFound {
        if bytes[..8] == MAGIC && sum_fits(bytes) {
            return match unknown(bytes) {
                Some(what) => HeaderFound::Unknown(what),
                None => HeaderFound::Good(parse(bytes)),
            };
        }
        // One flipped bit is found by its sum alone. An unknown version after a wrong sum may be a flip, and must not pass for a
        // newer format.
        for bit in 0..HEADER_USED as u32 * 8 {
            let mut mended = *bytes;
            mended[(bit / 8) as usize] ^= 1 << (bit % 8);
            if mended[..8] == MAGIC && sum_fits(&mended) && unknown(&mended).is_none() {
                return HeaderFound::Flipped(parse(&mended), bit);
            }
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if bytes[..8] == MAGIC && version > VERSION && version < 256 {
            // A later version may keep its sum elsewhere.
            return HeaderFound::Unknown(format!("format version {version}"));
        }
        HeaderFound::Bad
    }

    /// The seed of this segment's frames, before a frame's offset is added.
    #[must_use]
    pub fn seed(&self) -> Seed {
        Seed::new(&self.log_id, self.first_lsn)
    }
}

fn sum_fits(bytes: &[u8; HEADER_FIELDS]) -> bool {
    crc32(0, &bytes[..SUMMED_BYTES]).to_le_bytes() == bytes[56..60]
}

fn unknown(bytes: &[u8; HEADER_FIELDS]) -> Option<String> {
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    let flags = u16::from_le_bytes([bytes[10], bytes[11]]);
    if version != VERSION {
        return Some(format!("format version {version}"));
    }
    // Nothing can be bound where nothing is encrypted.
    let known = if flags & SEGMENT_ENCRYPTED == 0 { 0 } else { SEGMENT_ENCRYPTED | SEGMENT_BOUND };
    let strange = flags & !(known | SEGMENT_RECYCLED);
    (strange != 0).then(|| format!("segment flag bit {}", strange.trailing_zeros()))
}

fn parse(bytes: &[u8; HEADER_FIELDS]) -> SegmentHeader {
    let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    let part = |at: usize| -> [u8; 8] { u64_at(at).to_le_bytes() };
    let wide = |at: usize| -> [u8; 16] { (u128::from(u64_at(at)) | u128::from(u64_at(at + 8)) << 64).to_le_bytes() };
    let flags = u16::from_le_bytes([bytes[10], bytes[11]]);
    let mac = (flags & SEGMENT_BOUND != 0).then(|| wide(MAC_AT));
    SegmentHeader {
        key: (flags & SEGMENT_ENCRYPTED != 0).then(|| KeyHint { id: part(64), salt: wide(72), mac }),
        block: u32_at(12),
        log_id: wide(16),
        first_lsn: Lsn(u64_at(32)),
        created: Time(u64_at(40)),
        chain: u32_at(48),
        recycled: flags & SEGMENT_RECYCLED != 0,
    }
}

/// The seed of a segment's frame sums, before a frame's offset is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u32);

impl Seed {
    /// For the segment of this log that begins with this LSN.
    #[must_use]
    pub fn new(log_id: &[u8; 16], first_lsn: Lsn) -> Seed {
        Seed(crc32(crc32(0, log_id), &first_lsn.0.to_le_bytes()))
    }

    /// The seed of the frame at `offset`. A valid frame copied to any other place is not valid there.
    #[must_use]
    #[inline]
    pub const fn at(self, offset: u64) -> u32 {
        self.0.wrapping_add(offset as u32)
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The sum over the rest of the header and the stored payload.
    pub sum: u32,
    /// The length of the payload as stored.
    pub length: u32,
    /// The kind as it stands there; see [`FrameKind::from_byte`].
    pub kind: u8,
    /// [`LZ4`], [`ENCRYPTED`], [`MORE`].
    pub flags: u8,
    /// How many data frames before this one were not yet known durable when it was written.
    pub unsynced: u16,
    /// The frame's LSN; of a control frame, the one that the next data frame will get.
    pub lsn: Lsn,
    /// When it was written.
    pub time: Time,
    /// The caller's number.
    pub tag: u64,
}

impl FrameHeader {
    /// Reads the fields; `None` when the magic is not there.
    #[must_use]
    #[inline]
    pub fn parse(bytes: &[u8; FRAME_HEADER]) -> Option<FrameHeader> {
        if bytes[..4] != FRAME_MAGIC {
            return None;
        }
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        Some(FrameHeader {
            sum: u32_at(4),
            length: u32_at(8),
            kind: bytes[12],
            flags: bytes[13],
            unsynced: u16::from_le_bytes([bytes[14], bytes[15]]),
            lsn: Lsn(u64_at(16)),
            time: Time(u64_at(24)),
            tag: u64_at(32),
        })
    }

    /// The header's bytes, with the sum as it stands in `self`.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        bytes[..4].copy_from_slice(&FRAME_MAGIC);
        bytes[4..8].copy_from_slice(&self.sum.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12] = self.kind;
        bytes[13] = self.flags;
        bytes[14..16].copy_from_slice(&self.unsynced.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.lsn.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.time.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.tag.to_le_bytes());
        bytes
    }

    /// How many bytes the frame takes on disk, padding included.
    #[must_use]
    #[inline]
    pub const fn span(&self) -> u64 {
        (FRAME_HEADER as u64 + self.length as u64).next_multiple_of(ALIGN)
    }

    /// How many data frames before this one were not known to be durable when it was written; `None` when it does not say.
    #[must_use]
    #[inline]
    pub const fn known_unsynced(&self) -> Option<u32> {
        if self.unsynced == UNSYNCED_UNKNOWN { None } else { Some(self.unsynced as u32) }
    }

    /// The first LSN that this frame does not vouch for: everything below had been synced when it was written. `None` when it
    /// says nothing.
    #[must_use]
    #[inline]
    pub const fn synced_below(&self) -> Option<Lsn> {
        match self.known_unsynced() {
            Some(unsynced) => Some(Lsn(self.lsn.0.saturating_sub(unsynced as u64))),
            None => None,
        }
    }

    /// The LSN that is due after this frame: control frames bear that of the next data frame.
    #[must_use]
    pub fn due_behind(&self) -> Lsn {
        if FrameKind::from_byte(self.kind).is_some_and(|kind| !kind.is_data()) { self.lsn } else { self.lsn.next() }
    }

    /// Whether this frame proves that `lsn` had been synced. Control frames count from the LSN that they bear.
    #[must_use]
    #[inline]
    pub const fn proves_synced(&self, lsn: Lsn) -> bool {
        match self.synced_below() {
            Some(below) => below.0 > lsn.0,
            None => false,
        }
    }

    /// What in a frame with a right sum this version does not know, in words.
    #[must_use]
    pub fn unknown(&self) -> Option<String> {
        let strange = self.flags & !KNOWN_FLAGS;
        if FrameKind::from_byte(self.kind).is_none() {
            return Some(format!("frame kind {}", self.kind));
        }
        (strange != 0).then(|| format!("frame flag bit {}", strange.trailing_zeros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            key: None,
            block: 0,
            log_id: *b"0123456789abcdef",
            first_lsn: Lsn(48_213),
            created: Time(1_700_000_000_000_000),
            chain: 0xAABB_CCDD,
            recycled: false,
        }
    }

    #[test]
    fn a_segment_header_reads_back() {
        let hint = KeyHint { id: *b"keykeyke", salt: *b"saltsaltsaltsalt", mac: None };
        let keyed = |key| SegmentHeader { key: Some(key), block: 4096, ..header() };
        for header in [header(), keyed(hint), keyed(KeyHint { mac: Some([1; 16]), ..hint })] {
            assert_eq!(SegmentHeader::decode(&header.encode()), HeaderFound::Good(header));
        }
    }

    #[test]
    fn each_flipped_bit_of_a_header_is_found_and_undone() {
        for bit in 0..HEADER_USED as u32 * 8 {
            let mut bytes = header().encode();
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&bytes), HeaderFound::Flipped(header(), bit));
        }
        assert_eq!(SegmentHeader::decode(&[0; HEADER_FIELDS]), HeaderFound::Bad);
    }

    #[test]
    fn an_unknown_version_or_flag_is_named_and_is_no_damage() {
        for (at, value, what) in [(8, 2, "format version 2"), (10, 2, "segment flag bit 1"), (11, 0x80, "segment flag bit 15")] {
            let mut bytes = header().encode();
            bytes[at] = value;
            let sum = crc32(0, &bytes[..SUMMED_BYTES]);
            bytes[56..60].copy_from_slice(&sum.to_le_bytes());
            assert_eq!(SegmentHeader::decode(&bytes), HeaderFound::Unknown(what.to_owned()));
        }
    }

    #[test]
    fn a_later_version_whose_sum_stands_elsewhere_is_named_and_a_version_that_cannot_be_is_damage() {
        for (version, named) in [(2u16, true), (255, true), (256, false), (0x0901, false), (0, false)] {
            let mut bytes = header().encode();
            bytes[8..10].copy_from_slice(&version.to_le_bytes());
            // Everything after the version may mean something else there, the sum included.
            bytes[12..88].iter_mut().for_each(|byte| *byte = byte.wrapping_mul(3).wrapping_add(0x35));
            let found = SegmentHeader::decode(&bytes);
            let expected = if named { HeaderFound::Unknown(format!("format version {version}")) } else { HeaderFound::Bad };
            assert_eq!(found, expected, "version {version}");
        }
        let mut bytes = header().encode();
        bytes[8] = 9;
        bytes[0] ^= 0xFF;
        bytes[60] = 1;
        assert_eq!(SegmentHeader::decode(&bytes), HeaderFound::Bad, "another magic is another file");
    }

    #[test]
    fn a_frame_header_reads_back() {
        let frame = FrameHeader {
            sum: 1,
            length: 2,
            kind: 4,
            flags: 5,
            unsynced: 6,
            lsn: Lsn(u64::MAX - 7),
            time: Time(8),
            tag: u64::MAX,
        };
        assert_eq!(FrameHeader::parse(&frame.encode()), Some(frame));
        assert_eq!(FrameHeader::parse(&[0; 40]), None);
        assert_eq!(frame.span(), 48);
    }

    #[test]
    fn what_a_frame_proves() {
        let frame =
            |lsn, unsynced| FrameHeader { sum: 0, length: 0, kind: 0, flags: 0, unsynced, lsn: Lsn(lsn), time: Time(0), tag: 0 };
        // (LSN, unsynced, asked about, proven). The last row of each block is the one that must not be claimed.
        let table = [
            (10, 0, 9, true),
            (10, 0, 10, false),
            (10, 3, 6, true),
            (10, 3, 7, false),
            (10, 10, 0, false),
            (5, 9, 0, false), // more unsynced than there can be: nothing below 0 is vouched for
            (100_000, 65_534, 34_465, true),
            (100_000, 65_534, 34_466, false),
            (100_000, UNSYNCED_UNKNOWN, 1, false),
            (1, 0, 0, true),
            (1, 0, 1, false),
        ];
        for (lsn, unsynced, asked, proven) in table {
            assert_eq!(frame(lsn, unsynced).proves_synced(Lsn(asked)), proven, "{lsn} {unsynced} {asked}");
        }
    }

    #[test]
    fn kinds_have_names_that_lead_back() {
        for kind in FrameKind::ALL {
            assert_eq!(FrameKind::from_byte(kind as u8), Some(kind));
            assert_eq!(FrameKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(FrameKind::from_name("TxnBegin"), Some(FrameKind::TxnBegin));
        assert_eq!(FrameKind::from_name("nonsense"), None);
        assert_eq!((0..=255).filter(|b| FrameKind::from_byte(*b).is_some()).count(), FrameKind::ALL.len());
    }

    #[test]
    fn behind_a_record_the_next_number_is_due_and_behind_a_control_frame_its_own() {
        let frame = |kind| FrameHeader { sum: 0, length: 0, kind, flags: 0, unsynced: 0, lsn: Lsn(5), time: Time(0), tag: 0 };
        for (kind, due) in [
            (FrameKind::Full as u8, 6),
            (FrameKind::Last as u8, 6),
            (FrameKind::Close as u8, 5),
            (FrameKind::Pad as u8, 5),
            (200, 6),
        ] {
            assert_eq!(frame(kind).due_behind(), Lsn(due), "kind {kind}");
        }
    }
}
