//! Where the next whole event stands behind damage.

use super::super::resync::Sums;
use super::event::{EventHere, Guard, HEADER, LogEvent, SUM, stands};
use super::kinds::{FORMAT_DESCRIPTION, name_of};
use crate::disk::{Cursor, zero_prefix};

/// How much is searched at a time.
const PIECE: usize = 64 << 10;
/// Behind this much no chain of lengths is looked for: every byte of it takes a bit of memory.
const CHAIN: u64 = 64 << 20;
/// How many events must follow each other up to the end, where lengths are all there is.
const LINKS: u8 = 3;

/// How often that is looked at: each look reads somewhere else.
const FOLLOWED: u32 = 10_000;
/// CRC-32 of bytes and their own sum behind them, whatever they are.
const WITH_ITS_SUM: u32 = 0x2144_DF1C;

/// Searches of one walk.
#[derive(Debug, Default)]
pub struct EventSearch {
    sums: Option<Sums>,
    /// How often it was looked whether others follow.
    followed: u32,
}

impl EventSearch {
    /// Forgets sums: the bytes may have changed.
    pub fn forget(&mut self) {
        self.sums = None;
    }

    /// The first whole event at or behind `from`: of a known type, with a length that the file has room for and a sum that fits.
    pub fn find(&mut self, cursor: &mut Cursor, from: u64, guard: Guard, counted: bool) -> Option<u64> {
        if guard == Guard::Sealed {
            return chain(cursor, from);
        }
        let mut room = Vec::new();
        let mut at = from;
        loop {
            let piece = cursor.bytes(at, PIECE);
            if piece.len() < HEADER as usize {
                let given = piece.len() as u64;
                at = cursor.refused_at(at + given).filter(|end| *end > at)?;
                continue;
            }
            if zero_prefix(piece) == piece.len() {
                at = cursor.zeros_end(at).saturating_sub(HEADER - 1).max(at + 1);
                continue;
            }
            room.clear();
            room.extend_from_slice(piece);
            for (skip, head) in room.windows(HEADER as usize).enumerate() {
                let head: &[u8; HEADER as usize] = head.try_into().expect("a window of that size");
                if name_of(head[4]).is_some() && self.whole(cursor, LogEvent::parse(head, at + skip as u64), guard, counted) {
                    return Some(at + skip as u64);
                }
            }
            at += room.len() as u64 - (HEADER - 1);
        }
    }

    fn whole(&mut self, cursor: &mut Cursor, event: LogEvent, guard: Guard, counted: bool) -> bool {
        let least = HEADER + if guard == Guard::Summed { SUM } else { 0 };
        if u64::from(event.length) < least || event.end() > cursor.length() || event.flags & 0xF000 != 0 {
            return false;
        }
        if event.kind == FORMAT_DESCRIPTION {
            return matches!(stands(cursor, event.at, guard, counted), EventHere::LogEvent(_));
        }
        match guard {
            Guard::Summed => {
                let sums = self.sums.get_or_insert_with(|| Sums::from(event.at));
                sums.sum(cursor, 0, event.at, u64::from(event.length)) == Some(WITH_ITS_SUM)
            }
            // Where no sum says so, it must note its own end, or others must follow it.
            Guard::Plain if counted => event.counts_well(),
            Guard::Plain => {
                self.followed += 1;
                self.followed < FOLLOWED && follow(cursor, event, LINKS)
            }
            Guard::Sealed => false,
        }
    }
}

/// Whether events of known types follow, each where the one before it ends.
fn follow(cursor: &mut Cursor, mut event: LogEvent, links: u8) -> bool {
    for _ in 0..links {
        if name_of(event.kind).is_none() || u64::from(event.length) < HEADER || event.end() > cursor.length() {
            return false;
        }
        if event.end() == cursor.length() {
            return true;
        }
        let Some(head) = cursor.array(event.end()) else { return false };
        event = LogEvent::parse(&head, event.end());
    }
    true
}

/// The first place behind `from` from which lengths lead, event by event, exactly to the end of the file.
fn chain(cursor: &mut Cursor, from: u64) -> Option<u64> {
    let length = cursor.length();
    let bytes = length.checked_sub(from).filter(|bytes| *bytes <= CHAIN && *bytes > HEADER)?;
    let size = usize::try_from(bytes).ok()?;
    // How many events lead from a byte to the end, as far as that matters.
    let mut links = vec![0u8; size + 1];
    links[size] = 1;
    let (mut first, mut end) = (None, length);
    while end > from {
        let start = end.saturating_sub(PIECE as u64).max(from);
        let want = usize::try_from(end - start).expect("a piece") + 12;
        let piece = cursor.bytes(start, want).to_vec();
        for at in (start..end).rev() {
            let inside = usize::try_from(at - start).expect("in the piece");
            let Some(word) = piece.get(inside + 9..inside + 13) else { continue };
            let claimed = u64::from(u32::from_le_bytes(word.try_into().expect("four bytes")));
            if claimed < HEADER || claimed > length - at {
                continue;
            }
            let target = usize::try_from(at + claimed - from).expect("inside the file");
            if links[target] > 0 {
                let here = links[target].saturating_add(1);
                links[usize::try_from(at - from).expect("inside the file")] = here;
                if here > LINKS {
                    first = Some(at);
                }
            }
        }
        end = start;
    }
    first
}
