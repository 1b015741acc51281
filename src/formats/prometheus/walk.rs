//! Walking one segment: frames become records, and what stands where a frame was due is looked into.

use super::super::again::Rereads;
use super::super::zstandard::Unpacker;
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::frame::{OnPage, Packed, PageFrame, PageSearch, PieceOf, left_on_page, stands};
use super::log::Own;
use crate::disk::Cursor;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, Proof, Span, Warning};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;
/// Records longer than this are not held in memory.
pub(super) const HELD: usize = 8 << 20;

pub(super) const WRITTEN_AFTER: Proof = Proof::Told { by: "a whole frame", words: "stands behind it and was written after it" };

/// A record whose first piece was seen and whose last one was not.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenRecord {
    pub(super) start: u64,
    /// The end of its last piece so far.
    pub(super) end: u64,
    pub(super) bytes: u64,
    pub(super) pieces: u64,
    pub(super) packed: Packed,
}

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) cursor: Cursor,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) at: u64,
    pub(super) begun: Option<OpenRecord>,
    /// The beginning of the record that is being put together, as it is stored.
    pub(super) joined: Vec<u8>,
    pub(super) rereads: Rereads,
    pub(super) search: PageSearch,
    pub(super) unpacker: Unpacker,
    /// Zeros that began before their page ended, from where: nothing but the end may follow.
    left_early: Option<u64>,
    /// Names of warnings that were given: one of each is enough.
    told: Vec<&'static str>,
}

pub(super) fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        cursor,
        own: Own::default(),
        at: visit.want.start.map_or(0, |mark| mark.offset),
        begun: None,
        joined: Vec::new(),
        rereads: Rereads::default(),
        search: PageSearch::default(),
        unpacker: Unpacker::default(),
        left_early: None,
        told: Vec::new(),
    };
    state.run()?;
    let Walker { mut summary, cursor, own, .. } = state;
    summary.length = cursor.length();
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match stands(&mut self.cursor, self.at) {
                OnPage::Frame(frame) => self.frame(frame)?,
                OnPage::Padding(next) => {
                    if left_on_page(self.at) >= super::frame::FRAME_HEADER {
                        self.left_early.get_or_insert(self.at);
                    }
                    self.at = next;
                }
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                _ if self.cursor.unmap_if_faulty() => self.search.forget(),
                OnPage::FileEnds if self.ends(Ending::FileEnds)? => return Ok(()),
                OnPage::Zeros if self.ends(Ending::Zeros)? => return Ok(()),
                OnPage::FileEnds | OnPage::Zeros => {}
                OnPage::ZeroKind | OnPage::Bad => {
                    if !self.stop()? {
                        return Ok(());
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE && self.begun.is_none() {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(0), seed: 0 })?;
            }
        }
    }

    /// Nothing more stands in the file. False when a record is unfinished and somebody is just writing on.
    fn ends(&mut self, ending: Ending) -> Result<bool, Halt> {
        (self.summary.end, self.summary.ending) = (self.left_early.unwrap_or(self.at), ending);
        let Some(begun) = self.begun else { return Ok(true) };
        let stop = self.rereads.stop(&mut self.cursor, self.at);
        if self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)? {
            self.search.forget();
            return Ok(false);
        }
        self.unfinished(begun, None, "the end of the data")?;
        Ok(true)
    }

    /// A whole frame.
    fn frame(&mut self, frame: PageFrame) -> Result<(), Halt> {
        self.summary.blank = false;
        self.summary.frames += 1;
        if let Some(from) = self.left_early.take() {
            self.said_early(from, frame.at);
        }
        match (frame.piece, self.begun) {
            (PieceOf::Whole | PieceOf::First, _) => {
                if let Some(begun) = self.begun.take() {
                    self.unfinished(begun, Some(WRITTEN_AFTER), "another record")?;
                }
                self.joined.clear();
                self.begun = Some(OpenRecord { start: frame.at, end: frame.at, bytes: 0, pieces: 0, packed: frame.packed });
            }
            (PieceOf::Middle | PieceOf::Last, None) => return self.orphans(frame),
            // Pieces of one record are stored alike.
            (PieceOf::Middle | PieceOf::Last, Some(begun)) if begun.packed != frame.packed => {
                self.unfinished(begun, Some(WRITTEN_AFTER), "a piece of another record")?;
                return self.orphans(frame);
            }
            (PieceOf::Middle | PieceOf::Last, Some(_)) => {}
        }
        self.add(&frame);
        self.at = frame.end();
        if matches!(frame.piece, PieceOf::Whole | PieceOf::Last)
            && let Some(begun) = self.begun.take()
        {
            self.record(begun)?;
        }
        Ok(())
    }

    fn add(&mut self, frame: &PageFrame) {
        let Some(begun) = &mut self.begun else { return };
        (begun.end, begun.pieces) = (frame.end(), begun.pieces + 1);
        begun.bytes += u64::from(frame.length);
        // What is longer than that is read again from its pieces.
        if self.joined.len() <= HELD {
            self.joined.extend_from_slice(self.cursor.bytes(frame.fragment(), usize::from(frame.length)));
        }
    }

    /// The pieces of a record that lacks its end.
    pub(super) fn unfinished(&mut self, begun: OpenRecord, proof: Option<Proof>, instead: &str) -> Result<(), Halt> {
        self.begun = None;
        let pieces = if begun.pieces == 1 { "one piece".to_owned() } else { format!("{} pieces", begun.pieces) };
        let found = format!("{pieces} of a record, and {instead} where the next one was due");
        let mut damage = self.bad(DamageKind::BrokenRecord, begun.start, begun.end, found);
        damage.facts = Facts { proof, ..Facts::of(Look::Interrupted) };
        if proof.is_none() {
            (self.summary.end, self.summary.ending) = (begun.start, Ending::Damage);
        }
        self.hurt(damage)
    }

    /// Pieces whose record has no beginning here: they were written after it, so it had been there.
    fn orphans(&mut self, frame: PageFrame) -> Result<(), Halt> {
        let end = self.behind_pieces(frame);
        let found = "a piece of a record whose beginning is not there".to_owned();
        let mut damage = self.bad(DamageKind::BrokenRecord, frame.at, end, found);
        damage.facts.proof = Some(Proof::Told { by: "the piece", words: "was written after the beginning of its record" });
        self.at = end;
        self.hurt(damage)
    }

    /// Where the pieces end that belong to the same record as `frame` and follow it.
    pub(super) fn behind_pieces(&mut self, frame: PageFrame) -> u64 {
        let (mut end, mut last) = (frame.end(), frame.piece == PieceOf::Last);
        while !last {
            let at = match stands(&mut self.cursor, end) {
                OnPage::Padding(next) if left_on_page(end) < super::frame::FRAME_HEADER => next,
                _ => end,
            };
            match stands(&mut self.cursor, at) {
                OnPage::Frame(next) if matches!(next.piece, PieceOf::Middle | PieceOf::Last) => {
                    end = next.end();
                    last = next.piece == PieceOf::Last;
                }
                _ => break,
            }
        }
        end
    }

    /// Frames behind zeros that fill a page from its middle on.
    fn said_early(&mut self, from: u64, next: u64) {
        let text = format!(
            "zeros from {from} to {next}, and a frame behind them: Prometheus fills its pages, so something may have been zeroed there, and its own \
             reader does not notice"
        );
        let span = Span::new(self.visit.segment.id, from, next);
        self.warn_once("page-left-early", span, text);
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: None,
            doubt: None,
            expected: "a record".to_owned(),
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.own.first_bad.get_or_insert(damage.span.start());
        self.summary.hurt(damage, self.sink)
    }

    pub(super) fn warn_once(&mut self, name: &'static str, span: Span, text: String) {
        if !self.told.contains(&name) {
            self.told.push(name);
            self.summary.warnings.push(Warning { name, span, text });
        }
    }
}
