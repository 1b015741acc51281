//! What the records of a batch are when they are unpacked.

use std::io::Read;

use super::super::snappy;
use super::super::zstandard::{Unpacked, Unpacker};
use super::batch::BatchPacking;

/// What a batch may unpack to: brokers refuse messages long before.
const MOST: usize = 64 << 20;
/// How the Java client begins a stream of Snappy blocks.
const SNAPPY_STREAM: &[u8; 8] = b"\x82SNAPPY\0";
/// Its magic and two version numbers.
const SNAPPY_HEAD: usize = 16;

/// The records; `None` where nothing here can unpack them. That is no damage: the sum over what is stored was right.
pub fn unpack(compression: BatchPacking, stored: &[u8]) -> Option<Vec<u8>> {
    match compression {
        BatchPacking::None => Some(stored.to_vec()),
        BatchPacking::Gzip => whole(flate2::read::MultiGzDecoder::new(stored)),
        BatchPacking::Lz4 => whole(lz4_flex::frame::FrameDecoder::new(stored)),
        BatchPacking::Snappy if stored.starts_with(SNAPPY_STREAM) => snappy_stream(stored.get(SNAPPY_HEAD..)?),
        BatchPacking::Snappy => snappy::unpack(stored).filter(|records| records.len() <= MOST),
        BatchPacking::Zstd => match Unpacker::default().unpack(stored, MOST) {
            Unpacked::Whole(records) => Some(records),
            Unpacked::Part(_) | Unpacked::Bad | Unpacked::Closed => None,
        },
        BatchPacking::Unknown => None,
    }
}

fn whole(reader: impl Read) -> Option<Vec<u8>> {
    let mut records = Vec::new();
    reader.take(MOST as u64 + 1).read_to_end(&mut records).ok()?;
    (records.len() <= MOST).then_some(records)
}

/// Blocks, each behind its length.
fn snappy_stream(mut blocks: &[u8]) -> Option<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = blocks.split_first_chunk() {
        let (block, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        records.extend(snappy::unpack(block)?);
        blocks = rest;
        if records.len() > MOST {
            return None;
        }
    }
    blocks.is_empty().then_some(records)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn each_compression_unpacks_and_what_is_none_stays_closed() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"aaaa").expect("a vector takes all");
        let gzip = gzip.finish().expect("a vector takes all");
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(b"aaaa").expect("a vector takes all");
        let lz4 = lz4.finish().expect("a vector takes all");
        let block = [4, 0x00, b'a', 0x0A, 1, 0];
        let stream = [&SNAPPY_STREAM[..], &[0, 0, 0, 1, 0, 0, 0, 1], &[0, 0, 0, 6], &block, &[0, 0, 0, 6], &block].concat();
        for (compression, stored, plain) in [
            (BatchPacking::None, &b"aaaa"[..], &b"aaaa"[..]),
            (BatchPacking::Gzip, &gzip, b"aaaa"),
            (BatchPacking::Lz4, &lz4, b"aaaa"),
            (BatchPacking::Snappy, &block, b"aaaa"),
            (BatchPacking::Snappy, &stream, b"aaaaaaaa"),
        ] {
            assert_eq!(unpack(compression, stored).as_deref(), Some(plain), "{}", compression.name());
        }
        for compression in
            [BatchPacking::Gzip, BatchPacking::Lz4, BatchPacking::Snappy, BatchPacking::Zstd, BatchPacking::Unknown]
        {
            assert_eq!(unpack(compression, b"no such stream"), None, "{}", compression.name());
        }
        assert_eq!(unpack(BatchPacking::Snappy, &stream[..stream.len() - 1]), None);
    }

    #[test]
    fn what_explodes_is_not_held() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for _ in 0..=MOST >> 20 {
            gzip.write_all(&vec![0; 1 << 20]).expect("a vector takes all");
        }
        assert_eq!(unpack(BatchPacking::Gzip, &gzip.finish().expect("a vector takes all")), None);
    }
}
