//! What stands where no chunk of this log stands: the end of its data, or damage.
//!
//! What was promised is told by the log itself: each chunk of the newest form says up to where the file had been synced when it was written.
//! Without that, a later chunk proves that there was more, and a later log that this one had been finished.

use super::super::blocks::{BLOCK, Form, Frame, HEADER, Part, Pending, Stands, left_in_block, parse};
use super::super::resync::last_content;
use super::super::{Ending, Halt};
use super::frame::types;
use super::log::Elsewhere;
use super::walk::Walker;
use crate::disk::zero_prefix;
use crate::model::{Damage, DamageKind, Facts, Look, Proof};

const PROMISED: Proof = Proof::Told {
    by: "a later chunk of this log",
    words: "bears a sync offset behind this place: what stood here had been synced when that chunk was written",
};
/// How often the rest of a file is searched for promises.
const SEARCHES: u32 = 4;

/// What a stop means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopRuling {
    /// What stood there had been promised.
    Promised,
    /// There was more, and nothing says that it had been promised.
    Followed,
    /// Another file of the same logical log goes on: Pebble ignores what is open here.
    GoesOn,
    /// That may be so, in a folder that cannot be seen from here.
    MayGoOn,
    /// It is the end of the newest log.
    Tail,
}

impl StopRuling {
    fn facts(self, look: Look) -> Facts {
        match self {
            _ if look == Look::Refused => Facts::of(look),
            StopRuling::Promised => Facts { proof: Some(PROMISED), ..Facts::of(look) },
            StopRuling::Followed => Facts::of(Look::Followed),
            StopRuling::MayGoOn => Facts::of(Look::Skipped),
            StopRuling::GoesOn | StopRuling::Tail => Facts::of(look),
        }
    }
}

impl Walker<'_, '_> {
    /// No chunk of this log stands where one was due. True when reading goes on, here or behind damage.
    pub(super) fn stop(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let here = self.stands(start);
        if here == Stands::FileEnds && self.pending.is_none() {
            (self.summary.end, self.summary.ending) = (start, Ending::FileEnds);
            return Ok(false);
        }
        let stop = self.rereads.stop(&mut self.cursor, start);
        let found = self.next_chunk(start);
        let moved = match found {
            Some(_) => {
                self.rereads.hole_again(&stop, &mut self.cursor)?
                    && (self.reads(start) || self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)?)
            }
            None if here == Stands::Zeros && self.pending.is_none() => false,
            None => self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)?,
        };
        if moved {
            self.search.forget();
            self.promise = None;
            return Ok(true);
        }
        let ruling = self.rule(start, found);
        match ruling {
            StopRuling::GoesOn => Ok(self.ignored(start)),
            StopRuling::MayGoOn | StopRuling::Tail if found.is_none() => self.tail(ruling, here, start).map(|()| false),
            _ => self.damaged(ruling, start, found),
        }
    }

    fn reads(&mut self, at: u64) -> bool {
        matches!(self.stands(at), Stands::Frame(frame) if self.belongs(&frame))
    }

    /// What a stop at `start` means, where `found` is the first chunk of this log behind it.
    fn rule(&mut self, start: u64, found: Option<Frame>) -> StopRuling {
        if self.promised(start, found) {
            return StopRuling::Promised;
        }
        match (found, self.form) {
            (Some(frame), form) if form.unwrap_or(frame.form) != Form::Sync => StopRuling::Followed,
            _ => match self.own.goes_on(self.visit) {
                Elsewhere::GoesOn => StopRuling::GoesOn,
                Elsewhere::Unknown if !self.own.newest => StopRuling::MayGoOn,
                _ if self.own.newest => StopRuling::Tail,
                _ => StopRuling::Followed,
            },
        }
    }

    /// Whether a chunk at or behind `found` says that everything in front of a place behind `start` had been synced.
    fn promised(&mut self, start: u64, found: Option<Frame>) -> bool {
        if let Some((_, synced)) = self.promise.filter(|(at, _)| *at > start) {
            return synced > start;
        }
        let Some(found) = found.filter(|_| self.promises_looked_for < SEARCHES) else { return false };
        self.promises_looked_for += 1;
        let (form, number) = (self.form, self.number);
        let ours = move |frame: &Frame| belongs(frame, form, number);
        let (mut best, mut next) = (None, Some(found));
        while let Some(frame) = next {
            if let Some(synced) = frame.synced.filter(|synced| best.is_none_or(|(_, most)| *synced >= most)) {
                best = Some((frame.at, synced));
            }
            next = self.search.find(&mut self.cursor, frame.end(), ours);
        }
        self.promise = best;
        best.is_some_and(|(_, synced)| synced > start)
    }

    /// The next whole chunk of this log behind `start`.
    fn next_chunk(&mut self, start: u64) -> Option<Frame> {
        let (form, number) = (self.form, self.number);
        let ours = move |frame: &Frame| belongs(frame, form, number);
        // Payloads can hold whole chunks: where the length of the bad one leads on, they are not searched.
        let left = left_in_block(start);
        let claimed = parse(types, self.cursor.bytes(start, left), start, left).map(|(frame, _)| frame);
        let mut whole = start;
        if let Some(bad) = claimed {
            let end = bad.end();
            let next = if left_in_block(end) < bad.header() { end + left_in_block(end) as u64 } else { end };
            if let Some(frame) = self.search.whole_at(&mut self.cursor, next).filter(ours) {
                return Some(frame);
            }
            if matches!(self.stands(next), Stands::FileEnds | Stands::Zeros) {
                // The last chunk of the file. One in its payload counts only if it proves that the length is wrong.
                whole = end;
            }
        }
        let found = self.search.find(&mut self.cursor, start + 1, ours)?;
        if found.at < whole && !self.search.fits(&mut self.cursor, start, found.at) {
            return self.search.find(&mut self.cursor, whole, ours);
        }
        Some(found)
    }

    /// What is open at the end of a file is of no use where another one goes on.
    fn ignored(&mut self, start: u64) -> bool {
        let start = self.pending.take().map_or(start, |pending| pending.start);
        (self.summary.end, self.summary.ending) = (start, Ending::Remains);
        false
    }

    /// Damage behind which there is more, or was. True when reading goes on behind it.
    fn damaged(&mut self, ruling: StopRuling, start: u64, found: Option<Frame>) -> Result<bool, Halt> {
        let open = self.pending.take();
        if let Some(pending) = open {
            self.broken(ruling, pending, "damage")?;
        }
        let Some(frame) = found else {
            let end = last_content(&mut self.cursor, start).max(if open.is_some() { start } else { self.cursor.length() });
            if end > start {
                let damage = self.diagnose(start, end, false);
                self.hurt(Damage { facts: ruling.facts(damage.facts.look), ..damage })?;
            }
            (self.summary.end, self.summary.ending) = (open.map_or(start, |pending| pending.start), Ending::Damage);
            return Ok(false);
        };
        // A whole piece of the record that the damage took is no use without the rest.
        let end = if matches!(frame.part, Part::Middle | Part::Last) { self.behind_pieces(frame) } else { frame.at };
        let mut damage = self.diagnose(start, frame.at, true);
        damage.span.length = end - start;
        // A log that tells what was promised, and does not, is torn and not rotten.
        let torn = ruling == StopRuling::Tail && damage.facts.look == Look::Wrong;
        damage.facts = ruling.facts(if torn { Look::Interrupted } else { damage.facts.look });
        if ruling == StopRuling::Tail {
            damage.found.push_str("; whole chunks of this log follow, and none of them says that anything here had been synced");
        }
        self.at = end;
        self.hurt(damage)?;
        Ok(true)
    }

    /// The end of the newest log, or what may be the end of a file.
    fn tail(&mut self, ruling: StopRuling, here: Stands, start: u64) -> Result<(), Halt> {
        let open = self.pending.take();
        let stale = here != Stands::FileEnds && self.is_older_life(start);
        if let Some(pending) = open {
            self.broken(ruling, pending, if stale { "what remains from an older log" } else { "the end of the data" })?;
            (self.summary.end, self.summary.ending) = (pending.start, Ending::Damage);
        }
        match here {
            Stands::FileEnds => {}
            Stands::Zeros if open.is_none() => (self.summary.end, self.summary.ending) = (start, Ending::Zeros),
            Stands::Zeros => {}
            _ if stale && open.is_some() => {}
            _ if stale => {
                (self.summary.end, self.summary.ending) = (start, Ending::Remains);
                self.only_remains(start);
            }
            _ => {
                let end = last_content(&mut self.cursor, start);
                let damage = self.diagnose(start, end, false);
                let torn = damage.facts.look == Look::Wrong && self.form == Some(Form::Sync);
                let facts = ruling.facts(if torn { Look::Interrupted } else { damage.facts.look });
                let damage = Damage { facts, ..damage };
                self.hurt(damage)?;
                (self.summary.end, self.summary.ending) = (open.map_or(start, |pending| pending.start), Ending::Damage);
            }
        }
        Ok(())
    }

    /// Whether what stands at the end is left from the file's older life, and no write of this log that went wrong.
    fn is_older_life(&mut self, start: u64) -> bool {
        if self.form == Some(Form::Classic) || self.cursor.next_refused(start).is_some() {
            return false;
        }
        let Some(own) = self.number else { return false };
        let left = left_in_block(start);
        let begun = parse(types, self.cursor.bytes(start, left), start, left);
        // A header with this log's number is a chunk that was begun here.
        if begun.is_some_and(|(frame, _)| frame.number == Some(own)) {
            return false;
        }
        self.search.find(&mut self.cursor, start, |frame| frame.number.is_some_and(|number| number != own)).is_some()
    }

    /// A file in which nothing but another log's chunks stand was just recycled, or it was given a wrong name.
    fn only_remains(&mut self, start: u64) {
        let Some(own) = self.number.filter(|_| start == 0 && self.summary.frames == 0) else { return };
        let text = format!(
            "no chunk here bears the number {own} of this log: the file was used by another log before and nothing was written to it yet, or \
             it was renamed; if it was copied under another name, give it back its own"
        );
        let span = crate::model::Span::new(self.visit.segment.id, start, start);
        self.summary.warnings.push(crate::model::Warning { name: "another-logs-chunks", span, text });
    }

    /// A record is begun where the end of another one was due. True when reading goes on with it.
    pub(super) fn unfinished(&mut self, pending: Pending) -> Result<bool, Halt> {
        let stop = self.rereads.stop(&mut self.cursor, self.at);
        if self.rereads.hole_again(&stop, &mut self.cursor)? {
            // Read again from its beginning.
            self.search.forget();
            (self.at, self.pending, self.promise) = (pending.start, None, None);
            return Ok(true);
        }
        let here = self.search.whole_at(&mut self.cursor, self.at);
        let ruling = self.rule(pending.end, here);
        self.pending = None;
        if ruling == StopRuling::GoesOn {
            return Ok(self.ignored(pending.start));
        }
        self.broken(ruling, pending, "another record")?;
        Ok(true)
    }

    /// The chunks of a record that lacks its end.
    fn broken(&mut self, ruling: StopRuling, pending: Pending, instead: &str) -> Result<(), Halt> {
        let pieces = if pending.pieces == 1 { "one chunk".to_owned() } else { format!("{} chunks", pending.pieces) };
        let found = format!("{pieces} of a batch, and {instead} where the next one was due");
        let mut damage = self.bad(DamageKind::BrokenRecord, pending.start, pending.end, found);
        damage.facts = ruling.facts(Look::Interrupted);
        self.hurt(damage)
    }

    /// Chunks whose record has no beginning here.
    pub(super) fn orphans(&mut self, frame: Frame) -> Result<bool, Halt> {
        let ruling = self.rule(frame.at, Some(frame));
        if ruling == StopRuling::GoesOn {
            return Ok(self.ignored(frame.at));
        }
        let end = self.behind_pieces(frame);
        let found = "a chunk of a batch whose beginning is not there".to_owned();
        let mut damage = self.bad(DamageKind::BrokenRecord, frame.at, end, found);
        damage.facts = ruling.facts(Look::Interrupted);
        self.at = end;
        self.hurt(damage)?;
        Ok(true)
    }

    /// What stands in a bad region.
    fn diagnose(&mut self, start: u64, end: u64, followed: bool) -> Damage {
        let left = left_in_block(start);
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end || *from <= start) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            let damage = self.bad(DamageKind::ReadError, start, end.max(to), words);
            return Damage { facts: Facts::of(Look::Refused), ..damage };
        }
        let bytes = self.cursor.bytes(start, left);
        let (given, zeros, kind) = (bytes.len(), zero_prefix(bytes), bytes.get(6).copied().unwrap_or(0));
        let parsed = parse(types, bytes, start, left);
        let sum = parsed.and_then(|(frame, _)| self.search.sum_of(&mut self.cursor, &frame));
        let own = self.number.unwrap_or(0);
        let (kind, look, found) = match (parsed, sum) {
            // The type, if it is there, tells how long the header is.
            _ if given < left && given < types(kind).map_or(HEADER, |(_, form)| form.header()) => {
                let words = format!("the end of the file after {given} bytes of a chunk's header");
                (DamageKind::CutShort, Look::Interrupted, words)
            }
            _ if zeros >= HEADER.min(given) => {
                let words = if end > start + zeros as u64 {
                    format!("{zeros} zero bytes, and more behind them")
                } else {
                    "zeros".to_owned()
                };
                (DamageKind::Zeroed, Look::Interrupted, words)
            }
            (Some((frame, _)), None) if followed => {
                let words = format!("a length of {} that leads behind the next whole chunk", frame.length);
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
            (Some((frame, _)), None) => {
                let short = frame.end().saturating_sub(self.cursor.length());
                (DamageKind::CutShort, Look::Interrupted, format!("the end of the file, {short} bytes short of the chunk's end"))
            }
            (Some((frame, stored)), Some(sum)) if sum != stored => {
                let interrupted = super::super::looks_interrupted(&mut self.cursor, start, frame.end());
                let look = if interrupted { Look::Interrupted } else { Look::Wrong };
                (DamageKind::BadChecksum, look, format!("checksum {stored:08x} stored, {sum:08x} computed"))
            }
            (Some((frame, _)), _) => {
                let words = match frame.number {
                    Some(number) if number != own => format!("a chunk of log {number} in log {own}"),
                    _ => format!("a chunk of type {kind}, and the log's are of another form"),
                };
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
            (None, _) => {
                let length = self.cursor.array(start + 4).map_or(0, u16::from_le_bytes);
                let words = match kind {
                    1..=12 => format!("a length of {length} where {left} bytes are left in the block of {BLOCK}"),
                    _ => format!("a chunk of type {kind}, which nothing writes"),
                };
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
        };
        Damage { facts: Facts::of(look), ..self.bad(kind, start, end, found) }
    }
}

fn belongs(frame: &Frame, form: Option<Form>, number: Option<u32>) -> bool {
    form.is_none_or(|form| form == frame.form) && frame.number.is_none_or(|found| number.is_none_or(|own| own == found))
}
