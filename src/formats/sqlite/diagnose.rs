//! What stands where no valid frame stands: the end of the log, an older generation, an open transaction, or damage.
//!
//! SQLite takes all of these for the end of the log. Only what stands behind the stop tells them apart: frames of this generation are
//! written one after the other, and what ends a transaction is written last.

use super::super::{Ending, Halt, looks_interrupted};
use super::frame::{FRAME_HEADER, Frame, HEADER, RunningSum};
use super::search::LaterFrames;
use super::walk::{Due, Walker};
use crate::disk::zero_prefix;
use crate::model::units::hex;
use crate::model::{DamageKind, Look, Proof};

const COMMITTED_BEHIND: Proof = Proof::Told {
    by: "a commit frame of this log",
    words: "stands behind it, so transactions had been committed that SQLite does not see any more",
};

/// What a stop is, if no commit of this generation follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TailKind {
    /// Only zeros follow.
    Zeros,
    /// What follows is of another generation of the log.
    Other,
    /// What a transaction left that is under way or never ended.
    Open(DamageKind),
    /// A frame that would end a transaction and is not whole.
    LastCommit(DamageKind),
    /// The system refuses to give it.
    Unreadable(u64),
}

impl Walker<'_, '_> {
    /// No valid frame stands at the place that was reached. True when reading goes on, here or elsewhere.
    pub(super) fn stop(&mut self, due: Due) -> Result<bool, Halt> {
        let start = self.at;
        let stop = self.rereads.stop(&mut self.cursor, start);
        let later = self.later(start);
        let kind = if later.commit.is_none() { Some(self.tail_kind(due, start, &later)) } else { None };
        let moved = match kind {
            Some(TailKind::Zeros | TailKind::Other) => false,
            // A commit that is just being written puts the sums of its transaction right from its first frame on.
            None => {
                self.rereads.hole_again(&stop, &mut self.cursor)?
                    && self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)?
            }
            Some(_) => self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)?,
        };
        if self.header_changed()? {
            return self.restarted();
        }
        if moved {
            self.later = None;
            return Ok(true);
        }
        if kind.is_none_or(|kind| matches!(kind, TailKind::Open(_) | TailKind::LastCommit(_)))
            && let Some(goes_on) = self.written_over(start)
        {
            return Ok(goes_on);
        }
        match kind {
            None => self.lost(due, start, &later),
            Some(kind) => self.tail(kind, due, start, &later).map(|()| false),
        }
    }

    /// The header is the last to be looked at: it changes before any frame of an older generation is written over.
    fn header_changed(&mut self) -> Result<bool, Halt> {
        if self.own.headless || self.cursor.length() == u64::MAX || !self.cursor.may_be_written() {
            return Ok(false);
        }
        let mut now = [0; HEADER];
        let given = crate::disk::read_full(&**self.cursor.file(), &mut now, 0).unwrap_or(HEADER);
        let changed = given < HEADER || now != self.header.bytes;
        if changed {
            self.cursor.refresh()?;
        }
        Ok(changed)
    }

    /// Frames behind the last commit can be written over by another transaction. Whether those that were read are others now: then reading
    /// goes on (or, where the new ones are not all there yet, ends).
    fn written_over(&mut self, start: u64) -> Option<bool> {
        if self.committed.at >= start || !self.summary.damage.is_empty() || self.visit.want.start.is_some() {
            return None;
        }
        let (mut at, mut sum) = (self.committed.at, self.committed.sum);
        while at < start {
            match self.due_at(at, sum) {
                Due::Valid(_, next) => (at, sum) = (at + self.header.stride() as u64, next),
                _ if self.visit.want.counts_only => {
                    self.rewind();
                    self.later = None;
                    return Some(true);
                }
                _ => {
                    (self.summary.end, self.summary.ending) = (self.committed.at, Ending::Remains);
                    return Some(false);
                }
            }
        }
        if sum == self.sum {
            return None;
        }
        (self.sum, self.later) = (sum, None);
        Some(true)
    }

    fn tail_kind(&mut self, due: Due, start: u64, later: &LaterFrames) -> TailKind {
        let stride = self.header.stride();
        let bytes = self.cursor.bytes(start, stride);
        let given = bytes.len();
        // Of a frame that is cut a part of its salts may be there.
        let salts = bytes.get(8..given.min(16)).unwrap_or_default();
        let of_another = *salts != self.header.salts[..salts.len()];
        let (frame, head_zeros, zeros) =
            (Frame::parse(bytes), zero_prefix(&bytes[..given.min(FRAME_HEADER)]), zero_prefix(bytes));
        if let Some(end) = self.cursor.refused_at(start + given as u64).filter(|_| given < stride) {
            return TailKind::Unreadable(end);
        }
        // Zeros come first: their salts are those of no generation.
        if zeros == given && self.only_zeros(start) {
            // The number of a page begins with zeros.
            return if given < 4 { TailKind::Open(DamageKind::CutShort) } else { TailKind::Zeros };
        }
        if head_zeros == given.min(FRAME_HEADER) {
            let other = zeros == given && later.any.is_none();
            return if other { TailKind::Other } else { TailKind::Open(DamageKind::Zeroed) };
        }
        if given < stride {
            return if of_another { TailKind::Other } else { TailKind::Open(DamageKind::CutShort) };
        }
        let fits = matches!(due, Due::Invalid(frame, sum) if frame.sum == sum);
        if frame.commit != 0 && frame.page != 0 && (fits || !of_another) {
            // Salts are not summed: where the sum fits, it is they that are wrong.
            return TailKind::LastCommit(if fits { DamageKind::NotAFrame } else { DamageKind::BadChecksum });
        }
        match of_another && !fits && later.any.is_none() {
            true => TailKind::Other,
            false if frame.page == 0 || of_another => TailKind::Open(DamageKind::NotAFrame),
            false => TailKind::Open(DamageKind::BadChecksum),
        }
    }

    /// No transaction was committed behind the stop.
    fn tail(&mut self, kind: TailKind, due: Due, start: u64, later: &LaterFrames) -> Result<(), Halt> {
        let stride = self.header.stride() as u64;
        let ending = match kind {
            TailKind::Zeros => Some(Ending::Zeros),
            TailKind::Other => Some(Ending::Remains),
            // Somebody has the database open: it is the transaction that is under way.
            TailKind::Open(_) => Some(Ending::Remains).filter(|_| self.visit.want.live),
            TailKind::LastCommit(_) | TailKind::Unreadable(_) => None,
        };
        if let Some(ending) = ending {
            self.finish(ending);
            return Ok(());
        }
        let (kind, look) = match kind {
            TailKind::Zeros | TailKind::Other => return Ok(()),
            TailKind::Open(kind) => (kind, Look::Interrupted),
            TailKind::LastCommit(kind) => {
                let torn = kind == DamageKind::BadChecksum && looks_interrupted(&mut self.cursor, start, start + stride);
                (kind, if torn { Look::Interrupted } else { Look::Wrong })
            }
            TailKind::Unreadable(end) => {
                let words = format!("bytes up to {end}, which the system refuses to give");
                let damage = self.bad(DamageKind::ReadError, start, end, words, Look::Refused);
                self.hurt(damage)?;
                self.finish(Ending::Damage);
                return Ok(());
            }
        };
        let last = later.any.map_or(start, |at| at.max(start));
        let end = (last + stride).min(self.cursor.length()).max(start + 1);
        let found = self.found(kind, due, start, later);
        self.hurt(self.bad(kind, start, end, found, look))?;
        self.finish(Ending::Damage);
        Ok(())
    }

    /// A commit follows: what is damaged here cuts off transactions that had been committed.
    fn lost(&mut self, due: Due, start: u64, later: &LaterFrames) -> Result<bool, Halt> {
        let stride = self.header.stride() as u64;
        let commit = later.commit.expect("it was found");
        let computed = match due {
            Due::Invalid(frame, sum) if frame.is_of(self.header.salts) => Some(sum),
            _ => None,
        };
        let resumed = self.next_whole(start + stride, computed);
        let (end, sum) = resumed.unwrap_or_else(|| (commit + stride, self.sum_behind(commit)));
        let kind = match due {
            Due::Invalid(frame, _) if frame == Frame::parse(&[]) => DamageKind::Zeroed,
            Due::Invalid(frame, _) if frame.is_of(self.header.salts) => DamageKind::BadChecksum,
            _ => DamageKind::NotAFrame,
        };
        let found = self.found(kind, due, start, later);
        let mut damage = self.bad(kind, start, end, found, Look::Wrong);
        damage.facts.proof = Some(COMMITTED_BEHIND);
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            damage = self.bad(DamageKind::ReadError, start, end.max(to), words, Look::Refused);
        }
        if self.own.lost_transactions == 0 {
            self.own.lost_transactions = self.commits_behind(start);
        }
        self.hurt(damage)?;
        (self.at, self.sum) = (end, sum);
        Ok(true)
    }

    fn sum_behind(&mut self, at: u64) -> RunningSum {
        RunningSum::stored(self.cursor.array(at + 16).unwrap_or_default())
    }

    /// How many frames of this generation end a transaction at or behind an offset.
    fn commits_behind(&mut self, start: u64) -> u64 {
        let own = Frame::parse(self.cursor.bytes(start, FRAME_HEADER)).commits(self.header.salts);
        self.later.map_or(0, |later| later.commits) + u64::from(own)
    }

    fn found(&mut self, kind: DamageKind, due: Due, start: u64, later: &LaterFrames) -> String {
        let mut words = match (kind, due) {
            (DamageKind::CutShort, _) => {
                let given = self.cursor.length().saturating_sub(start);
                format!("the end of the file after {given} of its {} bytes", self.header.stride())
            }
            (DamageKind::Zeroed, _) => "zeros, and something behind them".to_owned(),
            (DamageKind::BadChecksum, Due::Invalid(frame, sum)) => format!("sum {} stored, {sum} computed", frame.sum),
            (_, Due::Invalid(frame, _)) if frame.salts != self.header.salts => {
                format!("salts {} where the log's are {}", hex(&frame.salts), hex(&self.header.salts))
            }
            (_, Due::Invalid(..)) => "a frame of page 0, which there is not".to_owned(),
            _ => "no frame".to_owned(),
        };
        if later.commit.is_none() && later.any.is_some() {
            words.push_str("; frames of this log follow, and none of them ends a transaction");
        }
        words
    }
}
