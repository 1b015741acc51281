//! What a log is besides its chunks: names, files of one logical log, and what the folder says about it.

use std::any::Any;
use std::path::Path;

use serde_json::{Value, json};

use super::super::blocks::{BLOCK, Form, Frame, later_in_first, parse, whole};
use super::super::edits;
use super::super::kept::maybe;
use super::super::{Folder, Laid, Likeness, Placed, Sample, Summary, Visit};
use super::frame::{closes, types};
use crate::disk::{EntryKind, Segment, Source, zero_prefix};
use crate::model::{Damage, DamageKind, Facts, Look, Span, Warning};

/// What the name of a file says: `000004-001.log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogName {
    /// Which logical log.
    pub log: u64,
    /// Which of its files: another one is begun when the disk of the one before stalls.
    pub index: u64,
}

/// Takes a name apart. Numbers have six digits or more and come from one counter for all files of the database.
pub fn name_of(name: &str) -> Option<LogName> {
    let stem = name.strip_suffix(".log")?;
    let (log, index) = stem.split_once('-').map_or((stem, None), |(log, index)| (log, Some(index)));
    let number = |digits: &str, least: usize| {
        let all = digits.len() >= least && digits.bytes().all(|b| b.is_ascii_digit());
        all.then(|| digits.parse::<u64>().ok())?
    };
    let index = match index {
        None => 0,
        Some(digits) => number(digits, 3)?,
    };
    Some(LogName { log: number(log, 6)?, index })
}

/// All logs of a folder are one history, in the order of their numbers; the files of one logical log follow each other.
pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    let mut found: Vec<_> = folder.entries.iter().filter_map(|entry| Some((name_of(&entry.name)?, entry))).collect();
    found.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    let last = found.last().map(|(name, _)| *name);
    let place = |(name, entry): (LogName, &crate::disk::Entry)| Placed {
        entry: entry.clone(),
        // Room for as many files as a logical log may have.
        number: name.log.saturating_mul(1000).saturating_add(name.index.min(999)),
        followed: Some(name) != last,
    };
    let segments: Vec<Placed> = found.into_iter().map(place).collect();
    if segments.is_empty() { Vec::new() } else { vec![Laid { name: String::new(), segments }] }
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.map(name_of);
    if named == Some(None) {
        return Likeness::No;
    }
    let named = named.flatten();
    let marked = sample.beside.iter().any(|entry| entry.name.starts_with("marker.") || entry.name == "stable_identifier")
        || named.is_some_and(|name| name.index > 0);
    let block = &sample.head[..sample.head.len().min(BLOCK as usize)];
    if zero_prefix(block) == block.len() {
        return if marked && named.is_some() { Likeness::Maybe } else { Likeness::No };
    }
    let fits = |frame: &Frame| frame.number.is_none_or(|number| named.is_none_or(|name| name.log as u32 == number));
    // Chunks that say what was synced are Pebble's alone; the others are RocksDB's too.
    let own = |frame: &Frame| fits(frame) && (marked || frame.form == Form::Sync);
    let first = whole(types, block, 0, BLOCK as usize);
    if first.as_ref().is_some_and(|frame| own(frame) || marked) {
        return Likeness::Sure;
    }
    match (named, first) {
        // The first chunk is damaged, or one too long for what is shown: one further on tells.
        (Some(_), None) if later_in_first(types, block, own) => Likeness::Sure,
        (Some(name), None) if marked && (begun(block) || closes(block, name.log as u32)) => Likeness::Maybe,
        _ => Likeness::No,
    }
}

/// A first chunk of which the file holds only a part.
fn begun(block: &[u8]) -> bool {
    block.len() < 7 || parse(types, block, 0, BLOCK as usize).is_some_and(|(frame, _)| frame.end() > block.len() as u64)
}

/// Whether a logical log goes on in a file that is not among those that were listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// It does.
    GoesOn,
    /// Nothing says so.
    No,
    /// Its other files may be in a folder that cannot be seen.
    Unknown,
}

/// What is known of a file besides its summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Its logical log is the newest one.
    pub newest: bool,
    /// A later file of the same logical log stands in the folder.
    pub continued: bool,
    /// It was closed cleanly.
    pub closed: bool,
    /// The highest sync offset in it.
    pub synced: Option<u64>,
    /// The sequence number of its last batch.
    pub last: Option<u64>,
    /// Batches that stand in an earlier file too.
    pub repeated: u64,
}

impl Own {
    /// As far as the names of files tell.
    #[must_use]
    pub fn of(visit: &Visit<'_>) -> Own {
        let Some(own) = name_of(&visit.segment.name) else { return Own { newest: true, ..Own::default() } };
        let later = || visit.later().filter_map(|segment| name_of(&segment.name));
        Own {
            newest: later().all(|name| name.log == own.log),
            continued: later().any(|name| name.log == own.log),
            ..Own::default()
        }
    }

    /// Whether another file of the same logical log goes on.
    #[must_use]
    pub fn goes_on(&self, visit: &Visit<'_>) -> Elsewhere {
        match name_of(&visit.segment.name) {
            _ if self.continued => Elsewhere::GoesOn,
            Some(own) => other_folder(visit.source, own),
            None => Elsewhere::No,
        }
    }
}

/// What a walk takes from the names of other files: which of them are of the same logical log, whether it is the newest one, and where the
/// other folder is.
pub fn around(source: &Source, segment: &Segment) -> String {
    let Some(own) = name_of(&segment.name) else { return String::new() };
    let of_own = |other: &&Segment| name_of(&other.name).is_some_and(|name| name.log == own.log);
    let (before, behind) = source.segments.split_at(segment.id.index().min(source.segments.len()));
    let last = source.beyond.last().or(source.segments.last());
    let mut words: Vec<&str> = before.iter().rev().take_while(of_own).map(|other| other.name.as_str()).collect();
    words.extend(behind.iter().chain(&source.beyond).take_while(of_own).map(|other| other.name.as_str()));
    words.push(if last.is_some_and(|last| of_own(&last)) { "newest" } else { "not the newest" });
    words.extend(newest_options(source).map(String::as_str));
    words.extend(source.others.iter().filter(|name| *name == STABLE).map(String::as_str));
    words.join(" ")
}

/// Whether the other folder of a database with two holds a later file of a logical log.
fn other_folder(source: &Source, own: LogName) -> Elsewhere {
    let names = || source.others.iter();
    // The second folder does not name the first one.
    if names().any(|name| name == STABLE) && !names().any(|name| name.starts_with("OPTIONS-")) {
        return Elsewhere::Unknown;
    }
    let Some(other) = secondary(source) else { return Elsewhere::No };
    let Ok(entries) = source.disk.list(Path::new(&other)) else { return Elsewhere::Unknown };
    let goes_on = |name: LogName| name.log == own.log && name.index > own.index;
    match entries.iter().any(|entry| entry.kind == EntryKind::File && name_of(&entry.name).is_some_and(goes_on)) {
        true => Elsewhere::GoesOn,
        false => Elsewhere::No,
    }
}

/// The file by which a second folder is known to be the right one.
const STABLE: &str = "stable_identifier";

/// The name of the newest options of the database.
fn newest_options(source: &Source) -> Option<&String> {
    let number = |name: &&String| name.strip_prefix("OPTIONS-").and_then(|digits| digits.parse::<u64>().ok());
    source.others.iter().filter(|name| number(name).is_some()).max_by_key(number)
}

/// The second folder for logs, if the newest options of the database name one.
fn secondary(source: &Source) -> Option<String> {
    let mut cursor = source.sibling(newest_options(source)?).ok()??;
    let text = String::from_utf8_lossy(cursor.bytes(0, 64 << 10)).into_owned();
    let dir = text.lines().find_map(|line| line.trim().strip_prefix("secondary_dir=").map(str::trim).map(str::to_owned));
    dir.filter(|dir| !dir.is_empty())
}

/// Finds what is missing, and says what Pebble would make of all of it.
pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    let missing = missing(source, summaries);
    skipped(source, summaries);
    let recovery = recovery(source, summaries, missing.is_empty());
    if let Some(last) = summaries.last_mut() {
        last.recovery = Some(recovery);
    }
    missing
}

/// Says where the files of one logical log do not follow each other. Pebble goes on without a word, and ingested files take numbers too, so
/// this is no damage.
fn skipped(source: &Source, summaries: &mut [Summary]) {
    for later in 1..summaries.len() {
        let (before, segment) = (&source.segments[later - 1], &source.segments[later]);
        let logs = name_of(&before.name).zip(name_of(&segment.name));
        if logs.is_none_or(|(before, later)| before.log != later.log) {
            continue;
        }
        let Some(begins) = summaries[later].lsns.map(|lsns| lsns.first) else { continue };
        let text = match summaries[later - 1].due.filter(|_| summaries[later - 1].records > 0) {
            None => format!(
                "{} holds no batch, and the same log goes on in {} with sequence {begins}; that is right if its disk stalled at once, and it is what a \
                 file that lost its batches looks like",
                before.name, segment.name
            ),
            Some(due) if begins > due => format!(
                "sequence {due} is due behind {}, and the same log goes on in {} with {begins}; ingested files take numbers too, and this is what lost \
                 batches look like",
                before.name, segment.name
            ),
            Some(_) => continue,
        };
        let span = Span::new(segment.id, 0, 0);
        summaries[later].warnings.push(Warning { name: "sequence-skipped", span, text });
    }
}

fn recovery(source: &Source, summaries: &[Summary], complete: bool) -> String {
    let at =
        |damage: &Damage| format!("{} at byte {}", source.segments[damage.span.place.segment.index()].name, damage.span.start());
    let damage = || summaries.iter().flat_map(|summary| summary.damage.kept());
    let newest = |damage: &Damage| {
        let summary = summaries.get(damage.span.place.segment.index());
        summary.and_then(Summary::own::<Own>).is_some_and(|own| own.newest)
    };
    if let Some(certain) = damage().find(|damage| damage.facts.proof.is_some() || !newest(damage)) {
        return format!("Pebble refuses to open, because of {}", at(certain));
    }
    let mut words = match damage().next() {
        Some(first) => format!("Pebble opens, and drops what follows {} without a word", at(first)),
        None if complete => "Pebble reads all of it".to_owned(),
        None => "Pebble opens without the log that is missing, and says nothing".to_owned(),
    };
    if let Some(synced) = summaries.last().and_then(Summary::own::<Own>).and_then(|own| own.synced).filter(|synced| *synced > 0) {
        words += &format!("; the newest file says that it was synced up to byte {synced}");
    }
    words
}

/// Names say nothing about a log that is gone between two others: only the MANIFEST knows which is the lowest that is still wanted.
fn missing(source: &Source, summaries: &[Summary]) -> Vec<Damage> {
    let Some(lowest) = (!source.alone).then(|| lowest_wanted(source)).flatten() else { return Vec::new() };
    let logs: Vec<Option<LogName>> = source.segments.iter().map(|segment| name_of(&segment.name)).collect();
    let later = logs.iter().position(|name| name.is_some_and(|name| name.log > lowest));
    let there = logs.iter().flatten().any(|name| name.log == lowest)
        || other_folder(source, LogName { log: lowest, index: 0 }) != Elsewhere::No
        || other_holds(source, lowest);
    let Some(later) = later.filter(|_| !there) else { return Vec::new() };
    let begins = summaries.get(later).and_then(|summary| summary.begins);
    vec![Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(source.segments[later].id, 0, 0),
        lsn: None,
        doubt: None,
        expected: format!("log {lowest:06}, the lowest that the MANIFEST still wants"),
        found: match begins {
            Some(lsn) => format!("{} as the first, which begins with sequence {lsn}", source.segments[later].name),
            None => format!("{} as the first", source.segments[later].name),
        },
        facts: Facts::of(Look::Absent),
    }]
}

/// Whether the other folder holds a first file of a logical log.
fn other_holds(source: &Source, log: u64) -> bool {
    let entries = secondary(source).and_then(|dir| source.disk.list(Path::new(&dir)).ok()).unwrap_or_default();
    entries.iter().any(|entry| name_of(&entry.name).is_some_and(|name| name.log == log))
}

/// The number of the lowest log that the database still wants, if its newest MANIFEST says so.
fn lowest_wanted(source: &Source) -> Option<u64> {
    let marker = |name: &String| {
        let (count, manifest) = name.strip_prefix("marker.manifest.")?.split_once('.')?;
        Some((count.parse::<u64>().ok()?, manifest.to_owned()))
    };
    let (_, manifest) = source.others.iter().filter_map(marker).max()?;
    let mut cursor = source.sibling(&manifest).ok()??;
    edits::last_of(&mut cursor, wanted)
}

/// Tag 2 of a version edit. Lists of files stand behind the numbers and end what is read.
fn wanted(mut edit: &[u8]) -> Option<u64> {
    let mut found = None;
    while let Some(tag) = edits::varint(&mut edit) {
        match tag {
            1 => drop(edits::slice_of(&mut edit)?),
            2 => found = Some(edits::varint(&mut edit)?),
            3 | 4 | 9 => drop(edits::varint(&mut edit)?),
            _ => return found,
        }
    }
    found
}

/// What the join reads of a file, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    Some(json!({
        "newest": own.newest, "continued": own.continued, "closed": own.closed, "synced": own.synced, "last": own.last,
        "repeated": own.repeated,
    }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    Some(Box::new(Own {
        newest: from["newest"].as_bool()?,
        continued: from["continued"].as_bool()?,
        closed: from["closed"].as_bool()?,
        synced: maybe(&from["synced"], Value::as_u64)?,
        last: maybe(&from["last"], Value::as_u64)?,
        repeated: from["repeated"].as_u64()?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_logical_log_and_which_of_its_files_it_is() {
        assert_eq!(name_of("000004.log"), Some(LogName { log: 4, index: 0 }));
        assert_eq!(name_of("12345678-012.log"), Some(LogName { log: 12_345_678, index: 12 }));
        for name in ["LOG", "00004.log", "000004-01.log", "000004-.log", "000004-001-002.log", "MANIFEST-000005", "000004.sst"] {
            assert_eq!(name_of(name), None, "{name}");
        }
    }

    #[test]
    fn the_lowest_wanted_log_stands_in_front_of_lists_of_files() {
        assert_eq!(wanted(&[1, 2, b'a', b'b', 2, 0x85, 1, 9, 0, 3, 7, 4, 1]), Some(133));
        assert_eq!(wanted(&[3, 7, 4, 1, 9, 0, 2, 5]), Some(5));
        assert_eq!(wanted(&[3, 9, 103, 2, 5]), None);
        assert_eq!(wanted(&[2, 0x85]), None);
    }
}
