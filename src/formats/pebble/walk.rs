//! Walking one file of a log: chunks become batches, and what stands where a chunk was due is looked into.

use std::sync::Arc;

use super::super::again::Rereads;
use super::super::batch::BatchHead;
use super::super::blocks::{Form, Fragments, Frame, FrameSearch, Part, Pending, Stands, hand_over, left_in_block, stands};
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::frame::{NO_ROOM, closes, types};
use super::log::{self, Own};
use crate::disk::{Cursor, File};
use crate::model::{
    Damage, DamageKind, Error, Facts, Field, Look, Lsn, LsnRange, Payload, Proof, Record, Result, Span, Value, Warning,
};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;
/// Payloads longer than this are not held in memory.
const HELD: usize = 8 << 20;
/// How many earlier files of the same logical log are looked at for batches that stand in both.
const EARLIER: usize = 8;

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) cursor: Cursor,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) at: u64,
    /// The low half of the log's number, from its name or else from its first chunk that has one.
    pub(super) number: Option<u32>,
    /// The form of its chunks, which is one and the same in a log.
    pub(super) form: Option<Form>,
    /// The sequence number of the next batch; `None` before the first one.
    pub(super) due: Option<u64>,
    /// Batches up to this one stand in an earlier file of the same logical log.
    floor: Option<u64>,
    pub(super) pending: Option<Pending>,
    /// The beginning of the payload that is being put together.
    joined: Vec<u8>,
    pub(super) rereads: Rereads,
    pub(super) search: FrameSearch,
    /// The highest promise behind a place: where it stands, and up to where everything had been synced.
    pub(super) promise: Option<(u64, u64)>,
    pub(super) promises_looked_for: u32,
}

pub(super) fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let floor = earlier(visit)?;
    walk_above(visit, floor, sink)
}

/// The last sequence number in earlier files of the same logical log: what stands there is not given again.
fn earlier(visit: &Visit<'_>) -> Result<Option<u64>, Halt> {
    let Some(own) = log::name_of(&visit.segment.name).filter(|name| name.index > 0) else { return Ok(None) };
    let before = visit.source.segments.get(..visit.segment.id.index()).unwrap_or_default();
    let mut last = None;
    for segment in
        before.iter().rev().take_while(|segment| log::name_of(&segment.name).is_some_and(|n| n.log == own.log)).take(EARLIER)
    {
        let want = super::super::Want { counts_only: true, ..Default::default() };
        let visit = Visit { segment, want, ..*visit };
        let summary = walk_above(&visit, None, &mut Sink::new(&mut |_| Ok(())))?;
        last = last.max(summary.own::<Own>().and_then(|own| own.last));
    }
    Ok(last)
}

fn walk_above(visit: &Visit<'_>, floor: Option<u64>, sink: &mut Sink<'_>) -> Walk {
    // Logs that others follow are renamed and written over when they are recycled.
    let cursor = visit.source.cursor_never_finished(visit.segment)?;
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        cursor,
        own: Own::of(visit),
        at: 0,
        number: log::name_of(&visit.segment.name).map(|name| name.log as u32),
        form: None,
        due: None,
        floor,
        pending: None,
        joined: Vec::new(),
        rereads: Rereads::default(),
        search: FrameSearch::of(types),
        promise: None,
        promises_looked_for: 0,
    };
    if let Some(mark) = visit.want.start {
        (state.at, state.due) = (mark.offset, Some(mark.due.0).filter(|due| *due > 0));
        state.form = form_of(mark.seed);
    }
    state.run()?;
    let Walker { mut summary, cursor, own, due, .. } = state;
    summary.length = cursor.length();
    summary.whole = visit.want.start.is_none();
    summary.due = due.map(Lsn);
    summary.own = Some(Box::new(own));
    Ok(summary)
}

/// A form in a mark, and back.
fn seed_of(form: Option<Form>) -> u64 {
    form.map_or(0, |form| form.header() as u64)
}

fn form_of(seed: u64) -> Option<Form> {
    [Form::Classic, Form::Recycled, Form::Sync].into_iter().find(|form| form.header() as u64 == seed)
}

impl Walker<'_, '_> {
    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            if self.pending.is_none() && self.is_closed() {
                (self.summary.end, self.summary.ending, self.summary.blank) = (self.at, Ending::Closed, false);
                self.own.closed = true;
                return Ok(());
            }
            match self.stands(self.at) {
                Stands::Frame(frame) if self.belongs(&frame) => {
                    if !self.chunk(frame)? {
                        return Ok(());
                    }
                }
                Stands::Trailer(next) => self.at = next,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                _ if self.cursor.unmap_if_faulty() => self.search.forget(),
                Stands::FileEnds | Stands::Zeros | Stands::Frame(_) | Stands::ZeroHeader | Stands::Bad => {
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
                self.sink.mark(Mark { offset: marked, due: Lsn(self.due.unwrap_or(0)), seed: seed_of(self.form) })?;
            }
        }
    }

    /// What stands at an offset. Behind damage sums are taken in a way that hostile claims cannot make dear.
    pub(super) fn stands(&mut self, at: u64) -> Stands {
        match self.summary.damage.is_empty() {
            true => stands(types, &mut self.cursor, at, NO_ROOM),
            false => self.search.stands(&mut self.cursor, at, NO_ROOM),
        }
    }

    /// Whether the log was closed here, whatever follows. It is asked before any sum: the sum of a trailer fits nothing.
    fn is_closed(&mut self) -> bool {
        let Some(number) = self.number.filter(|_| self.form != Some(Form::Classic)) else { return false };
        closes(self.cursor.bytes(self.at, Form::Recycled.header()), number)
    }

    /// Whether a whole chunk is of this log, and not of an older life of its file.
    pub(super) fn belongs(&self, frame: &Frame) -> bool {
        self.form.is_none_or(|form| form == frame.form)
            && frame.number.is_none_or(|number| self.number.is_none_or(|own| own == number))
    }

    /// A whole chunk of this log. False when reading ends.
    fn chunk(&mut self, frame: Frame) -> Result<bool, Halt> {
        match (frame.part, self.pending) {
            // A record lacks its end, or its beginning.
            (Part::Whole | Part::First, Some(pending)) => return self.unfinished(pending),
            (Part::Middle | Part::Last, None) => return self.orphans(frame),
            _ => {}
        }
        self.summary.blank = false;
        self.summary.frames += 1;
        self.form.get_or_insert(frame.form);
        if let Some(number) = frame.number {
            self.number.get_or_insert(number);
        }
        self.own.synced = self.own.synced.max(frame.synced);
        if self.pending.is_none() {
            self.pending = Some(Pending::begun(&frame));
            self.joined.clear();
        }
        if let Some(pending) = &mut self.pending {
            pending.add(&frame);
        }
        // What is longer than that is read again from its chunks.
        if self.joined.len() <= HELD {
            self.joined.extend_from_slice(self.cursor.bytes(frame.payload(), usize::from(frame.length)));
        }
        self.at = frame.end();
        if matches!(frame.part, Part::Whole | Part::Last)
            && let Some(pending) = self.pending.take()
        {
            self.record(pending)?;
        }
        Ok(true)
    }

    /// Where the chunks end that belong to the same record as `frame` and follow it.
    pub(super) fn behind_pieces(&mut self, frame: Frame) -> u64 {
        let mut end = frame.end();
        let mut last = frame.part == Part::Last;
        while !last {
            let at = if left_in_block(end) < frame.header() { end + left_in_block(end) as u64 } else { end };
            match self.stands(at) {
                Stands::Frame(next) if matches!(next.part, Part::Middle | Part::Last) && self.belongs(&next) => {
                    (end, last) = (next.end(), next.part == Part::Last);
                }
                _ => break,
            }
        }
        end
    }

    /// A record is complete.
    fn record(&mut self, pending: Pending) -> Result<(), Halt> {
        let Some(head) = BatchHead::parse(&self.joined) else {
            let found = "a record that is too short for a write batch".to_owned();
            let mut damage = self.bad(DamageKind::BadPayload, pending.start, pending.end, found);
            damage.facts.proof = Some(Proof::Told { by: "its own sum", words: "is right, so it was written like that" });
            return self.hurt(damage);
        };
        self.summary.valid_bytes += pending.end - pending.start;
        // A batch that holds nothing but notes takes no number and repeats one.
        if head.count > 0 && self.floor.is_some_and(|floor| head.sequence <= floor) {
            return self.repeated(pending);
        }
        self.due = Some(head.next().max(self.due.unwrap_or(0)));
        if head.count > 0 {
            self.own.last = self.own.last.max(Some(head.sequence));
        }
        self.summary.records += 1;
        let last = Lsn(head.next().saturating_sub(1).max(head.sequence));
        self.summary.begins.get_or_insert(Lsn(head.sequence));
        self.summary.saw(Lsn(head.sequence), last);
        let lsns = LsnRange { first: Lsn(head.sequence), last };
        let wanted = self.visit.want.lsns.is_none_or(|range| lsns.first <= range.last && range.first <= lsns.last);
        if self.visit.want.counts_only || !wanted {
            return Ok(());
        }
        self.deliver(pending, &head)
    }

    fn deliver(&mut self, pending: Pending, head: &BatchHead) -> Result<(), Halt> {
        let mut fields = vec![Field { name: "count", value: Value::Number(u64::from(head.count)) }];
        if pending.pieces > 1 {
            fields.push(Field { name: "fragments", value: Value::Number(pending.pieces) });
        }
        if let Some(number) = pending.number {
            fields.push(Field { name: "log_number", value: Value::Number(u64::from(number)) });
        }
        if let Some(synced) = pending.synced {
            fields.push(Field { name: "sync_offset", value: Value::Number(synced) });
        }
        let record = Record {
            lsn: Some(Lsn(head.sequence)),
            last_lsn: Some(head).filter(|head| head.count > 1).map(|head| Lsn(head.next() - 1)),
            kind: "batch",
            fields: &fields,
            ..Record::at(Span::new(self.visit.segment.id, pending.start, pending.end))
        };
        if self.joined.len() as u64 == pending.bytes {
            return self.sink.record(&Record { payload: Payload::Whole(&self.joined), ..record });
        }
        let file: Arc<dyn File> = self.visit.source.file(self.visit.segment)?;
        let again = |take: &mut dyn FnMut(&[u8]) -> Result<(), Error>| hand_over(Fragments::of(file.clone(), &pending), take);
        self.sink.record(&Record { payload: Payload::Long(pending.bytes, &again), ..record })
    }

    /// A batch that stands in an earlier file of the same logical log too: a write to the disk that stalled got through after all.
    fn repeated(&mut self, pending: Pending) -> Result<(), Halt> {
        self.own.repeated += 1;
        if self.own.repeated == 1 {
            let text = "batches at the beginning of this file stand in an earlier file of the same log too: a write that had stalled got through \
                        after all; they are given once";
            let span = Span::new(self.visit.segment.id, pending.start, pending.end);
            self.summary.warnings.push(Warning { name: "repeated", span, text: text.to_owned() });
        }
        Ok(())
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: self.due.map(Lsn),
            doubt: None,
            expected: self.due.map_or_else(|| "a batch".to_owned(), |due| format!("a batch, sequence {due}")),
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.summary.hurt(damage, self.sink)
    }
}
