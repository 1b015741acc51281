//! What the header and the Seal of a segment tell without a walk.

use super::join::Joint;
use crate::disk::{EntryKind, Segment, Source, read_full};
use crate::formats::{Ending, HeaderFacts, State, Summary};
use crate::model::{Keys, Lsn, LsnRange, Result};
use crate::native::{HEADER_FIELDS, HeaderFound, Opener, SegmentHeader, find_seal, segment_lsn};

/// What the header tells. One small read.
pub fn header(source: &Source, segment: &Segment, keys: &Keys) -> Option<HeaderFacts> {
    let mut head = [0; HEADER_FIELDS];
    if read_full(source.file(segment).ok()?.as_ref(), &mut head, 0).ok()? < HEADER_FIELDS {
        return None;
    }
    let (HeaderFound::Good(header) | HeaderFound::Flipped(header, _)) = SegmentHeader::decode(&head) else { return None };
    let opens = header.key.map(|_| !keys.is_empty() && Opener::new(keys, Some(&header), None).has_the_key());
    Some(HeaderFacts { first_lsn: header.first_lsn, log_id: header.log_id, opens })
}

/// What header and Seal tell together; three small reads. `None` where they do not tell enough.
///
/// The names, the headers and the Seals of neighbours prove a hole between them without a scan, so they are joined like walks.
pub fn trailer(source: &Source, segment: &Segment) -> Result<Option<Summary>> {
    if segment.kind != EntryKind::File {
        return Ok(None);
    }
    let mut cursor = source.cursor(segment)?;
    let Some(HeaderFound::Good(header)) = cursor.array(0).map(|head| SegmentHeader::decode(&head)) else { return Ok(None) };
    let Some(seal) = find_seal(&mut cursor, header.seed()) else { return Ok(None) };
    // Which LSNs a known hole has stands in its frame, not in the Seal.
    let Some(tally) = seal.tally.filter(|tally| tally.holes == 0) else { return Ok(None) };
    let length = cursor.length();
    Ok(Some(Summary {
        records: tally.records,
        lsns: LsnRange::new(Lsn(tally.first_lsn), Lsn(tally.last_lsn)).filter(|_| tally.last_lsn > 0),
        due: Some(seal.header.lsn),
        begins: Some(header.first_lsn),
        valid_bytes: length,
        end: length,
        ending: Ending::Sealed,
        state: State::Sealed,
        blank: tally.last_lsn == 0,
        own: Some(Box::new(Joint {
            header: Some(header),
            named: segment_lsn(&segment.name),
            last_sum: Some(seal.header.sum),
            sealed: true,
            ..Joint::default()
        })),
        tally: Some(Box::new(tally)),
        ..Summary::new(segment, length)
    }))
}
