//! The frames of one group, in the buffer from which they are written.
//!
//! Callers of append put frames here while the group before is being written. What only the leader knows (number, sum, what is not yet
//! durable) is filled in when the group is taken.

use std::borrow::Cow;

use super::options::{RECORD_LIMIT, Settings};
use crate::disk::{AlignedBytes, crc32};
use crate::model::{Error, Lsn, Result, Time};
use crate::native::{
    ALIGN, ENCRYPTED, ENCRYPTION_BYTES, FRAME_HEADER, FrameFields, FrameHeader, FrameKind, LZ4, MORE, Seed, SegmentCipher, Tally,
    UNSYNCED_UNKNOWN, compress, encode_frame, frame_bytes,
};

/// What is to be appended: one record.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// [`FrameKind::Full`], or a Checkpoint or transaction mark. Fragments are the writer's business.
    pub kind: FrameKind,
    /// The caller's number.
    pub tag: u64,
    /// The content.
    pub payload: &'a [u8],
    /// The LSN that it must get: for replicas. Anything but the next one is refused; only in a log that holds no record yet it may lie
    /// ahead, since everywhere else the numbers between would be records that are missing.
    pub lsn: Option<Lsn>,
    /// When it was written first: for replicas.
    pub time: Option<Time>,
}

impl<'a> Draft<'a> {
    /// A record with this content and nothing special.
    #[must_use]
    pub const fn of(payload: &'a [u8]) -> Draft<'a> {
        Draft { kind: FrameKind::Full, tag: 0, payload, lsn: None, time: None }
    }

    /// The same with the caller's number: a transaction, a tenant, a shard. 0 stands for none.
    #[must_use]
    pub const fn tag(self, tag: u64) -> Draft<'a> {
        Draft { tag, ..self }
    }

    /// The same with the LSN that it must get. It is refused if another one is due; only in a log without a record it may lie ahead.
    #[must_use]
    pub const fn lsn(self, lsn: Lsn) -> Draft<'a> {
        Draft { lsn: Some(lsn), ..self }
    }

    /// The same with the moment at which it was written first.
    #[must_use]
    pub const fn time(self, time: Time) -> Draft<'a> {
        Draft { time: Some(time), ..self }
    }

    /// State up to `lsn` is safe elsewhere: recovery begins behind it, and retention may let go what lies below.
    #[must_use]
    pub const fn checkpoint(lsn: Lsn) -> Draft<'static> {
        Draft { kind: FrameKind::Checkpoint, tag: lsn.0, payload: &[], lsn: None, time: None }
    }

    /// The transaction with this number begins. Retention keeps it until it has ended.
    #[must_use]
    pub const fn begin(transaction: u64) -> Draft<'static> {
        Draft { kind: FrameKind::TxnBegin, ..Draft::mark(transaction) }
    }

    /// The transaction with this number is committed.
    #[must_use]
    pub const fn commit(transaction: u64) -> Draft<'static> {
        Draft { kind: FrameKind::TxnCommit, ..Draft::mark(transaction) }
    }

    /// The transaction with this number is taken back.
    #[must_use]
    pub const fn abort(transaction: u64) -> Draft<'static> {
        Draft { kind: FrameKind::TxnAbort, ..Draft::mark(transaction) }
    }

    const fn mark(tag: u64) -> Draft<'static> {
        Draft { kind: FrameKind::Full, tag, payload: &[], lsn: None, time: None }
    }
}

/// What can be appended: bytes in whatever form they come, which become a plain record, or a [`Draft`] that says more.
pub trait AsDraft {
    /// The record that is to be written.
    fn as_draft(&self) -> Draft<'_>;
}

impl<T: AsRef<[u8]> + ?Sized> AsDraft for T {
    fn as_draft(&self) -> Draft<'_> {
        Draft::of(self.as_ref())
    }
}

impl AsDraft for Draft<'_> {
    fn as_draft(&self) -> Draft<'_> {
        *self
    }
}

impl AsDraft for &Draft<'_> {
    fn as_draft(&self) -> Draft<'_> {
        **self
    }
}

/// A record made ready outside any lock: split, compressed.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub draft: Draft<'a>,
    /// Empty when the payload goes into one frame as it is.
    pieces: Vec<PayloadPiece<'a>>,
    encrypted: bool,
}

#[derive(Debug)]
struct PayloadPiece<'a> {
    kind: FrameKind,
    flags: u8,
    stored: Cow<'a, [u8]>,
    plain: usize,
}

impl<'a> Prepared<'a> {
    #[inline]
    pub fn new(draft: Draft<'a>, options: &Settings) -> Result<Prepared<'a>> {
        let encrypted = !options.keys.is_empty();
        let length = draft.payload.len();
        if matches!(draft.kind, FrameKind::Full)
            && length <= options.frame_limit
            && options.compress_min.is_none_or(|min| length < min)
        {
            return Ok(Prepared { draft, pieces: Vec::new(), encrypted });
        }
        Prepared::pieces(draft, options, encrypted)
    }

    #[cold]
    fn pieces(draft: Draft<'a>, options: &Settings, encrypted: bool) -> Result<Prepared<'a>> {
        let length = draft.payload.len();
        match draft.kind {
            FrameKind::Full if length > RECORD_LIMIT => {
                return Err(Error::Input { what: format!("a record of {length} bytes is longer than {RECORD_LIMIT}") });
            }
            FrameKind::Full => {}
            kind if !kind.is_data() || matches!(kind, FrameKind::First | FrameKind::Middle | FrameKind::Last) => {
                return Err(Error::Input { what: format!("a record of kind {kind} cannot be appended") });
            }
            kind if length > options.frame_limit => {
                let limit = options.frame_limit;
                return Err(Error::Input { what: format!("a {kind} record of {length} bytes does not fit a frame of {limit}") });
            }
            _ => {}
        }
        let mut parts = draft.payload.chunks(options.frame_limit);
        let count = parts.len().max(1);
        let mut pieces = Vec::with_capacity(count);
        for index in 0..count {
            let part = parts.next().unwrap_or_default();
            let kind = piece_kind(draft.kind, index as u64, count as u64);
            let mut packed = Vec::new();
            let worth = options.compress_min.is_some_and(|min| length >= min) && compress(part, &mut packed);
            let (flags, stored) = if worth { (LZ4, Cow::Owned(packed)) } else { (0, Cow::Borrowed(part)) };
            pieces.push(PayloadPiece { kind, flags, stored, plain: part.len() });
        }
        Ok(Prepared { draft, pieces, encrypted })
    }

    /// How many frames it takes.
    #[inline]
    pub fn frames(&self) -> usize {
        self.pieces.len().max(1)
    }

    /// How many bytes they take.
    #[inline]
    pub fn bytes(&self) -> usize {
        let extra = if self.encrypted { ENCRYPTION_BYTES } else { 0 };
        if self.pieces.is_empty() {
            return frame_bytes(self.draft.payload.len() + extra);
        }
        self.pieces.iter().map(|piece| frame_bytes(piece.stored.len() + extra)).sum()
    }
}

/// Where a record stands in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchPart {
    /// It is in none.
    Alone,
    /// Others follow.
    Within,
    /// It is the last one.
    Last,
}

/// The frames of one group.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub bytes: AlignedBytes,
    /// Data frames.
    pub frames: usize,
    pub records: usize,
    /// Bytes that callers gave.
    pub payload_bytes: u64,
    /// The LSN that the first frame must get.
    pub pinned: Option<Lsn>,
    /// A new segment begins with this group.
    pub rotate: bool,
    /// Payload lengths before compression, when there is any.
    plains: Vec<usize>,
    /// Where the data frames begin to be followed by padding.
    data_end: usize,
}

/// What the leader knows when it takes a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbering<'a> {
    pub base: Lsn,
    /// Everything below is durable.
    pub durable: Lsn,
    pub time: Time,
    pub seed: Seed,
    pub offset: u64,
    pub cipher: Option<&'a SegmentCipher>,
}

impl Numbering<'_> {
    fn unsynced(&self, lsn: Lsn) -> u16 {
        unsynced(lsn, self.durable)
    }
}

/// How many data frames below `lsn` are not known durable, when everything below `durable` is.
pub(super) fn unsynced(lsn: Lsn, durable: Lsn) -> u16 {
    unsynced_count(lsn.0.saturating_sub(durable.0))
}

/// As a frame bears it: that `count` data frames directly before it are not known durable.
pub(super) fn unsynced_count(count: u64) -> u16 {
    u16::try_from(count).unwrap_or(UNSYNCED_UNKNOWN)
}

/// The kind of the frame that holds one of `count` pieces of a record.
pub(super) fn piece_kind(whole: FrameKind, index: u64, count: u64) -> FrameKind {
    match index {
        _ if count == 1 => whole,
        0 => FrameKind::First,
        i if i + 1 == count => FrameKind::Last,
        _ => FrameKind::Middle,
    }
}

/// The fields of a Close frame: everything below `next` is durable.
pub(super) fn close_fields(next: Lsn, time: Time) -> FrameFields {
    FrameFields { kind: FrameKind::Close, flags: 0, unsynced: 0, lsn: next, time, tag: 0 }
}

impl Group {
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Adds a record.
    #[inline]
    pub fn push(&mut self, prepared: &Prepared<'_>, part: BatchPart, options: &Settings) {
        let (draft, count) = (&prepared.draft, prepared.pieces.len());
        let track = options.compress_min.is_some();
        if count == 0 {
            let flags = if part == BatchPart::Within { MORE } else { 0 };
            self.push_frame(draft, draft.kind, flags, draft.payload, prepared.encrypted);
            if track {
                self.plains.push(draft.payload.len());
            }
        } else {
            for (index, piece) in prepared.pieces.iter().enumerate() {
                // The fragments of a record alone are bound by their kinds. In a batch each frame but the last says that more follows.
                let more = part == BatchPart::Within || (part == BatchPart::Last && index + 1 < count);
                let flags = piece.flags | if more { MORE } else { 0 };
                self.push_frame(draft, piece.kind, flags, &piece.stored, prepared.encrypted);
                if track {
                    self.plains.push(piece.plain);
                }
            }
        }
        self.records += 1;
        self.payload_bytes += draft.payload.len() as u64;
        self.data_end = self.bytes.len();
    }

    #[inline]
    fn push_frame(&mut self, draft: &Draft<'_>, kind: FrameKind, flags: u8, stored: &[u8], encrypted: bool) {
        let (extra, flag) = if encrypted { (ENCRYPTION_BYTES, ENCRYPTED) } else { (0, 0) };
        let length = stored.len() + extra;
        let header = FrameHeader {
            sum: 0,
            length: u32::try_from(length).expect("a frame's payload is limited to megabytes"),
            kind: kind as u8,
            flags: flags | flag,
            unsynced: 0,
            lsn: Lsn(0),
            time: draft.time.unwrap_or(Time(0)),
            tag: draft.tag,
        };
        self.bytes.push(&header.encode());
        self.bytes.push(stored);
        let padding = frame_bytes(length) - FRAME_HEADER - stored.len();
        self.bytes.push_zeros(padding);
        self.frames += 1;
    }

    /// Gives each frame its number, what is unsynced before it, its time, and its sum. The last sum is the answer.
    pub fn number(&mut self, place: &Numbering<'_>) -> Result<u32> {
        let bytes = &mut self.bytes.bytes_mut()[..self.data_end];
        let (mut at, mut lsn, mut last) = (0, place.base, 0);
        while let Some(frame) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
            let head = frame.first_chunk::<FRAME_HEADER>().expect("whole frames were pushed");
            let mut header = FrameHeader::parse(head).expect("whole frames were pushed");
            header.lsn = lsn;
            header.unsynced = place.unsynced(lsn);
            if header.time.0 == 0 {
                header.time = place.time;
            }
            let size = FRAME_HEADER + header.length as usize;
            if let Some(cipher) = place.cipher.filter(|_| header.flags & ENCRYPTED != 0) {
                let plain = frame[FRAME_HEADER..size - ENCRYPTION_BYTES].to_vec();
                let stored = cipher.encrypt(&header, place.offset + at as u64, &plain)?;
                frame[FRAME_HEADER..size].copy_from_slice(&stored);
            }
            let mut head = header.encode();
            last = crc32(crc32(place.seed.at(place.offset + at as u64), &head[8..]), &frame[FRAME_HEADER..size]);
            head[4..8].copy_from_slice(&last.to_le_bytes());
            frame[..FRAME_HEADER].copy_from_slice(&head);
            at += size.next_multiple_of(ALIGN as usize);
            lsn = lsn.next();
        }
        Ok(last)
    }

    /// Fills the group up to a multiple of `block` bytes, so that no block of it is ever written again.
    pub fn pad(&mut self, place: &Numbering<'_>, block: u64, last: u32) -> u32 {
        self.bytes_to_data_end();
        let Some(room) = pad_room(place.offset + self.data_end as u64, block, 0) else { return last };
        let lsn = place.base.plus(self.frames as u64);
        let sum = pad_frame(lsn, place.unsynced(lsn), place.time, place.seed, place.offset + self.data_end as u64, room);
        let sum_of = u32::from_le_bytes([sum[4], sum[5], sum[6], sum[7]]);
        self.bytes.push(&sum);
        sum_of
    }

    /// A group that failed may be padded already.
    fn bytes_to_data_end(&mut self) {
        debug_assert!(self.bytes.len() == self.data_end);
    }

    /// Counts all frames, once they are written.
    pub fn count_into(&self, tally: &mut Tally, offset: u64) {
        let bytes = self.bytes.bytes();
        let (mut at, mut index) = (0, 0);
        while let Some(header) = bytes.get(at..).and_then(|b| b.first_chunk()).and_then(FrameHeader::parse) {
            let stored = u64::from(header.length);
            let plain = match self.plains.get(index) {
                Some(plain) => *plain as u64,
                None if header.flags & ENCRYPTED != 0 => stored.saturating_sub(ENCRYPTION_BYTES as u64),
                None => stored,
            };
            tally.observe(&header, offset + at as u64, plain);
            at += usize::try_from(header.span()).expect("a frame fits memory");
            index += 1;
        }
    }

    /// Empty again, for the next group; keeps the memory that a usual group needs.
    pub fn reuse(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear(16 << 20);
        let mut plains = std::mem::take(&mut self.plains);
        plains.clear();
        *self = Group { bytes, plains, ..Group::default() };
    }
}

/// How many bytes a Pad frame takes at `offset` so that `behind` more bytes end at a multiple of `block`; `None` when none is needed.
pub(super) fn pad_room(offset: u64, block: u64, behind: u64) -> Option<u64> {
    let end = offset + behind;
    let mut room = end.next_multiple_of(block) - end;
    if room == 0 {
        return None;
    }
    // A frame cannot be shorter than its header.
    while room < FRAME_HEADER as u64 {
        room += block;
    }
    Some(room)
}

/// A Pad frame of `room` bytes.
pub(super) fn pad_frame(lsn: Lsn, unsynced: u16, time: Time, seed: Seed, offset: u64, room: u64) -> Vec<u8> {
    let payload = vec![0; usize::try_from(room).expect("padding is a few blocks") - FRAME_HEADER];
    let fields = FrameFields { kind: FrameKind::Pad, flags: 0, unsynced, lsn, time, tag: 0 };
    let mut out = Vec::with_capacity(FRAME_HEADER + payload.len());
    encode_frame(&mut out, &fields, &payload, seed, offset);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::{Opener, SegmentHeader};

    fn place(base: u64, durable: u64) -> Numbering<'static> {
        Numbering {
            base: Lsn(base),
            durable: Lsn(durable),
            time: Time(9),
            seed: Seed::new(&[1; 16], Lsn(1)),
            offset: 4096,
            cipher: None,
        }
    }

    fn headers(group: &Group, place: &Numbering<'_>) -> Vec<FrameHeader> {
        let (bytes, mut at, mut out) = (group.bytes.bytes(), 0, Vec::new());
        while let Some(header) = bytes.get(at..).and_then(|b| b.first_chunk()).and_then(FrameHeader::parse) {
            let size = FRAME_HEADER + header.length as usize;
            let sum = crc32(place.seed.at(place.offset + at as u64), &bytes[at + 8..at + size]);
            assert_eq!(sum, header.sum, "frame {}", out.len());
            at += size.next_multiple_of(8);
            out.push(header);
        }
        assert_eq!(at, bytes.len());
        out
    }

    #[test]
    fn frames_of_a_group_count_from_the_first_one_that_is_not_durable() {
        let (options, place) = (Settings::default(), place(11, 8));
        let mut group = Group::default();
        for payload in [&b"a"[..], b"", b"ccc"] {
            group.push(&Prepared::new(Draft::of(payload), &options).expect("it is short"), BatchPart::Alone, &options);
        }
        group.number(&place).expect("nothing is encrypted");
        let frames: Vec<_> = headers(&group, &place).iter().map(|h| (h.lsn.0, h.unsynced, h.time.0)).collect();
        assert_eq!(frames, [(11, 3, 9), (12, 4, 9), (13, 5, 9)]);
        assert_eq!(unsynced(Lsn(65_535), Lsn(1)), 65_534);
        assert_eq!(unsynced(Lsn(65_536), Lsn(1)), UNSYNCED_UNKNOWN);
        assert_eq!(unsynced(Lsn(1 << 40), Lsn(1)), UNSYNCED_UNKNOWN);
    }

    #[test]
    fn a_long_record_is_split_and_a_batch_says_that_more_follows() {
        let options = Settings { frame_limit: 4, ..Settings::default() };
        let mut group = Group::default();
        let kinds = |group: &Group| headers(group, &place(1, 1)).iter().map(|h| (h.kind, h.flags)).collect::<Vec<_>>();
        group.push(&Prepared::new(Draft::of(b"z"), &options).expect("it is short"), BatchPart::Within, &options);
        group.push(&Prepared::new(Draft::of(b"abcdefghi"), &options).expect("it is short"), BatchPart::Last, &options);
        group.number(&place(1, 1)).expect("nothing is encrypted");
        assert_eq!(kinds(&group), [(0, MORE), (1, MORE), (2, MORE), (3, 0)]);
        assert_eq!((group.frames, group.records), (4, 2));
        let checkpoint = Draft { kind: FrameKind::Checkpoint, ..Draft::of(b"abcdefghi") };
        assert!(Prepared::new(checkpoint, &options).is_err(), "its kind would be lost");
        assert!(Prepared::new(Draft { kind: FrameKind::Seal, ..Draft::of(b"") }, &options).is_err());
        assert!(Prepared::new(Draft { kind: FrameKind::Middle, ..Draft::of(b"") }, &options).is_err());
    }

    #[test]
    fn padding_ends_at_a_block_and_is_never_shorter_than_a_header() {
        for length in 0..4200usize {
            let (options, place) = (Settings::default(), place(1, 1));
            let mut group = Group::default();
            group.push(&Prepared::new(Draft::of(&vec![7; length]), &options).expect("it is short"), BatchPart::Alone, &options);
            assert_eq!(group.bytes.len(), frame_bytes(length));
            let last = group.number(&place).expect("nothing is encrypted");
            group.pad(&place, 4096, last);
            assert_eq!(group.bytes.len() % 4096, 0, "{length}");
            assert!(group.bytes.len() <= frame_bytes(length) + 4096 + 40);
            if length % 97 == 0 {
                let kinds: Vec<u8> = headers(&group, &place).iter().map(|h| h.kind).collect();
                assert!(matches!(kinds[..], [0] | [0, 16]), "{kinds:?}");
            }
        }
    }

    #[test]
    fn what_is_encrypted_takes_the_room_that_was_kept_for_it() {
        let keys = crate::model::Keys::parse(&"07".repeat(32)).expect("64 hex digits");
        let options = Settings { keys: keys.clone(), compress_min: Some(10), ..Settings::default() };
        let header = SegmentHeader {
            key: None,
            block: 0,
            log_id: [1; 16],
            first_lsn: Lsn(1),
            created: Time(1),
            chain: 0,
            recycled: false,
        };
        let header = header.keyed(&[7; 32], [2; 16]);
        let cipher = SegmentCipher::new(&[7; 32], &header);
        let place = Numbering { cipher: Some(&cipher), ..place(1, 1) };
        let mut group = Group::default();
        let long = b"abc".repeat(100);
        for payload in [&b"alpha"[..], &long] {
            let prepared = Prepared::new(Draft::of(payload), &options).expect("it is short");
            let before = group.bytes.len();
            group.push(&prepared, BatchPart::Alone, &options);
            assert_eq!(group.bytes.len() - before, prepared.bytes());
        }
        group.number(&place).expect("it encrypts");
        let headers = headers(&group, &place);
        assert_eq!(headers.iter().map(|h| h.flags).collect::<Vec<_>>(), [ENCRYPTED, ENCRYPTED | LZ4]);
        let mut out = Vec::new();
        let stored = &group.bytes.bytes()[FRAME_HEADER..FRAME_HEADER + headers[0].length as usize];
        let opener = Opener::new(&keys, Some(&header), None);
        assert_eq!(crate::native::open(&headers[0], place.offset, stored, &opener, &mut out), crate::native::Opened::Plain);
        assert_eq!(out, b"alpha");
        let mut tally = Tally::default();
        group.count_into(&mut tally, 4096);
        assert_eq!((tally.plain_bytes, tally.records), (305, 2));
    }
}
