//! What batches mean: their records with keys and headers, and what control batches end.

use serde_json::{Value as Json, json};

use super::super::{Decoded, Decoder, plain, words};
use super::batch::BatchPacking;
use super::records::{KafkaRecord, records};
use super::unpack::unpack;
use crate::disk::Source;
use crate::model::{Record, Time, Value};

/// This many records of a batch are named in its sentence.
const NAMED: usize = 3;
/// No more records of a batch are listed.
const MOST: usize = 1 << 16;
/// What a control record says, by its type.
const CONTROLS: [&str; 7] =
    ["abort", "commit", "leader change", "snapshot header", "snapshot footer", "KRaft version", "KRaft voters"];

/// The decoder of one log.
pub fn decode(_: &Source) -> Decoder {
    Box::new(|record, payload, decoded| {
        let count = signed(record, "records").and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        if count == 0 {
            "empty: compaction took all of its records".clone_into(&mut decoded.sentence);
            return;
        }
        let compression = BatchPacking::named(text(record, "compression").unwrap_or_default());
        let unpacked = unpack(compression, payload);
        let listed = unpacked.as_deref().and_then(|bytes| records(bytes, count, MOST));
        let Some(listed) = listed else {
            decoded.sentence = format!("{count} records that cannot be unpacked ({}); their sum is right", compression.name());
            return;
        };
        match record.kind {
            "control" => control(record, &listed, decoded),
            _ => say(record, count, &listed, decoded),
        }
    })
}

pub fn signed(record: &Record<'_>, name: &str) -> Option<i64> {
    record.fields.iter().find_map(|field| match field.value {
        Value::Signed(number) if field.name == name => Some(number),
        _ => None,
    })
}

pub fn text<'a>(record: &Record<'a>, name: &str) -> Option<&'a str> {
    record.fields.iter().find_map(|field| match field.value {
        Value::Text(text) if field.name == name => Some(text),
        _ => None,
    })
}

pub fn flag(record: &Record<'_>, name: &str) -> bool {
    record.fields.iter().any(|field| field.name == name && field.value == Value::Flag(true))
}

/// What the mark of a control batch says: its number and its name.
pub fn mark_of(record: &Record<'_>, payload: &[u8]) -> Option<(u16, String)> {
    let count = signed(record, "records").and_then(|count| usize::try_from(count).ok())?;
    let unpacked = unpack(BatchPacking::named(text(record, "compression").unwrap_or_default()), payload)?;
    mark(&records(&unpacked, count, MOST)?)
}

fn mark(listed: &[KafkaRecord<'_>]) -> Option<(u16, String)> {
    let [high, low] = *listed.first()?.key?.get(2..4)? else { return None };
    let number = u16::from_be_bytes([high, low]);
    let name = CONTROLS.get(usize::from(number)).map_or_else(|| format!("control type {number}"), |name| (*name).to_owned());
    Some((number, name))
}

/// A control batch ends a transaction of its producer, or says what happened to the cluster.
fn control(record: &Record<'_>, listed: &[KafkaRecord<'_>], decoded: &mut Decoded<'_>) {
    let Some((number, name)) = mark(listed) else { return };
    decoded.fact("control", name.clone());
    decoded.sentence = match (number, signed(record, "producer_id")) {
        (0 | 1, Some(producer)) => format!("{name} of the transaction of producer {producer}"),
        _ => name,
    };
}

fn say(record: &Record<'_>, count: usize, listed: &[KafkaRecord<'_>], decoded: &mut Decoded<'_>) {
    let base = record.lsn.map_or(0, |lsn| lsn.0);
    let append_time = record.fields.iter().any(|field| field.name == "append_time");
    let first_time = signed(record, "first_timestamp").unwrap_or(-1);
    let max_time = signed(record, "max_timestamp").unwrap_or(-1);
    let offset = |record: &KafkaRecord<'_>| base.saturating_add_signed(record.offset_delta);
    let time = |record: &KafkaRecord<'_>| {
        let ms = if append_time { max_time } else { first_time.saturating_add(record.time_delta) };
        u64::try_from(ms).ok().and_then(|ms| ms.checked_mul(1000)).map(|us| Time(us).to_string())
    };
    let one = |record: &KafkaRecord<'_>| -> Json {
        let headers: Vec<Json> =
            record.headers.iter().map(|(name, value)| json!([plain(name), value.map(|value| decoded.secret(value))])).collect();
        json!({
            "offset": offset(record), "time": time(record), "key": record.key.map(plain),
            "value": record.value.map(|value| decoded.secret(value)), "headers": headers,
        })
    };
    let list: Vec<Json> = listed.iter().map(one).collect();
    let named = listed.iter().take(NAMED).map(|record| {
        let key = record.key.map_or_else(|| "no key".to_owned(), words);
        let value = record.value.map_or_else(|| "tombstone".to_owned(), |value| decoded.secret_words(value));
        let names: Vec<String> = record.headers.iter().map(|(name, _)| words(name)).collect();
        let headers = if names.is_empty() { String::new() } else { format!(" [{}]", names.join(", ")) };
        format!("{} {key} = {value}{headers}", offset(record))
    });
    let mut sentence = named.collect::<Vec<_>>().join("; ");
    if count > NAMED {
        sentence.push_str(&format!("; {} more", count - NAMED));
    }
    decoded.fact("items", count);
    decoded.fact("list", Json::from(list));
    decoded.sentence = sentence;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Field, SegmentId, Span};

    #[test]
    fn a_flag_is_set_where_a_field_of_its_name_says_yes_and_by_no_other_field() {
        let set = |fields: &[Field<'_>]| flag(&Record { fields, ..Record::at(Span::new(SegmentId(0), 0, 1)) }, "transactional");
        let field = |name, value| Field { name, value };
        assert!(set(&[field("records", Value::Signed(3)), field("transactional", Value::Flag(true))]));
        assert!(!set(&[field("transactional", Value::Flag(false)), field("append_time", Value::Flag(true))]));
        assert!(!set(&[field("transactional", Value::Signed(1))]) && !set(&[]));
    }
}
