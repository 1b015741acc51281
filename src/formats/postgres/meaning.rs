//! What a record means: its operation, its transaction, the blocks that it touches, and what ended when.

use serde_json::{Value, json};

use super::body::{BlockRef, WalBody, fork, moment, path, take};
use super::operations::{begins_page, operation};
use super::page::{PageHeader, SHORT_HEADER, show};
use crate::disk::Source;
use crate::formats::{Decoded, Decoder, words};
use crate::model::{Record, Time, Value as FieldValue};

/// No sentence lists more blocks or files.
const LISTED: usize = 8;

/// Says what the records of one log mean.
pub fn decode(source: &Source) -> Decoder {
    let magic = magic_of(source);
    Box::new(move |record, content, decoded| tell(record, content, magic, decoded))
}

/// The number of the release that wrote a log. All segments are of one: a server does not go on with another one's log.
pub fn magic_of(source: &Source) -> u16 {
    let head = |segment| Some(PageHeader::parse(source.cursor(segment).ok()?.bytes(0, SHORT_HEADER))?.magic);
    source.segments.iter().find_map(head).unwrap_or_default()
}

/// Who wrote a record, and the byte in which that manager says what it is.
pub fn manager_and_info(record: &Record<'_>) -> (u8, u8) {
    let byte = |name| u8::try_from(number(record, name)).unwrap_or_default();
    (byte("manager"), byte("info"))
}

/// What a record does, as people read it.
pub fn shown_operation(manager: u8, info: u8, magic: u16) -> String {
    match (operation(manager, info, magic), begins_page(manager, info)) {
        ("", _) => format!("operation 0x{:02X}", info & 0xF0),
        (name, true) => format!("{name}+INIT"),
        (name, false) => name.to_owned(),
    }
}

fn number(record: &Record<'_>, name: &str) -> u64 {
    let found = record.fields.iter().find(|field| field.name == name).map(|field| field.value);
    if let Some(FieldValue::Number(number)) = found { number } else { 0 }
}

fn tell(record: &Record<'_>, content: &[u8], magic: u16, decoded: &mut Decoded<'_>) {
    let ((manager, info), xid) = (manager_and_info(record), number(record, "xid"));
    let name = operation(manager, info, magic);
    let shown = shown_operation(manager, info, magic);
    decoded.fact("operation", shown.as_str());
    let mut parts = vec![shown];
    if xid != 0 {
        decoded.fact("xid", xid);
        parts.push(format!("xid {xid}"));
    }
    let Some(body) = WalBody::parse(content, magic) else {
        decoded.sentence = parts.join(", ");
        return;
    };
    if let Some(top) = body.top_xid.filter(|top| *top != 0) {
        decoded.fact("top_xid", top);
        parts.push(format!("part of xid {top}"));
    }
    if let Some(origin) = body.origin {
        decoded.fact("origin", origin);
        parts.push(format!("from origin {origin}"));
    }
    if let Some(time) = time_of(manager, name, body.main) {
        decoded.fact("time", time.to_string());
        parts.push(format!("at {time}"));
    }
    if !body.blocks.is_empty() {
        if decoded.wants_facts() {
            decoded.fact("blocks", body.blocks.iter().map(block_fact).collect::<Vec<Value>>());
        }
        parts.extend(body.blocks.iter().take(LISTED).map(block_words));
        if let Some(more @ 1..) = body.blocks.len().checked_sub(LISTED) {
            parts.push(format!("and {more} more blocks"));
        }
    }
    parts.extend(main_data(manager, info, name, body.main, decoded));
    decoded.sentence = parts.join(", ");
}

fn block_fact(block: &BlockRef) -> Value {
    json!({
        "file": path(block.file, block.block), "fork": fork(block.fork), "block": block.block,
        "image_bytes": block.image, "data_bytes": block.data,
    })
}

fn block_words(block: &BlockRef) -> String {
    let fork = if block.fork == 0 { String::new() } else { format!(" {}", fork(block.fork)) };
    let image = if block.image == 0 { String::new() } else { format!(" (page image, {} bytes)", block.image) };
    format!("{}{fork} block {}{image}", path(block.file, block.block), block.block)
}

/// Whether records of this manager can say when something happened.
pub const fn may_tell_time(manager: u8) -> bool {
    manager <= 1
}

/// When what the record says happened, if it says so.
pub fn time_of(manager: u8, operation: &str, main: &[u8]) -> Option<Time> {
    let at = |offset: usize| main.get(offset..)?.first_chunk::<8>().copied();
    match (manager, operation) {
        (1, "COMMIT" | "ABORT" | "COMMIT_PREPARED" | "ABORT_PREPARED") => moment(at(0)?),
        (1, "PREPARE") => moment(at(16)?),
        (0, "CHECKPOINT_SHUTDOWN" | "CHECKPOINT_ONLINE") => {
            // The one time of this log that is in seconds, and counted from 1970.
            u64::try_from(i64::from_le_bytes(at(64)?)).ok()?.checked_mul(1_000_000).map(Time)
        }
        (0, "RESTORE_POINT" | "END_OF_RECOVERY") => moment(at(0)?),
        (0, "OVERWRITE_CONTRECORD") => moment(at(8)?),
        _ => None,
    }
}

/// What the main data of some records tells besides, in words; it becomes facts as well.
fn main_data(manager: u8, info: u8, name: &str, main: &[u8], decoded: &mut Decoded<'_>) -> Vec<String> {
    let told = match (manager, name) {
        (1, "COMMIT" | "ABORT" | "COMMIT_PREPARED" | "ABORT_PREPARED") => ended(info, main, decoded),
        (1, "PREPARE") => prepared(main, decoded),
        (0, "CHECKPOINT_SHUTDOWN" | "CHECKPOINT_ONLINE") => checkpoint(main, decoded),
        (0, "RESTORE_POINT") => restore_point(main, decoded),
        (0, "END_OF_RECOVERY") => timelines(main, decoded),
        (0, "OVERWRITE_CONTRECORD") => voided(main, decoded),
        (2, "CREATE") => storage(main, decoded),
        (4, "DROP") => database(main, decoded),
        (21, "MESSAGE") => message(main, decoded),
        _ => None,
    };
    told.unwrap_or_default()
}

fn word(rest: &mut &[u8]) -> Option<u32> {
    take(rest).map(u32::from_le_bytes)
}

fn long(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_le_bytes)
}

/// The number of things of `size` bytes that follow, which are passed over, and their bytes.
fn things<'a>(rest: &mut &'a [u8], size: usize) -> Option<(usize, &'a [u8])> {
    let count = usize::try_from(word(rest)?).ok()?;
    let (these, behind) = rest.split_at_checked(count.checked_mul(size)?)?;
    *rest = behind;
    Some((count, these))
}

/// The end of a transaction: its parts, and the files that went with it.
fn ended(info: u8, main: &[u8], decoded: &mut Decoded<'_>) -> Option<Vec<String>> {
    let mut rest = main.get(8..)?;
    let mut told = Vec::new();
    if info & 0x80 == 0 {
        return Some(told);
    }
    let has = word(&mut rest)?;
    if has & 1 != 0 {
        decoded.fact("database", word(&mut rest)?);
        word(&mut rest)?;
    }
    if has & 2 != 0 {
        let (count, _) = things(&mut rest, 4)?;
        decoded.fact("subtransactions", count);
        told.push(format!("{count} subtransactions"));
    }
    if has & 4 != 0 {
        let (count, mut files) = things(&mut rest, 12)?;
        let mut dropped = Vec::new();
        for _ in 0..count {
            dropped.push(path([word(&mut files)?, word(&mut files)?, word(&mut files)?], 0));
        }
        told.push(format!("drops {}{}", dropped[..count.min(LISTED)].join(" "), if count > LISTED { " ..." } else { "" }));
        decoded.fact("dropped_files", dropped);
    }
    Some(told)
}

fn prepared(main: &[u8], decoded: &mut Decoded<'_>) -> Option<Vec<String>> {
    let mut rest = main.get(8..)?;
    let (xid, database) = (word(&mut rest)?, word(&mut rest)?);
    decoded.fact("prepared_xid", xid);
    decoded.fact("database", database);
    Some(vec![format!("prepared xid {xid} of database {database}")])
}

fn checkpoint(main: &[u8], decoded: &mut Decoded<'_>) -> Option<Vec<String>> {
    let mut rest = main;
    let (redo, timeline) = (long(&mut rest)?, word(&mut rest)?);
    decoded.fact("redo", show(redo));
    decoded.fact("timeline", timeline);
    let mut rest = main.get(24..)?;
    decoded.fact("next_xid", long(&mut rest)?);
    Some(vec![format!("redo {}, timeline {timeline}", show(redo))])
}

fn restore_point(main: &[u8], decoded: &mut Decoded<'_>) -> Option<Vec<String>> {
    let name = main.get(8..72)?;
    let name = words(&name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())]);
    decoded.fact("name", name.as_str());
    Some(vec![format!("named {name}")])
}

fn timelines(main: &[u8], decoded: &mut Decoded<'_>) -> Option<Vec<String>> {
    let mut rest = main.get(8..)?;
    let (new, old) = (word(&mut rest)?, word(&mut rest)?);
    decoded.fact("timeline", new);
    decoded.fact("previous_timeline", old);
    Some(vec![format!("timeline {old} goes on as {new}")])
}

fn voided(main: &[u8], decoded: &mut Decoded<'_>) -> Option<Vec<String>> {
    let mut rest = main;
    let lsn = show(long(&mut rest)?);
    decoded.fact("void_record", lsn.as_str());
    Some(vec![format!("the record at {lsn} is void")])
}

fn storage(main: &[u8], decoded: &mut Decoded<'_>) -> Option<Vec<String>> {
    let mut rest = main;
    let file = path([word(&mut rest)?, word(&mut rest)?, word(&mut rest)?], 0);
    decoded.fact("file", file.as_str());
    Some(vec![file])
}

fn database(main: &[u8], decoded: &mut Decoded<'_>) -> Option<Vec<String>> {
    let mut rest = main;
    let database = word(&mut rest)?;
    decoded.fact("database", database);
    Some(vec![format!("database {database}")])
}

/// A message that a program wrote. Its prefix and its text are that program's, and may be secret.
fn message(main: &[u8], decoded: &mut Decoded<'_>) -> Option<Vec<String>> {
    let mut rest = main;
    let (database, transactional) = (word(&mut rest)?, take::<4>(&mut rest)?[0] != 0);
    let (prefix, length) = (usize::try_from(long(&mut rest)?).ok()?, usize::try_from(long(&mut rest)?).ok()?);
    let (prefix, text) = rest.split_at_checked(prefix)?;
    let (prefix, text) = (prefix.strip_suffix(&[0]).unwrap_or(prefix), text.get(..length)?);
    decoded.fact("database", database);
    decoded.fact("transactional", transactional);
    decoded.fact("prefix", decoded.secret(prefix));
    decoded.fact("message", decoded.secret(text));
    Some(vec![format!("prefix {}, message {}", decoded.secret_words(prefix), decoded.secret_words(text))])
}
