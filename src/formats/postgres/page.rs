//! What a page of PostgreSQL's WAL and the header of a record look like on disk.

use super::operations::OPERATIONS;
use crate::model::Lsn;

/// Every file is made of pages of this length.
pub const PAGE: u64 = 8192;
/// The header of a page.
pub const SHORT_HEADER: usize = 24;
/// The header of the first page of a segment.
pub const LONG_HEADER: usize = 40;
/// The header of a record.
pub const RECORD_HEADER: usize = 24;
/// Records begin at multiples of this.
pub const ALIGN: u64 = 8;

const CONTINUES: u16 = 1;
const LONG: u16 = 2;
const OVERWRITES: u16 = 8;

/// Versions by the number that begins each page.
const MAGICS: [(u16, &str); 6] = [(0xD106, "13"), (0xD10D, "14"), (0xD110, "15"), (0xD113, "16"), (0xD116, "17"), (0xD118, "18")];

/// The server's version by the magic of its pages.
#[must_use]
pub fn version_of(magic: u16) -> Option<&'static str> {
    MAGICS.iter().find(|(known, _)| *known == magic).map(|(_, version)| *version)
}

/// The header of a page.
///
/// ```text
/// | magic u16 | flags u16 | timeline u32 | lsn u64 | rest u32 | zero u32 |                     every page
/// | ... | system identifier u64 | segment size u32 | page size u32 |                             the first one of a segment
/// ```
/// In the server's own byte order, little-endian here. No checksum covers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    /// The version.
    pub magic: u16,
    /// Bits: 0 begins inside a record, 1 long header, 2 backup blocks can be removed, 3 the record that was under way is void.
    pub flags: u16,
    /// Which history wrote it.
    pub timeline: u32,
    /// Where in the log it stands.
    pub lsn: u64,
    /// How many bytes of the record that began before are still missing.
    pub rest: u32,
}

impl PageHeader {
    /// What stands in for a header that is none.
    #[must_use]
    pub fn none(first: bool) -> PageHeader {
        PageHeader { magic: 0, flags: if first { LONG } else { 0 }, timeline: 0, lsn: 0, rest: 0 }
    }

    /// Takes a header apart; nothing is checked.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<PageHeader> {
        let head: &[u8; SHORT_HEADER] = bytes.first_chunk()?;
        Some(PageHeader {
            magic: u16::from_le_bytes([head[0], head[1]]),
            flags: u16::from_le_bytes([head[2], head[3]]),
            timeline: word(head, 4),
            lsn: long(head, 8),
            rest: word(head, 16),
        })
    }

    /// How long it is.
    #[must_use]
    pub fn length(&self) -> usize {
        if self.flags & LONG != 0 { LONG_HEADER } else { SHORT_HEADER }
    }

    /// Whether the page begins inside a record.
    #[must_use]
    pub fn continues(&self) -> bool {
        self.flags & (CONTINUES | OVERWRITES) == CONTINUES
    }

    /// Whether the record that was under way is void, and the log goes on here.
    #[must_use]
    pub fn overwrites(&self) -> bool {
        self.flags & OVERWRITES != 0
    }
}

/// The segment size that the first page of a segment states, if it is one and states one that can be.
#[must_use]
pub fn segment_size(bytes: &[u8]) -> Option<u64> {
    let header = PageHeader::parse(bytes)?;
    let long = bytes.get(..LONG_HEADER)?;
    let (size, page) = (u64::from(word(long, 32)), u64::from(word(long, 36)));
    let fits = header.length() == LONG_HEADER && page == PAGE && possible_size(size);
    (fits && header.lsn.is_multiple_of(size) && version_of(header.magic).is_some()).then_some(size)
}

/// Segments have 1 MiB to 1 GiB, a power of two.
#[must_use]
pub fn possible_size(size: u64) -> bool {
    size.is_power_of_two() && (1 << 20..=1 << 30).contains(&size)
}

/// The header of a record.
///
/// ```text
/// | length u32 | xid u32 | prev u64 | info u8 | manager u8 | zero u16 | crc u32 | content ... |
/// ```
/// The sum is a CRC-32C over the content and then bytes 0 to 19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// With the header.
    pub total: u32,
    /// Which transaction.
    pub xid: u32,
    /// Where the record before begins.
    pub prev: u64,
    /// What it is, to its manager.
    pub info: u8,
    /// Whose record it is.
    pub manager: u8,
    /// The sum.
    pub crc: u32,
}

/// The longest record that a server writes.
pub const LONGEST: u32 = 1020 << 20;

impl RecordHeader {
    /// Takes a header apart; nothing is checked.
    #[must_use]
    pub fn parse(head: &[u8; RECORD_HEADER]) -> RecordHeader {
        RecordHeader {
            total: word(head, 0),
            xid: word(head, 4),
            prev: long(head, 8),
            info: head[16],
            manager: head[17],
            crc: word(head, 20),
        }
    }

    /// A switch to the next segment: the rest of this one is unused.
    #[must_use]
    pub fn is_switch(&self) -> bool {
        self.manager == 0 && self.info & 0xF0 == 0x40
    }

    /// The first record behind one that never came to its end.
    #[must_use]
    pub fn voids(&self) -> bool {
        self.manager == 0 && self.info & 0xF0 == 0xD0
    }
}

/// Whose records there are, by number.
const MANAGERS: [&str; 22] = [
    "XLOG",
    "Transaction",
    "Storage",
    "CLOG",
    "Database",
    "Tablespace",
    "MultiXact",
    "RelMap",
    "Standby",
    "Heap2",
    "Heap",
    "Btree",
    "Hash",
    "Gin",
    "Gist",
    "Sequence",
    "SPGist",
    "BRIN",
    "CommitTs",
    "ReplicationOrigin",
    "Generic",
    "LogicalMessage",
];

/// What the records of each manager are called, those of extensions and of managers that are not known, and what records do.
pub const KINDS: &[&str] = &{
    let mut kinds = ["extension"; MANAGERS.len() + 2 + OPERATIONS.len()];
    let mut at = 0;
    while at < MANAGERS.len() {
        kinds[at] = MANAGERS[at];
        at += 1;
    }
    kinds[at] = "unknown";
    at += 2;
    while at < kinds.len() {
        kinds[at] = OPERATIONS[at - MANAGERS.len() - 2];
        at += 1;
    }
    kinds
};

/// The kind of a manager's records.
#[must_use]
pub fn kind_of(manager: u8) -> &'static str {
    match MANAGERS.get(usize::from(manager)) {
        Some(name) => name,
        None if manager >= 128 => "extension",
        None => "unknown",
    }
}

/// A position as people read it.
#[must_use]
pub fn show(lsn: u64) -> String {
    format!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF)
}

/// The same, back: `0/D13C90`.
#[must_use]
pub fn position(text: &str) -> Option<Lsn> {
    let part = |text: &str| {
        let digits = (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if digits { u64::from_str_radix(text, 16).ok() } else { None }
    };
    let (high, low) = text.split_once('/')?;
    Some(Lsn(part(high)? << 32 | part(low)?))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_le_bytes(*four))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |eight| u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_print_as_the_server_prints_them() {
        assert_eq!((show(0xD1_3C90).as_str(), show(0x1_0000_0000).as_str()), ("0/D13C90", "1/0"));
    }

    #[test]
    fn kinds_are_named_by_their_managers() {
        assert_eq!((kind_of(0), kind_of(21), kind_of(22), kind_of(128)), ("XLOG", "LogicalMessage", "unknown", "extension"));
        assert!((0..=255).all(|manager| KINDS.contains(&kind_of(manager))));
        assert!(["Heap", "COMMIT", "FPI_FOR_HINT", "PRUNE"].iter().all(|kind| KINDS.contains(kind)) && !KINDS.contains(&""));
    }

    #[test]
    fn only_the_first_page_of_a_segment_states_its_size() {
        let mut page = [0; LONG_HEADER];
        page[..2].copy_from_slice(&0xD110u16.to_le_bytes());
        page[2] = 2;
        page[10] = 0x10;
        page[32..36].copy_from_slice(&(1u32 << 20).to_le_bytes());
        page[36..40].copy_from_slice(&8192u32.to_le_bytes());
        assert_eq!(segment_size(&page), Some(1 << 20));
        for (at, value) in [(0, 7), (2, 0), (8, 1), (33, 1), (34, 0x11), (37, 1)] {
            let mut other = page;
            other[at] = value;
            assert_eq!(segment_size(&other), None, "byte {at}");
        }
    }
}
