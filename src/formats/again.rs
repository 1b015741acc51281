//! A second look at a place where reading stopped: a writer may have been in the middle of it.
//!
//! Systems that write their logs take no lock that we could ask for, so bytes are the only witness: a stop is a verdict when they were
//! read again after the search that follows them, and had not changed. Those must be the bytes that were judged: where the cursor no
//! longer holds them, what is remembered was read later, and the place is judged once more.

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
    /// The stop that was read after it had been judged.
    unjudged: Option<Stop>,
}

/// What stood at a stop before the search that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    at: u64,
    length: u64,
    bytes: Vec<u8>,
    /// The cursor held the bytes already, so these are the ones that were judged.
    held: bool,
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
        let held = cursor.holds(at, piece);
        Stop { at, length: cursor.length(), bytes: cursor.bytes(at, piece).to_vec(), held }
    }

    /// Nothing whole follows the stop: whether it changed since, or does so while we wait a little.
    pub fn tail_moves(&mut self, stop: &Stop, cursor: &mut Cursor, live: bool) -> Result<bool> {
        // A pipe whose end was not met cannot be read again.
        if cursor.length() == u64::MAX || self.returns >= RETURNS {
            return Ok(false);
        }
        self.returns += 1;
        cursor.unmap();
        if stop.moved(cursor)? || self.judged_before_it_was_read(stop, cursor) {
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

    /// Whether what was judged may be older than what is remembered. The second time the same bytes stand there, before the judging and
    /// behind it.
    fn judged_before_it_was_read(&mut self, stop: &Stop, cursor: &Cursor) -> bool {
        if stop.held || !cursor.may_be_written() || self.unjudged.as_ref() == Some(stop) {
            return false;
        }
        self.unjudged = Some(stop.clone());
        true
    }

    /// A whole record follows the stop: whether the stop shall be read once more, now that everything before that record must be there.
    /// A writer can be met often, where it goes over what it wrote before; what stands still is read again a few times only.
    pub fn hole_again(&mut self, stop: &Stop, cursor: &mut Cursor) -> Result<bool> {
        if self.holes >= HOLES || self.returns >= RETURNS || cursor.length() == u64::MAX {
            return Ok(false);
        }
        cursor.unmap();
        if stop.moved(cursor)? {
            self.returns += 1;
        } else {
            self.holes += 1;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;
    use crate::disk::{Disk as _, Open, RealDisk};

    const LENGTH: u64 = 1 << 20;

    /// A log of zeros, and a second handle that writes to it.
    fn log() -> (tempfile::TempDir, std::fs::File, Cursor) {
        let dir = tempfile::tempdir().expect("room for a folder");
        let path = dir.path().join("log");
        let writer = std::fs::File::create(&path).expect("room for a file");
        writer.set_len(LENGTH).expect("room for its length");
        let file = RealDisk.open(&path, Open::READ).expect("it is there");
        (dir, writer, Cursor::new(file.into(), LENGTH))
    }

    #[test]
    fn bytes_that_came_between_judging_and_remembering_are_judged_again() {
        let (_dir, writer, mut cursor) = log();
        // A window is full of zeros, and the last of its frames is judged; the whole stop does not fit in.
        let at = (256 << 10) - 100;
        assert_eq!(cursor.bytes(0, 8), [0; 8]);
        assert_eq!(cursor.bytes(at, 24), [0; 24]);
        writer.write_all_at(b"a whole frame", at).expect("room for it");
        let mut rereads = Rereads::default();
        let stop = rereads.stop(&mut cursor, at);
        assert!(rereads.tail_moves(&stop, &mut cursor, true).expect("it can be read"), "zeros were judged, and there are none");
        // Now it is judged from bytes that do not change any more.
        assert_eq!(cursor.bytes(at, 13), b"a whole frame");
        let stop = rereads.stop(&mut cursor, at);
        assert!(!rereads.tail_moves(&stop, &mut cursor, true).expect("it can be read"));
    }

    #[test]
    fn a_place_that_is_never_held_when_it_is_remembered_is_judged_twice_and_not_for_ever() {
        let (_dir, _writer, mut cursor) = log();
        let mut rereads = Rereads::default();
        for moves in [true, false, false] {
            cursor.refresh().expect("it can be read");
            let stop = rereads.stop(&mut cursor, 8);
            assert_eq!(rereads.tail_moves(&stop, &mut cursor, false).expect("it can be read"), moves);
        }
    }

    #[test]
    fn holes_that_a_writer_fills_are_looked_at_again_and_again_and_others_are_not() {
        let (_dir, writer, mut cursor) = log();
        let mut rereads = Rereads::default();
        for step in 0..3 * u64::from(HOLES) {
            let stop = rereads.stop(&mut cursor, step * 24);
            writer.write_all_at(b"a whole frame", step * 24).expect("room for it");
            assert!(rereads.hole_again(&stop, &mut cursor).expect("it can be read"), "hole {step} was being filled");
        }
        let again = (0..3 * u64::from(HOLES)).filter(|step| {
            let stop = rereads.stop(&mut cursor, LENGTH / 2 + step * 24);
            rereads.hole_again(&stop, &mut cursor).expect("it can be read")
        });
        assert_eq!(again.count(), 16, "what stands still is damage");
    }

    #[test]
    fn bytes_that_were_held_are_judged_once() {
        let (_dir, _writer, mut cursor) = log();
        let mut rereads = Rereads::default();
        assert_eq!(cursor.bytes(8, 24), [0; 24]);
        let stop = rereads.stop(&mut cursor, 8);
        assert!(!rereads.tail_moves(&stop, &mut cursor, false).expect("it can be read"));
    }
}
