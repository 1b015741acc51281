//! What a log is besides its transactions: names, how its files follow each other, when it may be cut, and what a server does with it.

use std::any::Any;

use serde_json::{Value, json};

use super::super::kept::maybe;
use super::super::{Ending, Folder, Laid, Likeness, Mend, Sample, Summary, numbered};
use super::frame::{FILE_HEADER, MAGIC, show};
use crate::disk::{EntryKind, Source};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Place, Proof, Span};

/// What the join needs to know of a file besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// The zxid of the first whole transaction.
    pub first: Option<u64>,
    /// The latest time, in milliseconds.
    pub newest: u64,
    /// It ends in what a server may have been writing, and nothing whole follows.
    pub torn_end: bool,
    /// The server refuses to start because of how it ends.
    pub refused: bool,
    /// The server stops reading this file at some damage without a word.
    pub silent: bool,
}

/// `log.3f2` is named after its first zxid.
pub fn name_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("log.")?;
    let hex =
        !digits.is_empty() && digits.len() <= 16 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    hex.then(|| u64::from_str_radix(digits, 16).ok())?
}

pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    numbered(folder, name_of)
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.is_some_and(|name| name_of(name).is_some());
    if sample.head.starts_with(&MAGIC) {
        return Likeness::Sure;
    }
    if !named {
        return Likeness::No;
    }
    let files = sample.beside.iter().filter(|entry| entry.kind == EntryKind::File);
    let kin = files.filter(|entry| name_of(&entry.name).is_some() || snapshot_of(&entry.name).is_some()).count();
    // A version and a database, behind a damaged magic.
    let headed = sample.head.get(4..16).is_some_and(|rest| rest == [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    if headed || kin > 1 { Likeness::Maybe } else { Likeness::No }
}

fn snapshot_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("snapshot.")?;
    let digits = digits.strip_suffix(".gz").or_else(|| digits.strip_suffix(".snappy")).unwrap_or(digits);
    (digits.len() <= 16).then(|| u64::from_str_radix(digits, 16).ok())?
}

/// What the join reads of a file, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    Some(json!({
        "first": own.first, "newest": own.newest, "torn_end": own.torn_end, "refused": own.refused, "silent": own.silent,
    }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    Some(Box::new(Own {
        first: maybe(&from["first"], Value::as_u64)?,
        newest: from["newest"].as_u64()?,
        torn_end: from["torn_end"].as_bool()?,
        refused: from["refused"].as_bool()?,
        silent: from["silent"].as_bool()?,
    }))
}

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    let mut between = Vec::new();
    for index in 0..summaries.len() {
        between.extend(misnamed(source, summaries, index));
        let Some(before) = index.checked_sub(1) else { continue };
        let due = (0..=before).rev().find_map(|earlier| summaries[earlier].due);
        let begins = summaries[index].own::<Own>().and_then(|own| own.first).map(Lsn).or(summaries[index].begins);
        let (Some(due), Some(begins)) = (due, begins) else { continue };
        let goes_on = begins == due || begins.0 >> 32 > due.0 >> 32;
        // A server that finds a torn end begins a file with the zxid that the torn transaction had.
        if !goes_on {
            for damage in summaries[before].damage.kept_mut().iter_mut().filter(|damage| damage.span.length > 0) {
                damage.facts.proof.get_or_insert(Proof::LaterSegment);
            }
        }
        if summaries[before].ending == Ending::Damage && begins >= due {
            let damage = summaries[before].damage.kept_mut();
            if let Some(last) = damage.last_mut() {
                last.doubt = last.doubt.or(begins.before().and_then(|end| LsnRange::new(due, end)));
            }
            continue;
        }
        between.extend(gap(source, summaries, index, due, begins));
    }
    recovery(source, summaries, &between);
    between
}

fn misnamed(source: &Source, summaries: &[Summary], index: usize) -> Option<Damage> {
    let (first, named) = (summaries[index].own::<Own>()?.first?, summaries[index].begins?);
    let hurt = summaries[index].damage.kept().first().is_some_and(|damage| damage.span.start() <= FILE_HEADER);
    if first == named.0 || hurt && first > named.0 {
        return None;
    }
    Some(Damage {
        kind: DamageKind::WrongName,
        span: Span::new(source.segments[index].id, 0, 0),
        lsn: Some(named),
        doubt: None,
        expected: format!("zxid {} first, as the name says", show(named.0)),
        found: format!("zxid {}; its right name is log.{first:x}", show(first)),
        facts: Facts::of(Look::Mixed),
    })
}

fn gap(source: &Source, summaries: &[Summary], index: usize, due: Lsn, begins: Lsn) -> Option<Damage> {
    let damage = |kind, doubt, found, look| Damage {
        kind,
        span: Span::new(source.segments[index].id, 0, 0),
        lsn: Some(due),
        doubt,
        expected: format!("zxid {} next, after {}", show(due.0), source.segments[index - 1].name),
        found,
        facts: Facts::of(look),
    };
    if begins < due {
        // A leader cuts what its follower had too much; what stands then in two files was written twice.
        let found = format!("zxid {} first: transactions stand in two files", show(begins.0));
        return (summaries[index].records > 0).then(|| damage(DamageKind::LsnBack, None, found, Look::Mixed));
    }
    if begins == due || begins.0 >> 32 != due.0 >> 32 {
        return None;
    }
    // A member that was far behind was sent a snapshot by its leader.
    let covered = source.others.iter().filter_map(|name| snapshot_of(name)).any(|snapshot| snapshot >= begins.0 - 1);
    if covered {
        return None;
    }
    let found = format!("zxid {} first, and no snapshot that would hold what is between", show(begins.0));
    Some(damage(DamageKind::MissingSegment, LsnRange::new(due, Lsn(begins.0 - 1)), found, Look::Absent))
}

/// What a server does with the log when it is started.
fn recovery(source: &Source, summaries: &mut [Summary], between: &[Damage]) {
    let own =
        |summary: &Summary| summary.own::<Own>().map_or((false, false, false), |own| (own.silent, own.refused, own.torn_end));
    let hurt = summaries.iter().zip(&source.segments).find(|(summary, _)| !summary.damage.is_empty());
    let words = match hurt {
        None if between.is_empty() => return,
        None => "ZooKeeper starts and does not notice: it compares no zxids of one file with those of another".to_owned(),
        Some((summary, segment)) => {
            let damage = summary.damage.kept().first();
            let (at, kind) = damage.map_or((0, DamageKind::NotAFrame), |damage| (damage.span.start(), damage.kind));
            let (silent, refused, torn) = own(summary);
            let name = &segment.name;
            match kind {
                DamageKind::UnfinishedSegment | DamageKind::BadHeader => {
                    format!("ZooKeeper refuses to start because of {name} (versions of 2024 on delete a file of length 0)")
                }
                DamageKind::BadChecksum => format!(
                    "ZooKeeper refuses to start (CRC check failed in {name} at byte {at}), unless a snapshot holds what stands there; do not let \
                     TxnLogToolkit -r recover it: that writes new sums over rotten bytes"
                ),
                _ if silent => format!(
                    "ZooKeeper takes byte {at} for the end of {name}, forgets what stands behind it without a word, and goes on with the next \
                     file; do not start it"
                ),
                _ if torn && !refused => format!(
                    "ZooKeeper takes byte {at} for the end of {name} and starts; its next transaction goes into a new file, which can have the \
                     name of this one and replace it: copy it first"
                ),
                _ => format!(
                    "ZooKeeper may refuse to start because of {name} at byte {at}, or forget what stands behind that place"
                ),
            }
        }
    };
    if let Some(last) = summaries.last_mut() {
        last.recovery = Some(words);
    }
}

/// Whether a log may be cut: the torn end of the last file, which a server takes for the end too.
pub fn mend(source: &Source, summaries: &[Summary], at: Place) -> Mend {
    const HEADLESS: &str = "its last file has no header: ZooKeeper makes the file anew, so copy it and then remove it by hand";
    const REFUSED: &str = "only the torn end of the last file is dropped by the server too. A member of an ensemble that lacks transactions votes \
                           with a false memory: move its version-2 away, keep myid, and let it sync from the leader. A standalone server: copy the \
                           folder first, then restore a backup";
    let last = source.segments.last().filter(|segment| !segment.followed).map(|segment| segment.id);
    let Some(summary) = summaries.get(at.segment.index()).filter(|_| Some(at.segment) == last) else {
        return Mend::Refuse(REFUSED);
    };
    if at.offset < FILE_HEADER {
        return Mend::Refuse(HEADLESS);
    }
    let torn = summary.end == at.offset && summary.own::<Own>().is_some_and(|own| own.torn_end);
    if torn { Mend::Cut } else { Mend::Refuse(REFUSED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hex_numbers_and_copies_are_no_files_of_the_log() {
        assert_eq!((name_of("log.3f2"), name_of("log.100000001")), (Some(0x3F2), Some(0x1_0000_0001)));
        for name in ["log.", "log.3f2.fixed", "log.3F2", "snapshot.3f2", "log.3f2.chopped17", "catalog.1"] {
            assert_eq!(name_of(name), None, "{name}");
        }
        assert_eq!((snapshot_of("snapshot.3f2.gz"), snapshot_of("log.3f2")), (Some(0x3F2), None));
    }
}
