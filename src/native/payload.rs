//! Payloads as they are stored: compressed, then encrypted. Each frame's payload by itself.

use super::cipher::{ENCRYPTION_BYTES, Opener};
use super::layout::{ENCRYPTED, FRAME_HEADER, FrameHeader, LZ4};
use crate::disk::Cursor;

const SIZE: usize = 4;
/// A payload that claims to be longer than this when decompressed is not opened; nor is a ciphertext of that length.
pub const OPEN_LIMIT: usize = 24 << 20;

/// What came of opening a stored payload.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// The payload stands in the buffer.
    Plain,
    /// None of the keys is this segment's, or none was given.
    Locked,
    /// The segment's key does not open it: the payload, its frame's header or its place is not what was written.
    Altered,
    /// It cannot be opened: why, in words.
    Bad(String),
}

/// Compresses `payload` into `out`, if that makes it shorter. True if it did.
pub fn compress(payload: &[u8], out: &mut Vec<u8>) -> bool {
    let Ok(size) = u32::try_from(payload.len()) else { return false };
    out.clear();
    out.extend_from_slice(&size.to_le_bytes());
    out.resize(SIZE + lz4_flex::block::get_maximum_output_size(payload.len()), 0);
    match lz4_flex::block::compress_into(payload, &mut out[SIZE..]) {
        Ok(written) if SIZE + written < payload.len() => {
            out.truncate(SIZE + written);
            true
        }
        _ => false,
    }
}

/// Decrypts and decompresses a stored payload into `out`, as the flags of its frame at `offset` say. For frames without these flags
/// `out` is a copy.
pub fn open(header: &FrameHeader, offset: u64, stored: &[u8], opener: &Opener, out: &mut Vec<u8>) -> Opened {
    if header.flags & ENCRYPTED == 0 {
        return unpack(header, stored, out);
    }
    if stored.len() < ENCRYPTION_BYTES {
        return Opened::Bad(format!("an encrypted payload has at least {ENCRYPTION_BYTES} bytes, this one {}", stored.len()));
    }
    if stored.len() > OPEN_LIMIT {
        return Opened::Bad(format!("an encrypted payload of {} bytes is over the limit of {OPEN_LIMIT}", stored.len()));
    }
    match opener.decrypt(header, offset, stored) {
        Some(plain) => unpack(header, &plain, out),
        None if opener.has_the_key() => Opened::Altered,
        None => Opened::Locked,
    }
}

/// The length of a payload before compression and encryption, as far as its frame tells without being opened.
pub fn plain_length(cursor: &mut Cursor, header: &FrameHeader, offset: u64) -> u64 {
    let stored = u64::from(header.length);
    if header.flags & ENCRYPTED != 0 {
        return stored.saturating_sub(ENCRYPTION_BYTES as u64);
    }
    if header.flags & LZ4 != 0 {
        return cursor.array::<SIZE>(offset + FRAME_HEADER as u64).map_or(stored, |size| u64::from(u32::from_le_bytes(size)));
    }
    stored
}

fn unpack(header: &FrameHeader, stored: &[u8], out: &mut Vec<u8>) -> Opened {
    out.clear();
    if header.flags & LZ4 == 0 {
        out.extend_from_slice(stored);
        return Opened::Plain;
    }
    let Some((size, block)) = stored.split_first_chunk::<SIZE>() else {
        return Opened::Bad("a compressed payload begins with its length, and this one is shorter than that".into());
    };
    let size = u32::from_le_bytes(*size) as usize;
    // A byte of LZ4 stands for 255 bytes at the most: a larger claim is false, and nothing is allocated for it.
    if size > OPEN_LIMIT || size > block.len().saturating_mul(255) {
        return Opened::Bad(format!("{} compressed bytes claim to be {size}", block.len()));
    }
    out.resize(size, 0);
    match lz4_flex::block::decompress_into(block, out) {
        Ok(written) if written == size => Opened::Plain,
        Ok(written) => Opened::Bad(format!("{size} bytes were promised and {written} came out")),
        Err(error) => Opened::Bad(format!("it does not decompress: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Keys, Lsn, Time};
    use crate::native::{SegmentCipher, SegmentHeader};

    fn header(flags: u8, length: usize) -> FrameHeader {
        let length = u32::try_from(length).expect("small");
        FrameHeader { sum: 0, length, kind: 0, flags, unsynced: 0, lsn: Lsn(3), time: Time(4), tag: 5 }
    }

    fn segment() -> SegmentHeader {
        SegmentHeader { key: None, block: 0, log_id: [9; 16], first_lsn: Lsn(3), created: Time(7), chain: 8, recycled: false }
            .keyed(&[7; 32], [1; 16])
    }

    fn opener(byte: u8) -> Opener {
        let keys = Keys::parse(&format!("{byte:02x}").repeat(32)).expect("64 hex digits");
        Opener::new(&keys, Some(&segment()), None)
    }

    #[test]
    fn compression_comes_before_encryption_and_both_come_off_again() {
        let payload = b"abcabcabcabc".repeat(50);
        let mut packed = Vec::new();
        assert!(compress(&payload, &mut packed));
        let header = header(LZ4 | ENCRYPTED, packed.len() + ENCRYPTION_BYTES);
        let stored = SegmentCipher::new(&[7; 32], &segment()).encrypt(&header, 4096, &packed).expect("it encrypts");
        assert_eq!(stored.len(), header.length as usize);
        let mut out = Vec::new();
        assert_eq!(open(&header, 4096, &stored, &opener(7), &mut out), Opened::Plain);
        assert_eq!(out, payload);
        assert_eq!(open(&header, 4096, &stored, &opener(8), &mut out), Opened::Locked);
        assert_eq!(open(&header, 4096, &stored, &Opener::default(), &mut out), Opened::Locked);
    }

    #[test]
    fn what_the_segments_own_key_does_not_open_was_altered() {
        let header = header(ENCRYPTED, 5 + ENCRYPTION_BYTES);
        let cipher = SegmentCipher::new(&[7; 32], &segment());
        let stored = cipher.encrypt(&header, 4096, b"alpha").expect("it encrypts");
        let other = FrameHeader { tag: 6, ..header };
        assert_eq!(open(&other, 4096, &stored, &opener(7), &mut Vec::new()), Opened::Altered);
        assert_ne!(stored, cipher.encrypt(&header, 4096, b"alpha").expect("it encrypts"), "the nonce is new each time");
    }

    #[test]
    fn claims_are_not_believed() {
        let mut out = Vec::new();
        let mut stored = u32::MAX.to_le_bytes().to_vec();
        stored.extend_from_slice(&[0; 20]);
        for bytes in [&stored[..], &[], &[1], &[5, 0, 0, 0], &[200, 0, 0, 0, 0x10, 7]] {
            assert!(
                matches!(open(&header(LZ4, bytes.len()), 0, bytes, &Opener::default(), &mut out), Opened::Bad(_)),
                "{bytes:?}"
            );
        }
        assert!(out.capacity() < 1 << 16);
        assert!(matches!(open(&header(ENCRYPTED, 27), 0, &[0; 27], &opener(1), &mut out), Opened::Bad(_)));
    }

    #[test]
    fn what_does_not_shrink_is_left_as_it_is() {
        assert!(!compress(b"", &mut Vec::new()));
        assert!(!compress(b"abcdefg", &mut Vec::new()));
    }

    #[test]
    fn the_length_before_compression_is_told_by_the_flags_and_the_first_bytes() {
        use crate::disk::{Disk, Open, RealDisk};
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut bytes = vec![0; FRAME_HEADER];
        bytes.extend_from_slice(&70_000u32.to_le_bytes());
        std::fs::write(file.path(), &bytes).expect("room for a few bytes");
        let opened: std::sync::Arc<dyn crate::disk::File> = RealDisk.open(file.path(), Open::READ).expect("it is there").into();
        let mut cursor = Cursor::new(opened, bytes.len() as u64);
        let more = crate::native::MORE;
        let sealed = 100 - ENCRYPTION_BYTES as u64;
        for (flags, length) in
            [(0, 100), (more, 100), (LZ4, 70_000), (LZ4 | more, 70_000), (ENCRYPTED, sealed), (ENCRYPTED | LZ4, sealed)]
        {
            assert_eq!(plain_length(&mut cursor, &header(flags, 100), 0), length, "{flags:#x}");
        }
        // Where the file ends before the length, the stored one is all that is known.
        assert_eq!(plain_length(&mut cursor, &header(LZ4, 100), 4), 100);
    }

    #[test]
    fn a_payload_of_the_longest_length_is_opened_and_a_longer_one_is_not() {
        for (length, opens) in [(OPEN_LIMIT, true), (OPEN_LIMIT + 1, false)] {
            let (mut packed, mut out) = (Vec::new(), Vec::new());
            assert!(compress(&vec![7; length], &mut packed));
            let found = open(&header(LZ4, packed.len()), 4096, &packed, &Opener::default(), &mut out);
            assert_eq!((found == Opened::Plain, out.len() == length), (opens, opens), "{length}");
        }
    }

    #[test]
    fn an_empty_payload_is_encrypted_and_opened_and_fewer_bytes_than_that_are_none() {
        let header = header(ENCRYPTED, ENCRYPTION_BYTES);
        let stored = SegmentCipher::new(&[7; 32], &segment()).encrypt(&header, 4096, b"").expect("it encrypts");
        let mut out = Vec::new();
        assert_eq!((open(&header, 4096, &stored, &opener(7), &mut out), out.len()), (Opened::Plain, 0));
        let short = open(&header, 4096, &stored[1..], &opener(7), &mut out);
        assert!(matches!(short, Opened::Bad(_)), "{short:?}");
    }
}
