//! Lines that are longer than a piece, and ranges that the system refuses to give.

use super::{Bad, LONGEST, PIECE, Walker, piece_is_last};
use crate::disk::Cursor;
use crate::formats::Halt;
use crate::model::{DamageKind, Look};
use memchr::memchr;

impl Walker<'_, '_, '_> {
    /// A range that the system refuses: the line that it is in is lost. Where the next line begins.
    pub(super) fn refused(&mut self, cursor: &mut Cursor, at: u64, end: u64) -> u64 {
        let next = next_line(cursor, end);
        let found = format!("the system cannot read the bytes before {end}");
        let bad = Bad {
            start: at,
            end: next,
            kind: DamageKind::ReadError,
            look: Look::Refused,
            expected: String::new(),
            found,
            begun: true,
        };
        match &mut self.bad {
            Some(before) if before.look == Look::Refused && before.end == at => before.end = next,
            Some(before) if before.end == at => *before = Bad { start: before.start, ..bad },
            _ => self.bad = Some(bad),
        }
        next
    }

    /// A line that one piece does not hold. Where the next one begins.
    pub(super) fn long_line(&mut self, cursor: &mut Cursor, at: u64) -> Result<u64, Halt> {
        let mut line = Vec::new();
        let mut from = at;
        loop {
            let piece = cursor.bytes(from, PIECE);
            if let Some(length) = memchr(b'\n', piece) {
                line.extend_from_slice(&piece[..length]);
                break;
            }
            line.extend_from_slice(piece);
            from += piece.len() as u64;
            if let Some(end) = cursor.refused_at(from) {
                return Ok(self.refused(cursor, at, end));
            }
            if from >= cursor.length() {
                self.retry_long(cursor, at, &line, false)?;
                return Ok(from);
            }
            if line.len() > LONGEST {
                let end = next_line(cursor, from);
                let bad = Bad {
                    start: at,
                    end,
                    kind: DamageKind::NotAFrame,
                    look: Look::Wrong,
                    expected: format!("entry {}", self.due()),
                    found: format!("a line of {} bytes", end - at),
                    begun: false,
                };
                self.settle(None)?;
                self.bad = Some(bad);
                return Ok(end);
            }
        }
        self.retry_long(cursor, at, &line, true)?;
        Ok(at + line.len() as u64 + 1)
    }

    pub(super) fn retry_long(&mut self, cursor: &mut Cursor, at: u64, line: &[u8], ended: bool) -> Result<(), Halt> {
        if !self.line(at, line, ended)? {
            if cursor.unmap_if_faulty() {
                self.mapped = false;
                self.long_line(cursor, at)?;
            } else {
                self.settled = Some(at);
                self.line(at, line, ended)?;
            }
        }
        Ok(())
    }
}

/// Where the line after the one at `at` begins; the end of the file if none does.
pub(super) fn next_line(cursor: &mut Cursor, at: u64) -> u64 {
    let mut at = at;
    loop {
        let piece = cursor.bytes(at, PIECE);
        if let Some(length) = memchr(b'\n', piece) {
            return at + length as u64 + 1;
        }
        at += piece.len() as u64;
        match cursor.refused_at(at) {
            Some(end) => at = end,
            None if piece_is_last(cursor, at) => return at,
            None => {}
        }
    }
}
