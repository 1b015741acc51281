//! Where a walk over nodedb's records stops: numbers that jump, bytes that are no record, and copies of what stood there.

use super::super::super::again::Stop;
use super::super::diagnose::{LostRegion, diagnose};
use super::super::dwb;
use super::super::preamble::{self, Preamble};
use super::super::record::{Frame, Header, LARGEST_PAYLOAD, Layout, MAGIC};
use super::{Walker, preamble_begun, proof};
use crate::formats::{Ending, Halt};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Proof, Span};

impl Walker<'_, '_, '_> {
    /// Numbers are missing between two whole neighbours.
    pub(super) fn gap(&mut self, frame: &Frame, due: Lsn) -> Result<(), Halt> {
        self.notes.gap(frame, due);
        self.hurt(Damage {
            kind: DamageKind::LsnGap,
            span: Span::new(self.visit.segment.id, frame.at, frame.at),
            lsn: Some(due),
            doubt: frame.header.lsn.before().and_then(|last| LsnRange::new(due, last)),
            expected: format!("LSN {due}"),
            found: format!("LSN {}", frame.header.lsn),
            facts: Facts::of(Look::Absent),
        })
    }

    /// A whole record whose number was given before. A run of them is one piece of damage.
    pub(super) fn goes_back(&mut self, frame: &Frame) -> Result<(), Halt> {
        if self.back {
            return Ok(());
        }
        self.back = true;
        let due = self.due();
        self.notes.back(frame, due);
        let mut facts = Facts::of(Look::Wrong);
        facts.proof = self.highest.map(|highest| Proof::LaterFrame { lsn: highest, synced: highest.next() });
        self.hurt(Damage {
            kind: DamageKind::LsnBack,
            span: Span::new(self.visit.segment.id, frame.at, frame.at),
            lsn: Some(due),
            doubt: None,
            expected: format!("LSN {due} or the end"),
            found: format!("LSN {}", frame.header.lsn),
            facts,
        })
    }

    /// Nothing whole begins at `at`: padding, a refused range or damage. Where to go on, if anywhere.
    pub(super) fn bad(&mut self, at: u64) -> Result<Option<u64>, Halt> {
        if self.reader.cursor.unmap_if_faulty() {
            return Ok(Some(at));
        }
        if at >= self.reader.cursor.length() {
            return Ok(None);
        }
        if let Some(end) = self.padding_end(at) {
            self.padding(at, end);
            return Ok(Some(end));
        }
        let stop = self.rereads.stop(&mut self.reader.cursor, at);
        let next = self.follow_claim(at).or_else(|| self.reader.next_frame(at + 1, self.highest));
        if self.written_meanwhile(&stop, at, next.is_some())? {
            return Ok(Some(at));
        }
        let end = next.map_or(self.reader.cursor.length(), |frame| frame.at);
        self.region(at, end, next.as_ref())?;
        Ok(next.map(|frame| frame.at))
    }

    /// Whether a writer was in the middle of this: the stop is read again before it means anything.
    pub(super) fn written_meanwhile(&mut self, stop: &Stop, at: u64, followed: bool) -> Result<bool, Halt> {
        let cursor = &mut self.reader.cursor;
        if !followed {
            let moved = self.rereads.tail_moves(stop, cursor, self.visit.want.live)?;
            self.reader.forget_sums();
            return Ok(moved);
        }
        if self.visit.segment.followed || !self.rereads.hole_again(stop, cursor)? {
            return Ok(false);
        }
        self.reader.forget_sums();
        Ok(Layout::BOTH.into_iter().any(|layout| self.reader.frame_at(at, layout).is_some()))
    }

    /// The record that the bad one's own length leads to, if its LSN is higher.
    pub(super) fn follow_claim(&mut self, at: u64) -> Option<Frame> {
        for layout in [self.layout, self.layout.other()] {
            let Some(header) = Header::read(self.reader.cursor.bytes(at, layout.size()), layout) else { continue };
            if header.magic != MAGIC || header.payload > LARGEST_PAYLOAD {
                continue;
            }
            let next = self.reader.frame_at(at + header.total(), layout);
            let next = next.filter(|f| !f.header.is_filler() && self.highest.is_none_or(|highest| f.header.lsn > highest));
            let Some(claimed) = next else { continue };
            // Exactly one record is missing: the claim is right, whatever stands in its payload. Otherwise a wrong length may have
            // led past whole records.
            if claimed.header.lsn == self.due().next() {
                return Some(claimed);
            }
            let nearer = self.reader.next_frame(at + 1, self.highest);
            return nearer.filter(|f| f.at < claimed.at && f.header.lsn < claimed.header.lsn).or(Some(claimed));
        }
        None
    }

    /// What stands in a region without a whole record.
    fn what_stands(&mut self, start: u64, end: u64, last: bool, due: Lsn) -> Result<Damage, Halt> {
        let cursor = &mut self.reader.cursor;
        let refused = cursor.refused_at(start).or_else(|| cursor.next_refused(start).filter(|r| r.0 < end).map(|r| r.1));
        let mut damage = Damage {
            kind: DamageKind::ReadError,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: Some(due),
            doubt: None,
            expected: String::new(),
            found: String::new(),
            facts: Facts::of(Look::Refused),
        };
        if refused.is_some() {
            damage.found = format!("the system cannot read the bytes between {start} and {end}");
        } else {
            let region = LostRegion { start, end, last, due, layout: self.layout };
            let found = diagnose(&mut self.reader, &region)
                .map_err(|version| self.unknown(start + 4, &format!("nodedb record version {version}")))?;
            (damage.kind, damage.expected, damage.found) = (found.kind, found.expected, found.found);
            damage.facts = Facts::of(found.look);
        }
        Ok(damage)
    }

    /// Reports what stands between `start` and `end`.
    pub(super) fn region(&mut self, start: u64, end: u64, next: Option<&Frame>) -> Result<(), Halt> {
        let due = self.due();
        let mut damage = self.what_stands(start, end, next.is_none(), due)?;
        // A preamble whose magic rotted: what follows at once is an encrypted record.
        let size = preamble::BYTES as u64;
        if start == 0 && end == size && next.is_some_and(|frame| frame.header.encrypted()) {
            damage.kind = DamageKind::BadHeader;
            damage.expected = "the preamble of an encrypted segment".into();
            damage.lsn = None;
        } else if self.own.first.is_none() {
            self.own.clean_start = false;
        }
        if start == 0
            && self.opener.is_none()
            && let Some(bytes) = self.reader.cursor.array(0)
        {
            self.opener = self.opener_for(&Preamble(bytes));
        }
        if start == 0 && next.is_none() && end < size && preamble_begun(self.reader.cursor.bytes(0, 16)) {
            damage.kind = DamageKind::UnfinishedSegment;
            damage.found = format!("{end} of the {size} bytes of a preamble");
        }
        match next {
            Some(frame) => {
                damage.doubt = frame.header.lsn.before().and_then(|last| LsnRange::new(due, last));
                damage.facts.proof = Some(proof(frame));
                self.notes.region(&damage, frame, self.own.layout);
            }
            None => {
                // A version that no record of the segment shares and that is not the doing of a flipped bit.
                if self.summary.frames == 0
                    && let Some(version) = self.foreign_version(start, &damage)
                {
                    return Err(self.unknown(start + 4, &format!("nodedb record version {version}")));
                }
                if matches!(damage.kind, DamageKind::BadChecksum | DamageKind::CutShort) {
                    damage.doubt = LsnRange::new(due, due);
                }
                self.notes.tail(&damage, self.highest);
                self.summary.ending = Ending::Damage;
                self.summary.blank &= damage.kind == DamageKind::Zeroed || damage.kind == DamageKind::UnfinishedSegment;
            }
        }
        self.back = false;
        self.explained = true;
        self.hurt(damage.clone())?;
        // At the end of the log nodedb itself puts them back, and so does repair: until then they are no part of it.
        let inside = next.is_some() || self.visit.segment.followed || self.visit.want.salvage;
        if inside && !self.visit.want.frames { self.copies(&damage, next) } else { Ok(()) }
    }

    /// Delivers the copies of what a bad region lacks: records that are whole, if not where they should be.
    pub(super) fn copies(&mut self, damage: &Damage, next: Option<&Frame>) -> Result<(), Halt> {
        let Some((mut reader, copies)) = dwb::copies_of(self.visit.source, self.visit.segment, damage)? else { return Ok(()) };
        let later = self.visit.source.segments.get(self.visit.segment.id.index() + 1);
        let bound = next.map(|frame| frame.header.lsn).or(later.map(|later| Lsn(later.sequence)));
        let name = dwb::name_of(self.visit.segment).unwrap_or_default();
        std::mem::swap(&mut self.reader, &mut reader);
        let mut done = Ok(());
        for (offset, frame) in copies.iter().take_while(|(_, frame)| bound.is_none_or(|bound| frame.header.lsn < bound)) {
            self.copy = Some((*offset, name.clone()));
            let lsn = frame.header.lsn;
            self.highest = Some(lsn);
            self.summary.saw(lsn, lsn);
            self.summary.blank = false;
            done = self.deliver(frame, false);
            if done.is_err() {
                break;
            }
        }
        self.copy = None;
        std::mem::swap(&mut self.reader, &mut reader);
        done
    }

    pub(super) fn foreign_version(&mut self, at: u64, damage: &Damage) -> Option<u16> {
        let header = Header::read(self.reader.cursor.bytes(at, Layout::Long.size()), Layout::Short)?;
        (header.magic == MAGIC && header.version != 1 && damage.kind == DamageKind::NotAFrame).then_some(header.version)
    }
}
