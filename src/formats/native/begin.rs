//! The beginning of a segment: its header, and what can be done without one.

use super::join::Joint;
use crate::disk::Io;
use crate::formats::{State, Summary, Visit};
use crate::model::{Damage, Error, Facts, Kind as Damaged, Look, Lsn, Result, Span, Warning};
use crate::native::{HEADER_BYTES, HEADER_USED, HeaderFound, HeaderState, Reader, Seal, SegmentHeader, find_seal, segment_lsn};

/// What the beginning of a segment leads to.
pub enum Begin {
    /// Frames can be read.
    Frames(Box<Begun>),
    /// There are none, or none that can be checked; the damage says why.
    Nothing(Box<(Summary, Joint, Damage)>),
}

/// A segment whose frames can be read.
pub struct Begun {
    /// At its first frame.
    pub reader: Reader,
    /// With what the header says.
    pub summary: Summary,
    /// See `summary`.
    pub joint: Joint,
    /// The Seal at its end, if it has one.
    pub seal: Option<Seal>,
    /// The LSN of its first data frame.
    pub first: Lsn,
    /// What is wrong with the header, when it is damaged and could be done without.
    pub damage: Option<Damage>,
}

/// Reads a segment's header, and looks for its Seal.
pub fn begin(visit: &Visit<'_>) -> Result<Begin> {
    let segment = visit.segment;
    let named = segment_lsn(&segment.name);
    let siblings = || sibling_ids(visit);
    let (mut reader, mut state) = Reader::open(visit.source.cursor(segment)?, &siblings, named);
    if reader.cursor.unmap_if_faulty() {
        (reader, state) = Reader::open(reader.cursor, &siblings, named);
    }
    let mut summary = Summary::new(segment, reader.cursor.length());
    let mut joint = Joint { named, ..Joint::default() };
    let mut damage = None;
    let first = match &state {
        HeaderState::Unknown(what) => {
            return Err(Error::Unknown { path: segment.path.clone(), offset: 8, what: what.clone() });
        }
        HeaderState::Good(header) => {
            joint.header = Some(*header);
            header.first_lsn
        }
        HeaderState::Flipped(header, bit) => {
            joint.header = Some(*header);
            let found = format!("bit {} of byte {} flipped; the header is read as it was", bit % 8, bit / 8);
            damage = Some(header_damage(visit, HEADER_USED as u64, header.first_lsn, found, Look::Wrong));
            header.first_lsn
        }
        HeaderState::Guessed(_) => {
            let lsn = named.unwrap_or(Lsn::FIRST);
            damage = Some(lost_header(visit, &mut reader, HEADER_BYTES, lsn, "what the frames need of it was found elsewhere"));
            lsn
        }
        HeaderState::Lost => return Ok(headless(visit, reader, summary, joint)),
    };
    summary.begins = Some(first);
    let length = reader.cursor.length();
    if length < HEADER_BYTES {
        return Ok(Begin::Nothing(Box::new((summary, joint, unfinished(visit, length, first)))));
    }
    let seed = reader.seed();
    let seal = find_seal(&mut reader.cursor, seed);
    if seal.is_some() {
        // Nobody writes to a sealed segment any more, not even when it is the last one.
        summary.state = State::Sealed;
        if matches!(visit.source.io, Io::Auto | Io::Map) {
            reader.cursor.map(true);
        }
    }
    if let Some(warning) = strange_reserve(&mut reader, &joint, visit) {
        summary.warnings.push(warning);
    }
    Ok(Begin::Frames(Box::new(Begun { reader, summary, joint, seal, first, damage })))
}

/// The ids that the headers of the other segments give.
fn sibling_ids(visit: &Visit<'_>) -> Vec<[u8; 16]> {
    let mut ids = Vec::new();
    for segment in visit.source.segments.iter().filter(|s| s.id != visit.segment.id) {
        let Some(head) = visit.source.cursor(segment).ok().and_then(|mut c| c.array::<88>(0)) else { continue };
        if let HeaderFound::Good(header) = SegmentHeader::decode(&head)
            && !ids.contains(&header.log_id)
        {
            ids.push(header.log_id);
        }
        // A folder of thousands of segments is not read through for this.
        if ids.len() == 4 || segment.id.0 > 64 {
            break;
        }
    }
    ids
}

/// A header that is no more, or that the system refuses to give.
fn lost_header(visit: &Visit<'_>, reader: &mut Reader, end: u64, lsn: Lsn, and: &str) -> Damage {
    if let Some((from, to)) = reader.cursor.next_refused(0).filter(|(from, _)| *from < HEADER_USED as u64) {
        let found = format!("a read error between {from} and {to}; {and}");
        return Damage { kind: Damaged::ReadError, ..header_damage(visit, end.max(to), lsn, found, Look::Refused) };
    }
    let look = if reader.cursor.zeros_end(0) >= HEADER_USED as u64 { Look::Interrupted } else { Look::Wrong };
    header_damage(visit, end, lsn, format!("a damaged header; {and}"), look)
}

fn header_damage(visit: &Visit<'_>, length: u64, lsn: Lsn, found: String, look: Look) -> Damage {
    Damage {
        kind: Damaged::BadHeader,
        span: Span::new(visit.segment.id, 0, length),
        lsn: Some(lsn),
        doubt: None,
        expected: "a segment header with its sum".into(),
        found,
        facts: Facts::of(look),
    }
}

fn unfinished(visit: &Visit<'_>, length: u64, lsn: Lsn) -> Damage {
    let found = if length == 0 { "an empty file".to_owned() } else { format!("{length} bytes without a record") };
    let kind = if visit.segment.followed { Damaged::BadHeader } else { Damaged::UnfinishedSegment };
    let damage = header_damage(visit, length, lsn, found, Look::Interrupted);
    Damage { kind, expected: format!("a segment header of {HEADER_BYTES} bytes"), ..damage }
}

/// A segment whose header is gone, and with it the seed of its sums.
fn headless(visit: &Visit<'_>, mut reader: Reader, mut summary: Summary, joint: Joint) -> Begin {
    let lsn = joint.named.unwrap_or(Lsn::FIRST);
    summary.begins = joint.named;
    let content_from = reader.cursor.zeros_end(HEADER_BYTES.min(reader.cursor.length()));
    let length = reader.cursor.length();
    let damage = if content_from >= length {
        unfinished(visit, length.min(HEADER_BYTES), lsn)
    } else {
        summary.blank = false;
        let end = reader.search(HEADER_BYTES, Lsn(u64::MAX)).content_end.max(HEADER_BYTES).min(length);
        lost_header(visit, &mut reader, end, lsn, "there is no frame that tells how frames here are summed")
    };
    summary.length = length;
    Begin::Nothing(Box::new((summary, joint, damage)))
}

/// The part of the header block that no sum covers should be zeros.
fn strange_reserve(reader: &mut Reader, joint: &Joint, visit: &Visit<'_>) -> Option<Warning> {
    let from = if joint.header.as_ref()?.key.is_some() { 88 } else { HEADER_USED as u64 };
    let rest = reader.cursor.bytes(from, usize::try_from(HEADER_BYTES - from).expect("less than a block"));
    let at = from + rest.iter().position(|b| *b != 0)? as u64;
    let span = Span::new(visit.segment.id, at, HEADER_BYTES);
    let text = "the rest of the header block is not zero; no checksum covers it, and no record is affected".to_owned();
    Some(Warning { name: "header-reserve-not-zero", span, text })
}
