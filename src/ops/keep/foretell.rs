//! What a rotation would do, worked out without doing it.

use crate::model::{Lsn, LsnRange, Time};
use crate::native::{HEADER_BYTES, frame_bytes, segment_name};
use crate::writer::{Fate, Rules, SegmentFacts, plan_prune};

/// The log as it would stand after a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foretold {
    /// The segment that would be sealed, and its LSNs; `None` when there is nothing to seal.
    pub sealed: Option<(String, Option<LsnRange>)>,
    /// The segment that would be written.
    pub active: String,
    /// The LSN that the next record would get.
    pub next: Lsn,
    /// The checkpoint that would be written: its own LSN, and the one that it speaks of.
    pub checkpoint: Option<(Lsn, Lsn)>,
    /// What would become of each segment; empty when no rule lets any go.
    pub fates: Vec<Fate>,
}

/// Works out what rotating a log with these segments would do, with a checkpoint before it where one is asked for.
#[must_use]
pub fn foretell(mut segments: Vec<SegmentFacts>, checkpoint: Option<Lsn>, rules: &Rules) -> Foretold {
    let mut written = None;
    if let (Some(says), Some(last)) = (checkpoint, segments.last_mut()) {
        let own = last.last.map_or(last.first, Lsn::next);
        (last.last, last.checkpoint) = (Some(own), Some((own, says)));
        last.bytes += frame_bytes(0) as u64;
        written = Some((own, says));
    }
    let next = end_of(&segments);
    let sealed = segments.last().filter(|last| last.last.is_some()).map(|last| (last.file.clone(), last.lsns()));
    if sealed.is_some() {
        segments.push(SegmentFacts {
            file: segment_name(next),
            first: next,
            last: None,
            bytes: HEADER_BYTES,
            newest: Time::now(),
            checkpoint: None,
            open: Vec::new(),
            ended: Vec::new(),
            block: 0,
        });
    }
    let fates = if rules.any() { plan_prune(segments, rules) } else { Vec::new() };
    Foretold { sealed, active: segment_name(next), next, checkpoint: written, fates }
}

/// The LSN after the last record of a log.
#[must_use]
pub fn end_of(segments: &[SegmentFacts]) -> Lsn {
    segments.last().map_or(Lsn::FIRST, |last| last.last.map_or(last.first, Lsn::next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(first: u64, last: Option<u64>) -> SegmentFacts {
        SegmentFacts {
            file: segment_name(Lsn(first)),
            first: Lsn(first),
            last: last.map(Lsn),
            bytes: 5000,
            newest: Time(1),
            checkpoint: None,
            open: Vec::new(),
            ended: Vec::new(),
            block: 0,
        }
    }

    #[test]
    fn a_checkpoint_is_a_record_and_lets_go_what_lies_below_it() {
        let rules = Rules { by_checkpoint: true, ..Rules::default() };
        let told = foretell(vec![segment(1, Some(10)), segment(11, Some(20))], Some(Lsn(10)), &rules);
        assert_eq!((told.next, told.checkpoint), (Lsn(22), Some((Lsn(21), Lsn(10)))));
        let goes: Vec<&str> = told.fates.iter().filter(|fate| fate.goes()).map(|fate| fate.segment.file.as_str()).collect();
        assert_eq!(goes, [segment_name(Lsn(1))]);
        assert_eq!(told.fates.len(), 3, "the segment that would be begun is among them");
    }

    #[test]
    fn a_segment_without_a_record_is_not_sealed() {
        let told = foretell(vec![segment(1, Some(10)), segment(11, None)], None, &Rules::default());
        assert_eq!((told.sealed, told.active), (None, segment_name(Lsn(11))));
    }
}
