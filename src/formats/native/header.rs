//! The beginning of a segment: its header, and what can be done without one.

use super::join::Joint;
use crate::disk::{Io, Segment};
use crate::formats::{State, Summary, Visit};
use crate::model::{Damage, DamageKind, Error, Facts, Look, Lsn, Result, Span, Warning};
use crate::native::{
    Check, ENCRYPTED, FRAME_HEADER, FrameReader, HEADER_BYTES, HEADER_COPY, HEADER_FIELDS, HEADER_USED, HeaderFound, HeaderState,
    Opener, Seal, SegmentHeader, find_seal, segment_lsn,
};

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
    pub reader: FrameReader,
    /// With what the header says.
    pub summary: Summary,
    /// See `summary`.
    pub joint: Joint,
    /// The Seal at its end, if it has one.
    pub seal: Option<Seal>,
    /// The LSN of its first data frame.
    pub first: Lsn,
    /// What opens its payloads.
    pub opener: Opener,
    /// Its payloads are encrypted, each of them.
    pub encrypted: bool,
    /// What is wrong with the header, when it is damaged and could be done without.
    pub damage: Option<Damage>,
}

/// Reads a segment's header, and looks for its Seal.
pub fn begin(visit: &Visit<'_>) -> Result<Begin> {
    let segment = visit.segment;
    let named = segment_lsn(&segment.name);
    let siblings = || sibling_ids(visit);
    let cursor = visit.source.cursor(segment)?;
    // A follower comes back often, for little: two whole windows at each step were read for nothing.
    let cursor = if visit.want.start.is_some() { cursor.sparing() } else { cursor };
    let (mut reader, mut state) = FrameReader::open(cursor, &siblings, named);
    if reader.cursor.unmap_if_faulty() {
        (reader, state) = FrameReader::open(reader.cursor, &siblings, named);
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
            let found = format!("bit {} of byte {} flipped; the header is read with that bit set back", bit % 8, bit / 8);
            damage = Some(header_damage(visit, HEADER_USED as u64, header.first_lsn, found, Look::Wrong));
            header.first_lsn
        }
        HeaderState::Copied(header) => {
            joint.header = Some(*header);
            let lsn = header.first_lsn;
            damage =
                Some(lost_header(visit, &mut reader, HEADER_COPY, lsn, &format!("its copy at {HEADER_COPY} is read instead")));
            lsn
        }
        HeaderState::Known(..) | HeaderState::Guessed(_) => {
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
    if let Some(warning) = strange_reserve(&mut reader, &joint, visit) {
        summary.warnings.push(warning);
    }
    let seed = reader.seed();
    let seal = find_seal(&mut reader.cursor, seed);
    if seal.is_some() {
        // Nothing is written to a sealed segment any more, not even when it is the last one.
        summary.state = State::Sealed;
        if matches!(visit.source.io, Io::Auto | Io::Map) {
            reader.cursor.map(true);
        }
    }
    let opener = opener(visit, &mut reader, &state, &joint);
    let damage = damage.or_else(|| forged_header(visit, &joint, &opener));
    let encrypted = match &joint.header {
        Some(header) => header.key.is_some() || follows_encrypted(visit, header),
        // A segment after an encrypted one is encrypted too.
        None => sibling_headers(visit).iter().any(|(before, header)| *before && header.key.is_some()),
    };
    Ok(Begin::Frames(Box::new(Begun { reader, summary, joint, seal, first, opener, encrypted, damage })))
}

/// What opens the payloads of this segment.
fn opener(visit: &Visit<'_>, reader: &mut FrameReader, state: &HeaderState, joint: &Joint) -> Opener {
    let place = match (state, &joint.header) {
        (HeaderState::Known(id, _), _) => joint.named.map(|named| (*id, named)),
        (_, Some(header)) => Some((header.log_id, header.first_lsn)),
        _ => None,
    };
    let opener = Opener::new(visit.keys, joint.header.as_ref(), place);
    if !opener.is_empty() && !opener.has_the_key() && (visit.want.payloads || visit.want.deep) {
        try_keys(reader, &opener);
    }
    opener
}

/// The header names none of the keys. It may be damaged where no sum covers it, or written by another program: what the first payloads
/// say counts more.
fn try_keys(reader: &mut FrameReader, opener: &Opener) {
    const TRIED: u32 = 64;
    let (mut offset, mut tried, mut plain) = (HEADER_BYTES, 0, Vec::new());
    while tried < TRIED && !opener.has_the_key() {
        let Check::Good(frame) = reader.check(offset) else { return };
        if frame.flags & ENCRYPTED != 0 {
            tried += 1;
            let stored = reader.cursor.bytes(offset + FRAME_HEADER as u64, frame.length as usize);
            // Whether it opens is kept by the opener.
            crate::native::open(&frame, offset, stored, opener, &mut plain);
        }
        offset += frame.span();
    }
}

/// The header's sum is right, and the key says that the header is not what was written.
fn forged_header(visit: &Visit<'_>, joint: &Joint, opener: &Opener) -> Option<Damage> {
    let header = joint.header.as_ref().filter(|header| header.is_bound() && opener.has_the_key())?;
    if visit.keys.newest_first().any(|key| header.is_authentic(key)) {
        return None;
    }
    let found = "fields that someone without the key changed, or that rotted where no sum covers them".to_owned();
    let damage = header_damage(visit, HEADER_FIELDS as u64, header.first_lsn, found, Look::Altered);
    Some(Damage { expected: "a header that the segment's key authenticates".into(), ..damage })
}

/// Whether an earlier segment of the same log is encrypted: then this one is not the writer's, whatever its header says. All of them are
/// compared when the walks are joined; here the first and the nearest are enough to keep what is forged from being handed out.
fn follows_encrypted(visit: &Visit<'_>, header: &SegmentHeader) -> bool {
    let segments = &visit.source.segments;
    let before = &segments[..segments.partition_point(|segment| segment.id < visit.segment.id)];
    let encrypted = |segment: &Segment| {
        let head = visit.source.cursor(segment).ok().and_then(|mut cursor| cursor.array::<HEADER_FIELDS>(0));
        let found = head.map(|head| SegmentHeader::decode(&head));
        matches!(found, Some(HeaderFound::Good(other)) if other.log_id == header.log_id && other.key.is_some())
    };
    before.first().into_iter().chain(before.last()).any(encrypted)
}

/// This many segments at the beginning of the log are asked for what a damaged header said, and as many around it.
const ASKED: usize = 64;

/// The headers of other segments, and whether each stands before this one.
fn sibling_headers(visit: &Visit<'_>) -> Vec<(bool, SegmentHeader)> {
    let segments = &visit.source.segments;
    let mut headers = Vec::new();
    let own = segments.partition_point(|segment| segment.id < visit.segment.id);
    for segment in siblings(segments.len(), own).map(|index| &segments[index]) {
        let head = visit.source.cursor(segment).ok().and_then(|mut c| c.array::<HEADER_FIELDS>(0));
        if let Some(HeaderFound::Good(header)) = head.map(|head| SegmentHeader::decode(&head)) {
            headers.push((segment.id < visit.segment.id, header));
        }
        if headers.len() == ASKED {
            break;
        }
    }
    headers
}

/// Which other segments are asked, of so many: in a log in which no header is left each segment would ask all others.
fn siblings(count: usize, own: usize) -> impl Iterator<Item = usize> {
    let first = count.min(ASKED);
    let around = own.saturating_sub(ASKED / 2).max(first)..count.min(own.saturating_add(ASKED / 2 + 1));
    (0..first).chain(around).filter(move |index| *index != own)
}

/// The ids that the headers of the other segments give.
fn sibling_ids(visit: &Visit<'_>) -> Vec<[u8; 16]> {
    let mut ids = Vec::new();
    for (_, header) in sibling_headers(visit) {
        if !ids.contains(&header.log_id) && ids.len() < 4 {
            ids.push(header.log_id);
        }
    }
    ids
}

/// A header that is no more, or that the system refuses to give.
fn lost_header(visit: &Visit<'_>, reader: &mut FrameReader, end: u64, lsn: Lsn, and: &str) -> Damage {
    if let Some((from, to)) = reader.cursor.next_refused(0).filter(|(from, _)| *from < HEADER_USED as u64) {
        let found = format!("a read error between {from} and {to}; {and}");
        return Damage { kind: DamageKind::ReadError, ..header_damage(visit, end.max(to), lsn, found, Look::Refused) };
    }
    let look = if reader.cursor.zeros_end(0) >= HEADER_USED as u64 { Look::Interrupted } else { Look::Wrong };
    header_damage(visit, end, lsn, format!("a damaged header; {and}"), look)
}

fn header_damage(visit: &Visit<'_>, length: u64, lsn: Lsn, found: String, look: Look) -> Damage {
    Damage {
        kind: DamageKind::BadHeader,
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
    let kind = if visit.segment.followed { DamageKind::BadHeader } else { DamageKind::UnfinishedSegment };
    let damage = header_damage(visit, length, lsn, found, Look::Interrupted);
    Damage { kind, expected: format!("a segment header of {HEADER_BYTES} bytes"), ..damage }
}

/// A segment whose header is gone, and with it the seed of its sums.
fn headless(visit: &Visit<'_>, mut reader: FrameReader, mut summary: Summary, joint: Joint) -> Begin {
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

/// The part of the header block that no sum covers should be zeros, but for the copy of the header that some have.
fn strange_reserve(reader: &mut FrameReader, joint: &Joint, visit: &Visit<'_>) -> Option<Warning> {
    let header = joint.header.as_ref()?;
    let wanted = crate::native::encode_header(header);
    let from = if header.key.is_some() { HEADER_FIELDS } else { HEADER_USED };
    let rest = reader.cursor.bytes(from as u64, wanted.len() - from);
    let at = (from + rest.iter().zip(&wanted[from..]).position(|(there, wanted)| there != wanted)?) as u64;
    let span = Span::new(visit.segment.id, at, HEADER_BYTES);
    let what = if header.is_copied() { "neither zero nor a copy of the header" } else { "not zero" };
    let text = format!("the rest of the header block is {what}; no checksum covers it, and no record is affected");
    Some(Warning { name: "header-reserve-not-zero", span, text })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::disk::RealDisk;
    use crate::formats::Want;
    use crate::model::{Keys, Time};
    use crate::native::{encode_header, segment_name};

    #[test]
    fn a_damaged_header_asks_each_of_a_few_segments_once_and_of_many_no_more_than_these() {
        for count in [0, 1, 2, 63, 64, 65, 97, 1000] {
            for own in (0..count + 2).step_by(1 + count / 50) {
                let asked: Vec<usize> = siblings(count, own).collect();
                let sorted = asked.is_sorted_by(|a, b| a < b);
                assert!(sorted && !asked.contains(&own) && asked.iter().all(|at| *at < count), "{own} of {count}: {asked:?}");
                assert!(asked.len() <= 2 * ASKED, "{own} of {count}: {}", asked.len());
                let near = |at: usize| at < ASKED || at.abs_diff(own) <= ASKED / 2;
                assert_eq!(asked.len(), (0..count).filter(|at| *at != own && near(*at)).count(), "{own} of {count}");
            }
        }
    }

    #[test]
    fn the_ids_of_other_segments_are_tried_once_each_and_no_more_than_four() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let of = |ids: &[u8]| {
            for (first_lsn, id) in (1..).map(Lsn).zip(ids) {
                let (log_id, created) = ([*id; 16], Time(0));
                let header = SegmentHeader { key: None, block: 0, log_id, first_lsn, created, chain: 0, recycled: false };
                let path = dir.path().join(segment_name(first_lsn));
                std::fs::write(path, encode_header(&header)).expect("room for a header");
            }
            let source = crate::formats::native::FORMAT.log_in(Arc::new(RealDisk), dir.path()).expect("it lists");
            let segment = source.segments.last().expect("some");
            let found = sibling_ids(&Visit { source: &source, segment, keys: &Keys::default(), want: Want::default() });
            found.iter().map(|id| id[0]).collect::<Vec<_>>()
        };
        assert!(of(&[1]).is_empty());
        assert_eq!(of(&[1, 9]), [1]);
        assert_eq!(of(&[1, 1, 2, 1, 2, 9]), [1, 2]);
        assert_eq!(of(&[1, 2, 3, 1, 4, 5, 6, 9]), [1, 2, 3, 4]);
    }
}
