//! One line of an allsource log: whether it is an entry, and whether its checksum matches.
//!
//! ```text
//! {"sequence":1,"wal_timestamp":"…Z","event":{"id":"…", …},"checksum":4029885192}
//! ```
//! The checksum is the CRC-32 of the sequence, the time as `2026-11-20 15:32:46.338 UTC` and the event's id, one behind the other.
//! Nothing else of the event is covered. The rest is checked for what the system's own reader asks: valid JSON with all fields.

use super::json::{Scanner, Text};
use crate::disk::crc32;
use crate::model::Time;

/// An entry whose checksum matches.
#[derive(Clone, Copy, Debug)]
pub(super) struct ValidEntry<'a> {
    pub(super) sequence: u64,
    /// When it was appended, as it stands there.
    pub(super) written: Text<'a>,
    pub(super) id: Text<'a>,
    pub(super) event_type: Text<'a>,
    pub(super) entity: Text<'a>,
    pub(super) tenant: Option<Text<'a>>,
    pub(super) version: i64,
    pub(super) checksum: u32,
    /// How long its object is.
    pub(super) length: usize,
    /// How deep its payload is nested, the entry itself included.
    pub(super) depth: usize,
}

/// Why a line is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoEntry {
    /// It is not UTF-8 from this byte on.
    Text(usize),
    /// It is not an entry in JSON, from about this byte on.
    Json(usize),
    /// All of it is there, and the checksum says otherwise.
    Sum {
        /// What stands there.
        stored: u32,
        /// What should.
        computed: u32,
    },
}

/// How deep serde_json reads before it gives up: what is deeper the system itself cannot read back.
pub(super) const DEEPEST: usize = 127;

/// Reads a whole line, without its newline.
#[inline]
pub(super) fn read(line: &[u8]) -> Result<ValidEntry<'_>, NoEntry> {
    let text = std::str::from_utf8(line).map_err(|e| NoEntry::Text(e.valid_up_to()))?.as_bytes();
    let mut scanner = Scanner::new(text);
    let entry = scan(&mut scanner)?;
    if scanner.is_done() { Ok(entry) } else { Err(NoEntry::Json(scanner.at())) }
}

/// Reads the entry that a text begins with, whatever follows it.
pub(super) fn read_prefix(text: &[u8]) -> Result<ValidEntry<'_>, NoEntry> {
    let mut scanner = Scanner::new(text);
    let entry = scan(&mut scanner)?;
    match std::str::from_utf8(&text[..entry.length]) {
        Ok(_) => Ok(entry),
        Err(error) => Err(NoEntry::Text(error.valid_up_to())),
    }
}

#[derive(Default)]
struct Fields<'a> {
    sequence: Option<(u64, &'a [u8])>,
    written: Option<Text<'a>>,
    checksum: Option<u32>,
    event: bool,
    id: Option<Text<'a>>,
    event_type: Option<Text<'a>>,
    entity: Option<Text<'a>>,
    tenant: Option<Text<'a>>,
    payload: Option<()>,
    time: Option<Text<'a>>,
    metadata: Option<()>,
    version: Option<i64>,
}

#[inline]
fn scan<'a>(scanner: &mut Scanner<'a>) -> Result<ValidEntry<'a>, NoEntry> {
    let mut fields = Fields::default();
    let read = scanner.object(|scanner, key| match key {
        k if k.is("sequence") => {
            let raw = scanner.number()?;
            once(&mut fields.sequence, (integer(raw)?, raw))
        }
        k if k.is("wal_timestamp") => once(&mut fields.written, scanner.string()?),
        k if k.is("checksum") => once(&mut fields.checksum, u32::try_from(integer(scanner.number()?)?).ok()?),
        k if k.is("event") => {
            let again = std::mem::replace(&mut fields.event, true);
            event(scanner, &mut fields).filter(|()| !again)
        }
        _ => scanner.value(),
    });
    let found = read.and_then(|()| complete(scanner, &fields));
    let Some((entry, raw)) = found else { return Err(NoEntry::Json(scanner.at())) };
    let mut text = Sum::default();
    let written = summed(raw, &entry, &mut text);
    written.ok_or(NoEntry::Json(scanner.at()))?;
    let computed = crc32(0, text.bytes());
    if computed == entry.checksum { Ok(entry) } else { Err(NoEntry::Sum { stored: entry.checksum, computed }) }
}

#[inline]
fn event<'a>(scanner: &mut Scanner<'a>, fields: &mut Fields<'a>) -> Option<()> {
    scanner.object(|scanner, key| match key {
        k if k.is("id") => once(&mut fields.id, scanner.string()?),
        k if k.is("event_type") => once(&mut fields.event_type, scanner.string()?),
        k if k.is("entity_id") => once(&mut fields.entity, scanner.string()?),
        k if k.is("tenant_id") => once(&mut fields.tenant, scanner.string()?),
        k if k.is("payload") => {
            scanner.value()?;
            once(&mut fields.payload, ())
        }
        k if k.is("timestamp") => once(&mut fields.time, scanner.string()?),
        k if k.is("metadata") => {
            scanner.value()?;
            once(&mut fields.metadata, ())
        }
        k if k.is("version") => once(&mut fields.version, std::str::from_utf8(scanner.number()?).ok()?.parse().ok()?),
        _ => scanner.value(),
    })
}

/// The same key twice is no entry.
#[inline]
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

#[inline]
fn integer(raw: &[u8]) -> Option<u64> {
    raw.iter().try_fold(0u64, |n, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// The entry, if no field is missing, and the sequence as it stands there.
#[inline]
fn complete<'a>(scanner: &Scanner<'a>, fields: &Fields<'a>) -> Option<(ValidEntry<'a>, &'a [u8])> {
    let (sequence, raw) = fields.sequence?;
    fields.payload?;
    let mut unused = Sum::default();
    moment(&fields.time?, &mut unused)?;
    let entry = ValidEntry {
        sequence,
        written: fields.written?,
        id: fields.id?,
        event_type: fields.event_type?,
        entity: fields.entity?,
        tenant: fields.tenant,
        version: fields.version?,
        checksum: fields.checksum?,
        length: scanner.at(),
        // The entry and its event are two levels.
        depth: scanner.deepest + 2,
    };
    fields.event.then_some((entry, raw))
}

/// The text that a checksum covers, put together.
#[derive(Debug)]
struct Sum {
    room: [u8; 128],
    used: usize,
}

impl Default for Sum {
    fn default() -> Self {
        Sum { room: [0; 128], used: 0 }
    }
}

impl Sum {
    #[inline]
    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        self.room.get_mut(self.used..self.used + bytes.len())?.copy_from_slice(bytes);
        self.used += bytes.len();
        Some(())
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.room[..self.used]
    }
}

#[inline]
fn summed(sequence: &[u8], entry: &ValidEntry<'_>, text: &mut Sum) -> Option<()> {
    text.push(sequence)?;
    moment(&entry.written, text)?;
    uuid(&entry.id, text)
}

/// Writes a time as the checksum has it. `None` when it is no time.
#[inline]
fn moment(text: &Text<'_>, into: &mut Sum) -> Option<()> {
    if !text.escaped && usual(text.raw) {
        let raw = text.raw;
        into.push(&raw[..10])?;
        into.push(b" ")?;
        into.push(&raw[11..raw.len() - 1])?;
        return into.push(b" UTC");
    }
    unusual(&text.meaning()?, into)
}

/// Whether a time is written as the system writes it: UTC with `T` and `Z`, and a fraction of 0, 3, 6 or 9 digits, no longer than
/// it must be.
#[inline]
fn usual(raw: &[u8]) -> bool {
    if !matches!(raw.len(), 20 | 24 | 27 | 30) || raw[10] != b'T' || raw[raw.len() - 1] != b'Z' {
        return false;
    }
    let two = |at: usize| {
        let (a, b) = (raw[at].wrapping_sub(b'0'), raw[at + 1].wrapping_sub(b'0'));
        if a > 9 || b > 9 { u8::MAX } else { a * 10 + b }
    };
    let (century, year, month, day) = (two(0), two(2), two(5), two(8));
    let fraction = &raw[20.min(raw.len() - 1)..raw.len() - 1];
    century <= 99
        && year <= 99
        && raw[4] == b'-'
        && raw[7] == b'-'
        && day >= 1
        && day <= days(u32::from(century) * 100 + u32::from(year), month)
        && two(11) <= 23
        && raw[13] == b':'
        && two(14) <= 59
        && raw[16] == b':'
        && two(17) <= 59
        && (fraction.is_empty() || (raw[19] == b'.' && fraction.iter().all(u8::is_ascii_digit) && !fraction.ends_with(b"000")))
}

#[inline]
fn days(year: u32, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

/// A time written otherwise: an offset, other digits, a blank. The system reads it, and sums what it would have written itself.
#[cold]
fn unusual(text: &str, into: &mut Sum) -> Option<()> {
    if !text.is_ascii() {
        return None;
    }
    let (head, rest) = (text.get(..19)?, text.get(19..)?);
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("", rest),
    };
    if rest.starts_with('.') && fraction.is_empty() {
        return None;
    }
    let whole = Time::parse(&format!("{head}{zone}"))?.rfc3339()?;
    let mut nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9).collect::<Vec<u8>>();
    while nanos.ends_with(b"000") {
        nanos.truncate(nanos.len() - 3);
    }
    into.push(&whole[..10])?;
    into.push(b" ")?;
    into.push(&whole[11..19])?;
    if !nanos.is_empty() {
        into.push(b".")?;
        into.push(&nanos)?;
    }
    into.push(b" UTC")
}

/// Writes an event's id as the checksum has it: hyphenated, in lower case. `None` when it is none.
#[inline]
fn uuid(text: &Text<'_>, into: &mut Sum) -> Option<()> {
    let raw = text.raw;
    let usual = !text.escaped
        && raw.len() == 36
        && raw.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(b),
        });
    if usual { into.push(raw) } else { other_uuid(&text.meaning()?, into) }
}

#[cold]
fn other_uuid(text: &str, into: &mut Sum) -> Option<()> {
    let plain = text.strip_prefix("urn:uuid:").or_else(|| text.strip_prefix('{')?.strip_suffix('}')).unwrap_or(text);
    let digits: String = match plain.len() {
        36 if plain.bytes().enumerate().all(|(at, b)| (b == b'-') == matches!(at, 8 | 13 | 18 | 23)) => plain.replace('-', ""),
        32 => plain.to_owned(),
        _ => return None,
    };
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let digits = digits.to_ascii_lowercase();
    for (index, part) in [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].into_iter().enumerate() {
        if index > 0 {
            into.push(b"-")?;
        }
        into.push(part.as_bytes())?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"sequence":1,"wal_timestamp":"2026-11-20T15:32:46.338261809Z","event":{"id":"00000000-0000-4000-8000-000000000000","event_type":"t","entity_id":"e","tenant_id":"default","payload":{"a":[1,"\"x\""]},"timestamp":"2025-07-13T02:00:08Z","metadata":null,"version":3},"checksum":4029885192}"#;

    #[test]
    fn the_example_of_the_format_has_its_checksum() {
        let entry = read(LINE.as_bytes()).expect("it is the format's own example");
        assert_eq!((entry.sequence, entry.checksum, entry.version, entry.depth), (1, 4_029_885_192, 3, 4));
    }

    #[test]
    fn each_covered_digit_counts_and_the_payload_does_not() {
        let other = LINE.replacen("46.338", "46.339", 1);
        assert!(matches!(read(other.as_bytes()), Err(NoEntry::Sum { stored: 4_029_885_192, .. })));
        assert!(read(LINE.replacen("[1,", "[2,", 1).as_bytes()).is_ok());
    }

    #[test]
    fn spellings_that_the_system_reads_are_read() {
        for (from, to) in [
            ("2026-11-20T15:32:46.338261809Z", "2026-11-20t15:32:46.338261809z"),
            ("2026-11-20T15:32:46.338261809Z", "2026-11-20T17:02:46.338261809+01:30"),
            ("2026-11-20T15:32:46.338261809Z", "2026-11-20 15:32:46.338261809Z"),
            ("00000000-0000-4000-8000-000000000000", "00000000000040008000000000000000"),
            ("\"tenant_id\":\"default\",", ""),
            ("\"metadata\":null,", ""),
            ("\"sequence\"", "\"sequ\\u0065nce\""),
            ("{\"sequence\"", " {\"extra\":[{}], \"sequence\""),
        ] {
            let line = LINE.replacen(from, to, 1);
            assert_ne!(line, LINE);
            assert!(read(line.as_bytes()).is_ok(), "{line}: {:?}", read(line.as_bytes()));
        }
    }

    #[test]
    fn lines_that_the_system_cannot_read_are_no_entries() {
        for (from, to) in [
            ("\"payload\"", "\"paxload\""),
            ("\"sequence\":1", "\"sequence\":1.0"),
            ("\"sequence\":1", "\"sequence\":-1"),
            ("\"sequence\":1", "\"sequence\":01"),
            ("\"sequence\":1", "\"sequence\":1,\"sequence\":1"),
            ("2025-07-13", "2025-02-30"),
            ("2025-07-13T02:00:08Z", "yesterday"),
            ("\"entity_id\":\"e\"", "\"entity_id\":5"),
            ("}", "}}"),
            ("\"checksum\":4029885192}", "\"checksum\":4029885192"),
            ("\"version\":3", "\"version\":3.5"),
        ] {
            let line = LINE.replacen(from, to, 1);
            assert_ne!(line, LINE);
            assert!(matches!(read(line.as_bytes()), Err(NoEntry::Json(_))), "{line}");
        }
        let mut bytes = LINE.as_bytes().to_vec();
        bytes[150] = 0xE1;
        assert!(matches!(read(&bytes), Err(NoEntry::Text(150))));
    }

    #[test]
    fn a_fraction_is_summed_with_no_more_digits_than_it_needs() {
        let table = [
            ("2026-11-20T15:32:46Z", "2026-11-20 15:32:46 UTC"),
            ("2026-11-20T15:32:46.000Z", "2026-11-20 15:32:46 UTC"),
            ("2026-11-20T15:32:46.5Z", "2026-11-20 15:32:46.500 UTC"),
            ("2026-11-20T15:32:46.120000Z", "2026-11-20 15:32:46.120 UTC"),
            ("2026-11-20T15:32:46.123456Z", "2026-11-20 15:32:46.123456 UTC"),
            ("2026-11-20T15:32:46.000000001Z", "2026-11-20 15:32:46.000000001 UTC"),
        ];
        for (text, expected) in table {
            let mut into = Sum::default();
            moment(&Text { raw: text.as_bytes(), escaped: false }, &mut into).expect("it is a time");
            assert_eq!(std::str::from_utf8(into.bytes()), Ok(expected));
        }
        for wrong in
            ["2026-11-20T15:32:46.Z", "2026-13-20T15:32:46Z", "2026-11-20T24:00:00Z", "", "2026-11-20T15:32:46.33x261809Z"]
        {
            assert!(moment(&Text { raw: wrong.as_bytes(), escaped: false }, &mut Sum::default()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_usual_spelling_of_a_moment_is_known_at_its_edges() {
        for text in [
            "2026-11-20T15:32:46Z",
            "1999-09-29T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T19:49:39.999Z",
            "2024-02-29T00:00:00.123456Z",
            "2026-11-20T15:32:46.338261809Z",
        ] {
            assert!(usual(text.as_bytes()), "{text}");
        }
        for text in [
            "2026-11-20t15:32:46Z",
            "2026-11-20T15:32:46z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T00:60:00Z",
            "2026-11-20T00:00:60Z",
            "2026-11-00T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026/11-20T15:32:46Z",
            "2026-11/20T15:32:46Z",
            "2026-11-20T15.32:46Z",
            "2026-11-20T15:32.46Z",
            "2026-11-20T15:32:46,338Z",
            "2026-11-20T15:32:46.33xZ",
            "2026-11-20T15:32:46.000Z",
            "2026-11-20T15:32:46.338000Z",
            "2026-11-20T15:32:46.33Z",
            "2:26-11-20T15:32:46Z",
            "202/-11-20T15:32:46Z",
        ] {
            assert!(!usual(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn levels_of_a_payload_count_behind_the_two_of_the_entry() {
        for (payload, depth) in [("5", 2), ("{}", 3), ("[[[1]]]", 5), ("[[],[[],[[]]]]", 6)] {
            let line = LINE.replacen("{\"a\":[1,\"\\\"x\\\"\"]}", payload, 1);
            assert_ne!(line, LINE);
            assert_eq!(read(line.as_bytes()).expect("payloads are not covered").depth, depth, "{payload}");
        }
    }
}
