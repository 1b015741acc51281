//! A second look at a place where reading stopped: a writer may have been in the middle of it.
//!
//! Systems that write their logs take no lock that we could ask for, so bytes are the only witness: a stop is a verdict when they were
//! read again after the search that follows them, and had not changed.

use std::time::Duration;

use crate::disk::Cursor;
use crate::model::Result;

/// How much is compared, at the first stops of a walk and at the others: damage can be anywhere, a writer only in a few places.
const PIECE: usize = 64 << 10;
const SMALL_PIECE: usize = 512;
/// How many stops are the first.
const FIRST: u32 = 64;
/// How often a walk comes back to places that changed. A writer that is faster than that all the time is no writer.
const RETURNS: u32 = 1000;
/// How often a stop with whole records after it is read again: no writer leaves many, and a hostile file must not cost more by it.
const HOLES: u32 = 16;
/// How long to wait for bytes to change, in milliseconds, one look after the other.
const WAITS: [u64; 1] = [2];
/// The same where a process has the log open for writing.
const LIVE_WAITS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// The second reads of one walk.
#[derive(Debug, Default)]
pub struct Rereads {
    stops: u32,
    returns: u32,
    holes: u32,
}

/// What stood at a stop before the search that follows it.
#[derive(Debug)]
pub struct Stop {
    at: u64,
    length: u64,
    bytes: Vec<u8>,
}

impl Stop {
    fn moved(&self, cursor: &mut Cursor) -> Result<bool> {
        cursor.refresh()?;
        Ok(cursor.length() != self.length || cursor.bytes(self.at, self.bytes.len()) != self.bytes)
    }
}

impl Rereads {
    /// Remembers what stands at `at`.
    pub fn stop(&mut self, cursor: &mut Cursor, at: u64) -> Stop {
        self.stops = self.stops.saturating_add(1);
        let piece = if self.stops <= FIRST { PIECE } else { SMALL_PIECE };
        Stop { at, length: cursor.length(), bytes: cursor.bytes(at, piece).to_vec() }
    }

    /// Nothing whole follows the stop: whether it changed since, or does so while we wait a little.
    pub fn tail_moves(&mut self, stop: &Stop, cursor: &mut Cursor, live: bool) -> Result<bool> {
        // A pipe whose end was not met cannot be read again.
        if cursor.length() == u64::MAX || self.returns >= RETURNS {
            return Ok(false);
        }
        self.returns += 1;
        cursor.unmap();
        if stop.moved(cursor)? {
            return Ok(true);
        }
        let waits = match (cursor.may_be_written(), live) {
            (false, _) => &[][..],
            (true, false) => &WAITS[..],
            (true, true) => &LIVE_WAITS[..],
        };
        for wait in waits {
            std::thread::sleep(Duration::from_millis(*wait));
            if stop.moved(cursor)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A whole record follows the stop: whether the stop shall be read once more, now that everything before that record must be there.
    pub fn hole_again(&mut self, cursor: &mut Cursor) -> Result<bool> {
        if self.holes >= HOLES || cursor.length() == u64::MAX {
            return Ok(false);
        }
        self.holes += 1;
        cursor.unmap();
        cursor.refresh()?;
        Ok(true)
    }
}
