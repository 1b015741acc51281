//! What a log is besides its frames: names, how its files continue each other, and when it may be cut.

use std::any::Any;

use serde_json::{Value, json};

use super::super::kept::maybe;
use super::super::{Ending, Folder, Laid, Likeness, Mend, Sample, Summary, later_segments_prove, numbered};
use super::frame::{Claim, claim, parse_word};
use super::raft::Member;
use crate::disk::{PrefixSums, Source};
use crate::model::{Damage, DamageKind, Facts, Look, LsnRange, Place, Proof, Span, Verdict};

/// What the join needs to know of a file besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// The sum that its first record carries over from the file before.
    pub carried: Option<u32>,
    /// The running sum at its end, if nothing stands between.
    pub sum: Option<u32>,
    /// The record right behind the first one does not continue it.
    pub head: Option<BrokenHead>,
    /// Who wrote it.
    pub member: Option<Member>,
    /// The highest commit index that a state in it gives.
    pub commit: u64,
    /// How many whole frames stand behind the first damage.
    pub behind: u64,
    /// What the server does at the first damage.
    pub server: AtDamage,
    /// It ends in a frame that was interrupted, and nothing follows that.
    pub torn_end: bool,
}

/// What the server does at the first damage when it is started, if that is in the last segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtDamage {
    /// It does not start.
    #[default]
    Refuses,
    /// It takes it for a torn end, and cuts without a word of what it loses.
    Cuts,
    /// It takes it for the end, and never sees what stands behind.
    Forgets,
}

const AT_DAMAGE: [AtDamage; 3] = [AtDamage::Refuses, AtDamage::Cuts, AtDamage::Forgets];

/// A first record and a second one that do not fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenHead {
    /// What the sum of the second one came out as.
    pub computed: u32,
    /// What it should be.
    pub stored: u32,
    /// How long its data is.
    pub length: u64,
}

/// The sequence number and the first index in the name of a segment.
pub fn name_of(name: &str) -> Option<(u64, u64)> {
    let (sequence, index) = name.strip_suffix(".wal")?.split_once('-')?;
    let number = |digits: &str| {
        let hex = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        hex.then(|| u64::from_str_radix(digits, 16).ok())?
    };
    Some((number(sequence)?, number(index)?))
}

/// The segments in the order of their numbers. `1.tmp` is a segment made ahead, and `*.broken` a copy that the server took: no part of it.
pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    numbered(folder, |name| name_of(name).map(|(sequence, _)| sequence))
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.is_some_and(|name| name_of(name).is_some());
    // The first record carries a sum and nothing else, so its length is known to a few bytes.
    let word = sample.head.first_chunk().map(|word| u64::from_le_bytes(*word)).and_then(parse_word);
    let first = word.is_some_and(|(length, _)| (4..=8).contains(&length))
        && matches!(claim(sample.head, 0), Some(Claim::Agreed(frame)) if frame.kind == super::frame::RecordType::Sum && frame.length == 0);
    let second = || {
        let (length, padding) = word?;
        let at = usize::try_from(8 + length + padding).ok()?;
        Some(sample.head.get(at + 8..at + 11)? == [0x08, 1, 0x10])
    };
    match (first && second() == Some(true), named) {
        (true, _) => Likeness::Sure,
        (false, true) => Likeness::Maybe,
        (false, false) => Likeness::No,
    }
}

/// What the join reads of a file, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    let head = own.head.map(|head| json!([head.computed, head.stored, head.length]));
    let member = own.member.map(|member| json!([member.node, member.cluster]));
    Some(json!({
        "carried": own.carried, "sum": own.sum, "head": head, "member": member, "commit": own.commit, "behind": own.behind,
        "server": AT_DAMAGE.iter().position(|kind| *kind == own.server), "torn_end": own.torn_end,
    }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    let sum = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let head = |value: &Value| match value.as_array()?.as_slice() {
        [computed, stored, length] => {
            Some(BrokenHead { computed: sum(computed)?, stored: sum(stored)?, length: length.as_u64()? })
        }
        _ => None,
    };
    let member = |value: &Value| match value.as_array()?.as_slice() {
        [node, cluster] => Some(Member { node: node.as_u64()?, cluster: cluster.as_u64()? }),
        _ => None,
    };
    Some(Box::new(Own {
        carried: maybe(&from["carried"], sum)?,
        sum: maybe(&from["sum"], sum)?,
        head: maybe(&from["head"], head)?,
        member: maybe(&from["member"], member)?,
        commit: from["commit"].as_u64()?,
        behind: from["behind"].as_u64()?,
        server: *AT_DAMAGE.get(usize::try_from(from["server"].as_u64()?).ok()?)?,
        torn_end: from["torn_end"].as_bool()?,
    }))
}

fn own(summary: &Summary) -> Option<&Own> {
    summary.own::<Own>()
}

pub const NAMED: Proof = Proof::Told { by: "its name", words: "is given only when its first records are synced" };
pub const COMMITTED: Proof = Proof::Told { by: "a later state", words: "says that a majority had promised it" };

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    later_segments_prove(source, summaries);
    commits_prove(summaries);
    let mut found = Vec::new();
    for later in 0..summaries.len() {
        found.extend(unbegun(source, summaries, later));
        let Some(before) = later.checked_sub(1) else { continue };
        if let Some(gap) = skipped(source, summaries, before, later) {
            found.push(gap);
        } else if let Some(broken) = unchained(source, summaries, before, later) {
            found.push(broken);
        }
    }
    what_the_server_does(source, summaries, &found);
    found
}

/// What a later state proves: everything up to its commit index was promised.
fn commits_prove(summaries: &mut [Summary]) {
    let mut commit = 0;
    for summary in summaries.iter_mut().rev() {
        for damage in summary.damage.kept_mut() {
            if damage.lsn.is_some_and(|due| due.0 <= commit) {
                damage.facts.proof = Some(COMMITTED);
            }
        }
        commit = commit.max(own(summary).map_or(0, |own| own.commit));
    }
}

/// A segment without its first records. They are written and synced before it gets its name.
fn unbegun(source: &Source, summaries: &[Summary], index: usize) -> Option<Damage> {
    let summary = &summaries[index];
    if !summary.blank || !summary.whole {
        return None;
    }
    let due = index.checked_sub(1).and_then(|before| summaries[before].due);
    let found = if summary.length == 0 { "an empty file" } else { "zeros" };
    Some(Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(source.segments[index].id, 0, 0),
        lsn: due.or(summary.begins),
        doubt: None,
        expected: "the sum of the segment before, and whose log it is".to_owned(),
        found: found.to_owned(),
        facts: Facts { proof: Some(NAMED), ..Facts::of(Look::Absent) },
    })
}

/// Segments whose numbers are missing.
fn skipped(source: &Source, summaries: &[Summary], before: usize, later: usize) -> Option<Damage> {
    let (first, second) = (&source.segments[before], &source.segments[later]);
    let due = first.sequence.checked_add(1)?;
    if second.sequence <= due {
        return None;
    }
    let count = second.sequence - due;
    let expected =
        if count == 1 { format!("segment {due:016x}") } else { format!("segments {due:016x} to {:016x}", second.sequence - 1) };
    let lsn = summaries[before].due;
    Some(Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(second.id, 0, 0),
        lsn,
        doubt: doubt(summaries, before, later),
        expected: format!("{expected} before it, after {}", first.name),
        found: format!("{} next", second.name),
        facts: Facts::of(Look::Absent),
    })
}

/// The entries that the end of one segment and the begin of another leave out.
fn doubt(summaries: &[Summary], before: usize, later: usize) -> Option<LsnRange> {
    LsnRange::new(summaries[before].due?, summaries[later].begins?.before()?)
}

/// A segment that does not continue the sum of the one before it.
fn unchained(source: &Source, summaries: &mut [Summary], before: usize, later: usize) -> Option<Damage> {
    let (first, second) = (own(&summaries[before])?, own(&summaries[later])?);
    if let (Some(was), Some(is)) = (first.member, second.member)
        && was != is
    {
        return Some(other_member(source, later, was, is));
    }
    let (sum, carried, head) = (first.sum?, second.carried?, second.head);
    if summaries[before].ending == Ending::Damage || sum == carried {
        return None;
    }
    if blame_first(source, summaries, later, sum, carried, head) {
        return None;
    }
    let end = summaries[before].end;
    Some(Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(source.segments[later].id, 0, 0),
        lsn: summaries[before].due,
        doubt: doubt(summaries, before, later),
        expected: format!("the running sum {sum:08x} of {}, which ends at {end}", source.segments[before].name),
        found: format!("{carried:08x}: what stood between was cut off at a frame's end, or one of the two is of another time"),
        facts: Facts::of(Look::Absent),
    })
}

/// Where the first two records of a segment do not fit each other: whether the sum of the segment before tells that the first is to blame.
fn blame_first(
    source: &Source,
    summaries: &mut [Summary],
    later: usize,
    sum: u32,
    carried: u32,
    head: Option<BrokenHead>,
) -> bool {
    let Some(head) = head else { return false };
    if PrefixSums::castagnoli_range(sum, carried, head.computed, head.length) != head.stored {
        return false;
    }
    let id = source.segments[later].id;
    if let Some(damage) = summaries[later].damage.kept_mut().first_mut() {
        damage.span = Span::new(id, 0, damage.span.end());
        damage.expected = format!("the running sum {sum:08x} carried over");
        damage.found = format!("{carried:08x}, which the next record does not continue");
        return true;
    }
    false
}

fn other_member(source: &Source, later: usize, was: Member, is: Member) -> Damage {
    Damage {
        kind: DamageKind::OtherLog,
        span: Span::new(source.segments[later].id, 0, 0),
        lsn: None,
        doubt: None,
        expected: format!("member {:x} of cluster {:x}", was.node, was.cluster),
        found: format!("member {:x} of cluster {:x}", is.node, is.cluster),
        facts: Facts::of(Look::Mixed),
    }
}

/// What etcd will do with a damaged log when it is started. Its own way is dangerous in one case: it looks at the bad frame alone.
fn what_the_server_does(source: &Source, summaries: &mut [Summary], between: &[Damage]) {
    const WAY_OUT: &str = "take the member out of the cluster and add it anew (etcdctl member remove ID, etcdctl member add NAME, and start it with an \
                           empty data folder in the state of an existing cluster), or restore a snapshot on all members (etcdutl snapshot restore \
                           FILE, into a new data folder)";
    let Some(hurt) = summaries.iter().position(|summary| !summary.damage.is_empty()).or(between.first().map(|_| summaries.len()))
    else {
        return;
    };
    let last = summaries.len().saturating_sub(1);
    // A segment that was named alone may have later ones.
    let may_cut = hurt == last && between.is_empty() && source.segments.last().is_some_and(|segment| !segment.followed);
    let Some(summary) = summaries.last_mut() else { return };
    let seen = own(summary).zip(summary.damage.kept().first()).zip(source.segments.last()).filter(|_| may_cut);
    let text = match seen {
        Some(((own, damage), segment)) if own.server != AtDamage::Refuses => {
            let (place, behind) = (format!("{} at byte {}", segment.name, damage.span.start()), own.behind);
            match own.server {
                AtDamage::Cuts if behind == 0 && damage.verdict() <= Verdict::Suspect => {
                    format!("etcd cuts {place} itself, keeps a copy of it with the ending .broken, and starts")
                }
                AtDamage::Cuts => format!(
                    "etcd takes this for a torn end, cuts {place} with the {behind} whole frames behind it, and starts without a word about it; do not \
                     start it: {WAY_OUT}"
                ),
                _ => format!(
                    "etcd takes {place} for the end of the log, starts, and forgets the {behind} whole frames behind it without a word; do not start it: \
                     {WAY_OUT}"
                ),
            }
        }
        _ => format!("etcd refuses to start; {WAY_OUT}"),
    };
    summary.recovery = Some(text);
}

/// Whether a log may be cut: the torn end of the last segment, as the server itself would cut it, and nothing else.
pub fn mend(source: &Source, summaries: &[Summary], at: Place) -> Mend {
    const REFUSED: &str = "a member that forgets entries which it promised votes with a false memory and can corrupt the whole cluster; take it out \
                           of the cluster and add it anew, or restore a snapshot on all members";
    let last = source.segments.last().map(|segment| segment.id);
    let torn = summaries
        .get(at.segment.index())
        .is_some_and(|summary| summary.end == at.offset && own(summary).is_some_and(|own| own.torn_end));
    let followed = source.segments.last().is_some_and(|segment| segment.followed);
    if Some(at.segment) == last && torn && !followed { Mend::Cut } else { Mend::Refuse(REFUSED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_twice_sixteen_hex_digits_are_segments() {
        assert_eq!(name_of("0000000000000009-0000000000000137.wal"), Some((9, 0x137)));
        for name in [
            "0.tmp",
            "1.tmp",
            "0000000000000009-0000000000000137.wal.broken",
            "00000000000000000001.wal",
            "000000000000000A-0000000000000137.wal",
        ] {
            assert_eq!(name_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_file_is_recognised_by_its_first_two_records_and_otherwise_by_its_name() {
        let mut head = vec![4, 0, 0, 0, 0, 0, 0, 0x84, 8, 4, 16, 0, 0, 0, 0, 0];
        head.extend([4, 0, 0, 0, 0, 0, 0, 0x84, 8, 1, 16, 9]);
        let sample = |name: Option<&'static str>, head: &[u8]| {
            recognise(&Sample { name, head: head.to_vec().leak(), length: 64, beside: &[] })
        };
        assert_eq!(sample(None, &head), Likeness::Sure);
        let name = "0000000000000000-0000000000000000.wal";
        assert_eq!(sample(Some(name), &[0; 64]), Likeness::Maybe);
        assert_eq!(sample(Some("00000000000000000001.wal"), &[0; 64]), Likeness::No);
        head[0] = 9;
        assert_eq!(sample(None, &head), Likeness::No);
    }
}
