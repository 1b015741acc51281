//! Walking one of our own segments: frame by frame to the end, across whatever is damaged.

mod stops;

use super::assemble::{Dress, Unit, Unopened, deliver_record, deliver_unit};
use super::beside::{Beside, deliver_control, known_hole};
use super::classify::padding;
use super::found;
use super::header::{Begin, Begun, begin};
use super::join::Joint;
use super::proofs::Wounds;
use crate::formats::{Ending, Halt, Mark, Sink, Summary, Visit, Walk, Want};
use crate::model::{DamageKind, Error, Field, Look, Lsn, LsnRange, Proof, Span, Value};
use crate::native::{
    Check, ENCRYPTED, FRAME_HEADER, FrameHeader, FrameKind, FrameReader, HEADER_BYTES, MORE, Opened, Opener, Seal, digest, open,
    plain_length,
};

/// How often the walk says how far it has come.
const REPORT: u64 = 1 << 20;
/// Bad bytes are read a second time up to this often: in a segment that may be growing they may be a write under way, and those are
/// few. More of them are damage, and reading each again costs what surrounds it.
const REREADS: u32 = 1000;
/// A tail that never stands still is judged as it is in the end.
const MOVES: u32 = 100_000;
/// A tail under a live writer is looked at this often, each time after a longer pause: 2 s in all.
const LIVE_WAITS: u32 = 10;

/// Walks a segment.
pub fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    // What is only counted need not be delivered.
    let want = Want { counts_only: visit.want.counts_only || visit.want.tally, ..visit.want };
    let visit = &Visit { want, ..*visit };
    let begun = match begin(visit)? {
        Begin::Frames(begun) => begun,
        Begin::Nothing(nothing) => {
            let (mut summary, joint, damage) = *nothing;
            sink.damage(&damage)?;
            summary.due = damage.lsn;
            summary.ending = Ending::Damage;
            summary.damage.push(damage);
            summary.own = Some(Box::new(joint));
            return Ok(summary);
        }
    };
    let mut walker = Walker::new(visit, *begun, sink)?;
    walker.seek();
    let ending = walker.frames(sink)?;
    Ok(walker.finish(ending))
}

struct Walker<'v> {
    visit: &'v Visit<'v>,
    reader: FrameReader,
    summary: Summary,
    joint: Joint,
    seal: Option<Seal>,
    opener: Opener,
    /// Each payload is encrypted: one that is not was put there by another program.
    encrypted: bool,
    offset: u64,
    due: Lsn,
    /// A batch or a record in fragments that is under way.
    unit: Option<Unit>,
    /// One was under way at the end and is left to the next walk.
    left_out: bool,
    /// After damage inside a batch: the frames that still belong to it are not given out. What the damage looked like.
    broken_batch: Option<Look>,
    /// What the last damage looked like, for fragments that are orphaned by it.
    last_look: Look,
    wounds: Wounds,
    digest: u64,
    data_frames: u64,
    last_kind: Option<FrameKind>,
    /// Where the bytes were read a second time before they were called damaged.
    reread: Option<u64>,
    rereads: u32,
    waits: u32,
    moves: u32,
    reported: u64,
    marked: Option<u64>,
    /// Fewer frames were seen than there are, on purpose.
    partial: bool,
    /// The frame before told of the record in the next one.
    beside: Option<Beside>,
    plain: Vec<u8>,
}

impl<'v> Walker<'v> {
    fn new(visit: &'v Visit<'v>, begun: Begun, sink: &mut Sink<'_>) -> Result<Walker<'v>, Halt> {
        let Begun { reader, mut summary, joint, seal, first, opener, encrypted, damage } = begun;
        summary.valid_bytes = if damage.is_some() { 0 } else { HEADER_BYTES };
        summary.end = HEADER_BYTES;
        if visit.want.tally || visit.want.deep {
            summary.tally = Some(Box::default());
        }
        let mut walker = Walker {
            visit,
            reader,
            summary,
            joint,
            seal,
            opener,
            encrypted,
            offset: HEADER_BYTES,
            due: first,
            unit: None,
            left_out: false,
            broken_batch: None,
            last_look: Look::Wrong,
            wounds: Wounds::default(),
            digest: 0,
            data_frames: 0,
            last_kind: None,
            reread: None,
            rereads: 0,
            waits: 0,
            moves: 0,
            reported: 0,
            marked: None,
            partial: false,
            beside: None,
            plain: Vec::new(),
        };
        if let Some(damage) = damage {
            walker.hurt(damage, sink)?;
        }
        Ok(walker)
    }

    /// Goes to where the wanted records can begin, as far as an index or the caller tells.
    fn seek(&mut self) {
        let want = &self.visit.want;
        if let Some(mark) = want.start {
            (self.offset, self.due, self.partial) = (mark.offset, mark.due, true);
            // Nothing may be new there.
            self.summary.end = mark.offset;
            return;
        }
        let Some(tally) = self.seal.as_ref().and_then(|s| s.tally.as_ref()) else { return };
        let by_lsn = want.lsns.map(|range| tally.index.partition_point(|e| e.lsn <= range.first.0));
        let by_time = want.since.map(|since| tally.index.partition_point(|e| e.max_time < since.0));
        // The entry before the first one that is too late; of two conditions the one that skips more.
        let index = by_lsn.max(by_time).and_then(|point| point.checked_sub(1));
        if let Some(entry) = index.and_then(|i| tally.index.get(i)).filter(|e| e.offset > HEADER_BYTES) {
            (self.offset, self.due, self.partial) = (entry.offset, Lsn(entry.lsn), true);
        }
    }

    fn frames(&mut self, sink: &mut Sink<'_>) -> Result<Ending, Halt> {
        loop {
            match self.reader.check(self.offset) {
                Check::Good(header) => {
                    if self.stops_before(&header) {
                        return Ok(Ending::FileEnds);
                    }
                    self.accept(&header, sink)?;
                }
                check => {
                    if self.reader.cursor.unmap_if_faulty() {
                        continue;
                    }
                    // A segment that may still be written was perhaps read while it changed: look once more with fresh eyes.
                    if !self.finished() && !self.glances() && self.reread != Some(self.offset) && self.rereads < REREADS {
                        self.reread = Some(self.offset);
                        self.rereads += 1;
                        self.reader.refresh(self.visit.want.live)?;
                        continue;
                    }
                    let ends = self.data_ends(check);
                    if self.glances() && self.wounds.is_empty() && (ends.is_none() || self.unit.is_some()) {
                        return Ok(self.unfinished_write(self.offset, self.offset));
                    }
                    if let Some(ending) = ends {
                        if self.unit.is_some() && self.tail_moves()? {
                            continue;
                        }
                        self.end_unit(Look::Interrupted, sink)?;
                        return Ok(ending);
                    }
                    if let Some(ending) = self.bad(check, sink)? {
                        return Ok(ending);
                    }
                }
            }
        }
    }

    /// This segment is not written to any more.
    fn finished(&self) -> bool {
        self.visit.segment.followed || self.seal.is_some()
    }

    /// A short look beside a writer, soon to be followed by another: what is not whole is left to that one.
    pub(super) fn glances(&self) -> bool {
        self.visit.want.zeros_seen && self.visit.want.live && !self.finished()
    }

    /// Whether everything from this frame on lies after what is wanted.
    fn stops_before(&mut self, header: &FrameHeader) -> bool {
        let behind = self.visit.want.lsns.is_some_and(|range| header.lsn > range.last) && self.unit.is_none();
        self.partial |= behind;
        behind
    }

    #[inline(always)]
    fn accept(&mut self, header: &FrameHeader, sink: &mut Sink<'_>) -> Result<(), Halt> {
        let Some(kind) = FrameKind::from_byte(header.kind).filter(|_| header.unknown().is_none()) else {
            let what = header.unknown().unwrap_or_default();
            return Err(Error::Unknown { path: self.visit.segment.path.clone(), offset: self.offset, what }.into());
        };
        if kind == FrameKind::Hole {
            self.hole(header, sink)?;
        }
        // The last number there is follows itself in arithmetic: given twice, it is no less a repetition.
        if header.lsn != self.due || (header.lsn > Lsn::LAST && kind.is_data() && self.summary.has(header.lsn)) {
            self.lsn_differs(header, sink)?;
        }
        if self.wounds.wait() {
            self.wounds.prove(header, kind.is_data());
        }
        let (offset, span) = (self.offset, header.span());
        if !header.length.is_multiple_of(8) {
            let warning = padding(&mut self.reader, self.visit.segment.id, self.offset, header);
            warning.into_iter().for_each(|warning| self.summary.warnings.push(warning));
        }
        let meant = self.visit.want.is_of_use(header.lsn, header.time);
        if let Some(tally) = self.summary.tally.as_mut().filter(|_| meant) {
            let plain = plain_length(&mut self.reader.cursor, header, offset);
            tally.observe(header, offset, plain);
        }
        if kind.is_data() {
            self.data(header, kind, sink)?;
        } else {
            self.control(header, kind, sink)?;
        }
        self.digest = digest(self.digest, header.sum);
        self.joint.last_sum = Some(header.sum);
        self.last_kind = Some(kind);
        self.summary.frames += 1;
        self.summary.valid_bytes += span;
        self.offset = offset + span;
        self.summary.end = self.offset;
        if self.offset - self.reported >= REPORT {
            self.reported = self.offset;
            sink.reached(self.offset)?;
        }
        Ok(())
    }

    fn data(&mut self, header: &FrameHeader, kind: FrameKind, sink: &mut Sink<'_>) -> Result<(), Halt> {
        let offset = self.offset;
        let beside = self.beside.take().filter(|beside| beside.tells_of(header));
        let start = beside.map_or(offset, |beside| beside.offset);
        self.data_frames += 1;
        self.joint.named_chain = None;
        self.summary.blank = false;
        self.summary.saw(header.lsn, header.lsn);
        self.due = header.lsn.next();
        let want = &self.visit.want;
        if self.encrypted != (header.flags & ENCRYPTED != 0) {
            let withheld = self.flag_differs(header, sink)?;
            if withheld {
                return if want.frames && !want.counts_only { self.deliver_frame(header, kind, sink) } else { Ok(()) };
            }
        }
        if want.deep {
            self.check_payload(header, sink)?;
        }
        if want.frames && !want.counts_only {
            self.deliver_frame(header, kind, sink)?;
        }
        let more = header.flags & MORE != 0;
        if self.unit.as_ref().is_some_and(|unit| !unit.continues_with(kind)) {
            self.end_unit(Look::Wrong, sink)?;
        }
        if let Some(unit) = &mut self.unit {
            if unit.add(header, kind) {
                let unit = self.unit.take().expect("it was just there");
                self.complete(unit, offset + header.span(), sink)?;
            }
            return Ok(());
        }
        if matches!(kind, FrameKind::Middle | FrameKind::Last) {
            return self.orphan(header, sink);
        }
        if let Some(look) = self.broken_batch {
            // A frame of a later group cannot belong to the batch that was hurt.
            let same_batch = !self.wounds.last().and_then(|d| d.lsn).is_some_and(|lsn| header.proves_synced(lsn));
            if same_batch {
                self.broken_batch = more.then_some(look);
                let damage = found::withheld(self.visit.segment.id, self.offset, DamageKind::BrokenBatch, header, look);
                return self.hurt(damage, sink);
            }
            self.broken_batch = None;
        }
        if want.marks && self.marked.is_none_or(|last| start - last >= REPORT) {
            self.marked = Some(start);
            sink.mark(Mark { offset: start, due: header.lsn, seed: 0 })?;
        }
        if kind == FrameKind::First || more {
            self.unit = Some(Unit::begin(start, header, kind));
            return Ok(());
        }
        self.summary.records += 1;
        if self.delivers(header) {
            let facts = beside.and_then(|beside| beside.read(&mut self.reader, &self.opener));
            let dress = Dress { fields: &[], facts: facts.as_ref(), batch: None };
            let opened =
                deliver_record(&mut self.reader, self.visit, offset, header, kind, &self.opener, &mut self.plain, dress, sink)?;
            self.payload_bad(opened, offset, header, sink)?;
        }
        Ok(())
    }

    /// The frame is encrypted and the segment is not, or the other way round. True if the frame is not to be handed out as a record.
    #[cold]
    fn flag_differs(&mut self, header: &FrameHeader, sink: &mut Sink<'_>) -> Result<bool, Halt> {
        if header.flags & ENCRYPTED != 0 {
            // Without the flag in the header, plain frames could be put between these.
            self.encrypted = true;
            let damage = found::unflagged(self.visit.segment.id, self.summary.begins, header);
            // A header that is lost says nothing, and was already told.
            if self.joint.header.is_some() {
                self.hurt(damage, sink)?;
            }
            return Ok(false);
        }
        self.end_unit(Look::Altered, sink)?;
        self.last_look = Look::Altered;
        // Neighbours are one piece of damage.
        if let Some(last) = self.wounds.last_mut()
            && last.kind == DamageKind::PlaintextFrame
            && last.span.end() == self.offset
        {
            last.span.length += header.span();
            last.doubt = last.doubt.map(|doubt| LsnRange { last: header.lsn, ..doubt });
            last.found = format!("{} frames that are not encrypted", last.doubt.map_or(1, |doubt| doubt.count()));
            return Ok(true);
        }
        let damage = found::plaintext(self.visit.segment.id, self.offset, header);
        self.hurt(damage, sink)?;
        Ok(true)
    }

    /// Whether a record with this last frame is to be handed out.
    fn delivers(&self, header: &FrameHeader) -> bool {
        let want = &self.visit.want;
        !want.counts_only
            && !want.frames
            && want.lsns.is_none_or(|range| header.lsn >= range.first)
            && want.since.is_none_or(|since| header.time >= since || self.unit.is_some())
    }

    fn complete(&mut self, unit: Unit, end: u64, sink: &mut Sink<'_>) -> Result<(), Halt> {
        self.summary.records += unit.records;
        if self.visit.want.counts_only || self.visit.want.frames {
            return Ok(());
        }
        let bad = deliver_unit(&mut self.reader, self.visit, &unit, end, &self.opener, &mut self.plain, sink)?;
        for (offset, header, unopened) in bad {
            self.payload_bad(Some(unopened), offset, &header, sink)?;
        }
        Ok(())
    }

    fn control(&mut self, header: &FrameHeader, kind: FrameKind, sink: &mut Sink<'_>) -> Result<(), Halt> {
        if matches!(kind, FrameKind::Close | FrameKind::Seal) {
            self.end_unit(Look::Wrong, sink)?;
            self.wounds.prove_all(if kind == FrameKind::Close { Proof::Close } else { Proof::Seal });
        }
        if kind == FrameKind::Seal {
            self.check_seal(sink)?;
        }
        let open =
            kind == FrameKind::Facts && self.encrypted && header.flags & ENCRYPTED == 0 && self.flag_differs(header, sink)?;
        self.beside = (kind == FrameKind::Facts && !open).then_some(Beside { offset: self.offset, header: *header });
        if self.visit.want.frames && !self.visit.want.counts_only {
            self.deliver_frame(header, kind, sink)?;
        }
        Ok(())
    }

    /// A hole that begins where the log stands is known: nothing is missing there that was not told before.
    fn hole(&mut self, header: &FrameHeader, sink: &mut Sink<'_>) -> Result<(), Halt> {
        let Some(hole) = known_hole(&mut self.reader, self.visit, self.offset, header, self.due)? else { return Ok(()) };
        self.end_unit(Look::Wrong, sink)?;
        self.broken_batch = None;
        self.due = header.lsn;
        self.joint.named_chain = hole.hole.chain;
        self.summary.holes.push(hole);
        Ok(())
    }

    fn check_payload(&mut self, header: &FrameHeader, sink: &mut Sink<'_>) -> Result<(), Halt> {
        if header.flags & !MORE == 0 {
            return Ok(());
        }
        let at = self.offset + FRAME_HEADER as u64;
        let stored = self.reader.cursor.bytes(at, header.length as usize);
        let unopened = match open(header, self.offset, stored, &self.opener, &mut self.plain) {
            Opened::Plain => None,
            Opened::Locked => {
                self.summary.locked += 1;
                None
            }
            Opened::Altered => Some(Unopened::altered()),
            Opened::Bad(why) => Some(Unopened::bad(why)),
        };
        self.payload_bad(unopened, self.offset, header, sink)
    }

    fn payload_bad(
        &mut self,
        unopened: Option<Unopened>,
        offset: u64,
        header: &FrameHeader,
        sink: &mut Sink<'_>,
    ) -> Result<(), Halt> {
        let Some(unopened) = unopened else { return Ok(()) };
        self.hurt(found::bad_payload(self.visit.segment.id, offset, header, unopened), sink)
    }

    /// Delivers a frame as it lies there.
    fn deliver_frame(&mut self, header: &FrameHeader, kind: FrameKind, sink: &mut Sink<'_>) -> Result<(), Halt> {
        let offset = self.offset;
        let fields = [
            Field { name: "unsynced", value: Value::Number(u64::from(header.unsynced)) },
            Field { name: "flags", value: Value::Number(u64::from(header.flags)) },
            Field { name: "stored", value: Value::Number(u64::from(header.length)) },
            Field { name: "sum", value: Value::Bytes(&header.sum.to_be_bytes()) },
        ];
        if kind.is_data() {
            let dress = Dress { fields: &fields, facts: None, batch: None };
            deliver_record(&mut self.reader, self.visit, offset, header, kind, &self.opener, &mut self.plain, dress, sink)?;
            return Ok(());
        }
        let span = Span::new(self.visit.segment.id, offset, offset + header.span());
        deliver_control(&mut self.reader, span, header, kind, &fields, sink)
    }

    fn finish(mut self, ending: Ending) -> Summary {
        // Pages that turned into zeros after they had been checked: what was handed out then may be wrong.
        if self.reader.cursor.is_faulty() && self.reader.cursor.unmap_if_faulty() {
            self.wounds.push(found::shrunk(self.visit.segment.id, self.summary.length, self.summary.begins));
        }
        let mut summary = self.summary;
        summary.damage = self.wounds.into_damage();
        summary.length = match self.reader.cursor.length() {
            u64::MAX => summary.end,
            length => length,
        };
        let settled = self.visit.want.marks
            && !matches!(self.last_kind, Some(FrameKind::Seal | FrameKind::Close))
            && !self.left_out
            && self.unit.is_none()
            && self.broken_batch.is_none()
            && self.beside.is_none()
            && summary.damage.is_empty();
        summary.resume = settled.then_some(Mark { offset: self.offset, due: self.due, seed: 0 });
        summary.ending = ending;
        summary.whole = !self.partial;
        summary.due = summary.whole.then_some(self.due);
        self.joint.sealed = ending == Ending::Sealed || self.seal.is_some();
        if self.partial || ending == Ending::Damage {
            self.joint.last_sum = None;
        }
        if let Some(tally) = &mut summary.tally {
            tally.end_group();
            self.joint.transactions = Some((tally.open.clone(), tally.ended.clone()));
        }
        summary.own = Some(Box::new(self.joint));
        summary
    }
}
