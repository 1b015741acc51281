//! What stands where no whole transaction stands: damage, or the torn end of the log; and where reading goes on behind it.

use super::super::resync::last_content;
use super::super::{Ending, Halt, looks_interrupted};
use super::frame::{AROUND, END, HEADER, LIMIT, Txn, TxnClaim, kind_of};
use super::walk::{Walker, Whole};
use crate::disk::zero_prefix;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, Proof, Verdict};

/// How much is searched at a time.
const PIECE: usize = 64 << 10;
/// A claim that is not longer costs nothing of the budget.
const SMALL: u64 = 4096;

impl Walker<'_, '_> {
    /// The file ends in its header, or is all zeros.
    pub(super) fn unfinished(&mut self) -> Result<bool, Halt> {
        let seen = self.rereads.stop(&mut self.cursor, 0);
        if self.rereads.tail_moves(&seen, &mut self.cursor, self.visit.want.live)? {
            return self.head();
        }
        let length = self.cursor.length();
        let refused = self.cursor.refused_at(0);
        let found = match (refused, length) {
            (Some(to), _) => format!("bytes 0 to {to}, which the system refuses to give"),
            (None, 0) => "an empty file".to_owned(),
            (None, _) if self.cursor.zeros_end(0) >= length => format!("{length} zero bytes"),
            (None, _) => format!("the end of the file after {length} bytes"),
        };
        let kind = if refused.is_some() { DamageKind::ReadError } else { DamageKind::UnfinishedSegment };
        let mut damage = self.bad(kind, 0, length, "a header of 16 bytes", found);
        damage.facts = Facts::of(if refused.is_some() { Look::Refused } else { Look::Interrupted });
        self.hurt(damage)?;
        self.summary.ending = Ending::Damage;
        Ok(false)
    }

    /// No whole transaction stands at the place that was reached. True when reading goes on, here or behind damage.
    pub(super) fn stop(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let seen = self.rereads.stop(&mut self.cursor, start);
        let next = self.next_transaction(start);
        let moved = match next {
            Some(_) => self.rereads.hole_again(&seen, &mut self.cursor)? && self.whole_at(start).is_some(),
            None => self.rereads.tail_moves(&seen, &mut self.cursor, self.visit.want.live)?,
        };
        if moved {
            return Ok(true);
        }
        let mut damage = self.diagnose(start, next.map(|(at, _)| at));
        let Some((at, whole)) = next else {
            self.own.torn_end = damage.verdict() <= Verdict::Suspect;
            self.own.refused = damage.kind == DamageKind::BadChecksum;
            self.hurt(damage)?;
            (self.summary.end, self.summary.ending) = (start, Ending::Damage);
            return Ok(false);
        };
        if damage.facts.look != Look::Refused {
            damage.facts.proof = Some(Proof::LaterRecord { lsn: Lsn(whole.txn.zxid) });
        }
        self.own.silent |= damage.kind != DamageKind::BadChecksum;
        self.hurt(damage)?;
        self.at = at;
        Ok(true)
    }

    fn next_transaction(&mut self, start: u64) -> Option<(u64, Whole)> {
        if let Some(length) = self.cursor.array(start).and_then(|bytes| TxnClaim::parse(&bytes).bytes()) {
            // Where its length is to be believed, nothing inside it is tried.
            let end = start + AROUND + length + 1;
            if let Some(whole) = self.whole_at(end).filter(|whole| self.follows(whole)) {
                return Some((end, whole));
            }
        }
        self.search(start + 1)
    }

    /// Whether a transaction can come behind the last one: Adler-32 of short data is weak.
    fn follows(&self, whole: &Whole) -> bool {
        let zxid = whole.txn.zxid;
        let epochs = (zxid >> 32).saturating_sub(self.last >> 32);
        let near = if epochs == 0 { zxid.saturating_sub(self.last) < 1 << 24 } else { epochs < 1 << 16 };
        kind_of(whole.txn.kind) != "unknown" && (self.last == 0 || zxid > self.last && near)
    }

    /// The first transaction at or behind `from`.
    fn search(&mut self, from: u64) -> Option<(u64, Whole)> {
        let mut at = from;
        loop {
            let piece = self.cursor.bytes(at, PIECE);
            let given = piece.len();
            if (given as u64) < AROUND + HEADER {
                at = self.cursor.refused_at(at.saturating_add(given as u64))?;
                continue;
            }
            if zero_prefix(piece) == given {
                at = self.cursor.zeros_end(at).saturating_sub(AROUND).max(at + given as u64 - AROUND);
                continue;
            }
            let starts = |bytes: &[u8]| {
                let length = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
                bytes[..4] == [0; 4] && (HEADER..=super::frame::LONGEST).contains(&length.into())
            };
            let last = self.last;
            let claims: Vec<(u64, u64)> = piece
                .windows((AROUND + HEADER) as usize)
                .enumerate()
                .filter(|(_, bytes)| starts(bytes))
                .filter_map(|(offset, bytes)| {
                    let txn = Txn::parse(bytes[AROUND as usize..].try_into().expect("a header"));
                    let length = u64::from(u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]));
                    (kind_of(txn.kind) != "unknown" && txn.zxid > last).then_some((at + offset as u64, length))
                })
                .collect();
            for (place, length) in claims {
                if self.cursor.bytes(place + AROUND + length, 1) != [END] {
                    continue;
                }
                if length > SMALL {
                    match self.budget.checked_sub(length) {
                        Some(left) => self.budget = left,
                        None => continue,
                    }
                }
                if let Some(whole) = self.whole_at(place).filter(|whole| self.follows(whole)) {
                    return Some((place, whole));
                }
            }
            at += given as u64 - (AROUND + HEADER - 1);
        }
    }

    /// What stands in a bad region.
    fn diagnose(&mut self, start: u64, next: Option<u64>) -> Damage {
        let length = self.cursor.length();
        let content = last_content(&mut self.cursor, start).max(start + 1);
        let end = next.unwrap_or(content).min(length);
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end.max(start + 1)) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            let mut damage = self.bad(DamageKind::ReadError, start, end.max(to), "a transaction", words);
            damage.facts = Facts::of(Look::Refused);
            return damage;
        }
        let (kind, look, found) = self.wrong(start, next, content);
        let mut damage = self.bad(kind, start, end, "a transaction", found);
        damage.facts = Facts::of(look);
        damage
    }

    fn wrong(&mut self, start: u64, next: Option<u64>, content: u64) -> (DamageKind, Look, String) {
        let length = self.cursor.length();
        let Some(claim) = self.cursor.array(start).map(|bytes| TxnClaim::parse(&bytes)) else {
            return (
                DamageKind::CutShort,
                Look::Interrupted,
                format!("the end of the file after {} of {AROUND} bytes", length - start),
            );
        };
        let zeros = self.cursor.zeros_end(start) - start;
        let only_zeros = next.is_none();
        let Some(bytes) = claim.bytes() else {
            let look = if only_zeros && content <= start + AROUND { Look::Interrupted } else { Look::Wrong };
            return match claim.length {
                0 if zeros >= AROUND => (DamageKind::Zeroed, look, format!("{zeros} zero bytes, and more behind them")),
                0 => (
                    DamageKind::Zeroed,
                    look,
                    "a length of zero, at which the server stops reading this file without a word".to_owned(),
                ),
                other => (DamageKind::NotAFrame, look, format!("a length of {other}")),
            };
        };
        let end = start + AROUND + bytes + 1;
        if end > length {
            if next.is_some() || bytes > LIMIT && length > start + AROUND + LIMIT {
                return (
                    DamageKind::NotAFrame,
                    Look::Wrong,
                    format!("a length of {bytes}, which leads behind the end of the file"),
                );
            }
            let words = format!("the end of the file, {} bytes short of the transaction's end", end - length);
            return (DamageKind::CutShort, Look::Interrupted, words);
        }
        let sum = self.cursor.fold(start + AROUND, bytes, 1, super::frame::adler32).unwrap_or(0);
        let fits = u64::from(sum) == claim.sum;
        let mark = self.cursor.bytes(end - 1, 1).first().copied().unwrap_or(0);
        if mark != END {
            if mark == 0 && only_zeros && content < end {
                let words = format!("{} of {} bytes of a transaction, and zeros from there on", content - start, end - start);
                return (DamageKind::Zeroed, Look::Interrupted, words);
            }
            let words = if fits {
                format!(
                    "{mark:02x} and not B behind a transaction that is whole: the server stops reading this file there without a word"
                )
            } else {
                format!("a length of {bytes}, and no B behind that")
            };
            return (DamageKind::NotAFrame, Look::Wrong, words);
        }
        if fits {
            return (DamageKind::NotAFrame, Look::Wrong, "a transaction of zxid 0".to_owned());
        }
        let torn = only_zeros && looks_interrupted(&mut self.cursor, start + AROUND, end - 1);
        let look = if torn { Look::Interrupted } else { Look::Wrong };
        (DamageKind::BadChecksum, look, format!("sum {:08x} stored, {sum:08x} computed", claim.sum))
    }
}
