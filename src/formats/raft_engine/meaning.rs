//! What batches mean: entries by group and index, keys and what became of them. Entries and values are shown by length and hash.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::group_items::{Does, GroupItem, items, raft_entry};
use crate::disk::Source;
use crate::formats::{Decoded, Decoder, plain, words};
use crate::model::{Record, Value as FieldValue};

/// How many items are listed, and how many are said in words.
const LISTED: usize = 1000;
const SAID: usize = 6;
/// Entries that unpack to more are not looked into.
const LARGEST: usize = 64 << 20;
/// In front of the items, in a batch.
const HEADER: usize = 16;

/// The decoder of one log.
pub fn decode(_: &Source) -> Decoder {
    Box::new(|record, payload, decoded| {
        let _ = batch(record, payload, decoded);
    })
}

fn field<'a>(record: &Record<'a>, name: &str) -> Option<FieldValue<'a>> {
    record.fields.iter().find(|field| field.name == name).map(|field| field.value)
}

/// The items of a batch, and the bytes of their entries as they are stored.
pub fn items_of<'a>(record: &Record<'_>, payload: &'a [u8]) -> Option<(Vec<GroupItem<'a>>, &'a [u8])> {
    let Some(FieldValue::Number(offset)) = field(record, "items_offset") else { return None };
    let at = usize::try_from(offset).ok()?.checked_sub(HEADER)?;
    let found = items(payload.get(at..payload.len().checked_sub(4)?)?)?;
    Some((found, payload.get(..at.saturating_sub(4))?))
}

fn batch(record: &Record<'_>, payload: &[u8], decoded: &mut Decoded<'_>) -> Option<()> {
    let (found, stored) = items_of(record, payload)?;
    let entries = match field(record, "compression") {
        Some(FieldValue::Text("lz4")) => unpacked(stored).map(Cow::Owned),
        _ => Some(Cow::Borrowed(stored)),
    };
    let mut start = 0;
    let (mut listed, mut said) = (Vec::new(), Vec::new());
    for (index, item) in found.iter().enumerate() {
        let (value, sentence) = told(item, entries.as_deref(), &mut start, decoded);
        if index < LISTED {
            listed.push(value);
        }
        if index < SAID {
            said.push(sentence);
        }
    }
    if found.len() > SAID {
        said.push(format!("and {} more items", found.len() - SAID));
    }
    decoded.sentence = said.join("; ");
    decoded.fact("items", listed);
    if found.len() > LISTED {
        decoded.fact("items_beyond", found.len() - LISTED);
    }
    Some(())
}

/// Entry bytes as they were before they were packed: their length, and a block.
fn unpacked(stored: &[u8]) -> Option<Vec<u8>> {
    let (length, block) = stored.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= LARGEST)?;
    lz4_flex::block::decompress(block, length).ok()
}

fn told(item: &GroupItem<'_>, entries: Option<&[u8]>, start: &mut u64, decoded: &Decoded<'_>) -> (Value, String) {
    let group = item.group;
    match &item.does {
        Does::Entries { ends, .. } if ends.is_empty() => {
            (json!({ "group": group, "item": "entries", "count": 0 }), format!("group {group} no entries"))
        }
        Does::Entries { first, ends } => {
            let count = ends.len() as u64;
            let last = first.saturating_add(count - 1);
            let from = std::mem::replace(start, *ends.last().unwrap_or(start));
            let bytes = start.saturating_sub(from);
            let mut value =
                json!({ "group": group, "item": "entries", "first": first, "last": last, "count": count, "bytes": bytes });
            let mut more = String::new();
            if let Some(of_raft) = terms(entries, from, *first, ends) {
                value["term"] = of_raft.0.into();
                more = format!(", term {}", of_raft.0);
                if of_raft.1 > 0 {
                    value["configuration_changes"] = of_raft.1.into();
                    more += &format!(", {} configuration changes", of_raft.1);
                }
            }
            let range = if count == 1 { format!("entry {first}") } else { format!("entries {first}-{last}") };
            (value, format!("group {group} {range} ({bytes} bytes{more})"))
        }
        Does::Clean => (json!({ "group": group, "item": "clean" }), format!("group {group} clean")),
        Does::Compact(index) => {
            (json!({ "group": group, "item": "compact", "index": index }), format!("group {group} compact to {index}"))
        }
        Does::Put(key, _) if key.starts_with(b"__\x01") => {
            let step =
                ["begin", "middle", "end"].get(usize::from(key.get(3).copied().unwrap_or(9))).copied().unwrap_or("unknown");
            let value = json!({ "atomic_group": group, "item": "atomic", "step": step });
            (value, format!("{step} of atomic group {group}"))
        }
        Does::Put(key, bytes) => {
            let value = json!({ "group": group, "item": "put", "key": plain(key), "value": decoded.secret(bytes) });
            (value, format!("group {group} put {} ({})", words(key), decoded.secret_words(bytes)))
        }
        Does::Delete(key) => {
            (json!({ "group": group, "item": "delete", "key": plain(key) }), format!("group {group} delete {}", words(key)))
        }
    }
}

/// The term of the last of these entries, and how many of them change the configuration; `None` if one is no message of the raft library.
fn terms(entries: Option<&[u8]>, from: u64, first: u64, ends: &[u64]) -> Option<(u64, u64)> {
    let (mut start, mut term, mut changes) = (usize::try_from(from).ok()?, 0, 0);
    for (index, end) in (first..).zip(ends) {
        let end = usize::try_from(*end).ok()?;
        let (kind, of_entry) = raft_entry(entries?.get(start..end)?, index)?;
        changes += u64::from(kind != 0);
        (start, term) = (end, of_entry);
    }
    Some((term, changes))
}
