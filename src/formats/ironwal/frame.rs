//! What a frame of ironwal looks like, and what is in it.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use lz4_flex::frame::FrameDecoder;

use crate::disk::crc32;

/// Begins every frame.
pub const MAGIC: [u8; 4] = *b"LAWL";
/// How long a frame's header is.
pub const HEADER: usize = 32;
/// A batch longer than this is not held in memory: its entries are read one by one.
pub const HELD: usize = 8 << 20;

/// The header of a frame; FORMAT.md draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether the magic is there.
    pub magic: bool,
    /// The sum that stands in it.
    pub crc: u32,
    /// The id of the first entry.
    pub start: u64,
    /// How many entries the frame holds.
    pub entries: u32,
    /// 0 raw, 1 LZ4.
    pub kind: u8,
    /// How many bytes of payload follow.
    pub stored: u32,
    /// How many bytes they are when decompressed; not protected.
    pub plain: u32,
    /// The sum of the protected header fields, to be continued over the payload.
    pub seed: u32,
}

impl Header {
    /// Takes a header apart. Nothing is checked yet.
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER]) -> Header {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Header {
            magic: bytes[..4] == MAGIC,
            crc: word(4),
            start: u64::from(word(8)) | u64::from(word(12)) << 32,
            entries: word(16),
            kind: bytes[20],
            stored: word(21),
            plain: word(25),
            seed: crc32(0, &bytes[8..25]),
        }
    }

    /// Whether a writer could have written these fields: the sum is not looked at.
    #[must_use]
    pub fn plausible(&self) -> bool {
        // Each entry has a length of 4 bytes, and LZ4 makes at most 255 bytes out of one.
        let most = if self.kind == 0 { u64::from(self.stored) } else { u64::from(self.stored) * 255 };
        self.magic
            && self.kind <= 1
            && self.entries >= 1
            && u64::from(self.entries) * 4 <= most
            && self.start.checked_add(u64::from(self.entries)).is_some()
    }

    /// How long the frame is.
    #[must_use]
    pub fn length(&self) -> u64 {
        HEADER as u64 + u64::from(self.stored)
    }

    /// The sum of the protected header fields if the payload were as long as this.
    #[must_use]
    pub fn seed_with(&self, stored: u32) -> u32 {
        let mut fields = [0; 17];
        fields[..8].copy_from_slice(&self.start.to_le_bytes());
        fields[8..12].copy_from_slice(&self.entries.to_le_bytes());
        fields[12] = self.kind;
        fields[13..].copy_from_slice(&stored.to_le_bytes());
        crc32(0, &fields)
    }

    /// How many zero bytes a whole payload of this type always ends in: an LZ4 frame ends in a mark of four.
    #[must_use]
    pub fn zeros_of_a_whole_one(&self) -> u64 {
        if self.kind == 1 { 4 } else { 0 }
    }

    /// The id after its last entry.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.start.saturating_add(u64::from(self.entries))
    }
}

/// The entries of a batch; none more once one of them does not fit.
pub fn entries(batch: &[u8], count: u32) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0usize;
    (0..count).map_while(move |_| {
        let (length, _) = batch.get(at..)?.split_first_chunk()?;
        let start = at + 4;
        let end = start.checked_add(usize::try_from(u32::from_le_bytes(*length)).ok()?).filter(|end| *end <= batch.len())?;
        at = end;
        Some(start..end)
    })
}

/// Whether a batch is exactly `count` entries.
#[must_use]
pub fn is_batch(batch: &[u8], count: u32) -> bool {
    let (mut found, mut end) = (0u32, 0);
    for range in entries(batch, count) {
        (found, end) = (found + 1, range.end);
    }
    found == count && end == batch.len()
}

/// Decompresses a batch; `None` when it is longer than what is held, an error when it is no LZ4 frame.
pub fn decompress(stored: &[u8], into: &mut Vec<u8>) -> io::Result<Option<()>> {
    into.clear();
    let mut rest = FrameDecoder::new(stored);
    loop {
        let piece = rest.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        if into.len() + piece.len() > HELD {
            return Ok(None);
        }
        into.extend_from_slice(piece);
        let given = piece.len();
        rest.consume(given);
    }
    Ok(Some(()))
}

/// Reads a batch that is not held, entry by entry: `each` gets the entry's index, where it begins in the batch, and its length.
/// Fails when the batch is not exactly `count` entries.
pub fn scan(batch: &mut dyn Read, count: u32, mut each: impl FnMut(u32, u64, u32)) -> io::Result<()> {
    let mut at = 0;
    for index in 0..count {
        let mut length = [0; 4];
        batch.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        each(index, at + 4, length);
        pass(batch, u64::from(length))?;
        at += 4 + u64::from(length);
    }
    match batch.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the batch is longer than its entries")),
    }
}

/// Reads `count` bytes and forgets them.
pub fn pass(batch: &mut dyn Read, count: u64) -> io::Result<()> {
    match io::copy(&mut batch.take(count), &mut io::sink())? {
        passed if passed == count => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_header_is_read_field_by_field() {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&0x0102_0304_0506_0708u64.to_le_bytes());
        bytes[16..20].copy_from_slice(&3u32.to_le_bytes());
        bytes[20] = 1;
        bytes[21..25].copy_from_slice(&100u32.to_le_bytes());
        bytes[25..29].copy_from_slice(&400u32.to_le_bytes());
        let header = Header::parse(&bytes);
        assert_eq!((header.start, header.entries, header.kind), (0x0102_0304_0506_0708, 3, 1));
        assert_eq!((header.stored, header.plain, header.length()), (100, 400, 132));
        assert!(header.plausible());
        assert_eq!(header.seed, header.seed_with(100));
        for (at, value) in [(0, 0), (20, 2), (16, 0)] {
            let mut wrong = bytes;
            wrong[at] = value;
            assert!(!Header::parse(&wrong).plausible(), "byte {at} = {value}");
        }
        bytes[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(!Header::parse(&bytes).plausible(), "four billion entries in a hundred bytes");
    }

    #[test]
    fn a_batch_must_be_used_up_by_its_entries() {
        let batch = [2, 0, 0, 0, 7, 8, 0, 0, 0, 0];
        assert!(is_batch(&batch, 2));
        assert_eq!(entries(&batch, 2).collect::<Vec<_>>(), [4..6, 10..10]);
        for count in [0, 1, 3, u32::MAX] {
            assert!(!is_batch(&batch, count), "{count} entries");
        }
        assert!(!is_batch(&[255, 255, 255, 255], 1));
        let mut seen = Vec::new();
        scan(&mut &batch[..], 2, |index, at, length| seen.push((index, at, length))).expect("two entries");
        assert_eq!(seen, [(0, 4, 2), (1, 10, 0)]);
        assert!(scan(&mut &batch[..], 1, |_, _, _| {}).is_err());
        assert!(scan(&mut &batch[..9], 2, |_, _, _| {}).is_err());
    }

    #[test]
    fn a_batch_that_explodes_is_not_held() {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        let zeros = vec![0; 1 << 20];
        for _ in 0..=HELD >> 20 {
            encoder.write_all(&zeros).expect("a vector takes all");
        }
        let stored = encoder.finish().expect("a vector takes all");
        assert!(stored.len() < 1 << 20);
        let mut room = Vec::new();
        assert!(decompress(&stored, &mut room).expect("it is an LZ4 frame").is_none());
        assert!(room.capacity() <= 2 * HELD);
        assert!(decompress(b"no LZ4 frame at all", &mut room).is_err());
    }

    #[test]
    fn a_header_is_plausible_up_to_as_many_entries_as_its_bytes_can_hold() {
        for (kind, stored, entries, plausible) in
            [(0, 12, 3, true), (0, 11, 3, false), (1, 1, 63, true), (1, 1, 64, false), (1, 0, 1, false), (2, 12, 3, false)]
        {
            let mut bytes = [0; HEADER];
            bytes[..4].copy_from_slice(&MAGIC);
            bytes[16..20].copy_from_slice(&u32::to_le_bytes(entries));
            bytes[20] = kind;
            bytes[21..25].copy_from_slice(&u32::to_le_bytes(stored));
            assert_eq!(Header::parse(&bytes).plausible(), plausible, "{entries} entries in {stored} bytes of kind {kind}");
            bytes[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
            assert!(!Header::parse(&bytes).plausible(), "its last number is none");
        }
    }
}
