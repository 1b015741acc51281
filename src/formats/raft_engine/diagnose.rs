//! What stands where no whole batch stands: damage, the torn end of the file, or what an older file left in it.

use super::group_items::begin;
use super::header::{BATCH_HEADER, RaftBatch};
use super::log::SIGNED;
use super::walk::{Sound, Walker};
use crate::formats::resync::{Sums, last_content};
use crate::formats::{Ending, Halt};
use crate::model::{Damage, DamageKind, Facts, Look, Proof};

const WRITTEN_AFTER: Proof = Proof::Told { by: SIGNED.0, words: SIGNED.1 };
const PIECE: usize = 128 << 10;

/// What a search behind a stop finds.
#[derive(Clone, Copy, Debug, Default)]
struct RaftBehind {
    /// The first batch of this file.
    own: Option<u64>,
    /// Batches that an older file left.
    older: u64,
}

impl Walker<'_, '_> {
    /// No whole batch stands where one was due. True when reading goes on, here or behind damage.
    pub(super) fn stop(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let stop = self.rereads.stop(&mut self.cursor, start);
        let here = self.batch_at(start);
        let claimed = here.filter(|(_, sound)| *sound == Sound::Items).map(|(batch, _)| batch.end());
        let behind = match claimed {
            // Its items are right, so it ends where it says.
            Some(end) => RaftBehind { own: Some(end), older: 0 },
            None => self.search(start),
        };
        let moved = match behind.own {
            Some(_) if claimed.is_none() => {
                self.rereads.hole_again(&stop, &mut self.cursor)? && matches!(self.batch_at(start), Some((_, Sound::Whole)))
            }
            _ => self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)?,
        };
        if moved {
            return Ok(true);
        }
        if let Some(end) = claimed {
            return self.bad_entries(start, end);
        }
        if let Some(next) = behind.own {
            let mut damage = self.diagnose(start, next);
            if damage.facts.look != Look::Refused {
                damage.span.length = next - start;
                damage.facts.proof = Some(WRITTEN_AFTER);
            }
            self.own.stops.get_or_insert(start);
            self.at = next;
            self.hurt(damage)?;
            return Ok(true);
        }
        self.end(start, here, behind.older)?;
        Ok(false)
    }

    /// A batch whose entries do not fit their sum. The engine does not notice that when it starts.
    fn bad_entries(&mut self, start: u64, end: u64) -> Result<bool, Halt> {
        let follows = matches!(self.batch_at(end), Some((_, Sound::Whole | Sound::Items)));
        let mut damage =
            self.bad(DamageKind::BadChecksum, start, end, "a wrong sum over its entries; its items are right".to_owned());
        if follows || !self.summary.damage.is_empty() {
            damage.facts.proof = follows.then_some(WRITTEN_AFTER);
        }
        if crate::formats::looks_interrupted(&mut self.cursor, start + BATCH_HEADER, end) {
            damage.facts.look = Look::Interrupted;
        }
        self.own.unread += 1;
        self.at = end;
        self.hurt(damage)?;
        Ok(true)
    }

    /// Looks for whole batches behind `start`, those of this file and those of older ones.
    fn search(&mut self, start: u64) -> RaftBehind {
        let mut behind = RaftBehind::default();
        let mut sums = self.sums.take().unwrap_or_else(|| Sums::from(start));
        let mut at = start;
        loop {
            let piece = self.cursor.bytes(at, PIECE);
            let given = piece.len();
            if given < BATCH_HEADER as usize {
                match self.cursor.refused_at(at.saturating_add(given as u64)) {
                    Some(end) => at = end,
                    None => break,
                }
                continue;
            }
            if piece[..given].iter().all(|byte| *byte == 0) {
                // A header begins with zeros, so the last few may belong to one.
                let end = self.cursor.zeros_end(at).saturating_sub(8);
                at = end.max(at + given as u64 - BATCH_HEADER + 1);
                continue;
            }
            let last = given - BATCH_HEADER as usize;
            let candidate = (0..=last).find(|index| {
                let head: [u8; 16] = piece[*index..*index + 16].try_into().expect("sixteen bytes");
                // No file is longer than four gigabytes times 256.
                head[..2] == [0; 2] && RaftBatch::parse(head, at + *index as u64).is_some()
            });
            let Some(index) = candidate else {
                at += last as u64 + 1;
                continue;
            };
            at += index as u64;
            match self.candidate(&mut sums, at) {
                Some((_, Some(key))) if Some(key) == self.key && at > start => {
                    behind.own = Some(at);
                    break;
                }
                Some((end, Some(key))) if self.header.version > 1 && self.key.is_none_or(|mine| key < mine) => {
                    behind.older += 1;
                    at = end;
                }
                _ => at += 1,
            }
        }
        self.sums = Some(sums);
        behind
    }

    /// A batch that might stand here: its end, and the signature of its items if they can be some.
    fn candidate(&mut self, sums: &mut Sums, at: u64) -> Option<(u64, Option<u32>)> {
        let batch = RaftBatch::parse(self.cursor.array(at)?, at)?;
        if batch.end() > self.cursor.length() {
            return None;
        }
        let (from, length) = (at + batch.items, batch.length - batch.items - 4);
        let shown = usize::try_from(length).unwrap_or(usize::MAX).min(256);
        let head = self.small(from, shown);
        if !begin(&head, head.len() as u64 == length) {
            return None;
        }
        let stored = u32::from_le_bytes(self.small(batch.items_sum(), 4).try_into().ok()?);
        let key = stored ^ sums.sum(&mut self.cursor, 0, from, length)?;
        // Whatever stands there has some signature; what is small is one, and entries prove it.
        let entries = match batch.entries_sum() {
            Some(sum) if Some(key) != self.key => {
                let stored = u32::from_le_bytes(self.small(sum, 4).try_into().ok()?);
                sums.sum(&mut self.cursor, 0, at + BATCH_HEADER, sum - at - BATCH_HEADER)? == stored
            }
            _ => true,
        };
        Some((batch.end(), entries.then_some(key)))
    }

    /// A few bytes, which move no window of the cursor.
    fn small(&mut self, at: u64, want: usize) -> Vec<u8> {
        if self.cursor.is_mapped() || self.cursor.holds(at, want) || self.cursor.length() == u64::MAX {
            return self.cursor.bytes(at, want).to_vec();
        }
        let mut room = vec![0; want];
        let given = crate::disk::read_full(&**self.cursor.file(), &mut room, at).unwrap_or(0);
        room.truncate(given);
        room
    }

    /// No batch of this file follows: its end, which is torn, rotten, or what an older file left.
    fn end(&mut self, start: u64, here: Option<(RaftBatch, Sound)>, older: u64) -> Result<(), Halt> {
        (self.summary.end, self.summary.ending) = (start, Ending::Damage);
        let length = self.cursor.length();
        let content = last_content(&mut self.cursor, start);
        let header = self.cursor.array(start).and_then(|header| RaftBatch::parse(header, start));
        let signed_older = |key: u32| self.header.version > 1 && self.key.is_none_or(|mine| key < mine);
        let left = match (here, header) {
            (Some((_, Sound::Signed(key))), _) if signed_older(key) => true,
            // What was written over begins somewhere inside of an older batch. One that would end in the file is this file's own.
            (_, None) => self.header.version > 1 && (older > 0 || content == length && length - start >= BATCH_HEADER),
            (_, Some(batch)) => older > 0 && batch.end() > length,
        };
        if left && self.cursor.next_refused(start).is_none() {
            self.summary.ending = Ending::Remains;
            return Ok(());
        }
        let mut damage = self.diagnose(start, length);
        if older > 0 && damage.facts.look == Look::Interrupted {
            damage.facts.look = Look::Wrong;
        }
        self.own.stops.get_or_insert(start);
        if damage.facts.look != Look::Refused && self.summary.damage.is_empty() {
            self.own.cut = Some(start);
        }
        self.hurt(damage)
    }

    /// What stands in a bad region.
    fn diagnose(&mut self, start: u64, end: u64) -> Damage {
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end.max(start + 1)) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            let mut damage = self.bad(DamageKind::ReadError, start, end.max(to), words);
            damage.facts = Facts::of(Look::Refused);
            return damage;
        }
        let length = self.cursor.length();
        let content = last_content(&mut self.cursor, start);
        let given = self.cursor.bytes(start, BATCH_HEADER as usize).len() as u64;
        let header = self.cursor.array(start).and_then(|header| RaftBatch::parse(header, start));
        let (kind, look, found, to) = match header {
            _ if given < BATCH_HEADER => {
                let words = format!("the end of the file after {given} of {BATCH_HEADER} bytes of a header");
                (DamageKind::CutShort, Look::Interrupted, words, end)
            }
            Some(batch) if batch.end() > length => {
                let words = format!("the end of the file, {} bytes short of the end of the batch", batch.end() - length);
                (DamageKind::CutShort, Look::Interrupted, words, end)
            }
            Some(batch) if content < batch.end() && end == length && content + 4 <= batch.end() => {
                let words = format!("zeros from {content} on, inside of a batch that ends at {}", batch.end());
                (DamageKind::Zeroed, Look::Interrupted, words, batch.end())
            }
            Some(batch) => {
                // A sum that is wrong looks like any signature; what is small may be that of a file.
                const SMALL: u32 = 1 << 20;
                let mine = self.key.unwrap_or_default();
                let found = match self.batch_at(start) {
                    Some((_, Sound::Signed(key))) if self.header.version > 1 && key < mine.saturating_add(SMALL) => {
                        format!("the signature of file {key} where that of this file is {mine}")
                    }
                    _ => "a wrong sum over its items".to_owned(),
                };
                (DamageKind::BadChecksum, Look::Wrong, found, batch.end())
            }
            None if self.cursor.bytes(start, 8) == [0; 8] => {
                (DamageKind::Zeroed, Look::Wrong, "zeros, and more behind them".to_owned(), content)
            }
            // A header of which only the first bytes came.
            None if content < start + BATCH_HEADER && end == length => (
                DamageKind::Zeroed,
                Look::Interrupted,
                format!("zeros from {content} on, inside of a header"),
                start + BATCH_HEADER,
            ),
            None => (DamageKind::NotAFrame, Look::Wrong, "a header that no batch has".to_owned(), content),
        };
        let mut damage = self.bad(kind, start, to.min(end), found);
        damage.facts = Facts::of(look);
        damage
    }
}
