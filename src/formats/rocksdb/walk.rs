//! Walking one log or MANIFEST: frames become records, and what stands where a frame was due is looked into.

use super::super::again::Rereads;
use super::super::blocks::{Frame, FrameSearch, Part, Pending, Stands, left_in_block, stands};
use super::super::zstandard::Unpacker;
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::batch::{Predecessor, looks_like_edit};
use super::frame::{NO_ROOM, types};
use super::log;
use crate::disk::Cursor;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, Proof, Span, Warning};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;
/// Payloads longer than this are not held in memory.
pub(super) const HELD: usize = 8 << 20;

/// What the join needs to know of a file besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// Frames bear the log's number: the file may have had an older life.
    pub recycled: bool,
    /// It is a MANIFEST, and no log.
    pub manifest: bool,
    /// What it says about the log before it, and where.
    pub predecessor: Option<(u64, Predecessor)>,
    /// How often sequence numbers are skipped between two records of this file, where nothing can be missing.
    pub skips: u64,
}

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) cursor: Cursor,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) at: u64,
    /// The low half of the log's number, from its name or else from its first frame that has one.
    pub(super) number: Option<u32>,
    /// Frames without a number were seen.
    pub(super) classic: bool,
    /// By which method records are compressed.
    pub(super) compression: u32,
    /// The sequence number of the next batch; `None` before the first one.
    pub(super) due: Option<u64>,
    pub(super) pending: Option<Pending>,
    /// The beginning of the payload that is being put together.
    pub(super) joined: Vec<u8>,
    pub(super) rereads: Rereads,
    pub(super) search: FrameSearch,
    pub(super) unpacker: Unpacker,
    /// Names of warnings that were given: one of each is enough.
    told: Vec<&'static str>,
}

pub(super) fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    // A log that others follow is renamed and written over when it is recycled.
    let cursor = visit.source.cursor_never_finished(visit.segment)?;
    let name = log::name_of(&visit.segment.name);
    let number = match name {
        Some(log::FileName::Log(number)) => Some(number as u32),
        _ => None,
    };
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        cursor,
        own: Own { manifest: matches!(name, Some(log::FileName::Manifest(_))), ..Own::default() },
        at: 0,
        number,
        classic: false,
        compression: 0,
        due: None,
        pending: None,
        joined: Vec::new(),
        rereads: Rereads::default(),
        search: FrameSearch::of(types),
        unpacker: Unpacker::default(),
        told: Vec::new(),
    };
    state.look_at_start();
    if let Some(mark) = visit.want.start {
        (state.at, state.due) = (mark.offset, Some(mark.due.0).filter(|due| *due > 0));
    }
    state.run()?;
    let Walker { mut summary, cursor, own, due, .. } = state;
    summary.length = cursor.length();
    summary.due = due.map(Lsn);
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    /// The first frame says whether the file is a MANIFEST, whether records are compressed, and whether frames bear numbers.
    fn look_at_start(&mut self) {
        let Stands::Frame(first) = stands(types, &mut self.cursor, 0, 0) else { return };
        if self.visit.want.start.is_some() {
            if first.part == Part::Compression {
                self.compression(first);
            }
            self.own.recycled = first.number.is_some();
        }
        if log::name_of(&self.visit.segment.name).is_none() && matches!(first.part, Part::Whole | Part::First) {
            let payload = self.cursor.bytes(first.payload(), usize::from(first.length));
            self.own.manifest = looks_like_edit(payload);
        }
    }

    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match self.stands(self.at) {
                Stands::Frame(frame) if self.belongs(&frame) => self.frame(frame)?,
                Stands::Trailer(next) => self.at = next,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                _ if self.cursor.unmap_if_faulty() => self.search.forget(),
                Stands::FileEnds if self.ends(Ending::FileEnds)? => return Ok(()),
                Stands::Zeros if self.ends(Ending::Zeros)? => return Ok(()),
                Stands::FileEnds | Stands::Zeros => {}
                Stands::Frame(_) | Stands::ZeroHeader | Stands::Bad => {
                    if !self.stop()? {
                        return Ok(());
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE && self.pending.is_none() {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(self.due.unwrap_or(0)), seed: 0 })?;
            }
        }
    }

    /// Whether a whole frame is of this log, and not of an older life of its file.
    pub(super) fn belongs(&self, frame: &Frame) -> bool {
        let data = matches!(frame.part, Part::Whole | Part::First | Part::Middle | Part::Last);
        match frame.number {
            Some(number) => !self.classic && self.number.is_none_or(|own| own == number),
            None => !(self.own.recycled && data),
        }
    }

    /// Nothing more stands in the file. False when a record is unfinished and somebody is just writing on.
    fn ends(&mut self, ending: Ending) -> Result<bool, Halt> {
        (self.summary.end, self.summary.ending) = (self.at, ending);
        let Some(pending) = self.pending else { return Ok(true) };
        let stop = self.rereads.stop(&mut self.cursor, self.at);
        if self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)? {
            self.search.forget();
            return Ok(false);
        }
        self.unfinished(pending, None, "the end of the data")?;
        Ok(true)
    }

    /// A whole frame of this log.
    fn frame(&mut self, frame: Frame) -> Result<(), Halt> {
        self.summary.blank = false;
        self.summary.frames += 1;
        if let Some(number) = frame.number {
            self.number.get_or_insert(number);
            self.own.recycled = true;
        } else {
            self.classic |= matches!(frame.part, Part::Whole | Part::First | Part::Middle | Part::Last);
        }
        match frame.part {
            Part::Whole | Part::First => {
                self.interrupt()?;
                self.joined.clear();
                self.pending = Some(Pending::begun(&frame));
            }
            Part::Middle | Part::Last if self.pending.is_none() => return self.orphans(frame),
            Part::Middle | Part::Last => {}
            Part::Compression | Part::Timestamps | Part::Predecessor | Part::Unknown => {
                self.interrupt()?;
                return self.aside(frame);
            }
        }
        self.add(&frame);
        self.at = frame.end();
        if matches!(frame.part, Part::Whole | Part::Last)
            && let Some(pending) = self.pending.take()
        {
            self.record(pending)?;
        }
        Ok(())
    }

    fn add(&mut self, frame: &Frame) {
        let Some(pending) = &mut self.pending else { return };
        pending.add(frame);
        // What is longer than that is read again from its pieces.
        if self.joined.len() <= HELD {
            self.joined.extend_from_slice(self.cursor.bytes(frame.payload(), usize::from(frame.length)));
        }
    }

    /// What stands at an offset. Behind damage sums are taken in a way that hostile claims cannot make dear.
    pub(super) fn stands(&mut self, at: u64) -> Stands {
        let room = if self.own.recycled { NO_ROOM } else { 0 };
        match self.summary.damage.is_empty() {
            true => stands(types, &mut self.cursor, at, room),
            false => self.search.stands(&mut self.cursor, at, room),
        }
    }

    /// A record begins, or another thing that stands between records: one that is under way will never be finished.
    fn interrupt(&mut self) -> Result<(), Halt> {
        match self.pending.take() {
            // LevelDB writes an empty first piece where exactly a header fits at the end of a block, and old versions forgot it.
            Some(pending) if pending.bytes > 0 => {
                let proof = Proof::Told { by: "a whole frame", words: "stands behind it and was written after it" };
                self.unfinished(pending, Some(proof), "another record")
            }
            _ => Ok(()),
        }
    }

    /// The pieces of a record that lacks its end.
    pub(super) fn unfinished(&mut self, pending: Pending, proof: Option<Proof>, instead: &str) -> Result<(), Halt> {
        self.pending = None;
        let pieces = if pending.pieces == 1 { "one piece".to_owned() } else { format!("{} pieces", pending.pieces) };
        let found = format!("{pieces} of a record, and {instead} where the next one was due");
        let mut damage = self.bad(DamageKind::BrokenRecord, pending.start, pending.end, found);
        damage.facts = Facts { proof, ..Facts::of(Look::Interrupted) };
        if proof.is_none() {
            (self.summary.end, self.summary.ending) = (pending.start, Ending::Damage);
        }
        self.hurt(damage)
    }

    /// Pieces whose record has no beginning here: they were written after it, so it had been there.
    fn orphans(&mut self, frame: Frame) -> Result<(), Halt> {
        let end = self.behind_pieces(frame);
        let found = "a piece of a record whose beginning is not there".to_owned();
        let mut damage = self.bad(DamageKind::BrokenRecord, frame.at, end, found);
        damage.facts.proof = Some(Proof::Told { by: "the piece", words: "was written after the beginning of its record" });
        self.at = end;
        self.hurt(damage)
    }

    /// Where the pieces end that belong to the same record as `frame` and follow it.
    pub(super) fn behind_pieces(&mut self, frame: Frame) -> u64 {
        let mut end = frame.end();
        let mut last = frame.part == Part::Last;
        while !last {
            let at = if left_in_block(end) < frame.header() { end + left_in_block(end) as u64 } else { end };
            match self.stands(at) {
                Stands::Frame(next) if matches!(next.part, Part::Middle | Part::Last) && self.belongs(&next) => {
                    end = next.end();
                    last = next.part == Part::Last;
                }
                _ => break,
            }
        }
        end
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: self.due.map(Lsn),
            doubt: None,
            expected: self.due.map_or_else(|| "a record".to_owned(), |due| format!("a record, sequence {due}")),
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.summary.hurt(damage, self.sink)
    }

    pub(super) fn warn_once(&mut self, name: &'static str, text: String) {
        if !self.told.contains(&name) {
            self.told.push(name);
            let span = Span::new(self.visit.segment.id, self.at, self.at);
            self.summary.warnings.push(Warning { name, span, text });
        }
    }
}
