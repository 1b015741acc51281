//! The header of a record batch: from bytes to numbers, and whether they can stand in one.

/// How long the header of a batch is, which its records follow.
pub const HEADER: usize = 61;
/// What stands in front of the bytes that the length counts: base offset and length.
pub const IN_FRONT: u64 = 12;
/// Where the bytes begin that the sum covers.
pub const COVERED: usize = 21;
/// The least that the length can be: the rest of the header.
const LEAST: u32 = HEADER as u32 - IN_FRONT as u32;

const _: () = assert!(LEAST == 49 && COVERED < HEADER);

/// How the records of a batch are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchPacking {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
    Unknown,
}

impl BatchPacking {
    pub const fn name(self) -> &'static str {
        match self {
            BatchPacking::None => "none",
            BatchPacking::Gzip => "gzip",
            BatchPacking::Snappy => "snappy",
            BatchPacking::Lz4 => "lz4",
            BatchPacking::Zstd => "zstd",
            BatchPacking::Unknown => "unknown",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> BatchPacking {
        use BatchPacking::{Gzip, Lz4, None, Snappy, Zstd};
        [None, Gzip, Snappy, Lz4, Zstd]
            .into_iter()
            .find(|compression| compression.name() == name)
            .unwrap_or(BatchPacking::Unknown)
    }
}

/// The header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base: u64,
    /// How many bytes follow behind the length.
    pub counted: u32,
    pub epoch: i32,
    pub magic: u8,
    pub crc: u32,
    pub attributes: u16,
    pub last_delta: i32,
    pub first_time: i64,
    pub max_time: i64,
    pub producer: i64,
    pub producer_epoch: i16,
    pub sequence: i32,
    pub count: i32,
}

impl BatchHeader {
    pub fn parse(bytes: &[u8; HEADER]) -> BatchHeader {
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let long = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
        let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        BatchHeader {
            base: long(0),
            counted: word(8),
            epoch: word(12).cast_signed(),
            magic: bytes[16],
            crc: word(17),
            attributes: short(21),
            last_delta: word(23).cast_signed(),
            first_time: long(27).cast_signed(),
            max_time: long(35).cast_signed(),
            producer: long(43).cast_signed(),
            producer_epoch: short(51).cast_signed(),
            sequence: word(53).cast_signed(),
            count: word(57).cast_signed(),
        }
    }

    /// Whether these numbers can stand in a batch; the sum says whether they do.
    pub fn plausible(&self) -> bool {
        self.magic == 2
            && (LEAST..=i32::MAX as u32).contains(&self.counted)
            && self.base <= i64::MAX as u64
            && self.last_delta >= 0
            && self.count >= 0
            // A record takes seven bytes at least, where they are not compressed.
            && (self.attributes & 7 != 0 || i64::from(self.count) * 7 <= i64::from(self.counted - LEAST))
    }

    /// How long the whole batch is.
    pub fn length(&self) -> u64 {
        IN_FRONT + u64::from(self.counted)
    }

    /// The offset of its last record.
    pub fn last(&self) -> u64 {
        self.base.saturating_add(u64::from(self.last_delta.unsigned_abs()))
    }

    /// The offset that the next batch begins with, where none was compacted away.
    pub fn next(&self) -> u64 {
        self.last().saturating_add(1)
    }

    pub fn compression(&self) -> BatchPacking {
        match self.attributes & 7 {
            0 => BatchPacking::None,
            1 => BatchPacking::Gzip,
            2 => BatchPacking::Snappy,
            3 => BatchPacking::Lz4,
            4 => BatchPacking::Zstd,
            _ => BatchPacking::Unknown,
        }
    }

    /// Records were taken out of it, or their times: only compaction does that.
    pub fn is_compacted(&self) -> bool {
        i64::from(self.count) < i64::from(self.last_delta) + 1 || self.attributes & 64 != 0
    }

    /// The broker put its own time on the records.
    pub fn is_append_time(&self) -> bool {
        self.attributes & 8 != 0
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & 16 != 0
    }

    pub fn is_control(&self) -> bool {
        self.attributes & 32 != 0
    }
}

/// Whether bytes begin with a message of the layouts that came before batches: 0, or 1 with a time. Their sum is a CRC-32 over what
/// follows it.
pub fn old_message(bytes: &[u8]) -> Option<u8> {
    let header: &[u8; 17] = bytes.first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes([header[8], header[9], header[10], header[11]])).ok()?;
    let stored = u32::from_be_bytes([header[12], header[13], header[14], header[15]]);
    let covered = bytes.get(16..12usize.checked_add(length)?)?;
    (header[16] < 2 && length >= 14 && crc32fast::hash(covered) == stored).then_some(header[16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[7] = 34;
        bytes[11] = 90;
        bytes[16] = 2;
        bytes[22] = 0x14;
        bytes[26] = 6;
        bytes[60] = 7;
        bytes
    }

    #[test]
    fn a_header_is_read_where_the_page_draws_it() {
        let header = BatchHeader::parse(&sample());
        assert!(header.plausible());
        assert_eq!((header.base, header.last(), header.next(), header.length()), (34, 40, 41, 102));
        assert_eq!((header.compression(), header.is_transactional(), header.is_control()), (BatchPacking::Zstd, true, false));
        assert!(!header.is_compacted());
    }

    #[test]
    fn numbers_that_no_batch_has_are_not_plausible() {
        for (at, byte) in [(16, 1), (11, 48), (8, 0x80), (23, 0x80), (57, 0x80), (0, 0x80)] {
            let mut bytes = sample();
            bytes[at] = byte;
            assert!(!BatchHeader::parse(&bytes).plausible(), "byte {at}");
        }
        let mut many = sample();
        (many[22], many[60]) = (0, 6);
        assert!(!BatchHeader::parse(&many).plausible(), "six records in 41 bytes");
    }

    #[test]
    fn a_batch_with_fewer_records_than_offsets_was_compacted() {
        let mut bytes = sample();
        bytes[60] = 0;
        assert!(BatchHeader::parse(&bytes).is_compacted());
    }

    #[test]
    fn a_message_of_an_older_layout_is_known_by_its_sum() {
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14];
        let body = [0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        bytes.extend(crc32fast::hash(&body).to_be_bytes());
        bytes.extend(body);
        assert_eq!(old_message(&bytes), Some(0));
        bytes[12] ^= 1;
        assert_eq!(old_message(&bytes), None);
    }
}
