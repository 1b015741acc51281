//! Walking one log: its header, its frames up to the first that is not valid, and whole ones behind damage.

use super::super::again::Rereads;
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::frame::{BadHead, FRAME_HEADER, Frame, HEADER, Header, RunningSum, sum_of};
use super::log::Own;
use super::search::LaterFrames;
use crate::disk::{Cursor, zero_prefix};
use crate::model::{Damage, DamageKind, Error, Facts, Field, Look, Lsn, Payload, Proof, Record, Span, Value, Warning};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;
/// How often a log is read from its start because it was begun again meanwhile. A busy one is begun again every few milliseconds.
const RESTARTS: u32 = 20;

/// What stands where a frame is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A frame that counts, and the sum with which the next one goes on.
    Valid(Frame, RunningSum),
    /// Fewer bytes than a frame has.
    Short(usize),
    /// A frame's length of something else: its header, and the sum that would have fitted.
    Invalid(Frame, RunningSum),
}

/// The state behind the last commit: what does not change any more unless the log is begun again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Committed {
    pub(super) at: u64,
    pub(super) sum: RunningSum,
    records: u64,
    valid_bytes: u64,
}

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) cursor: Cursor,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) header: Header,
    pub(super) at: u64,
    /// With what the frame at `at` goes on.
    pub(super) sum: RunningSum,
    pub(super) committed: Committed,
    pub(super) later: Option<LaterFrames>,
    pub(super) rereads: Rereads,
    pub(super) restarts: u32,
}

pub(super) fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor_never_finished(visit.segment)?;
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        cursor,
        own: Own::default(),
        header: Header::claimed([0; HEADER]),
        at: 0,
        sum: RunningSum::default(),
        committed: Committed::default(),
        later: None,
        rereads: Rereads::default(),
        restarts: 0,
    };
    if state.begin()? {
        state.go_to_mark();
        state.run()?;
    }
    let Walker { mut summary, cursor, own, .. } = state;
    summary.length = cursor.length();
    summary.whole = visit.want.start.is_none();
    summary.recovery = summary.whole.then(|| own.recovery(&summary));
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    /// Reads the header. False when nothing is to be read behind it.
    fn begin(&mut self) -> Result<bool, Halt> {
        loop {
            let head = self.cursor.bytes(0, HEADER);
            let (given, zeros) = (head.len(), zero_prefix(head));
            if given == zeros && self.cursor.refused_at(given as u64).is_none() && self.only_zeros(0) {
                self.summary.ending = if given == 0 { Ending::FileEnds } else { Ending::Zeros };
                return Ok(false);
            }
            let parsed = match self.cursor.array::<HEADER>(0) {
                Some(bytes) => Header::parse(bytes),
                None => Err(BadHead::Magic(0)),
            };
            match parsed {
                Ok(header) => {
                    self.take_header(header);
                    return Ok(true);
                }
                // A header is written in one piece; a wrong one counts when it is wrong twice.
                Err(bad) => {
                    let stop = self.rereads.stop(&mut self.cursor, 0);
                    if self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)? {
                        continue;
                    }
                    return self.bad_header(bad, given);
                }
            }
        }
    }

    pub(super) fn take_header(&mut self, header: Header) {
        self.header = header;
        self.summary.blank = false;
        self.summary.valid_bytes = HEADER as u64;
        (self.at, self.sum) = (HEADER as u64, header.sum());
        self.summary.end = self.at;
        self.committed = Committed { at: self.at, sum: self.sum, records: 0, valid_bytes: self.summary.valid_bytes };
        self.own = Own { page: header.page, checkpoint: header.checkpoint(), committed: self.at, ..Own::default() };
    }

    fn go_to_mark(&mut self) {
        let Some(mark) = self.visit.want.start.filter(|mark| mark.offset > self.at) else { return };
        (self.at, self.sum) = (mark.offset, RunningSum::unpacked(mark.seed));
        self.own.transactions = mark.due.0;
        // Where the last transaction ended is known again at the next commit.
        self.committed = Committed { at: self.at, sum: self.sum, ..self.committed };
    }

    /// The header does not count, and so nothing does for SQLite; frames behind it may be whole all the same.
    fn bad_header(&mut self, bad: BadHead, given: usize) -> Result<bool, Halt> {
        if let BadHead::Version(version) = bad {
            let what = format!("version {version} of SQLite's log");
            return Err(Error::Unknown { path: self.visit.segment.path.clone(), offset: 4, what }.into());
        }
        let segment = self.visit.segment.id;
        if let Some(end) = self.cursor.refused_at(given as u64) {
            let words = format!("bytes {given} to {end}, which the system refuses to give");
            self.hurt(self.bad(DamageKind::ReadError, 0, end, words, Look::Refused))?;
            (self.summary.end, self.summary.ending) = (0, Ending::Damage);
            return Ok(false);
        }
        if given < HEADER {
            let words = format!("the end of the file after {given} of its {HEADER} bytes");
            self.hurt(self.bad(DamageKind::CutShort, 0, given as u64, words, Look::Interrupted))?;
            (self.summary.end, self.summary.ending) = (0, Ending::Damage);
            return Ok(false);
        }
        let words = match bad {
            BadHead::Magic(magic) => format!("{magic:08x}, with which none begins"),
            BadHead::Sum(stored, computed) => format!("one with sum {stored} stored, {computed} computed"),
            BadHead::PageSize(size) => format!("one that says that pages have {size} bytes"),
            BadHead::Version(_) => unreachable!("it is an error"),
        };
        let mut damage = self.bad(DamageKind::BadHeader, 0, HEADER as u64, words, Look::Wrong);
        if !self.only_zeros(HEADER as u64) {
            damage.facts.proof = Some(Proof::Told { by: "what stands behind the header", words: "was written after it" });
        }
        self.own.headless = true;
        let found = self.guess_header();
        if let Some(header) = found {
            let headless = self.own.headless;
            self.take_header(header);
            self.own.headless = headless;
            self.summary.valid_bytes = 0;
            let resumed = self.next_whole(HEADER as u64, None);
            let end = resumed.map_or(self.cursor.length(), |(at, _)| at);
            damage.span = Span::new(segment, 0, end.max(HEADER as u64));
            self.hurt(damage)?;
            if let Some((at, sum)) = resumed {
                (self.at, self.sum) = (at, sum);
                return Ok(true);
            }
        } else {
            let end = super::super::resync::last_content(&mut self.cursor, HEADER as u64);
            damage.span = Span::new(segment, 0, end.max(HEADER as u64));
            self.hurt(damage)?;
        }
        (self.summary.end, self.summary.ending) = (0, Ending::Damage);
        Ok(false)
    }

    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match self.due() {
                Due::Valid(frame, sum) => self.frame(frame, sum)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                _ if self.cursor.unmap_if_faulty() => {}
                Due::Short(0) if self.at >= self.cursor.length() => {
                    self.finish(Ending::FileEnds);
                    return Ok(());
                }
                due => {
                    if !self.stop(due)? {
                        return Ok(());
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(self.own.transactions), seed: self.sum.packed() })?;
            }
        }
    }

    /// What stands at the place that was reached.
    pub(super) fn due(&mut self) -> Due {
        self.due_at(self.at, self.sum)
    }

    pub(super) fn due_at(&mut self, at: u64, before: RunningSum) -> Due {
        let Header { salts, big_endian, .. } = self.header;
        let stride = self.header.stride();
        let bytes = self.cursor.bytes(at, stride);
        if bytes.len() < stride {
            return Due::Short(bytes.len());
        }
        let frame = Frame::parse(bytes);
        let sum = sum_of(bytes, before, big_endian);
        if frame.is_of(salts) && frame.sum == sum { Due::Valid(frame, sum) } else { Due::Invalid(frame, sum) }
    }

    /// Which frame stands at an offset, counted from 1.
    pub(super) fn frame_number(&self, at: u64) -> u64 {
        at.saturating_sub(HEADER as u64) / self.header.stride() as u64 + 1
    }

    fn frame(&mut self, frame: Frame, sum: RunningSum) -> Result<(), Halt> {
        let (at, stride) = (self.at, self.header.stride() as u64);
        self.summary.records += 1;
        self.summary.frames += 1;
        self.summary.valid_bytes += stride;
        if !self.visit.want.counts_only {
            self.deliver(frame)?;
        }
        (self.at, self.sum) = (at + stride, sum);
        self.summary.end = self.at;
        if frame.commit != 0 {
            self.own.transactions += 1;
            if self.summary.damage.is_empty() {
                self.own.committed = self.at;
                self.own.pages = frame.commit;
                self.own.kept_transactions = self.own.transactions;
            }
            let Summary { records, valid_bytes, .. } = self.summary;
            self.committed = Committed { at: self.at, sum, records, valid_bytes };
        }
        Ok(())
    }

    fn deliver(&mut self, frame: Frame) -> Result<(), Halt> {
        let fields = [
            Field { name: "frame", value: Value::Number(self.frame_number(self.at)) },
            Field { name: "page", value: Value::Number(u64::from(frame.page)) },
            Field { name: "transaction", value: Value::Number(self.own.transactions + 1) },
            Field { name: "database_pages", value: Value::Number(u64::from(frame.commit)) },
        ];
        let commits = frame.commit != 0;
        let stride = self.header.stride();
        let bytes = self.cursor.bytes(self.at, stride);
        let span = Span::new(self.visit.segment.id, self.at, self.at + stride as u64);
        self.sink.record(&Record {
            kind: if commits { "commit" } else { "frame" },
            tag: Some(u64::from(frame.page)),
            fields: &fields[..if commits { 4 } else { 3 }],
            payload: Payload::Whole(bytes.get(FRAME_HEADER..).unwrap_or_default()),
            ..Record::at(span)
        })
    }

    /// The log ends at the place that was reached. What stands between the last commit and it belongs to no transaction.
    pub(super) fn finish(&mut self, ending: Ending) {
        (self.summary.end, self.summary.ending) = (self.at, ending);
        let open = (self.at - self.committed.at.min(self.at)) / self.header.stride() as u64;
        if open > 0 && self.visit.want.start.is_none() {
            self.uncommitted(open);
        }
    }

    /// Says that frames belong to no transaction.
    pub(super) fn uncommitted(&mut self, frames: u64) {
        let text = format!(
            "{} behind the last commit, from byte {} on, belong to no transaction: SQLite passes over them, as it does with what a transaction \
             left that never committed",
            if frames == 1 { "1 frame".to_owned() } else { format!("{frames} frames") },
            self.committed.at
        );
        let span = Span::new(self.visit.segment.id, self.committed.at, self.at.max(self.committed.at));
        self.summary.warnings.push(Warning { name: "uncommitted", span, text });
    }

    /// The log was begun again at its start while it was read: it is read anew, as far as nothing was handed out that would be handed out
    /// twice. False when reading ends.
    pub(super) fn restarted(&mut self) -> Result<bool, Halt> {
        self.later = None;
        self.restarts += 1;
        if self.visit.want.counts_only && self.restarts < RESTARTS {
            self.summary = Summary::new(self.visit.segment, self.cursor.length());
            self.at = 0;
            return self.begin();
        }
        // What was handed out stood there when reading began.
        (self.summary.end, self.summary.ending) = (self.at, Ending::Remains);
        Ok(false)
    }

    /// Goes back to the last commit, where what follows it is being written over.
    pub(super) fn rewind(&mut self) {
        let Committed { at, sum, records, valid_bytes } = self.committed;
        (self.at, self.sum) = (at, sum);
        (self.summary.records, self.summary.valid_bytes) = (records, valid_bytes);
        self.summary.end = at;
    }

    pub(super) fn only_zeros(&mut self, from: u64) -> bool {
        self.cursor.zeros_end(from) >= self.cursor.length() && self.cursor.next_refused(from).is_none()
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String, look: Look) -> Damage {
        let expected = if start < HEADER as u64 { "a header".to_owned() } else { format!("frame {}", self.frame_number(start)) };
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: None,
            doubt: None,
            expected,
            found,
            facts: Facts::of(look),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.summary.hurt(damage, self.sink)
    }
}
