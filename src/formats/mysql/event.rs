//! One event: its header, and what the first event of a file says about all of them.

use super::kinds::{FORMAT_DESCRIPTION, name_of};
use crate::disk::{Cursor, crc32};

/// The first bytes of a file.
pub const MAGIC: [u8; 4] = *b"\xfebin";
/// Those of a file that MySQL encrypted as a whole.
pub const ENCRYPTED_MAGIC: [u8; 4] = *b"\xfdbin";
pub const HEADER: u64 = 19;
pub const SUM: u64 = 4;
/// Where in an event its flags stand.
pub const FLAGS_AT: u64 = 17;
/// In the first event of a file: it was not closed.
pub const IN_USE: u16 = 1;
/// It is not from a file: the server made it up for a replica.
pub const ARTIFICIAL: u16 = 0x20;
/// A replica wrote it into its relay log.
pub const RELAY: u16 = 0x40;

/// How the events of a file are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// By a sum at the end of each.
    #[default]
    Summed,
    /// Not at all.
    Plain,
    /// MariaDB encrypted them; only their lengths can be read.
    Sealed,
}

/// The header of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEvent {
    pub at: u64,
    /// Seconds since 1970.
    pub time: u32,
    pub kind: u8,
    pub server: u32,
    pub length: u32,
    /// Where the writer thought that the next one begins, or 0.
    pub next: u32,
    pub flags: u16,
    /// Whether a sum stands at its end.
    pub summed: bool,
}

impl LogEvent {
    pub fn parse(head: &[u8; HEADER as usize], at: u64) -> LogEvent {
        let word = |from: usize| u32::from_le_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]);
        let flags = u16::from_le_bytes([head[17], head[18]]);
        LogEvent { at, time: word(0), kind: head[4], server: word(5), length: word(9), next: word(13), flags, summed: false }
    }

    #[must_use]
    pub fn end(&self) -> u64 {
        self.at + u64::from(self.length)
    }

    /// Where its body begins.
    #[must_use]
    pub fn body(&self) -> u64 {
        self.at + HEADER
    }

    /// How long its body is.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        u64::from(self.length).saturating_sub(HEADER + if self.summed { SUM } else { 0 })
    }

    /// Whether the position that it notes is where it ends.
    #[must_use]
    pub fn counts_well(&self) -> bool {
        self.next == u32::try_from(self.end() & 0xFFFF_FFFF).expect("32 bits")
    }
}

/// What a format description says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    pub guard: Guard,
    pub mariadb: bool,
    /// It has a sum of its own, whatever it says about the others.
    pub guarded: bool,
}

const VERSION_AT: usize = 2;
const VERSION_BYTES: usize = 50;
/// What stands in it at least: version, name, time, and the length of headers.
pub const LEAST_DESCRIPTION: usize = VERSION_AT + VERSION_BYTES + 5;

/// No server that wrote no sums knew more types of events.
const FEW_TYPES: usize = 30;

/// Reads a format description from its body, which is all of it behind the header.
#[must_use]
pub fn writer_of(body: &[u8]) -> Option<Writer> {
    if body.len() < LEAST_DESCRIPTION + 1 || body[..2] != [4, 0] || body[LEAST_DESCRIPTION - 1] != 19 {
        return None;
    }
    let name = version_of(body);
    let mariadb = name.windows(7).any(|part| part.eq_ignore_ascii_case(b"mariadb"));
    // Servers that gave events no sums knew few types, and a byte of it stands for each.
    let guarded = body.len() > LEAST_DESCRIPTION + FEW_TYPES;
    let guard = match body.get(body.len().wrapping_sub(5)) {
        Some(1) if guarded => Guard::Summed,
        _ => Guard::Plain,
    };
    Some(Writer { guard, mariadb, guarded })
}

/// The version of the server, from the body of a format description.
#[must_use]
pub fn version_of(body: &[u8]) -> &[u8] {
    let name = body.get(VERSION_AT..VERSION_AT + VERSION_BYTES).unwrap_or_default();
    &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())]
}

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventHere {
    /// A whole event.
    LogEvent(LogEvent),
    /// The file ends here.
    FileEnds,
    /// Something else.
    Bad,
}

/// Looks at what stands at `at`. `counted` says that events note where they end.
pub fn stands(cursor: &mut Cursor, at: u64, guard: Guard, counted: bool) -> EventHere {
    let Some(head) = cursor.array(at) else {
        let nothing = cursor.bytes(at, 1).is_empty() && cursor.refused_at(at).is_none();
        return if nothing { EventHere::FileEnds } else { EventHere::Bad };
    };
    let mut event = LogEvent::parse(&head, at);
    let least = HEADER + if guard == Guard::Summed { SUM } else { 0 };
    if u64::from(event.length) < least || event.end() > cursor.length() {
        return EventHere::Bad;
    }
    match guard {
        Guard::Sealed => return if all_there(cursor, &event) { EventHere::LogEvent(event) } else { EventHere::Bad },
        // A format description has a sum where all others have none, and may say that they have one from here on.
        Guard::Summed | Guard::Plain if event.kind == FORMAT_DESCRIPTION => {
            let Some(writer) = description(cursor, &event) else { return EventHere::Bad };
            event.summed = writer.guarded;
        }
        Guard::Summed => event.summed = true,
        Guard::Plain => {}
    }
    let whole = match event.summed {
        true => sums_fit(cursor, &event),
        false => plausible(cursor, &event, counted),
    };
    if whole { EventHere::LogEvent(event) } else { EventHere::Bad }
}

/// The body of a format description, which is short.
pub fn description(cursor: &mut Cursor, event: &LogEvent) -> Option<Writer> {
    let bytes = usize::try_from(u64::from(event.length).saturating_sub(HEADER)).ok().filter(|bytes| *bytes < 4096)?;
    let body = cursor.bytes(event.body(), bytes);
    writer_of(body).filter(|_| body.len() == bytes)
}

/// The last byte of an event can be had. Of a pipe, only reading tells where it ends.
fn all_there(cursor: &mut Cursor, event: &LogEvent) -> bool {
    cursor.bytes(event.end() - 1, 1).len() == 1
}

/// Whether the sum of an event fits. That of a format description is taken as if the file had been closed.
fn sums_fit(cursor: &mut Cursor, event: &LogEvent) -> bool {
    computed(cursor, event).is_some_and(|(stored, computed)| stored == computed)
}

/// The sum at the end of an event, and the one over its bytes; `None` when they are not all there.
pub fn computed(cursor: &mut Cursor, event: &LogEvent) -> Option<(u32, u32)> {
    let end = event.end().checked_sub(SUM).filter(|end| *end >= event.body())?;
    let sum = if event.kind == FORMAT_DESCRIPTION {
        let mut head: [u8; HEADER as usize] = cursor.array(event.at)?;
        head[FLAGS_AT as usize] &= !(IN_USE as u8);
        cursor.fold(event.body(), end - event.body(), crc32(0, &head), crc32)?
    } else {
        cursor.fold(event.at, end - event.at, 0, crc32)?
    };
    Some((u32::from_le_bytes(cursor.array(end)?), sum))
}

/// Whether an event that no sum protects can be one.
fn plausible(cursor: &mut Cursor, event: &LogEvent, counted: bool) -> bool {
    if !(all_there(cursor, event) && (name_of(event.kind).is_some() || event.counts_well())) {
        return false;
    }
    // Where it says that it ends elsewhere, and a whole one stands there, its length is wrong.
    let elsewhere = u64::from(event.next);
    let wrong = counted
        && !event.counts_well()
        && elsewhere > event.at + HEADER
        && event.end() < u64::from(u32::MAX)
        && (elsewhere == cursor.length() || header_fits(cursor, elsewhere));
    !wrong
}

/// Whether the header of an event stands there that counts well.
pub fn header_fits(cursor: &mut Cursor, at: u64) -> bool {
    let Some(head) = cursor.array(at) else { return false };
    let event = LogEvent::parse(&head, at);
    name_of(event.kind).is_some() && u64::from(event.length) >= HEADER && event.end() <= cursor.length() && event.counts_well()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(version: &str, types: usize, last: &[u8]) -> Vec<u8> {
        let mut body = vec![4, 0];
        body.extend(version.as_bytes());
        body.resize(VERSION_AT + VERSION_BYTES + 4, 0);
        body.push(19);
        body.resize(body.len() + types, 9);
        body.extend(last);
        body
    }

    #[test]
    fn a_format_description_says_who_wrote_and_whether_sums_follow() {
        let writer =
            |version, types, last: &[u8]| writer_of(&body(version, types, last)).map(|w| (w.guard, w.mariadb, w.guarded));
        assert_eq!(writer("10.11.19-MariaDB-log", 171, &[1, 0, 0, 0, 0]), Some((Guard::Summed, true, true)));
        assert_eq!(writer("9.7.4", 42, &[0, 0, 0, 0, 0]), Some((Guard::Plain, false, true)));
        assert_eq!(writer("5.5.62-log", 27, &[]), Some((Guard::Plain, false, false)));
        assert_eq!(writer_of(&[4, 0]), None);
        assert_eq!(writer_of(&[3; 120]), None);
    }

    #[test]
    fn a_format_description_has_a_byte_behind_the_length_of_headers_and_says_version_4_and_19() {
        let least = body("5.5.62-log", 1, &[]);
        assert_eq!(writer_of(&least), Some(Writer { guard: Guard::Plain, mariadb: false, guarded: false }));
        assert_eq!(writer_of(&least[..least.len() - 1]), None);
        for (at, other) in [(0, 3), (1, 1), (56, 18), (56, 9)] {
            let mut wrong = least.clone();
            wrong[at] = other;
            assert_eq!(writer_of(&wrong), None, "{other} at byte {at}");
        }
    }

    #[test]
    fn a_header_has_its_fields_where_the_page_draws_them() {
        let head = *b"\x01\x02\0\0\x10\x07\0\0\0\x20\0\0\0\x30\0\0\0\x08\x40";
        let event = LogEvent::parse(&head, 16);
        assert_eq!((event.time, event.kind, event.server, event.length, event.next, event.flags), (513, 16, 7, 32, 48, 0x4008));
        assert!(event.counts_well());
        assert_eq!((event.end(), event.body_bytes()), (48, 13));
    }
}
