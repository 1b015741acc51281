//! Blocks that are not plain: compressed by the server, or encrypted by it.

use crate::disk::Cursor;

/// How a compressed block begins.
pub const COMPRESSED: &[u8; 3] = b"cmp";
const S2: u8 = 1;
/// How a stream of S2 begins: a chunk of its own.
const STREAM: &[u8; 10] = b"\xFF\x06\x00\x00S2sTwO";
/// The sum of the last record, behind the stream.
const SUM: u64 = 8;

/// What a compressed block looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackedBlock {
    /// Its chunks lead to its end; how long it is when it is unpacked.
    Whole { plain: u64 },
    /// They do not: from where on.
    Short { chunk: u64 },
    /// It is not what its first bytes say.
    Other(String),
}

/// Looks at a block that begins like a compressed one. Its chunks are not unpacked.
pub fn look(cursor: &mut Cursor) -> PackedBlock {
    let head = cursor.bytes(0, 14).to_vec();
    let algorithm = head.get(3).copied();
    if algorithm != Some(S2) {
        return PackedBlock::Other(format!("compression {}, which walctl does not know", algorithm.unwrap_or(0)));
    }
    let (mut plain, mut at) = (0u64, 4usize);
    loop {
        let Some(byte) = head.get(at).filter(|_| at < 14) else { return PackedBlock::Short { chunk: 4 } };
        plain |= u64::from(byte & 0x7F) << (7 * (at - 4)).min(63);
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (mut at, end) = (at as u64, cursor.length().saturating_sub(SUM));
    if cursor.bytes(at, STREAM.len()) != STREAM {
        return if cursor.length() < at + STREAM.len() as u64 {
            PackedBlock::Short { chunk: at }
        } else {
            PackedBlock::Other("no stream of S2 behind its first bytes".to_owned())
        };
    }
    let first = at + STREAM.len() as u64;
    while at < end {
        let Some([_, low, mid, high]) = cursor.array::<4>(at) else { return PackedBlock::Short { chunk: at } };
        let next = at + 4 + u64::from(u32::from_le_bytes([low, mid, high, 0]));
        if next > end {
            return PackedBlock::Short { chunk: at };
        }
        at = next;
    }
    if at == end && (at > first || plain == 0) { PackedBlock::Whole { plain } } else { PackedBlock::Short { chunk: at } }
}
