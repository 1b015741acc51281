//! The double-write file beside a segment: whole copies of its latest records.
//!
//! FORMAT.md draws it. A copy counts when its own record's sum matches. Of several with one LSN the one with the highest slot sequence
//! counts.

use std::collections::BTreeMap;

use super::record::{BLOCK, Frame, Header, Layout, filler_behind};
use super::search::SummedSegment;
use crate::disk::{Segment, Source, crc32c};
use crate::formats::Restored;
use crate::model::{Damage, Lsn, LsnRange, Result, SegmentId};

const MAGIC: [u8; 4] = *b"FBWD";
const SLOT_MAGIC: [u8; 4] = *b"BSWD";
const SLOT: u64 = 69_632;
const SLOTS: u64 = 64;

/// Where a whole copy of a record lies.
#[derive(Clone, Copy, Debug)]
struct Copy {
    frame: Frame,
    sequence: u64,
}

/// A copy: where in the segment it was due, and the record where it lies in the file of copies.
pub(super) type Due = (u64, Frame);

/// A record that a double-write file gives back: `repair` may write these bytes at this offset of the segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// The segment.
    pub segment: SegmentId,
    /// Where in it the record was damaged.
    pub offset: u64,
    /// The record's LSN.
    pub lsn: Lsn,
    /// The record as it should stand there.
    pub bytes: Vec<u8>,
    /// The damage reaches to the end of the segment: what stands there can be replaced.
    pub last: bool,
}

/// The records that take the place of a torn end: they begin where the first damage does, and each follows the one before.
pub(super) fn restore(source: &Source, segment: &Segment, damage: &[Damage]) -> Result<Option<Restored>> {
    let Some(offset) = damage.iter().filter(|d| d.span.place.segment == segment.id).map(|d| d.span.start()).min() else {
        return Ok(None);
    };
    let (mut bytes, mut lsns, mut layout) = (Vec::new(), None, Layout::Short);
    for one in restorable(source, segment, damage)?.into_iter().filter(|one| one.last) {
        if one.offset != offset + bytes.len() as u64 {
            break;
        }
        let first = lsns.map_or(one.lsn, |range: LsnRange| range.first);
        lsns = Some(LsnRange { first, last: one.lsn });
        layout = layout_of(&one.bytes);
        bytes.extend_from_slice(&one.bytes);
    }
    let fill = filler_behind(layout, offset + bytes.len() as u64);
    let copy = name_of(segment).unwrap_or_default();
    Ok(lsns.map(|lsns| Restored { copy, offset, lsns, bytes, fill }))
}

/// The layout of a whole record.
fn layout_of(bytes: &[u8]) -> Layout {
    let long = Header::read(bytes, Layout::Long).is_some_and(|h| {
        let sum_at = Layout::Long.sum_at();
        h.total() == bytes.len() as u64 && crc32c(crc32c(0, &bytes[..sum_at]), &bytes[Layout::Long.size()..]) == h.sum
    });
    if long { Layout::Long } else { Layout::Short }
}

/// What the double-write file of a segment gives back of its damaged regions: records that follow the ones before without a hole,
/// and that end within the region.
pub fn restorable(source: &Source, segment: &Segment, damage: &[Damage]) -> Result<Vec<Restore>> {
    let mut found = Vec::new();
    if damage.is_empty() {
        return Ok(found);
    }
    let Some((mut reader, copies)) = open(source, segment)? else { return Ok(found) };
    for damage in damage.iter().filter(|d| d.span.place.segment == segment.id && d.span.length > 0) {
        let last = damage.span.end() >= segment.length;
        for (offset, frame) in fitting(&copies, segment, damage) {
            let length = usize::try_from(frame.header.total()).expect("a slot is shorter than 69,632 bytes");
            let bytes = reader.cursor.bytes(frame.at, length).to_vec();
            if bytes.len() < length {
                break;
            }
            found.push(Restore { segment: segment.id, offset, lsn: frame.header.lsn, bytes, last });
        }
    }
    Ok(found)
}

/// The copies that fit into one damaged region: where in the segment each was due, and where it lies in the file of the reader.
pub(super) fn copies_of(source: &Source, segment: &Segment, damage: &Damage) -> Result<Option<(SummedSegment, Vec<Due>)>> {
    if damage.span.length == 0 {
        return Ok(None);
    }
    let Some((reader, copies)) = open(source, segment)? else { return Ok(None) };
    Ok(Some((reader, fitting(&copies, segment, damage))))
}

fn fitting(copies: &BTreeMap<Lsn, Copy>, segment: &Segment, damage: &Damage) -> Vec<Due> {
    let mut found = Vec::new();
    let Some(mut lsn) = damage.lsn else { return found };
    let at_end = damage.span.end() >= segment.length;
    let mut offset = damage.span.start();
    while let Some(copy) = copies.get(&lsn) {
        let length = copy.frame.header.total();
        if !at_end && offset + length > damage.span.end() {
            break;
        }
        found.push((offset, copy.frame));
        offset += length;
        lsn = lsn.next();
    }
    found
}

/// The name of the double-write file that belongs to a segment.
pub(super) fn name_of(segment: &Segment) -> Option<String> {
    Some(format!("{}.dwb", segment.name.strip_suffix(".seg")?))
}

fn open(source: &Source, segment: &Segment) -> Result<Option<(SummedSegment, BTreeMap<Lsn, Copy>)>> {
    let Some(name) = name_of(segment) else { return Ok(None) };
    let Some(cursor) = source.sibling(&name)? else { return Ok(None) };
    let mut reader = SummedSegment::new(cursor);
    let copies = copies(&mut reader);
    Ok(Some((reader, copies)))
}

fn copies(reader: &mut SummedSegment) -> BTreeMap<Lsn, Copy> {
    let mut found: BTreeMap<Lsn, Copy> = BTreeMap::new();
    if reader.cursor.array::<4>(0) != Some(MAGIC) {
        return found;
    }
    for slot in 0..SLOTS {
        let Some((lsn, copy)) = copy_in(reader, BLOCK + slot * SLOT) else { continue };
        found.entry(lsn).and_modify(|old| *old = if old.sequence > copy.sequence { *old } else { copy }).or_insert(copy);
    }
    found
}

fn copy_in(reader: &mut SummedSegment, slot: u64) -> Option<(Lsn, Copy)> {
    let lead: [u8; 4] = reader.cursor.array(slot)?;
    let (at, size, sequence) = if lead == SLOT_MAGIC {
        let head: [u8; 20] = reader.cursor.array(slot)?;
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
        if crc32c(0, &head[..16]) != word(16) {
            return None;
        }
        (slot + 20, word(12), u64::from_le_bytes(head[4..12].try_into().expect("eight bytes")))
    } else {
        (slot + 4, u32::from_le_bytes(lead), 0)
    };
    for layout in Layout::BOTH {
        // The claim is bounded by the slot before anything is summed.
        let fits = Header::read(reader.cursor.bytes(at, layout.size()), layout)
            .is_some_and(|h| h.plausible() && h.total() == u64::from(size) && at + h.total() <= slot + SLOT);
        if fits && let Some(frame) = reader.sound(at, layout) {
            return Some((frame.header.lsn, Copy { frame, sequence }));
        }
    }
    None
}
