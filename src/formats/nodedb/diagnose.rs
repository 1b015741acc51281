//! What a bad region of a segment is: which kind of damage, and whether its bytes show an interruption.

use super::record::{Header, LARGEST_PAYLOAD, Layout, MAGIC};
use super::search::SummedSegment;
use crate::formats::looks_interrupted;
use crate::model::units::hex;
use crate::model::{DamageKind, Look, Lsn};

/// What was made of a bad region.
pub(super) struct Diagnosis {
    pub(super) kind: DamageKind,
    pub(super) look: Look,
    pub(super) expected: String,
    pub(super) found: String,
}

/// A region in which nothing could be read, and what was due there.
#[derive(Clone, Copy, Debug)]
pub(super) struct LostRegion {
    pub(super) start: u64,
    pub(super) end: u64,
    /// No whole record follows in this segment.
    pub(super) last: bool,
    pub(super) due: Lsn,
    pub(super) layout: Layout,
}

/// Looks at a bad region. `Err` with a version when the record that begins it is whole and of a version that no release wrote.
pub(super) fn diagnose(reader: &mut SummedSegment, region: &LostRegion) -> Result<Diagnosis, u16> {
    let LostRegion { start, end, last, due, layout } = *region;
    let length = end - start;
    if reader.cursor.zeros_end(start) >= end {
        return Ok(Diagnosis {
            kind: DamageKind::Zeroed,
            look: Look::Interrupted,
            expected: format!("record {due}"),
            found: format!("{length} zero bytes"),
        });
    }
    let lead = reader.cursor.bytes(start, Layout::Long.size()).to_vec();
    let lead = &lead[..lead.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
    let short = Header::read(lead, Layout::Short).filter(|_| !last);
    let Some(header) = Header::read(lead, layout).or(short) else {
        let begun = lead[..lead.len().min(4)] == MAGIC[..lead.len().min(4)];
        return Ok(Diagnosis {
            kind: if begun { DamageKind::CutShort } else { DamageKind::NotAFrame },
            look: Look::Interrupted,
            expected: format!("record {due}"),
            found: if begun { format!("the first {length} bytes of its header") } else { format!("{length} other bytes") },
        });
    };
    if header.magic != MAGIC {
        return Ok(without_magic(reader, region, &header));
    }
    if let Some(found) = with_one_field_right(reader, region, lead)? {
        return Ok(found);
    }
    if header.version != 1 {
        let look = if looks_interrupted(&mut reader.cursor, start, end) { Look::Interrupted } else { Look::Wrong };
        let (expected, found) = ("format version 1".to_owned(), format!("version {}", header.version));
        return Ok(Diagnosis { kind: DamageKind::NotAFrame, look, expected, found });
    }
    if header.payload > LARGEST_PAYLOAD {
        let look = if looks_interrupted(&mut reader.cursor, start, end) { Look::Interrupted } else { Look::Wrong };
        let expected = format!("a payload of at most {LARGEST_PAYLOAD} bytes");
        return Ok(Diagnosis {
            kind: DamageKind::NotAFrame,
            look,
            expected,
            found: format!("payload length {}", header.payload),
        });
    }
    let Some(computed) = reader.sum(start, &header) else {
        let (expected, found) = (format!("{} bytes of record {}", header.total(), header.lsn), format!("{length}"));
        let kind = if last { DamageKind::CutShort } else { DamageKind::NotAFrame };
        return Ok(Diagnosis { kind, look: Look::Interrupted, expected, found });
    };
    let look = if looks_interrupted(&mut reader.cursor, start, start + header.total()) { Look::Interrupted } else { Look::Wrong };
    Ok(Diagnosis {
        kind: DamageKind::BadChecksum,
        look,
        expected: format!("checksum {computed:08x} in record {}", header.lsn),
        found: format!("{:08x}", header.sum),
    })
}

/// A record that matches its checksum once its version or its length is as it should be; an error where it matches with the version
/// that it has, which is not ours to know.
fn with_one_field_right(reader: &mut SummedSegment, region: &LostRegion, lead: &[u8]) -> Result<Option<Diagnosis>, u16> {
    let LostRegion { start, end, layout, .. } = *region;
    let length = end - start;
    for layout in [layout, layout.other()] {
        let Some(header) = Header::read(lead, layout) else { continue };
        if header.version != 1 && header.payload <= LARGEST_PAYLOAD && reader.sum(start, &header) == Some(header.sum) {
            return Err(header.version);
        }
        let right = |bytes: &mut [u8]| bytes[4..6].copy_from_slice(&1u16.to_le_bytes());
        if header.version != 1 && reader.sum_with(start, &header, header.payload, right) == Some(header.sum) {
            return Ok(Some(Diagnosis {
                kind: DamageKind::BadChecksum,
                look: Look::Wrong,
                expected: format!("format version 1 in record {}, with which its checksum matches", header.lsn),
                found: format!("version {}", header.version),
            }));
        }
        let payload = length.saturating_sub(layout.size() as u64);
        if length >= layout.size() as u64
            && payload != u64::from(header.payload)
            && let Ok(payload) = u32::try_from(payload)
            && reader.sum_with(start, &header, payload, |bytes| bytes[30..34].copy_from_slice(&payload.to_le_bytes()))
                == Some(header.sum)
        {
            return Ok(Some(Diagnosis {
                kind: DamageKind::BadChecksum,
                look: Look::Wrong,
                expected: format!("payload length {payload} in record {}, with which its checksum matches", header.lsn),
                found: format!("payload length {}", header.payload),
            }));
        }
    }
    Ok(None)
}

/// No record begins here; still, all of one may be there with a magic that rotted.
fn without_magic(reader: &mut SummedSegment, region: &LostRegion, header: &Header) -> Diagnosis {
    let expected = format!("record {}", region.due);
    for layout in Layout::BOTH {
        let lead = reader.cursor.bytes(region.start, layout.size());
        let Some(other) = Header::read(lead, layout) else { continue };
        let whole = other.lsn == region.due && region.start + other.total() == region.end;
        if whole || (other.version == 1 && mended(reader, region.start, &other)) {
            let found = format!("magic {} before a record {}", hex(&header.magic), other.lsn);
            return Diagnosis {
                kind: DamageKind::BadChecksum,
                look: Look::Wrong,
                expected: format!("magic {}", hex(&MAGIC)),
                found,
            };
        }
    }
    let found = format!("{} bytes that begin no record: {} …", region.end - region.start, hex(&header.magic));
    // What a torn record left after a shorter one, or a stray write: no release writes anything whole that looks so.
    Diagnosis { kind: DamageKind::NotAFrame, look: Look::Interrupted, expected, found }
}

fn mended(reader: &mut SummedSegment, at: u64, header: &Header) -> bool {
    header.payload <= LARGEST_PAYLOAD
        && reader.sum_with(at, header, header.payload, |bytes| bytes[..4].copy_from_slice(&MAGIC)) == Some(header.sum)
}
