//! Records for spreadsheets and databases: RFC 4180, with one line of heads.

use walctl::model::{Payload, Result, Value};
use walctl::ops::read::Shown;

use super::json::stand_in;
use super::payload::{Spill, View, characters, document, hex, is_utf8, number, push_base64, push_hex};
use super::redact::Redaction;
use crate::cli::render::escape;

/// The heads; `encoding` says how to read `payload`.
pub const HEADS: &[u8] = b"lsn,kind,time,tag,file,offset,length,encrypted,after_damage,meta,encoding,payload\n";

/// How records become lines.
#[derive(Debug, Default)]
pub struct Csv {
    /// How payloads are shown.
    pub view: View,
    /// Content is replaced by its length and hash.
    pub redact: Option<Redaction>,
    /// Several logs are shown: files are told by their paths.
    pub several: bool,
}

impl Csv {
    /// Appends the line of a record.
    pub fn record(&mut self, buf: &mut Vec<u8>, shown: &Shown<'_>, spill: &mut Spill<'_>) -> Result<()> {
        let record = shown.record;
        let optional = |buf: &mut Vec<u8>, value: Option<u64>| {
            if let Some(n) = value {
                number(buf, n);
            }
            buf.push(b',');
        };
        optional(buf, record.lsn.map(|lsn| lsn.0));
        cell(buf, record.kind);
        buf.push(b',');
        match record.time.map(|time| (time, time.rfc3339())) {
            Some((_, Some(digits))) => buf.extend_from_slice(&digits),
            Some((time, None)) => cell(buf, &time.to_string()),
            None => {}
        }
        buf.push(b',');
        optional(buf, record.tag);
        match self.several {
            true => cell(buf, &escape::line(&shown.segment.path.display().to_string())),
            false => cell(buf, &escape::line(&shown.segment.name)),
        }
        buf.push(b',');
        optional(buf, Some(record.span.start()));
        optional(buf, Some(record.span.length));
        buf.extend_from_slice(if record.encrypted { b"true," } else { b"false," });
        buf.extend_from_slice(if shown.after_damage { b"true," } else { b"false," });
        cell(buf, &self.meta(shown));
        buf.push(b',');
        self.payload(buf, &record.payload, spill)?;
        buf.push(b'\n');
        Ok(())
    }

    fn meta(&self, shown: &Shown<'_>) -> String {
        let record = shown.record;
        let mut all: Vec<String> =
            record.fields.iter().map(|field| format!("{}={}", field.name, value(&field.value, self.redact.as_ref()))).collect();
        if let Some(last) = record.last_lsn.filter(|last| Some(*last) != record.lsn) {
            all.push(format!("last_lsn={last}"));
        }
        all.join(" ")
    }

    fn payload(&self, buf: &mut Vec<u8>, payload: &Payload<'_>, spill: &mut Spill<'_>) -> Result<()> {
        if let Some(redaction) = &self.redact {
            cell_after(buf, b"redacted", &format!("{} B #{}", payload.length(), redaction.of(payload)?));
            return Ok(());
        }
        match self.view {
            View::Len => cell_after(buf, b"length", &payload.length().to_string()),
            View::Hex => {
                buf.extend_from_slice(b"hex,");
                push_hex(buf, payload, spill)?;
            }
            View::Text => {
                buf.extend_from_slice(b"escaped,\"");
                characters(payload, &mut |piece, _| {
                    quoted(buf, &escape::text(piece));
                    spill(buf)
                })?;
                buf.push(b'"');
            }
            View::Json => match document(payload)?.filter(|text| escape::is_plain(text)) {
                Some(document) => cell_after(buf, b"json", &document),
                None => auto(buf, payload, spill)?,
            },
            View::Base64 => {
                buf.extend_from_slice(b"base64,");
                push_base64(buf, payload, spill)?;
            }
            View::Auto => auto(buf, payload, spill)?,
        }
        Ok(())
    }
}

/// Text as it is where nothing in it could steer a terminal, for a file of it may be looked at in one; else base64.
fn auto(buf: &mut Vec<u8>, payload: &Payload<'_>, spill: &mut Spill<'_>) -> Result<()> {
    // Most of what people log is plain: it is looked at once.
    let ascii = |bytes: &&[u8]| bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t'));
    if let Some(Ok(text)) = payload.whole().filter(ascii).map(std::str::from_utf8) {
        cell_after(buf, b"text", text);
        return Ok(());
    }
    let tame = |c: char| c == '\n' || c == '\t' || escape::is_plain_char(c);
    let mut plain = is_utf8(payload)?;
    if plain {
        characters(payload, &mut |piece, _| {
            plain = plain && std::str::from_utf8(piece).is_ok_and(|text| text.chars().all(tame));
            Ok(())
        })?;
    }
    if !plain {
        buf.extend_from_slice(b"base64,");
        return push_base64(buf, payload, spill);
    }
    if let Some(Ok(text)) = payload.whole().map(std::str::from_utf8) {
        cell_after(buf, b"text", text);
        return Ok(());
    }
    buf.extend_from_slice(b"text,\"");
    characters(payload, &mut |piece, _| {
        for chunk in piece.utf8_chunks() {
            quoted(buf, chunk.valid());
        }
        spill(buf)
    })?;
    buf.push(b'"');
    Ok(())
}

/// The value of a format's own fact, as text that is safe to show.
pub fn value(value: &Value<'_>, redact: Option<&Redaction>) -> String {
    match (value, redact) {
        (Value::Number(n), _) => n.to_string(),
        (Value::Signed(n), _) => n.to_string(),
        (Value::Flag(flag), _) => flag.to_string(),
        (Value::Text(text), None) => escape::text(text.as_bytes()),
        (Value::Bytes(bytes), None) => {
            let mut digits = Vec::new();
            hex(&mut digits, bytes);
            String::from_utf8_lossy(&digits).into_owned()
        }
        (Value::Text(text), Some(redaction)) => stand_in(redaction, text.as_bytes()),
        (Value::Bytes(bytes), Some(redaction)) => stand_in(redaction, bytes),
    }
}

fn cell_after(buf: &mut Vec<u8>, encoding: &[u8], text: &str) {
    buf.extend_from_slice(encoding);
    buf.push(b',');
    cell(buf, text);
}

/// Appends a cell, in quotes where it needs them.
fn cell(buf: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|b| matches!(b, b'"' | b',' | b'\n' | b'\r')) || text.starts_with(' ') || text.ends_with(' ') {
        buf.push(b'"');
        quoted(buf, text);
        buf.push(b'"');
    } else {
        buf.extend_from_slice(text.as_bytes());
    }
}

fn quoted(buf: &mut Vec<u8>, text: &str) {
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            buf.extend_from_slice(b"\"\"");
        }
        buf.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(view: View, bytes: &[u8]) -> String {
        let mut buf = Vec::new();
        let csv = Csv { view, ..Csv::default() };
        csv.payload(&mut buf, &Payload::Whole(bytes), &mut |_| Ok(())).expect("it reads");
        String::from_utf8(buf).expect("CSV is text")
    }

    #[test]
    fn cells_are_quoted_where_they_must_be_and_say_how_they_are_encoded() {
        assert_eq!(payload(View::Auto, b"alpha"), "text,alpha");
        assert_eq!(payload(View::Auto, b"a,\"b\"\n"), "text,\"a,\"\"b\"\"\n\"");
        assert_eq!(payload(View::Auto, b"\x1b[31m"), "base64,G1szMW0=");
        assert_eq!(payload(View::Auto, b"\xff"), "base64,/w==");
        assert_eq!(payload(View::Text, b"\x1b\"\xff"), "escaped,\"\\x1b\"\"\\xff\"");
        assert_eq!(payload(View::Json, b"[ 1, 2 ]"), "json,\"[1,2]\"");
        assert_eq!(payload(View::Len, b"abc"), "length,3");
        assert_eq!(HEADS.split(|b| *b == b',').count(), 12);
    }
}
