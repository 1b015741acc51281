//! One nodedb record on disk: its two headers, its sum, its kinds. FORMAT.md draws them.
//!
//! Both headers are version 1. The sum covers the header up to it and the payload as stored, so it tells which of the two a record
//! has: a match is proof.

use crate::disk::crc32c;
use crate::model::Lsn;

/// How a record begins.
pub(super) const MAGIC: [u8; 4] = *b"WNYS";
/// Direct writes are rounded up to it.
pub(super) const BLOCK: u64 = 4096;
/// The format version that all releases write.
const VERSION: u16 = 1;
/// No release writes or reads a longer payload.
pub(super) const LARGEST_PAYLOAD: u32 = 64 << 20;
/// A reader that does not know the kind must stop.
pub(super) const REQUIRED: u32 = 0x8000;
/// The payload is ciphertext.
pub(super) const ENCRYPTED: u32 = 0x4000;

/// Which of the two headers a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// 54 bytes: releases 0.1 to 0.4.
    Short,
    /// 63 bytes: release 0.6.
    Long,
}

impl Layout {
    pub(super) const BOTH: [Layout; 2] = [Layout::Short, Layout::Long];

    /// How long the header is.
    pub(super) const fn size(self) -> usize {
        match self {
            Layout::Short => 54,
            Layout::Long => 63,
        }
    }

    /// Where its sum stands; the sum covers what lies before.
    pub(super) const fn sum_at(self) -> usize {
        self.size() - 4
    }

    /// The other one.
    pub(super) const fn other(self) -> Layout {
        match self {
            Layout::Short => Layout::Long,
            Layout::Long => Layout::Short,
        }
    }

    /// Which releases write it.
    pub(super) const fn releases(self) -> &'static str {
        match self {
            Layout::Short => "0.1 to 0.4",
            Layout::Long => "0.6",
        }
    }
}

/// The fields of a header, whatever they say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) layout: Layout,
    pub(super) magic: [u8; 4],
    pub(super) version: u16,
    pub(super) raw_type: u32,
    pub(super) lsn: Lsn,
    pub(super) tenant: u64,
    pub(super) vshard: u32,
    pub(super) payload: u32,
    pub(super) database: u64,
    pub(super) apply_key: u64,
    pub(super) event_source: u8,
    pub(super) commit_hlc: u64,
    pub(super) sum: u32,
}

impl Header {
    /// Reads the fields, without judging them. `None` when the bytes end before the header does.
    #[inline]
    pub(super) fn read(bytes: &[u8], layout: Layout) -> Option<Header> {
        let bytes = bytes.get(..layout.size())?;
        let (u16_at, u32_at, u64_at) = (
            |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes")),
            |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")),
            |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes")),
        );
        let long = layout == Layout::Long;
        Some(Header {
            layout,
            magic: bytes[..4].try_into().expect("four bytes"),
            version: u16_at(4),
            raw_type: u32_at(6),
            lsn: Lsn(u64_at(10)),
            tenant: u64_at(18),
            vshard: u32_at(26),
            payload: u32_at(30),
            database: u64_at(34),
            apply_key: if long { u64_at(42) } else { 0 },
            event_source: if long { bytes[50] } else { 0 },
            commit_hlc: if long { u64_at(51) } else { 0 },
            sum: u32_at(layout.sum_at()),
        })
    }

    /// Whether magic, version and length can be those of a record.
    #[inline]
    pub(super) fn plausible(&self) -> bool {
        self.magic == MAGIC && self.version == VERSION && self.payload <= LARGEST_PAYLOAD
    }

    /// The length of the whole record.
    #[inline]
    pub(super) fn total(&self) -> u64 {
        self.layout.size() as u64 + u64::from(self.payload)
    }

    /// The number of the kind, without the flags.
    pub(super) const fn kind(&self) -> u32 {
        self.raw_type & !(REQUIRED | ENCRYPTED)
    }

    pub(super) const fn required(&self) -> bool {
        self.raw_type & REQUIRED != 0
    }

    pub(super) const fn encrypted(&self) -> bool {
        self.raw_type & ENCRYPTED != 0
    }

    /// 0.6 fills a direct write up with it: no data, no LSN.
    pub(super) const fn is_filler(&self) -> bool {
        self.kind() == 0 && self.lsn.0 == 0
    }
}

/// A record whose sum matches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) header: Header,
    pub(super) at: u64,
}

impl Frame {
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.at + self.header.total()
    }
}

/// A record as it would stand on disk: for what a repair writes.
pub(super) fn filler(layout: Layout, lsn: Lsn, payload: usize) -> Vec<u8> {
    let mut bytes = vec![0; layout.size() + payload];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
    bytes[10..18].copy_from_slice(&lsn.0.to_le_bytes());
    bytes[30..34].copy_from_slice(&u32::try_from(payload).expect("a filler is shorter than two blocks").to_le_bytes());
    let sum = crc32c(crc32c(0, &bytes[..layout.sum_at()]), &bytes[layout.size()..]);
    bytes[layout.sum_at()..layout.size()].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// What a kind is called; `None` when its number is not known to be anyone's.
pub(super) const fn kind_name(kind: u32, layout: Layout) -> Option<&'static str> {
    Some(match kind {
        0 => "noop",
        1 => "put",
        2 => "delete",
        10 => "vector-put",
        11 => "vector-delete",
        12 => "vector-params",
        13 => "vector-direct-upsert",
        20 => "crdt-delta",
        30 => "timeseries-batch",
        31 => "log-batch",
        40 => "array-put",
        41 => "array-delete",
        42 => "array-flush",
        50 => "transaction",
        51 => "surrogate-alloc",
        52 => match layout {
            Layout::Short => "surrogate-bind",
            Layout::Long => "surrogate-bind-batch",
        },
        53 => "sync-seq-advance",
        58 => "transaction-redo",
        61 => "write-aborted",
        // Numbers that 0.4 and 0.6 give to further engines.
        14..=19 | 21..=27 | 54..=57 | 59..=60 | 62..=69 => "engine",
        100 => "checkpoint",
        101 => "collection-tombstoned",
        102 => match layout {
            Layout::Short => "lsn-ms-anchor",
            Layout::Long => "time-anchor",
        },
        103 => "temporal-purge",
        110 => "calvin-applied",
        _ => return None,
    })
}

/// Every name that [`kind_name`] gives, and what a walk calls a number without one.
pub(super) const KINDS: &[&str] = &[
    "noop",
    "put",
    "delete",
    "vector-put",
    "vector-delete",
    "vector-params",
    "vector-direct-upsert",
    "crdt-delta",
    "timeseries-batch",
    "log-batch",
    "array-put",
    "array-delete",
    "array-flush",
    "transaction",
    "surrogate-alloc",
    "surrogate-bind",
    "surrogate-bind-batch",
    "sync-seq-advance",
    "transaction-redo",
    "write-aborted",
    "engine",
    "checkpoint",
    "collection-tombstoned",
    "lsn-ms-anchor",
    "time-anchor",
    "temporal-purge",
    "calvin-applied",
    "unknown",
];

/// What fills a segment up to the next block after a record with headers of this layout that ends at `end`.
pub(super) fn filler_behind(layout: Layout, end: u64) -> Vec<u8> {
    let size = Layout::Long.size() as u64;
    let room = end.next_multiple_of(BLOCK) - end;
    if layout != Layout::Long || room == 0 {
        return Vec::new();
    }
    let room = if room < size { room + BLOCK } else { room };
    let payload = usize::try_from(room - size).expect("less than two blocks");
    filler(Layout::Long, Lsn(0), payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filler_is_a_whole_record_of_its_layout_and_of_no_other() {
        for layout in Layout::BOTH {
            let bytes = filler(layout, Lsn(7), 200);
            let header = Header::read(&bytes, layout).expect("it is long enough");
            assert!(header.plausible());
            assert_eq!((header.lsn, header.kind(), header.total()), (Lsn(7), 0, bytes.len() as u64));
            let sum = crc32c(crc32c(0, &bytes[..layout.sum_at()]), &bytes[layout.size()..]);
            assert_eq!(header.sum, sum);
            let other = Header::read(&bytes, layout.other()).expect("it is long enough");
            assert_ne!(other.sum, sum);
        }
    }

    #[test]
    fn every_kind_with_a_name_can_be_asked_for() {
        let named = (0..=u32::from(u16::MAX)).flat_map(|kind| Layout::BOTH.map(|layout| kind_name(kind, layout)));
        let mut named: Vec<&str> = named.flatten().chain(["unknown"]).collect();
        named.sort_unstable();
        named.dedup();
        let mut asked = KINDS.to_vec();
        asked.sort_unstable();
        assert_eq!(named, asked);
    }

    #[test]
    fn the_layouts_are_those_of_the_releases() {
        assert_eq!(Layout::BOTH.map(Layout::size), [54, 63]);
        assert_eq!(Layout::BOTH.map(Layout::sum_at), [50, 59]);
    }
}
