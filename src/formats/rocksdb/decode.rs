//! What records of RocksDB and LevelDB mean: the operations of a batch, edits of the list of files, and what stands between records.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::batch::{BatchHead, Operation, OperationList, OperationShape, Operations};
use super::super::edits::{each, slice_of, varint};
use super::manifest::newest;
use crate::disk::Source;
use crate::formats::{Decoded, Decoder, plain, words};
use crate::model::{Record, Value as FieldValue};

/// Column families by number.
pub type Families = HashMap<u64, String>;

/// A decoder for one log. Names of column families are read from the MANIFEST when the first batch is shown.
pub fn decode(source: &Source) -> Decoder {
    let source = source.clone();
    let mut families: Option<Families> = None;
    Box::new(move |record, payload, decoded| match record.kind {
        "batch" => batch(payload, families.get_or_insert_with(|| names(&source)), decoded),
        "version_edit" => edit(payload, decoded),
        _ => between(record, decoded),
    })
}

/// The column families of the database whose log this is.
pub fn names(source: &Source) -> Families {
    let mut families = Families::from([(0, "default".to_owned())]);
    let Ok(Some(mut manifest)) = newest(source) else { return families };
    each(&mut manifest, &mut |record| {
        let facts = facts_of(record);
        if let (Some(name), Some(number)) =
            (facts.get("column_family_added").and_then(Value::as_str), facts["column_family"].as_u64())
        {
            families.insert(number, name.to_owned());
        }
    });
    families
}

/// How an operation of this type is laid out.
pub fn shape(kind: u8) -> Option<OperationShape> {
    const fn of(name: &'static str, slices: usize) -> OperationShape {
        OperationShape::of(name, slices)
    }
    const fn cf(name: &'static str, slices: usize) -> OperationShape {
        OperationShape::in_family(name, slices)
    }
    Some(match kind {
        0 => of("delete", 1),
        1 => of("put", 2),
        2 => of("merge", 2),
        3 => of("log_data", 1),
        4 => cf("delete", 1),
        5 => cf("put", 2),
        6 => cf("merge", 2),
        7 => of("single_delete", 1),
        8 => cf("single_delete", 1),
        9 => of("begin_prepare", 0),
        10 => of("end_prepare", 1),
        11 => of("commit", 1),
        12 => of("rollback", 1),
        13 => of("noop", 0),
        14 => cf("delete_range", 2),
        15 => of("delete_range", 2),
        16 => cf("blob_index", 2),
        17 => of("blob_index", 2),
        18 => of("begin_persisted_prepare", 0),
        19 => of("begin_unprepare", 0),
        21 => of("commit_with_timestamp", 2),
        22 => of("entity", 2),
        23 => cf("entity", 2),
        24 => of("timed_put", 2),
        25 => cf("timed_put", 2),
        _ => return None,
    })
}

fn batch(payload: &[u8], families: &Families, decoded: &mut Decoded<'_>) {
    let Some(head) = BatchHead::parse(payload) else { return };
    let (mut operations, mut list) = (Operations::of(payload, shape), OperationList::default());
    for operation in operations.by_ref() {
        if list.wants() {
            let facts = || operation_facts(&operation, families, decoded);
            list.push(decoded, facts, || operation_words(&operation, families, decoded));
        }
    }
    list.into_decoded(&head, operations.rest.len(), decoded);
}

/// What an operation means, for programs.
fn operation_facts(operation: &Operation<'_>, families: &Families, decoded: &Decoded<'_>) -> Value {
    let name = operation.shape.name;
    let [first, second] = operation.slices;
    let family = || families.get(&operation.family).cloned().unwrap_or_else(|| operation.family.to_string());
    match operation.kind {
        9 | 13 | 18 | 19 => json!({ "op": name }),
        3 => json!({ "op": name, "length": first.len() }),
        10..=12 => json!({ "op": name, "transaction": plain(first) }),
        21 => json!({ "op": name, "transaction": plain(second), "timestamp": plain(first) }),
        14 | 15 => json!({ "op": name, "column_family": family(), "key": plain(first), "end": plain(second) }),
        _ if operation.shape.slices == 1 => json!({ "op": name, "column_family": family(), "key": plain(first) }),
        22 | 23 => {
            let columns = columns_of(second).map(|names| names.iter().map(|name| plain(name)).collect::<Vec<_>>());
            json!({
                "op": name, "column_family": family(), "key": plain(first), "columns": columns, "value": decoded.secret(second)
            })
        }
        _ => json!({ "op": name, "column_family": family(), "key": plain(first), "value": decoded.secret(second) }),
    }
}

/// The same for people.
fn operation_words(operation: &Operation<'_>, families: &Families, decoded: &Decoded<'_>) -> String {
    let said = operation.shape.name.replace('_', " ");
    let [first, second] = operation.slices;
    let place = match families.get(&operation.family) {
        _ if operation.family == 0 => String::new(),
        Some(family) => format!("[{family}] "),
        None => format!("[{}] ", operation.family),
    };
    match operation.kind {
        9 | 13 | 18 | 19 => said,
        3 => format!("log data of {} B", first.len()),
        10..=12 => format!("{said} {}", words(first)),
        21 => format!("commit {}", words(second)),
        14 | 15 => format!("delete range {place}{} to {}", words(first), words(second)),
        _ if operation.shape.slices == 1 => format!("{said} {place}{}", words(first)),
        22 | 23 => {
            let named = |name: &&[u8]| if name.is_empty() { "(unnamed)".to_owned() } else { words(name) };
            let told = columns_of(second)
                .map_or_else(String::new, |names| format!("{}: ", names.iter().map(named).collect::<Vec<_>>().join(", ")));
            format!("entity {place}{} = {told}{}", words(first), decoded.secret_words(second))
        }
        _ => format!("{said} {place}{} = {}", words(first), decoded.secret_words(second)),
    }
}

/// The names of an entity's columns; of a version that we do not know, none.
fn columns_of(mut entity: &[u8]) -> Option<Vec<&[u8]>> {
    if varint(&mut entity)? != 1 {
        return None;
    }
    let count = varint(&mut entity)?;
    let (mut names, mut values) = (Vec::new(), 0u64);
    for _ in 0..count {
        names.push(slice_of(&mut entity)?);
        values = values.checked_add(varint(&mut entity)?)?;
    }
    // The values follow, and nothing else.
    (values == entity.len() as u64).then_some(names)
}

/// What a version edit says in front of its lists of files.
fn facts_of(mut edit: &[u8]) -> serde_json::Map<String, Value> {
    let mut facts = serde_json::Map::new();
    facts.insert("column_family".into(), json!(0));
    let mut read = || -> Option<()> {
        loop {
            let tag = varint(&mut edit)?;
            let name = match tag {
                1 => "comparator",
                2 => "log_number",
                3 => "next_file",
                4 => "last_sequence",
                9 => "previous_log",
                10 => "lowest_wanted_log",
                200 => "column_family",
                201 => "column_family_added",
                202 => "column_family_dropped",
                203 => "highest_column_family",
                300 => "left_in_group",
                8192.. if !(8194..=8197).contains(&tag) => {
                    slice_of(&mut edit)?;
                    continue;
                }
                _ => {
                    facts.insert("lists_files".into(), json!(true));
                    return None;
                }
            };
            let value = match tag {
                1 | 201 => plain(slice_of(&mut edit)?),
                202 => json!(true),
                _ => json!(varint(&mut edit)?),
            };
            facts.insert(name.into(), value);
        }
    };
    let _ = read();
    facts
}

fn edit(payload: &[u8], decoded: &mut Decoded<'_>) {
    const NAMES: [&str; 12] = [
        "column_family",
        "column_family_added",
        "column_family_dropped",
        "highest_column_family",
        "comparator",
        "log_number",
        "lowest_wanted_log",
        "previous_log",
        "next_file",
        "last_sequence",
        "left_in_group",
        "lists_files",
    ];
    let facts = facts_of(payload);
    let mut words = Vec::new();
    for name in NAMES {
        let Some(value) = facts.get(name) else { continue };
        decoded.fact(name, value.clone());
        if name != "column_family" || *value != json!(0) {
            words.push(match value {
                Value::Bool(_) => name.replace('_', " "),
                Value::String(text) => format!("{} {text}", name.replace('_', " ")),
                _ => format!("{} {value}", name.replace('_', " ")),
            });
        }
    }
    decoded.sentence = words.join(", ");
}

/// Records about compression, timestamps, and the log before.
fn between(record: &Record<'_>, decoded: &mut Decoded<'_>) {
    let number = |name| match record.fields.iter().find(|field| field.name == name).map(|field| field.value) {
        Some(FieldValue::Number(number)) => number,
        _ => 0,
    };
    match record.kind {
        "predecessor" => {
            let (log, bytes, last) = (number("log"), number("log_bytes"), number("last_sequence"));
            decoded.fact("log", log);
            decoded.fact("log_bytes", bytes);
            decoded.fact("last_sequence", last);
            decoded.sentence = format!("log before: {log:06}, {bytes} bytes, last sequence {last}");
        }
        "set_compression" => {
            let method = number("compression");
            let name = if method == 7 { "Zstandard".to_owned() } else { format!("method {method}") };
            decoded.fact("compression", name.as_str());
            decoded.sentence = format!("what follows is compressed: {name}");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::Secrets;

    /// What the first operation of a batch means in a database whose family 2 is called `orders`.
    fn of(operation: &[u8]) -> (Value, String) {
        let payload = [&7u64.to_le_bytes()[..], &1u32.to_le_bytes(), operation].concat();
        let families = Families::from([(0, "default".to_owned()), (2, "orders".to_owned())]);
        let operation = Operations::of(&payload, shape).next().expect("an operation");
        let decoded = Decoded::new(Secrets::Shown);
        (operation_facts(&operation, &families, &decoded), operation_words(&operation, &families, &decoded))
    }

    #[test]
    fn each_kind_of_operation_says_its_family_its_keys_and_its_transaction() {
        let table: [(&[u8], Value, &str); 12] = [
            (b"\x01\x01k\x01v", json!({ "op": "put", "column_family": "default", "key": "k", "value": "v" }), "put k = v"),
            (
                b"\x05\x02\x01k\x01v",
                json!({ "op": "put", "column_family": "orders", "key": "k", "value": "v" }),
                "put [orders] k = v",
            ),
            (
                b"\x17\x02\x01k\x0d\x01\x02\x00\x02\x04city\x01xyz",
                json!({ "op": "entity", "column_family": "orders", "key": "k", "columns": ["", "city"], "value": "\u{1}\u{2}\0\u{2}\u{4}city\u{1}xyz" }),
                "entity [orders] k = (unnamed), city: 0x0102000204636974790178797a",
            ),
            // Of another version, and one whose lengths do not add up, only the length is known.
            (
                b"\x16\x01k\x03\x02ab",
                json!({ "op": "entity", "column_family": "default", "key": "k", "columns": null, "value": "\u{2}ab" }),
                "entity k = 0x026162",
            ),
            (
                b"\x16\x01k\x06\x01\x01\x01a\x09v",
                json!({ "op": "entity", "column_family": "default", "key": "k", "columns": null, "value": "\u{1}\u{1}\u{1}a\tv" }),
                "entity k = 0x010101610976",
            ),
            (b"\x04\x09\x01k", json!({ "op": "delete", "column_family": "9", "key": "k" }), "delete [9] k"),
            (
                b"\x0e\x02\x01a\x01b",
                json!({ "op": "delete_range", "column_family": "orders", "key": "a", "end": "b" }),
                "delete range [orders] a to b",
            ),
            (b"\x03\x05hello", json!({ "op": "log_data", "length": 5 }), "log data of 5 B"),
            (b"\x09", json!({ "op": "begin_prepare" }), "begin prepare"),
            (b"\x0a\x03txn", json!({ "op": "end_prepare", "transaction": "txn" }), "end prepare txn"),
            (b"\x0b\x03txn", json!({ "op": "commit", "transaction": "txn" }), "commit txn"),
            (
                b"\x15\x02ts\x03txn",
                json!({ "op": "commit_with_timestamp", "transaction": "txn", "timestamp": "ts" }),
                "commit txn",
            ),
        ];
        for (operation, facts, said) in table {
            assert_eq!(of(operation), (facts, said.to_owned()));
        }
    }
}
