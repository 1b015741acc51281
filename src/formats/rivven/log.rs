//! What a rivven log is besides its records: names, numbers, files that were made ahead, and what its files say about each other.

use std::any::Any;

use memchr::memmem;
use serde_json::{Value, json};

use super::super::kept::maybe;
use super::super::{Likeness, Sample, State, Summary};
use super::numbers::{self, NumberedFiles};
use super::record::{ENCRYPTED, HAS_CHECKSUM, HEADER, Header, MAGIC};
use crate::disk::{EntryKind, Source, zero_prefix};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Span, Warning};

/// How far the host says that it has replayed the log: decimal text.
const MARKER: &str = ".last_replayed_lsn";

/// What the join needs to know of a segment besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// Where the first encrypted record stands.
    pub encrypted: Option<u64>,
    /// How many records are thought to be lost in bad regions: an estimate, for numbers are counted and not written.
    pub lost: u64,
}

/// What the join reads of a segment, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    Some(json!({"encrypted": own.encrypted, "lost": own.lost}))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    Some(Box::new(Own { encrypted: maybe(&from["encrypted"], Value::as_u64)?, lost: from["lost"].as_u64()? }))
}

/// `00000000000000000016.wal` is 16: the LSN that the next record was to get when the file was begun.
pub fn sequence(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// The LSN of the first record of a file. The very first file is named 0, and its first record has LSN 1.
pub fn first_lsn(sequence: u64) -> u64 {
    sequence.max(1)
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    if sample.name.is_some_and(|name| sequence(name).is_none()) {
        return Likeness::No;
    }
    if sample.head.starts_with(&MAGIC) {
        return Likeness::Sure;
    }
    let beside = |name: &str| sample.beside.iter().any(|e| e.kind == EntryKind::File && e.name == name);
    if beside("segments.idx") || beside("head.state") {
        return Likeness::No;
    }
    let zeros = zero_prefix(sample.head) == sample.head.len();
    match (zeros, sample.length, sample.name) {
        // No other format fills a file of such a name with zeros from its first byte.
        (true, 1.., Some(_)) if !beside("LOCK") => Likeness::Sure,
        (true, ..) => Likeness::Maybe,
        _ if beside(MARKER) || later_record(sample.head) => Likeness::Maybe,
        _ => Likeness::No,
    }
}

/// The first record is damaged: one further on tells.
fn later_record(head: &[u8]) -> bool {
    memmem::find_iter(head, &MAGIC).any(|at| {
        let header = head[at..].first_chunk::<HEADER>().map(Header::parse);
        header.is_some_and(|h| h.plausible() && h.flags & !ENCRYPTED == HAS_CHECKSUM)
    })
}

/// Which segment, name, text.
pub(super) type PlacedWarnings = Vec<(usize, &'static str, String)>;

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    let numbers = NumberedFiles::new(source, summaries);
    let followed = source.alone && source.segments.last().is_some_and(|s| s.followed) && later_content(source);
    numbers::prove(&numbers, summaries, followed);
    // What is written to is the last file with content; those after it are made ahead.
    if let Some(last) = summaries.iter_mut().rfind(|s| !s.blank).filter(|_| !source.alone) {
        last.state = State::Active;
    }
    let filled: Vec<usize> = (0..summaries.len()).filter(|i| !summaries[*i].blank).collect();
    let first = filled.first().filter(|_| !source.alone);
    let mut between: Vec<Damage> =
        first.and_then(|first| numbers::before_first(&numbers, summaries, *first)).into_iter().collect();
    let mut warnings = PlacedWarnings::new();
    for (at, before) in filled.iter().enumerate() {
        let until = filled.get(at + 1).copied().unwrap_or(summaries.len());
        let back = if until < summaries.len() { goes_back(source, summaries, [*before, until], &mut warnings) } else { None };
        match back {
            Some(back) => between.push(back),
            None => between.extend(numbers::between(&numbers, summaries, [*before, until], &mut warnings)),
        }
    }
    if let Some(index) = (0..summaries.len()).find(|i| summaries[*i].own::<Own>().is_some_and(|own| own.encrypted.is_some())) {
        let text = "records are encrypted: the replay of rivven-core 0.0.22 is given no key, skips every such file and reports success \
                    without records; read the log with walctl dump --key-file instead";
        warnings.push((index, "encrypted-not-replayed", text.to_owned()));
    }
    marker(source, summaries, &filled, &mut warnings);
    for (index, name, text) in warnings {
        let span = Span::new(source.segments[index].id, 0, 0);
        summaries[index].warnings.push(Warning { name, span, text });
    }
    between
}

/// Whether a later file in the folder of a single segment holds anything but zeros.
fn later_content(source: &Source) -> bool {
    source.beyond.iter().any(|later| match source.sibling(&later.name) {
        Ok(Some(mut cursor)) => cursor.zeros_end(0) < cursor.length(),
        _ => false,
    })
}

/// Whether a file begins with a number that the one before it has given already.
fn goes_back(
    source: &Source,
    summaries: &[Summary],
    [before, later]: [usize; 2],
    warnings: &mut PlacedWarnings,
) -> Option<Damage> {
    let (due, begins) = (summaries[before].due?, summaries[later].begins?);
    let lost = summaries[before].own::<Own>().map_or(0, |own| own.lost);
    let (earlier, name) = (&source.segments[before], &source.segments[later].name);
    if begins.0 >= due.0.saturating_sub(lost) {
        return None;
    }
    let text = format!(
        "{name} begins with LSN {begins}, and {} goes on to {}: rivven-core 0.0.13 counts from a lower number after a restart, names files \
         after it, and overwrites an older file of the same name from its start; if that happened here, acknowledged records are gone \
         with no damage to see: compare with a replica before trusting this log, and upgrade",
        earlier.name,
        due.0 - 1
    );
    // One such restart leads to the next.
    if !warnings.iter().any(|(_, name, _)| *name == "restart-reused-lsns") {
        warnings.push((later, "restart-reused-lsns", text));
    }
    Some(Damage {
        kind: DamageKind::LsnBack,
        span: Span::new(source.segments[later].id, 0, 0),
        lsn: Some(due),
        doubt: due.before().and_then(|last| LsnRange::new(begins, last)),
        expected: format!("LSN {due} next, after {}", earlier.name),
        found: format!("a file that begins with LSN {begins}"),
        facts: Facts::of(Look::Mixed),
    })
}

/// What the host noted as replayed, against what is there.
fn marker(source: &Source, summaries: &[Summary], filled: &[usize], warnings: &mut PlacedWarnings) {
    if source.alone || summaries.is_empty() {
        return;
    }
    let Ok(Some(mut cursor)) = source.sibling(MARKER) else { return };
    let text = String::from_utf8_lossy(cursor.bytes(0, 32)).trim().to_owned();
    let last = filled.last().copied().unwrap_or(0);
    let end = summaries[last].due.and_then(Lsn::before).unwrap_or(Lsn(0));
    match text.parse::<u64>() {
        // Its own reader numbers rotated files one too high.
        Ok(replayed) if replayed > end.0.saturating_add(1) => {
            let text = format!(
                "{MARKER} says that the host has replayed up to LSN {replayed}, and the log ends at {end}: records are gone from its end, or \
                 numbers were counted again after a restart; the host may pass over new records up to {replayed}"
            );
            warnings.push((last, "replay-marker-ahead", text));
        }
        Ok(_) => {}
        Err(_) => {
            let text =
                format!("{MARKER} holds no number: the host cannot know how far it has replayed; the records are not affected");
            warnings.push((last, "sidecar-inconsistent", text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Entry;

    /// A record without data, with these flags.
    fn later(flags: u8) -> Vec<u8> {
        [b"torn".to_vec(), MAGIC.to_vec(), vec![0; 8], vec![0, flags]].concat()
    }

    #[test]
    fn what_is_in_a_file_and_beside_it_tells_how_much_it_looks_like_one_of_rivven() {
        const NAME: Option<&str> = Some("00000000000000000016.wal");
        let (ours, zeros, junk) = ([&MAGIC[..], b"x"].concat(), vec![0; 100], b"junk".to_vec());
        let (whole, other) = (later(HAS_CHECKSUM), later(HAS_CHECKSUM | 8));
        let sealed = later(HAS_CHECKSUM | ENCRYPTED);
        let (file, folder) = (EntryKind::File, EntryKind::Folder);
        for (what, name, head, beside, expected) in [
            ("the magic", NAME, &ours, vec![], Likeness::Sure),
            ("the magic, in a stream", None, &ours, vec![], Likeness::Sure),
            ("the magic, whatever is beside it", NAME, &ours, vec![("segments.idx", file)], Likeness::Sure),
            ("another name", Some("wal-0000000000000000.log"), &ours, vec![], Likeness::No),
            ("a name too short", Some("0000000000000000016.wal"), &ours, vec![], Likeness::No),
            ("a name that is no number", Some("0000000000000000001x.wal"), &ours, vec![], Likeness::No),
            ("zeros", NAME, &zeros, vec![], Likeness::Sure),
            ("zeros beside a lock of ours", NAME, &zeros, vec![("LOCK", file)], Likeness::Maybe),
            ("zeros beside a folder of that name", NAME, &zeros, vec![("LOCK", folder)], Likeness::Sure),
            ("zeros in a stream", None, &zeros, vec![], Likeness::Maybe),
            ("nothing", NAME, &vec![], vec![], Likeness::Maybe),
            ("zeros beside an index of ironwal's", NAME, &zeros, vec![("segments.idx", file)], Likeness::No),
            ("zeros beside a state of ironwal's", NAME, &zeros, vec![("head.state", file)], Likeness::No),
            ("zeros beside a folder like an index", NAME, &zeros, vec![("segments.idx", folder)], Likeness::Sure),
            ("junk", NAME, &junk, vec![], Likeness::No),
            ("junk beside a replay marker", NAME, &junk, vec![(MARKER, file)], Likeness::Maybe),
            ("junk beside an index and a replay marker", NAME, &junk, vec![(MARKER, file), ("segments.idx", file)], Likeness::No),
            ("a record further on", NAME, &whole, vec![], Likeness::Maybe),
            ("a record of ciphertext further on", NAME, &sealed, vec![], Likeness::Maybe),
            ("a record with flags that no release writes", NAME, &other, vec![], Likeness::No),
        ] {
            let beside: Vec<Entry> =
                beside.into_iter().map(|(name, kind)| Entry { name: name.to_owned(), length: 1, kind }).collect();
            let sample = Sample { name, head, length: head.len() as u64, beside: &beside };
            assert_eq!(recognise(&sample), expected, "{what}");
        }
    }

    #[test]
    fn the_first_file_is_named_0_and_begins_with_lsn_1() {
        assert_eq!(sequence("00000000000000000000.wal").map(first_lsn), Some(1));
        assert_eq!(sequence("00000000000000000016.wal").map(first_lsn), Some(16));
        assert_eq!(sequence(MARKER), None);
    }
}
