//! Records for programs: one JSON object a line. The keys are an interface and never change their meaning.
//!
//! Written by hand into a buffer that is used again: a log has millions of records, and a tree of values for each costs more than
//! reading it.

use walctl::formats::Asked;
use walctl::model::{Field, Payload, Record, Result, Value};
use walctl::ops::read::Shown;

use super::meaning::Meaning;
use super::payload::{Spill, View, characters, document, hex, is_utf8, number, push_base64, push_hex};
use super::redact::Redaction;
use crate::cli::render::escape;

/// How records become lines.
#[derive(Debug, Default)]
pub struct Json {
    /// How payloads are shown.
    pub view: View,
    /// Content is replaced by its length and hash.
    pub redact: Option<Redaction>,
    /// The log's name, where several are shown.
    pub log: Option<String>,
    /// What records mean, where that is asked for and known.
    pub meaning: Option<Meaning>,
    /// The segment whose key and value `file` holds.
    segment: String,
    file: Vec<u8>,
}

impl Json {
    /// In that view.
    pub fn new(view: View, redact: Option<Redaction>) -> Json {
        Json { view, redact, ..Json::default() }
    }

    /// Appends the line of a record.
    pub fn record(&mut self, buf: &mut Vec<u8>, shown: &Shown<'_>, spill: &mut Spill<'_>) -> Result<()> {
        let record = shown.record;
        buf.push(b'{');
        if let Some(log) = &self.log {
            buf.extend_from_slice(b"\"log\":");
            string(buf, log);
            buf.push(b',');
        }
        buf.extend_from_slice(b"\"lsn\":");
        optional(buf, record.lsn.map(|lsn| lsn.0));
        buf.extend_from_slice(b",\"kind\":");
        string(buf, record.kind);
        buf.extend_from_slice(b",\"time\":");
        match record.time.and_then(|time| time.rfc3339()) {
            Some(text) => {
                buf.push(b'"');
                buf.extend_from_slice(&text);
                buf.push(b'"');
            }
            None => buf.extend_from_slice(b"null"),
        }
        buf.extend_from_slice(b",\"tag\":");
        optional(buf, record.tag);
        if self.segment != shown.segment.name || self.file.is_empty() {
            self.segment.clone_from(&shown.segment.name);
            self.file.clear();
            self.file.extend_from_slice(b",\"file\":");
            string(&mut self.file, &self.segment);
            self.file.extend_from_slice(b",\"offset\":");
        }
        buf.extend_from_slice(&self.file);
        number(buf, record.span.start());
        buf.extend_from_slice(b",\"length\":");
        number(buf, record.span.length);
        self.payload(buf, &record.payload, spill)?;
        self.meta(buf, record);
        if let Some(meaning) = &mut self.meaning {
            meaning.tell(Asked::Facts, record, |decoded| {
                buf.extend_from_slice(b",\"decoded\":");
                document_text(buf, &decoded.to_json());
            })?;
        }
        if record.encrypted {
            buf.extend_from_slice(b",\"encrypted\":true");
        }
        if shown.after_damage {
            buf.extend_from_slice(b",\"after_damage\":true");
        }
        buf.extend_from_slice(b"}\n");
        Ok(())
    }

    /// The facts that only this format has.
    fn meta(&self, buf: &mut Vec<u8>, record: &Record<'_>) {
        let odd_time = record.time.filter(|time| !time.has_date());
        let last = record.last_lsn.filter(|last| Some(*last) != record.lsn);
        if !record.fields.is_empty() || odd_time.is_some() || last.is_some() {
            buf.extend_from_slice(b",\"meta\":{");
            let start = buf.len();
            for field in record.fields {
                comma(buf, start);
                self.field(buf, field);
            }
            if let Some(last) = last {
                comma(buf, start);
                buf.extend_from_slice(b"\"last_lsn\":");
                number(buf, last.0);
            }
            if let Some(time) = odd_time {
                // A time that no calendar tells: the number stands as it was found.
                comma(buf, start);
                buf.extend_from_slice(b"\"time_us\":");
                number(buf, time.0);
            }
            buf.push(b'}');
        }
    }

    fn payload(&self, buf: &mut Vec<u8>, payload: &Payload<'_>, spill: &mut Spill<'_>) -> Result<()> {
        if let Some(redaction) = &self.redact {
            length(buf, payload);
            buf.extend_from_slice(b",\"payload_hash\":");
            string(buf, &redaction.of(payload)?);
            return Ok(());
        }
        match self.view {
            View::Len => length(buf, payload),
            View::Hex => {
                buf.extend_from_slice(b",\"payload_hex\":\"");
                push_hex(buf, payload, spill)?;
                buf.push(b'"');
            }
            View::Json => match document(payload)? {
                Some(document) => {
                    buf.extend_from_slice(b",\"payload_json\":");
                    document_text(buf, &document);
                }
                None => auto(buf, payload, spill)?,
            },
            View::Text => {
                buf.extend_from_slice(b",\"payload\":\"");
                characters(payload, &mut |piece, _| {
                    for chunk in piece.utf8_chunks() {
                        text(buf, chunk.valid());
                        if !chunk.invalid().is_empty() {
                            push_char(buf, char::REPLACEMENT_CHARACTER);
                        }
                    }
                    spill(buf)
                })?;
                buf.push(b'"');
            }
            View::Base64 => base64(buf, payload, spill)?,
            View::Auto => auto(buf, payload, spill)?,
        }
        Ok(())
    }

    fn field(&self, buf: &mut Vec<u8>, field: &Field<'_>) {
        string(buf, field.name);
        buf.push(b':');
        match (field.value, &self.redact) {
            (Value::Number(n), _) => number(buf, n),
            (Value::Signed(n), _) => {
                if n < 0 {
                    buf.push(b'-');
                }
                number(buf, n.unsigned_abs());
            }
            (Value::Flag(flag), _) => buf.extend_from_slice(if flag { b"true" } else { b"false" }),
            (Value::Text(content), None) => string(buf, content),
            (Value::Bytes(bytes), None) => {
                buf.push(b'"');
                hex(buf, bytes);
                buf.push(b'"');
            }
            // A format's own facts may be keys and names of a user.
            (Value::Text(content), Some(redaction)) => string(buf, &stand_in(redaction, content.as_bytes())),
            (Value::Bytes(bytes), Some(redaction)) => string(buf, &stand_in(redaction, bytes)),
        }
    }
}

/// What stands for a redacted value: its length and hash.
pub fn stand_in(redaction: &Redaction, bytes: &[u8]) -> String {
    format!("{} B #{}", bytes.len(), redaction.of_bytes(bytes))
}

fn auto(buf: &mut Vec<u8>, payload: &Payload<'_>, spill: &mut Spill<'_>) -> Result<()> {
    if let Payload::Whole(bytes) = payload {
        match std::str::from_utf8(bytes) {
            Ok(content) => {
                buf.extend_from_slice(b",\"payload\":");
                string(buf, content);
            }
            Err(_) => base64(buf, payload, spill)?,
        }
        return Ok(());
    }
    // The key tells how to read the value, so all of it is looked at before a byte is written.
    if !is_utf8(payload)? {
        return base64(buf, payload, spill);
    }
    buf.extend_from_slice(b",\"payload\":\"");
    characters(payload, &mut |piece, _| {
        for chunk in piece.utf8_chunks() {
            text(buf, chunk.valid());
        }
        spill(buf)
    })?;
    buf.push(b'"');
    Ok(())
}

fn base64(buf: &mut Vec<u8>, payload: &Payload<'_>, spill: &mut Spill<'_>) -> Result<()> {
    buf.extend_from_slice(b",\"payload_base64\":\"");
    push_base64(buf, payload, spill)?;
    buf.push(b'"');
    Ok(())
}

fn length(buf: &mut Vec<u8>, payload: &Payload<'_>) {
    buf.extend_from_slice(b",\"payload_length\":");
    number(buf, payload.length());
}

fn optional(buf: &mut Vec<u8>, value: Option<u64>) {
    match value {
        Some(n) => number(buf, n),
        None => buf.extend_from_slice(b"null"),
    }
}

fn comma(buf: &mut Vec<u8>, start: usize) {
    if buf.len() > start {
        buf.push(b',');
    }
}

/// Appends a JSON string.
#[inline]
pub fn string(buf: &mut Vec<u8>, content: &str) {
    buf.push(b'"');
    text(buf, content);
    buf.push(b'"');
}

/// What a byte needs inside a JSON string: 0 nothing, 1 an escape, 2 a look at the character that it begins.
const NEED: [u8; 256] = {
    let mut need = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        need[byte] = match byte as u8 {
            0..=0x1f | b'"' | b'\\' | 0x7f => 1,
            0x80..=0xff => 2,
            _ => 0,
        };
        byte += 1;
    }
    need
};

/// So many bytes are looked at together.
const STRIDE: usize = 16;

/// Whether none of these needs an escape. Without a branch for each, so that the processor looks at all of them at once.
#[inline]
fn is_plain(bytes: &[u8; STRIDE]) -> bool {
    bytes.iter().fold(true, |plain, byte| plain & matches!(byte, 0x20..=0x7e) & (*byte != b'"') & (*byte != b'\\'))
}

/// Appends text inside a JSON string. Beyond what JSON asks for, it escapes what could steer a terminal: the meaning is the same.
#[inline]
pub fn text(buf: &mut Vec<u8>, content: &str) {
    let bytes = content.as_bytes();
    buf.reserve(bytes.len());
    let mut from = 0;
    let mut at = 0;
    while at < bytes.len() {
        while bytes[at..].first_chunk().is_some_and(is_plain) {
            at += STRIDE;
        }
        let Some(byte) = bytes.get(at) else { break };
        match NEED[usize::from(*byte)] {
            0 => at += 1,
            1 => {
                buf.extend_from_slice(&bytes[from..at]);
                control(buf, *byte);
                at += 1;
                from = at;
            }
            _ => {
                let c = content[at..].chars().next().expect("a character begins here");
                if !escape::is_plain_char(c) {
                    buf.extend_from_slice(&bytes[from..at]);
                    unicode(buf, c);
                    from = at + c.len_utf8();
                }
                at += c.len_utf8();
            }
        }
    }
    buf.extend_from_slice(&bytes[from..]);
}

#[cold]
fn control(buf: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => buf.extend_from_slice(b"\\\""),
        b'\\' => buf.extend_from_slice(b"\\\\"),
        b'\n' => buf.extend_from_slice(b"\\n"),
        b'\r' => buf.extend_from_slice(b"\\r"),
        b'\t' => buf.extend_from_slice(b"\\t"),
        _ => unicode(buf, char::from(byte)),
    }
}

/// Appends JSON. Strings inside may hold what steers a terminal; outside of strings nothing needs an escape.
fn document_text(buf: &mut Vec<u8>, document: &str) {
    for c in document.chars() {
        if escape::is_plain_char(c) { push_char(buf, c) } else { unicode(buf, c) }
    }
}

fn unicode(buf: &mut Vec<u8>, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        buf.extend_from_slice(b"\\u");
        hex(buf, &unit.to_be_bytes());
    }
}

fn push_char(buf: &mut Vec<u8>, c: char) {
    buf.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use walctl::disk::Segment;
    use walctl::formats::Mark;
    use walctl::model::{Lsn, Pieces, Record, SegmentId, Span, Time};
    use walctl::ops::read::Way;

    fn record(payload: Payload<'_>) -> Record<'_> {
        Record {
            lsn: Some(Lsn(7)),
            last_lsn: Some(Lsn(7)),
            kind: "full",
            time: Some(Time(1_763_652_766_338_261)),
            tag: Some(3),
            payload,
            ..Record::at(Span::new(SegmentId(0), 4096, 4144))
        }
    }

    #[test]
    fn a_character_that_needs_an_escape_is_found_wherever_it_stands() {
        for needs in ['"', '\\', '\n', '\u{1b}', '\u{7f}', '\u{e9}', '\u{202e}', '\u{1f600}'] {
            for length in 0..3 * STRIDE {
                for at in 0..=length {
                    let content = format!("{}{needs}{}", "~".repeat(at), " ".repeat(length - at));
                    let mut quoted = Vec::new();
                    string(&mut quoted, &content);
                    let quoted = String::from_utf8(quoted).expect("text");
                    assert_eq!(serde_json::from_str::<String>(&quoted).expect("JSON"), content);
                    assert!(quoted.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{quoted}");
                }
            }
        }
    }

    fn line(json: &mut Json, record: &Record<'_>, after_damage: bool) -> String {
        let segment = Segment {
            id: SegmentId(0),
            name: "00000000000000000001.wal".into(),
            path: "wal/00000000000000000001.wal".into(),
            sequence: 1,
            length: 0,
            followed: false,
            kind: walctl::disk::EntryKind::File,
        };
        let way = Way { mark: None::<Mark>, ordinal: 0 };
        let shown = Shown { record, segment: &segment, matched: true, after_damage, way };
        let mut buf = Vec::new();
        json.record(&mut buf, &shown, &mut |_| Ok(())).expect("these payloads read");
        String::from_utf8(buf).expect("JSON is UTF-8")
    }

    #[test]
    fn the_keys_of_a_record_are_frozen() {
        let mut json = Json::default();
        assert_eq!(
            line(&mut json, &record(Payload::Whole(b"alpha")), false),
            "{\"lsn\":7,\"kind\":\"full\",\"time\":\"2025-11-20T15:32:46.338261Z\",\"tag\":3,\
             \"file\":\"00000000000000000001.wal\",\"offset\":4096,\"length\":48,\"payload\":\"alpha\"}\n"
        );
        let fields = [
            Field { name: "term", value: Value::Number(2) },
            Field { name: "delta", value: Value::Signed(-5) },
            Field { name: "name", value: Value::Text("a\"b") },
            Field { name: "last", value: Value::Flag(true) },
            Field { name: "key", value: Value::Bytes(&[0, 255]) },
        ];
        let odd = Record {
            lsn: Some(Lsn(7)),
            last_lsn: Some(Lsn(9)),
            time: Some(Time(u64::MAX)),
            tag: None,
            fields: &fields,
            encrypted: true,
            ..record(Payload::Whole(&[0xff, 0xfe]))
        };
        assert_eq!(
            line(&mut json, &odd, true),
            "{\"lsn\":7,\"kind\":\"full\",\"time\":null,\"tag\":null,\"file\":\"00000000000000000001.wal\",\"offset\":4096,\
             \"length\":48,\"payload_base64\":\"//4=\",\"meta\":{\"term\":2,\"delta\":-5,\"name\":\"a\\\"b\",\"last\":true,\
             \"key\":\"00ff\",\"last_lsn\":9,\"time_us\":18446744073709551615},\"encrypted\":true,\"after_damage\":true}\n"
        );
    }

    #[test]
    fn every_view_has_its_own_key() {
        let show = |view, payload: &[u8]| {
            let line = line(&mut Json { view, ..Json::default() }, &record(Payload::Whole(payload)), false);
            let value: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
            value
                .as_object()
                .expect("an object")
                .iter()
                .skip_while(|(k, _)| !k.starts_with("pay"))
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
        };
        let keys =
            |view, payload: &[u8]| show(view, payload).into_iter().find(|k| k.starts_with("payload")).expect("some view of it");
        assert_eq!(keys(View::Hex, b"\x01\xff"), "payload_hex=\"01ff\"");
        assert_eq!(keys(View::Base64, b"a"), "payload_base64=\"YQ==\"");
        assert_eq!(keys(View::Len, b"abc"), "payload_length=3");
        assert_eq!(keys(View::Text, b"a\xffb"), "payload=\"a\u{fffd}b\"");
        assert_eq!(keys(View::Json, b"{ \"a\": 1.50 }"), "payload_json={\"a\":1.5}");
        assert_eq!(keys(View::Json, b"plain"), "payload=\"plain\"");
    }

    #[test]
    fn any_text_reads_back_and_steers_no_terminal() {
        let nasty: String = (0..0x3000u32).filter_map(char::from_u32).chain("\u{1f600}\u{e0001}\u{10ffff}".chars()).collect();
        let line = line(&mut Json::default(), &record(Payload::Whole(nasty.as_bytes())), false);
        let value: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        assert_eq!(value["payload"].as_str(), Some(nasty.as_str()));
        assert!(escape::is_plain(line.trim_end()));
    }

    #[test]
    fn a_long_payload_gives_the_same_line_as_a_short_one() {
        for bytes in ["añ€😀\"\\z".as_bytes(), b"ab\xff\xfecd", b""] {
            for view in [View::Auto, View::Text, View::Hex, View::Base64, View::Json, View::Len] {
                for size in 1..5 {
                    let pieces: &Pieces<'_> = &|take| bytes.chunks(size).try_for_each(&mut *take);
                    let long = record(Payload::Long(bytes.len() as u64, pieces));
                    let mut json = Json { view, ..Json::default() };
                    let whole = line(&mut json, &record(Payload::Whole(bytes)), false);
                    assert_eq!(line(&mut json, &long, false), whole, "{view:?} in pieces of {size}");
                }
            }
        }
    }

    #[test]
    fn redaction_leaves_no_byte_of_the_content() {
        let fields = [Field { name: "key", value: Value::Text("alice") }, Field { name: "raw", value: Value::Bytes(b"bob") }];
        let redact = Some(Redaction::new().expect("the system has random bytes"));
        let secret = Record { fields: &fields, ..record(Payload::Whole(b"hunter2")) };
        let line = line(&mut Json { redact, ..Json::default() }, &secret, false);
        for content in ["hunter2", "alice", "bob", "626f62"] {
            assert!(!line.contains(content), "{line}");
        }
        assert!(line.contains("\"payload_length\":7,\"payload_hash\":\""), "{line}");
    }
}
