//! What stands where no whole frame stands: damage, or the torn end of the log; and where reading goes on behind it.
//!
//! Each record stores the running sum behind it, so a damaged one still tells what the next one continues. Where its length is lost too,
//! every eighth byte is tried for a frame whose parts agree.

use super::super::resync::last_content;
use super::super::{Ending, Halt};
use super::frame::{
    ALIGN, Claim, EtcdFrame, EtcdStands, RecordType, WORD, chains, claim, lacks_a_sector, looks_whole, stands, sum_behind,
};
use super::log::AtDamage;
use super::walk::Walker;
use crate::disk::zero_prefix;
use crate::model::{Damage, DamageKind, Facts, Look, Proof, Verdict};

const WRITTEN_AFTER: Proof = Proof::Told { by: "a frame that continues it", words: "stands behind it and was written after it" };
const CONTENT_BEHIND: Proof =
    Proof::Told { by: "what stands behind it", words: "was written after it, for space made ahead is zeros" };

/// Where reading goes on behind a bad frame.
#[derive(Clone, Copy, Debug)]
struct GoesOn {
    at: u64,
    /// The running sum there, if the bad frame still tells it.
    sum: Option<u32>,
}

/// What the bytes of a bad frame still say.
#[derive(Clone, Copy, Debug)]
struct BadFrame {
    start: u64,
    claim: Option<Claim>,
    /// Where it ends, where its word is to be believed.
    end: Option<u64>,
    /// Some sector of it is all zeros.
    torn: bool,
    /// What the sum over its data came out as.
    computed: Option<u32>,
}

impl BadFrame {
    fn frame(&self) -> Option<EtcdFrame> {
        match self.claim? {
            Claim::Agreed(frame) => Some(frame),
            Claim::WordOnly { head, .. } | Claim::NoWord(head) => head,
        }
    }

    /// Its record is as it was written, and only the word in front of it is not.
    fn only_the_word(&self) -> bool {
        let whole = self.frame().is_some_and(|frame| Some(frame.sum) == self.computed);
        whole && !matches!(self.claim, Some(Claim::Agreed(_)))
    }
}

impl Walker<'_, '_> {
    /// No whole frame stands at the place that was reached. True when reading goes on, here or behind damage.
    pub(super) fn stop(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let seen = self.rereads.stop(&mut self.cursor, start);
        let bad = self.look_at(start);
        let next = self.next_frame(&bad);
        let moved = match next {
            Some(_) => self.rereads.hole_again(&seen, &mut self.cursor)? && self.reads(start),
            None => self.rereads.tail_moves(&seen, &mut self.cursor, self.visit.want.live)?,
        };
        if moved {
            return Ok(true);
        }
        if let (Some(frame), Some(computed)) = (bad.frame(), bad.computed) {
            self.note_head(&frame, computed);
        }
        if self.summary.damage.is_empty() {
            let misled = matches!(bad.claim, Some(Claim::Agreed(_) | Claim::WordOnly { .. }))
                && bad.end.or(claimed_end(&bad)).is_some_and(|end| end > self.cursor.length());
            let no_word = zero_prefix(self.cursor.bytes(start, WORD as usize)) == WORD as usize;
            self.own.server = match bad.torn || misled || self.cursor.length() - start < WORD {
                _ if no_word => AtDamage::Forgets,
                true => AtDamage::Cuts,
                false => AtDamage::Refuses,
            };
        }
        let Some(next) = next else {
            self.end(&bad)?;
            return Ok(false);
        };
        let mut damage = self.diagnose(&bad, next.at);
        if damage.facts.look != Look::Refused {
            damage.facts.proof = Some(WRITTEN_AFTER);
        }
        (self.at, self.sum) = (next.at, next.sum);
        self.unproven = next.sum.is_none().then_some(next.at);
        self.hurt(damage)?;
        Ok(true)
    }

    fn reads(&mut self, at: u64) -> bool {
        match stands(&mut self.cursor, at) {
            EtcdStands::Frame(frame) => self.continues(&frame),
            EtcdStands::FileEnds | EtcdStands::Zeros => true,
            EtcdStands::ZeroWord | EtcdStands::Bad => false,
        }
    }

    fn look_at(&mut self, start: u64) -> BadFrame {
        let claim = claim(self.cursor.bytes(start, 128), start);
        let mut bad = BadFrame { start, claim, end: None, torn: false, computed: None };
        match claim {
            Some(Claim::Agreed(frame)) => bad.end = Some(frame.end),
            // A sector that never came may be the one behind the word.
            Some(Claim::WordOnly { end, .. })
                if end <= self.cursor.length() && lacks_a_sector(&mut self.cursor, start + WORD, end) =>
            {
                bad.end = Some(end);
            }
            _ => {}
        }
        if let Some(end) = bad.end.filter(|end| *end <= self.cursor.length()) {
            // The padding is zeros anyway.
            let data = match claim {
                Some(Claim::Agreed(frame)) => frame.data.saturating_add(frame.length),
                _ => end,
            };
            bad.torn = lacks_a_sector(&mut self.cursor, start + WORD, data);
        }
        if let (Some(frame), Some(sum)) = (bad.frame(), self.sum) {
            bad.computed = sum_behind(&mut self.cursor, sum, &frame);
        }
        bad
    }

    /// Where reading goes on behind a bad frame.
    fn next_frame(&mut self, bad: &BadFrame) -> Option<GoesOn> {
        let start = bad.start;
        if let Some(frame) = bad.frame().filter(|frame| frame.end <= self.cursor.length()) {
            // What carries the sum over does not change it.
            let stored = Some(frame.sum).filter(|_| frame.kind != RecordType::Sum);
            for sum in [stored, bad.computed].into_iter().flatten() {
                if chains(&mut self.cursor, frame.end, sum) {
                    return Some(GoesOn { at: frame.end, sum: Some(sum) });
                }
            }
        }
        // A payload can hold such a log: where the word is to be believed, nothing in front of its end is tried.
        let from = match bad.end {
            Some(end) => end,
            None if bad.only_the_word() => bad.frame().map_or(start + ALIGN, |frame| frame.end),
            None => start + ALIGN,
        };
        self.search(from)
    }

    /// The first frame at or behind `from` whose parts agree.
    fn search(&mut self, from: u64) -> Option<GoesOn> {
        const PIECE: usize = 64 << 10;
        let mut at = from.checked_next_multiple_of(ALIGN)?;
        loop {
            let piece = self.cursor.bytes(at, PIECE);
            let given = piece.len();
            if given < WORD as usize {
                // The end, or a range that the system refuses: a frame may stand behind it.
                at = self.cursor.refused_at(at.saturating_add(given as u64))?.checked_next_multiple_of(ALIGN)?;
                continue;
            }
            if zero_prefix(piece) == given {
                at = self.cursor.zeros_end(at).max(at + given as u64) / ALIGN * ALIGN;
                continue;
            }
            // Where a record could begin: a word with a record's first tag behind it.
            let starts = |offset: &usize| piece.get(offset + 8).is_none_or(|tag| *tag == 0x08);
            let tried: Vec<u64> =
                (0..given - 7).step_by(ALIGN as usize).filter(starts).map(|offset| at + offset as u64).collect();
            let next = at + (given as u64 / ALIGN) * ALIGN;
            if let Some(found) = tried.into_iter().find(|at| looks_whole(&mut self.cursor, *at).is_some()) {
                return Some(GoesOn { at: found, sum: None });
            }
            at = next;
        }
    }

    /// Nothing whole follows: a torn tail, or a rotten one.
    fn end(&mut self, bad: &BadFrame) -> Result<(), Halt> {
        let start = bad.start;
        let content = last_content(&mut self.cursor, start).max(start);
        let length = self.cursor.length();
        let zero_word = self.cursor.bytes(start, WORD as usize) == [0; 8];
        let believed = bad.end.or(bad.only_the_word().then(|| bad.frame().map(|frame| frame.end)).flatten());
        let end = believed.map_or(content, |end| end.min(length).max(start));
        let mut damage = self.diagnose(bad, if zero_word { content } else { end });
        if damage.facts.look != Look::Refused && (zero_word || content > end) {
            damage.facts.proof = Some(CONTENT_BEHIND);
            damage.span.length = content - start;
        }
        self.own.torn_end = damage.verdict() == Verdict::Torn;
        self.hurt(damage)?;
        (self.summary.end, self.summary.ending) = (start, Ending::Damage);
        Ok(())
    }

    /// What stands in a bad region.
    fn diagnose(&mut self, bad: &BadFrame, end: u64) -> Damage {
        let (start, length) = (bad.start, self.cursor.length());
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end.max(start + 1)) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            let mut damage = self.bad(DamageKind::ReadError, start, end.max(to), words);
            damage.facts = Facts::of(Look::Refused);
            return damage;
        }
        let zeros = zero_prefix(self.cursor.bytes(start, 512)) as u64;
        let (kind, look, found) = match bad.claim {
            None => {
                let words =
                    format!("the end of the file after {} of {WORD} bytes of a length word", length.saturating_sub(start));
                (DamageKind::CutShort, Look::Interrupted, words)
            }
            _ if zeros >= WORD => (DamageKind::Zeroed, Look::Wrong, "a length word of zero, and more behind it".to_owned()),
            Some(Claim::Agreed(frame)) if frame.end > length => {
                let words = format!("the end of the file, {} bytes short of the frame's end", frame.end - length);
                (DamageKind::CutShort, Look::Interrupted, words)
            }
            Some(_) if bad.only_the_word() => (
                DamageKind::NotAFrame,
                Look::Wrong,
                "a wrong length word in front of a record that is as it was written".to_owned(),
            ),
            Some(Claim::Agreed(frame)) => match bad.computed {
                Some(computed) if computed != frame.sum => {
                    let look = if bad.torn { Look::Interrupted } else { Look::Wrong };
                    (DamageKind::BadChecksum, look, format!("running sum {:08x} stored, {computed:08x} computed", frame.sum))
                }
                _ => (DamageKind::NotAFrame, Look::Wrong, self.misplaced(&frame)),
            },
            Some(Claim::WordOnly { end, .. }) if end > length => {
                let words = format!("a length word that leads {} bytes behind the end of the file", end - length);
                (DamageKind::NotAFrame, Look::Interrupted, words)
            }
            Some(Claim::WordOnly { .. }) if bad.torn => {
                (DamageKind::Zeroed, Look::Interrupted, "a length word, and zeros where its record was due".to_owned())
            }
            Some(Claim::WordOnly { .. } | Claim::NoWord(_)) => {
                let word = self.cursor.array(start).map_or(0, u64::from_le_bytes);
                (DamageKind::NotAFrame, Look::Wrong, format!("a length word of {word:016x}, and no record of that length"))
            }
        };
        let mut damage = self.bad(kind, start, end, found);
        damage.facts = Facts::of(look);
        damage
    }

    /// Why a frame whose sum is right, or has nothing to be compared with, is none.
    fn misplaced(&mut self, frame: &EtcdFrame) -> String {
        let name = frame.kind.name();
        match (frame.kind, self.sum) {
            (RecordType::Sum, Some(sum)) => {
                format!("a record that carries over the sum {:08x}, where it is {sum:08x}", frame.sum)
            }
            (_, None) => format!("a record of type {name}, and no sum that it could continue"),
            (RecordType::Unknown(number), _) => format!("the entry that is due, under type {number}"),
            _ => format!("a record of type {name} that holds something else"),
        }
    }
}

fn claimed_end(bad: &BadFrame) -> Option<u64> {
    match bad.claim? {
        Claim::Agreed(frame) => Some(frame.end),
        Claim::WordOnly { end, .. } => Some(end),
        Claim::NoWord(_) => None,
    }
}
