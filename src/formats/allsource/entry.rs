//! One line of an allsource log: whether it is an entry, and whether its checksum matches.
//!
//! FORMAT.md has the line and what its checksum covers. The rest is checked for what the system's own reader asks: valid JSON with all
//! fields.
//!
//! The text is read by `serde_json` with borrowed strings. What the checksum leaves open, the payload, is passed over as it stands
//! ([`RawValue`]) and looked through once more for what serde_json does not check there and the system's reader does. On one core of the
//! machine where this was decided that reads 550 to 950 MB of lines a second, and a scanner written for these lines, six times as long
//! as this, read 620 to 5,000: no disk is faster than the slower one.

use std::borrow::Cow;

use memchr::memchr2;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::disk::crc32;
use crate::model::Time;

/// An entry whose checksum matches.
#[derive(Clone, Debug)]
pub(super) struct ValidEntry<'a> {
    pub(super) sequence: u64,
    /// When it was appended, as it stands there.
    pub(super) written: Cow<'a, str>,
    pub(super) id: Cow<'a, str>,
    pub(super) event_type: Cow<'a, str>,
    pub(super) entity: Cow<'a, str>,
    pub(super) tenant: Cow<'a, str>,
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

/// The entry as it is written. As in the system's own reader, other keys are passed over and none may come twice.
#[derive(Deserialize)]
struct WrittenEntry<'a> {
    #[serde(borrow)]
    sequence: &'a RawValue,
    #[serde(borrow)]
    wal_timestamp: Cow<'a, str>,
    #[serde(borrow)]
    event: WrittenEvent<'a>,
    checksum: u32,
}

#[derive(Deserialize)]
struct WrittenEvent<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    entity_id: Cow<'a, str>,
    #[serde(borrow, default = "usual_tenant")]
    tenant_id: Cow<'a, str>,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    version: i64,
}

fn usual_tenant<'a>() -> Cow<'a, str> {
    Cow::Borrowed("default")
}

/// Reads a whole line, without its newline.
pub(super) fn read(line: &[u8]) -> Result<ValidEntry<'_>, NoEntry> {
    let text = std::str::from_utf8(line).map_err(|e| NoEntry::Text(e.valid_up_to()))?;
    let line = serde_json::from_str(text).map_err(|error| NoEntry::Json(place(&error)))?;
    check(line, text.len())
}

/// Reads the entry that a text begins with, whatever follows it.
pub(super) fn read_prefix(text: &[u8]) -> Result<ValidEntry<'_>, NoEntry> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<WrittenEntry<'_>>();
    let line = match values.next() {
        Some(Ok(line)) => line,
        Some(Err(error)) => return Err(NoEntry::Json(place(&error))),
        None => return Err(NoEntry::Json(0)),
    };
    let length = values.byte_offset();
    match std::str::from_utf8(&text[..length]) {
        Ok(_) => check(line, length),
        Err(error) => Err(NoEntry::Text(error.valid_up_to())),
    }
}

/// About where: a line has no newline in it, so its columns are its bytes.
fn place(error: &serde_json::Error) -> usize {
    error.column().saturating_sub(1)
}

/// What the types leave open: the digits of the sequence, both times, the payload, and the checksum.
fn check(line: WrittenEntry<'_>, length: usize) -> Result<ValidEntry<'_>, NoEntry> {
    let (event, mut text) = (line.event, Sum::default());
    let mut known = || {
        let sequence = integer(line.sequence.get())?;
        moment(&event.timestamp, &mut Sum::default())?;
        let below = levels(event.payload.get())?.max(event.metadata.map_or(Some(0), |raw| levels(raw.get()))?);
        text.push(line.sequence.get().as_bytes())?;
        moment(&line.wal_timestamp, &mut text)?;
        uuid(&event.id, &mut text)?;
        Some((sequence, below))
    };
    let (sequence, below) = known().ok_or(NoEntry::Json(length))?;
    let (stored, computed) = (line.checksum, crc32(0, text.bytes()));
    if computed != stored {
        return Err(NoEntry::Sum { stored, computed });
    }
    Ok(ValidEntry {
        sequence,
        written: line.wal_timestamp,
        id: event.id,
        event_type: event.event_type,
        entity: event.entity_id,
        tenant: event.tenant_id,
        version: event.version,
        checksum: stored,
        length,
        // The entry and its event are two levels.
        depth: below + 2,
    })
}

fn integer(raw: &str) -> Option<u64> {
    raw.bytes().all(|b| b.is_ascii_digit()).then(|| raw.parse().ok())?
}

/// How deep a value is nested. `None` when a string in it holds half of a surrogate pair: that is no character, so the system cannot
/// read the entry, and serde_json does not look for it where it passes a value over.
fn levels(raw: &str) -> Option<usize> {
    let bytes = raw.as_bytes();
    let (mut at, mut depth, mut deepest) = (0, 0usize, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => at = string_end(bytes, at)?,
            _ => {}
        }
    }
    Some(deepest)
}

/// After the string whose content begins at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let unit = |at: usize| match bytes.get(at..at + 2)? {
        b"\\u" => u32::from_str_radix(std::str::from_utf8(bytes.get(at + 2..at + 6)?).ok()?, 16).ok(),
        _ => None,
    };
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += match unit(at) {
            Some(0xD800..=0xDBFF) => unit(at + 6).filter(|low| (0xDC00..=0xDFFF).contains(low)).map(|_| 12)?,
            Some(0xDC00..=0xDFFF) => return None,
            Some(_) => 6,
            None => 2,
        };
    }
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

/// Writes a time as the checksum has it. `None` when it is no time.
#[inline]
fn moment(text: &str, into: &mut Sum) -> Option<()> {
    let raw = text.as_bytes();
    if usual(raw) {
        into.push(&raw[..10])?;
        into.push(b" ")?;
        into.push(&raw[11..raw.len() - 1])?;
        return into.push(b" UTC");
    }
    unusual(text, into)
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
fn uuid(text: &str, into: &mut Sum) -> Option<()> {
    let raw = text.as_bytes();
    let usual = raw.len() == 36
        && raw.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(b),
        });
    if usual { into.push(raw) } else { other_uuid(text, into) }
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
            ("\"tenant_id\":\"default\"", "\"tenant_id\":null"),
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
            moment(text, &mut into).expect("it is a time");
            assert_eq!(std::str::from_utf8(into.bytes()), Ok(expected));
        }
        for wrong in
            ["2026-11-20T15:32:46.Z", "2026-13-20T15:32:46Z", "2026-11-20T24:00:00Z", "", "2026-11-20T15:32:46.33x261809Z"]
        {
            assert!(moment(wrong, &mut Sum::default()).is_none(), "{wrong}");
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

    /// The system reads a payload into a value; we pass over it, and must take and refuse the same.
    #[test]
    fn every_changed_byte_of_a_payload_is_judged_as_serde_json_judges_the_value() {
        let payload = r#"{"a":[1,-25,true,null,{"b":"x\"y\u00e9\ud83d\ude00"}],"c":{},"d":"0123456789abcdef"}"#;
        let line = LINE.replacen(r#"{"a":[1,"\"x\""]}"#, payload, 1);
        let from = line.find(payload).expect("it was put there");
        for at in from..from + payload.len() {
            for byte in 0..=0x7Fu8 {
                let mut changed = line.clone().into_bytes();
                changed[at] = byte;
                let text = std::str::from_utf8(&changed).expect("ASCII");
                let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
                // A quote may end the payload's string so that a key of the entry is lost in it.
                let taken = read(&changed).is_ok();
                assert!(taken == expected || !taken && byte == b'"', "{text}");
            }
        }
    }

    #[test]
    fn half_a_pair_of_surrogates_is_no_character_wherever_it_stands() {
        for broken in [r"\ud800", r"\udc00", r"\ud800x", r"\ud800\n", r"\ud800\u0041", r"\udc00\ud800", r"\\\ud800"] {
            for (from, to) in
                [("\\\"x\\\"", broken.to_owned()), ("null", format!("[\"{broken}\"]")), ("\"t\"", format!("\"{broken}\""))]
            {
                let line = LINE.replacen(from, &to, 1);
                assert_ne!(line, LINE);
                assert!(matches!(read(line.as_bytes()), Err(NoEntry::Json(_))), "{line}");
            }
        }
        for whole in [r"\ud83d\ude00", r"\\ud800", r"\\\\ud800"] {
            let line = LINE.replacen("\\\"x\\\"", whole, 1);
            assert!(read(line.as_bytes()).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_million_brackets_cost_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        for from in ["{\"a\":[1,\"\\\"x\\\"\"]}", "null"] {
            let line = LINE.replacen(from, &deep, 1);
            assert_eq!(read(line.as_bytes()).expect("its bytes are whole").depth, 1_000_002);
        }
        let extra = LINE.replacen('{', &format!("{{\"extra\":{deep},"), 1);
        assert!(read(extra.as_bytes()).is_ok());
        let open = LINE.replacen("null", &"{\"a\":".repeat(1_000_000), 1);
        assert!(read(open.as_bytes()).is_err());
    }

    #[test]
    fn an_entry_is_read_whatever_follows_it_and_only_as_far_as_it_goes() {
        for behind in ["", " ", "{\"sequence\":2", "x", "\u{e9}"] {
            let text = [LINE, behind].concat();
            assert_eq!(read_prefix(text.as_bytes()).map(|entry| entry.length), Ok(LINE.len()), "{behind}");
            assert_eq!(read(text.as_bytes()).is_ok(), behind.trim().is_empty(), "{behind}");
        }
        let mut bytes = LINE.as_bytes().to_vec();
        bytes.push(0xFF);
        assert!(read_prefix(&bytes).is_ok());
        let at = LINE.find("default").expect("it is there");
        bytes[at] = 0xFF;
        assert!(read_prefix(&bytes).is_err());
        assert!(read_prefix(b"").is_err() && read_prefix(b"[]").is_err());
    }
}
