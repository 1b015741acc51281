//! What an ironwal stream is besides its frames: names, sidecars, checkpoints, and what its segments say about each other.

use std::any::Any;
use std::path::Path;

use memchr::memmem;
use serde_json::{Value, json};

use super::super::kept::maybe;
use super::super::{Likeness, Sample, Summary, gap_between, later_segments_prove};
use super::frame::{HEADER, Header, MAGIC};
use crate::disk::{Cursor, EntryKind, Open, Source, crc32, read_full};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Span, Warning};

/// Lists the start ids of all segments, 8 bytes each.
const INDEX: &str = "segments.idx";
/// Names the active segment.
const HEAD: &str = "head.state";
/// No sidecar is larger than this; what is larger is not looked at in full.
const SIDECAR: usize = 1 << 20;

/// What the join needs to know of a segment besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// The start id of a whole frame at the very start.
    pub first: Option<u64>,
}

/// What the join reads of a segment, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    Some(json!({"first": summary.own::<Own>()?.first}))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    Some(Box::new(Own { first: maybe(&from["first"], Value::as_u64)? }))
}

/// `00000000000000000035.wal` is 35: the id of the segment's first entry.
pub fn sequence(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    if sample.name.is_some_and(|name| sequence(name).is_none()) {
        return Likeness::No;
    }
    if sample.head.starts_with(&MAGIC) {
        return Likeness::Sure;
    }
    let sidecar = sample.beside.iter().any(|e| e.kind == EntryKind::File && (e.name == INDEX || e.name == HEAD));
    // The first frame is damaged: the sidecars tell, or a frame further on.
    let later = || {
        memmem::find_iter(sample.head, &MAGIC).any(|at| {
            let header = sample.head[at..].first_chunk::<HEADER>().map(Header::parse);
            header.is_some_and(|h| h.plausible())
        })
    };
    match (sidecar, sample.head.is_empty()) {
        (true, true) => Likeness::Sure,
        (true, false) => Likeness::Maybe,
        // ironwal makes the index before the first segment: an empty file without one says nothing.
        (false, true) => Likeness::No,
        (false, false) => {
            if later() {
                Likeness::Maybe
            } else {
                Likeness::No
            }
        }
    }
}

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    later_segments_prove(source, summaries);
    let mut between = Vec::new();
    for index in 0..summaries.len() {
        between.extend(name_and_content(source, summaries, index));
        between.extend(gap_between(source, summaries, index).map(|gap| {
            let found = format!("{}; ironwal passes over the hole without a word", gap.found);
            Damage { found, ..gap }
        }));
        between.extend(overlap(source, summaries, index));
    }
    if !source.alone && !summaries.is_empty() {
        let mut warnings = Vec::new();
        sidecars(source, &mut warnings);
        checkpoints(source, summaries, &mut warnings);
        for (name, text) in warnings {
            let id = source.segments[0].id;
            summaries[0].warnings.push(Warning { name, span: Span::new(id, 0, 0), text });
        }
    }
    between
}

/// A segment is named after its first entry. Where that differs, either entries are gone from its start (the walk said so), or the file
/// was renamed: then the ids go on from the segment before.
fn name_and_content(source: &Source, summaries: &mut [Summary], index: usize) -> Option<Damage> {
    let due = index.checked_sub(1).and_then(|before| summaries[before].due);
    let summary = &mut summaries[index];
    let (first, name) = (Lsn(summary.own::<Own>()?.first?), summary.begins?);
    if first == name || (due != Some(first) && first > name) {
        return None;
    }
    // The walk could not know better than that ids are skipped, or go back.
    let (kept, _) = std::mem::take(&mut summary.damage).into_parts();
    for damage in kept {
        if !(damage.span.start() == 0 && matches!(damage.kind, DamageKind::LsnGap | DamageKind::LsnBack)) {
            summary.damage.push(damage);
        }
    }
    summary.begins = Some(first);
    let segment = &source.segments[index];
    Some(Damage {
        kind: DamageKind::WrongName,
        span: Span::new(segment.id, 0, 0),
        lsn: Some(name),
        doubt: None,
        expected: format!("id {name} first, as the name says"),
        found: format!("id {first}; its right name is {:020}.wal", first.0),
        facts: Facts::of(Look::Mixed),
    })
}

/// A segment that begins before the one in front of it ends: ids were given twice.
fn overlap(source: &Source, summaries: &[Summary], index: usize) -> Option<Damage> {
    let (due, begins) = (summaries[index.checked_sub(1)?].due?, summaries[index].begins?);
    let twice = LsnRange::new(begins, due.before()?)?;
    let segment = &source.segments[index];
    Some(Damage {
        kind: DamageKind::LsnBack,
        span: Span::new(segment.id, 0, 0),
        lsn: Some(due),
        doubt: Some(twice),
        expected: format!("id {due} next, after {}", source.segments[index - 1].name),
        found: format!("a segment that begins with id {begins}: ids {twice} were assigned twice"),
        facts: Facts::of(Look::Mixed),
    })
}

type NamedWarnings = Vec<(&'static str, String)>;

fn content(cursor: &mut Cursor) -> Vec<u8> {
    cursor.bytes(0, SIDECAR).to_vec()
}

/// The sidecars against the files that are there. None of them is needed to read the stream.
fn sidecars(source: &Source, warnings: &mut NamedWarnings) {
    let rebuilt = "ironwal 0.6.9 rebuilds it from the file names when it opens the stream; nothing is lost";
    let number = |id: u64| source.segments.iter().any(|s| s.sequence == id);
    match source.sibling(INDEX) {
        Ok(None) => warnings.push(("sidecar-missing", format!("{INDEX} is not there; {rebuilt}"))),
        Err(error) => warnings.push(("sidecar-unreadable", format!("{error}; the segments are read without it"))),
        Ok(Some(mut cursor)) => {
            let index = content(&mut cursor);
            if !index.len().is_multiple_of(8) {
                let text =
                    format!("{INDEX} has {} bytes, which is no multiple of 8: its last entry was torn; {rebuilt}", index.len());
                warnings.push(("sidecar-inconsistent", text));
            }
            let listed: Vec<u64> = index.as_chunks().0.iter().map(|id| u64::from_le_bytes(*id)).collect();
            // The last entry may be one ahead: it is written before the segment is.
            let highest = source.segments.last().map_or(0, |s| s.sequence);
            let gone: Vec<String> =
                listed.iter().filter(|id| **id < highest && !number(**id)).take(8).map(|id| format!("{id:020}.wal")).collect();
            if !gone.is_empty() {
                let text =
                    format!("{INDEX} lists {}, which is not there: fetch it from a backup or the archive", gone.join(", "));
                warnings.push(("sidecar-inconsistent", text));
            }
            let unlisted = source.segments.iter().find(|s| !listed.contains(&s.sequence));
            if let Some(segment) = unlisted.filter(|_| index.len().is_multiple_of(8)) {
                let text = format!(
                    "{INDEX} does not list {}: ironwal passes over a segment that is not listed; remove {INDEX} and it is rebuilt from the \
                     file names",
                    segment.name
                );
                warnings.push(("sidecar-inconsistent", text));
            }
        }
    }
    head(source, warnings);
    let name = source.dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if name.ends_with("#deleted") {
        let text = "this stream is being deleted: ironwal removes the folder as soon as it opens its root, so copy it first if you need it";
        warnings.push(("stream-being-deleted", text.to_owned()));
    }
}

fn head(source: &Source, warnings: &mut NamedWarnings) {
    let Some(last) = source.segments.last() else { return };
    match source.sibling(HEAD) {
        // It comes with the first rotation.
        Ok(None) if source.segments.len() > 1 => {
            let text = format!("{HEAD} is not there; ironwal takes the highest segment as the active one, which is right here");
            warnings.push(("sidecar-missing", text));
        }
        Ok(None) => {}
        Err(error) => warnings.push(("sidecar-unreadable", format!("{error}; the segments are read without it"))),
        Ok(Some(mut cursor)) => {
            let bytes = content(&mut cursor);
            let named = match bytes.split_first_chunk() {
                Some(([1, length], name)) if name.len() == usize::from(*length) => std::str::from_utf8(name).ok(),
                _ => None,
            };
            match named.and_then(sequence) {
                None => {
                    let text =
                        format!("{HEAD} cannot be read as one; remove it and ironwal takes the highest segment, {}", last.name);
                    warnings.push(("sidecar-inconsistent", text));
                }
                Some(active) if active > last.sequence => {
                    let text = format!(
                        "{HEAD} names {active:020}.wal as the active segment, and it is not there: it was lost, or a crash came before it \
                         was made; look for it before ironwal opens the stream and makes an empty one"
                    );
                    warnings.push(("sidecar-inconsistent", text));
                }
                // Behind by one is what a crash between the two sidecars leaves; the index wins then.
                Some(_) => {}
            }
        }
    }
}

/// The checkpoints of a sharded log say how far each shard had come.
fn checkpoints(source: &Source, summaries: &[Summary], warnings: &mut NamedWarnings) {
    let shard = source.dir.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_prefix("shard_")?.parse::<usize>().ok());
    let (Some(shard), Some(root)) = (shard, source.dir.parent()) else { return };
    let path = root.join("checkpoints.log");
    let Ok(Some(_)) = source.disk.stat(&path) else { return };
    let Ok(file) = source.disk.open(&path, Open::READ) else { return };
    let Ok(length) = file.length() else { return };
    let mut cursor = Cursor::new(file.into(), length);
    let (mut at, mut newest, mut names) = (0, None, Vec::new());
    while let Some(head) = cursor.array::<12>(at) {
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (sum, length) = (word(4), word(8) as usize);
        let payload = cursor.bytes(at + 12, length.min(SIDECAR));
        if head[..4] != *b"CKPT" || payload.len() < length || crc32(0, payload) != sum {
            let text = format!(
                "checkpoints.log is damaged at {at}: checkpoints from there on cannot be loaded, the shards themselves are not touched by it"
            );
            warnings.push(("checkpoint-damaged", text));
            break;
        }
        let found = checkpoint(payload, shard);
        if let Some((id, _)) = found.as_ref().filter(|_| names.len() < 100_000) {
            names.push(id.clone());
        }
        newest = found.or(newest);
        at += 12 + length as u64;
    }
    // Said once, with the first shard: which checkpoint is the newest.
    if let Some(named) = newest_checkpoint(source, root).filter(|named| shard == 0 && !names.contains(named)) {
        let text = format!(
            "HEAD names checkpoint {named}, which checkpoints.log does not hold: it was lost, or its entry never arrived"
        );
        warnings.push(("checkpoint-missing", text));
    }
    let due = summaries.last().and_then(|s| s.due).unwrap_or(Lsn(0));
    if let Some((id, next)) = newest.filter(|(_, next)| *next > due.0) {
        let text = format!(
            "checkpoint {id} says that this shard had come to id {next}, and it ends before id {due}: {} acknowledged records are gone from its \
             end; look for them in a backup",
            next - due.0
        );
        warnings.push(("behind-checkpoint", text));
    }
}

/// The id that HEAD names.
fn newest_checkpoint(source: &Source, root: &Path) -> Option<String> {
    let path = root.join("HEAD");
    source.disk.stat(&path).ok()??;
    let file = source.disk.open(&path, Open::READ).ok()?;
    let mut bytes = vec![0; 2 + usize::from(u16::MAX)];
    let count = read_full(&*file, &mut bytes, 0).ok()?;
    let (length, id) = bytes[..count].split_first_chunk()?;
    Some(printable(id.get(..usize::from(u16::from_le_bytes(*length)))?))
}

fn printable(id: &[u8]) -> String {
    String::from_utf8_lossy(id).chars().filter(|c| !c.is_control()).collect()
}

/// The id of a checkpoint, and the next id of a shard in it.
fn checkpoint(payload: &[u8], shard: usize) -> Option<(String, u64)> {
    let (version, rest) = payload.split_first()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (id, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let (_time, rest) = rest.split_first_chunk::<8>()?;
    let (count, rest) = rest.split_first_chunk()?;
    let next = rest.as_chunks::<8>().0.get(shard).filter(|_| shard < usize::from(u16::from_le_bytes(*count)))?;
    (*version == 1).then_some((printable(id), u64::from_le_bytes(*next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_twenty_digits() {
        assert_eq!(sequence("00000000000000000035.wal"), Some(35));
        for name in
            ["35.wal", "00000000000000000035.wal.tmp", "+0000000000000000035.wal", "99999999999999999999.wal", ".wal", "é.wal"]
        {
            assert_eq!(sequence(name), None, "{name}");
        }
    }

    #[test]
    fn a_checkpoint_says_how_far_each_shard_had_come() {
        let mut payload = vec![1, 2, 0, b'c', b'1'];
        payload.extend(7u64.to_le_bytes());
        payload.extend(2u16.to_le_bytes());
        payload.extend(3u64.to_le_bytes());
        payload.extend(9u64.to_le_bytes());
        assert_eq!(checkpoint(&payload, 1), Some(("c1".to_owned(), 9)));
        assert_eq!(checkpoint(&payload, 2), None);
        for cut in 0..payload.len() {
            assert_eq!(checkpoint(&payload[..cut], 1), None, "{cut} bytes");
        }
    }
}
