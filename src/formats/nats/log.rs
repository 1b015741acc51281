//! What a log is besides its records: names, blocks that are missing, what is alive, what the server would do, and when it may be cut.

use std::any::Any;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::kept::maybe;
use super::super::{Folder, Laid, Likeness, Mend, Sample, Summary, numbered};
use super::record::{HEADER, Head, Kind};
use super::stored;
use crate::disk::{EntryKind, Source, zero_prefix};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Place, Span};

/// The folder of a stream's blocks, in the stream's own.
const BLOCKS: &str = "msgs";
/// So many runs of sequences, and so many tombstones, are remembered of a block.
const REMEMBERED: usize = 100_000;
/// What a block can be instead of plain.
const OPAQUE: [&str; 2] = ["compressed", "encrypted"];

/// What the join needs to know of a block besides its summary.
#[derive(Debug, Default)]
pub struct Own {
    /// Sequences of messages, in runs: first and last.
    pub runs: Vec<(u64, u64)>,
    /// Sequences that tombstones delete.
    pub tombstones: Vec<u64>,
    /// There were too many of either to remember.
    pub many: bool,
    pub messages: u64,
    pub erased: u64,
    /// The first sequence, of messages and erased ones.
    pub first: Option<u64>,
    pub last: u64,
    /// Why nothing of it is known.
    pub opaque: Option<&'static str>,
    /// Where its first damage begins.
    pub first_bad: Option<u64>,
    /// How many whole records stand behind that.
    pub behind: u64,
    /// It ends in a record that was interrupted, and that is all its damage.
    pub torn_end: bool,
    /// All that its damage holds are zeros.
    pub only_zeros: bool,
}

impl Own {
    /// Counts in a record.
    pub fn saw(&mut self, head: &Head) {
        self.behind += u64::from(self.first_bad.is_some());
        self.many |= self.runs.len() >= REMEMBERED || self.tombstones.len() >= REMEMBERED;
        if head.kind != Kind::Tombstone {
            self.first.get_or_insert(head.sequence);
        }
        match head.kind {
            Kind::Erased => self.erased += 1,
            Kind::Tombstone if !self.many => self.tombstones.push(head.sequence),
            Kind::Message => {
                self.messages += 1;
                match self.runs.last_mut() {
                    Some((_, last)) if last.checked_add(1) == Some(head.sequence) => *last = head.sequence,
                    _ if !self.many => self.runs.push((head.sequence, head.sequence)),
                    _ => {}
                }
            }
            Kind::Tombstone => {}
        }
    }

    fn holds(&self, sequence: u64) -> bool {
        let at = self.runs.partition_point(|(first, _)| *first <= sequence);
        at > 0 && self.runs[at - 1].1 >= sequence
    }
}

/// What the join reads of a block, as JSON.
pub fn write_own(summary: &Summary) -> Option<Value> {
    let own = summary.own::<Own>()?;
    Some(json!({
        "runs": own.runs, "tombstones": own.tombstones, "many": own.many, "messages": own.messages, "erased": own.erased, "first": own.first,
        "last": own.last, "opaque": own.opaque, "first_bad": own.first_bad, "behind": own.behind, "torn_end": own.torn_end,
        "only_zeros": own.only_zeros,
    }))
}

/// The same, back.
pub fn read_own(from: &Value) -> Option<Box<dyn Any + Send + Sync>> {
    let run = |pair: &Value| Some((pair.get(0)?.as_u64()?, pair.get(1)?.as_u64()?));
    let opaque = |value: &Value| OPAQUE.into_iter().find(|word| value == word);
    Some(Box::new(Own {
        runs: from["runs"].as_array()?.iter().map(run).collect::<Option<_>>()?,
        tombstones: from["tombstones"].as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?,
        many: from["many"].as_bool()?,
        messages: from["messages"].as_u64()?,
        erased: from["erased"].as_u64()?,
        first: maybe(&from["first"], Value::as_u64)?,
        last: from["last"].as_u64()?,
        opaque: maybe(&from["opaque"], opaque)?,
        first_bad: maybe(&from["first_bad"], Value::as_u64)?,
        behind: from["behind"].as_u64()?,
        torn_end: from["torn_end"].as_bool()?,
        only_zeros: from["only_zeros"].as_bool()?,
    }))
}

/// The number of a block: `17.blk` is 17.
pub fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".blk")?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    plain.then(|| digits.parse().ok())?
}

/// The blocks of a folder; those of a stream's own folder are one folder further in.
pub fn layout(folder: &Folder<'_>) -> Vec<Laid> {
    let mut logs = numbered(folder, number_of);
    if folder.entries.iter().any(|entry| entry.kind == EntryKind::Folder && entry.name == BLOCKS) {
        logs.push(Laid { name: BLOCKS.to_owned(), segments: Vec::new() });
    }
    logs
}

pub fn recognise(sample: &Sample<'_>) -> Likeness {
    let named = sample.name.and_then(number_of).is_some();
    if sample.name.is_some() && !named {
        return Likeness::No;
    }
    let maybe = if named { Likeness::Maybe } else { Likeness::No };
    if named && sample.head.starts_with(stored::COMPRESSED) && sample.head.get(3).is_some_and(|algorithm| *algorithm < 8) {
        return Likeness::Sure;
    }
    if zero_prefix(sample.head) == sample.head.len() {
        return maybe;
    }
    // The first two records, or the only one.
    let (mut at, mut last) = (0, 0);
    for _ in 0..2 {
        let head = sample.head.get(at..).and_then(|rest| Head::parse(rest.first_chunk::<HEADER>()?, at as u64));
        let Some(head) = head.filter(|head| head.usual(last) && subject_is_one(sample.head, head)) else { return maybe };
        if head.kind != Kind::Tombstone {
            last = head.sequence;
        }
        match usize::try_from(head.end()) {
            Ok(end) if end < sample.head.len() => at = end,
            _ if head.end() == sample.length => return Likeness::Sure,
            _ => return Likeness::Maybe,
        }
    }
    Likeness::Sure
}

/// Whether these bytes can be a subject: no spaces, nothing that steers a terminal.
fn subject_is_one(bytes: &[u8], head: &Head) -> bool {
    let at = head.at as usize + HEADER;
    let subject = bytes.get(at..(at + usize::from(head.subject)).min(bytes.len())).unwrap_or_default();
    subject.iter().all(|byte| *byte > b' ' && *byte != 0x7F)
}

pub fn join(source: &Source, summaries: &mut [Summary]) -> Vec<Damage> {
    let mut followed = source.segments.last().is_some_and(|segment| segment.followed);
    for summary in summaries.iter_mut().rev() {
        if followed {
            // The server begins a block when it is done with the one before; by default it syncs every two minutes, so nothing is proven.
            for damage in summary.damage.kept_mut().iter_mut().filter(|damage| damage.facts.look != Look::Refused) {
                damage.facts.look = Look::Followed;
            }
        }
        followed = true;
    }
    let missing: Vec<Damage> = (1..summaries.len()).filter_map(|later| missing(source, summaries, later)).collect();
    let words = what_the_server_does(source, summaries);
    if let Some(last) = summaries.last_mut() {
        last.recovery = Some(words);
    }
    missing
}

/// A number that lacks between two blocks, unless all sequences between them are accounted for.
fn missing(source: &Source, summaries: &[Summary], later: usize) -> Option<Damage> {
    let (first, second) = (&source.segments[later - 1], &source.segments[later]);
    let due = first.sequence.checked_add(1)?;
    let (one, two) = (summaries[later - 1].own::<Own>()?, summaries[later].own::<Own>()?);
    if second.sequence <= due || one.opaque.is_some() || two.opaque.is_some() {
        return None;
    }
    let doubt = LsnRange::new(Lsn(one.last.checked_add(1)?), Lsn(two.first?.checked_sub(1)?))?;
    let deleted: BTreeSet<u64> =
        summaries.iter().filter_map(Summary::own::<Own>).flat_map(|own| own.tombstones.iter().copied()).collect();
    if deleted.range(doubt.first.0..=doubt.last.0).count() as u64 == doubt.last.0 - doubt.first.0 + 1 {
        return None;
    }
    let lacks =
        if second.sequence - due == 1 { format!("block {due}") } else { format!("blocks {due} to {}", second.sequence - 1) };
    Some(Damage {
        kind: DamageKind::MissingSegment,
        span: Span::new(second.id, 0, 0),
        lsn: Some(doubt.first),
        doubt: Some(doubt),
        expected: format!("{lacks}, behind {}", first.name),
        found: format!(
            "{}; the server does not notice, unless it removed the block itself because all of its messages were deleted",
            second.name
        ),
        facts: Facts::of(Look::Absent),
    })
}

/// What nats-server would make of the blocks when it is started.
fn what_the_server_does(source: &Source, summaries: &[Summary]) -> String {
    let owns: Vec<&Own> = summaries.iter().filter_map(Summary::own::<Own>).collect();
    let hurt = owns.iter().enumerate().find_map(|(index, own)| own.first_bad.map(|at| (index, at)));
    let Some((index, at)) = hurt else { return alive(source, &owns) };
    let (own, name) = (owns[index], &source.segments[index].name);
    if own.only_zeros && own.behind == 0 && index + 1 == owns.len() {
        return format!("nats-server cuts the zeros off at byte {at} of {name}; they hold nothing");
    }
    let mut words = format!("nats-server cuts {name} at byte {at} without a warning");
    words += &match own.behind {
        0 => String::new(),
        1 => ", and drops the whole record behind it".to_owned(),
        behind => format!(", and drops the {behind} whole records behind it"),
    };
    if index + 1 == owns.len() && source.segments.last().is_some_and(|segment| !segment.followed) {
        let bad = summaries[index].damage.kept().iter().find(|damage| damage.span.start() == at);
        // Of a record that is there in full the server keeps the number, and drops the rest.
        let numbered = bad.is_some_and(|damage| damage.kind == DamageKind::BadChecksum);
        if let Some(next) = bad.and_then(|damage| damage.lsn?.0.checked_add(u64::from(numbered))) {
            words += &format!(
                "; sequence numbers from {next} on are given out again, to other messages, and consumers that were past them may never see those"
            );
        }
    }
    words + "; in a cluster, let it fetch the stream from another replica instead"
}

/// How much of it is alive.
fn alive(source: &Source, owns: &[&Own]) -> String {
    let last = owns.iter().map(|own| own.last).max().unwrap_or(0);
    if let Some(why) = owns.iter().find_map(|own| own.opaque) {
        return format!("nothing here says what nats-server finds: at least one block is {why}");
    }
    if owns.iter().any(|own| own.many) || source.alone {
        return format!("nats-server reads all of it; last sequence {last}");
    }
    let deleted: BTreeSet<u64> = owns.iter().flat_map(|own| own.tombstones.iter().copied()).collect();
    let gone = deleted.iter().filter(|sequence| owns.iter().any(|own| own.holds(**sequence))).count() as u64;
    let messages = owns.iter().map(|own| own.messages).sum::<u64>() - gone;
    let erased: u64 = owns.iter().map(|own| own.erased).sum();
    // Before 2.10 deletions that do not erase stand in these files alone.
    let indexed =
        source.others.iter().any(|name| name.strip_suffix(".idx").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())));
    let most = if indexed { "at most " } else { "" };
    format!(
        "nats-server finds {most}{messages} messages; {erased} were erased and {} deleted, and the last sequence is {last}",
        deleted.len()
    )
}

/// Whether a log may be cut: at the torn end of its last block, where the server itself cuts.
pub fn mend(source: &Source, summaries: &[Summary], at: Place) -> Mend {
    let last = at.segment.index() + 1 == summaries.len() && source.segments.last().is_some_and(|segment| !segment.followed);
    let own = summaries.get(at.segment.index()).and_then(Summary::own::<Own>);
    match own {
        Some(own) if last && own.torn_end && own.first_bad == Some(at.offset) => Mend::Cut,
        _ => Mend::Refuse(
            "only the torn end of the last block is cut, as nats-server does itself; elsewhere it would drop the whole records behind the cut: keep a \
             copy of the folder before the server starts, and in a cluster let it fetch the stream from another replica",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decimal_without_zeros_in_front() {
        assert_eq!((number_of("17.blk"), number_of("1.blk")), (Some(17), Some(1)));
        for name in ["01.blk", ".blk", "1.idx", "1.blk.tmp", "+1.blk", "1.new"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }

    #[test]
    fn runs_are_joined_and_asked() {
        let mut own = Own::default();
        for (sequence, kind) in
            [(1, Kind::Message), (2, Kind::Message), (3, Kind::Erased), (4, Kind::Message), (2, Kind::Tombstone)]
        {
            own.saw(&Head { at: 0, length: 30, kind, sequence, time: 0, subject: 0, has_headers: false });
        }
        assert_eq!((&own.runs[..], &own.tombstones[..], own.messages, own.erased), (&[(1, 2), (4, 4)][..], &[2][..], 3, 1));
        assert_eq!([1, 2, 3, 4, 5].map(|sequence| own.holds(sequence)), [true, true, false, true, false]);
    }
}
