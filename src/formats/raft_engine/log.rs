//! What a log is besides its batches: two queues of files, what the engine would make of damage, and when a file may be cut.

use std::any::Any;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::header::{FileStart, MAGIC, file_start};
use crate::disk::{Entry, Segment, Source, zero_prefix};
use crate::formats::kept::maybe;
use crate::formats::{Folder, Laid, Likeness, Mend, Placed, Sample, Summary};
use crate::model::{Damage, DamageKind, Facts, Look, Place, Proof, Span};

/// Batches of one file are written one after the other.
pub const SIGNED: (&str, &str) = ("a batch of this file", "stands behind it and was written after it");
/// How many groups are named one by one.
const GROUPS: usize = 1000;

/// Which queue a file belongs to. Rewritten batches are older than those that are still in the append queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RaftQueue {
    Rewrite,
    Append,
}

/// The queue of a file and its number in it.
pub fn name_of(name: &str) -> Option<(RaftQueue, u64)> {
    let (queue, digits) = match name.strip_suffix(".raftlog") {
        Some(digits) => (RaftQueue::Append, digits),
        None => (RaftQueue::Rewrite, name.strip_suffix(".rewrite")?),
    };
    let all = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| digits.parse().ok()).flatten().map(|number| (queue, number))
}

/// What the join needs to know of a file besides its summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Where the engine stops reading: the first damage that it notices when it starts.
    pub stops: Option<u64>,
    /// Whole batches behind that.
    pub behind: u64,
    /// Groups with entries in those, and the first and last index of each.
    pub groups: BTreeMap<u64, (u64, u64)>,
    /// Where the file may be cut.
    pub cut: Option<u64>,
    /// Batches whose entries are damaged and whose items are not.
    pub unread: u64,
}

impl Own {
    /// Counts a whole batch that stands behind the place where the engine stops.
    pub fn lost(&mut self, group: u64, first: u64, last: u64) {
        if let Some(range) = self.groups.get_mut(&group) {
            *range = (range.0.min(first), range.1.max(last));
        } else if self.groups.len() < GROUPS {
            self.groups.insert(group, (first, last));
        }
    }
}

/// What the join reads of a file, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    let groups: Vec<[u64; 3]> = own.groups.iter().map(|(group, (first, last))| [*group, *first, *last]).collect();
    Some(json!({ "stops": own.stops, "behind": own.behind, "groups": groups, "cut": own.cut, "unread": own.unread }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    let group = |value: &Value| match value.as_array()?.as_slice() {
        [group, first, last] => Some((group.as_u64()?, (first.as_u64()?, last.as_u64()?))),
        _ => None,
    };
    Some(Box::new(Own {
        stops: maybe(&from["stops"], Value::as_u64)?,
        behind: from["behind"].as_u64()?,
        groups: from["groups"].as_array()?.iter().map(group).collect::<Option<_>>()?,
        cut: maybe(&from["cut"], Value::as_u64)?,
        unread: from["unread"].as_u64()?,
    }))
}

/// The rewrite queue and then the append queue: in this order later batches count more. `*.reserved` are zeros for later use.
pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    let mut files: Vec<(RaftQueue, u64, &Entry)> =
        folder.entries.iter().filter_map(|entry| name_of(&entry.name).map(|(queue, number)| (queue, number, entry))).collect();
    files.sort_by_key(|(queue, number, _)| (*queue, *number));
    let last = |queue: RaftQueue| files.iter().rev().find(|(other, ..)| *other == queue).map(|(_, number, _)| *number);
    let lasts = [last(RaftQueue::Rewrite), last(RaftQueue::Append)];
    let placed = |(queue, number, entry): &(RaftQueue, u64, &Entry)| Placed {
        entry: (*entry).clone(),
        // Each queue has numbers of its own, and numbers grow from file to file.
        number: if *queue == RaftQueue::Append { number.saturating_add(1 << 62) } else { *number },
        followed: lasts[*queue as usize] != Some(*number),
    };
    let segments: Vec<Placed> = files.iter().map(placed).collect();
    if segments.is_empty() { Vec::new() } else { vec![Laid { name: String::new(), segments }] }
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.is_some_and(|name| name_of(name).is_some());
    match file_start(sample.head) {
        FileStart::Header(_) | FileStart::Newer(_) => Likeness::Sure,
        _ if named && sample.head.windows(8).take(MAGIC.len()).any(|eight| MAGIC.windows(8).any(|part| part == eight)) => {
            Likeness::Sure
        }
        _ if named && (sample.head.len() < MAGIC.len() || zero_prefix(sample.head) == sample.head.len()) => Likeness::Maybe,
        _ if named => Likeness::Maybe,
        _ => Likeness::No,
    }
}

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    for (segment, summary) in source.segments.iter().zip(summaries.iter_mut()).filter(|(segment, _)| segment.followed) {
        debug_assert!(segment.followed);
        // A file is ended and synced before the next one is begun.
        for damage in summary.damage.kept_mut() {
            damage.facts.proof.get_or_insert(Proof::LaterSegment);
        }
    }
    let missing: Vec<Damage> = source.segments.windows(2).filter_map(|pair| skipped(&pair[0], &pair[1])).collect();
    let recovery = recovery(source, summaries, &missing);
    if let Some(last) = summaries.last_mut() {
        last.recovery = Some(recovery);
    }
    missing
}

/// Numbers that are missing inside of a queue.
fn skipped(before: &Segment, later: &Segment) -> Option<Damage> {
    let ((one, first), (two, second)) = (name_of(&before.name)?, name_of(&later.name)?);
    let due = first.checked_add(1)?;
    if one != two || second <= due {
        return None;
    }
    let ending = if one == RaftQueue::Append { "raftlog" } else { "rewrite" };
    let expected = match second - due {
        1 => format!("{due:016}.{ending} next, after {}", before.name),
        _ => format!("{due:016}.{ending} to {:016}.{ending} next, after {}", second - 1, before.name),
    };
    Some(Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(later.id, 0, 0),
        lsn: None,
        doubt: None,
        expected,
        found: format!("{}; the engine starts on such a log without a word", later.name),
        facts: Facts::of(Look::Absent),
    })
}

/// What the engine would do with this log if it were opened now, as it is set by default.
fn recovery(source: &Source, summaries: &[Summary], missing: &[Damage]) -> String {
    let mut said = Vec::new();
    for (segment, summary) in source.segments.iter().zip(summaries) {
        let Some((at, own)) = summary.own::<Own>().and_then(|own| Some((own.stops?, own))) else { continue };
        let name = &segment.name;
        if segment.followed {
            return format!("the engine refuses to open it, for {name} is damaged at {at} and is not the last file of its queue");
        }
        said.push(match own.behind {
            0 => format!("the engine cuts {name} at {at} and opens"),
            behind => format!(
                "the engine takes the damage at {at} of {name} for a torn end, cuts there and opens without a word of the {behind} whole batches \
                 behind it{}; keep a copy of the file first",
                ranges(&own.groups)
            ),
        });
    }
    let unread: u64 = summaries.iter().filter_map(|summary| summary.own::<Own>()).map(|own| own.unread).sum();
    if unread > 0 {
        said.push(format!(
            "the engine does not notice {unread} {} with damaged entries until an entry is read, and fails then",
            if unread == 1 { "batch" } else { "batches" }
        ));
    }
    if !missing.is_empty() {
        said.push("the engine opens it without noticing that a file is missing, and with holes in its groups".to_owned());
    }
    if said.is_empty() { "the engine opens it and drops nothing".to_owned() } else { said.join("; ") }
}

fn ranges(groups: &BTreeMap<u64, (u64, u64)>) -> String {
    const NAMED: usize = 8;
    if groups.is_empty() {
        return String::new();
    }
    let mut named: Vec<String> =
        groups.iter().take(NAMED).map(|(group, (first, last))| format!("group {group} entries {first}-{last}")).collect();
    if groups.len() > NAMED {
        named.push(format!("{} more groups", groups.len() - NAMED));
    }
    format!(" ({})", named.join(", "))
}

/// Whether a log may be cut: the torn end of the last file of a queue, as the engine itself cuts it.
pub fn mend(source: &Source, summaries: &[Summary], at: Place) -> Mend {
    let index = at.segment.index();
    let cut = summaries.get(index).and_then(|summary| summary.own::<Own>()?.cut);
    let last = source.segments.get(index).is_some_and(|segment| !segment.followed);
    if at.offset == 0 {
        return Mend::Refuse(
            "its last file has no whole header, so there is nothing that a cut could leave: the engine makes it anew",
        );
    }
    match last && cut == Some(at.offset) {
        true => Mend::Cut,
        false => Mend::Refuse(
            "only the torn end of the last file of a queue is cut, as the engine does; a cut elsewhere makes a member forget what it promised: take it \
             out of the cluster and add it anew",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::EntryKind;

    #[test]
    fn rewritten_files_stand_first_and_each_queue_has_a_last_file() {
        let names = [
            "0000000000000003.raftlog",
            "0000000000000002.raftlog",
            "0000000000000007.raftlog.reserved",
            "0000000000000009.rewrite",
            "LOCK",
            "3.raftlog",
        ];
        let entries = names.map(|name| Entry { name: name.to_owned(), length: 0, kind: EntryKind::File });
        let logs = layout(&Folder::new(&entries, &|_| None));
        let seen: Vec<(&str, bool)> = logs[0].segments.iter().map(|file| (file.entry.name.as_str(), file.followed)).collect();
        assert_eq!(
            seen,
            [("0000000000000009.rewrite", false), ("0000000000000002.raftlog", true), ("0000000000000003.raftlog", false)]
        );
    }
}
