//! What events mean: a sentence for people, facts for programs.

use serde_json::{Value as Json, json};

use super::super::zstandard::{Unpacked, Unpacker};
use super::super::{Decoded, Decoder};
use super::body::{Body, first_word, gtid_list, previous_gtids, query};
use super::event::{HEADER, LogEvent};
use super::kinds::{QUERY, QUERY_COMPRESSED, TABLE_MAP, TRANSACTION_PAYLOAD, UNKNOWN, name_of, rows_kind};
use super::rows::{inflate, table_map};
use super::transactions::{TransactionTracker, uuid};
use crate::disk::Source;
use crate::model::{Record, Value};

/// The decoder of a log. What an event needs of those before it the walk has put beside it.
pub fn decode(_: &Source) -> Decoder {
    Box::new(|record, body, decoded| {
        let kind = number(record, "type").and_then(|kind| u8::try_from(kind).ok());
        let Some(kind) = kind else { return };
        describe(kind, record, body, decoded);
        if let (Some(bytes), Some(seconds)) = (number(record, "transaction_bytes"), number(record, "transaction_seconds")) {
            let end = format!("the transaction ends: {bytes} bytes, {seconds} s");
            decoded.sentence = if decoded.sentence.is_empty() { end } else { format!("{}; {end}", decoded.sentence) };
        }
    })
}

pub fn number(record: &Record<'_>, name: &str) -> Option<u64> {
    record.fields.iter().find_map(|field| match field.value {
        Value::Number(number) if field.name == name => Some(number),
        _ => None,
    })
}

pub fn text<'a>(record: &Record<'a>, name: &str) -> Option<&'a str> {
    record.fields.iter().find_map(|field| match field.value {
        Value::Text(text) if field.name == name => Some(text),
        _ => None,
    })
}

fn describe(kind: u8, record: &Record<'_>, body: &[u8], decoded: &mut Decoded<'_>) {
    let mut bytes = Body(body);
    match kind {
        QUERY | QUERY_COMPRESSED => statement(kind == QUERY_COMPRESSED, body, decoded),
        3 => decoded.sentence = "the server was shut down".to_owned(),
        4 => {
            let (Some(position), name) = (bytes.number(8), String::from_utf8_lossy(bytes.0)) else { return };
            decoded.fact("next_file", name.as_ref());
            decoded.fact("position", position);
            decoded.sentence = format!("goes on in {name} at {position}");
        }
        5 => {
            let (Some(which), Some(value)) = (bytes.number(1), bytes.number(8)) else { return };
            let name = if which == 1 { "last_insert_id" } else { "insert_id" };
            decoded.fact(name, value);
            decoded.sentence = format!("{name} {value}");
        }
        14 => user_variable(bytes, decoded),
        15 => description(record, body, decoded),
        16 => {
            let Some(xid) = bytes.number(8) else { return };
            decoded.fact("xid", xid);
            decoded.sentence = format!("commit, xid {xid}");
        }
        TABLE_MAP => {
            let Some(map) = table_map(body) else { return };
            decoded.fact("table", map.name.as_str());
            decoded.fact("table_id", map.id);
            decoded.sentence = format!("table {} is {}", map.id, map.name);
        }
        26 => decoded.sentence = "the server could not write some of what it did".to_owned(),
        29 | 160 => {
            let query = if kind == 29 { body.get(1..).unwrap_or_default() } else { body };
            words_of(query, decoded);
            decoded.sentence = format!("statement: {}", shown(query, decoded));
        }
        33 | 34 | 42 | 162 => {
            let Some(gtid) = text(record, "gtid") else { return };
            decoded.fact("gtid", gtid);
            decoded.sentence = format!("transaction {gtid} begins");
        }
        35 => previous(body, decoded),
        38 => decoded.sentence = "prepared in two phases".to_owned(),
        TRANSACTION_PAYLOAD => compressed(body, decoded),
        161 => {
            let Some(name) = bytes.number(4).and_then(|length| bytes.text(length as usize)) else { return };
            decoded.fact("oldest_file", name.as_str());
            decoded.sentence = format!("recovery needs the files from {name} on");
        }
        163 => {
            let Some(list) = gtid_list(body) else { return };
            let list: Vec<String> =
                list.iter().map(|(domain, server, sequence)| format!("{domain}-{server}-{sequence}")).collect();
            decoded.sentence =
                format!("before this file: {}", if list.is_empty() { "nothing".to_owned() } else { list.join(", ") });
            decoded.fact("gtids", list);
        }
        164 => decoded.sentence = "what follows is encrypted".to_owned(),
        _ => {
            if let Some(rows) = rows_kind(kind) {
                changed(rows.verb.words(), record, decoded);
            }
        }
    }
}

/// A variable of a session, which a statement uses.
fn user_variable(mut bytes: Body<'_>, decoded: &mut Decoded<'_>) {
    let name = bytes.number(4).and_then(|length| bytes.text(length as usize));
    let Some(name) = name else { return };
    let value = (bytes.number(1) == Some(0)).then_some(bytes.0.get(9..)).flatten();
    decoded.fact("variable", name.as_str());
    decoded.fact("value", value.map_or(Json::Null, |value| decoded.secret(value)));
    decoded.sentence = format!("@{name} = {}", value.map_or("NULL".to_owned(), |value| decoded.secret_words(value)));
}

/// Who wrote the file.
fn description(record: &Record<'_>, body: &[u8], decoded: &mut Decoded<'_>) {
    let Some(name) = body.get(2..52) else { return };
    let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
    let in_use = number(record, "flags").is_some_and(|flags| flags & 1 != 0);
    decoded.fact("server_version", name.as_str());
    decoded.fact("in_use", in_use);
    decoded.sentence = format!("written by {name}{}", if in_use { ", not closed" } else { "" });
}

/// A text as people see it: by its first word and length, or all of it.
fn shown(text: &[u8], decoded: &Decoded<'_>) -> String {
    format!("{} ({})", first_word(text), decoded.secret_words(text))
}

fn words_of(text: &[u8], decoded: &mut Decoded<'_>) {
    decoded.fact("statement", first_word(text));
    decoded.fact("text", decoded.secret(text));
}

fn statement(packed: bool, body: &[u8], decoded: &mut Decoded<'_>) {
    let Some(mut query) = query(body) else { return };
    let unpacked;
    if packed {
        let Some(text) = inflate(query.text) else { return };
        unpacked = text;
        query.text = &unpacked;
        decoded.fact("compression", "zlib");
    }
    let database = String::from_utf8_lossy(query.database).into_owned();
    words_of(query.text, decoded);
    decoded.fact("database", database.as_str());
    decoded.fact("seconds", query.seconds);
    if query.error != 0 {
        decoded.fact("error", query.error);
    }
    // Words that say where transactions begin and end are no secret.
    let plain = [&b"BEGIN"[..], b"COMMIT", b"ROLLBACK"].iter().any(|word| query.text.eq_ignore_ascii_case(word));
    decoded.sentence = if plain { first_word(query.text) } else { shown(query.text, decoded) };
    if !database.is_empty() && !plain {
        decoded.sentence += &format!(" in {database}");
    }
}

fn changed(verb: &str, record: &Record<'_>, decoded: &mut Decoded<'_>) {
    let (table, rows) = (text(record, "table"), number(record, "rows"));
    decoded.fact("operation", verb);
    if let Some(table) = table {
        decoded.fact("table", table);
    }
    if let Some(rows) = rows {
        decoded.fact("rows", rows);
    }
    let rows = rows_in_words(rows);
    decoded.sentence = format!("{verb} {rows} in {}", table.unwrap_or("a table that is not named before it"));
}

fn previous(body: &[u8], decoded: &mut Decoded<'_>) {
    let Some(list) = previous_gtids(body) else { return };
    let one = |(source, from, to): &([u8; 16], u64, u64)| format!("{}:{from}-{}", uuid(source), to.saturating_sub(1));
    let list: Vec<String> = list.iter().map(one).collect();
    decoded.sentence = format!("before this file: {}", if list.is_empty() { "nothing".to_owned() } else { list.join(", ") });
    decoded.fact("gtids", list);
}

/// No transaction that was packed is longer than MySQL lets one be.
pub const LONGEST_PACKED: usize = 64 << 20;

/// A transaction that is packed as a whole: its events, and what they do to which table.
fn compressed(body: &[u8], decoded: &mut Decoded<'_>) {
    let Some((method, before, payload)) = packed_fields(body) else { return };
    let method_name = match method {
        0 => "Zstandard",
        255 => "none",
        _ => "unknown",
    };
    decoded.fact("compression", method_name);
    decoded.fact("unpacked_bytes", before);
    let Some(plain) = unpacked(method, payload) else {
        decoded.sentence = format!("a transaction of {before} bytes, compressed ({method_name}), that cannot be unpacked here");
        return;
    };
    let (events, said) = inside(&plain);
    decoded.fact("events", events.len());
    let sentence = said.join(", ");
    decoded.fact("inside", events);
    decoded.sentence = format!("a compressed transaction of {before} bytes: {sentence}");
}

/// The events of a transaction that is packed as a whole, one after the other.
pub fn unpacked_events(body: &[u8]) -> Option<Vec<u8>> {
    let (method, _, payload) = packed_fields(body)?;
    unpacked(method, payload)
}

fn unpacked(method: u64, payload: &[u8]) -> Option<Vec<u8>> {
    match method {
        255 => Some(payload.to_vec()),
        0 => match Unpacker::default().unpack(payload, LONGEST_PACKED) {
            Unpacked::Whole(bytes) => Some(bytes),
            _ => None,
        },
        _ => None,
    }
}

/// What is wrong with a transaction that is packed as a whole; `None` where nothing is, or nothing here can tell.
pub fn wrong_inside(body: &[u8]) -> Option<String> {
    let Some((method, before, payload)) = packed_fields(body) else {
        return Some("fields of a packed transaction that do not come out even".to_owned());
    };
    let events = match method {
        255 => payload.to_vec(),
        0 => match Unpacker::default().unpack(payload, LONGEST_PACKED) {
            Unpacked::Whole(events) => events,
            Unpacked::Bad => return Some(format!("{} bytes that do not unpack", payload.len())),
            Unpacked::Part(_) | Unpacked::Closed => return None,
        },
        _ => return None,
    };
    if before != 0 && events.len() as u64 != before {
        return Some(format!("{} bytes unpacked, where {before} are announced", events.len()));
    }
    let mut rest = &events[..];
    while !rest.is_empty() {
        let at = events.len() - rest.len();
        let length = rest.first_chunk::<{ HEADER as usize }>().map(|head| LogEvent::parse(head, 0).length as usize);
        match length.filter(|length| *length >= HEADER as usize).and_then(|length| rest.get(length..)) {
            Some(behind) => rest = behind,
            None => return Some(format!("no whole event at byte {at} of the {} unpacked ones", events.len())),
        }
    }
    None
}

/// How it is packed, how long it was before, and its bytes.
fn packed_fields(body: &[u8]) -> Option<(u64, u64, &[u8])> {
    let mut body = Body(body);
    let (mut method, mut before) = (255, 0);
    loop {
        let kind = body.packed()?;
        if kind == 0 {
            return Some((method, before, body.0));
        }
        let length = usize::try_from(body.packed()?).ok()?;
        let mut value = Body(body.take(length)?);
        match kind {
            2 => method = value.packed()?,
            3 => before = value.packed()?,
            _ => {}
        }
    }
}

/// Events without sums: each by its kind, and all together in words.
fn inside(mut bytes: &[u8]) -> (Vec<Json>, Vec<String>) {
    const SHOWN: usize = 8;
    let (mut events, mut said, mut transactions) = (Vec::new(), Vec::new(), TransactionTracker::default());
    while let Some(head) = bytes.first_chunk::<{ HEADER as usize }>() {
        let header = LogEvent::parse(head, 0);
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length < HEADER as usize || length > bytes.len() {
            break;
        }
        let body = &bytes[HEADER as usize..length];
        let part = transactions.take(&header, body, true);
        let mut event = json!({ "kind": name_of(header.kind).unwrap_or(UNKNOWN), "length": length });
        if header.kind == QUERY {
            event["statement"] = query(body).map(|query| first_word(query.text)).into();
        }
        if let Some(rows) = rows_kind(header.kind) {
            let table = part.table.as_deref().unwrap_or("a table that is not named");
            said.push(format!("{} {} in {table}", rows.verb.words(), rows_in_words(part.rows)));
            event["rows"] = part.rows.into();
        }
        if let Some(table) = part.table {
            event["table"] = table.into();
        }
        events.push(event);
        bytes = &bytes[length..];
    }
    if said.is_empty() {
        said.push(format!("{} events", events.len()));
    }
    if said.len() > SHOWN {
        let more = said.len() - SHOWN;
        said.truncate(SHOWN);
        said.push(format!("and {more} more"));
    }
    (events, said)
}

fn rows_in_words(rows: Option<u64>) -> String {
    rows.map_or("rows".to_owned(), |rows| format!("{rows} row{}", if rows == 1 { "" } else { "s" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::Secrets;
    use crate::model::{Field, SegmentId, Span};

    #[test]
    fn each_kind_of_event_is_told_with_what_stands_in_it() {
        let eight = |number: u64| number.to_le_bytes().to_vec();
        let four = |number: u32| number.to_le_bytes().to_vec();
        let fields = [
            Field { name: "gtid", value: Value::Text("0-1-2") },
            Field { name: "table", value: Value::Text("shop.t") },
            Field { name: "rows", value: Value::Number(3) },
        ];
        let id: Vec<u8> = (1..=16).collect();
        let before = [eight(1), id, eight(2), eight(1), eight(5), eight(7), eight(9)].concat();
        let uuid = "01020304-0506-0708-090a-0b0c0d0e0f10";
        let listed = [four(2), four(0), four(1), eight(9), four(3), four(4), eight(5)].concat();
        let variable = [four(1), b"v".to_vec(), vec![0, 0], four(33), four(3), b"abc".to_vec()].concat();
        let table: [(u8, Vec<u8>, &str, Json); 20] = [
            (3, vec![], "the server was shut down", json!({})),
            (
                4,
                [eight(4), b"bin.000002".to_vec()].concat(),
                "goes on in bin.000002 at 4",
                json!({"next_file": "bin.000002", "position": 4}),
            ),
            (5, [vec![1], eight(7)].concat(), "last_insert_id 7", json!({"last_insert_id": 7})),
            (5, [vec![2], eight(8)].concat(), "insert_id 8", json!({"insert_id": 8})),
            (14, variable, "@v = abc", json!({"variable": "v", "value": "abc"})),
            (14, [four(1), b"v".to_vec(), vec![1]].concat(), "@v = NULL", json!({"variable": "v", "value": null})),
            (16, eight(77), "commit, xid 77", json!({"xid": 77})),
            (26, vec![], "the server could not write some of what it did", json!({})),
            (29, b"\0select 1".to_vec(), "statement: SELECT (select 1)", json!({"statement": "SELECT", "text": "select 1"})),
            (
                160,
                b"delete from t".to_vec(),
                "statement: DELETE (delete from t)",
                json!({"statement": "DELETE", "text": "delete from t"}),
            ),
            (33, vec![], "transaction 0-1-2 begins", json!({"gtid": "0-1-2"})),
            (34, vec![], "transaction 0-1-2 begins", json!({"gtid": "0-1-2"})),
            (42, vec![], "transaction 0-1-2 begins", json!({"gtid": "0-1-2"})),
            (162, vec![], "transaction 0-1-2 begins", json!({"gtid": "0-1-2"})),
            (
                35,
                before,
                &format!("before this file: {uuid}:1-4, {uuid}:7-8"),
                json!({"gtids": [format!("{uuid}:1-4"), format!("{uuid}:7-8")]}),
            ),
            (35, eight(0), "before this file: nothing", json!({"gtids": []})),
            (38, vec![], "prepared in two phases", json!({})),
            (
                161,
                [four(10), b"bin.000001".to_vec()].concat(),
                "recovery needs the files from bin.000001 on",
                json!({"oldest_file": "bin.000001"}),
            ),
            (163, listed, "before this file: 0-1-9, 3-4-5", json!({"gtids": ["0-1-9", "3-4-5"]})),
            (39, vec![], "update 3 rows in shop.t", json!({"operation": "update", "table": "shop.t", "rows": 3})),
        ];
        for (kind, body, sentence, facts) in table {
            let record = Record { fields: &fields, ..Record::at(Span::new(SegmentId(0), 0, 9)) };
            let mut decoded = Decoded::new(Secrets::Shown);
            describe(kind, &record, &body, &mut decoded);
            let found: serde_json::Map<String, Json> =
                decoded.facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!((decoded.sentence.as_str(), Json::Object(found)), (sentence, facts), "event {kind}");
        }
    }

    #[test]
    fn a_list_of_transactions_is_read_to_its_last_byte_or_not_at_all() {
        let eight = |number: u64| number.to_le_bytes().to_vec();
        let one = [eight(1), vec![7; 16], eight(1), eight(5), eight(9)].concat();
        assert_eq!(previous_gtids(&one), Some(vec![([7; 16], 5, 9)]));
        assert_eq!(previous_gtids(&one[..one.len() - 1]), None);
        assert_eq!(previous_gtids(&[&one[..], &[0]].concat()), None);
        let mut tagged = one;
        tagged[7] = 1;
        assert_eq!(previous_gtids(&tagged), None, "with tags");
    }
}
