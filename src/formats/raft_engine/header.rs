//! Headers of files and of batches. The page draws them.

/// How a file begins.
pub const MAGIC: &[u8; 53] = b"RAFT-LOG-FILE-HEADER-9986AB3E47F320B394C8E84916EB0ED5";
/// Magic and version.
pub const SHORT_HEADER: u64 = 61;
/// The same and the alignment, from version 2 on.
pub const LONG_HEADER: u64 = 69;
/// Length with compression, and where the items begin.
pub const BATCH_HEADER: u64 = 16;
/// A count of items and a sum.
const SHORTEST_ITEMS: u64 = 5;

/// The header of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileHeader {
    pub version: u64,
    /// Batches may begin at multiples of it, with zeros in front; 0 for none.
    pub alignment: u64,
    pub length: u64,
}

/// What stands where a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileStart {
    Header(FileHeader),
    /// The file ends inside it.
    Short,
    /// A version that nobody knows.
    Newer(u64),
    Bad,
}

/// Reads the header of a file from its first bytes.
#[must_use]
pub fn file_start(bytes: &[u8]) -> FileStart {
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return FileStart::Bad;
    }
    let number = |at: usize| bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map(u64::from_be_bytes);
    match (number(MAGIC.len()), number(SHORT_HEADER as usize)) {
        (None, _) | (Some(2), None) => FileStart::Short,
        (Some(1), _) => FileStart::Header(FileHeader { version: 1, alignment: 0, length: SHORT_HEADER }),
        (Some(2), Some(alignment)) => FileStart::Header(FileHeader { version: 2, alignment, length: LONG_HEADER }),
        // A bit that changed makes a version that is far away.
        (Some(version), _) if version > 0 && version < 8 => FileStart::Newer(version),
        _ => FileStart::Bad,
    }
}

/// What the header of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaftBatch {
    pub at: u64,
    /// Of all of it.
    pub length: u64,
    pub lz4: bool,
    /// Where the items begin in it.
    pub items: u64,
}

impl RaftBatch {
    /// The header at `at`, if its parts can be.
    #[must_use]
    pub fn parse(header: [u8; 16], at: u64) -> Option<RaftBatch> {
        let (first, second) = header.split_at(8);
        let word = u64::from_be_bytes(first.try_into().expect("eight bytes"));
        let items = u64::from_be_bytes(second.try_into().expect("eight bytes"));
        let (length, compression) = (word >> 8, word & 0xFF);
        let entries = items == BATCH_HEADER || items >= BATCH_HEADER + 4;
        let fits = items.checked_add(SHORTEST_ITEMS).is_some_and(|least| least <= length);
        (compression <= 1 && entries && fits && at.checked_add(length).is_some()).then_some(RaftBatch {
            at,
            length,
            lz4: compression == 1,
            items,
        })
    }

    #[must_use]
    pub fn end(&self) -> u64 {
        self.at + self.length
    }

    /// Where the sum over its items stands.
    #[must_use]
    pub fn items_sum(&self) -> u64 {
        self.end() - 4
    }

    /// Where the sum over its entry bytes stands; `None` if there are none.
    #[must_use]
    pub fn entries_sum(&self) -> Option<u64> {
        (self.items > BATCH_HEADER).then(|| self.at + self.items - 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_begins_with_magic_version_and_from_version_2_an_alignment() {
        let start = |version: u64, rest: &[u8]| file_start(&[&MAGIC[..], &version.to_be_bytes(), rest].concat());
        assert_eq!(start(1, b""), FileStart::Header(FileHeader { version: 1, alignment: 0, length: 61 }));
        let two = FileHeader { version: 2, alignment: 4096, length: 69 };
        assert_eq!(start(2, &4096u64.to_be_bytes()), FileStart::Header(two));
        assert_eq!(
            (start(2, b"\0"), start(3, b""), start(1 << 40, b"")),
            (FileStart::Short, FileStart::Newer(3), FileStart::Bad)
        );
        assert_eq!(
            (file_start(b""), file_start(b"RAFT-"), file_start(&[0; 64])),
            (FileStart::Short, FileStart::Short, FileStart::Bad)
        );
    }

    #[test]
    fn only_what_fits_is_a_header_of_a_batch() {
        let parse = |length: u64, compression: u64, items: u64| {
            let word = (length << 8 | compression).to_be_bytes();
            RaftBatch::parse([word, items.to_be_bytes()].concat().try_into().expect("sixteen"), 100)
        };
        let batch = parse(95, 1, 57).expect("it fits");
        assert_eq!((batch.end(), batch.items_sum(), batch.entries_sum(), batch.lz4), (195, 191, Some(153), true));
        assert_eq!(parse(26, 0, 16).map(|batch| batch.entries_sum()), Some(None));
        for (length, compression, items) in [(95, 2, 57), (95, 0, 15), (95, 0, 18), (95, 0, 91), (0, 0, 0), (95, 0, u64::MAX)] {
            assert_eq!(parse(length, compression, items), None, "{length} {compression} {items}");
        }
    }
}
