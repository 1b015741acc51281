//! What the header and the Seal of a segment tell without a walk.

use super::join::Joint;
use crate::disk::{Cursor, EntryKind, Segment, Source, read_full};
use crate::formats::{Ending, HeaderFacts, KnownHole, State, Summary};
use crate::model::{Keys, Lsn, LsnRange, Result, Span, Warning};
use crate::native::{
    Check, FrameKind, FrameReader, HEADER_BYTES, HEADER_FIELDS, HeaderFound, HoleFound, Opener, SegmentHeader, find_seal,
    hole_at, segment_lsn,
};

/// How many frames are looked at from the front of a segment for holes: one that only tells of a hole has two or three.
const FRONT_FRAMES: usize = 16;

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

/// What both ends tell of any segment, finished or not; four small reads.
pub fn ends(source: &Source, segment: &Segment) -> Result<Summary> {
    let mut cursor = source.cursor(segment)?;
    let length = cursor.length();
    let mut summary = Summary { whole: false, blank: false, ..Summary::new(segment, length) };
    let mut joint = Joint { named: segment_lsn(&segment.name), ..Joint::default() };
    let head = cursor.array(0).map(|head| SegmentHeader::decode(&head));
    let Some(HeaderFound::Good(header) | HeaderFound::Flipped(header, _)) = head else {
        // Of what is not written to any more a header is missed; elsewhere it may be on its way.
        if segment.followed {
            summary.warnings.push(doubt(segment, "no-header", "only reading all of it tells what it is"));
        }
        return Ok(Summary { begins: joint.named, own: Some(Box::new(joint)), ..summary });
    };
    (summary.begins, joint.header) = (Some(header.first_lsn), Some(header));
    let seal = joint.header.as_ref().and_then(|header| find_seal(&mut cursor, header.seed()));
    // A segment without a record may be there to tell of a hole, and of the sum that the next one goes on with.
    let holes = seal.as_ref().and_then(|seal| Some(seal.tally.as_ref()?.holes));
    if holes != Some(0) {
        holes_in_front(cursor, segment, &header, &mut summary, &mut joint);
    }
    if holes.is_some_and(|holes| holes > summary.holes.kept().len() as u64) {
        summary.warnings.push(doubt(
            segment,
            "holes-not-read",
            "it has known holes between its records; only reading all of it tells which",
        ));
    }
    match seal {
        Some(seal) => {
            if let Some(tally) = &seal.tally {
                summary.records = tally.records;
                summary.lsns = LsnRange::new(Lsn(tally.first_lsn), Lsn(tally.last_lsn)).filter(|lsns| lsns.last.0 > 0);
            }
            summary.due = Some(seal.header.lsn);
            (summary.end, summary.ending, summary.state) = (length, Ending::Sealed, State::Sealed);
            (joint.last_sum, joint.sealed) = (Some(seal.header.sum), true);
        }
        None if segment.followed => {
            let text = "a crash ended it, or its tail is lost; only reading all of it tells";
            summary.warnings.push(doubt(segment, "no-seal", text));
        }
        None => {}
    }
    Ok(Summary { own: Some(Box::new(joint)), ..summary })
}

/// The known holes before the first record of a segment.
fn holes_in_front(cursor: Cursor, segment: &Segment, header: &SegmentHeader, summary: &mut Summary, joint: &mut Joint) {
    let (mut reader, _) = FrameReader::open(cursor, &Vec::new, None);
    let (mut offset, mut due) = (HEADER_BYTES, header.first_lsn);
    for _ in 0..FRONT_FRAMES {
        let Check::Good(frame) = reader.check(offset) else { return };
        match FrameKind::from_byte(frame.kind) {
            Some(FrameKind::Hole) => {
                let HoleFound::Hole(hole) = hole_at(&mut reader.cursor, offset, &frame) else { return };
                if hole.lsns.first != due {
                    return;
                }
                due = frame.lsn;
                joint.named_chain = hole.chain;
                let span = Span::new(segment.id, offset, offset + frame.span());
                summary.holes.push(KnownHole { span, since: frame.time, hole });
            }
            Some(kind) if !kind.is_data() => {}
            // Only what no record follows names the sum of the next segment.
            _ => return joint.named_chain = None,
        }
        offset += frame.span();
    }
}

fn doubt(segment: &Segment, name: &'static str, text: &str) -> Warning {
    Warning { name, span: Span::new(segment.id, 0, 0), text: text.to_owned() }
}
