//! From values to bytes: frames as they lie on disk.

use super::layout::{ALIGN, FRAME_HEADER, FrameHeader, FrameKind, HEADER_BYTES, HEADER_COPY, Seed, SegmentHeader};
use crate::disk::crc32;
use crate::model::{Lsn, Time};

/// What a frame says about itself, beside its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFields {
    /// What it is.
    pub kind: FrameKind,
    /// Flags of the layout.
    pub flags: u8,
    /// How many data frames before it are not known durable.
    pub unsynced: u16,
    /// Its number.
    pub lsn: Lsn,
    /// When it is written.
    pub time: Time,
    /// The caller's number.
    pub tag: u64,
}

/// The whole header block of a segment.
#[must_use]
pub fn encode_header(header: &SegmentHeader) -> Vec<u8> {
    let mut block = vec![0; HEADER_BYTES as usize];
    let used = header.encode();
    block[..used.len()].copy_from_slice(&used);
    if header.is_copied() {
        // Payloads cannot be opened without the log's id and the first LSN, nor old bytes told from new ones without the flag, so
        // these stand there twice.
        let copy = HEADER_COPY as usize;
        block[copy..copy + used.len()].copy_from_slice(&used);
    }
    block
}

/// How many bytes a frame with `payload` stored bytes takes.
#[must_use]
pub const fn frame_bytes(payload: usize) -> usize {
    (FRAME_HEADER + payload).next_multiple_of(ALIGN as usize)
}

/// Appends a frame to `out`; it will stand at `offset` of its segment. Gives its sum.
///
/// # Panics
/// If the payload is 4 GiB or longer: a writer splits records long before.
pub fn encode_frame(out: &mut Vec<u8>, fields: &FrameFields, payload: &[u8], seed: Seed, offset: u64) -> u32 {
    let length = u32::try_from(payload.len()).expect("a writer splits records that do not fit a frame");
    let mut header = header_of(fields, length).encode();
    let sum = crc32(crc32(seed.at(offset), &header[8..]), payload);
    header[4..8].copy_from_slice(&sum.to_le_bytes());
    out.reserve(frame_bytes(payload.len()));
    out.extend_from_slice(&header);
    out.extend_from_slice(payload);
    out.resize(out.len().next_multiple_of(ALIGN as usize), 0);
    sum
}

/// The header of a frame, its sum still 0.
#[must_use]
pub const fn header_of(fields: &FrameFields, length: u32) -> FrameHeader {
    FrameHeader {
        sum: 0,
        length,
        kind: fields.kind as u8,
        flags: fields.flags,
        unsynced: fields.unsynced,
        lsn: fields.lsn,
        time: fields.time,
        tag: fields.tag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_padded_to_eight_bytes_and_bound_to_its_place() {
        let fields = FrameFields { kind: FrameKind::Full, flags: 0, unsynced: 0, lsn: Lsn(1), time: Time(2), tag: 3 };
        let seed = Seed::new(&[7; 16], Lsn(1));
        let (mut here, mut there) = (vec![0; 8], Vec::new());
        let sum = encode_frame(&mut here, &fields, b"alpha", seed, 4096);
        let other = encode_frame(&mut there, &fields, b"alpha", seed, 4104);
        assert_eq!((here.len(), there.len()), (8 + 48, 48));
        assert_ne!(sum, other);
        assert_eq!(here[8..12], *b"WLF1");
        assert_eq!(here[53..], [0; 3]);
        assert_eq!(sum, crc32(seed.at(4096), &here[16..53]));
    }
}
