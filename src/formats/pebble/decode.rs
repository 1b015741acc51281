//! What batches of Pebble mean: their operations, with keys, and never values.

use serde_json::{Value, json};

use super::super::batch::{BatchHead, Operation, OperationList, OperationShape, Operations};
use super::super::edits::{slice_of, varint};
use crate::disk::Source;
use crate::formats::{Decoded, Decoder, plain, words};

/// A decoder for one log. A table that was ingested is looked for in the folder: its data stands in no log.
pub fn decode(source: &Source) -> Decoder {
    let folder = if source.alone { Vec::new() } else { source.others.clone() };
    Box::new(move |_, payload, decoded| batch(payload, &folder, decoded))
}

/// How an operation of this type is laid out.
pub fn shape(kind: u8) -> Option<OperationShape> {
    let (name, slices) = match kind {
        0 => ("delete", 1),
        1 => ("set", 2),
        2 => ("merge", 2),
        3 => ("log_data", 1),
        7 => ("single_delete", 1),
        15 => ("delete_range", 2),
        // Made by compactions; a log should hold none.
        18 => ("set_with_delete", 1),
        19 => ("range_key_delete", 2),
        20 => ("range_key_unset", 2),
        21 => ("range_key_set", 2),
        22 => ("ingested_table", 1),
        23 => ("delete_sized", 2),
        24 => ("excise", 2),
        26 => ("ingested_table_with_blobs", 2),
        _ => return None,
    };
    Some(OperationShape::of(name, slices))
}

fn batch(payload: &[u8], folder: &[String], decoded: &mut Decoded<'_>) {
    let Some(head) = BatchHead::parse(payload) else { return };
    let (mut operations, mut list) = (Operations::of(payload, shape), OperationList::default());
    for operation in operations.by_ref() {
        if list.wants() {
            let facts = || operation_facts(&operation, folder, decoded);
            list.push(decoded, facts, || operation_words(&operation, folder, decoded));
        }
    }
    list.into_decoded(&head, operations.rest.len(), decoded);
}

/// What an operation means, for programs.
fn operation_facts(operation: &Operation<'_>, folder: &[String], decoded: &Decoded<'_>) -> Value {
    let name = operation.shape.name;
    let [first, second] = operation.slices;
    match operation.kind {
        1 | 2 => json!({ "op": name, "key": plain(first), "value": decoded.secret(second) }),
        3 => json!({ "op": name, "length": first.len() }),
        15 | 19 | 24 => json!({ "op": name, "key": plain(first), "end": plain(second) }),
        20 | 21 => {
            let range = RangeKey::of(operation);
            let suffixes = range.suffixes.iter().map(|(suffix, value)| match value {
                Some(value) => json!({ "suffix": plain(suffix), "value": decoded.secret(value) }),
                None => json!({ "suffix": plain(suffix) }),
            });
            json!({ "op": name, "key": plain(first), "end": plain(range.end), "suffixes": suffixes.collect::<Vec<_>>() })
        }
        22 | 26 => {
            let mut facts = json!({ "op": name, "table": ingested_table(first) });
            if operation.kind == 26 {
                let mut blobs = second;
                let count = varint(&mut blobs).unwrap_or(0);
                let files: Vec<u64> = (0..count.min(blobs.len() as u64)).map_while(|_| varint(&mut blobs)).collect();
                facts["blob_files"] = json!(files);
            }
            if is_absent(first, folder) {
                facts["table_absent"] = json!(true);
            }
            facts
        }
        23 => json!({ "op": name, "key": plain(first), "deletes_bytes": varint(&mut &*second) }),
        _ => json!({ "op": name, "key": plain(first) }),
    }
}

/// The same for people.
fn operation_words(operation: &Operation<'_>, folder: &[String], decoded: &Decoded<'_>) -> String {
    let said = operation.shape.name.replace('_', " ");
    let [first, second] = operation.slices;
    match operation.kind {
        1 | 2 => format!("{said} {} = {}", words(first), decoded.secret_words(second)),
        3 => format!("log data of {} B", first.len()),
        15 | 19 | 24 => format!("{said} {} to {}", words(first), words(second)),
        20 | 21 => {
            let range = RangeKey::of(operation);
            let suffixes: Vec<String> = range.suffixes.iter().map(|(suffix, _)| words(suffix)).collect();
            format!("{said} {} to {} ({})", words(first), words(range.end), suffixes.join(", "))
        }
        22 | 26 => {
            let absent = if is_absent(first, folder) { ", which is not there: its data stands in no log" } else { "" };
            format!("ingested table {}{absent}", table_name(first))
        }
        _ => format!("{said} {}", words(first)),
    }
}

/// Keys of a range: its end and suffixes, with values where they are set, stand inside the second slice.
struct RangeKey<'a> {
    end: &'a [u8],
    suffixes: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

impl<'a> RangeKey<'a> {
    fn of(operation: &Operation<'a>) -> RangeKey<'a> {
        let [_, mut inside] = operation.slices;
        let end = slice_of(&mut inside).unwrap_or_default();
        let mut suffixes = Vec::new();
        while let Some(suffix) = slice_of(&mut inside) {
            suffixes.push((suffix, if operation.kind == 21 { slice_of(&mut inside) } else { None }));
        }
        RangeKey { end, suffixes }
    }
}

/// The number of a table that was taken in whole.
fn ingested_table(mut slice: &[u8]) -> u64 {
    varint(&mut slice).unwrap_or(0)
}

fn table_name(slice: &[u8]) -> String {
    format!("{:06}.sst", ingested_table(slice))
}

/// The folder was seen, and the table is not in it.
fn is_absent(slice: &[u8], folder: &[String]) -> bool {
    !folder.is_empty() && !folder.contains(&table_name(slice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::Secrets;

    /// What a batch with these operations means, beside these files, with values shown.
    fn of(operations: &[u8], folder: &[&str]) -> (Value, String) {
        let mut decoded = Decoded::new(Secrets::Shown);
        let payload = [&7u64.to_le_bytes()[..], &1u32.to_le_bytes(), operations].concat();
        let folder: Vec<String> = folder.iter().map(|name| (*name).to_owned()).collect();
        batch(&payload, &folder, &mut decoded);
        let facts: Value = serde_json::from_str(&decoded.to_json()).expect("it is an object");
        (facts["operations"][0].clone(), decoded.sentence)
    }

    #[test]
    fn an_ingested_table_is_named_and_said_to_be_missing_only_where_the_folder_was_seen_without_it() {
        // Table 300 in two bytes of seven bits each; in kind 26 two blob files follow, 5 and 6.
        let (plain, blobs) = (&[22, 2, 0xac, 2][..], &[26, 2, 0xac, 2, 3, 2, 5, 6][..]);
        let (facts, said) = of(plain, &["000300.sst", "MANIFEST-000001"]);
        assert_eq!(facts, json!({ "op": "ingested_table", "table": 300 }));
        assert!(said.ends_with("ingested table 000300.sst"), "{said}");
        let (facts, said) = of(plain, &["000301.sst"]);
        assert_eq!(facts["table_absent"], true);
        assert!(said.ends_with("000300.sst, which is not there: its data stands in no log"), "{said}");
        assert_eq!(of(plain, &[]).0["table_absent"], Value::Null, "a file alone says nothing of its folder");
        let (facts, _) = of(blobs, &["000300.sst"]);
        assert_eq!(facts, json!({ "op": "ingested_table_with_blobs", "table": 300, "blob_files": [5, 6] }));
    }

    #[test]
    fn each_kind_of_operation_says_its_keys_and_what_they_span() {
        let table: [(&[u8], Value, &str); 6] = [
            (b"\x01\x01k\x01v", json!({ "op": "set", "key": "k", "value": "v" }), "set k = v"),
            (b"\x00\x01k", json!({ "op": "delete", "key": "k" }), "delete k"),
            (b"\x03\x05hello", json!({ "op": "log_data", "length": 5 }), "log data of 5 B"),
            (b"\x0f\x01a\x01b", json!({ "op": "delete_range", "key": "a", "end": "b" }), "delete range a to b"),
            (b"\x17\x01k\x02\xac\x02", json!({ "op": "delete_sized", "key": "k", "deletes_bytes": 300 }), "delete sized k"),
            (
                b"\x15\x01a\x07\x01b\x02@1\x01v",
                json!({ "op": "range_key_set", "key": "a", "end": "b", "suffixes": [{ "suffix": "@1", "value": "v" }] }),
                "range key set a to b (@1)",
            ),
        ];
        for (operations, facts, said) in table {
            let found = of(operations, &[]);
            assert_eq!(found.0, facts);
            assert!(found.1.ends_with(said), "{}", found.1);
        }
    }
}
