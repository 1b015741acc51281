//! What records mean: messages with their subjects and headers, and deletions.

use serde_json::{Value, json};

use super::super::{Decoded, Decoder, plain, words};
use super::record::{HEADER, Head};
use crate::disk::{Source, read_full};
use crate::model::{Record, Value as FieldValue};

/// Headers longer than this are not read again.
const LONGEST: u64 = 1 << 20;
/// Headers whose values the server gives a meaning, and that are no secret.
const OPEN: [&str; 6] = ["nats-msg-id", "nats-expected-", "nats-rollup", "nats-ttl", "nats-marker-reason", "nats-batch-"];

/// The decoder of one log.
pub fn decode(source: &Source) -> Decoder {
    let source = source.clone();
    Box::new(move |record, payload, decoded| {
        let number = |name: &str| match record.fields.iter().find(|field| field.name == name)?.value {
            FieldValue::Number(number) => Some(number),
            _ => None,
        };
        match record.kind {
            "erased" => decoded.sentence = "erased".to_owned(),
            "tombstone" => {
                let Some(sequence) = number("deletes") else { return };
                decoded.fact("deletes", sequence);
                decoded.sentence = format!("deletes {sequence}");
            }
            _ => {
                let subject = record.fields.iter().find_map(|field| match (field.name, field.value) {
                    ("subject", FieldValue::Text(subject)) => Some(subject),
                    _ => None,
                });
                let headers = number("header_len").filter(|length| (1..=LONGEST).contains(length));
                let headers = headers.and_then(|length| headers_of(&source, record, length));
                message(subject.unwrap_or_default(), headers.as_deref(), payload, decoded);
            }
        }
    })
}

fn message(subject: &str, headers: Option<&[u8]>, payload: &[u8], decoded: &mut Decoded<'_>) {
    decoded.fact("subject", subject);
    let parsed = headers.and_then(parse);
    if let Some(lines) = &parsed {
        let shown: Vec<Value> = lines
            .iter()
            .map(|(name, value)| {
                let lower = name.to_lowercase();
                let open = OPEN.iter().any(|known| lower.starts_with(known));
                json!({ "name": name, "value": if open { plain(value) } else { decoded.secret(value) } })
            })
            .collect();
        decoded.fact("headers", shown);
    }
    decoded.fact("message", decoded.secret(payload));
    let names: Vec<String> = parsed.unwrap_or_default().iter().map(|(name, _)| words(name.as_bytes())).collect();
    let names = if names.is_empty() { String::new() } else { format!(" [{}]", names.join(", ")) };
    decoded.sentence = format!("{subject}{names} {}", decoded.secret_words(payload));
}

/// The headers of a message, which stand in front of it; `None` of a stream that can be read once.
fn headers_of(source: &Source, record: &Record<'_>, length: u64) -> Option<Vec<u8>> {
    let segment = source.segments.get(record.span.place.segment.index())?;
    let file = source.file(segment).ok()?;
    file.identity()?;
    let mut header = [0; HEADER];
    let start = record.span.start();
    if read_full(file.as_ref(), &mut header, start).ok()? < HEADER {
        return None;
    }
    let head = Head::parse(&header, start)?;
    let at = head.behind_subject() + 4;
    if !head.has_headers || at + length > record.span.end() {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let count = read_full(file.as_ref(), &mut bytes, at).ok()?;
    bytes.truncate(count);
    Some(bytes)
}

/// Names and values, in their order.
fn parse(bytes: &[u8]) -> Option<Vec<(String, &[u8])>> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next()?;
    let mut all = Vec::new();
    if let Some(status) = first.strip_prefix(b"NATS/1.0")?.strip_prefix(b" ") {
        all.push(("Status".to_owned(), status));
    }
    for line in lines.take_while(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = &line[colon + 1..];
        let value = value.strip_prefix(b" ").unwrap_or(value);
        all.push((String::from_utf8_lossy(&line[..colon]).into_owned(), value));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::Secrets;

    #[test]
    fn values_of_headers_are_hidden_unless_the_server_gives_them_a_meaning() {
        let hash = |_: &[u8]| "h".to_owned();
        let mut decoded = Decoded::new(Secrets::Hidden(&hash));
        let headers = b"NATS/1.0\r\nNats-Msg-Id: 7\r\nToken: secret\r\n\r\n";
        message("orders.paid", Some(headers), b"body", &mut decoded);
        assert_eq!(decoded.sentence, "orders.paid [Nats-Msg-Id, Token] 4 B #h");
        let text = decoded.to_json();
        assert!(text.contains(r#""value":"7""#) && !text.contains("secret") && !text.contains("body"), "{text}");
    }

    #[test]
    fn what_are_no_headers_is_left_alone() {
        assert!(parse(b"HTTP/1.0\r\n\r\n").is_none() && parse(b"NATS/1.0\r\nno colon\r\n\r\n").is_none());
        assert_eq!(parse(b"NATS/1.0 503\r\n\r\n"), Some(vec![("Status".to_owned(), &b"503"[..])]));
    }
}
