//! Walking one allsource segment line by line: entries, bad lines, and what can be found inside those.

mod long;

use memchr::{memchr, memmem, memrchr};

use super::super::again::Rereads;
use super::entry::{DEEPEST, NoEntry, ValidEntry, read, read_prefix};
use super::join::{Own, SequenceRun, sequence};
use crate::disk::Cursor;
use crate::formats::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use crate::model::{Damage, DamageKind, Facts, Field, Look, Lsn, LsnRange, Payload, Proof, Record, Span, Time, Value, Warning};

/// How an entry begins, as every release writes it.
pub(super) const START: &[u8] = b"{\"sequence\":";
/// How much is read at a time; a window of the cursor holds it from any offset.
const PIECE: usize = 248 << 10;
/// What is longer is not held: no release writes such a line.
const LONGEST: usize = 64 << 20;
/// How often progress and marks are given.
const STRIDE: u64 = 1 << 20;
/// How many runs of sequences are remembered of a segment; a sound one has a single run, or a few.
pub(super) const RUNS: usize = 1 << 16;

/// Bad lines that follow each other.
#[derive(Clone, Debug)]
struct Bad {
    start: u64,
    end: u64,
    kind: DamageKind,
    look: Look,
    expected: String,
    found: String,
    /// It begins as an entry does.
    begun: bool,
}

struct Walker<'v, 's, 'o> {
    visit: &'v Visit<'v>,
    out: &'s mut Sink<'o>,
    summary: Summary,
    own: Own,
    highest: Option<u64>,
    bad: Option<Bad>,
    /// The line at this offset is bad although it was read again past a faulty mapping.
    settled: Option<u64>,
    rereads: Rereads,
    mapped: bool,
    told: u64,
    deep: u64,
}

pub(super) fn walk(visit: &Visit<'_>, out: &mut Sink<'_>) -> Walk {
    // Older releases write to the oldest file after a restart.
    let mut cursor = visit.source.cursor_never_finished(visit.segment)?;
    let mut summary = Summary::new(visit.segment, cursor.length());
    summary.begins = sequence(&visit.segment.name).map(|n| Lsn(n).next());
    let start = visit.want.start.map_or(0, |mark| mark.offset);
    let mut walker = Walker {
        visit,
        out,
        summary,
        own: Own { clean_start: true, ..Own::default() },
        highest: visit.want.start.and_then(|mark| mark.due.before()).map(|lsn| lsn.0),
        bad: None,
        settled: None,
        rereads: Rereads::default(),
        mapped: false,
        told: start,
        deep: 0,
    };
    walker.run(&mut cursor, start)?;
    walker.finish(&cursor)
}

impl Walker<'_, '_, '_> {
    fn run(&mut self, cursor: &mut Cursor, start: u64) -> Result<(), Halt> {
        let mut at = start;
        loop {
            self.mapped = cursor.is_mapped();
            let piece = cursor.bytes(at, PIECE);
            let given = piece.len();
            if let Some(last) = memrchr(b'\n', piece) {
                at = match self.lines(at, &piece[..=last])? {
                    None => at + last as u64 + 1,
                    Some(again) => {
                        // A mapping shows zeros where the file could not be read: ask the system itself before judging.
                        if !cursor.unmap_if_faulty() {
                            self.settled = Some(again);
                        }
                        again
                    }
                };
                self.tell(at)?;
                continue;
            }
            let reached = at + given as u64;
            if let Some(end) = cursor.refused_at(reached) {
                at = self.refused(cursor, at, end);
                continue;
            }
            if reached >= cursor.length() {
                if given > 0 {
                    if self.mapped && cursor.unmap_if_faulty() {
                        continue;
                    }
                    // A line without its end may be on its way: looks again before it is called torn.
                    let stop = self.rereads.stop(cursor, at);
                    if !self.is_whole(cursor, at, given) && self.rereads.tail_moves(&stop, cursor, self.visit.want.live)? {
                        continue;
                    }
                    self.settled = Some(at);
                    let tail = cursor.bytes(at, given).to_vec();
                    self.line(at, &tail, false)?;
                }
                return Ok(());
            }
            at = self.long_line(cursor, at)?;
        }
    }

    /// Whether a line that lacks its newline lacks nothing else.
    fn is_whole(&self, cursor: &mut Cursor, at: u64, given: usize) -> bool {
        read(cursor.bytes(at, given)).is_ok()
    }

    fn tell(&mut self, at: u64) -> Result<(), Halt> {
        if at - self.told >= STRIDE {
            self.told = at;
            self.out.reached(at)?;
            if self.visit.want.marks && self.bad.is_none() {
                self.out.mark(Mark { offset: at, due: self.due(), seed: 0 })?;
            }
        }
        Ok(())
    }

    fn due(&self) -> Lsn {
        match self.highest {
            Some(highest) => Lsn(highest).next(),
            None => self.summary.begins.unwrap_or(Lsn::FIRST),
        }
    }

    /// Takes whole lines. Some offset: the line there must be read again before it counts as bad.
    fn lines(&mut self, start: u64, piece: &[u8]) -> Result<Option<u64>, Halt> {
        let mut from = 0;
        while let Some(length) = memchr(b'\n', &piece[from..]) {
            let at = start + from as u64;
            if !self.line(at, &piece[from..from + length], true)? {
                return Ok(Some(at));
            }
            from += length + 1;
        }
        Ok(None)
    }

    /// Takes a line without its newline. False: it may be bad only because a mapping is.
    fn line(&mut self, at: u64, line: &[u8], ended: bool) -> Result<bool, Halt> {
        let end = at + line.len() as u64 + u64::from(ended);
        let text = line.strip_suffix(b"\r").filter(|_| ended).unwrap_or(line);
        match read(text) {
            Ok(entry) => {
                self.settle(Some(entry.sequence))?;
                self.entry(&entry, at, end, text)?;
                if !ended {
                    self.warn(
                        "missing-final-newline",
                        at,
                        end,
                        format!(
                            "entry {} is whole and lacks its newline: allsource 0.16 would append straight behind it and lose both \
                             entries; append a newline before it is opened (0.27 does so itself, in the oldest file)",
                            entry.sequence
                        ),
                    );
                }
            }
            Err(_) if text.iter().all(u8::is_ascii_whitespace) => {
                self.settle(None)?;
                self.accept(at, end);
            }
            Err(_) if self.mapped && self.settled != Some(at) => return Ok(false),
            Err(fault) => self.bad_line(at, end, text, ended, fault)?,
        }
        Ok(true)
    }

    fn accept(&mut self, at: u64, end: u64) {
        self.summary.frames += 1;
        self.summary.valid_bytes += end - at;
        self.summary.end = end;
        self.summary.ending = Ending::FileEnds;
    }

    fn entry(&mut self, entry: &ValidEntry<'_>, at: u64, end: u64, text: &[u8]) -> Result<(), Halt> {
        self.accept(at, end);
        self.summary.records += 1;
        self.summary.blank = false;
        let lsn = Lsn(entry.sequence);
        self.summary.saw(lsn, lsn);
        let back = self.highest.is_some_and(|highest| entry.sequence <= highest);
        self.highest = Some(self.highest.map_or(entry.sequence, |highest| highest.max(entry.sequence)));
        self.count(entry, at, end);
        if entry.depth > DEEPEST {
            self.deep += 1;
            if self.deep == 1 {
                let text = format!(
                    "entry {} is nested {} levels deep: its bytes are whole, but allsource's reader gives up at {DEEPEST} and drops \
                     it at the next start; salvage it",
                    entry.sequence, entry.depth
                );
                self.warn("nested-too-deep", at, end, text);
            }
        }
        self.deliver(entry, at, end, text, back, false)
    }

    fn count(&mut self, entry: &ValidEntry<'_>, at: u64, end: u64) {
        let mixed = |digest: u64| digest.rotate_left(5).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(entry.checksum);
        let room = self.own.runs.len() < RUNS;
        match self.own.runs.last_mut() {
            Some(run) if run.last.checked_add(1) == Some(entry.sequence) && run.end == at => {
                (run.last, run.end, run.digest) = (entry.sequence, end, mixed(run.digest));
            }
            _ if room => {
                let (first, last) = (entry.sequence, entry.sequence);
                self.own.runs.push(SequenceRun { first, last, start: at, end, digest: mixed(0) });
            }
            _ => self.own.full = true,
        }
    }

    fn deliver(&mut self, entry: &ValidEntry<'_>, at: u64, end: u64, text: &[u8], back: bool, inside: bool) -> Result<(), Halt> {
        let fields = [
            Field { name: "event_id", value: Value::Text(&entry.id) },
            Field { name: "event_type", value: Value::Text(&entry.event_type) },
            Field { name: "entity_id", value: Value::Text(&entry.entity) },
            Field { name: "tenant_id", value: Value::Text(&entry.tenant) },
            Field { name: "version", value: Value::Signed(entry.version) },
            Field { name: "checksum", value: Value::Number(u64::from(entry.checksum)) },
            // These two only where they say yes.
            Field { name: if back { "out_of_order" } else { "inside_bad_line" }, value: Value::Flag(true) },
            Field { name: "inside_bad_line", value: Value::Flag(true) },
        ];
        let count = 6 + usize::from(back) + usize::from(inside);
        self.out.record(&Record {
            lsn: Some(Lsn(entry.sequence)),
            kind: "event",
            time: Time::parse(&entry.written),
            fields: &fields[..count],
            payload: Payload::Whole(text),
            ..Record::at(Span::new(self.visit.segment.id, at, end))
        })
    }

    /// Adds a line to the bad ones before it, if it is of their kind, or begins anew.
    fn bad_line(&mut self, at: u64, end: u64, text: &[u8], ended: bool, fault: NoEntry) -> Result<(), Halt> {
        let bad = self.describe(at, end, text, ended, fault);
        if let NoEntry::Text(byte) = fault {
            let words = format!(
                "the line is not UTF-8 from offset {} on: allsource 0.16 recovers no event at all from a log with such a line and \
                 starts over at sequence 1; open it with 0.27, or take the line out of a copy first",
                at + byte as u64
            );
            self.warn("invalid-utf8-line", at, end, words);
        }
        let joins = self.bad.as_ref().is_some_and(|b| b.end == at && !bad.begun && b.look != Look::Refused);
        match self.bad.as_mut().filter(|_| joins) {
            Some(before) => {
                before.end = end;
                // Junk that ends without a newline was still being written; an entry that was whole was not.
                if !before.begun && bad.look == Look::Interrupted {
                    before.look = Look::Interrupted;
                }
            }
            None => {
                self.settle(None)?;
                self.bad = Some(bad);
            }
        }
        self.inside(at, text)
    }

    fn describe(&self, at: u64, end: u64, text: &[u8], ended: bool, fault: NoEntry) -> Bad {
        let begun = text.starts_with(&START[..text.len().min(START.len())]);
        let zeros = memmem::find(text, &[0; 16]).is_some();
        let look = if !ended || zeros { Look::Interrupted } else { Look::Wrong };
        let due = self.due();
        let (kind, expected, found) = match fault {
            _ if !ended && text.iter().all(|b| *b == 0) => {
                (DamageKind::Zeroed, format!("entry {due}"), format!("{} zero bytes", text.len()))
            }
            NoEntry::Sum { stored, computed } => (DamageKind::BadChecksum, format!("checksum {computed}"), stored.to_string()),
            _ if zeros => (DamageKind::Zeroed, format!("entry {due}"), "a line with zero bytes in it".into()),
            _ if !ended && begun => {
                (DamageKind::CutShort, format!("entry {due}"), format!("the first {} bytes of it", text.len()))
            }
            NoEntry::Text(byte) => {
                (DamageKind::NotAFrame, format!("entry {due}"), format!("a line that is not UTF-8 from byte {byte} on"))
            }
            NoEntry::Json(byte) => {
                (DamageKind::NotAFrame, format!("entry {due}"), format!("a line that is no entry in JSON from byte {byte} on"))
            }
        };
        Bad { start: at, end, kind, look, expected, found, begun }
    }

    /// Rereads for whole entries inside a bad line: lines that were fused, or lost their newline.
    fn inside(&mut self, at: u64, text: &[u8]) -> Result<(), Halt> {
        // Nested hostile entries would each be read to the end of the line.
        let mut budget = 16 * text.len();
        let mut from = 0;
        let finder = memmem::Finder::new(START);
        while let Some(skip) = finder.find(&text[from..]) {
            let start = from + skip;
            let rest = &text[start..];
            let length = match read_prefix(rest) {
                Ok(entry) => {
                    let (first, last) = (at + start as u64, at + (start + entry.length) as u64);
                    let words = format!(
                        "entry {} stands whole inside the bad line ({} bytes from offset {first} on), fused with another or behind \
                         the remains of one (allsource 0.16 appends straight behind a torn line); its reader drops both, walctl \
                         repair --salvage keeps it",
                        entry.sequence, entry.length
                    );
                    self.warn("entry-inside-bad-line", first, last, words);
                    if self.visit.want.salvage {
                        self.settle(None)?;
                        self.deliver(&entry, first, last, &rest[..entry.length], false, true)?;
                    }
                    entry.length
                }
                Err(NoEntry::Json(byte)) => {
                    budget = budget.saturating_sub(byte);
                    1
                }
                Err(_) => {
                    budget = budget.saturating_sub(rest.len().min(4096));
                    1
                }
            };
            if budget == 0 {
                return Ok(());
            }
            from = start + length;
        }
        Ok(())
    }

    /// Reports the bad lines that came before, now that it is known what follows: an entry, or nothing yet.
    fn settle(&mut self, next: Option<u64>) -> Result<(), Halt> {
        let Some(bad) = self.bad.take() else { return Ok(()) };
        let due = self.due();
        let mut facts = Facts::of(bad.look);
        facts.proof = next.map(|sequence| Proof::LaterRecord { lsn: Lsn(sequence) });
        let doubt = match next {
            Some(next) => Lsn(next).before().and_then(|last| LsnRange::new(due, last)),
            None if bad.begun => LsnRange::new(due, due),
            None => None,
        };
        let damage = Damage {
            kind: bad.kind,
            span: Span::new(self.visit.segment.id, bad.start, bad.end),
            lsn: Some(due),
            doubt,
            expected: bad.expected,
            found: bad.found,
            facts,
        };
        if self.own.runs.is_empty() {
            self.own.clean_start = false;
        }
        self.summary.ending = Ending::Damage;
        self.summary.blank &= damage.kind == DamageKind::Zeroed;
        self.out.damage(&damage)?;
        self.summary.damage.push(damage);
        Ok(())
    }

    fn warn(&mut self, name: &'static str, start: u64, end: u64, text: String) {
        self.summary.warnings.push(Warning { name, span: Span::new(self.visit.segment.id, start, end), text });
    }

    fn finish(mut self, cursor: &Cursor) -> Walk {
        self.settle(None)?;
        self.summary.length = cursor.length();
        self.summary.due = Some(self.due());
        if self.own.full {
            let end = self.summary.end;
            let words = format!(
                "the sequences jump more than {RUNS} times: holes and doubled sequences are only looked for among the first; no \
                 release of allsource writes such a file"
            );
            self.warn("sequences-jump", 0, end, words);
        }
        self.summary.own = Some(Box::new(self.own));
        Ok(self.summary)
    }
}

fn piece_is_last(cursor: &Cursor, at: u64) -> bool {
    at >= cursor.length()
}
