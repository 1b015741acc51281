//! The end of a sealed segment: what it holds, and where.
//!
//! ```text
//! | "WLSL" | version u16 | 0 u16 | counters, u64 each … | lists: count u64, entries … | offset of the Seal frame u64 | "WLSEAL1\n" |
//! ```
//! Everything is little-endian and a multiple of 8 bytes, and a sealed segment is cut to its length, so the last 16 bytes of the file
//! lead to the Seal frame. A Seal whose payload is not of this form is still a Seal: it only says nothing more.

use super::encode::{FrameFields, encode_frame};
use super::layout::{FRAME_HEADER, FrameHeader, FrameKind, HEADER_BYTES, Seed};
use super::tally::{BUCKETS, DATA_KINDS, IndexEntry, TagCount, Tally};
use crate::disk::{Cursor, crc32};
use crate::model::{Lsn, Time};

const BODY_MAGIC: [u8; 4] = *b"WLSL";
const BODY_VERSION: u16 = 1;
const TRAILER_MAGIC: [u8; 8] = *b"WLSEAL1\n";
const TRAILER_BYTES: u64 = 16;
/// The longest payload of a Seal: 4,096 index entries and the lists stay far below.
const LONGEST: u64 = 1 << 20;

/// A Seal that was found at the end of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Where its frame begins.
    pub offset: u64,
    /// Its frame's header.
    pub header: FrameHeader,
    /// What it says; `None` when its payload is of another form.
    pub tally: Option<Tally>,
}

/// Appends the Seal frame of a segment to `out`; it will stand at `offset`. Gives its sum, the chain of the next segment.
pub fn encode_seal(out: &mut Vec<u8>, tally: &Tally, unsynced: u16, next: Lsn, time: Time, seed: Seed, offset: u64) -> u32 {
    let mut tally = tally.clone();
    tally.end_group();
    let fields = FrameFields { kind: FrameKind::Seal, flags: 0, unsynced, lsn: next, time, tag: 0 };
    encode_frame(out, &fields, &encode_body(tally, offset), seed, offset)
}

/// The counters, in the order in which they are written.
fn counters(tally: &mut Tally) -> [&mut u64; 18] {
    [
        &mut tally.records,
        &mut tally.batches,
        &mut tally.pads,
        &mut tally.pad_bytes,
        &mut tally.closes,
        &mut tally.groups,
        &mut tally.plain_bytes,
        &mut tally.first_lsn,
        &mut tally.last_lsn,
        &mut tally.first_time,
        &mut tally.last_time,
        &mut tally.min_time,
        &mut tally.max_time,
        &mut tally.pause,
        &mut tally.pause_lsn,
        &mut tally.digest,
        &mut tally.checkpoint_lsn,
        &mut tally.checkpoint,
    ]
}

fn encode_body(mut tally: Tally, offset: u64) -> Vec<u8> {
    let mut body = Vec::with_capacity(4096);
    body.extend_from_slice(&BODY_MAGIC);
    body.extend_from_slice(&BODY_VERSION.to_le_bytes());
    body.extend_from_slice(&[0; 2]);
    let mut put = |number: u64| body.extend_from_slice(&number.to_le_bytes());
    counters(&mut tally).into_iter().for_each(|counter| put(*counter));
    [u64::from(tally.more_tags), u64::from(tally.more_transactions), tally.holes].into_iter().for_each(&mut put);
    for list in [&tally.frames[..], &tally.bytes, &tally.sizes, &tally.group_sizes, &tally.open, &tally.ended] {
        put(list.len() as u64);
        list.iter().copied().for_each(&mut put);
    }
    put(tally.tags.len() as u64);
    tally.tags.iter().flat_map(|t| [t.tag, t.frames, t.bytes]).for_each(&mut put);
    put(tally.index.len() as u64);
    tally.index.iter().flat_map(|e| [e.lsn, e.max_time, e.offset]).for_each(&mut put);
    put(offset);
    body.extend_from_slice(&TRAILER_MAGIC);
    body
}

/// Reads what a Seal says; `None` when it is of another form.
#[must_use]
pub fn decode_body(body: &[u8]) -> Option<Tally> {
    let numbers = body.strip_prefix(&BODY_MAGIC)?.strip_prefix(&BODY_VERSION.to_le_bytes())?.strip_prefix(&[0; 2])?;
    let mut numbers = BodyNumbers(numbers);
    let mut tally = Tally::default();
    for counter in counters(&mut tally) {
        *counter = numbers.next()?;
    }
    tally.more_tags = numbers.next()? != 0;
    tally.more_transactions = numbers.next()? != 0;
    tally.holes = numbers.next()?;
    tally.frames = numbers.fixed::<DATA_KINDS>()?;
    tally.bytes = numbers.fixed::<DATA_KINDS>()?;
    tally.sizes = numbers.fixed::<BUCKETS>()?;
    tally.group_sizes = numbers.fixed::<BUCKETS>()?;
    tally.open = numbers.list(|[n]| n)?;
    tally.ended = numbers.list(|[n]| n)?;
    tally.tags = numbers.list(|[tag, frames, bytes]| TagCount { tag, frames, bytes })?;
    tally.index = numbers.list(|[lsn, max_time, offset]| IndexEntry { lsn, max_time, offset })?;
    Some(tally)
}

/// The numbers of a body, one after the other.
struct BodyNumbers<'a>(&'a [u8]);

impl BodyNumbers<'_> {
    fn next(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u64; N]> {
        if self.next()? != N as u64 {
            return None;
        }
        let mut list = [0; N];
        for place in &mut list {
            *place = self.next()?;
        }
        Some(list)
    }

    fn list<const N: usize, T>(&mut self, make: impl Fn([u64; N]) -> T) -> Option<Vec<T>> {
        let count = self.next()?;
        // The count is only believed as far as the bytes go.
        if count > (self.0.len() / (8 * N)) as u64 {
            return None;
        }
        (0..count)
            .map(|_| {
                let mut entry = [0; N];
                for place in &mut entry {
                    *place = self.next()?;
                }
                Some(make(entry))
            })
            .collect()
    }
}

/// Looks for a Seal at the end of a segment, by its trailer; costs two small reads. `None` when the segment is not sealed, or its seal
/// is damaged or of another form.
#[must_use]
pub fn find_seal(cursor: &mut Cursor, seed: Seed) -> Option<Seal> {
    let length = cursor.length();
    if length == u64::MAX || length < HEADER_BYTES + FRAME_HEADER as u64 + TRAILER_BYTES {
        return None;
    }
    let trailer: [u8; 16] = cursor.array(length - TRAILER_BYTES)?;
    let (offset, magic) = trailer.split_first_chunk::<8>()?;
    let offset = u64::from_le_bytes(*offset);
    if magic != TRAILER_MAGIC || offset < HEADER_BYTES || !offset.is_multiple_of(8) {
        return None;
    }
    let size = length.checked_sub(offset).filter(|s| (FRAME_HEADER as u64..=LONGEST).contains(s))?;
    let bytes = cursor.bytes(offset, usize::try_from(size).ok()?);
    let header = FrameHeader::parse(bytes.first_chunk()?)?;
    let body = bytes.get(FRAME_HEADER..)?;
    if header.kind != FrameKind::Seal as u8 || header.length as usize != body.len() {
        return None;
    }
    let sum = crc32(crc32(seed.at(offset), bytes.get(8..FRAME_HEADER)?), body);
    (sum == header.sum).then(|| Seal { offset, header, tally: decode_body(body) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        let mut tally = Tally::default();
        for lsn in 1..=300u64 {
            let header = FrameHeader {
                sum: u32::try_from(lsn).expect("small"),
                length: 10,
                kind: if lsn == 9 { FrameKind::TxnBegin as u8 } else { 0 },
                flags: 0,
                unsynced: 0,
                lsn: Lsn(lsn),
                time: Time(lsn),
                tag: lsn % 70,
            };
            tally.observe(&header, 4096 + lsn * 40_000, 10);
        }
        tally.end_group();
        tally
    }

    #[test]
    fn a_seal_says_what_was_counted() {
        let tally = tally();
        assert!(tally.more_tags && tally.index.len() > 100);
        let body = encode_body(tally.clone(), 4096);
        assert_eq!(body.len() % 8, 0);
        let read = decode_body(&body).expect("what was just written");
        assert_eq!(encode_body(read.clone(), 4096), body);
        assert_eq!((read.records, read.open.as_slice(), read.index.len()), (300, &[9][..], tally.index.len()));
    }

    #[test]
    fn a_body_that_is_cut_or_claims_too_much_says_nothing() {
        let body = encode_body(tally(), 4096);
        for cut in 0..body.len() - TRAILER_BYTES as usize {
            assert!(decode_body(&body[..cut]).is_none(), "{cut}");
        }
        let mut greedy = encode_body(Tally::default(), 4096);
        let count_at = greedy.len() - 24;
        greedy[count_at..count_at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(decode_body(&greedy).is_none());
    }

    #[test]
    fn a_record_whose_content_ends_like_a_seal_is_none_and_neither_is_a_seal_without_its_end_mark() {
        use crate::disk::{Disk, File, Open, RealDisk};
        use crate::native::{FrameFields, SegmentHeader, encode_frame, encode_header};
        let header = SegmentHeader {
            key: None,
            block: 0,
            log_id: [9; 16],
            first_lsn: Lsn(1),
            created: Time(0),
            chain: 0,
            recycled: false,
        };
        let found = |kind, body: &[u8]| {
            let mut bytes = encode_header(&header);
            let fields = FrameFields { kind, flags: 0, unsynced: 0, lsn: Lsn(1), time: Time(5), tag: 0 };
            encode_frame(&mut bytes, &fields, body, header.seed(), HEADER_BYTES);
            let file = tempfile::NamedTempFile::new().expect("a temporary file");
            std::fs::write(file.path(), &bytes).expect("room for a small log");
            let opened: std::sync::Arc<dyn File> = RealDisk.open(file.path(), Open::READ).expect("it is there").into();
            find_seal(&mut Cursor::new(opened, bytes.len() as u64), header.seed()).is_some()
        };
        let body = encode_body(tally(), HEADER_BYTES);
        assert!(found(FrameKind::Seal, &body));
        assert!(!found(FrameKind::Full, &body), "a record may hold anything");
        let mut unmarked = body;
        let last = unmarked.len() - 1;
        unmarked[last] ^= 1;
        assert!(!found(FrameKind::Seal, &unmarked));
    }
}
